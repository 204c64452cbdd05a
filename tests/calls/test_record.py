"""What the switch tells becomes facts, once, with the work it causes."""

from __future__ import annotations

import random
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cti.fold import fold
from cti.model import Cause
from tests.calls.cast import LI, Line, a_customer, an_agent
from web.calls import services
from web.calls.models import Call, CallEvent, CallLeg, QueueVisit
from web.common import seals
from web.common.models import Mark
from web.jobs.models import Job

pytestmark = pytest.mark.django_db


def record(*events) -> Call:
    for event in events:
        recorded = services.record(event)
    return Call.objects.get(pk=recorded.call.pk)


def test_a_call_is_a_row_from_its_first_sight_on(clock):
    line = Line(clock.now())
    call = record(line.arrives())
    assert (call.direction, call.outcome, call.ended_at) == ("in", None, None)
    assert call.slot == int(clock.now().timestamp()) // 900
    assert call.number == LI and call.number_masked == "138****1234"
    assert call.number_token == seals.blind(LI, kind="number")


def test_the_known_caller_brings_customer_and_own_agent(clock):
    owner = an_agent("1001")
    customer = a_customer(owner=owner.user)
    call = record(Line(clock.now()).arrives())
    assert (call.customer, call.owner_agent) == (customer, "1001")


def test_a_number_of_two_people_names_nobody(clock):
    a_customer(name="李明")
    a_customer(name="王芳")
    assert record(Line(clock.now()).arrives()).customer is None


def test_one_person_is_counted_once_by_whatever_is_known_of_him(clock):
    stranger = record(Line(clock.now()).arrives())
    assert stranger.party_key == f"number:{stranger.number_token}"
    customer = a_customer()
    known = record(Line(clock.now()).arrives())
    assert known.party_key == f"customer:{customer.pk}"
    services.set_customer(stranger, customer, acting_user=an_agent("1001").user)
    stranger.refresh_from_db()
    assert stranger.party_key == f"customer:{customer.pk}"
    assert record(Line(clock.now(), calling="").arrives()).party_key is None


def test_calls_from_before_get_the_same_key(clock):
    stranger, customer = record(Line(clock.now()).arrives()), a_customer()
    known, hidden = record(Line(clock.now()).arrives()), record(Line(clock.now(), calling="").arrives())
    before = dict(Call.objects.values_list("pk", "party_key"))
    Call.objects.update(party_key=None)
    import_module("web.calls.migrations.0002_party_key").fill(apps, None)
    assert dict(Call.objects.values_list("pk", "party_key")) == before
    assert before[stranger.pk] != before[known.pk] == f"customer:{customer.pk}" and before[hidden.pk] is None


def test_the_stay_in_the_queue_keeps_why_it_ended_where_it_ended(clock):
    alice = an_agent("1001")
    line = Line(clock.now())
    call = record(line.arrives(0), line.queued(2))
    services.note_decision(call.call_id, {"reason": "nobody_free"})
    assert call.visits.get().reason == "nobody_free"
    services.note_decision(call.call_id, {"reason": "longest_idle"})
    record(line.rings(10, alice), line.answered(15, alice))
    services.note_decision(call.call_id, {"reason": "nobody_signed_in"})  # too late for this stay
    visit = call.visits.get()
    assert (visit.result, visit.reason) == ("answered", "longest_idle")


@pytest.mark.req("P-31")
def test_facts_of_a_whole_call(clock):
    alice = an_agent("1001")
    line = Line(clock.now())
    call = record(
        line.arrives(0),
        line.queued(2),
        line.rings(10, alice),
        line.answered(15, alice),
        line.held(40, alice),
        line.retrieved(60, alice),
        line.left(100, alice),
        line.far_end_left(100),
        line.ends(100),
    )
    assert (call.outcome, call.wait_ms, call.ring_ms, call.talk_ms, call.hold_ms, call.holds) == (
        "answered",
        13_000,
        5_000,
        65_000,
        20_000,
        1,
    )
    leg = call.legs.get()
    assert (leg.agent, leg.ring_ms, leg.talk_ms, leg.hold_ms, leg.result) == (alice, 5_000, 65_000, 20_000, "answered")
    visit = call.visits.get()
    assert (visit.queue, visit.wait_ms, visit.result) == ("main", 13_000, "answered")
    assert call.first_queue == call.last_queue == "main"


