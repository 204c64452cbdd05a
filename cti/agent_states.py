"""What an agent is doing, as one table of transitions: voice and chat, the agent's own acts and the leader's.

States are CSTA's agent states (ECMA-269 clause 6.1.6): Null (签出), NotReady (示忙, 小休, 用餐 … by reason),
Ready (示闲), Busy (ringing, talking or holding: the call tells which), WorkingAfterCall (文书处理).
Rows A-50…A-66, A-88…A-92, S-05…S-10, S-42…S-44 and list 6.5 of the requirements.

Pure and without sleeping: wrap-up carries its end in `until`; `expire(state, now)` gives what it has become by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cti.events import (
    ConnectionCleared,
    Delivered,
    DeviceOffline,
    Diverted,
    Established,
    Event,
    Failed,
    Held,
    Originated,
    Retrieved,
)
from cti.model import Cause

WRAP_UP = timedelta(seconds=30)
MAX_EXTENSIONS = 1

SIGNED_IN, NO_ANSWER, PHONE_OFFLINE, FORCED, PAUSED = "signed_in", "no_answer", "phone_offline", "forced", "paused"
REASONS = frozenset({"busy", "rest", "meal", "meeting", "training", "paperwork", "other"})
"""Reasons an agent may choose for NotReady. A room may offer more or fewer; the words above are set by the system."""


class State(StrEnum):
    null = "Null"
    not_ready = "NotReady"
    ready = "Ready"
    busy = "Busy"
    after_call = "WorkingAfterCall"


class Trigger(StrEnum):
    # by the agent
    sign_in = "sign_in"
    sign_out = "sign_out"
    ready = "ready"
    not_ready = "not_ready"
    wrap_up = "wrap_up"
    wrap_up_done = "wrap_up_done"
    extend_wrap_up = "extend_wrap_up"
    # by the leader
    force_ready = "force_ready"
    force_not_ready = "force_not_ready"
    force_sign_out = "force_sign_out"
    force_pause = "force_pause"
    lift_pause = "lift_pause"
    # by what happens
    offered = "offered"  # a contact is put before the agent: it rings
    dialled = "dialled"  # the agent makes a call himself; allowed while NotReady
    found = "found"  # the PBX says he is on it, whatever we believed
    ended = "ended"  # a contact he handled is over
    withdrawn = "withdrawn"  # a contact he never answered is gone: caller hung up, taken by another, busy at once
    unanswered = "unanswered"  # he let it ring (RONA)
    phone_lost = "phone_lost"
    expired = "expired"  # wrap-up ran out


FORCE_OPERATIONS = (
    Trigger.force_ready,
    Trigger.force_not_ready,
    Trigger.force_sign_out,
    Trigger.force_pause,
    Trigger.lift_pause,
)
NEEDS_REASON = frozenset({Trigger.not_ready, Trigger.force_not_ready, Trigger.force_sign_out, Trigger.force_pause})


class TransitionRefused(Exception):
    """The state did not change. `code` is a word of `TABLE`, or one of signed_out, on_a_call, reason_needed, paused,
    not_paused, no_capacity, extended_already."""

    def __init__(self, code: str, state: State, trigger: Trigger) -> None:
        super().__init__(f"{trigger} in {state}: {code}")
        self.code, self.state, self.trigger = code, state, trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """One agent's state. Contacts are (channel, identifier) pairs, e.g. ("voice", call id)."""

    agent: str
    state: State = State.null
    reason: str = ""
    since: datetime
    until: datetime | None = None  # end of wrap-up, or planned end of a rest (shown, not enforced)
    by: str = ""  # who changed it last, when it was not the agent or the system
    is_paused: bool = False  # by the leader; only he lifts it
    resume: tuple[State, str] = (State.ready, "")  # where the contact at hand, and its wrap-up, lead back to
    next_state: tuple[State, str] | None = None  # asked for while busy: takes the place of wrap-up's end
    contacts: frozenset[tuple[str, str]] = frozenset()
    capacity: Mapping[str, int] = field(default_factory=lambda: {"voice": 1, "chat": 0})
    extensions: int = 0

    def load(self, channel: str) -> int:
        return sum(of == channel for of, _ in self.contacts)

    def can_take(self, channel: str) -> bool:
        """Whether a contact of that channel may be offered now. While he is on the phone, nothing else comes."""
        return self.state is State.ready and self.load(channel) < self.capacity.get(channel, 0)


