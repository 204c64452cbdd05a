"""A call from its first ring to the next one, as agent and caller live it."""

from __future__ import annotations

import pytest

from tests.calls.cast import LI, STRANGER, a_customer, a_queue, a_role, an_agent, reasons
from tests.telephony.rig import Rig, state_of
from web.accounts.models import AccessGrant
from web.agents.models import AgentProfile, StateSpan
from web.calls.models import Call, Command
from web.common.errors import DomainError, NotAllowed
from web.common.models import AuditRow
from web.customers import services as customers
from web.jobs.models import Job
from web.routing import services as routing
from web.routing.models import AllowEntry, BlockEntry
from web.telephony import services

NULL, NOT_READY, READY, BUSY, ACW = "null", "not_ready", "ready", "busy", "acw"


def ready(rig: Rig, number: str, **values) -> AgentProfile:
    """An agent who has signed in and gone ready, by the API's own services."""
    agent = an_agent(number, **values)
    group = agent.skill_groups.get().key
    rig.does(services.sign_in, agent.user, groups=[group], skills=["consult"])
    rig.does(services.set_state, agent.user, state="ready")
    assert state_of(agent) in (READY, BUSY)  # busy at once when somebody waits
    return agent


@pytest.mark.req("A-50", "A-53", "S-07")
def test_from_the_ring_to_the_next_caller(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    assert state_of(alice) == BUSY and call.legs.get().agent == alice
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.forward(30)
    rig.does(services.click, alice.user, call.pk, "hold")
    assert call.legs.get().held_since == rig.now()
    rig.forward(10)
    rig.does(services.click, alice.user, call.pk, "retrieve")
    rig.forward(20)
    command = rig.does(services.click, alice.user, call.pk, "hang-up")
    assert command.state == Command.DONE
    assert state_of(alice) == ACW and (alice.wrap_up_until - rig.now()).total_seconds() == 30
    rig.forward(31)
    assert state_of(alice) == READY
    call.refresh_from_db()
    assert (call.outcome, call.talk_ms, call.hold_ms, call.acw_ms) == ("answered", 50_000, 10_000, 30_000)
    following = rig.rings(STRANGER)
    assert following.legs.get().agent == alice


@pytest.mark.req("S-28", "S-29", "S-09")
def test_hold_and_mute_come_back_as_events(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.click, alice.user, call.pk, "mute")
    assert call.legs.get().is_muted
    rig.does(services.click, alice.user, call.pk, "unmute")
    assert not call.legs.get().is_muted
    rig.does(services.click, alice.user, call.pk, "hold")
    again = rig.does(services.click, alice.user, call.pk, "hold")
    assert again.state == Command.DONE and call.legs.get().held_since is not None


@pytest.mark.req("A-66")
def test_who_lets_it_ring_is_set_not_ready_and_the_call_goes_on(rig):
    a_queue(ring_seconds=20)
    alice = ready(rig, "1001")
    rig.forward(5)
    bob = ready(rig, "1002")
    call = rig.rings()
    assert state_of(alice) == BUSY  # the longest idle
    rig.forward(21)
    assert state_of(alice) == NOT_READY and alice.reason == "no_answer"
    assert state_of(bob) == BUSY
    first, second = call.legs.order_by("seq")
    assert (first.result, second.agent) == ("rona", bob)
    assert not AccessGrant.objects.filter(user=alice.user, ended_at=None).exists()
    assert AccessGrant.objects.filter(user=bob.user, ended_at=None).exists()


def test_who_answers_in_the_last_moment_keeps_his_call(rig):
    a_queue(ring_seconds=20)
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.forward(19.4)
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.forward(5)
    assert state_of(alice) == BUSY and call.legs.get().answered_at is not None


def test_a_rejected_call_goes_to_the_next(rig):
    a_queue()
    alice = ready(rig, "1001")
    rig.forward(5)
    bob = ready(rig, "1002")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "hang-up")
    assert call.legs.get(agent=alice).result == "refused"
    assert state_of(alice) == READY and state_of(bob) == BUSY


@pytest.mark.req("S-46", "S-32")
def test_who_gives_up_waiting_becomes_a_missed_call(rig):
    a_queue()
    call = rig.rings(hangs_up_after=12)
    rig.forward(13)
    call.refresh_from_db()
    assert (call.outcome, call.wait_ms) == ("abandoned", 12_000)
    assert Job.objects.get(topic="call.missed").payload == {"call": call.pk}


