"""The simulated PBX: trunk, queue music, phones of agents and the people outside, all in one asyncio loop.

Everything happens in call-backs of the injected clock, so a run with a hand-turned clock and a seed repeats exactly.
Agents' phones have no will of their own: they ring until `answer`, withdrawal or hang-up. The people outside follow
their script (`Caller`, `FarEnd`) or are moved by `customer_hangs_up` and `customer_presses`. Methods that move the
outside world are plain functions and must be called in the loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cti.clock import Clock, RealClock, Timer
from cti.events import (
    CallCleared,
    ConnectionCleared,
    Delivered,
    DeviceOffline,
    DeviceOnline,
    DigitsGenerated,
    Diverted,
    Established,
    Event,
    Failed,
    Held,
    Muted,
    Originated,
    Queued,
    Retrieved,
    RouteRequested,
    SystemStatus,
    Unmuted,
)
from cti.model import (
    DIVERTED_CAUSES,
    OUTSIDE,
    RING_CAUSES,
    Call,
    Cause,
    Connection,
    ConnectionState,
    Direction,
    call_of,
    connection_id,
)
from cti.switch import Refusal, Sink, SwitchRefused

log = logging.getLogger(__name__)

TALKING = frozenset({ConnectionState.connected, ConnectionState.hold})
REMEMBERED_CALLS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What a person who rings in does. Seconds; None = never."""

    hangs_up_after: float | None = None  # counted from the first ring, whatever happened
    patience: float | None = None  # gives up when nobody has answered by then
    talks: float | None = None  # ends the talk after that long
    presses: str = ""  # keys, two seconds after the start


@dataclass(frozen=True, slots=True, kw_only=True)
class FarEnd:
    """What a person outside does when an agent dials. `answer` is answers, busy, no_answer or rejects."""

    answer: Literal["answers", "busy", "no_answer", "rejects"] = "answers"
    after: float = 4.0  # seconds of ringing before it
    talks: float | None = None


@dataclass(slots=True)
class Faults:
    """Misbehaviour on request. Rates are 0…1."""

    drop: frozenset[type[Event]] = frozenset()  # kinds that are never told
    drop_rate: float = 0.0
    duplicate_rate: float = 0.0
    silent: bool = False  # commands are neither carried out nor answered


@dataclass(slots=True)
class _Leg:
    id: str
    device: str
    agent: str
    state: ConnectionState
    since: datetime
    is_muted: bool = False


@dataclass(slots=True)
class _Call:
    call_id: str
    pbx_id: str
    direction: Direction
    calling: str
    called: str
    started_at: datetime
    caller: Caller | FarEnd
    device: str = ""
    queue: str = ""
    answered_at: datetime | None = None
    ended_by: Cause | None = None
    legs: dict[str, _Leg] = field(default_factory=dict)
    timers: list[Timer] = field(default_factory=list)

    def alive(self) -> list[_Leg]:
        return [leg for leg in self.legs.values() if leg.state is not ConnectionState.null]

    def of_agents(self) -> list[_Leg]:
        return [leg for leg in self.alive() if leg.device != OUTSIDE]

    def outside(self) -> _Leg | None:
        return next((leg for leg in self.alive() if leg.device == OUTSIDE), None)


