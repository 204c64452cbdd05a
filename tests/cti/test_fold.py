"""From events to the state and the times of a call."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from cti import events as e
from cti.fold import CallStatus, fold
from cti.model import OUTSIDE, Cause, ConnectionState, Direction

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Story:
    """Events of one call, written down with their second."""

    def __init__(self, call_id="c1"):
        self.call_id, self.events = call_id, []

    def at(self, second, kind, **values):
        if "agent" in values and kind is not e.Queued:
            values.setdefault("device", f"8{values['agent']}")
            values.setdefault("connection", f"{self.call_id}/{values['device']}/1")
        if kind in (e.RouteRequested, e.Queued, e.Delivered, e.Originated):
            values |= {"calling": "outside-1", "called": "hotline"}
        instant = NINE + timedelta(seconds=second)
        self.events.append(kind(call_id=self.call_id, pbx_id="p1", at=instant, seq=len(self.events) + 1, **values))
        return self

    def state(self, second=None):
        return fold(self.events, None if second is None else NINE + timedelta(seconds=second))


def an_answered_call():
    return (
        Story()
        .at(0, e.RouteRequested)
        .at(1, e.Queued, queue="main")
        .at(11, e.Delivered, agent="1001")
        .at(16, e.Established, agent="1001")
        .at(46, e.Held, agent="1001")
        .at(66, e.Retrieved, agent="1001")
        .at(76, e.ConnectionCleared, agent="1001", cause=Cause.normal)
        .at(76, e.CallCleared, cause=Cause.normal, outcome="answered")
    )


@pytest.mark.req("A-75")
def test_an_answered_call_is_split_into_waiting_ringing_talking_and_holding():
    state = an_answered_call().state()
    assert (state.wait_ms, state.ring_ms, state.talk_ms, state.hold_ms) == (15_000, 5_000, 40_000, 20_000)
    assert (state.outcome, state.cause, state.holds, state.queue) == ("answered", Cause.normal, 1, "main")
    (leg,) = state.legs
    assert (leg.agent, leg.seq, leg.result) == ("1001", 1, "answered")
    assert (leg.ring_ms, leg.talk_ms, leg.hold_ms, leg.holds) == (5_000, 40_000, 20_000, 1)
    assert leg.offered_at == NINE + timedelta(seconds=11)
    (visit,) = state.visits
    assert (visit.queue, visit.wait_ms, visit.result) == ("main", 15_000, "answered")


def test_running_stretches_are_counted_up_to_now():
    story = an_answered_call()
    story.events = story.events[:5]
    state = story.state(second=50)
    assert (state.status, state.since) == (CallStatus.held, NINE + timedelta(seconds=46))
    assert (state.talk_ms, state.hold_ms) == (30_000, 4_000)
    assert state.legs[0].hold_ms == 4_000
    assert story.state().hold_ms == 0
    assert state.agents == ("1001",)


def test_a_waiting_call_knows_how_long_it_waits():
    story = Story().at(0, e.RouteRequested).at(2, e.Queued, queue="main")
    state = story.state(second=12)
    assert (state.status, state.wait_ms, state.visits[0].wait_ms) == (CallStatus.queued, 10_000, 10_000)


@pytest.mark.req("S-32")
def test_a_ring_without_answer_belongs_to_that_agent_and_the_wait_goes_on():
    state = (
        Story()
        .at(0, e.Queued, queue="main")
        .at(5, e.Delivered, agent="1001")
        .at(25, e.Diverted, agent="1001", cause=Cause.rona)
        .at(30, e.Delivered, agent="1002")
        .at(33, e.Established, agent="1002")
    ).state()
    first, second = state.legs
    assert (first.result, first.ring_ms, first.answered_at) == ("rona", 20_000, None)
    assert (second.result, second.ring_ms) == ("", 3_000)
    assert (state.wait_ms, state.ring_ms, len(state.visits)) == (33_000, 23_000, 1)


@pytest.mark.parametrize(
    ("cause", "result"),
    [(Cause.rejected, "refused"), (Cause.pickup, "picked_up"), (Cause.busy, "busy"), (Cause.not_obtainable, "failed")],
)
def test_each_way_a_ring_can_end_has_its_result(cause, result):
    kind = e.Diverted if cause is Cause.pickup else e.Failed if result in ("busy", "failed") else e.ConnectionCleared
    state = (
        Story().at(0, e.Queued, queue="m").at(1, e.Delivered, agent="1001").at(2, kind, agent="1001", cause=cause)
    ).state()
    assert state.legs[0].result == result
    assert state.status is CallStatus.queued


@pytest.mark.parametrize(("waited", "outcome"), [(4, "short"), (5, "short"), (6, "abandoned")])
def test_a_caller_who_gives_up_within_five_seconds_counts_as_short(waited, outcome):
    state = (
        Story().at(0, e.Queued, queue="main").at(waited, e.CallCleared, cause=Cause.abandoned, outcome="abandoned")
    ).state()
    assert (state.outcome, state.wait_ms, state.visits[0].result) == (outcome, waited * 1000, "abandoned")


def test_a_blocked_call_has_no_queue_visit_and_no_wait():
    state = (
        Story()
        .at(0, e.RouteRequested)
        .at(0, e.Failed, agent="", device=OUTSIDE, cause=Cause.blocked)
        .at(0, e.CallCleared, cause=Cause.blocked, outcome="blocked")
    ).state()
    assert (state.outcome, state.legs, state.visits, state.wait_ms) == ("blocked", (), (), 0)


def test_a_call_the_agent_made_dials_and_then_talks():
    story = (
        Story()
        .at(0, e.Originated, agent="1001")
        .at(1, e.Delivered, agent="", device=OUTSIDE)
        .at(6, e.Established, agent="", device=OUTSIDE)
    )
    state = story.state(second=10)
    assert (state.direction, state.status) == (Direction.outbound, CallStatus.talking)
    assert (state.ring_ms, state.talk_ms) == (6_000, 4_000)
    assert [(leg.state, leg.ring_ms, leg.talk_ms) for leg in state.legs] == [(ConnectionState.connected, 6_000, 4_000)]


def test_a_dialled_party_that_is_busy_leaves_a_leg_with_that_result():
    state = (
        Story()
        .at(0, e.Originated, agent="1001")
        .at(1, e.Failed, agent="", device=OUTSIDE, cause=Cause.busy)
        .at(1, e.ConnectionCleared, agent="1001", cause=Cause.busy)
        .at(1, e.CallCleared, cause=Cause.busy, outcome="no_answer")
    ).state()
    assert (state.outcome, state.legs[0].result) == ("no_answer", "busy")


def test_moving_to_another_queue_is_a_second_visit():
    state = (
        Story()
        .at(0, e.Queued, queue="main")
        .at(20, e.Queued, queue="overflow")
        .at(30, e.CallCleared, cause=Cause.abandoned, outcome="abandoned")
    ).state()
    assert [(v.queue, v.wait_ms, v.result) for v in state.visits] == [
        ("main", 20_000, "overflow"),
        ("overflow", 10_000, "abandoned"),
    ]
    assert (state.first_queue, state.queue) == ("main", "overflow")


def test_repeated_and_swapped_events_change_nothing():
    story = an_answered_call()
    expected = story.state()
    assert fold([*reversed(story.events), *story.events]) == expected


def test_hold_and_retrieve_within_one_instant_keep_their_order():
    story = Story().at(0, e.Established, agent="1001")
    for kind in (e.Held, e.Retrieved, e.Held):
        story.at(5, kind, agent="1001")
    state = story.state()
    assert (state.status, state.holds) == (CallStatus.held, 2)


def test_what_follows_the_end_is_not_believed():
    story = an_answered_call()
    expected = story.state()
    story.at(80, e.Established, agent="1002")
    assert story.state() == expected


def test_a_call_whose_beginning_was_never_heard_is_still_told():
    state = Story().at(0, e.Held, agent="1001").state(second=5)
    assert (state.status, state.hold_ms, state.legs[0].answered_at) == (CallStatus.held, 5_000, NINE)


def test_a_transferred_segment_says_so():
    state = (
        Story()
        .at(0, e.Established, agent="1001")
        .at(30, e.Established, agent="1002")
        .at(31, e.Transferred, agent="1001", to_connection="c1/81002/1")
        .at(60, e.CallCleared, cause=Cause.normal, outcome="answered")
    ).state()
    assert [(leg.result, leg.talk_ms) for leg in state.legs] == [("transferred_out", 31_000), ("answered", 30_000)]
    assert state.talk_ms == 60_000, "the contact's talk is counted once"


def test_mute_is_known_and_forgotten_at_the_end():
    story = Story().at(0, e.Established, agent="1001").at(1, e.Muted, agent="1001")
    assert story.state().legs[0].is_muted
    story.at(2, e.ConnectionCleared, agent="1001", cause=Cause.normal)
    assert not story.state().legs[0].is_muted


@pytest.mark.parametrize("events", [[], [e.DeviceOnline(call_id="", pbx_id="", at=NINE, device="8001", agent="1001")]])
def test_no_events_make_no_call(events):
    with pytest.raises(ValueError, match="no events"):
        fold(events)


def test_events_of_two_calls_are_refused():
    with pytest.raises(ValueError, match="several"):
        fold(Story("a").at(0, e.RouteRequested).events + Story("b").at(1, e.RouteRequested).events)


# --- events as rows ---------------------------------------------------------------------------------------------------


def test_an_event_goes_to_json_and_back_without_the_callers_number():
    for event in [*an_answered_call().events, *Story("c2").at(0, e.Originated, agent="1001").events]:
        data = json.loads(json.dumps(e.to_dict(event)))
        assert "outside-1" not in json.dumps(data)
        assert e.from_dict(data) == e.from_dict(e.to_dict(event))
        assert e.from_dict(json.loads(json.dumps(e.to_dict(event, personal=True)))) == event


def test_numbers_do_not_get_into_logs():
    event = Story().at(0, e.Queued, queue="main").events[0]
    assert "outside-1" not in repr(event)
    assert "outside-1" not in repr(fold([event]))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [({"event": "Exploded"}, "unknown event"), ({"event": "Held", "call_id": "c", "pbx_id": "p"}, "lacks 'at'")],
)
def test_a_row_that_is_no_event_is_refused(data, complaint):
    with pytest.raises(ValueError, match=complaint):
        e.from_dict(data)
