"""What every driver must do: subclass `SwitchContract`, give it a rig, and pytest runs it over your switch.

A rig is the driver together with the world around it: people outside who ring, answer, hang up, and a way to break the
link. Commands go through `Switch` only, and only its events are looked at. The module is for tests; nothing in the
product imports it.
"""
# ruff: noqa: S101, PT017

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

from cti import events as e
from cti.fold import CallState, CallStatus, fold
from cti.model import OUTSIDE, Call, Cause, ConnectionState, Direction
from cti.resync import reconcile
from cti.switch import Refusal, Switch, SwitchRefused


class Rig(Protocol):
    """The world around one switch: `device_a` and `device_b` can be registered, `unknown_device` does not exist."""

    switch: Switch
    device_a: str
    device_b: str
    unknown_device: str

    async def customer_calls(self) -> None:
        """Somebody outside rings one of our numbers and waits for ever."""

    async def customer_hangs_up(self, call_id: str) -> None:
        """The party outside puts the phone down."""

    async def far_end(self, behaviour: str) -> str:
        """A number outside which answers, is busy, rejects, or gives no_answer (within the rig's patience)."""

    async def lose_link(self) -> None:
        """The link between driver and PBX breaks; calls go on."""

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds; AssertionError when it does not in good time."""

    async def pause(self) -> None:
        """Let pass what an unwanted event would need to arrive."""

    async def close(self) -> None:
        """Take everything down."""


class Heard:
    """A sink that keeps what it hears."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.events = rig, []  # type: ignore[var-annotated]

    def __call__(self, event: e.Event) -> None:
        self.events.append(event)

    def of(self, call_id: str, kind: type[e.Event] | None = None) -> list[e.Event]:
        return [one for one in self.events if one.call_id == call_id and (kind is None or isinstance(one, kind))]

    def names(self, call_id: str) -> list[str]:
        return [type(one).__name__ for one in self.of(call_id)]

    def state(self, call_id: str) -> CallState:
        return fold(self.of(call_id))

    async def first(self, kind: type[e.Event], call_id: str | None = None, count: int = 1) -> e.Event:
        """The `count`-th event of that kind (of that call), waited for."""

        def found() -> list[e.Event]:
            return [one for one in self.events if isinstance(one, kind) and call_id in (None, one.call_id)]

        await self.rig.until(lambda: len(found()) >= count)
        return found()[count - 1]


async def refused(command: Awaitable[object], *codes: Refusal) -> None:
    """The command is refused with one of the codes."""
    try:
        await command
    except SwitchRefused as refusal:
        assert refusal.code in codes, f"refused with {refusal.code}, expected {' or '.join(codes)}"
        return
    raise AssertionError(f"not refused, expected {' or '.join(codes)}")


