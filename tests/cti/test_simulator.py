"""What the simulator does beyond the contract: people with scripts, faults on request, a clock turned by hand."""

from __future__ import annotations

import asyncio

import pytest

from cti import events as e
from cti.clock import HandClock, RealClock, settle
from cti.drivers.simulator import Caller, FarEnd, SimulatorSwitch
from cti.fold import CallStatus, fold
from cti.model import OUTSIDE, Cause
from cti.resync import reconcile
from cti.switch import Refusal, SwitchRefused


class Desk:
    """A simulator, the events heard from it, and two registered agents."""

    def __init__(self, **options):
        self.clock = HandClock()
        self.switch = SimulatorSwitch(clock=self.clock, seed=7, **options)
        self.events = []

    async def open(self):
        await self.switch.connect(self.events.append)
        for device, agent in (("8001", "1001"), ("8002", "1002")):
            await self.switch.register(device, agent=agent)
        await settle()
        return self

    async def a_talk(self, caller=None):
        call_id = self.switch.customer_calls("outside-1", "hotline", caller)
        await self.switch.queue(call_id, "main")
        connection = await self.switch.deliver(call_id, "8001")
        await self.switch.answer(connection)
        await settle()
        return call_id, connection

    def names(self, call_id):
        return [type(one).__name__ for one in self.events if one.call_id == call_id]

    def state(self, call_id):
        return fold([one for one in self.events if one.call_id == call_id])


@pytest.fixture
async def desk():
    return await Desk().open()


async def test_a_patient_caller_gives_up_when_his_patience_ends_and_not_when_somebody_answered(desk):
    waiting = desk.switch.customer_calls("outside-2", "hotline", Caller(patience=30))
    talking, _ = await desk.a_talk(Caller(patience=30))
    await desk.clock.forward(29.9)
    assert desk.switch.waiting == 1
    await desk.clock.forward(0.1)
    assert desk.state(waiting).cause is Cause.abandoned
    assert desk.state(talking).status is CallStatus.talking


async def test_a_caller_who_hangs_up_does_so_whatever_happened(desk):
    call_id, _ = await desk.a_talk(Caller(hangs_up_after=12))
    await desk.clock.forward(12)
    assert (desk.state(call_id).outcome, desk.state(call_id).talk_ms) == ("answered", 12_000)


async def test_a_talk_of_known_length_is_ended_by_the_customer(desk):
    call_id, _ = await desk.a_talk(Caller(talks=60))
    await desk.clock.forward(59)
    assert desk.state(call_id).is_open
    await desk.clock.forward(1)
    assert desk.names(call_id)[-2:] == ["ConnectionCleared", "CallCleared"]


async def test_keys_pressed_are_told_and_kept_out_of_logs(desk):
    call_id = desk.switch.customer_calls("outside-1", "hotline", Caller(presses="4711#"))
    await desk.clock.forward(2)
    assert desk.state(call_id).digits == "4711#"
    assert "4711" not in repr(desk.events)


async def test_a_dialled_party_may_end_the_talk_too():
    desk = await Desk(far_end=FarEnd(after=2, talks=10)).open()
    await desk.switch.make_call("8001", "far-1", "ours")
    await desk.clock.forward(20)
    assert (desk.state("ours").outcome, desk.state("ours").talk_ms) == ("answered", 10_000)


async def test_an_agent_who_rings_a_busy_colleague_hears_busy(desk):
    await desk.a_talk()
    await desk.switch.make_call("8002", "8001", "ours")
    await desk.clock.forward(1)
    assert (desk.state("ours").cause, desk.state("ours").direction.value) == (Cause.busy, "internal")


async def test_a_colleague_may_reject_an_internal_call(desk):
    await desk.switch.make_call("8001", "8002", "ours")
    await desk.clock.forward(1)
    ringing = next(one for one in desk.events if isinstance(one, e.Delivered))
    await desk.switch.clear_connection(ringing.connection, Cause.rejected)
    await settle()
    assert [leg.result for leg in desk.state("ours").legs] == ["refused", "refused"]
    assert not desk.state("ours").is_open


