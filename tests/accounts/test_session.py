"""Signing in and out: one seat, one extension, one session; a row for every attempt; no hint who exists."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.support.cast import PASSWORD, a_user, an_agent, the_tree
from tests.support.http import as_user, browser, sign_in
from web.accounts import services as accounts
from web.accounts.models import LoginAttempt, User
from web.agents.models import AgentProfile
from web.common.audit import facts
from web.common.models import AuditRow


def attempts() -> list[tuple[str, str]]:
    return list(LoginAttempt.objects.order_by("pk").values_list("number", "result"))


@pytest.mark.req("A-08", "A-09")
def test_an_agent_signs_in_with_number_extension_and_password_and_the_attempt_is_written_down():
    an_agent("1023", "booking")
    client = browser(address="10.9.8.7")
    answer = sign_in(client, "1023", extension="8023")
    assert answer.status_code == 200
    body = answer.json()
    assert body["user"]["number"] == "1023" and body["user"]["roles"] == ["agent"]
    assert "tickets.open" in body["user"]["permissions"] and "routing.approve" not in body["user"]["permissions"]
    assert body["user"]["groups"] == [
        {"key": "booking", "name": {"zh": "Booking", "en": "Booking group"}, "leads": False}
    ]
    assert body["agent"]["extension"] == "8023" and body["agent"]["groups"][0]["key"] == "booking"
    assert body["centre"]["simulator"] is True
    row = LoginAttempt.objects.get()
    assert (row.number, row.result, row.address, row.extension) == ("1023", "ok", "10.9.8.7", "8023")
    assert client.get("/api/session").json() == body


@pytest.mark.req("A-08")
def test_a_wrong_password_an_unknown_number_and_a_switched_off_account_get_the_same_answer():
    a_user("1061", "finance")
    a_user("1062", "finance")
    User.objects.filter(number="1062").update(is_active=False)
    answers = [
        sign_in(browser(), "1061", "something else"),
        sign_in(browser(), "9999", "something else"),
        sign_in(browser(), "1062"),
    ]
    assert {(a.status_code, a.json()["code"], len(a.json())) for a in answers} == {(400, "invalid_credentials", 2)}
    assert attempts() == [(number, "invalid_credentials") for number in ("1061", "9999", "1062")]


@pytest.mark.req("X-17")
def test_after_five_failures_the_account_is_locked_even_for_the_right_password_but_not_from_elsewhere():
    a_user("1061", "finance")
    client = browser(address="10.0.0.1")
    for _ in range(5):
        sign_in(client, "1061", "wrong")
    answer = sign_in(client, "1061")
    assert answer.status_code == 403
    assert (answer.json()["code"], answer.json()["minutes"]) == ("locked_out", 15)
    assert attempts()[-1] == ("1061", "locked_out")
    assert sign_in(browser(address="10.0.0.2"), "1061").status_code == 200


def test_the_extension_is_asked_only_of_users_with_a_phone():
    an_agent("1023")
    a_user("1061", "finance")
    assert sign_in(browser(), "1061").json()["agent"] is None
    missing = sign_in(browser(), "1023")
    assert (missing.status_code, missing.json()["code"]) == (400, "extension_required")
    assert missing.json()["fields"] == {"extension": [{"code": "required"}]}
    unknown = sign_in(browser(), "1023", extension="7777")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "extension_unknown")
    assert [result for _, result in attempts()] == ["ok", "extension_required", "extension_unknown"]
    assert not AgentProfile.objects.exclude(extension=None).exists()


@pytest.mark.req("X-17")
def test_a_taken_seat_is_offered_for_takeover_which_ends_the_other_session_and_is_audited():
    anna, ben = an_agent("1023"), an_agent("1024")
    first, second = browser(), browser()
    sign_in(first, "1023", extension="8023")
    refused = sign_in(second, "1024", extension="8023")
    assert refused.status_code == 409
    assert refused.json()["code"] == "seat_taken" and refused.json()["by"] == {"number": "1023", "name": anna.name}
    assert second.get("/api/session").status_code == 401 and first.get("/api/session").status_code == 200

    assert sign_in(second, "1024", extension="8023", takeover=True).status_code == 200
    assert first.get("/api/session").status_code == 401
    assert dict(AgentProfile.objects.values_list("user__number", "extension")) == {"1023": None, "1024": "8023"}
    audited = AuditRow.objects.get(action="session.seat_taken_over")
    assert audited.actor == ben.number and facts(audited) == {"former": "1023"}


@pytest.mark.req("X-17")
def test_one_person_has_one_session_and_taking_it_over_ends_the_former():
    a_user("1061", "finance")
    first, second = browser(), browser()
    sign_in(first, "1061")
    refused = sign_in(second, "1061")
    assert (refused.status_code, refused.json()["by"]["number"]) == (409, "1061")
    assert sign_in(second, "1061", takeover=True).status_code == 200
    assert first.get("/api/session").status_code == 401
    assert second.get("/api/session").status_code == 200


def test_after_signing_out_the_seat_is_free_and_signing_in_elsewhere_asks_nothing():
    an_agent("1023")
    first = browser()
    sign_in(first, "1023", extension="8023")
    answer = first.delete("/api/session")
    assert answer.status_code == 204 and answer["Clear-Site-Data"] == '"cache"'
    assert AgentProfile.objects.get().extension is None
    assert first.get("/api/session").status_code == 401
    assert first.delete("/api/session").status_code == 204
    assert sign_in(browser(), "1023", extension="8023").status_code == 200


def test_the_session_key_changes_at_sign_in_so_a_planted_one_is_worth_nothing():
    a_user("1061", "finance")
    client = browser()
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies[settings.SESSION_COOKIE_NAME] = planted
    sign_in(client, "1061")
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != planted


@pytest.mark.parametrize("end", ["epoch", "switch_off", "password"])
def test_ending_sessions_switching_off_and_a_new_password_end_a_live_session_at_its_next_request(end):
    user = a_user("1061", "finance")
    client = browser()
    sign_in(client, "1061")
    if end == "epoch":
        accounts.end_sessions(user, reason="test")
    elif end == "switch_off":
        User.objects.filter(pk=user.pk).update(is_active=False)
    else:
        user.set_password("another long password")
        user.save()
    answer = client.get("/api/session")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_signing_in_needs_the_form_token():
    a_user("1061", "finance")
    client = browser(checks_token=True)
    assert sign_in(client, "1061").json()["code"] == "csrf_failed"
    assert client.get("/api/session/csrf").status_code == 204
    token = client.cookies["csrftoken"].value
    facts_of = {"number": "1061", "password": PASSWORD}
    assert client.post("/api/session", facts_of, format="json", headers={"X-CSRFToken": token}).status_code == 200


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "number"),
        ({"number": "1061"}, "password"),
        ({"number": "1" * 50, "password": "x"}, "number"),
        ({"number": "1", "password": ["x"]}, "password"),
    ],
)
def test_a_sign_in_that_cannot_be_understood_names_the_field(body, field):
    answer = browser().post("/api/session", body, format="json")
    assert answer.status_code == 400 and field in answer.json()["fields"]
    assert not LoginAttempt.objects.exists()


def test_the_reading_language_is_kept_for_the_next_sign_in():
    user = a_user("1061", "finance")
    client = as_user(user)
    assert client.patch("/api/session", {"locale": "en"}, format="json").json()["user"]["locale"] == "en"
    assert client.patch("/api/session", {"locale": "xx"}, format="json").json()["fields"] == {
        "locale": [{"code": "invalid_choice"}]
    }
    user.refresh_from_db()
    assert user.locale == "en"


def test_drafts_are_sealed_with_a_key_of_the_user_alone():
    people = the_tree()
    keys = [as_user(people[who]).get("/api/session").json()["draft_key"] for who in ("anna", "anna", "ben")]
    assert keys[0] == keys[1] != keys[2] and len(keys[0]) == 44


@pytest.mark.parametrize(
    "path",
    [
        "/api/session",
        "/api/users",
        "/api/groups",
        "/api/notifications",
        "/api/customers",
        "/api/announcements",
        "/api/agents",
    ],
)
def test_without_a_session_nothing_is_told(path):
    answer = browser().get(path)
    assert answer.status_code == 401 and answer.json()["code"] == "not_authenticated"
