"""The simulator keeps the contract, and the contract notices drivers that do not."""

from __future__ import annotations

import asyncio

import pytest

from cti.contract import SwitchContract, run_all
from cti.drivers import open_switch
from cti.drivers.simulator import SimulatorSwitch
from cti.events import CallCleared, ConnectionCleared, Event, Failed, Held
from cti.model import OUTSIDE, Cause, ConnectionState
from cti.switch import Refusal, Switch, SwitchRefused
from tests.cti.rig import SimulatorRig


@pytest.mark.req("A-45")
class TestSimulator(SwitchContract):
    async def make_rig(self):
        return SimulatorRig()


class ForgetsHeld(SimulatorSwitch):
    """Puts the customer on music and says nothing."""

    def _emit(self, kind, call, **values):
        if kind is not Held:
            super()._emit(kind, call, **values)


class TalksAfterTheEnd(SimulatorSwitch):
    """Tells of a connection when the call is over already."""

    def _end_call(self, call, cause):
        legs = call.of_agents()
        super()._end_call(call, cause)
        for leg in legs:
            self._emit(ConnectionCleared, call, connection=leg.id, device=leg.device, agent=leg.agent, cause=cause)


class CutsTheTalk(SimulatorSwitch):
    """Takes a late withdrawal for a hang-up."""

    async def clear_connection(self, connection, cause=Cause.normal):
        await super().clear_connection(connection, Cause.normal if cause is Cause.rona else cause)


class AnswersBlockedCallers(SimulatorSwitch):
    """Lets the blocked caller pay for a moment of music."""

    async def refuse(self, call_id, cause=Cause.blocked):
        call = self._call(call_id)
        if call.ended_by is None and call.outside().state is ConnectionState.initiated:
            await self.queue(call_id, "blocked")
            self._set(call.outside(), ConnectionState.initiated)
        await super().refuse(call_id, cause)


class RefusesWithoutACode(SimulatorSwitch):
    """Calls every refusal a wrong state."""

    def _call(self, call_id):
        try:
            return super()._call(call_id)
        except SwitchRefused as refusal:
            raise SwitchRefused(Refusal.wrong_state, refusal.reason) from refusal


class RaisesForUnknownDevices(SimulatorSwitch):
    """Lets the PBX's own error through."""

    async def deliver(self, call_id, device):
        if device not in self._devices:
            raise SwitchRefused(Refusal.wrong_state, "Allocation failed")
        return await super().deliver(call_id, device)


class KeepsGhosts(SimulatorSwitch):
    """Shows ended calls in the snapshot."""

    async def snapshot(self):
        await self._command()
        return [self._shown(call) for call in self._calls.values()]


class HoldsTwice(SimulatorSwitch):
    """Is not idempotent."""

    def _switch_talk(self, connection, state, told):
        call, leg = self._talking_leg(connection)
        self._set(leg, state)
        self._emit(told, call, connection=leg.id, device=leg.device, agent=leg.agent)


class TellsBothSinks(SimulatorSwitch):
    """Goes on talking to the sink that was replaced."""

    async def connect(self, sink):
        former = self._sink
        await super().connect(sink)
        if former is not None:
            self._sink = lambda event: (former(event), sink(event))


class LosesTheCaller(SimulatorSwitch):
    """Ends the call when nobody answers the first ring."""

    def _after_leg(self, call, cause):
        self._end_call(call, cause)


class ReusesConnections(SimulatorSwitch):
    """Names the second ring at a device like the first."""

    def _add_leg(self, call, device, state):
        leg = super()._add_leg(call, device, state)
        if device != OUTSIDE and leg.id.endswith("/2"):
            del call.legs[leg.id]
            leg.id = leg.id[:-1] + "1"
            call.legs[leg.id] = leg
        return leg


class BlamesNobody(SimulatorSwitch):
    """Says normal for every cause of a failed call."""

    def _emit(self, kind: type[Event], call, **values):
        if kind in (Failed, CallCleared):
            values["cause"] = Cause.normal
        super()._emit(kind, call, **values)


DEFECTS = {
    ForgetsHeld: "test_hold_and_retrieve",
    TalksAfterTheEnd: "test_the_customer_hangs_up_while_he_talks_and_the_phone_is_free_again",
    CutsTheTalk: "test_a_withdrawal_that_comes_too_late_does_not_cut_the_talk",
    AnswersBlockedCallers: "test_a_blocked_caller_is_refused_before_anybody_answers",
    RefusesWithoutACode: "test_what_does_not_exist_is_refused_by_name",
    RaisesForUnknownDevices: "test_an_unknown_device_fails_and_the_call_waits_on",
    KeepsGhosts: "test_after_a_lost_link_the_snapshot_tells_what_was_missed",
    HoldsTwice: "test_asking_twice_tells_once",
    TellsBothSinks: "test_a_second_connect_takes_over",
    LosesTheCaller: "test_a_ring_without_answer_is_withdrawn_and_the_next_agent_gets_the_call",
    ReusesConnections: "test_the_same_agent_may_be_rung_again_and_the_second_ring_is_a_connection_of_its_own",
    BlamesNobody: "test_a_dialled_party_that_is_busy_rejects_or_gives_no_answer_ends_the_call_with_that_cause",
}


def contract_over(switch_type: type[SimulatorSwitch]) -> type[SwitchContract]:
    class Over(SwitchContract):
        async def make_rig(self):
            return SimulatorRig(switch_type)

    return Over


@pytest.mark.req("A-45")
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
async def test_the_contract_finds_the_planted_defect(defect):
    failures = await run_all(contract_over(defect))
    assert DEFECTS[defect] in failures


async def test_the_contract_finds_nothing_in_a_sound_driver():
    assert await run_all(contract_over(SimulatorSwitch)) == {}


def test_a_driver_is_found_by_its_name_and_an_unknown_one_is_refused_by_name():
    assert isinstance(open_switch("simulator"), Switch)
    with pytest.raises(LookupError, match="simulator"):
        open_switch("nortel")


async def test_the_contract_itself_asks_for_a_rig():
    with pytest.raises(NotImplementedError):
        await asyncio.wait_for(SwitchContract().make_rig(), 1)
