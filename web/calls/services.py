"""Calls as facts (DATA A3): what the switch tells becomes rows, once, in one transaction with the work it causes.

The rows of a call are the fold (`cti.fold`) of its stored events. So a repeated event changes nothing, a late one is put
where it belongs, and everything can be computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Q, Sum

from cti import events as e
from cti.fold import CallState, LegState, fold
from cti.model import OUTSIDE, ConnectionState, Direction
from web.agents.models import AgentProfile
from web.common import clock, seals
from web.common.audit import audit
from web.common.errors import BadInput
from web.common.masking import mask_number
from web.common.models import Mark
from web.common.names import both
from web.common.publishing import publish
from web.common.scope import scope
from web.customers import services as customers
from web.jobs import services as jobs

from .events import CallAnswered, CallChanged, CallCleared, CallDelivered, CallQueued
from .models import Call, CallEvent, CallLeg, Command, Purpose, PurposeSubtype, QueueVisit

MISSED = ("abandoned", "no_answer")
"""Outcomes of an inbound call that somebody must call back; "short" (given up within 5 s) is not one (DATA A7)."""

WRAP_UP_AT_MOST = timedelta(hours=8)

FACTS = (
    "direction",
    "outcome",
    "slot",
    "started_at",
    "answered_at",
    "ended_at",
    "first_queue",
    "last_queue",
    "wait_ms",
    "ring_ms",
    "talk_ms",
    "hold_ms",
    "holds",
    "transfers",
)
LEG_FACTS = (
    "slot",
    "offered_at",
    "answered_at",
    "ended_at",
    "held_since",
    "state_since",
    "is_muted",
    "ring_ms",
    "talk_ms",
    "hold_ms",
    "result",
)
VISIT_FACTS = ("queue", "slot", "entered_at", "left_at", "wait_ms", "result")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `record` made of an event. was_answered: whether the event's connection had been answered before it."""

    call: Call
    state: CallState
    is_new: bool
    leg: CallLeg | None = None
    was_answered: bool = False


# --- one event ---------------------------------------------------------------------------------------------------


@transaction.atomic
def record(event: e.Event, *, ticket_ref: str | None = None, customer_id: int | None = None) -> Recorded | None:
    """Fold one switch event into Call, CallLeg, QueueVisit, CallEvent and Marks, with the jobs and messages it causes.

    None for events that are of no call. An event that was recorded before changes nothing (`is_new` False). ticket_ref and
    customer_id: what a call that an agent dials is for, used at its first sight.
    """
    if not event.call_id:
        return None
    call = next(iter(Call.objects.select_for_update().filter(pbx_id=event.pbx_id)), None)
    if call is None:
        call = _first_sight(event, ticket_ref, customer_id)
        stored: list[CallEvent] = []
    else:
        stored = list(call.events.order_by("seq"))
    facts = e.to_dict(event)
    known = [row.facts for row in stored]
    before = fold(e.from_dict(one) for one in known) if known else None
    legs = {leg.connection: leg for leg in call.legs.all()} if stored else {}
    leg = legs.get(getattr(event, "connection", ""))
    was_answered = bool(leg and leg.answered_at)
    if facts in known:
        return Recorded(call, before, False, leg, was_answered)  # type: ignore[arg-type]
    CallEvent.objects.create(
        call=call, seq=len(stored) + 1, kind=type(event).__name__, at=event.at, facts=facts, recorded_at=clock.now()
    )
    state = fold(e.from_dict(one) for one in (*known, facts))
    slots = {call.slot} | _write_call(call, state) | _write_legs(call, state, legs) | _write_visits(call, state)
    Mark.objects.bulk_create([Mark(slot=slot) for slot in sorted(slots)])
    _cause(call, event, state, before, legs)
    return Recorded(call, state, True, legs.get(getattr(event, "connection", "")), was_answered)