def test_who_gives_up_while_it_rings_leaves_the_agent_ready(rig):
    a_queue()
    alice = ready(rig, "1001")
    rig.rings(hangs_up_after=8)
    assert state_of(alice) == BUSY
    rig.forward(9)
    assert state_of(alice) == READY
    assert not AccessGrant.objects.filter(ended_at=None).exists()


@pytest.mark.req("S-37")
def test_a_listed_number_is_refused_before_answer_and_counted(rig):
    a_queue()
    alice = ready(rig, "1001")
    entry = routing.block_number(STRANGER, reason="harassment", acting_user=alice.user)
    for _ in range(2):
        call = rig.rings(STRANGER)
        assert (call.outcome, call.answered_at, call.legs.count()) == ("blocked", None, 0)
    entry.refresh_from_db()
    assert entry.attempts == 2 and state_of(alice) == READY


@pytest.mark.req("S-68")
def test_the_white_list_beats_the_black_list(rig):
    a_queue()
    alice = ready(rig, "1001")
    entry = routing.block_number(STRANGER, reason="other", acting_user=alice.user)
    AllowEntry.objects.create(token=entry.token, value=STRANGER, kind="partner")
    call = rig.rings(STRANGER)
    assert call.outcome is None and call.legs.get().agent == alice
    assert BlockEntry.objects.get().attempts == 0


@pytest.mark.req("P-07")
def test_the_own_agent_first_then_the_group(rig):
    a_queue(wait_for_owner_seconds=15)
    bob = ready(rig, "1002")
    rig.forward(60)
    alice = ready(rig, "1001")
    a_customer(owner=alice.user)
    call = rig.rings()
    assert call.legs.get().agent == alice and call.decision["reason"] == "owner"  # though Bob has been idle longer
    rig.does(services.click, alice.user, call.pk, "answer")
    second = rig.rings()
    assert second.legs.count() == 0 and second.decision["reason"] == "waiting_for_owner"
    rig.forward(16)
    second.refresh_from_db()
    assert second.legs.get().agent == bob and second.decision["reason"] == "longest_idle"
    assert {one["agent"] for one in second.decision["considered"]} == {"1001", "1002"}


@pytest.mark.req("P-06")
def test_the_more_urgent_number_is_served_first(rig):
    a_queue("plain", number="4008000001", priority=4)
    a_queue("urgent", number="4008000002", priority=1)
    plain = rig.rings(LI, "4008000001")
    rig.forward(10)
    urgent = rig.rings(STRANGER, "4008000002")
    alice = ready(rig, "1001")
    assert urgent.legs.get().agent == alice and plain.legs.count() == 0


@pytest.mark.req("A-51")
def test_nobody_rings_who_is_not_ready(rig):
    a_queue()
    reasons()
    alice = ready(rig, "1001")
    rig.does(services.set_state, alice.user, state="not_ready", reason="meeting")
    call = rig.rings()
    rig.forward(5)
    assert call.legs.count() == 0
    rig.does(services.set_state, alice.user, state="ready")
    assert call.legs.get().agent == alice


@pytest.mark.req("A-52", "S-08", "A-65")
def test_rest_with_reason_and_planned_length(rig):
    reasons()
    alice = ready(rig, "1001")
    rig.does(services.set_state, alice.user, state="rest", reason="meal", minutes=20)
    assert state_of(alice) == NOT_READY
    assert (alice.reason, (alice.planned_until - rig.now()).total_seconds()) == ("meal", 20 * 60)
    with pytest.raises(DomainError, match="bad_reason"):
        services.set_state(alice.user, state="rest", reason="meeting")
    with pytest.raises(DomainError, match="reason_needed"):
        services.set_state(alice.user, state="not_ready")


def test_ready_during_a_call_is_what_comes_after_it(rig):
    a_queue()
    reasons()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.set_state, alice.user, state="rest", reason="meal")
    assert state_of(alice) == BUSY and alice.after_call_state == NOT_READY
    rig.does(services.click, alice.user, call.pk, "hang-up")
    assert state_of(alice) == ACW
    rig.does(services.wrap_up, alice.user, action="end")
    assert (state_of(alice), alice.reason) == (NOT_READY, "meal")


