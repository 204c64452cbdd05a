"""The phone bar over HTTP: 202 with a command, or a refusal with its reason."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.calls.cast import STRANGER, a_queue, a_user, an_agent
from tests.telephony.test_calls import ready
from web.calls.models import Command


def as_user(user) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.mark.req("A-49")
def test_a_call_by_clicks_alone(rig):
    a_queue()
    alice = ready(rig, "1001")
    client = as_user(alice.user)
    call = rig.rings()
    answer = client.post(f"/api/telephony/calls/{call.pk}/answer")
    assert answer.status_code == 202
    rig.forward(1)
    command = client.get(f"/api/telephony/commands/{answer.json()['command']}").json()
    assert command == {"id": answer.json()["command"], "state": "done", "code": None, "reason": None}
    refused = client.post(f"/api/telephony/calls/{call.pk}/answer")
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (409, "wrong_state", "talking")
    refused = client.post("/api/telephony/me/sign-out")
    assert (refused.status_code, refused.json()["code"]) == (409, "on_a_call")
    assert client.post(f"/api/telephony/calls/{call.pk}/hang-up").status_code == 202
    assert client.post(f"/api/telephony/calls/{call.pk}/explode").status_code == 404


def test_commands_of_others_are_not_shown(rig):
    alice, bob = ready(rig, "1001"), an_agent("1002")
    command = Command.objects.filter(agent=alice).first()
    assert as_user(bob.user).get(f"/api/telephony/commands/{command.pk}").status_code == 404


def test_users_without_a_phone_and_strangers_are_refused(db):
    finance = as_user(a_user("5001", "finance"))
    refused = finance.post("/api/telephony/me/state", {"state": "ready"})
    assert (refused.status_code, refused.json()["code"]) == (403, "no_phone")
    assert APIClient().post("/api/telephony/me/state", {"state": "ready"}).status_code == 401


def test_bad_wishes_name_their_fields(db):
    client = as_user(an_agent("1001", state="ready").user)
    for address, body, field in (
        ("me/state", {"state": "dancing"}, "state"),
        ("me/sign-in", {"groups": "x"}, "groups"),
        ("me/wrap-up", {}, "action"),
        ("calls", {"to": "not a number"}, "to"),
        ("calls", {}, "to"),
    ):
        answer = client.post(f"/api/telephony/{address}", body)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_the_same_click_twice_is_one_command(db):
    client = APIClient()
    client.force_login(an_agent("1001", state="ready").user, "django.contrib.auth.backends.ModelBackend")
    headers = {"Idempotency-Key": "k1"}
    first = client.post("/api/telephony/me/sign-out", headers=headers)
    again = client.post("/api/telephony/me/sign-out", headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    assert Command.objects.count() == 1


def test_the_dialled_number_is_sealed_in_its_row(db):
    client = as_user(an_agent("1001", state="ready").user)
    assert client.post("/api/telephony/calls", {"to": STRANGER}).status_code == 202
    assert STRANGER[3:] not in str(Command.objects.get().params)


def test_the_demo_panel_needs_a_permission_or_the_token(db, settings, tmp_path):
    settings.TOKEN_FILE = tmp_path / "token"
    address = "/api/telephony/demo/calls"
    guest, agent = APIClient(), as_user(a_user("1001"))
    player = as_user(a_user("3001", "supervisor", "telephony.demo"))
    assert guest.post(address, {"what": "known"}).status_code == 401
    assert agent.post(address, {"what": "known"}).status_code == 403
    assert player.post(address, {"what": "known"}).status_code == 202
    assert guest.post(address, {"what": "known"}, headers={"X-Demo-Token": ""}).status_code == 401
    settings.TOKEN_FILE.write_text("secret-of-this-folder\n")
    assert guest.post(address, {"what": "known"}, headers={"X-Demo-Token": "guess"}).status_code == 401
    told = guest.post(address, {"what": "known"}, headers={"X-Demo-Token": "secret-of-this-folder"})
    assert told.status_code == 202
    assert player.post(address, {"what": "ghost"}).status_code == 400
    assert player.post("/api/telephony/demo/scenario", {"name": "no-such"}).status_code == 404
    names = [one["name"] for one in player.get("/api/telephony/demo").json()["scenarios"]]
    assert "monday-morning" in names


def test_no_demo_beside_a_real_pbx(db, settings):
    settings.CTI_DRIVER = "asterisk"
    player = as_user(a_user("3001", "supervisor", "telephony.demo"))
    assert player.get("/api/telephony/demo").status_code == 404
    assert player.post("/api/telephony/demo/calls", {"what": "known"}).status_code == 409
