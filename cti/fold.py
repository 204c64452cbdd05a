"""From the events of one call to what it is now and how its time was spent.

Pure: the same events give the same state, in whatever order and however often they are handed in (they are put into
the order of `at`, `seq`, repeated ones dropped); a missing event costs accuracy, never consistency. Durations are whole
milliseconds, as the fact tables keep them (DATA A3); talk + hold + ring + wait never exceed the call's length.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cti import events as e
from cti.model import OUTSIDE, Cause, ConnectionState, Direction

SHORT_ABANDON = timedelta(seconds=5)

RESULT_OF_CAUSE = {
    Cause.rona: "rona",
    Cause.pickup: "picked_up",
    Cause.answered_elsewhere: "picked_up",
    Cause.deflect: "deflected",
    Cause.rejected: "refused",
    Cause.abandoned: "abandoned",
    Cause.blocked: "blocked",
    Cause.busy: "busy",
    Cause.no_answer: "no_answer",
    Cause.not_obtainable: "failed",
    Cause.resync: "lost",
    Cause.normal: "cancelled",
}
"""How a connection that was never answered ended; an answered one is "answered" (or "transferred_out")."""


class CallStatus(StrEnum):
    routing = "routing"  # known, not yet queued
    queued = "queued"
    ringing = "ringing"
    dialling = "dialling"
    talking = "talking"
    held = "held"
    ended = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegState:
    """One device's part: an agent segment of DATA A3. `result` is "" while it is open."""

    connection: str
    seq: int
    device: str
    agent: str
    state: ConnectionState
    since: datetime
    offered_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    ring_ms: int = 0
    talk_ms: int = 0
    hold_ms: int = 0
    holds: int = 0
    is_muted: bool = False
    result: str = ""
    cause: Cause | None = None

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitState:
    """One stay in a queue; a ring without answer does not end it. result: answered, abandoned, removed, overflow."""

    queue: str
    entered_at: datetime
    left_at: datetime | None = None
    wait_ms: int = 0
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """A call as its events tell it.

    outcome: answered, abandoned, short (given up within 5 s), blocked, no_answer; "" while open. wait_ms: from the
    queue (or the ring, without a queue) to the first answer, ring included; ring_ms is its ringing or dialling part.
    """

    call_id: str
    pbx_id: str
    direction: Direction
    calling: str = field(repr=False)
    called: str = field(repr=False)
    status: CallStatus
    since: datetime
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    queue: str
    first_queue: str
    wait_ms: int
    ring_ms: int
    talk_ms: int
    hold_ms: int
    holds: int
    cause: Cause | None
    outcome: str
    legs: tuple[LegState, ...]
    visits: tuple[VisitState, ...]
    digits: str = field(repr=False)

    @property
    def open_legs(self) -> tuple[LegState, ...]:
        return tuple(leg for leg in self.legs if leg.is_open)

    @property
    def agents(self) -> tuple[str, ...]:
        """Agents on it now, the ringing one included."""
        return tuple(leg.agent for leg in self.open_legs if leg.agent)

    @property
    def is_open(self) -> bool:
        return self.status is not CallStatus.ended


def fold(events: Iterable[e.Event], now: datetime | None = None) -> CallState:
    """The state after `events` of one call; with `now`, running stretches are counted up to then.

    Raises ValueError without events, or when they belong to several calls.
    """
    known = sorted(dict.fromkeys(event for event in events if event.call_id), key=_order)
    if not known:
        raise ValueError("no events of a call")
    folding = _Folding(known[0])
    for event in known:
        if event.call_id != folding.call_id:
            raise ValueError("events of several calls")
        folding.take(event)
    return folding.state(now)


def _order(event: e.Event) -> tuple[datetime, float]:
    return event.at, event.seq or math.inf  # what was inferred at an instant comes after what was heard at it