@pytest.mark.req("A-64")
def test_no_sign_out_during_a_call(rig):
    a_queue()
    alice = ready(rig, "1001")
    rig.rings()
    with pytest.raises(DomainError, match="on_a_call") as refusal:
        services.sign_out(alice.user)
    assert refusal.value.status == 409
    assert not Command.objects.filter(name="sign_out").exists()


@pytest.mark.req("A-56", "S-07")
def test_wrap_up_is_extended_once_and_ended_early(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.click, alice.user, call.pk, "hang-up")
    a_role("agent", "telephony.extend_wrap_up")
    rig.does(services.wrap_up, alice.user, action="extend")
    alice.refresh_from_db()
    assert (alice.wrap_up_until - rig.now()).total_seconds() == 60 and alice.wrap_up_extended
    with pytest.raises(DomainError, match="extended_already"):
        services.wrap_up(alice.user, action="extend")
    rig.forward(7)
    rig.does(services.wrap_up, alice.user, action="end")
    assert state_of(alice) == READY
    assert (call.legs.get().acw_ms, call.legs.get().acw_extensions) == (7_000, 1)
    assert AuditRow.objects.filter(action="agent.wrap_up_extended", actor="1001").count() == 1


@pytest.mark.req("S-07")
def test_wrap_up_is_extended_only_by_who_may(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.click, alice.user, call.pk, "hang-up")
    with pytest.raises(NotAllowed) as refusal:
        services.wrap_up(alice.user, action="extend")
    assert refusal.value.facts["needs"] == "telephony.extend_wrap_up"
    assert not Command.objects.filter(name="wrap_up_extend").exists()
    assert (state_of(alice), call.legs.get().acw_extensions) == (ACW, 0)


@pytest.mark.req("A-57", "S-10")
def test_skills_change_without_leaving(rig):
    alice = ready(rig, "1001")
    since = alice.since
    rig.does(services.sign_in, alice.user, groups=["booking"], skills=[])
    alice.refresh_from_db()
    assert (alice.state, alice.active_skills, alice.since) == (READY, [], since)
    with pytest.raises(DomainError, match="bad_skill"):
        services.sign_in(alice.user, groups=["booking"], skills=["surgery"])
    with pytest.raises(DomainError, match="bad_group"):
        services.sign_in(alice.user, groups=[], skills=[])


def test_two_wishes_in_one_breath_are_both_carried_out(rig):
    """The browser signs in and goes ready at once, before anything came back."""
    alice = an_agent("1001")
    services.sign_in(alice.user, groups=["booking"], skills=[])
    services.set_state(alice.user, state="ready")
    rig.forward(1)
    assert state_of(alice) == READY


@pytest.mark.req("A-50")
def test_states_are_logged_as_spans_and_talking_does_not_break_them(rig):
    a_queue()
    alice = ready(rig, "1001")
    began = rig.now()
    rig.forward(10)
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.forward(40)
    rig.does(services.click, alice.user, call.pk, "hang-up")
    rig.forward(31)
    rig.does(services.sign_out, alice.user)
    spans = list(StateSpan.objects.filter(agent=alice).order_by("id"))
    assert [span.state for span in spans] == [NOT_READY, READY]
    assert (spans[1].started_at, spans[1].ended_at) == (began, rig.now())
    assert state_of(alice) == NULL


@pytest.mark.req("S-11", "A-68")
def test_dialling_a_customer_for_his_card(rig):
    alice = ready(rig, "1001")
    li = a_customer(owner=alice.user)
    command = rig.does(services.dial, alice.user, customer=li.pk)
    assert command.state == Command.DONE
    rig.forward(1)
    call = Call.objects.get()
    assert (call.direction, call.customer, call.number) == ("out", li, customers.normalise(LI))
    assert state_of(alice) == BUSY
    rig.forward(5)  # answered
    rig.forward(20)
    rig.does(services.click, alice.user, call.pk, "hang-up")
    call.refresh_from_db()
    assert call.outcome == "answered" and state_of(alice) == ACW
    assert LI not in str(command.params)


