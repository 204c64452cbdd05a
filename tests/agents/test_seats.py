"""Seats and what an agent may sign in to."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from tests.support.cast import an_agent, the_tree
from tests.support.http import as_user
from web.agents import services
from web.agents.events import SeatLeft, SeatTaken
from web.agents.models import AgentProfile
from web.common import publishing
from web.common.audit import facts
from web.common.errors import BadInput
from web.common.models import AuditRow
from web.common.scope import scope


@pytest.mark.req("A-03")
def test_a_change_of_groups_and_skills_is_logged_with_before_and_after_and_unknown_keys_are_named():
    anna, boss = an_agent("1023"), an_agent("1024")
    services.set_skill("english", "English")
    services.set_agent(anna, skill_groups=["booking"], skills=["english"], wrap_up_seconds=45, acting_user=boss)
    row = AuditRow.objects.filter(action="agents.changed", subject="user:1023").latest("pk")
    assert row.actor == "1024"
    assert facts(row)["before"]["skills"] == ["booking"] and facts(row)["after"] == {
        "skill_groups": ["booking"], "skills": ["english"], "wrap_up_seconds": 45,
    }  # fmt: skip
    count = AuditRow.objects.count()
    services.set_agent(anna, skill_groups=["booking"], skills=["english"], acting_user=boss)
    assert AuditRow.objects.count() == count
    with pytest.raises(BadInput) as refused:
        services.set_agent(anna, skill_groups=["nowhere"], skills=["booking", "flying"])
    assert {field: found[0]["keys"] for field, found in refused.value.facts["fields"].items()} == {
        "skill_groups": ["nowhere"], "skills": ["flying"],
    }  # fmt: skip


def test_sitting_down_moving_and_standing_up_are_told(django_capture_on_commit_callbacks, monkeypatch):
    anna, heard = an_agent("1023"), []
    services.set_extension("8099")
    for event in (SeatTaken, SeatLeft):
        monkeypatch.setitem(publishing._routes, event, [heard.append])
    with django_capture_on_commit_callbacks(execute=True):
        profile = services.take_seat(anna, "8023")
        services.take_seat(anna, "8099")
        services.leave_seat(AgentProfile.objects.get())
        services.leave_seat(AgentProfile.objects.get())
    pk = profile.pk
    assert heard == [SeatTaken(pk, "8023"), SeatLeft(pk, "8023"), SeatTaken(pk, "8099"), SeatLeft(pk, "8099")]


def test_an_extension_that_was_taken_out_of_service_is_unknown():
    anna = an_agent("1023")
    services.set_extension("8023", is_active=False)
    with pytest.raises(services.ExtensionUnknown):
        services.check_extension(anna, "8023")
    with pytest.raises(services.ExtensionRequired):
        services.check_extension(anna, "  ")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_sit_down_at_the_same_moment_one_has_the_seat():
    people, gate, results = [an_agent("1023"), an_agent("1024")], threading.Barrier(2), []

    def sit(user):
        try:
            gate.wait()
            results.append(services.take_seat(user, "8023").user_id)
        except services.SeatIsTaken:
            results.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=sit, args=(user,)) for user in people]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(result is None for result in results) == [False, True]
    assert AgentProfile.objects.filter(extension="8023").count() == 1


@pytest.mark.req("S-50", "S-52", "S-53")
def test_who_leads_sees_his_agents_and_an_agent_himself():
    people = the_tree()
    seen = {
        who: {profile.user.number for profile in scope(AgentProfile.objects.all(), user)}
        for who, user in people.items()
    }
    assert seen["director"] == seen["supervisor"] == {"1023", "1024", "1031", "1032"}
    assert seen["booking_leader"] == {"1023", "1024"} and seen["anna"] == {"1023"} and seen["admin"] == set()
    rows = as_user(people["booking_leader"]).get("/api/agents?skill_group=booking").json()
    assert [(row["number"], row["state"], row["skills"][0]["key"]) for row in rows] == [
        ("1023", "null", "booking"),
        ("1024", "null", "booking"),
    ]


def test_the_words_of_the_phone_bar_come_in_their_order():
    the_tree()
    services.set_reason("meal", "rest", "用餐", "Meal", max_minutes=45, position=2)
    services.set_reason("meeting", "not_ready", "会议", "Meeting", max_minutes=60, position=1)
    client = as_user(an_agent("1099"))
    assert client.get("/api/reasons").json()[1] == {
        "key": "meal",
        "kind": "rest",
        "title": {"zh": "用餐", "en": "Meal"},
        "minutes": 45,
    }


def test_groups_and_skills_are_told_in_both_languages_and_in_one_where_there_is_no_other():
    client = as_user(the_tree()["anna"])
    services.set_skill("cantonese", "粤语")
    booking, group = {"zh": "预约", "en": "Booking"}, {"zh": "预约组", "en": "Booking"}
    assert client.get("/api/skills").json() == [
        {"key": "booking", "name": booking},
        {"key": "cantonese", "name": {"zh": "粤语", "en": "粤语"}},
    ]
    assert client.get("/api/skill-groups").json() == [{"key": "booking", "name": group}]
    [row] = client.get("/api/agents").json()
    assert (row["skill_groups"], row["skills"]) == (
        [{"key": "booking", "name": group}],
        [{"key": "booking", "name": booking}],
    )
    seat = client.get("/api/session").json()["agent"]
    assert (seat["groups"], seat["skills"]) == (row["skill_groups"], row["skills"])