def milliseconds(start: datetime, end: datetime) -> int:
    """Whole milliseconds from start to end, never below zero."""
    return max(0, (end - start) // timedelta(milliseconds=1))


class _Folding:
    def __init__(self, first: e.Event) -> None:
        self.call_id, self.pbx_id = first.call_id, first.pbx_id
        self.direction = Direction.inbound
        self.calling = self.called = self.queue = self.first_queue = self.digits = ""
        self.started_at = self.since = self._counted_to = first.at
        self.answered_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.wait_from: datetime | None = None
        self.status = CallStatus.routing
        self.wait_ms = 0
        self.spent = dict.fromkeys(CallStatus, 0)  # microseconds, so that sums of stretches do not drift
        self.cause: Cause | None = None
        self.outcome = ""
        self.legs: dict[str, LegState] = {}
        self.leg_spent: dict[str, dict[ConnectionState, int]] = {}
        self.visits: list[VisitState] = []

    def take(self, event: e.Event) -> None:
        if self.ended_at is not None:
            return
        self.spent[self.status] += _micro(self._counted_to, event.at)
        self._counted_to = event.at
        handler = self.HANDLERS.get(type(event))
        if handler:
            handler(self, event)
        status = self._status()
        if status is not self.status:
            self.status, self.since = status, event.at

    # --- one method per event ---------------------------------------------------------------------------------------

    def _numbers(self, event: e.RouteRequested | e.Queued | e.Originated | e.Delivered) -> None:
        self.calling = self.calling or event.calling
        self.called = self.called or event.called

    def _queued(self, event: e.Queued) -> None:
        self._numbers(event)
        if self.visits and self.visits[-1].left_at is None:
            if self.queue == event.queue:
                return
            self._leave_queue(event.at, "overflow")
        self.queue = event.queue
        self.first_queue = self.first_queue or event.queue
        self.visits.append(VisitState(queue=event.queue, entered_at=event.at))
        self.wait_from = self.wait_from or event.at

    def _originated(self, event: e.Originated) -> None:
        self._numbers(event)
        self.direction = event.direction
        self.wait_from = self.wait_from or event.at
        self._leg(event, ConnectionState.initiated)

    def _delivered(self, event: e.Delivered) -> None:
        self._numbers(event)
        if event.device != OUTSIDE:
            self.wait_from = self.wait_from or event.at
            self._leg(event, ConnectionState.alerting)

    def _established(self, event: e.Established) -> None:
        if event.device != OUTSIDE:
            self._leg(event, ConnectionState.alerting)
        talking = {event.connection} | {key for key, leg in self.legs.items() if leg.state is ConnectionState.initiated}
        for key in talking & self.legs.keys():
            leg = self.legs[key]
            if leg.is_open and leg.answered_at is None:
                self._move(key, ConnectionState.connected, event.at)
                self.legs[key] = replace(self.legs[key], answered_at=event.at)
        self._answered(event.at)

    def _held(self, event: e.Held) -> None:
        leg = self._talking_leg(event)
        if leg and leg.state is not ConnectionState.hold:
            self._move(leg.connection, ConnectionState.hold, event.at)
            self.legs[leg.connection] = replace(self.legs[leg.connection], holds=leg.holds + 1)

    def _retrieved(self, event: e.Retrieved) -> None:
        leg = self._talking_leg(event)
        if leg and leg.state is ConnectionState.hold:
            self._move(leg.connection, ConnectionState.connected, event.at)

    def _muted(self, event: e.Muted | e.Unmuted) -> None:
        leg = self._talking_leg(event)
        if leg:
            self.legs[leg.connection] = replace(leg, is_muted=isinstance(event, e.Muted))

    def _conferenced(self, event: e.Conferenced) -> None:
        if self._talking_leg(event):
            self._answered(event.at)

    def _left(self, event: e.Diverted | e.Failed | e.ConnectionCleared) -> None:
        if event.device != OUTSIDE:
            self._leg(event, ConnectionState.alerting)
            self._end_leg(event.connection, event.at, event.cause)

    def _transferred(self, event: e.Transferred) -> None:
        if event.connection in self.legs:
            self._end_leg(event.connection, event.at, Cause.normal, "transferred_out")

    def _digits(self, event: e.DigitsGenerated) -> None:
        self.digits += event.digits

    def _cleared(self, event: e.CallCleared) -> None:
        for key in list(self.legs):
            self._end_leg(key, event.at, event.cause)
        if self.answered_at is None and self.wait_from is not None:
            self.wait_ms = milliseconds(self.wait_from, event.at)
        self._leave_queue(event.at, "abandoned" if self.answered_at is None else "answered")
        self.ended_at, self.cause = event.at, event.cause
        self.outcome = self._outcome(event)

    HANDLERS = {
        e.RouteRequested: _numbers,
        e.Queued: _queued,
        e.Originated: _originated,
        e.Delivered: _delivered,
        e.Established: _established,
        e.Held: _held,
        e.Retrieved: _retrieved,
        e.Muted: _muted,
        e.Unmuted: _muted,
        e.Conferenced: _conferenced,
        e.Diverted: _left,
        e.Failed: _left,
        e.ConnectionCleared: _left,
        e.Transferred: _transferred,
        e.DigitsGenerated: _digits,
        e.CallCleared: _cleared,
    }

    # --- legs and sums ----------------------------------------------------------------------------------------------

    def _leg(self, event: e.Event, state: ConnectionState) -> None:
        """The leg an event speaks of; made when its beginning was never heard."""
        key = event.connection  # type: ignore[attr-defined]
        if key not in self.legs:
            self.legs[key] = LegState(
                connection=key,
                seq=len(self.legs) + 1,
                device=event.device,
                agent=event.agent,  # type: ignore[attr-defined]
                state=state,
                since=event.at,
                offered_at=event.at,
            )
            self.leg_spent[key] = dict.fromkeys(ConnectionState, 0)

    def _talking_leg(self, event: e.Event) -> LegState | None:
        """Its leg, connected even if Established was lost; nothing once it has ended."""
        if event.device == OUTSIDE:  # type: ignore[attr-defined]
            return None
        self._leg(event, ConnectionState.alerting)
        key = event.connection  # type: ignore[attr-defined]
        if not self.legs[key].is_open:
            return None
        if self.legs[key].answered_at is None:
            self._move(key, ConnectionState.connected, event.at)
            self.legs[key] = replace(self.legs[key], answered_at=event.at)
            self._answered(event.at)
        return self.legs[key]

    def _move(self, key: str, state: ConnectionState, at: datetime) -> None:
        leg = self.legs[key]
        self.leg_spent[key][leg.state] += _micro(leg.since, at)
        self.legs[key] = replace(leg, state=state, since=at)

    def _end_leg(self, key: str, at: datetime, cause: Cause, result: str = "") -> None:
        if not self.legs[key].is_open:
            return
        self._move(key, ConnectionState.null, at)
        leg = self.legs[key]
        result = result or ("answered" if leg.answered_at else RESULT_OF_CAUSE[cause])
        self.legs[key] = replace(leg, ended_at=at, cause=cause, result=result, is_muted=False)

    def _answered(self, at: datetime) -> None:
        if self.answered_at is None:
            self.answered_at = at
            self.wait_ms = milliseconds(self.wait_from or at, at)
        self._leave_queue(at, "answered")

    def _leave_queue(self, at: datetime, result: str) -> None:
        if self.visits and self.visits[-1].left_at is None:
            visit = self.visits[-1]
            self.visits[-1] = replace(visit, left_at=at, wait_ms=milliseconds(visit.entered_at, at), result=result)

    def _status(self) -> CallStatus:
        if self.ended_at is not None:
            return CallStatus.ended
        states = {leg.state for leg in self.legs.values() if leg.is_open}
        if ConnectionState.connected in states:
            return CallStatus.talking
        if ConnectionState.hold in states:
            return CallStatus.held
        if ConnectionState.initiated in states:
            return CallStatus.dialling
        if ConnectionState.alerting in states:
            return CallStatus.ringing
        return CallStatus.queued if self.visits else CallStatus.routing

    def _outcome(self, event: e.CallCleared) -> str:
        if self.answered_at is not None or event.outcome == "answered":
            return "answered"
        if event.cause is Cause.blocked or event.outcome == "blocked":
            return "blocked"
        if self.direction is not Direction.inbound:
            return "no_answer"
        waited = event.at - (self.wait_from or self.started_at)
        if event.cause is Cause.abandoned and waited <= SHORT_ABANDON:
            return "short"
        return event.outcome or "abandoned"

    def state(self, now: datetime | None) -> CallState:
        spent = dict(self.spent)
        wait_ms = self.wait_ms
        legs = dict(self.legs)
        visits = list(self.visits)
        if now is not None and self.ended_at is None:
            spent[self.status] += _micro(self._counted_to, now)
            if self.answered_at is None and self.wait_from is not None:
                wait_ms = milliseconds(self.wait_from, now)
            if visits and visits[-1].left_at is None:
                visits[-1] = replace(visits[-1], wait_ms=milliseconds(visits[-1].entered_at, now))
        for key, leg in legs.items():
            of_leg = dict(self.leg_spent[key])
            if now is not None and leg.is_open:
                of_leg[leg.state] += _micro(leg.since, now)
            legs[key] = replace(
                leg,
                ring_ms=(of_leg[ConnectionState.alerting] + of_leg[ConnectionState.initiated]) // 1000,
                talk_ms=of_leg[ConnectionState.connected] // 1000,
                hold_ms=of_leg[ConnectionState.hold] // 1000,
            )
        return CallState(
            call_id=self.call_id,
            pbx_id=self.pbx_id,
            direction=self.direction,
            calling=self.calling,
            called=self.called,
            status=self.status,
            since=self.since,
            started_at=self.started_at,
            answered_at=self.answered_at,
            ended_at=self.ended_at,
            queue=self.queue,
            first_queue=self.first_queue,
            wait_ms=wait_ms,
            ring_ms=(spent[CallStatus.ringing] + spent[CallStatus.dialling]) // 1000,
            talk_ms=spent[CallStatus.talking] // 1000,
            hold_ms=spent[CallStatus.held] // 1000,
            holds=sum(leg.holds for leg in legs.values()),
            cause=self.cause,
            outcome=self.outcome,
            legs=tuple(legs.values()),
            visits=tuple(visits),
            digits=self.digits,
        )


def _micro(start: datetime, end: datetime) -> int:
    return max(0, (end - start) // timedelta(microseconds=1))
