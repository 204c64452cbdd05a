"""The agent's state: his own acts, his leader's, and what happens to him."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cti.agent_states import (
    FORCE_OPERATIONS,
    TABLE,
    AgentState,
    State,
    TransitionRefused,
    Trigger,
    allowed,
    apply,
    expire,
    refusal,
)

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
CALL, CHAT = ("voice", "c1"), ("chat", "t1")


def after(seconds):
    return NINE + timedelta(seconds=seconds)


class Li:
    """An agent whose day is written down."""

    def __init__(self, **values):
        self.now = AgentState(agent="1001", since=NINE, **values)

    def does(self, trigger, second=0, **values):
        self.now = apply(self.now, trigger, after(second), **values)
        return self

    def waits(self, second):
        self.now = expire(self.now, after(second))
        return self

    @property
    def shown(self):
        return self.now.state, self.now.reason


def ready():
    return Li().does(Trigger.sign_in).does(Trigger.ready)


def busy():
    return ready().does(Trigger.offered, 10, contact=CALL)


def refused(li, trigger, **values):
    with pytest.raises(TransitionRefused) as refusal_:
        li.does(trigger, 99, **values)
    return refusal_.value.code


@pytest.mark.req("A-50", "S-05", "S-06")
def test_signing_in_is_not_being_ready_and_signing_out_ends_it():
    li = Li().does(Trigger.sign_in, 1)
    assert li.shown == (State.not_ready, "signed_in")
    li.does(Trigger.ready, 2)
    assert (li.shown, li.now.since) == ((State.ready, ""), after(2))
    li.does(Trigger.sign_out, 3)
    assert li.now.state is State.null
    assert refused(li, Trigger.ready) == "signed_out"
    assert refused(ready(), Trigger.sign_in) == "signed_in_already"


@pytest.mark.req("A-52", "S-08", "A-65")
def test_a_rest_has_a_reason_and_a_planned_length():
    li = ready().does(Trigger.not_ready, 5, reason="rest", until=after(605))
    assert (li.shown, li.now.until) == ((State.not_ready, "rest"), after(605))
    assert li.waits(9999).now.state is State.not_ready, "a rest is over when he says so"
    li.does(Trigger.not_ready, 700, reason="meal")
    assert (li.shown, li.now.since) == ((State.not_ready, "meal"), after(700))
    assert refused(ready(), Trigger.not_ready, reason=" ") == "reason_needed"


@pytest.mark.req("S-07")
def test_wrap_up_lasts_thirty_seconds_and_ends_by_itself_at_its_own_end():
    li = busy().does(Trigger.ended, 100, contact=CALL)
    assert (li.now.state, li.now.until) == (State.after_call, after(130))
    assert li.waits(129).now.state is State.after_call
    li.waits(500)
    assert (li.now.state, li.now.since) == (State.ready, after(130))


@pytest.mark.req("S-07", "A-56")
def test_wrap_up_can_be_ended_early_and_extended_once():
    assert busy().does(Trigger.ended, 100, contact=CALL).does(Trigger.wrap_up_done, 105).now.state is State.ready
    li = busy().does(Trigger.ended, 100, contact=CALL).does(Trigger.extend_wrap_up, 120)
    assert (li.now.until, li.now.extensions) == (after(160), 1)
    assert refused(li, Trigger.extend_wrap_up) == "extended_already"
    assert refused(ready(), Trigger.extend_wrap_up) == "not_in_wrap_up"


@pytest.mark.req("A-56")
def test_paperwork_can_be_entered_by_hand_and_leads_back_to_where_he_came_from():
    rest = Li().does(Trigger.sign_in).does(Trigger.not_ready, 1, reason="rest").does(Trigger.wrap_up, 2)
    assert rest.waits(60).shown == (State.not_ready, "rest")
    assert refused(busy(), Trigger.wrap_up) == "on_a_call"


@pytest.mark.req("A-66")
def test_letting_it_ring_makes_him_not_ready():
    li = busy().does(Trigger.unanswered, 30, contact=CALL)
    assert li.shown == (State.not_ready, "no_answer")


def test_a_caller_who_hangs_up_while_it_rings_leaves_him_ready_without_wrap_up():
    li = busy().does(Trigger.withdrawn, 15, contact=CALL)
    assert (li.shown, li.now.since) == ((State.ready, ""), after(15))


def test_what_he_asks_for_during_a_call_comes_after_it():
    li = busy().does(Trigger.not_ready, 20, reason="meal")
    assert li.now.state is State.busy
    li.does(Trigger.ended, 60, contact=CALL)
    assert li.now.state is State.after_call
    assert li.waits(90).shown == (State.not_ready, "meal")
    changed_his_mind = busy().does(Trigger.not_ready, 20, reason="meal").does(Trigger.ready, 25)
    assert changed_his_mind.does(Trigger.ended, 60, contact=CALL).waits(90).now.state is State.ready


@pytest.mark.req("A-64")
def test_signing_out_during_a_call_is_refused():
    assert refused(busy(), Trigger.sign_out) == "on_a_call"


@pytest.mark.req("A-60", "S-11")
def test_he_may_dial_while_not_ready_and_is_not_ready_again_after_the_call():
    li = Li().does(Trigger.sign_in).does(Trigger.not_ready, 1, reason="busy").does(Trigger.dialled, 2, contact=CALL)
    assert li.now.state is State.busy
    assert li.does(Trigger.ended, 50, contact=CALL).waits(80).shown == (State.not_ready, "busy")


def test_dialling_out_of_wrap_up_does_not_lose_where_it_leads():
    li = Li().does(Trigger.sign_in).does(Trigger.not_ready, 1, reason="busy").does(Trigger.dialled, 2, contact=CALL)
    li.does(Trigger.ended, 50, contact=CALL).does(Trigger.dialled, 55, contact=("voice", "c2"))
    assert li.does(Trigger.ended, 90, contact=("voice", "c2")).waits(120).shown == (State.not_ready, "busy")


@pytest.mark.req("A-51", "A-77")
def test_only_a_ready_agent_with_room_is_offered_a_call():
    assert refused(Li().does(Trigger.sign_in), Trigger.offered, contact=CALL) == "not_ready"
    assert refused(busy(), Trigger.offered, contact=("voice", "c2")) == "not_ready"
    deaf = Li(capacity={"voice": 0, "chat": 2}).does(Trigger.sign_in).does(Trigger.ready)
    assert refused(deaf, Trigger.offered, contact=CALL) == "no_capacity"
    again = busy()
    assert again.does(Trigger.offered, 11, contact=CALL).now == busy().now, "asked twice is asked once"


def test_chats_fill_up_beside_each_other_and_a_call_takes_the_whole_agent():
    li = Li(capacity={"voice": 1, "chat": 2}).does(Trigger.sign_in).does(Trigger.ready)
    li.does(Trigger.offered, 1, contact=CHAT)
    assert (li.now.state, li.now.can_take("chat"), li.now.can_take("voice")) == (State.ready, True, True)
    li.does(Trigger.offered, 2, contact=("chat", "t2"))
    assert (li.now.state, li.now.can_take("chat"), li.now.can_take("voice")) == (State.busy, False, False)
    li.does(Trigger.ended, 3, contact=CHAT)
    assert li.now.state is State.ready
    li.does(Trigger.offered, 4, contact=CALL)
    assert (li.now.state, li.now.can_take("chat")) == (State.busy, False)
    li.does(Trigger.ended, 9, contact=CALL)
    assert (li.now.state, li.now.load("chat")) == (State.after_call, 1)


# --- the leader -------------------------------------------------------------------------------------------------------


@pytest.mark.req("A-88", "S-43")
def test_forced_busy_is_for_idle_agents_only_and_says_by_whom():
    li = ready().does(Trigger.force_not_ready, 5, reason="meeting", by="2001")
    assert (li.shown, li.now.by) == ((State.not_ready, "meeting"), "2001")
    assert refused(busy(), Trigger.force_not_ready, reason="meeting") == "on_a_call"
    assert refused(li, Trigger.force_not_ready, reason="meeting") == "not_idle"


@pytest.mark.req("A-89", "S-44")
def test_forced_idle_is_for_not_ready_agents_only():
    li = Li().does(Trigger.sign_in).does(Trigger.force_ready, 5, by="2001")
    assert (li.now.state, li.now.by) == (State.ready, "2001")
    assert refused(busy(), Trigger.force_ready) == "not_busy_by_choice"
    assert refused(Li(), Trigger.force_ready) == "signed_out"


@pytest.mark.req("A-90", "S-42")
def test_forced_sign_out_lets_a_running_call_finish():
    assert ready().does(Trigger.force_sign_out, 5, reason="shift over", by="2001").now.state is State.null
    li = busy().does(Trigger.force_sign_out, 20, reason="shift over", by="2001")
    assert li.now.state is State.busy
    li.does(Trigger.ready, 25)
    assert li.does(Trigger.ended, 60, contact=CALL).now.state is State.null


@pytest.mark.req("A-92")
def test_a_forced_pause_can_be_lifted_by_the_leader_only():
    li = ready().does(Trigger.force_pause, 5, reason="complaint", by="2001")
    assert li.shown == (State.not_ready, "paused")
    for trigger in (Trigger.ready, Trigger.force_ready, Trigger.dialled):
        assert refused(li, trigger, contact=CALL) == "paused"
    li.does(Trigger.not_ready, 6, reason="rest")
    assert li.now.is_paused
    li.does(Trigger.lift_pause, 50, by="2001").does(Trigger.ready, 51)
    assert li.now.state is State.ready
    assert refused(li, Trigger.lift_pause) == "not_paused"
    assert refused(busy(), Trigger.force_pause, reason="x") == "on_a_call"


def test_a_pause_can_be_lifted_while_the_paused_agent_is_on_a_call():
    li = ready().does(Trigger.force_pause, 5, reason="complaint", by="2001").does(Trigger.found, 6, contact=CALL)
    assert refused(li, Trigger.ready) == "paused"
    li.does(Trigger.lift_pause, 7, by="2001").does(Trigger.ended, 20, contact=CALL)
    assert li.waits(50).shown == (State.not_ready, "pause_lifted")
    assert li.does(Trigger.ready, 60).now.state is State.ready


def test_every_force_operation_is_in_the_table():
    assert set(FORCE_OPERATIONS) <= TABLE.keys()
    assert set(TABLE) == set(Trigger)


def test_allowed_lists_what_would_not_be_refused():
    assert allowed(Li().now) == [Trigger.sign_in, Trigger.sign_out, Trigger.force_sign_out]
    assert Trigger.extend_wrap_up in allowed(busy().does(Trigger.ended, 99, contact=CALL).now)
    assert Trigger.sign_out not in allowed(busy().now)
    for trigger in allowed(ready().now):
        assert refusal(ready().now, trigger, reason="x") == ""


# --- what happens -----------------------------------------------------------------------------------------------------


def test_a_phone_that_goes_away_makes_a_ready_agent_not_ready_but_leaves_a_meal_a_meal():
    assert ready().does(Trigger.phone_lost, 5).shown == (State.not_ready, "phone_offline")
    meal = ready().does(Trigger.not_ready, 1, reason="meal").does(Trigger.phone_lost, 5)
    assert (meal.shown, meal.now.since) == ((State.not_ready, "meal"), after(1))
    talking = busy().does(Trigger.phone_lost, 20)
    assert talking.now.state is State.busy
    assert talking.does(Trigger.ended, 60, contact=CALL).waits(90).shown == (State.not_ready, "phone_offline")


def test_the_pbx_is_believed_when_it_says_that_he_is_on_a_call():
    li = ready().does(Trigger.not_ready, 1, reason="rest").does(Trigger.found, 5, contact=CALL)
    assert li.now.state is State.busy
    assert li.does(Trigger.ended, 9, contact=CALL).waits(39).shown == (State.not_ready, "rest")
    assert Li().does(Trigger.found, 5, contact=CALL).now.state is State.null


def test_facts_told_twice_or_about_a_stranger_change_nothing():
    li = busy().does(Trigger.ended, 60, contact=CALL)
    before = li.now
    for trigger in (Trigger.ended, Trigger.withdrawn, Trigger.unanswered):
        assert li.does(trigger, 70, contact=CALL).now == before
    assert ready().does(Trigger.expired, 70).now == ready().now


def test_a_contacts_trigger_without_a_contact_is_a_programming_error():
    with pytest.raises(TypeError, match="contact"):
        ready().does(Trigger.offered, 5)
