"""Who gets the call, and why not the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from cti.acd import AgentView, Policy, Waiting, decide, distribute, in_order
from cti.agent_states import State

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def after(seconds):
    return NINE + timedelta(seconds=seconds)


def an_agent(name, state=State.ready, *, idle=60, groups=("consult",), **values):
    return AgentView(
        agent=name,
        device=f"8{name}",
        state=state,
        can_take=values.pop("can_take", state is State.ready),
        idle_since=NINE - timedelta(seconds=idle),
        groups=frozenset(groups),
        **values,
    )


def a_call(name="c1", *, waited=0, **values):
    values.setdefault("groups", frozenset({"consult"}))
    return Waiting(call_id=name, queue="main", entered_at=NINE - timedelta(seconds=waited), **values)


def verdicts(decision):
    return {one.agent: one.verdict for one in decision.considered}


def test_the_longest_idle_member_of_the_group_gets_the_call():
    decision = decide(a_call(), [an_agent("li", idle=30), an_agent("wang", idle=90), an_agent("zhao", idle=60)], NINE)
    assert (decision.agent, decision.device, decision.reason) == ("wang", "8wang", "longest_idle")
    assert verdicts(decision) == {"li": "longer_idle_first", "wang": "chosen", "zhao": "longer_idle_first"}


@pytest.mark.req("P-07")
def test_the_own_agent_comes_first_even_from_another_group_and_with_less_idle_time():
    own = an_agent("own", idle=1, groups=("vip",))
    decision = decide(a_call(owner="own"), [an_agent("li", idle=900), own], NINE)
    assert (decision.agent, decision.reason) == ("own", "owner")
    assert verdicts(decision)["li"] == "not_owner"


@pytest.mark.req("P-07")
@pytest.mark.parametrize("state", [State.busy, State.not_ready, State.after_call])
def test_the_call_waits_fifteen_seconds_for_a_busy_own_agent_and_then_goes_to_the_group(state):
    people = [an_agent("own", state), an_agent("li")]
    call = a_call(owner="own")
    early = decide(call, people, after(14.9))
    assert (early.agent, early.reason, early.ask_again_at) == (None, "waiting_for_owner", after(15))
    assert verdicts(early)["li"] == "keeps_for_owner"
    assert decide(call, people, after(15)).agent == "li"


@pytest.mark.parametrize("owner", [an_agent("own", State.null), an_agent("own", is_online=False)])
def test_nobody_waits_for_an_own_agent_who_is_signed_out_or_has_no_phone(owner):
    assert decide(a_call(owner="own"), [owner, an_agent("li")], NINE).agent == "li"
    assert decide(a_call(owner="own"), [an_agent("li")], NINE).agent == "li"


def test_an_own_agent_who_let_it_ring_is_not_waited_for():
    own = an_agent("own", idle=30)
    decision = decide(a_call(owner="own", rang={"own": after(-5)}), [own, an_agent("li", idle=1)], NINE)
    assert (decision.agent, verdicts(decision)["own"]) == ("li", "rang_already")


@pytest.mark.req("P-08", "P-09")
def test_designated_agents_come_before_the_group_and_are_waited_for():
    call = a_call(designated=("south1", "south2"))
    people = [an_agent("li", idle=900), an_agent("south1", idle=10), an_agent("south2", idle=20)]
    assert (decide(call, people, NINE).agent, decide(call, people, NINE).reason) == ("south2", "designated")
    busy = [an_agent("li", idle=900), an_agent("south1", State.busy), an_agent("south2", State.null)]
    assert decide(call, busy, after(3)).reason == "waiting_for_designated"
    assert decide(call, busy, after(16)).agent == "li"


@pytest.mark.req("S-10")
def test_only_members_with_all_the_needed_skills_are_rung():
    call = a_call(skills={"english": 2, "pharmacy": 1})
    people = [
        an_agent("li", idle=900, skills={"english": 1, "pharmacy": 5}),
        an_agent("wang", idle=800, skills={"english": 3}),
        an_agent("zhao", idle=5, skills={"english": 2, "pharmacy": 1}),
        an_agent("qian", idle=999, groups=("sales",), skills={"english": 5, "pharmacy": 5}),
    ]
    decision = decide(call, people, NINE)
    assert decision.agent == "zhao"
    assert {one.agent: (one.verdict, one.detail) for one in decision.considered} == {
        "li": ("lacks_skill", "english"),
        "wang": ("lacks_skill", "pharmacy"),
        "zhao": ("chosen", "idle 5 s"),
        "qian": ("other_group", "idle 999 s"),
    }


@pytest.mark.req("A-51", "A-77")
def test_everybody_who_cannot_be_rung_is_named_with_the_reason():
    people = [
        an_agent("a", State.null),
        an_agent("b", State.not_ready),
        an_agent("c", State.busy),
        an_agent("d", State.after_call),
        an_agent("e", is_online=False),
        an_agent("f", can_take=False),
    ]
    decision = decide(a_call(), people, NINE)
    assert (decision.agent, decision.reason, decision.device) == (None, "nobody_free", "")
    assert verdicts(decision) == {
        "a": "signed_out",
        "b": "not_ready",
        "c": "on_a_call",
        "d": "wrap_up",
        "e": "phone_offline",
        "f": "full",
    }


def test_the_reason_tells_nobody_free_from_nobody_there_and_nobody_able():
    assert decide(a_call(), [], NINE).reason == "nobody_signed_in"
    assert (
        decide(a_call(), [an_agent("li", State.null), an_agent("b", groups=("x",))], NINE).reason == "nobody_signed_in"
    )
    assert decide(a_call(skills={"english": 1}), [an_agent("li")], NINE).reason == "nobody_has_the_skill"


@pytest.mark.req("A-66")
def test_whoever_let_a_call_ring_gets_it_again_only_after_a_minute_or_when_he_went_ready_anew():
    rang = {"li": after(0)}
    still = an_agent("li", idle=60)
    decision = decide(a_call(rang=rang), [still], after(20))
    assert (decision.agent, decision.ask_again_at) == (None, after(60))
    assert decide(a_call(rang=rang), [still], after(60)).agent == "li"
    anew = an_agent("li", idle=-10)
    assert decide(a_call(rang=rang), [anew], after(20)).agent == "li"


@pytest.mark.req("P-05")
def test_the_queues_policy_decides_between_free_agents():
    people = [an_agent("li", idle=90, taken=9, skills={"x": 5}), an_agent("wang", idle=10, taken=2, skills={"x": 1})]
    call = a_call(skills={"x": 1})
    assert decide(call, people, NINE, Policy(strategy="fewest_taken")).agent == "wang"
    best = decide(call, people, NINE, Policy(strategy="best_skill"))
    assert (best.agent, best.reason, verdicts(best)["wang"]) == ("li", "best_skill", "better_skill_first")
    with pytest.raises(ValueError, match="coin"):
        decide(call, people, NINE, Policy(strategy="coin"))


def test_a_decision_can_be_stored_and_names_no_caller():
    stored = json.loads(
        json.dumps(decide(a_call(waited=7, owner="own"), [an_agent("own", State.busy)], NINE).explain())
    )
    assert stored == {
        "call": "c1",
        "agent": None,
        "reason": "waiting_for_owner",
        "at": NINE.isoformat(),
        "waited_ms": 7000,
        "ask_again_at": after(8).isoformat(),
        "considered": [{"agent": "own", "verdict": "on_a_call", "detail": ""}],
    }


@pytest.mark.req("P-06")
def test_the_more_urgent_number_is_served_first_until_age_outweighs_it():
    urgent, plain = a_call("urgent", priority=2), a_call("plain", priority=3, waited=59)
    assert [call.call_id for call in in_order([plain, urgent], NINE)] == ["urgent", "plain"]
    aged = a_call("aged", priority=3, waited=61)
    assert [call.call_id for call in in_order([urgent, aged], NINE)] == ["aged", "urgent"]


@pytest.mark.req("P-06")
def test_a_caller_beyond_the_ageing_limit_goes_before_every_younger_one():
    forgotten = a_call("forgotten", priority=4, waited=181)
    stream = [a_call(f"urgent{n}", priority=1, waited=120 + n) for n in range(5)]
    assert in_order([*stream, forgotten], NINE)[0] is forgotten


def test_in_one_round_no_agent_gets_two_calls_and_a_call_kept_for_its_owner_blocks_nobody():
    people = [an_agent("own", State.busy), an_agent("li", idle=90), an_agent("wang", idle=10)]
    calls = [a_call("kept", waited=5, owner="own"), a_call("a", waited=4), a_call("b", waited=3), a_call("c", waited=2)]
    decisions = {one.call_id: one for one in distribute(calls, people, NINE)}
    assert {name: one.agent for name, one in decisions.items()} == {"kept": None, "a": "li", "b": "wang", "c": None}
    assert verdicts(decisions["c"]) == {"own": "on_a_call", "li": "taken", "wang": "taken"}


def test_each_queue_may_have_its_own_policy():
    people = [an_agent("own", State.busy), an_agent("li")]
    hasty = Policy(wait_for_owner=timedelta(0))
    (decision,) = distribute([a_call(owner="own")], people, NINE, policies={"main": hasty})
    assert decision.agent == "li"