class SwitchContract:
    """Subclass as `class TestMyDriver(SwitchContract)` and override `make_rig`."""

    async def make_rig(self) -> Rig:
        raise NotImplementedError("a driver's test gives the rig")

    async def _begin(self) -> tuple[Rig, Heard]:
        rig = await self.make_rig()
        heard = Heard(rig)
        await rig.switch.connect(heard)
        await rig.switch.register(rig.device_a, agent="1001")
        await rig.switch.register(rig.device_b, agent="1002")
        await rig.until(lambda: sum(isinstance(one, e.DeviceOnline) for one in heard.events) == 2)
        return rig, heard

    async def _end(self, rig: Rig, heard: Heard) -> None:
        """What holds after every test: nothing follows CallCleared, and each connection ends at most once."""
        await rig.pause()
        try:
            over: set[str] = set()
            ended: Counter[str] = Counter()
            for event in heard.events:
                assert event.at.utcoffset() is not None, "an instant without a zone"
                if not event.call_id:
                    continue
                assert event.call_id not in over, f"{type(event).__name__} after CallCleared"
                if isinstance(event, e.CallCleared):
                    over.add(event.call_id)
                    open_legs = {leg.connection for leg in heard.state(event.call_id).legs} - ended.keys()
                    assert not open_legs, "CallCleared while a connection had not ended"
                elif isinstance(event, e.ConnectionCleared | e.Diverted | e.Failed):
                    ended[event.connection] += 1
            assert all(count == 1 for count in ended.values()), "a connection ended twice"
            assert {call.call_id for call in await rig.switch.snapshot()}.isdisjoint(over), "a cleared call in snapshot"
        finally:
            await rig.close()

    async def _arrives(self, rig: Rig, heard: Heard, *, queue: str = "main", count: int = 1) -> str:
        """A customer rings and is queued."""
        await rig.customer_calls()
        call_id = (await heard.first(e.RouteRequested, count=count)).call_id
        if queue:
            await rig.switch.queue(call_id, queue)
            await heard.first(e.Queued, call_id)
        return call_id

    async def _rings(self, rig: Rig, heard: Heard, device: str = "") -> tuple[str, str]:
        call_id = await self._arrives(rig, heard)
        connection = await rig.switch.deliver(call_id, device or rig.device_a)
        await heard.first(e.Delivered, call_id)
        return call_id, connection

    async def _talks(self, rig: Rig, heard: Heard) -> tuple[str, str]:
        call_id, connection = await self._rings(rig, heard)
        await rig.switch.answer(connection)
        await heard.first(e.Established, call_id)
        return call_id, connection

    async def _snapshot_of(self, rig: Rig, call_id: str) -> Call:
        return next(call for call in await rig.switch.snapshot() if call.call_id == call_id)

    # --- inbound ----------------------------------------------------------------------------------------------------

    async def test_a_call_is_queued_rings_is_answered_and_ends_when_the_agent_hangs_up(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        delivered = await heard.first(e.Delivered, call_id)
        assert (delivered.connection, delivered.device, delivered.agent) == (connection, rig.device_a, "1001")
        assert delivered.calling
        assert delivered.called
        assert (await heard.first(e.Established, call_id)).connection == connection
        await rig.switch.clear_connection(connection)
        cleared = await heard.first(e.CallCleared, call_id)
        assert (cleared.cause, cleared.outcome) == (Cause.normal, "answered")
        assert heard.names(call_id)[:4] == ["RouteRequested", "Queued", "Delivered", "Established"]
        assert heard.names(call_id)[-1] == "CallCleared"
        assert len({one.pbx_id for one in heard.of(call_id)}) == 1
        await self._end(rig, heard)

    async def test_a_call_may_ring_at_an_agent_without_having_been_queued(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard, queue="")
        connection = await rig.switch.deliver(call_id, rig.device_b)
        await heard.first(e.Delivered, call_id)
        await rig.switch.answer(connection)
        assert (await heard.first(e.Established, call_id)).agent == "1002"
        await self._end(rig, heard)

    async def test_a_blocked_caller_is_refused_before_anybody_answers(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard, queue="")
        await rig.switch.refuse(call_id, Cause.blocked)
        cleared = await heard.first(e.CallCleared, call_id)
        assert (cleared.cause, cleared.outcome) == (Cause.blocked, "blocked")
        assert heard.names(call_id) == ["RouteRequested", "Failed", "CallCleared"]
        assert (await heard.first(e.Failed, call_id)).cause is Cause.blocked
        await self._end(rig, heard)

    async def test_a_call_that_is_queued_or_answered_cannot_be_refused_any_more(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard)
        await refused(rig.switch.refuse(call_id, Cause.blocked), Refusal.already_answered)
        connection = await rig.switch.deliver(call_id, rig.device_a)
        await heard.first(e.Delivered, call_id)
        await rig.switch.answer(connection)
        await heard.first(e.Established, call_id)
        await refused(rig.switch.refuse(call_id, Cause.blocked), Refusal.already_answered)
        await self._end(rig, heard)

    async def test_a_call_moves_from_one_queue_to_another(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard, queue="main")
        await rig.switch.queue(call_id, "overflow")
        assert (await heard.first(e.Queued, call_id, count=2)).queue == "overflow"
        await self._end(rig, heard)

    # --- hang-up by the customer ------------------------------------------------------------------------------------

    async def test_the_customer_hangs_up_while_he_waits(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard)
        await rig.customer_hangs_up(call_id)
        cleared = await heard.first(e.CallCleared, call_id)
        assert (cleared.cause, cleared.outcome) == (Cause.abandoned, "abandoned")
        await refused(rig.switch.deliver(call_id, rig.device_a), Refusal.call_ended)
        await self._end(rig, heard)

    async def test_the_customer_hangs_up_while_it_rings(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._rings(rig, heard)
        await rig.customer_hangs_up(call_id)
        cleared = await heard.first(e.CallCleared, call_id)
        assert cleared.outcome == "abandoned"
        assert [leg.result for leg in heard.state(call_id).legs] == ["abandoned"]
        await refused(rig.switch.answer(connection), Refusal.connection_ended)
        await self._end(rig, heard)

    async def test_the_customer_hangs_up_while_he_talks_and_the_phone_is_free_again(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        await rig.customer_hangs_up(call_id)
        cleared = await heard.first(e.CallCleared, call_id)
        assert (cleared.cause, cleared.outcome) == (Cause.normal, "answered")
        assert connection in {one.connection for one in heard.of(call_id, e.ConnectionCleared)}
        second = await self._arrives(rig, heard, count=2)
        await rig.switch.deliver(second, rig.device_a)
        await heard.first(e.Delivered, second)
        await self._end(rig, heard)

    # --- no answer, refusal, unknown and busy devices ---------------------------------------------------------------

    async def test_a_ring_without_answer_is_withdrawn_and_the_next_agent_gets_the_call(self) -> None:
        rig, heard = await self._begin()
        call_id, first = await self._rings(rig, heard)
        await rig.switch.clear_connection(first, Cause.rona)
        diverted = await heard.first(e.Diverted, call_id)
        assert (diverted.connection, diverted.agent, diverted.cause) == (first, "1001", Cause.rona)
        second = await rig.switch.deliver(call_id, rig.device_b)
        assert (await heard.first(e.Delivered, call_id, count=2)).connection == second != first
        await rig.switch.answer(second)
        await heard.first(e.Established, call_id)
        state = heard.state(call_id)
        assert [(leg.agent, leg.result) for leg in state.legs] == [("1001", "rona"), ("1002", "")]
        assert len(state.visits) == 1, "a ring without answer is not another queue visit"
        await self._end(rig, heard)

    async def test_the_same_agent_may_be_rung_again_and_the_second_ring_is_a_connection_of_its_own(self) -> None:
        rig, heard = await self._begin()
        call_id, first = await self._rings(rig, heard)
        await rig.switch.clear_connection(first, Cause.rejected)
        await heard.first(e.ConnectionCleared, call_id)
        second = await rig.switch.deliver(call_id, rig.device_a)
        await heard.first(e.Delivered, call_id, count=2)
        assert second != first
        assert heard.state(call_id).legs[0].result == "refused"
        await self._end(rig, heard)

    async def test_a_withdrawal_that_comes_too_late_does_not_cut_the_talk(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        await refused(rig.switch.clear_connection(connection, Cause.rona), Refusal.wrong_state)
        await rig.pause()
        assert heard.state(call_id).status is CallStatus.talking
        await self._end(rig, heard)

    async def test_an_unknown_device_fails_and_the_call_waits_on(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard)
        await rig.switch.deliver(call_id, rig.unknown_device)
        failed = await heard.first(e.Failed, call_id)
        assert (failed.device, failed.cause) == (rig.unknown_device, Cause.not_obtainable)
        await rig.switch.deliver(call_id, rig.device_a)
        await heard.first(e.Delivered, call_id)
        await self._end(rig, heard)

    async def test_a_device_that_was_taken_out_is_not_rung(self) -> None:
        rig, heard = await self._begin()
        await rig.switch.unregister(rig.device_a)
        await heard.first(e.DeviceOffline)
        call_id = await self._arrives(rig, heard)
        await rig.switch.deliver(call_id, rig.device_a)
        assert (await heard.first(e.Failed, call_id)).cause is Cause.not_obtainable
        assert not heard.of(call_id, e.Delivered)
        await self._end(rig, heard)

    async def test_a_device_on_a_call_is_busy_for_a_second_one(self) -> None:
        rig, heard = await self._begin()
        await self._talks(rig, heard)
        second = await self._arrives(rig, heard, count=2)
        await rig.switch.deliver(second, rig.device_a)
        assert (await heard.first(e.Failed, second)).cause is Cause.busy
        assert heard.state(second).is_open
        await self._end(rig, heard)

    async def test_a_call_rings_at_one_device_at_a_time(self) -> None:
        rig, heard = await self._begin()
        call_id, _ = await self._rings(rig, heard)
        await refused(rig.switch.deliver(call_id, rig.device_b), Refusal.wrong_state)
        await self._end(rig, heard)

    # --- hold, retrieve, mute ---------------------------------------------------------------------------------------

    async def test_hold_and_retrieve(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        await rig.switch.hold(connection)
        assert (await heard.first(e.Held, call_id)).connection == connection
        call = await self._snapshot_of(rig, call_id)
        assert [one.state for one in call.agent_connections] == [ConnectionState.hold]
        await rig.switch.retrieve(connection)
        assert (await heard.first(e.Retrieved, call_id)).agent == "1001"
        state = heard.state(call_id)
        assert (state.status, state.holds) == (CallStatus.talking, 1)
        await self._end(rig, heard)

    async def test_a_held_call_ends_whole_when_either_side_hangs_up(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        await rig.switch.hold(connection)
        await heard.first(e.Held, call_id)
        await rig.customer_hangs_up(call_id)
        assert (await heard.first(e.CallCleared, call_id)).outcome == "answered"
        await self._end(rig, heard)

    async def test_mute_and_unmute(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        await rig.switch.mute(connection, True)
        await heard.first(e.Muted, call_id)
        assert (await self._snapshot_of(rig, call_id)).agent_connections[0].is_muted
        await rig.switch.mute(connection, False)
        await heard.first(e.Unmuted, call_id)
        assert not heard.state(call_id).legs[0].is_muted
        await self._end(rig, heard)

    async def test_nothing_can_be_held_retrieved_or_muted_while_it_rings(self) -> None:
        rig, heard = await self._begin()
        _, connection = await self._rings(rig, heard)
        await refused(rig.switch.hold(connection), Refusal.wrong_state)
        await refused(rig.switch.retrieve(connection), Refusal.wrong_state)
        await refused(rig.switch.mute(connection, True), Refusal.wrong_state)
        await self._end(rig, heard)

    # --- idempotence and refusals -----------------------------------------------------------------------------------

    async def test_asking_twice_tells_once(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard)
        await rig.switch.queue(call_id, "main")
        connection = await rig.switch.deliver(call_id, rig.device_a)
        assert await rig.switch.deliver(call_id, rig.device_a) == connection
        await heard.first(e.Delivered, call_id)
        for command in (
            lambda: rig.switch.answer(connection),
            lambda: rig.switch.hold(connection),
            lambda: rig.switch.retrieve(connection),
            lambda: rig.switch.mute(connection, True),
            lambda: rig.switch.clear_connection(connection),
            lambda: rig.switch.clear_call(call_id),
        ):
            await command()
            await rig.pause()
            await command()
        await heard.first(e.CallCleared, call_id)
        await rig.pause()
        once = Counter(heard.names(call_id))
        for name in ("Queued", "Delivered", "Established", "Held", "Retrieved", "Muted", "CallCleared"):
            assert once[name] == 1, f"{name} was told {once[name]} times"
        await self._end(rig, heard)

    async def test_refusing_twice_tells_once(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard, queue="")
        await rig.switch.refuse(call_id, Cause.blocked)
        await heard.first(e.CallCleared, call_id)
        await rig.switch.refuse(call_id, Cause.blocked)
        await self._end(rig, heard)

    async def test_registering_twice_tells_once(self) -> None:
        rig, heard = await self._begin()
        await rig.switch.register(rig.device_a, agent="1001")
        await rig.switch.unregister(rig.unknown_device)
        await rig.pause()
        assert Counter(type(one) for one in heard.events) == {e.DeviceOnline: 2}
        await self._end(rig, heard)

    async def test_what_does_not_exist_is_refused_by_name(self) -> None:
        rig, heard = await self._begin()
        switch = rig.switch
        for command in (
            lambda: switch.queue("nowhere", "main"),
            lambda: switch.deliver("nowhere", rig.device_a),
            lambda: switch.refuse("nowhere", Cause.blocked),
            lambda: switch.clear_call("nowhere"),
        ):
            await refused(command(), Refusal.unknown_call)
        for command in (
            lambda: switch.answer("nowhere/1/1"),
            lambda: switch.hold("nowhere/1/1"),
            lambda: switch.retrieve("nowhere/1/1"),
            lambda: switch.mute("nowhere/1/1", True),
            lambda: switch.clear_connection("nowhere/1/1"),
        ):
            await refused(command(), Refusal.unknown_connection)
        await self._end(rig, heard)

    async def test_an_ended_call_takes_no_more_commands(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        await rig.switch.clear_call(call_id)
        await heard.first(e.CallCleared, call_id)
        await refused(rig.switch.hold(connection), Refusal.connection_ended)
        await refused(rig.switch.answer(connection), Refusal.connection_ended)
        await refused(rig.switch.queue(call_id, "main"), Refusal.call_ended)
        await refused(rig.switch.refuse(call_id, Cause.blocked), Refusal.call_ended)
        await self._end(rig, heard)

    async def test_a_talk_is_not_queued_or_delivered_behind_the_agents_back(self) -> None:
        rig, heard = await self._begin()
        call_id, _ = await self._talks(rig, heard)
        await refused(rig.switch.queue(call_id, "main"), Refusal.wrong_state)
        await refused(rig.switch.deliver(call_id, rig.device_b), Refusal.wrong_state)
        await self._end(rig, heard)

    # --- outbound ---------------------------------------------------------------------------------------------------

    async def test_an_agent_dials_and_the_other_side_answers(self) -> None:
        rig, heard = await self._begin()
        number = await rig.far_end("answers")
        connection = await rig.switch.make_call(rig.device_a, number, "ours-1")
        await heard.first(e.Established, "ours-1")
        assert heard.names("ours-1") == ["Originated", "Delivered", "Established"]
        originated = await heard.first(e.Originated, "ours-1")
        assert (originated.connection, originated.called, originated.agent) == (connection, number, "1001")
        state = heard.state("ours-1")
        assert (state.direction, state.status) == (Direction.outbound, CallStatus.talking)
        assert [leg.state for leg in state.legs] == [ConnectionState.connected]
        await rig.switch.hold(connection)
        await heard.first(e.Held, "ours-1")
        await rig.switch.clear_connection(connection)
        assert (await heard.first(e.CallCleared, "ours-1")).outcome == "answered"
        await self._end(rig, heard)

    async def test_a_dialled_party_that_is_busy_rejects_or_gives_no_answer_ends_the_call_with_that_cause(self) -> None:
        rig, heard = await self._begin()
        for behaviour, cause in (("busy", Cause.busy), ("rejects", Cause.rejected), ("no_answer", Cause.no_answer)):
            await rig.switch.make_call(rig.device_a, await rig.far_end(behaviour), f"ours-{behaviour}")
            cleared = await heard.first(e.CallCleared, f"ours-{behaviour}")
            assert (cleared.cause, cleared.outcome) == (cause, "no_answer")
            failed = await heard.first(e.Failed, f"ours-{behaviour}")
            assert (failed.device, failed.cause) == (OUTSIDE, cause)
        await self._end(rig, heard)

    async def test_dialling_twice_with_one_identifier_is_one_call(self) -> None:
        rig, heard = await self._begin()
        number = await rig.far_end("answers")
        connection = await rig.switch.make_call(rig.device_a, number, "ours-2")
        assert await rig.switch.make_call(rig.device_a, number, "ours-2") == connection
        await heard.first(e.Established, "ours-2")
        await refused(rig.switch.make_call(rig.device_b, number, "ours-2"), Refusal.duplicate_call)
        assert heard.names("ours-2").count("Originated") == 1
        await self._end(rig, heard)

    async def test_a_device_that_is_unknown_or_busy_does_not_dial(self) -> None:
        rig, heard = await self._begin()
        number = await rig.far_end("answers")
        await rig.switch.make_call(rig.unknown_device, number, "ours-3")
        assert (await heard.first(e.Failed, "ours-3")).cause is Cause.not_obtainable
        await heard.first(e.CallCleared, "ours-3")
        await self._talks(rig, heard)
        await rig.switch.make_call(rig.device_a, number, "ours-4")
        assert (await heard.first(e.Failed, "ours-4")).cause is Cause.busy
        await heard.first(e.CallCleared, "ours-4")
        await refused(rig.switch.make_call(rig.device_b, "", "ours-5"), Refusal.bad_number)
        await self._end(rig, heard)

    async def test_the_agent_gives_up_while_it_rings_outside(self) -> None:
        rig, heard = await self._begin()
        connection = await rig.switch.make_call(rig.device_a, await rig.far_end("no_answer"), "ours-6")
        await heard.first(e.Originated, "ours-6")
        await rig.switch.clear_connection(connection)
        assert (await heard.first(e.CallCleared, "ours-6")).outcome == "no_answer"
        await self._end(rig, heard)

    async def test_two_agents_talk_with_each_other(self) -> None:
        rig, heard = await self._begin()
        await rig.switch.make_call(rig.device_a, rig.device_b, "ours-7")
        ringing = await heard.first(e.Delivered, "ours-7")
        assert ringing.agent == "1002"
        await rig.switch.answer(ringing.connection)
        await heard.first(e.Established, "ours-7")
        state = heard.state("ours-7")
        assert (state.direction, sorted(state.agents)) == (Direction.internal, ["1001", "1002"])
        assert {leg.state for leg in state.legs} == {ConnectionState.connected}
        await rig.switch.clear_connection(ringing.connection)
        await heard.first(e.CallCleared, "ours-7")
        await self._end(rig, heard)

    # --- link -------------------------------------------------------------------------------------------------------

    async def test_after_a_lost_link_the_snapshot_tells_what_was_missed(self) -> None:
        rig, heard = await self._begin()
        talking, connection = await self._talks(rig, heard)
        gone = await self._arrives(rig, heard, count=2)
        await rig.lose_link()
        await heard.first(e.SystemStatus)
        await rig.customer_hangs_up(gone)
        await rig.customer_calls()
        await rig.pause()
        before = len(heard.events)
        again = Heard(rig)
        await rig.switch.connect(again)
        snapshot = await rig.switch.snapshot()
        assert len(snapshot) == 2
        assert talking in {call.call_id for call in snapshot}
        known = [heard.state(talking), heard.state(gone)]
        inferred = reconcile(known, snapshot, max(one.at for one in heard.events))
        assert [(one.call_id, type(one).__name__) for one in inferred if one.call_id == gone] == [(gone, "CallCleared")]
        new = {one.call_id for one in inferred} - {gone}
        assert len(new) == 1, "one call is new, the talk is as it was"
        await rig.switch.hold(connection)
        await again.first(e.Held, talking)
        assert len(heard.events) == before, "the old sink heard on"
        await self._end(rig, again)

    async def test_the_snapshot_shows_what_the_events_told(self) -> None:
        rig, heard = await self._begin()
        call_id, connection = await self._talks(rig, heard)
        await rig.switch.hold(connection)
        await heard.first(e.Held, call_id)
        call = await self._snapshot_of(rig, call_id)
        state = heard.state(call_id)
        assert (call.pbx_id, call.calling, call.called) == (state.pbx_id, state.calling, state.called)
        assert (call.queue, call.direction) == (state.queue, state.direction)
        shown = [(one.id, one.device, one.agent, one.state) for one in call.agent_connections]
        assert shown == [(leg.connection, leg.device, leg.agent, leg.state) for leg in state.open_legs]
        assert reconcile([state], [call], call.started_at) == []
        await self._end(rig, heard)

    async def test_a_second_connect_takes_over(self) -> None:
        rig, first = await self._begin()
        second = Heard(rig)
        await rig.switch.connect(second)
        status = await first.first(e.SystemStatus)
        assert (status.status, status.reason) == ("disabled", "replaced")
        call_id = await self._arrives(rig, second)
        await rig.pause()
        assert not first.of(call_id)
        assert first.events[-1] is status
        await self._end(rig, second)

    async def test_without_a_link_every_command_is_refused(self) -> None:
        rig, heard = await self._begin()
        call_id = await self._arrives(rig, heard)
        await rig.switch.close()
        assert (await heard.first(e.SystemStatus)).reason == "closed"
        await refused(rig.switch.snapshot(), Refusal.not_connected)
        await refused(rig.switch.deliver(call_id, rig.device_a), Refusal.not_connected)
        again = Heard(rig)
        await rig.switch.connect(again)
        assert [call.call_id for call in await rig.switch.snapshot()] == [call_id]
        await self._end(rig, again)

    async def test_a_sink_that_fails_does_not_stop_the_events(self) -> None:
        rig, _ = await self._begin()
        told: list[e.Event] = []

        def failing(event: e.Event) -> None:
            told.append(event)
            raise RuntimeError("the sink is broken")

        await rig.switch.connect(failing)
        await rig.customer_calls()
        await rig.until(lambda: len(told) == 1)
        await rig.switch.queue(told[0].call_id, "main")
        await rig.until(lambda: len(told) == 2)
        again = Heard(rig)
        await rig.switch.connect(again)
        await self._end(rig, again)


def all_tests(contract: type[SwitchContract]) -> list[str]:
    """Names of the contract's tests."""
    return sorted(name for name in dir(contract) if name.startswith("test_"))


async def run_all(contract: type[SwitchContract]) -> dict[str, str]:
    """Run the whole contract without pytest: test name → what failed; empty when the driver keeps it."""
    failures = {}
    for name in all_tests(contract):
        try:
            async with asyncio.timeout(30):
                await getattr(contract(), name)()
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"
    return failures