@pytest.mark.req("S-07")
def test_wrap_up_is_counted_at_the_segment(clock):
    alice = an_agent("1001")
    line = Line(clock.now())
    call = record(line.arrives(0), line.rings(1, alice), line.answered(3, alice), line.left(63, alice), line.ends(63))
    services.end_wrap_up(alice, clock.now() + timedelta(seconds=85))
    call.refresh_from_db()
    assert call.acw_ms == call.legs.get().acw_ms == 22_000
    assert services.end_wrap_up(alice, clock.now() + timedelta(seconds=500)) == []


@pytest.mark.req("S-46")
def test_an_abandoned_call_leaves_its_job_in_the_same_transaction(clock):
    line = Line(clock.now())
    call = record(line.arrives(0), line.queued(0), line.ends(40, Cause.abandoned, "abandoned"))
    assert call.outcome == "abandoned"
    job = Job.objects.get(topic="call.missed")
    assert (job.key, job.payload) == (f"call:{call.pk}", {"call": call.pk})
    assert QueueVisit.objects.get().result == "abandoned"


def test_who_gives_up_within_five_seconds_is_not_called_back(clock):
    line = Line(clock.now())
    assert record(line.arrives(0), line.queued(0), line.ends(4, Cause.abandoned, "abandoned")).outcome == "short"
    assert not Job.objects.filter(topic="call.missed").exists()


@pytest.mark.req("S-37")
def test_a_blocked_call_causes_nothing_but_its_facts(clock):
    line = Line(clock.now())
    assert record(line.arrives(0), line.ends(0, Cause.blocked, "blocked")).outcome == "blocked"
    assert not Job.objects.exists()


def test_nothing_is_written_when_the_transaction_fails(clock, monkeypatch):
    line = Line(clock.now())
    record(line.arrives(0), line.queued(0))

    def broken(*_, **__):
        raise RuntimeError("no room for the job")

    monkeypatch.setattr(services.jobs, "enqueue", broken)
    with pytest.raises(RuntimeError):
        services.record(line.ends(40, Cause.abandoned, "abandoned"))
    assert Call.objects.get().ended_at is None
    assert CallEvent.objects.count() == 2


def test_a_repeated_event_changes_nothing(clock):
    alice = an_agent("1001")
    line = Line(clock.now())
    events = [line.arrives(0), line.queued(0), line.rings(3, alice), line.answered(5, alice), line.left(9, alice)]
    events.append(line.ends(9))
    record(*events)
    before = everything()
    for event in events:
        assert services.record(event).is_new is False
    assert everything() == before


def test_each_changed_slot_is_marked(clock):
    line = Line(clock.now() + timedelta(seconds=890))
    alice = an_agent("1001")
    record(line.arrives(0), line.queued(0))
    Mark.objects.all().delete()
    record(line.rings(20, alice))
    first = int(line.start.timestamp()) // 900
    assert {mark.slot for mark in Mark.objects.all()} == {first, first + 1}


def test_no_number_is_kept_in_the_event_rows(clock):
    alice = an_agent("1001")
    line = Line(clock.now())
    record(line.arrives(0), line.queued(0), line.rings(1, alice), line.answered(2, alice))
    dialled = Line(clock.now())
    record(dialled.dialled(0, alice, LI))
    with connection.cursor() as cursor:
        cursor.execute("SELECT facts FROM calls_event")
        stored = "".join(row[0] for row in cursor.fetchall())
    assert LI not in stored and LI.removeprefix("+86") not in stored


