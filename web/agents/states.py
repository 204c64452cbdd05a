"""An agent's state as a row: `cti.agent_states` decides, this module keeps it. Called by telephony alone, with the time of
the switch, so that rows and switch never disagree about who moved first.

A row is changed under its version: of two that read the same row one wins, the other reads again. Spans (DATA A3) tell
what the agent did besides talking; talk, ring, hold and the wrap-up after it are in the segments of calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from cti.agent_states import AgentState, State, Trigger, apply, expire, refusal
from web.common import clock
from web.common.errors import BadInput
from web.common.models import Mark
from web.common.publishing import publish

from .events import AgentChanged
from .models import AgentProfile, PauseReason, StateSpan

STATE_OF = {
    AgentProfile.NULL: State.null,
    AgentProfile.NOT_READY: State.not_ready,
    AgentProfile.READY: State.ready,
    AgentProfile.BUSY: State.busy,
    AgentProfile.ACW: State.after_call,
}
WORD_OF = {state: word for word, state in STATE_OF.items()}

COLUMNS = (
    "state",
    "reason",
    "since",
    "ready_since",
    "planned_until",
    "wrap_up_until",
    "wrap_up_extended",
    "voice_load",
    "chat_load",
    "after_call_state",
    "after_call_reason",
    "resume_state",
    "resume_reason",
    "contacts",
    "is_paused",
    "changed_by",
)
TRIES = 3


class StateBusy(Exception):
    """The row was changed by somebody else each time it was tried; the next second tries again."""


@dataclass(frozen=True, slots=True)
class Change:
    """profile: the row after; former: its columns before, for `put_back`."""

    profile: AgentProfile
    before: AgentState
    after: AgentState
    former: dict[str, Any]

    @property
    def left_contact(self) -> bool:
        """Whether the agent is through with what he talked: neither in a call nor in the wrap-up after it."""
        at_work = (State.busy, State.after_call)
        return self.before.state in at_work and self.after.state not in at_work

    @property
    def left_wrap_up(self) -> bool:
        return self.before.state is State.after_call and self.after.state is not State.after_call


def read(profile: AgentProfile) -> AgentState:
    """The row as `cti.agent_states` understands it."""
    next_state = None
    if profile.after_call_state:
        next_state = (STATE_OF[profile.after_call_state], profile.after_call_reason or "")
    is_wrap_up = profile.state == AgentProfile.ACW
    return AgentState(
        agent=profile.user.number,
        state=STATE_OF[profile.state],
        reason=profile.reason or "",
        since=profile.since,
        until=profile.wrap_up_until if is_wrap_up else profile.planned_until,
        by=profile.changed_by or "",
        is_paused=profile.is_paused,
        resume=(STATE_OF[profile.resume_state or AgentProfile.READY], profile.resume_reason or ""),
        next_state=next_state,
        contacts=frozenset((channel, key) for channel, key in profile.contacts),
        capacity={"voice": profile.voice_capacity, "chat": profile.chat_capacity},
        extensions=int(profile.wrap_up_extended),
    )


def why_not(profile: AgentProfile, trigger: Trigger, *, reason: str | None = None, now: datetime | None = None) -> str:
    """Why a wish would be refused as the row stands: a code, "" when it would be carried out."""
    return refusal(expire(read(profile), now or clock.now()), trigger, reason=reason)


@transaction.atomic
def change(agent: int, trigger: Trigger, at: datetime, **details: Any) -> Change:
    """Move the agent (key of his row) by `trigger` at `at`. `details` as in `cti.agent_states.apply`.

    A wrap-up that ran out before `at` is led on first. Raises TransitionRefused, or StateBusy after three lost races.
    """
    for _ in range(TRIES):
        profile = AgentProfile.objects.select_related("user").get(pk=agent)
        before = read(profile)
        length = timedelta(seconds=profile.wrap_up_seconds)
        after = apply(expire(before, at), trigger, at, wrap_up=length, **details)
        former = {name: getattr(profile, name) for name in COLUMNS}
        if after == before:
            return Change(profile, before, after, former)
        if _write(profile, before, after):
            _keep_span(profile, before, after)
            publish(AgentChanged(profile.pk, profile.user_id))
            return Change(profile, before, after, former)
    raise StateBusy(str(agent))


@transaction.atomic
def put_back(done: Change, at: datetime) -> bool:
    """Undo a change that came to nothing (the PBX did not take the call) unless the row has moved on since."""
    profile = done.profile
    restored = AgentProfile.objects.filter(pk=profile.pk, version=profile.version)
    if not restored.update(**done.former, version=profile.version + 1):
        return False
    fresh = AgentProfile.objects.select_related("user").get(pk=profile.pk)
    _keep_span(fresh, done.after, done.before)
    publish(AgentChanged(profile.pk, profile.user_id))
    return True


@transaction.atomic
def sign_in(agent: int, groups: list[str], skills: list[str], at: datetime) -> Change:
    """Sign in to skill groups with skills; signed in already: change both without leaving (A-57, S-10).

    BadInput: nothing chosen, or a group or skill he has not been given.
    """
    profile = AgentProfile.objects.get(pk=agent)
    check_choice(profile, groups, skills)
    AgentProfile.objects.filter(pk=agent).update(signed_in=groups, active_skills=skills, version=profile.version + 1)
    if profile.state != AgentProfile.NULL:
        publish(AgentChanged(profile.pk, profile.user_id))
        profile = AgentProfile.objects.select_related("user").get(pk=agent)
        state = read(profile)
        return Change(profile, state, state, {name: getattr(profile, name) for name in COLUMNS})
    return change(agent, Trigger.sign_in, at)


def check_choice(profile: AgentProfile, groups: list[str], skills: list[str]) -> None:
    """BadInput unless these are groups (at least one) and skills of the agent."""
    own_groups = set(profile.skill_groups.values_list("key", flat=True))
    own_skills = set(profile.skills.values_list("key", flat=True))
    if not groups or not set(groups) <= own_groups:
        raise BadInput("bad_group", fields={"groups": [{"code": "unknown" if groups else "required"}]})
    if not set(skills) <= own_skills:
        raise BadInput("bad_skill", fields={"skills": [{"code": "unknown"}]})


def pause_reason(kind: str, key: str) -> PauseReason:
    """The configured reason. BadInput when there is none of that kind."""
    row = PauseReason.objects.filter(kind=kind, key=key, is_active=True).first()
    if row is None:
        code = "unknown" if key else "required"
        raise BadInput("bad_reason" if key else "reason_needed", fields={"reason": [{"code": code}]})
    return row


def _write(profile: AgentProfile, before: AgentState, after: AgentState) -> bool:
    is_wrap_up = after.state is State.after_call
    values: dict[str, Any] = {
        "state": WORD_OF[after.state],
        "reason": after.reason or None,
        "since": after.since,
        "planned_until": None if is_wrap_up else after.until,
        "wrap_up_until": after.until if is_wrap_up else None,
        "wrap_up_extended": is_wrap_up and after.extensions > 0,
        "voice_load": after.load("voice"),
        "chat_load": after.load("chat"),
        "after_call_state": WORD_OF[after.next_state[0]] if after.next_state else None,
        "after_call_reason": (after.next_state[1] or None) if after.next_state else None,
        "resume_state": WORD_OF[after.resume[0]],
        "resume_reason": after.resume[1] or None,
        "contacts": sorted([channel, key] for channel, key in after.contacts),
        "is_paused": after.is_paused,
        "changed_by": after.by or None,
    }
    if after.state is not State.ready:
        values["ready_since"] = None
    elif before.state is not State.ready:
        values["ready_since"] = after.since
    if after.state is State.null:
        values["signed_in"], values["active_skills"] = [], []
    version = profile.version
    rows = AgentProfile.objects.filter(pk=profile.pk, version=version)
    if not rows.update(**values, version=version + 1):
        return False
    for name, value in values.items():
        setattr(profile, name, value)
    profile.version = version + 1
    return True


def _keep_span(profile: AgentProfile, before: AgentState, after: AgentState) -> None:
    """Close and open the span when what the agent does besides talking changes."""
    is_own_wrap_up = after.state is State.after_call and before.state in (State.ready, State.not_ready)
    if after.state in (State.busy, State.after_call) and not is_own_wrap_up:
        return
    word, reason = WORD_OF[after.state], after.reason or None
    current = StateSpan.objects.filter(agent=profile, ended_at=None).order_by("-id").first()
    if current is not None and (current.state, current.reason) == (word, reason):
        return
    slots = set()
    if current is not None:
        current.ended_at = max(after.since, current.started_at)
        current.save(update_fields=["ended_at"])
        slots |= {current.slot, clock.slot(current.ended_at)}
    if after.state is not State.null:
        slot = clock.slot(after.since)
        group = (profile.signed_in or [None])[0]
        StateSpan.objects.create(
            agent=profile, state=word, reason=reason, group=group, slot=slot, started_at=after.since
        )
        slots.add(slot)
    Mark.objects.bulk_create([Mark(slot=slot) for slot in sorted(slots)])


def overdue_wrap_ups(now: datetime) -> list[int]:
    """Keys of agents whose wrap-up has run out."""
    rows = AgentProfile.objects.filter(state=AgentProfile.ACW, wrap_up_until__lte=now)
    return list(rows.order_by("wrap_up_until").values_list("pk", flat=True))