def state_of(call: Call) -> CallState:
    """The call's fold, from its stored events; numbers in it are blank."""
    return fold(e.from_dict(facts) for facts in call.events.order_by("seq").values_list("facts", flat=True))


def open_states() -> list[CallState]:
    """Every call that is open as far as we know: what a resync compares with the switch."""
    return [state_of(call) for call in Call.objects.filter(ended_at=None).order_by("id")]


def _first_sight(event: e.Event, ticket_ref: str | None, customer_id: int | None) -> Call:
    direction = getattr(event, "direction", Direction.inbound)
    calling, called = getattr(event, "calling", ""), getattr(event, "called", "")
    call = Call(
        call_id=event.call_id,
        pbx_id=event.pbx_id,
        direction=str(direction),
        slot=clock.slot(event.at),
        started_at=event.at,
        ticket_ref=ticket_ref or None,
        customer_id=customer_id,
    )
    if direction is Direction.internal:
        call.called = call.number_masked = called
    else:
        _other_party(call, calling if direction is Direction.inbound else called)
        call.called = called if direction is Direction.inbound else None
    call.party_key = _party_key(call)
    call.save(force_insert=True)
    return call


def _party_key(call: Call) -> str | None:
    """Who the other party is for counting people (DATA A3): the customer, else whoever has the number; None when withheld or ours."""
    if call.customer_id:
        return f"customer:{call.customer_id}"
    return f"number:{call.number_token}" if call.number_token else None


def _other_party(call: Call, number: str) -> None:
    """Number, region, and whose it is: the customer when it is one person's only, his own agent for the distribution."""
    if not number:
        return
    plain = customers.normalise(number)
    call.number = plain or number
    call.number_token = seals.blind(call.number, kind="number")
    call.number_masked = mask_number(call.number)
    if plain is None:
        return
    area = customers.area_of(plain) or {}
    call.province, call.city, call.carrier = (area.get(part) or None for part in ("province", "city", "carrier"))
    found = customers.find_by_number(plain)
    if call.customer_id is None and len(found) == 1:
        call.customer = found[0]
    owners = {one.owner.number for one in found if one.owner is not None and one.owner.is_active}
    if len(owners) == 1:
        call.owner_agent = owners.pop()


def _changed(row: Any, values: dict[str, Any]) -> list[str]:
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return changed


def _write_call(call: Call, state: CallState) -> set[int]:
    values = {
        "direction": str(state.direction),
        "outcome": state.outcome or None,
        "slot": clock.slot(state.started_at),
        "started_at": state.started_at,
        "answered_at": state.answered_at,
        "ended_at": state.ended_at,
        "first_queue": state.first_queue or None,
        "last_queue": state.queue or None,
        "wait_ms": state.wait_ms,
        "ring_ms": state.ring_ms,
        "talk_ms": state.talk_ms,
        "hold_ms": state.hold_ms,
        "holds": state.holds,
        "transfers": sum(leg.result == "transferred_out" for leg in state.legs),
    }
    changed = _changed(call, values)
    if changed:
        call.save(update_fields=changed)
    return {call.slot} if changed else set()


def _leg_values(leg: LegState) -> dict[str, Any]:
    return {
        "slot": clock.slot(leg.offered_at),
        "offered_at": leg.offered_at,
        "answered_at": leg.answered_at,
        "ended_at": leg.ended_at,
        "held_since": leg.since if leg.state is ConnectionState.hold else None,
        "state_since": leg.since,
        "is_muted": leg.is_muted,
        "ring_ms": leg.ring_ms,
        "talk_ms": leg.talk_ms,
        "hold_ms": leg.hold_ms,
        "result": leg.result or None,
    }


