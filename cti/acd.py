"""Automatic call distribution: which agent gets this call, and why everybody else does not.

Pure. Order of choice (rows P-05…P-09): the caller's own agent, for whom it waits a little; agents designated for this
number or region, likewise; then the members of the call's skill groups who have the skills, by the policy's strategy
(longest idle first). Between waiting calls the more urgent number goes first, age lifts a call step by step, and a call
older than the ageing limit goes before all that are younger.

Every `Decision` says what was found for every agent that was looked at (`considered`) and is JSON-serialisable
(`Decision.explain`), so that it can be stored beside the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cti.agent_states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A call that waits for an agent. priority: 1 urgent … 4; skills: skill → least level."""

    call_id: str
    queue: str
    entered_at: datetime
    priority: int = 3
    owner: str = ""
    designated: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()  # empty: any group will do
    skills: Mapping[str, int] = field(default_factory=dict)
    rang: Mapping[str, datetime] = field(default_factory=dict)  # who let it ring or refused it, and when last
    channel: str = "voice"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """An agent as the ACD sees him. can_take: `AgentState.can_take` of the call's channel. idle_since: end of his last
    contact, or when he became Ready, whichever is later; taken: contacts taken today."""

    agent: str
    device: str
    state: State
    can_take: bool
    idle_since: datetime
    groups: frozenset[str] = frozenset()
    skills: Mapping[str, int] = field(default_factory=dict)
    is_online: bool = True  # his phone is registered
    taken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Queue policy (row P-05). strategy: longest_idle, fewest_taken or best_skill."""

    wait_for_owner: timedelta = timedelta(seconds=15)
    wait_for_designated: timedelta = timedelta(seconds=15)
    ring_again_after: timedelta = timedelta(seconds=60)  # the same call at the same agent, unless he went ready anew
    strategy: str = "longest_idle"
    ageing_step: timedelta = timedelta(seconds=60)  # waiting so long is worth one level of priority
    ageing_limit: timedelta = timedelta(seconds=180)  # whoever waited longer goes before all who did not


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One agent and what was found: chosen; longer_idle_first, fewer_taken_first, better_skill_first (free, but another
    was before him); signed_out, not_ready, on_a_call, wrap_up, full, phone_offline, rang_already, other_group,
    lacks_skill, keeps_for_owner, keeps_for_designated, not_owner; taken (given to another call in this round)."""

    agent: str
    verdict: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """agent is None when the call waits on; ask_again_at is then when time alone will change the answer, if it will.

    reason: owner, designated, longest_idle, fewest_taken, best_skill; or waiting_for_owner, waiting_for_designated,
    nobody_free, nobody_signed_in, nobody_has_the_skill.
    """

    call_id: str
    agent: str | None
    device: str = ""
    reason: str
    at: datetime
    waited_ms: int
    ask_again_at: datetime | None = None
    considered: tuple[Considered, ...] = ()

    def explain(self) -> dict[str, Any]:
        """JSON-ready, for storing: numbers of agents only, no callers."""
        return {
            "call": self.call_id,
            "agent": self.agent,
            "reason": self.reason,
            "at": self.at.isoformat(),
            "waited_ms": self.waited_ms,
            "ask_again_at": self.ask_again_at.isoformat() if self.ask_again_at else None,
            "considered": [
                {"agent": one.agent, "verdict": one.verdict, "detail": one.detail} for one in self.considered
            ],
        }


Rank = Callable[[AgentView, Waiting], tuple[Any, ...]]

STRATEGIES: dict[str, tuple[Rank, str]] = {
    "longest_idle": (lambda agent, call: (agent.idle_since, agent.agent), "longer_idle_first"),
    "fewest_taken": (lambda agent, call: (agent.taken, agent.idle_since, agent.agent), "fewer_taken_first"),
    "best_skill": (
        lambda agent, call: (-sum(agent.skills.get(skill, 0) for skill in call.skills), agent.idle_since, agent.agent),
        "better_skill_first",
    ),
}

UNFIT = {
    State.null: "signed_out",
    State.not_ready: "not_ready",
    State.busy: "on_a_call",
    State.after_call: "wrap_up",
}


def decide(call: Waiting, agents: Iterable[AgentView], now: datetime, policy: Policy | None = None) -> Decision:
    """Who gets `call` at `now`. Raises ValueError for a strategy that does not exist."""
    policy = policy or Policy()
    if policy.strategy not in STRATEGIES:
        raise ValueError(f"unknown strategy {policy.strategy!r}; known: {', '.join(STRATEGIES)}")
    people = {agent.agent: agent for agent in sorted(agents, key=lambda agent: agent.agent)}
    found = {name: _unfit(agent, call, now, policy) for name, agent in people.items()}

    owner = people.get(call.owner) if call.owner else None
    if owner is not None:
        if not found[owner.agent]:
            return _given(call, owner, "owner", now, people, found, "not_owner")
        end = call.entered_at + policy.wait_for_owner
        if now < end and found[owner.agent] in ("not_ready", "on_a_call", "wrap_up", "full"):
            return _waiting(call, "waiting_for_owner", now, end, people, found, "keeps_for_owner")

    rank, behind = STRATEGIES[policy.strategy]
    designated = [people[name] for name in call.designated if name in people]
    free = [agent for agent in designated if not found[agent.agent]]
    if free:
        best = min(free, key=lambda agent: rank(agent, call))
        return _given(call, best, "designated", now, people, found, behind)
    end = call.entered_at + policy.wait_for_designated
    if now < end and any(found[agent.agent] in ("not_ready", "on_a_call", "wrap_up", "full") for agent in designated):
        return _waiting(call, "waiting_for_designated", now, end, people, found, "keeps_for_designated")

    for name, agent in people.items():
        found[name] = _outside_group(agent, call) or found[name]
    free = [agent for name, agent in people.items() if not found[name]]
    if free:
        best = min(free, key=lambda agent: rank(agent, call))
        return _given(call, best, policy.strategy, now, people, found, behind)
    verdicts = set(found.values())
    if not verdicts - {"signed_out", "other_group"}:
        reason = "nobody_signed_in"
    elif not verdicts - {"signed_out", "other_group", "lacks_skill"}:
        reason = "nobody_has_the_skill"
    else:
        reason = "nobody_free"
    again = [call.rang[name] + policy.ring_again_after for name, why in found.items() if why == "rang_already"]
    return _waiting(call, reason, now, min(again, default=None), people, found, "")