async def test_a_phone_that_is_unplugged_while_it_rings_gives_the_call_back(desk):
    call_id = desk.switch.customer_calls("outside-1", "hotline")
    await desk.switch.queue(call_id, "main")
    await desk.switch.deliver(call_id, "8001")
    await desk.switch.unregister("8001")
    await settle()
    assert desk.names(call_id)[-1] == "Failed"
    assert desk.state(call_id).status is CallStatus.queued


async def test_the_outside_may_hang_up_at_any_moment_even_twice_and_after_the_end(desk):
    call_id, _ = await desk.a_talk()
    for _ in range(2):
        desk.switch.customer_hangs_up(call_id)
    desk.switch.customer_hangs_up("nowhere")
    desk.switch.customer_presses(call_id, "1")
    await settle()
    assert desk.names(call_id).count("CallCleared") == 1


async def test_the_same_seed_plays_the_same_day_again():
    days = []
    for _ in range(2):
        desk = await Desk().open()
        await desk.a_talk(Caller(talks=5))
        await desk.clock.forward(10)
        days.append(desk.events)
    assert days[0] == days[1]


async def test_without_a_seed_no_identifier_comes_twice():
    first, second = SimulatorSwitch(clock=HandClock()), SimulatorSwitch(clock=HandClock())
    assert first.customer_calls("outside-1", "hotline") != second.customer_calls("outside-1", "hotline")


async def test_old_calls_are_forgotten_after_a_while_so_a_long_day_does_not_fill_the_memory(desk, monkeypatch):
    monkeypatch.setattr("cti.drivers.simulator.switch.REMEMBERED_CALLS", 10)
    kept = desk.switch.customer_calls("outside-1", "hotline")
    for _ in range(30):
        desk.switch.customer_hangs_up(desk.switch.customer_calls("outside-2", "hotline"))
    assert len(desk.switch._calls) <= 12
    assert [call.call_id for call in await desk.switch.snapshot()] == [kept]


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_a_dropped_event_is_found_by_the_resync(desk):
    desk.switch.faults.drop = frozenset({e.Established, e.Held})
    call_id, connection = await desk.a_talk()
    await desk.switch.hold(connection)
    await settle()
    assert desk.state(call_id).status is CallStatus.ringing
    desk.events += reconcile([desk.state(call_id)], await desk.switch.snapshot(), desk.clock.now())
    assert desk.state(call_id).status is CallStatus.held


async def test_every_event_told_twice_gives_the_same_state(desk):
    desk.switch.faults.duplicate_rate = 1.0
    call_id, connection = await desk.a_talk()
    for command in (desk.switch.hold, desk.switch.retrieve, desk.switch.clear_connection):
        await desk.clock.forward(5)
        await command(connection)
    await settle()
    assert desk.names(call_id).count("Held") == 2
    state = desk.state(call_id)
    assert (state.holds, state.hold_ms, state.talk_ms, state.outcome) == (1, 5_000, 10_000, "answered")


async def test_a_silent_pbx_neither_answers_nor_acts(desk):
    call_id, connection = await desk.a_talk()
    desk.switch.faults.silent = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(desk.switch.hold(connection), 0.01)
    desk.switch.faults.silent = False
    assert desk.state(call_id).status is CallStatus.talking
    await desk.switch.hold(connection)
    await settle()
    assert desk.state(call_id).status is CallStatus.held


async def test_after_a_restart_no_call_is_left_and_the_known_ones_are_closed_as_lost(desk):
    call_id, connection = await desk.a_talk()
    desk.switch.restart()
    await settle()
    assert desk.events[-1].reason == "restart"
    with pytest.raises(SwitchRefused) as refusal:
        await desk.switch.hold(connection)
    assert refusal.value.code is Refusal.not_connected
    await desk.switch.connect(desk.events.append)
    assert await desk.switch.snapshot() == []
    desk.events += reconcile([desk.state(call_id)], [], desk.clock.now())
    state = desk.state(call_id)
    assert (state.cause, state.outcome, state.legs[0].result) == (Cause.resync, "answered", "answered")
    await desk.clock.forward(60)
    assert len(desk.names(call_id)) == len([one for one in desk.events if one.call_id == call_id])