def _write_legs(call: Call, state: CallState, legs: dict[str, CallLeg]) -> set[int]:
    slots = set()
    for leg in state.legs:
        row = legs.get(leg.connection)
        if row is None:
            agent = AgentProfile.objects.filter(user__number=leg.agent).first() if leg.agent else None
            row = CallLeg(
                call=call,
                seq=len(legs) + 1,
                connection=leg.connection,
                agent=agent,
                device=leg.device,
                **_leg_values(leg),
            )
            row.save(force_insert=True)
            legs[leg.connection] = row
            slots.add(row.slot)
            continue
        changed = _changed(row, _leg_values(leg))
        if changed:
            row.save(update_fields=changed)
            slots.add(row.slot)
    return slots


def _write_visits(call: Call, state: CallState) -> set[int]:
    if not state.visits:
        return set()
    slots = set()
    rows = list(call.visits.order_by("id"))
    for index, visit in enumerate(state.visits):
        values = {
            "queue": visit.queue,
            "slot": clock.slot(visit.entered_at),
            "entered_at": visit.entered_at,
            "left_at": visit.left_at,
            "wait_ms": visit.wait_ms,
            "result": visit.result or None,
        }
        if index >= len(rows):
            position = QueueVisit.objects.filter(queue=visit.queue, left_at=None).count() + 1
            QueueVisit.objects.create(call=call, position=position, **values)
            slots.add(values["slot"])
            continue
        changed = _changed(rows[index], values)
        if changed:
            rows[index].save(update_fields=changed)
            slots.add(rows[index].slot)
    return slots


def _cause(call: Call, event: e.Event, state: CallState, before: CallState | None, legs: dict[str, CallLeg]) -> None:
    """What must follow (rows, in this transaction) and what is told (after it)."""
    here = tuple(leg.agent_id for leg in legs.values() if leg.agent_id and leg.ended_at is None)
    leg = legs.get(getattr(event, "connection", ""))
    own = (leg.agent_id,) if leg is not None and leg.agent_id else ()
    concerned = tuple(dict.fromkeys((*own, *here)))
    if isinstance(event, e.CallCleared):
        if before is None or before.is_open:
            _ended(call)
        publish(CallCleared(call.pk, tuple(dict.fromkeys(row.agent_id for row in legs.values() if row.agent_id))))
    elif isinstance(event, e.RouteRequested):
        return
    elif isinstance(event, e.Queued):
        publish(CallQueued(call.pk))
    elif isinstance(event, e.Delivered) and event.device != OUTSIDE:
        if call.direction == Call.IN and state.is_open:
            _enqueue("call.delivered", call, f"call.delivered:{call.pk}:{leg.seq if leg else 0}", agent=event.agent)
        publish(CallDelivered(call.pk, own))
    elif isinstance(event, e.Originated):
        publish(CallDelivered(call.pk, own))
    elif isinstance(event, e.Established):
        publish(CallAnswered(call.pk, concerned))
    elif concerned:
        publish(CallChanged(call.pk, concerned))


def _ended(call: Call) -> None:
    if call.direction == Call.INTERNAL or call.outcome == "blocked":
        return
    _enqueue("call.ended", call, f"call.ended:{call.pk}")
    if call.direction == Call.IN and call.outcome in MISSED:
        _enqueue("call.missed", call, f"call:{call.pk}")


def _enqueue(topic: str, call: Call, key: str, **more: str) -> None:
    jobs.enqueue(topic, key=key, subject=f"call:{call.pk}", payload={"call": call.pk, **more})


# --- after a call ------------------------------------------------------------------------------------------------


