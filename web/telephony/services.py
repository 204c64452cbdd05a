"""What people ask of their phone: checked against the rows at once, then written down for the CTI process.

A refusal that the rows can tell is told at once (403, 409); what only the PBX knows comes back on the topic `phone`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from cti.agent_states import AgentState, State, TransitionRefused, Trigger, apply, expire, refusal
from web.accounts import services as accounts
from web.accounts.models import User
from web.agents import states
from web.agents.events import SeatLeft
from web.agents.models import AgentProfile, Extension
from web.calls import services as calls
from web.calls.models import Call, CallLeg, Command
from web.common import clock, seals
from web.common.audit import audit
from web.common.errors import BadInput, DomainError, NotAllowed, NotFound
from web.common.scope import scope
from web.customers import services as customers
from web.customers.models import Customer
from web.tickets.models import Ticket
from web.workflow.models import UserTask

from . import runner, scenarios
from .rows import STATE_COMMANDS

VERBS = {
    "answer": "answer",
    "hang-up": "hang_up",
    "hold": "hold",
    "retrieve": "retrieve",
    "mute": "mute",
    "unmute": "unmute",
}
"""What the phone bar can do with a call: word of the address → name of the command."""

FITS = {
    "answer": ("ringing",),
    "hang_up": ("ringing", "talking", "held"),
    "hold": ("talking", "held"),
    "retrieve": ("talking", "held"),
    "mute": ("talking", "held"),
    "unmute": ("talking", "held"),
}
"""States of the own part of the call in which a command makes sense; asking for what is so already is not an error."""


class WrongState(DomainError):
    """The call is not in a state for this. Facts: state = what it is in."""

    code, status = "wrong_state", 409


class NoPhone(DomainError):
    """The user has no phone to do this with."""

    code, status = "no_phone", 403


def agent_of(user: User) -> AgentProfile:
    """The user's agent row. NoPhone for users who work without one."""
    profile = AgentProfile.objects.select_related("user").filter(user=user).first()
    if profile is None:
        raise NoPhone()
    return profile


# --- the agent's own state ---------------------------------------------------------------------------------------
def expected(profile: AgentProfile, now: datetime) -> AgentState:
    """The state as it will be when the wishes already written have been carried out."""
    state = expire(states.read(profile), now)
    waiting = Command.objects.filter(agent=profile, state=Command.SENT, name__in=STATE_COMMANDS).order_by("id")
    for name, params in waiting.values_list("name", "params"):
        try:
            state = apply(state, STATE_COMMANDS[name], now, reason=params.get("reason", ""))
        except TransitionRefused:
            continue
    return state


def sign_in(user: User, *, groups: list[str], skills: list[str]) -> Command:
    """Enter the queues of these skill groups with these skills; signed in already: change both (A-57, S-10)."""
    profile = agent_of(user)
    if not profile.extension:
        raise DomainError("no_seat")
    states.check_choice(profile, groups, skills)
    return _write(profile, "sign_in", groups=list(dict.fromkeys(groups)), skills=list(dict.fromkeys(skills)))


def sign_out(user: User) -> Command:
    """Leave the queues. Refused during a call (A-64): on_a_call."""
    return _wish(agent_of(user), "sign_out")


def set_state(user: User, *, state: str, reason: str = "", minutes: int | None = None) -> Command:
    """ready, not_ready or rest. During a call: what comes after it. BadInput for a reason that is not configured.

    minutes: planned length of a rest, at most what its reason allows.
    """
    profile = agent_of(user)
    if state == "ready":
        return _wish(profile, "ready")
    if state not in ("not_ready", "rest"):
        raise BadInput("bad_state", fields={"state": [{"code": "unknown"}]})
    row = states.pause_reason(state, reason)
    until = None
    if state == "rest":
        length = min(minutes, row.max_minutes) if minutes else row.max_minutes
        until = (clock.now() + timedelta(minutes=length)).isoformat()
    return _wish(profile, "not_ready", reason=row.key, until=until)


def wrap_up(user: User, *, action: str) -> Command:
    """start, extend (once, counted, for who may) or end the wrap-up (S-07)."""
    if action not in ("start", "extend", "end"):
        raise BadInput("bad_action", fields={"action": [{"code": "unknown"}]})
    profile = agent_of(user)
    if action == "extend":
        accounts.require(user, "telephony.extend_wrap_up")
    if action == "start" and expected(profile, clock.now()).state is State.busy:
        return _write(profile, "wrap_up_start")
    return _wish(profile, f"wrap_up_{action}")


def _wish(profile: AgentProfile, name: str, **params: Any) -> Command:
    code = refusal(expected(profile, clock.now()), STATE_COMMANDS[name], reason=params.get("reason"))
    if code:
        raise DomainError(code)
    return _write(profile, name, **params)


@transaction.atomic
def _write(profile: AgentProfile | None, name: str, *, call: Call | None = None, **params: Any) -> Command:
    command = calls.command(profile, name, call=call, **params)
    transaction.on_commit(runner.wake)
    return command