N, NR, R, B, W = State.null, State.not_ready, State.ready, State.busy, State.after_call

# trigger -> (state it may come in -> state it leads to; what is said in any other state)
TABLE: dict[Trigger, tuple[dict[State, State], str]] = {
    Trigger.sign_in: ({N: NR}, "signed_in_already"),
    Trigger.sign_out: ({N: N, NR: N, R: N, W: N}, "on_a_call"),
    Trigger.ready: ({NR: R, R: R, W: R, B: B}, "signed_out"),
    Trigger.not_ready: ({NR: NR, R: NR, W: NR, B: B}, "signed_out"),
    Trigger.wrap_up: ({NR: W, R: W, W: W}, "not_idle"),
    Trigger.wrap_up_done: ({W: R}, "not_in_wrap_up"),
    Trigger.extend_wrap_up: ({W: W}, "not_in_wrap_up"),
    Trigger.force_ready: ({NR: R}, "not_busy_by_choice"),
    Trigger.force_not_ready: ({R: NR}, "not_idle"),
    Trigger.force_sign_out: ({N: N, NR: N, R: N, W: N, B: B}, ""),
    Trigger.force_pause: ({NR: NR, R: NR, W: NR}, "on_a_call"),
    Trigger.lift_pause: ({NR: NR, B: B, W: W}, "not_paused"),
    Trigger.offered: ({R: B}, "not_ready"),
    Trigger.dialled: ({NR: B, R: B, W: B}, "not_idle"),
    # facts, not wishes: never refused, and nothing to a state they do not concern
    Trigger.found: ({N: N, NR: B, R: B, B: B, W: B}, ""),
    Trigger.ended: ({N: N, NR: NR, R: R, B: W, W: W}, ""),
    Trigger.withdrawn: ({N: N, NR: NR, R: R, B: R, W: W}, ""),
    Trigger.unanswered: ({N: N, NR: NR, R: NR, B: NR, W: NR}, ""),
    Trigger.phone_lost: ({N: N, NR: NR, R: NR, B: B, W: NR}, ""),
    Trigger.expired: ({N: N, NR: NR, R: R, B: B, W: R}, ""),
}
"""A contact's trigger is shown for a single call; chats at hand and a state asked for meanwhile come to it."""