@transaction.atomic
def end_wrap_up(agent: AgentProfile, at: datetime) -> list[int]:
    """The agent is through with what he has talked: close the wrap-up of his segments at `at`. Returns the calls' keys.

    Wrap-up counts for the segment's slot (DATA A7) and ends at the latest with sign-out.
    """
    calls = []
    for leg in _in_wrap_up(agent, at).order_by("id"):
        span = max(0, (at - leg.ended_at) // timedelta(milliseconds=1))
        leg.acw_ms, leg.acw_ended_at = span, max(at, leg.ended_at)
        leg.save(update_fields=["acw_ms", "acw_ended_at"])
        Call.objects.filter(pk=leg.call_id).update(acw_ms=F("acw_ms") + span)
        started = Call.objects.filter(pk=leg.call_id).values_list("slot", flat=True).get()
        Mark.objects.bulk_create([Mark(slot=slot) for slot in sorted({leg.slot, started})])
        calls.append(leg.call_id)
    return calls


@transaction.atomic
def count_extension(agent: AgentProfile, at: datetime) -> None:
    """The wrap-up was extended (S-07): counted at the segments it follows, and kept with who did it also when it follows none."""
    legs = _in_wrap_up(agent, at)
    slots = sorted(set(legs.values_list("slot", flat=True)))
    legs.update(acw_extensions=F("acw_extensions") + 1)
    Mark.objects.bulk_create([Mark(slot=slot) for slot in slots])
    audit("agent.wrap_up_extended", f"user:{agent.user.number}", actor=agent.user)


def _in_wrap_up(agent: AgentProfile, at: datetime) -> Any:
    since = clock.slot(at - WRAP_UP_AT_MOST)
    mine = CallLeg.objects.filter(agent=agent, slot__gte=since, acw_ended_at=None)
    return mine.filter(answered_at__isnull=False, ended_at__isnull=False)


@transaction.atomic
def note_decision(call_id: str, decision: dict[str, Any]) -> None:
    """Keep why a call rings where it rings, or waits (`cti.acd.Decision.explain`), with the call and its stay in the queue. call_id is ours."""
    Call.objects.filter(call_id=call_id).update(decision=decision)
    waits = QueueVisit.objects.filter(call__call_id=call_id, left_at=None)
    waits.update(reason=str(decision.get("reason") or "")[:40] or None)


@transaction.atomic
def tag(
    call: Call,
    *,
    purpose: str | None,
    acting_user: Any,
    subtype: str | None = None,
    relation: str | None = None,
    identity: str | None = None,
) -> Call:
    """Give the call its purpose (来电类型, at once its 话务标识) and sub-type. A later tag replaces the earlier one.

    BadInput: purpose_unknown, subtype_unknown. The slot is marked again, as reports count by purpose. Without a purpose
    (a call that somebody is to be called back about) nothing is tagged.
    """
    if not purpose:
        return call
    row = Purpose.objects.filter(key=purpose, is_active=True).first()
    if row is None:
        raise BadInput("purpose_unknown", fields={"purpose": [{"code": "unknown"}]})
    if subtype and not PurposeSubtype.objects.filter(purpose=row, key=subtype, is_active=True).exists():
        raise BadInput("subtype_unknown", fields={"subtype": [{"code": "unknown"}]})
    call.purpose, call.subtype = row.key, subtype or None
    call.relation, call.identity = relation or call.relation, identity or call.identity
    call.save(update_fields=["purpose", "subtype", "relation", "identity"])
    Mark.objects.create(slot=call.slot)
    audit("call.tagged", f"call:{call.pk}", actor=acting_user, purpose=row.key, subtype=subtype or "")
    publish(CallChanged(call.pk, agents_on(call)))
    return call


@transaction.atomic
def set_customer(call: Call, customer: Any, *, acting_user: Any) -> Call:
    """The agent found out whose call it is (chosen among several, or registered now)."""
    call.customer = customer
    call.party_key = _party_key(call)
    call.save(update_fields=["customer", "party_key"])
    audit("call.customer_set", f"call:{call.pk}", actor=acting_user, person=f"customer:{customer.pk}")
    Mark.objects.create(slot=call.slot)
    publish(CallChanged(call.pk, agents_on(call)))
    return call


def agents_on(call: Call) -> tuple[int, ...]:
    """AgentProfile keys of those who have the call on their screen: on it, or in wrap-up after it."""
    rows = call.legs.filter(Q(ended_at=None) | Q(answered_at__isnull=False, acw_ended_at=None), agent__isnull=False)
    return tuple(dict.fromkeys(rows.order_by("seq").values_list("agent_id", flat=True)))


# --- commands ----------------------------------------------------------------------------------------------------


@transaction.atomic
def command(agent: AgentProfile | None, name: str, *, call: Call | None = None, **params: Any) -> Command:
    """Write down a wish for telephony to carry out. No number in plain: seal it first."""
    return Command.objects.create(agent=agent, name=name, call=call, params=params, created_at=clock.now())


# --- questions ---------------------------------------------------------------------------------------------------


def leg_of(call: Call, agent: AgentProfile) -> CallLeg | None:
    """The agent's part in the call: the open one, else his latest."""
    legs = [leg for leg in call.legs.all() if leg.agent_id == agent.pk]
    return max(legs, key=lambda leg: (leg.ended_at is None, leg.seq), default=None)


def calls_of(agent: AgentProfile) -> list[Call]:
    """What is on the agent's screen: calls he is on now and those whose wrap-up he is in, oldest first."""
    mine = CallLeg.objects.filter(agent=agent)
    open_legs = mine.filter(ended_at=None).values("call")
    wrapping = mine.filter(
        slot__gte=clock.slot(clock.now() - WRAP_UP_AT_MOST),
        answered_at__isnull=False,
        ended_at__isnull=False,
        acw_ended_at=None,
    ).values("call")
    rows = Call.objects.filter(Q(pk__in=open_legs) | Q(pk__in=wrapping)) if agent.state == AgentProfile.ACW else (
        Call.objects.filter(pk__in=open_legs)
    )  # fmt: skip
    return list(rows.prefetch_related("legs").order_by("started_at", "id"))


def waiting() -> Any:
    """Open queue visits of inbound calls nobody has answered, with their calls, longest first."""
    rows = QueueVisit.objects.filter(left_at=None, call__ended_at=None, call__answered_at=None)
    return rows.select_related("call").order_by("entered_at", "id")


def missed(user: Any, *, days: int = 7, limit: int = 200) -> list[dict[str, Any]]:
    """Unanswered inbound calls the user may see, newest first, one row per number: {call, number, area, at, queue, times, token}."""
    since = clock.slot(clock.now() - timedelta(days=days))
    lost = Call.objects.filter(slot__gte=since, direction=Call.IN, outcome__in=MISSED)
    rows = scope(lost, user).values("number_token").annotate(latest=Max("id"), times=Count("id"))
    times = {row["latest"]: row["times"] for row in rows.order_by("-latest")[:limit]}
    return [
        {
            "call": str(call.pk),
            "number": call.number_masked or "",
            "area": area_view(call),
            "at": call.ended_at,
            "queue": call.last_queue,
            "times": times[call.pk],
            "token": call.number_token,
        }
        for call in Call.objects.filter(pk__in=times).order_by("-id")
    ]


def area_view(call: Call) -> dict[str, str] | None:
    if not (call.province or call.city or call.carrier):
        return None
    return {"province": call.province or "", "city": call.city or "", "carrier": call.carrier or ""}


def view(call: Call, agent: AgentProfile | None) -> dict[str, Any]:
    """CallView as this agent's phone shows it; what rooms above know (card, tasks, tickets, names) is empty here.

    state: ringing (also dialling), talking, held or ended, of the agent's own part.
    """
    leg = leg_of(call, agent) if agent is not None else None
    ended = leg.ended_at if leg is not None else call.ended_at
    if ended is not None:
        state = "ended"
    elif leg is None or leg.answered_at is None:
        state = "ringing"
    else:
        state = "held" if leg.held_since else "talking"
    return {
        "id": str(call.pk),
        "direction": "out" if call.direction == Call.DIALLER else call.direction,
        "state": state,
        "muted": bool(leg and leg.is_muted),
        "number": call.number_masked or "",
        "area": area_view(call),
        "queue": {"key": call.last_queue, "name": both(call.last_queue)} if call.last_queue else None,
        "called": call.called or "",
        "started_at": call.started_at,
        "answered_at": leg.answered_at if leg is not None else call.answered_at,
        "held_since": leg.held_since if leg is not None and ended is None else None,
        "state_since": (leg.state_since if leg is not None else None) or call.started_at,
        "ended_at": ended,
        "verified": False,
        "card": None,
        "candidates": [],
        "open_tasks": [],
        "tickets": [],
        "purpose": {"key": call.purpose, "subtype": call.subtype} if call.purpose else None,
        "history": None,
        "reason": (call.decision or {}).get("reason"),
    }


# --- what the room of customers asks ---------------------------------------------------------------------------


def number_of_call(call_id: Any, user: Any) -> str | None:
    """The other party's number (E.164) of a call the user may see, else None."""
    call = scope(Call.objects.filter(pk=call_id), user).first() if str(call_id).isdigit() else None
    return call.number if call else None


def attach_customer(call_id: Any, customer: Any, user: Any) -> None:
    """This customer is who called; nothing when the user may not see the call."""
    call = scope(Call.objects.filter(pk=call_id), user).first() if str(call_id).isdigit() else None
    if call is not None:
        set_customer(call, customer, acting_user=user)


def current_call(user: Any) -> int | None:
    """The key of the call the user is in now."""
    talking = CallLeg.objects.filter(agent__user=user, ended_at=None, answered_at__isnull=False)
    return talking.order_by("-id").values_list("call_id", flat=True).first()


def history(customer: Any, user: Any) -> list[dict[str, Any]]:
    """The customer's calls, newest first, as rows of his history; for somebody who may see the customer."""
    return [
        {
            "at": call.started_at,
            "kind": "call",
            "title": call.purpose or "",
            "state": call.outcome or "open",
            "duration_ms": call.talk_ms + call.hold_ms,
            "ref": str(call.pk),
            "direction": "in" if call.direction == Call.IN else "out",
        }
        for call in Call.objects.filter(customer=customer).order_by("-slot", "-id")[:50]
    ]


# --- purposes ----------------------------------------------------------------------------------------------------

_flows: Callable[[], Iterable[str]] = frozenset


def flows_from(lookup: Callable[[], Iterable[str]]) -> None:
    """An upper room says which flows can be started now: lookup() -> keys."""
    global _flows
    _flows = lookup


def purposes() -> list[dict[str, Any]]:
    """Active purposes in their order, with sub-types; one whose flow is not deployed is shown disabled with the reason."""
    startable = set(_flows())
    shown = []
    rows = Purpose.objects.filter(is_active=True).prefetch_related("subtypes").order_by("position", "id")
    for number, row in enumerate(rows, start=1):
        enabled = not row.flow or row.flow in startable
        subtypes = sorted((one for one in row.subtypes.all() if one.is_active), key=lambda one: (one.position, one.pk))
        shown.append(
            {
                "key": row.key,
                "title": {"zh": row.name, "en": row.name_en},
                "shortcut": number,
                "flow": row.flow or None,
                "enabled": enabled,
                "why_not": None if enabled else "flow_not_deployed",
                "subtypes": [{"key": one.key, "title": {"zh": one.name, "en": one.name_en}} for one in subtypes],
            }
        )
    return shown


def day_figures(since: datetime) -> dict[str, int]:
    """Offered, answered and abandoned queue visits that began at or after `since` (DATA A7: contact level)."""
    visits = QueueVisit.objects.filter(slot__gte=clock.slot(since), entered_at__gte=since)
    counted = visits.aggregate(
        offered=Count("id"),
        answered=Count("id", filter=Q(result="answered")),
        abandoned=Count("id", filter=Q(result="abandoned")),
        wait=Sum("wait_ms", filter=Q(result="answered")),
    )
    return {name: value or 0 for name, value in counted.items()}