# --- calls -------------------------------------------------------------------------------------------------------
def click(user: User, call_id: int, verb: str) -> Command:
    """A button of the phone bar. NotFound: no such call at this agent's phone or in his sight; NotAllowed: somebody else's
    call; WrongState, or call_ended."""
    profile = agent_of(user)
    call = Call.objects.filter(pk=call_id).first()
    if call is None:
        raise NotFound()
    leg = calls.leg_of(call, profile)
    if leg is None:
        if scope(Call.objects.filter(pk=call_id), user).exists():
            raise NotAllowed("not_your_call")
        raise NotFound()
    if leg.ended_at is not None:
        raise DomainError("call_ended")
    name = VERBS[verb]
    state = "ringing" if leg.answered_at is None else "held" if leg.held_since else "talking"
    if state not in FITS[name] or (name == "answer" and is_caller(call, leg)):
        raise WrongState(state=state)
    return _write(profile, name, call=call)


def is_caller(call: Call, leg: CallLeg) -> bool:
    """Whether this part of the call dialled it: there is nothing to answer."""
    return call.direction != Call.IN and leg.seq == 1


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to dial: E.164 or an extension, and what the call is for."""

    number: str
    ticket: str | None = None
    customer: int | None = None


def dial(
    user: User,
    *,
    to: str = "",
    customer: int | None = None,
    ticket: str = "",
    task: int | None = None,
) -> Command:
    """Make a call (S-11, A-67, A-68): to a number, a colleague (工号 or extension), a customer, or for a ticket or task.

    Needs telephony.dial, except for colleagues. Refused as the agent's state refuses it (signed_out, on_a_call, paused).
    """
    profile = agent_of(user)
    target = _target(user, to=to, customer=customer, ticket=ticket, task=task)
    if not _is_extension(target.number):
        accounts.require(user, "telephony.dial")
    if not profile.extension:
        raise DomainError("no_seat")
    call_id = uuid.uuid4().hex
    code = refusal(expected(profile, clock.now()), Trigger.dialled, contact=("voice", call_id))
    if code:
        raise DomainError(code)
    with transaction.atomic():
        subject = f"ticket:{target.ticket}" if target.ticket else f"user:{user.number}"
        audit("call.dialled", subject, actor=user, person=f"customer:{target.customer}" if target.customer else "")
        return _write(
            profile,
            "dial",
            number=seals.seal(target.number, bound_to="command"),
            call_id=call_id,
            ticket=target.ticket,
            customer=target.customer,
        )


def _is_extension(number: str) -> bool:
    return Extension.objects.filter(number=number, is_active=True).exists()


def _target(user: User, *, to: str, customer: int | None, ticket: str, task: int | None) -> Target:
    if task is not None:
        row = scope(UserTask.objects.filter(pk=task), user).first()
        found = Ticket.objects.filter(instance=row.instance_id).first() if row else None
        if found is None:
            raise NotFound()
        return _of_ticket(found)
    if ticket:
        found = scope(Ticket.objects.filter(number=ticket), user).first()
        if found is None:
            raise NotFound()
        return _of_ticket(found)
    if customer is not None:
        person = scope(Customer.objects.filter(pk=customer), user).prefetch_related("phones").first()
        number = customers.main_number(person) if person else None
        if person is None:
            raise NotFound()
        return Target(_dialable(number), customer=person.pk)
    text = to.strip()
    if not text:
        raise BadInput("number_required", fields={"to": [{"code": "required"}]})
    colleague = AgentProfile.objects.filter(user__number=text, user__is_active=True).first()
    if colleague is not None:
        if not colleague.extension:
            raise DomainError("colleague_away")
        return Target(colleague.extension)
    if _is_extension(text):
        return Target(text)
    return Target(_dialable(customers.normalise(text)))


def _of_ticket(ticket: Ticket) -> Target:
    return Target(_dialable(ticket.caller), ticket=ticket.number, customer=ticket.customer_id)


def _dialable(number: str | None) -> str:
    if not number:
        raise BadInput("bad_number", fields={"to": [{"code": "bad_number"}]})
    return number


# --- the demo panel ----------------------------------------------------------------------------------------------
def demo_call(what: str) -> Command:
    """Somebody rings in, on the simulator: one of `scenarios.CALLS`."""
    _only_simulated()
    if what not in scenarios.CALLS:
        raise BadInput("unknown_call", fields={"what": [{"code": "unknown"}]})
    return _write(None, "demo_call", what=what)


def demo_scenario(name: str) -> Command:
    """Play a scenario from its beginning; "" ends the one that is playing."""
    _only_simulated()
    if name and not scenarios.exists(name):
        raise NotFound("unknown_scenario")
    wrong = scenarios.fault(name) if name else ""
    if wrong:
        raise BadInput("bad_scenario", reason=wrong)
    return _write(None, "demo_scenario", scenario=name)


def _only_simulated() -> None:
    if not scenarios.is_possible():
        raise DomainError("not_a_simulator")


# --- heard from below --------------------------------------------------------------------------------------------
def seat_left(event: SeatLeft) -> None:
    """Somebody logged out or was taken over: his phone signs out at once, or after his call. The next second would see it too."""
    runner.wake()