class SimulatorSwitch:
    """Implements `cti.switch.Switch`.

    With `seed` all identifiers repeat too: for tests only, never beside a database that keeps calls.
    """

    def __init__(self, *, clock: Clock | None = None, seed: int | None = None, far_end: FarEnd | None = None) -> None:
        self.clock = clock or RealClock()
        self.random = random.Random(seed)  # noqa: S311 - chance for a play, not for secrets
        self.faults = Faults()
        self.far_end = far_end or FarEnd()
        self.far_ends: dict[str, FarEnd] = {}
        self._fault_random = random.Random(seed)  # noqa: S311
        self._sink: Sink | None = None
        self._outbox: deque[tuple[Sink, Event]] = deque()
        self._draining = False
        self._devices: dict[str, str] = {}
        self._calls: OrderedDict[str, _Call] = OrderedDict()  # also ended ones, for late and repeated commands
        self._open: dict[str, _Call] = {}
        self._numbers = itertools.count(1)
        self._seq = itertools.count(1)

    # --- link -------------------------------------------------------------------------------------------------------

    async def connect(self, sink: Sink) -> None:
        self._drop_link("replaced")
        self._sink = sink

    async def close(self) -> None:
        self._drop_link("closed")

    async def snapshot(self) -> list[Call]:
        await self._command()
        return [self._shown(call) for call in self._open.values()]

    async def register(self, device: str, *, agent: str = "") -> None:
        await self._command()
        if self._devices.get(device) == agent:
            return
        self._devices[device] = agent
        self._emit(DeviceOnline, None, device=device, agent=agent)

    async def unregister(self, device: str) -> None:
        await self._command()
        if device not in self._devices:
            return
        agent = self._devices.pop(device)
        for call, leg in self._legs_of(device):
            if leg.state is ConnectionState.alerting:
                self._end_leg(call, leg, Failed, Cause.not_obtainable)
                self._after_leg(call, Cause.not_obtainable)
        self._emit(DeviceOffline, None, device=device, agent=agent)

    # --- inbound ----------------------------------------------------------------------------------------------------

    async def queue(self, call_id: str, queue: str) -> None:
        await self._command()
        call = self._open_call(call_id)
        customer = self._waiting_customer(call)
        if customer.state is ConnectionState.queued and call.queue == queue:
            return
        call.queue = queue
        self._set(customer, ConnectionState.queued)
        self._emit(Queued, call, calling=call.calling, called=call.called, queue=queue)

    async def refuse(self, call_id: str, cause: Cause = Cause.blocked) -> None:
        await self._command()
        call = self._call(call_id)
        if call.ended_by is cause and call.answered_at is None:
            return
        call = self._open_call(call_id)
        customer = call.outside()
        if (
            call.direction is not Direction.inbound
            or customer is None
            or customer.state is not ConnectionState.initiated
            or call.of_agents()
        ):
            raise SwitchRefused(Refusal.already_answered, "only a call that waits for its route can be refused")
        self._end_leg(call, customer, Failed, cause)
        self._end_call(call, cause)

    async def deliver(self, call_id: str, device: str) -> str:
        await self._command()
        call = self._open_call(call_id)
        self._waiting_customer(call)
        for leg in call.of_agents():
            if leg.device == device:
                return leg.id
            raise SwitchRefused(Refusal.wrong_state, f"it rings at {leg.device}; withdraw that first")
        busy = bool(self._legs_of(device))
        leg = self._add_leg(call, device, ConnectionState.alerting)
        if device not in self._devices or busy:
            self._end_leg(call, leg, Failed, Cause.busy if device in self._devices else Cause.not_obtainable)
        else:
            self._tell_delivered(call, leg)
        return leg.id

    async def answer(self, connection: str) -> None:
        await self._command()
        call, leg = self._live_leg(connection)
        if leg.device == OUTSIDE or leg.state not in TALKING | {ConnectionState.alerting}:
            raise SwitchRefused(Refusal.wrong_state, f"connection is {leg.state}")
        if leg.state is ConnectionState.alerting:
            self._establish(call, leg)

    # --- talk -------------------------------------------------------------------------------------------------------

    async def hold(self, connection: str) -> None:
        await self._command()
        self._switch_talk(connection, ConnectionState.hold, Held)

    async def retrieve(self, connection: str) -> None:
        await self._command()
        self._switch_talk(connection, ConnectionState.connected, Retrieved)

    async def mute(self, connection: str, on: bool) -> None:
        await self._command()
        call, leg = self._talking_leg(connection)
        if leg.is_muted is on:
            return
        leg.is_muted = on
        self._emit(Muted if on else Unmuted, call, connection=leg.id, device=leg.device, agent=leg.agent)

    async def clear_connection(self, connection: str, cause: Cause = Cause.normal) -> None:
        await self._command()
        call, leg = self._leg(connection)
        if leg.state is ConnectionState.null:
            return
        if cause in RING_CAUSES and leg.state is not ConnectionState.alerting:
            raise SwitchRefused(Refusal.wrong_state, "it does not ring any more")
        self._end_leg(call, leg, Diverted if cause in DIVERTED_CAUSES else ConnectionCleared, cause)
        self._after_leg(call, cause)

    async def clear_call(self, call_id: str, cause: Cause = Cause.normal) -> None:
        await self._command()
        call = self._call(call_id)
        if call.ended_by is None:
            self._end_call(call, cause)

    # --- outbound ---------------------------------------------------------------------------------------------------

    async def make_call(self, device: str, number: str, call_id: str) -> str:
        await self._command()
        if not number.strip():
            raise SwitchRefused(Refusal.bad_number, "nothing to dial")
        known = self._calls.get(call_id)
        if known is not None:
            if (known.device, known.called) != (device, number):
                raise SwitchRefused(Refusal.duplicate_call, "this identifier names another call")
            return connection_id(call_id, device, 1)
        is_internal = number in self._devices
        call = self._new_call(
            call_id, Direction.internal if is_internal else Direction.outbound, device, number, self._far_end(number)
        )
        call.device = device
        is_busy = bool(self._legs_of(device))
        leg = self._add_leg(call, device, ConnectionState.initiated)
        if device not in self._devices or is_busy:
            cause = Cause.busy if device in self._devices else Cause.not_obtainable
            self._end_leg(call, leg, Failed, cause)
            self._end_call(call, cause)
            return leg.id
        self._emit(
            Originated,
            call,
            connection=leg.id,
            calling=device,
            called=number,
            device=device,
            agent=leg.agent,
            direction=call.direction,
        )
        self._later(call, 0.1, lambda: self._ring_far_end(call, number if is_internal else OUTSIDE))
        return leg.id

    def _ring_far_end(self, call: _Call, device: str) -> None:
        is_busy = device != OUTSIDE and bool(self._legs_of(device))
        far = self._add_leg(call, device, ConnectionState.alerting)
        script = call.caller
        if is_busy or (device == OUTSIDE and isinstance(script, FarEnd) and script.answer == "busy"):
            self._far_end_fails(call, far, Cause.busy)
            return
        self._tell_delivered(call, far)
        if device != OUTSIDE or not isinstance(script, FarEnd):
            return
        if script.answer == "answers":
            self._later(call, script.after, lambda: self._establish(call, far))
        else:
            cause = Cause.rejected if script.answer == "rejects" else Cause.no_answer
            self._later(call, script.after, lambda: self._far_end_fails(call, far, cause))

    def _far_end_fails(self, call: _Call, far: _Leg, cause: Cause) -> None:
        self._end_leg(call, far, Failed, cause)
        self._end_call(call, cause)

    def _far_end(self, number: str) -> FarEnd:
        return self.far_ends.get(number, self.far_end)

    # --- the world outside ------------------------------------------------------------------------------------------

    def customer_calls(self, calling: str, called: str, caller: Caller | None = None) -> str:
        """Somebody rings in; returns the call id. The first event is RouteRequested."""
        script = caller or Caller()
        call = self._new_call(self._identifier(), Direction.inbound, calling, called, script)
        self._add_leg(call, OUTSIDE, ConnectionState.initiated)
        self._emit(RouteRequested, call, calling=calling, called=called)
        if script.hangs_up_after is not None:
            self._later(call, script.hangs_up_after, lambda: self.customer_hangs_up(call.call_id))
        if script.patience is not None:
            self._later(call, script.patience, lambda: self._lose_patience(call))
        if script.presses:
            self._later(call, 2.0, lambda: self.customer_presses(call.call_id, script.presses))
        return call.call_id

    def customer_hangs_up(self, call_id: str) -> None:
        """The party outside puts the phone down, at any moment; nothing if the call is over or has no such party."""
        call = self._calls.get(call_id)
        if call is None or call.ended_by is not None:
            return
        outside = call.outside()
        if outside is None:
            return
        if call.answered_at is not None:
            cause = Cause.normal
        else:
            cause = Cause.abandoned if call.direction is Direction.inbound else Cause.rejected
        self._end_leg(call, outside, ConnectionCleared, cause)
        self._end_call(call, cause)

    def customer_presses(self, call_id: str, digits: str) -> None:
        """The party outside presses keys."""
        call = self._calls.get(call_id)
        if call is not None and call.ended_by is None:
            self._emit(DigitsGenerated, call, digits=digits)

    def _lose_patience(self, call: _Call) -> None:
        if call.answered_at is None:
            self.customer_hangs_up(call.call_id)

    @property
    def waiting(self) -> int:
        """How many inbound calls nobody has answered yet."""
        return sum(call.answered_at is None and call.direction is Direction.inbound for call in self._open.values())

    def is_calling(self, number: str) -> bool:
        """Whether a party with this number is on a call now."""
        return any(number in (call.calling, call.called) for call in self._open.values())

    def last_caller(self) -> str:
        """The number that rang in last, also when its call is over; "" before anybody did."""
        incoming = (call for call in reversed(self._calls.values()) if call.direction is Direction.inbound)
        return next((call.calling for call in incoming), "")

    # --- misbehaviour on request ------------------------------------------------------------------------------------

    def lose_link(self) -> None:
        """The link breaks, the calls go on."""
        self._drop_link("link_lost")

    def restart(self) -> None:
        """The PBX restarts: all calls are gone without a word, phones register again by themselves."""
        for call in self._open.values():
            self._forget_timers(call)
            call.ended_by = Cause.resync
            for leg in call.alive():
                leg.state = ConnectionState.null
        self._open.clear()
        self._drop_link("restart")

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _command(self) -> None:
        if self.faults.silent:
            await asyncio.get_running_loop().create_future()
        if self._sink is None:
            raise SwitchRefused(Refusal.not_connected)

    def _identifier(self) -> str:
        return f"{self.random.getrandbits(128):032x}"

    def _new_call(
        self, call_id: str, direction: Direction, calling: str, called: str, script: Caller | FarEnd
    ) -> _Call:
        call = _Call(
            call_id=call_id,
            pbx_id=self._identifier(),
            direction=direction,
            calling=calling,
            called=called,
            started_at=self.clock.now(),
            caller=script,
        )
        self._calls[call_id] = self._open[call_id] = call
        if len(self._calls) - len(self._open) > REMEMBERED_CALLS:
            del self._calls[next(key for key in self._calls if key not in self._open)]
        return call

    def _add_leg(self, call: _Call, device: str, state: ConnectionState) -> _Leg:
        ordinal = 1 + sum(leg.device == device for leg in call.legs.values())
        leg = _Leg(
            connection_id(call.call_id, device, ordinal), device, self._devices.get(device, ""), state, self.clock.now()
        )
        call.legs[leg.id] = leg
        return leg

    def _set(self, leg: _Leg, state: ConnectionState) -> None:
        leg.state, leg.since = state, self.clock.now()

    def _tell_delivered(self, call: _Call, leg: _Leg) -> None:
        self._emit(
            Delivered,
            call,
            connection=leg.id,
            calling=call.calling,
            called=call.called,
            device=leg.device,
            agent=leg.agent,
        )

    def _establish(self, call: _Call, answering: _Leg) -> None:
        for leg in call.alive():
            self._set(leg, ConnectionState.connected)
        call.answered_at = call.answered_at or self.clock.now()
        self._emit(Established, call, connection=answering.id, device=answering.device, agent=answering.agent)
        if call.caller.talks is not None and call.outside() is not None:
            self._later(call, call.caller.talks, lambda: self.customer_hangs_up(call.call_id))

    def _switch_talk(self, connection: str, state: ConnectionState, told: type[Event]) -> None:
        call, leg = self._talking_leg(connection)
        if leg.state is not state:
            self._set(leg, state)
            self._emit(told, call, connection=leg.id, device=leg.device, agent=leg.agent)

    def _end_leg(self, call: _Call, leg: _Leg, told: type[Event], cause: Cause) -> None:
        self._set(leg, ConnectionState.null)
        self._emit(told, call, connection=leg.id, device=leg.device, agent=leg.agent, cause=cause)

    def _after_leg(self, call: _Call, cause: Cause) -> None:
        """A ring that ended leaves the caller waiting; a talk needs two."""
        is_waiting = call.direction is Direction.inbound and call.answered_at is None and call.outside() is not None
        if not is_waiting and len(call.alive()) < 2:
            self._end_call(call, cause)

    def _end_call(self, call: _Call, cause: Cause) -> None:
        for leg in call.alive():
            self._end_leg(call, leg, ConnectionCleared, cause)
        self._forget_timers(call)
        call.ended_by = cause
        del self._open[call.call_id]
        if cause is Cause.blocked:
            outcome = "blocked"
        elif call.answered_at is not None:
            outcome = "answered"
        else:
            outcome = "abandoned" if call.direction is Direction.inbound else "no_answer"
        self._emit(CallCleared, call, cause=cause, outcome=outcome)

    def _later(self, call: _Call, seconds: float, act: Callable[[], None]) -> None:
        call.timers.append(self.clock.call_later(seconds, act))

    def _forget_timers(self, call: _Call) -> None:
        for timer in call.timers:
            timer.cancel()
        call.timers.clear()

    def _call(self, call_id: str) -> _Call:
        call = self._calls.get(call_id)
        if call is None:
            raise SwitchRefused(Refusal.unknown_call, call_id)
        return call

    def _open_call(self, call_id: str) -> _Call:
        call = self._call(call_id)
        if call.ended_by is not None:
            raise SwitchRefused(Refusal.call_ended, call_id)
        return call

    def _waiting_customer(self, call: _Call) -> _Leg:
        customer = call.outside()
        if call.direction is not Direction.inbound or call.answered_at is not None or customer is None:
            raise SwitchRefused(Refusal.wrong_state, "not an inbound call that waits")
        return customer

    def _leg(self, connection: str) -> tuple[_Call, _Leg]:
        call = self._calls.get(call_of(connection))
        if call is None or connection not in call.legs:
            raise SwitchRefused(Refusal.unknown_connection, connection)
        return call, call.legs[connection]

    def _live_leg(self, connection: str) -> tuple[_Call, _Leg]:
        call, leg = self._leg(connection)
        if leg.state is ConnectionState.null:
            raise SwitchRefused(Refusal.connection_ended, connection)
        return call, leg

    def _talking_leg(self, connection: str) -> tuple[_Call, _Leg]:
        call, leg = self._live_leg(connection)
        if leg.state not in TALKING or leg.device == OUTSIDE:
            raise SwitchRefused(Refusal.wrong_state, f"connection is {leg.state}")
        return call, leg

    def _legs_of(self, device: str) -> list[tuple[_Call, _Leg]]:
        return [(call, leg) for call in self._open.values() for leg in call.alive() if leg.device == device]

    def _shown(self, call: _Call) -> Call:
        return Call(
            call_id=call.call_id,
            pbx_id=call.pbx_id,
            direction=call.direction,
            calling=call.calling,
            called=call.called,
            queue=call.queue,
            started_at=call.started_at,
            answered_at=call.answered_at,
            connections=tuple(
                Connection(
                    id=leg.id,
                    call_id=call.call_id,
                    device=leg.device,
                    agent=leg.agent,
                    state=leg.state,
                    since=leg.since,
                    is_muted=leg.is_muted,
                )
                for leg in call.alive()
            ),
        )

    # --- telling ----------------------------------------------------------------------------------------------------

    def _drop_link(self, reason: str) -> None:
        if self._sink is not None:
            self._tell(
                SystemStatus(
                    call_id="", pbx_id="", at=self.clock.now(), seq=next(self._seq), status="disabled", reason=reason
                )
            )
            self._sink = None

    def _emit(self, kind: type[Event], call: _Call | None, **values: Any) -> None:
        event = kind(
            call_id=call.call_id if call else "",
            pbx_id=call.pbx_id if call else "",
            at=self.clock.now(),
            seq=next(self._seq),
            **values,
        )
        if kind in self.faults.drop or self._fault_random.random() < self.faults.drop_rate:
            return
        self._tell(event)
        if self._fault_random.random() < self.faults.duplicate_rate:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        """Events leave in a later turn of the loop, so a sink that sends commands never runs inside one."""
        if self._sink is None:
            return
        self._outbox.append((self._sink, event))
        if not self._draining:
            self._draining = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        self._draining = False
        while self._outbox:
            sink, event = self._outbox.popleft()
            try:
                sink(event)
            except Exception:
                log.exception("the sink failed on %s", type(event).__name__)