async def test_a_call_found_by_the_resync_is_told_from_its_beginning(desk):
    desk.switch.lose_link()
    call_id = desk.switch.customer_calls("outside-9", "hotline")
    await desk.clock.forward(8)
    await desk.switch.connect(desk.events.append)
    await desk.switch.queue(call_id, "main")
    desk.events += reconcile([], await desk.switch.snapshot(), desk.clock.now())
    await settle()
    state = desk.state(call_id)
    assert (state.status, state.queue, state.calling) == (CallStatus.queued, "main", "outside-9")
    assert (desk.clock.now() - state.started_at).total_seconds() == 8


async def test_an_outgoing_call_found_by_the_resync_is_known_as_outgoing(desk):
    await desk.switch.make_call("8001", "far-1", "ours")
    await desk.clock.forward(10)
    (told,) = [reconcile([], await desk.switch.snapshot(), desk.clock.now())]
    state = fold(told)
    assert (state.direction.value, state.status, state.agents) == ("out", CallStatus.talking, ("1001",))


async def test_a_connection_that_is_gone_is_cleared_by_the_resync_and_the_call_waits_on(desk):
    call_id = desk.switch.customer_calls("outside-1", "hotline")
    await desk.switch.queue(call_id, "main")
    connection = await desk.switch.deliver(call_id, "8001")
    await settle()
    desk.switch.faults.drop = frozenset({e.Diverted})
    await desk.switch.clear_connection(connection, Cause.rona)
    desk.events += reconcile([desk.state(call_id)], await desk.switch.snapshot(), desk.clock.now())
    assert (desk.state(call_id).status, desk.state(call_id).legs[0].result) == (CallStatus.queued, "lost")


def test_calls_that_ended_before_are_none_of_the_resyncs_business():
    start = HandClock().now()
    over = fold([e.CallCleared(call_id="c", pbx_id="p", at=start, cause=Cause.normal, outcome="answered")])
    assert reconcile([over], [], start) == []


# --- clocks -----------------------------------------------------------------------------------------------------------


async def test_the_hand_turned_clock_wakes_sleepers_in_order_and_at_their_time():
    clock, woken = HandClock(), []
    start = clock.now()

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, (clock.now() - start).total_seconds()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    forgotten = clock.call_later(1.5, lambda: woken.append("never"))
    forgotten.cancel()
    await clock.forward(2.5)
    assert woken == [(1, 1.0), (2, 2.0)]
    await clock.forward(1)
    assert woken[-1] == (3, 3.0)
    await asyncio.gather(*tasks)


async def test_the_simulator_runs_on_the_real_clock_too():
    switch, told = SimulatorSwitch(clock=RealClock()), asyncio.Queue()
    await switch.connect(told.put_nowait)
    switch.customer_calls("outside-1", "hotline", Caller(hangs_up_after=0.01))
    names = [type(await asyncio.wait_for(told.get(), 5)).__name__ for _ in range(3)]
    assert names == ["RouteRequested", "ConnectionCleared", "CallCleared"]
    await RealClock().sleep(0)


def test_the_party_outside_is_never_named_by_its_number():
    assert OUTSIDE == "outside"


async def test_who_rang_last_is_known_also_when_his_call_is_over_and_somebody_called_out_since(desk):
    assert desk.switch.last_caller() == ""
    desk.switch.customer_calls("outside-2", "hotline")
    desk.switch.customer_hangs_up((await desk.a_talk())[0])
    await desk.switch.make_call("8001", "outside-9", "dialled-1")
    assert desk.switch.last_caller() == "outside-1"
