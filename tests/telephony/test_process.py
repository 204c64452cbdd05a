"""One CTI process acts, another waits; a restart leaves no ghosts; a lost lease stops."""

from __future__ import annotations

import pytest

from cti.drivers.simulator import SimulatorSwitch
from tests.calls.cast import STRANGER, a_queue, an_agent
from tests.telephony.rig import state_of
from tests.telephony.test_calls import ready
from web.accounts.models import AccessGrant
from web.calls.models import Call, Command
from web.common.models import Mark
from web.jobs.models import Job, Lease
from web.telephony import runner as runners
from web.telephony import scenarios, services


def test_a_restart_in_mid_call_leaves_no_ghost(rig):
    a_queue()
    alice = ready(rig, "1001")
    talking = rig.rings()
    rig.does(services.click, alice.user, talking.pk, "answer")
    waiting = rig.rings(STRANGER)
    rig.kill(rig.runner)
    rig.forward(20)  # nobody acts: time passes, nothing happens
    assert Call.objects.filter(ended_at=None).count() == 2
    rig.runner = rig.start(SimulatorSwitch(clock=rig.clock))  # a PBX that knows nothing
    rig.forward(1)
    talking.refresh_from_db()
    waiting.refresh_from_db()
    assert (talking.outcome, waiting.outcome) == ("answered", "abandoned")
    assert state_of(alice) == "acw"
    assert Job.objects.filter(topic="call.missed", key=f"call:{waiting.pk}").exists()
    rig.forward(31)
    assert state_of(alice) == "ready" and alice.contacts == []
    assert not AccessGrant.objects.filter(ended_at=None).exists()


def test_a_pbx_that_outlived_us_tells_what_went_on(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.stop(rig.runner)
    rig.hangs_up(call)
    rig.forward(5)
    assert Call.objects.get().ended_at is None
    rig.runner = rig.start()
    rig.forward(1)
    assert Call.objects.get().outcome == "answered" and state_of(alice) == "acw"


def test_a_call_goes_on_over_a_restart_of_ours(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.stop(rig.runner)
    rig.forward(5)
    rig.runner = rig.start()
    rig.forward(1)
    assert state_of(alice) == "busy"
    rig.does(services.click, alice.user, call.pk, "hang-up")
    call.refresh_from_db()
    assert call.outcome == "answered" and call.legs.count() == 1 and call.talk_ms >= 5_000


def test_a_lost_link_is_taken_up_again(rig):
    a_queue()
    alice = ready(rig, "1001")
    rig.call(rig.switch.lose_link)
    rig.forward(2)
    assert rig.rings().legs.get().agent == alice


def test_of_two_processes_one_acts(rig):
    a_queue()
    ready(rig, "1001")
    second = rig.start(SimulatorSwitch(clock=rig.clock))
    rig.forward(5)
    assert rig.runner.centre is not None and second.centre is None
    assert Lease.objects.get(name="cti").owner == rig.runner.owner
    rig.stop(rig.runner)
    rig.forward(2)
    assert second.centre is not None and Lease.objects.get(name="cti").owner == second.owner


def test_the_second_waits_until_the_lease_of_a_frozen_one_runs_out(rig, monkeypatch):
    """A process that hangs cannot give back; and when it wakes up it does nothing more."""
    a_queue()
    alice = ready(rig, "1001")
    monkeypatch.setattr(runners, "is_dead", lambda owner: False)
    Lease.objects.filter(name="cti").update(owner="elsewhere:1:x")
    rig.forward(3)
    assert rig.runner.centre is None  # it saw that the lease is not its own
    call_id = rig.call(rig.switch.customer_calls, STRANGER, "4008001234")
    rig.forward(2)
    assert not Call.objects.filter(call_id=call_id).exists() and state_of(alice) == "ready"
    rig.forward(12)  # the other one has not come back
    assert rig.runner.centre is not None
    assert Call.objects.get(call_id=call_id).legs.get().agent == alice


def test_a_lost_lease_stops_every_write(rig):
    a_queue()
    alice = ready(rig, "1001")
    Lease.objects.filter(name="cti").update(fence=99)
    rig.call(rig.switch.customer_calls, STRANGER, "4008001234")
    assert not Call.objects.exists() and state_of(alice) == "ready"


def test_a_command_nobody_carried_out_is_silent_after_a_restart(rig):
    alice = ready(rig, "1001")
    rig.kill(rig.runner)
    command = services.sign_out(alice.user)
    Command.objects.filter(pk=command.pk).update(taken_at=rig.now())  # taken, and then the process died
    rig.forward(15)
    rig.runner = rig.start(SimulatorSwitch(clock=rig.clock))
    rig.forward(1)
    command.refresh_from_db()
    assert command.state == Command.SILENT


def test_events_told_twice_change_nothing(rig):
    a_queue()
    rig.switch.faults.duplicate_rate = 1.0
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.forward(10)
    rig.does(services.click, alice.user, call.pk, "hang-up")
    call.refresh_from_db()
    assert (call.talk_ms, call.legs.count(), call.visits.count()) == (10_000, 1, 1)
    assert state_of(alice) == "acw"
    assert Job.objects.filter(topic="call.ended").count() == 1


def test_marks_are_written_with_the_facts(rig):
    a_queue()
    rig.rings()
    assert Mark.objects.filter(slot=Call.objects.get().slot).exists()


@pytest.mark.req("A-45")
def test_a_demo_call_and_a_scenario(rig):
    a_queue()
    numbers = {"known": ["+8613812341234"], "unknown": [STRANGER], "blacklisted": [STRANGER], "hotline": ["4008001234"]}
    scenarios.numbers_from(lambda: numbers)
    try:
        assert rig.does(services.demo_call, "unknown").state == Command.DONE
        assert Call.objects.get().number == STRANGER
        assert rig.does(services.demo_call, "again").state == Command.DONE
        assert [call.number for call in Call.objects.all()] == [STRANGER, STRANGER]
        assert rig.does(services.demo_scenario, "known-customer").state == Command.DONE
        rig.forward(1)
        assert Call.objects.count() == 3
        scenarios.numbers_from(dict)
        refused = rig.does(services.demo_call, "known")
        assert (refused.state, refused.code) == (Command.REFUSED, "bad_scenario")
    finally:
        scenarios.numbers_from(dict)


def test_a_process_knows_the_dead_from_the_living(rig):
    owner = rig.runner.owner
    host, _, _ = owner.partition(":")
    assert not runners.is_dead(owner)
    assert not runners.is_dead("another-host:1:x")
    assert not runners.is_dead(f"{host}:1:init")
    assert runners.is_dead(f"{host}:4194304:x")


@pytest.mark.django_db(transaction=True)
def test_as_a_thread_it_takes_the_lease_and_gives_it_back(settings):
    settings.SCENARIO = ""
    alice = an_agent("1001")
    running = runners.start_in_thread()
    try:
        _wait(lambda: Lease.objects.filter(name="cti", owner=running.owner).exists())
        services.sign_in(alice.user, groups=["booking"], skills=[])
        _wait(lambda: state_of(alice) == "not_ready")
    finally:
        running.stop()
    assert not running._thread.is_alive()
    assert Lease.objects.get(name="cti").owner is None


def _wait(condition, seconds: float = 8) -> None:
    import time

    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