def in_order(calls: Iterable[Waiting], now: datetime, policy: Policy | None = None) -> list[Waiting]:
    """Waiting calls, first to be served first: beyond the ageing limit, then by aged priority, then by waiting time."""
    policy = policy or Policy()

    def place(call: Waiting) -> tuple[bool, int, datetime, str]:
        waited = now - call.entered_at
        if waited >= policy.ageing_limit:
            return False, 0, call.entered_at, call.call_id
        steps = waited // policy.ageing_step if policy.ageing_step else 0
        return True, call.priority - steps, call.entered_at, call.call_id

    return sorted(calls, key=place)


def distribute(
    calls: Iterable[Waiting],
    agents: Sequence[AgentView],
    now: datetime,
    policies: Mapping[str, Policy] | None = None,
    policy: Policy | None = None,
) -> list[Decision]:
    """One round over all waiting calls: a decision for each, in serving order; an agent is given at most one call.

    policies: by queue; `policy` stands for queues without their own, and orders the calls of different queues.
    """
    policies = policies or {}
    free = list(agents)
    taken: list[AgentView] = []
    decisions = []
    for call in in_order(calls, now, policy):
        decision = decide(call, free, now, policies.get(call.queue, policy))
        if taken:
            gone = tuple(Considered(agent=agent.agent, verdict="taken") for agent in taken)
            decision = _with_considered(decision, decision.considered + gone)
        decisions.append(decision)
        if decision.agent is not None:
            chosen = next(agent for agent in free if agent.agent == decision.agent)
            free.remove(chosen)
            taken.append(chosen)
    return decisions


# --- inside -----------------------------------------------------------------------------------------------------------


def _unfit(agent: AgentView, call: Waiting, now: datetime, policy: Policy) -> str:
    """Why this agent cannot be rung now at all; "" if he can."""
    if agent.state in UNFIT:
        return UNFIT[agent.state]
    if not agent.is_online:
        return "phone_offline"
    rang_at = call.rang.get(agent.agent)
    if rang_at is not None and agent.idle_since <= rang_at and now < rang_at + policy.ring_again_after:
        return "rang_already"
    return "" if agent.can_take else "full"


def _outside_group(agent: AgentView, call: Waiting) -> str:
    if call.groups and not call.groups & agent.groups:
        return "other_group"
    if any(agent.skills.get(skill, 0) < level for skill, level in call.skills.items()):
        return "lacks_skill"
    return ""


def _given(
    call: Waiting,
    chosen: AgentView,
    reason: str,
    now: datetime,
    people: Mapping[str, AgentView],
    found: Mapping[str, str],
    behind: str,
) -> Decision:
    return Decision(
        call_id=call.call_id,
        agent=chosen.agent,
        device=chosen.device,
        reason=reason,
        at=now,
        waited_ms=_milliseconds(now - call.entered_at),
        considered=tuple(
            _considered(agent, "chosen" if name == chosen.agent else found[name] or behind, call, now)
            for name, agent in people.items()
        ),
    )


def _waiting(
    call: Waiting,
    reason: str,
    now: datetime,
    ask_again_at: datetime | None,
    people: Mapping[str, AgentView],
    found: Mapping[str, str],
    free: str,
) -> Decision:
    return Decision(
        call_id=call.call_id,
        agent=None,
        reason=reason,
        at=now,
        waited_ms=_milliseconds(now - call.entered_at),
        ask_again_at=ask_again_at,
        considered=tuple(_considered(agent, found[name] or free, call, now) for name, agent in people.items()),
    )


def _considered(agent: AgentView, verdict: str, call: Waiting, now: datetime) -> Considered:
    if verdict == "lacks_skill":
        lacking = [skill for skill, level in call.skills.items() if agent.skills.get(skill, 0) < level]
        return Considered(agent=agent.agent, verdict=verdict, detail=",".join(sorted(lacking)))
    if agent.state is State.ready:
        idle = _milliseconds(now - agent.idle_since) // 1000
        return Considered(agent=agent.agent, verdict=verdict, detail=f"idle {idle} s")
    return Considered(agent=agent.agent, verdict=verdict)


def _with_considered(decision: Decision, considered: tuple[Considered, ...]) -> Decision:
    return replace(decision, considered=tuple(sorted(considered, key=lambda one: one.agent)))


def _milliseconds(span: timedelta) -> int:
    return max(0, span // timedelta(milliseconds=1))
