"""The screen pops by itself with all it needs, and a reload shows the same."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.calls.cast import LI, STRANGER, a_customer, a_queue, a_user, an_agent, reasons
from tests.telephony.test_calls import ready
from web.calls.models import Call
from web.common import live
from web.common.errors import DomainError
from web.desk import floor, pop, topics
from web.telephony import services


def listen(user, *names: str) -> None:
    topics.note_listener([topics.inner(name, user) for name in names])


def last(told, topic: str, event: str) -> dict:
    return next(data for where, what, data in reversed(told) if (where, what) == (topic, event))


@pytest.mark.req("P-26", "S-30", "S-31")
def test_the_ring_brings_the_masked_card_without_a_question(rig, told):
    a_queue()
    alice = ready(rig, "1001")
    li = a_customer()
    listen(alice.user, "phone")
    call = rig.rings()
    shown = last(told, f"phone:{alice.user_id}", "CallChanged")
    assert (shown["id"], shown["state"], shown["card"]["id"]) == (str(call.pk), "ringing", str(li.pk))
    assert (
        shown["queue"] == {"key": "main", "name": {"zh": "预约热线", "en": "Booking line"}}
        and shown["reason"] == "longest_idle"
    )
    text = json.dumps(shown, ensure_ascii=False)
    assert len(text.encode()) <= 4096
    assert LI not in text and LI.removeprefix("+86") not in text and "李明" not in text


def test_a_number_of_several_people_shows_them_to_choose_from(rig, told):
    a_queue()
    alice = ready(rig, "1001")
    a_customer(name="李明")
    a_customer(name="王芳")
    listen(alice.user, "phone")
    rig.rings()
    shown = last(told, f"phone:{alice.user_id}", "CallChanged")
    assert shown["card"] is None and len(shown["candidates"]) == 2


def test_nothing_is_made_for_those_who_do_not_listen(rig, told):
    a_queue()
    ready(rig, "1001")
    rig.rings()
    assert told == []


def test_who_did_not_take_it_loses_it_from_the_screen(rig, told):
    a_queue(ring_seconds=20)
    alice = ready(rig, "1001")
    listen(alice.user, "phone")
    rig.rings()
    rig.forward(21)
    assert last(told, f"phone:{alice.user_id}", "CallEnded")["state"] == "ended"
    assert last(told, f"phone:{alice.user_id}", "PhoneChanged")["reason"] == "no_answer"


def test_a_refusal_of_the_switch_reaches_the_one_who_clicked(rig, told):
    a_queue()
    alice = ready(rig, "1001")
    listen(alice.user, "phone")
    call = rig.rings()
    command = services.click(alice.user, call.pk, "answer")
    rig.hangs_up(call)
    rig.forward(1)
    refused = last(told, f"phone:{alice.user_id}", "CommandRefused")
    assert (refused["id"], refused["code"]) == (str(command.pk), "connection_ended")


@pytest.mark.req("X-24")
def test_a_reload_in_mid_call_brings_everything_back(rig, told):
    a_queue()
    reasons()
    alice = ready(rig, "1001")
    a_customer()
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.click, alice.user, call.pk, "hold")
    client = APIClient()
    client.force_authenticate(alice.user)
    shown = client.get("/api/telephony/me").json()
    assert shown["state"] == "busy" and {one["key"] for one in shown["reasons"]} == {"meeting", "meal"}
    (view,) = shown["calls"]
    assert (view["state"], view["muted"], view["card"]["name"]) == ("held", False, "李*")
    assert shown["live"] == {"phone": live.pair(f"phone:{alice.user_id}")}


def test_the_call_stays_on_screen_while_he_writes(rig, told):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.click, alice.user, call.pk, "hang-up")
    assert [one["state"] for one in pop.phone(alice.user)["calls"]] == ["ended"]
    rig.forward(31)
    assert pop.phone(alice.user)["calls"] == []


def test_a_pop_costs_a_fixed_number_of_questions(rig, told):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    counts = []
    for name in ("李明", "王芳", "赵云"):
        a_customer(name=name)
        fresh = Call.objects.prefetch_related("legs").get(pk=call.pk)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            pop.call_view(fresh, alice)
        counts.append(len(queries))
    assert max(counts) <= 14


def test_a_user_without_a_phone_reads_one_that_is_signed_out(db):
    finance = a_user("5001", "finance")
    assert (pop.phone(finance)["state"], pop.phone(finance)["calls"]) == ("null", [])


@pytest.mark.req("S-33", "P-22")
def test_who_waits_is_told_and_read_alike(rig, told):
    a_queue()
    alice = an_agent("1001")
    listen(alice.user, "queue")
    rig.rings()
    rig.forward(3)
    rig.rings(STRANGER)
    told_rows = last(told, "queue", "QueueChanged")["results"]
    assert told_rows == topics.plain(floor.queue(alice.user)["results"])
    assert [row["number"] for row in told_rows] == ["138****1234", "139****0000"]
    began = [call.started_at for call in Call.objects.order_by("id")]
    assert [datetime.fromisoformat(row["waiting_since"]) for row in told_rows] == began
    assert told_rows[0]["queue"] == {"key": "main", "name": {"zh": "预约热线", "en": "Booking line"}}
    rig.hangs_up(Call.objects.order_by("id").first())
    assert len(last(told, "queue", "QueueChanged")["results"]) == 1


@pytest.mark.req("P-21", "P-23")
def test_the_floor_is_told_and_read_alike(rig, told):
    a_queue()
    reasons()
    boss = a_user("3001", "supervisor", "telephony.floor")
    listen(boss, "floor")
    alice, bob = ready(rig, "1001"), ready(rig, "1002")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.set_state, bob.user, state="rest", reason="meal")
    rig.rings(STRANGER)
    shown = topics.plain(floor.floor(boss))
    figures = shown["figures"]
    assert (figures["talking"], figures["rest"], figures["waiting"], figures["offered_today"]) == (1, 1, 1, 2)
    assert last(told, "floor", "FiguresChanged") == figures
    told_rows = {data["number"]: data for where, what, data in told if (where, what) == ("floor", "AgentChanged")}
    assert told_rows == {row["number"]: row for row in shown["agents"]}
    assert told_rows["1001"]["group"]["name"].keys() == {"zh", "en"}


def test_the_floor_needs_its_permission(db):
    client = APIClient()
    client.force_authenticate(a_user("1001"))
    answer = client.get("/api/telephony/floor")
    assert (answer.status_code, answer.json()["needs"]) == (403, "telephony.floor")


@pytest.mark.req("S-32", "S-45")
def test_missed_calls_one_row_a_number(rig, told):
    a_queue()
    boss = a_user("3001", "supervisor", "telephony.floor")
    alice = ready(rig, "1001")
    rig.rings(hangs_up_after=8)  # rings at Alice
    rig.forward(9)
    rig.does(services.sign_out, alice.user)
    rig.rings(hangs_up_after=8)  # nobody is there
    rig.rings(STRANGER, hangs_up_after=8)
    rig.forward(9)
    rows = floor.missed(boss)
    assert [(row["number"], row["times"]) for row in rows] == [("139****0000", 1), ("138****1234", 2)]
    assert [(row["number"], row["times"]) for row in floor.missed(alice.user)] == [("138****1234", 1)]
    assert rows[0]["queue"]["name"] == {"zh": "预约热线", "en": "Booking line"}


acts = st.lists(
    st.sampled_from(
        ["rings", "answer", "hold", "retrieve", "mute", "hang-up", "wait", "long", "ready", "meal", "gone"]
    ),
    min_size=3,
    max_size=14,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=acts)
def test_snapshot_and_events_are_a_fresh_fetch(rig, told, steps):
    """What the browser makes of an old snapshot and the events since is what it would read now (phone and calls)."""
    agent = getattr(rig, "cast", None)
    if agent is None:
        a_queue()
        reasons()
        agent = rig.cast = ready(rig, "1001")
    listen(agent.user, "phone")
    topic = f"phone:{agent.user_id}"
    picture = topics.plain(pop.phone(agent.user))
    n = int(picture["live"]["phone"].rpartition(":")[2])
    del told[:]
    for step in steps:
        listen(agent.user, "phone")
        _act(rig, agent, step)
    fresh = topics.plain(pop.phone(agent.user))
    phone = {key: value for key, value in picture.items() if key not in ("calls", "live")}
    calls = {one["id"]: one for one in picture["calls"]}
    for where, what, data in told:
        if where != topic:
            continue
        n += 1
        if what == "PhoneChanged":
            phone |= data
        elif what in ("CallChanged", "CallEnded"):
            calls[data["id"]] = data
    assert fresh["live"]["phone"].endswith(f":{n}")
    assert phone == {key: value for key, value in fresh.items() if key not in ("calls", "live")}
    open_calls = {key: one for key, one in calls.items() if one["state"] != "ended"}
    assert open_calls == {one["id"]: one for one in fresh["calls"] if one["state"] != "ended"}
    for one in fresh["calls"]:  # what he wraps up is as it was told
        assert one["state"] != "ended" or calls[one["id"]] == one


def _act(rig, agent, step: str) -> None:
    call = Call.objects.filter(ended_at=None).order_by("id").last()
    if step == "rings":
        rig.rings()
    elif step == "wait":
        rig.forward(3)
    elif step == "long":
        rig.forward(25)
    elif step == "gone" and call is not None:
        rig.hangs_up(call)
    elif step in ("ready", "meal"):
        wish = {"state": "ready"} if step == "ready" else {"state": "rest", "reason": "meal"}
        with suppress(DomainError):
            rig.does(services.set_state, agent.user, **wish)
    elif call is not None and step in services.VERBS:
        with suppress(DomainError):
            rig.does(services.click, agent.user, call.pk, step)