def apply(
    state: AgentState,
    trigger: Trigger,
    at: datetime,
    *,
    reason: str = "",
    by: str = "",
    contact: tuple[str, str] | None = None,
    until: datetime | None = None,
    wrap_up: timedelta = WRAP_UP,
    max_extensions: int = MAX_EXTENSIONS,
) -> AgentState:
    """The state after `trigger` at `at`; the same state when there is nothing to change.

    reason: required for not_ready and the leader's operations. by: the leader's 工号. contact: (channel, id), required
    for offered, dialled, found, ended, withdrawn, unanswered (TypeError without). until: planned end of a rest.
    wrap_up: length of wrap-up and of its extension. Raises TransitionRefused; `refusal` tells beforehand.
    """
    code = refusal(state, trigger, reason=reason, contact=contact, max_extensions=max_extensions)
    if code:
        raise TransitionRefused(code, state.state, trigger)
    if trigger in CONTACT_TRIGGERS:
        if contact is None:
            raise TypeError(f"{trigger} needs a contact")
        return CONTACT_TRIGGERS[trigger](state, at, contact, wrap_up)
    if trigger is Trigger.expired and state.state is not W:
        return state
    if trigger is Trigger.phone_lost:
        if state.state is NR:  # a meal stays a meal
            return state
        reason = PHONE_OFFLINE
    if trigger is Trigger.lift_pause:
        lifted = _enter(state, NR, at, reason="pause_lifted", by=by) if state.state is NR else state
        return replace(lifted, is_paused=False, resume=(NR, "pause_lifted"))
    if state.state is B:
        return _ask_for_later(state, trigger, reason, by)
    if trigger in (Trigger.wrap_up_done, Trigger.expired):
        return _leave_wrap_up(state, at)
    if trigger is Trigger.extend_wrap_up:
        return replace(state, until=(state.until or at) + wrap_up, extensions=state.extensions + 1)
    if trigger is Trigger.wrap_up:
        if state.state is W:
            return state
        return _enter(state, W, at, until=at + wrap_up, resume=(state.state, state.reason))
    if trigger is Trigger.force_pause:
        return replace(_enter(state, NR, at, reason=PAUSED, by=by), is_paused=True)
    target = TABLE[trigger][0][state.state]
    if trigger is Trigger.sign_in:
        reason = SIGNED_IN
    if target is state.state and (target in (N, R) or (reason == state.reason and until == state.until)):
        return state
    if target is NR and state.is_paused:  # a pause is not talked away by another reason
        return state
    return _enter(state, target, at, reason=reason, by=by, until=until if target is NR else None)


def refusal(
    state: AgentState,
    trigger: Trigger,
    *,
    reason: str | None = None,
    contact: tuple[str, str] | None = None,
    max_extensions: int = MAX_EXTENSIONS,
) -> str:
    """Why `trigger` would be refused now: a code for machines, "" when it would be carried out.

    With `reason` None the question of a missing reason is left open, as for buttons.
    """
    targets, other = TABLE[trigger]
    if trigger in (Trigger.offered, Trigger.dialled) and contact in state.contacts:
        return ""  # asked for twice
    if state.state not in targets:
        if state.state is N and trigger is not Trigger.sign_in:
            return "signed_out"
        if state.state is B and other == "not_idle":
            return "on_a_call"
        return other
    if trigger in NEEDS_REASON and reason is not None and not reason.strip():
        return "reason_needed"
    if state.is_paused and trigger in (Trigger.ready, Trigger.force_ready, Trigger.wrap_up, Trigger.dialled):
        return "paused"
    if trigger is Trigger.lift_pause and not state.is_paused:
        return "not_paused"
    if trigger is Trigger.extend_wrap_up and state.extensions >= max_extensions:
        return "extended_already"
    if trigger is Trigger.offered and contact is not None and not state.can_take(contact[0]):
        return "no_capacity"
    return ""


def allowed(state: AgentState) -> list[Trigger]:
    """What the agent or his leader may do now, in the table's order: for buttons."""
    return [trigger for trigger in TABLE if trigger not in HAPPENINGS and not refusal(state, trigger)]


def expire(state: AgentState, now: datetime) -> AgentState:
    """The state at `now`: a wrap-up that has run out led on, at its own end, not at `now`."""
    if state.state is W and state.until is not None and state.until <= now:
        return apply(state, Trigger.expired, state.until)
    return state


def triggers_of(event: Event, was_answered: bool) -> tuple[Trigger, ...]:
    """What a PBX event means for the agent it names, in order; empty when it does not concern his state.

    was_answered: whether the event's connection had been answered. The contact is ("voice", event.call_id). Apply
    `offered` or `dialled` before the command is given; the events then confirm it.
    """
    if isinstance(event, Delivered | Originated | Established | Held | Retrieved):
        return (Trigger.found,)
    if isinstance(event, ConnectionCleared | Diverted | Failed):
        if was_answered:
            return (Trigger.ended,)
        if event.cause is Cause.not_obtainable and isinstance(event, Failed):
            return (Trigger.withdrawn, Trigger.phone_lost)
        return (Trigger.unanswered if event.cause is Cause.rona else Trigger.withdrawn,)
    return (Trigger.phone_lost,) if isinstance(event, DeviceOffline) else ()