def test_a_withheld_number_is_a_call_like_any_other(clock):
    call = record(Line(clock.now(), calling="").arrives())
    assert (call.number, call.number_token, call.number_masked) == (None, None, None)


def test_an_internal_call_leaves_no_token(clock):
    from cti.events import Originated
    from cti.model import Direction

    alice = an_agent("1001")
    line = Line(clock.now())
    names = {"connection": f"{line.id}/{alice.extension}/1", "device": alice.extension, "agent": "1001"}
    event = line._event(Originated, 0, calling=alice.extension, called="8002", direction=Direction.internal, **names)
    call = record(event)
    assert (call.direction, call.number_token, call.called) == ("internal", None, "8002")


def everything() -> tuple:
    """All facts, without the rows' own keys."""
    calls = Call.objects.order_by("call_id").values(*services.FACTS)
    legs = CallLeg.objects.order_by("connection").values("connection", *services.LEG_FACTS)
    visits = QueueVisit.objects.order_by("entered_at", "queue").values(*services.VISIT_FACTS)
    return list(calls), list(legs), list(visits), Job.objects.count()


steps = st.lists(
    st.tuples(
        st.sampled_from(["ring", "answer", "hold", "retrieve", "rona", "queue"]),
        st.integers(min_value=0, max_value=30_000),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, seed=st.integers(0, 1000))
def test_whatever_the_order_and_however_often_the_facts_are_the_fold(clock, django_db_blocker, steps, seed):
    """The arithmetic: parts never exceed the whole, and rows = fold, whatever the order of arrival."""
    from django.db import transaction

    sid = transaction.savepoint()
    try:
        alice = an_agent(f"A{seed}-{random.random()}"[:20])
        line = Line(clock.now())
        now, ordinal = 0.0, 0
        events = [line.arrives(0), line.queued(0)]
        for kind, pause in steps:
            now += pause / 1000
            if kind == "ring":
                ordinal += 1
                events.append(line.rings(now, alice, ordinal))
            elif kind == "answer" and ordinal:
                events.append(line.answered(now, alice, ordinal))
            elif kind == "rona" and ordinal:
                events.append(line.withdrawn(now, alice, ordinal))
            elif kind == "queue":
                events.append(line.queued(now, queue=f"q{len(events)}"))
            elif kind in ("hold", "retrieve"):
                events.append((line.held if kind == "hold" else line.retrieved)(now, alice))
        events.append(line.ends(now + 1))
        wanted = fold(events)
        arriving = [*events, *random.Random(seed).choices(events, k=3)]
        random.Random(seed).shuffle(arriving)
        call = record(*arriving)
        length = (call.ended_at - call.started_at) // timedelta(milliseconds=1)
        assert call.wait_ms + call.talk_ms + call.hold_ms <= length
        assert all(value >= 0 for value in (call.wait_ms, call.ring_ms, call.talk_ms, call.hold_ms))
        assert (call.outcome, call.wait_ms, call.talk_ms) == (wanted.outcome, wanted.wait_ms, wanted.talk_ms)
        legs = {leg.connection: leg for leg in call.legs.all()}
        for leg in wanted.legs:
            row = legs[leg.connection]
            assert (row.ring_ms, row.talk_ms, row.hold_ms, row.result) == (
                leg.ring_ms,
                leg.talk_ms,
                leg.hold_ms,
                leg.result,
            )
        assert sum(leg.talk_ms for leg in legs.values()) >= call.talk_ms
        assert [(v.queue, v.wait_ms, v.result) for v in call.visits.order_by("entered_at", "id")] == [
            (v.queue, v.wait_ms, v.result) for v in wanted.visits
        ]
        assert CallEvent.objects.filter(call=call).count() == len(set(events))
    finally:
        transaction.savepoint_rollback(sid)