@pytest.mark.req("A-67")
def test_colleagues_talk_without_counting_as_customer_traffic(rig):
    alice, bob = ready(rig, "1001"), ready(rig, "1002")
    rig.does(services.dial, alice.user, to="1002")
    rig.forward(1)
    call = Call.objects.get()
    assert (call.direction, state_of(alice), state_of(bob)) == ("internal", BUSY, BUSY)
    rig.does(services.click, bob.user, call.pk, "answer")
    rig.forward(10)
    rig.does(services.click, bob.user, call.pk, "hang-up")
    call.refresh_from_db()
    assert call.outcome == "answered" and call.visits.count() == 0
    assert not Job.objects.exists()


def test_dialling_needs_the_permission_and_a_number(rig):
    alice = ready(rig, "1001")
    with pytest.raises(DomainError, match="bad_number"):
        services.dial(alice.user, to="12ab")
    alice.user.roles.clear()
    alice = AgentProfile.objects.get(pk=alice.pk)
    with pytest.raises(DomainError, match="no_permission") as refusal:
        services.dial(alice.user, to=STRANGER)
    assert refusal.value.status == 403


def test_a_click_on_somebody_elses_call_is_refused(rig):
    a_queue()
    alice, bob = ready(rig, "1001"), an_agent("1002")
    call = rig.rings()
    assert call.legs.get().agent == alice
    with pytest.raises(DomainError, match="not_found"):
        services.click(bob.user, call.pk, "answer")


def test_a_button_out_of_its_time_is_refused_with_the_state(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    with pytest.raises(DomainError, match="wrong_state") as refusal:
        services.click(alice.user, call.pk, "hold")
    assert (refusal.value.status, refusal.value.facts) == (409, {"state": "ringing"})
    rig.does(services.click, alice.user, call.pk, "hang-up")
    with pytest.raises(DomainError, match="call_ended"):
        services.click(alice.user, call.pk, "answer")


def test_a_race_the_rows_could_not_see_is_refused_by_the_switch(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    command = services.click(alice.user, call.pk, "answer")
    rig.hangs_up(call)  # in the same moment
    rig.forward(1)
    command.refresh_from_db()
    assert (command.state, command.code) == (Command.REFUSED, "connection_ended")


def test_a_silent_pbx_is_told_after_three_seconds(rig):
    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.switch.faults.silent = True
    command = rig.does(services.click, alice.user, call.pk, "answer")
    rig.forward(2)
    command.refresh_from_db()
    assert command.state == Command.SENT
    rig.forward(2)
    command.refresh_from_db()
    assert (command.state, command.code) == (Command.SILENT, "pbx_silent")


def test_an_offer_the_switch_does_not_take_leaves_the_agent_as_he_was(rig):
    a_queue()
    alice = ready(rig, "1001")
    before = (alice.state, alice.ready_since)
    rig.switch.faults.silent = True
    call = rig.rings()
    rig.forward(1)
    rig.switch.faults.silent = False
    rig.hangs_up(call)
    rig.forward(6)
    alice.refresh_from_db()
    assert (alice.state, alice.ready_since) == before


def test_a_phone_that_went_away_takes_its_agent_out(rig):
    alice = ready(rig, "1001")
    rig.run(rig.switch.unregister(alice.extension))
    rig.forward(0)
    assert (state_of(alice), alice.reason) == (NOT_READY, "phone_offline")


def test_who_logs_out_in_a_call_is_signed_out_after_it(rig):
    from web.agents import services as seats

    a_queue()
    alice = ready(rig, "1001")
    call = rig.rings()
    rig.does(services.click, alice.user, call.pk, "answer")
    alice.refresh_from_db()
    seats.leave_seat(alice)
    rig.forward(2)
    assert state_of(alice) == BUSY
    rig.hangs_up(call)
    rig.forward(1)
    assert state_of(alice) == NULL and alice.signed_in == []
    assert not AccessGrant.objects.filter(ended_at=None).exists()


def test_access_ends_with_the_wrap_up(rig):
    a_queue()
    alice = ready(rig, "1001")
    li = a_customer()
    call = rig.rings()
    open_now = AccessGrant.objects.filter(user=alice.user, ended_at=None).order_by("id")
    assert list(open_now.values_list("subject_kind", "subject_id")) == [("customer", li.pk), ("call", call.pk)]
    rig.does(services.click, alice.user, call.pk, "answer")
    rig.does(services.click, alice.user, call.pk, "hang-up")
    assert open_now.count() == 2  # he still writes
    rig.forward(31)
    assert open_now.count() == 0