# --- inside -----------------------------------------------------------------------------------------------------------


def _enter(
    state: AgentState,
    target: State,
    at: datetime,
    *,
    reason: str = "",
    by: str = "",
    until: datetime | None = None,
    resume: tuple[State, str] = (State.ready, ""),
) -> AgentState:
    return replace(
        state,
        state=target,
        reason=reason,
        since=at,
        by=by,
        until=until,
        resume=resume,
        next_state=None,
        extensions=0,
        is_paused=state.is_paused and target is not N,
        contacts=frozenset() if target is N else state.contacts,
    )


def _ask_for_later(state: AgentState, trigger: Trigger, reason: str, by: str) -> AgentState:
    wanted = {Trigger.ready: R, Trigger.force_sign_out: N}.get(trigger, NR)
    if state.next_state is not None and state.next_state[0] is N:
        return state  # a forced sign-out stands
    return replace(state, next_state=(wanted, reason), by=by or state.by)


def _after_contacts(state: AgentState, at: datetime) -> AgentState:
    target, reason = state.next_state or state.resume
    return _enter(state, target, at, reason=reason, by=state.by if state.next_state else "")


def _leave_wrap_up(state: AgentState, at: datetime) -> AgentState:
    target, reason = state.resume
    return _enter(state, target, at, reason=reason)


def _take(state: AgentState, at: datetime, contact: tuple[str, str], wrap_up: timedelta) -> AgentState:
    if contact in state.contacts or state.state is N:
        return state
    contacts = state.contacts | {contact}
    is_full = contact[0] == "voice" or not any(
        channel != "voice" and sum(of == channel for of, _ in contacts) < size
        for channel, size in state.capacity.items()
    )
    if not is_full:
        return replace(state, contacts=contacts)
    if state.state is B:  # found on a second call
        return replace(state, contacts=contacts)
    resume = state.resume if state.state is W else (state.state, state.reason)
    return replace(_enter(state, B, at, resume=resume), contacts=contacts)


def _end(state: AgentState, at: datetime, contact: tuple[str, str], wrap_up: timedelta) -> AgentState:
    if contact not in state.contacts:
        return state
    left = replace(state, contacts=state.contacts - {contact})
    if state.state is not B:
        return left
    if left.load("voice"):
        return left
    if contact[0] != "voice":  # a chat ended: there is room again; no wrap-up while others go on
        return _after_contacts(left, at)
    target, reason = left.next_state or left.resume
    if target is N:
        return _after_contacts(left, at)
    return _enter(left, W, at, until=at + wrap_up, resume=(target, reason))


def _withdraw(state: AgentState, at: datetime, contact: tuple[str, str], wrap_up: timedelta) -> AgentState:
    if contact not in state.contacts:
        return state
    left = replace(state, contacts=state.contacts - {contact})
    if state.state is not B or left.load("voice"):
        return left
    return _after_contacts(left, at)


def _rona(state: AgentState, at: datetime, contact: tuple[str, str], wrap_up: timedelta) -> AgentState:
    if contact not in state.contacts:
        return state
    left = replace(state, contacts=state.contacts - {contact})
    if left.load("voice"):
        return left
    if state.next_state is not None and state.next_state[0] is N:
        return _after_contacts(left, at)
    return _enter(left, NR, at, reason=NO_ANSWER)


CONTACT_TRIGGERS = {
    Trigger.offered: _take,
    Trigger.dialled: _take,
    Trigger.found: _take,
    Trigger.ended: _end,
    Trigger.withdrawn: _withdraw,
    Trigger.unanswered: _rona,
}
HAPPENINGS = frozenset(CONTACT_TRIGGERS) | {Trigger.phone_lost, Trigger.expired}
