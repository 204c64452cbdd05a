"""Tickets: one per business case. Opening one starts its flow in the same transaction (ARCHITECTURE 4, row 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from web.accounts import services as accounts
from web.accounts.models import Group, User
from web.calls import services as calls
from web.calls.models import Call, Purpose
from web.common import audit, clock, seals
from web.common.errors import BadInput, DomainError, NotAllowed
from web.common.masking import mask_number
from web.common.publishing import publish
from web.customers import services as customers
from web.customers.models import Customer
from web.jobs import services as jobs
from web.routing.models import Queue
from web.workflow import services as workflow
from web.workflow.models import UserTask

from .events import TicketChanged, TicketOpened
from .models import Ticket, TicketCall, TicketSequence

MISSED_CALL = "missed_call"
LOW_RATING = "low_rating"
# Where a complaint comes from when nobody is on the phone (9.2).
COMPLAINT_SOURCES = ("wechat", "website", "email", LOW_RATING)
AGAIN = "outbound.again"
KEPT = timedelta(days=7)
# REQUIREMENTS 6.2: where an outbound task may come from. Gathered: one open ticket per source and number (S-46).
OUTBOUND_SOURCES = {
    MISSED_CALL: True,
    "website_registration": True,
    "website_order": False,
    "fax": False,
    "email": False,
    "website_message": False,
    "own": False,
    "wechat_registration": True,
    "voicemail": False,
    "return_visit": False,
    "waiting_list": False,
    "reminder": False,
}


class FlowNotDeployed(DomainError):
    """Nobody has drawn this flow yet, so no ticket of its kind can be opened."""

    code, status = "flow_not_deployed", 409


class NoNumber(DomainError):
    """The caller withheld the number: nothing can be dialled or listed."""

    code, status = "number_withheld", 409


class NothingToWithdraw(DomainError):
    """The application is decided, or its flow knows no withdrawal."""

    code, status = "nothing_to_withdraw", 409


class NotWaiting(DomainError):
    """The flow of this ticket is over, or draws nothing for this act."""

    code, status = "ticket_not_waiting", 409


class CannotMerge(DomainError):
    """`why`: same, other_kind, other_customer, closed (the one to merge into), merged (already)."""

    code, status = "cannot_merge", 409


class CustomerIsSet(DomainError):
    """Somebody has said meanwhile whose ticket it is."""

    code, status = "ticket_has_customer", 409


def next_number() -> str:
    """T20261122-0042: the day at the centre and a counter, each taken once (conditional update)."""
    day = clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).strftime("%Y%m%d")
    while True:
        row = TicketSequence.objects.filter(day=day).first()
        if row is None:
            try:
                with transaction.atomic():
                    row = TicketSequence.objects.create(day=day)
            except IntegrityError:
                continue
        if TicketSequence.objects.filter(pk=row.pk, next=row.next).update(next=F("next") + 1):
            return f"T{day}-{row.next:04d}"


@transaction.atomic
def open_ticket(
    *,
    acting_user: User | None,
    purpose: str | None = None,
    kind: str | None = None,
    call: Call | None = None,
    customer: Customer | None = None,
    number: str | None = None,
    source: str | None = None,
    summary: str = "",
    data: dict[str, Any] | None = None,
    gather_key: str | None = None,
    group: Group | None = None,
    relation: str | None = None,
    identity: str | None = None,
) -> Ticket:
    """Open a ticket for `purpose` (its flow) or directly of `kind` = flow key; the flow runs to its first user task.

    `number` is E.164 and defaults to the call's. `data` are further start data of the flow: keys and flags only, never personal values.
    FlowNotDeployed when no flow is behind the purpose; IntegrityError when an open ticket has the same gather_key.
    """
    flow = kind or _flow_of(purpose)
    if not workflow.flow_is_deployed(flow):
        raise FlowNotDeployed(flow=flow)
    number = number or (call.number if call else None)
    token = seals.blind(number, kind="number") if number else None
    group = group or _group_of(acting_user)
    ticket = Ticket.objects.create(
        number=next_number(),
        kind=flow,
        purpose=purpose,
        source=source,
        summary=summary or None,
        customer=customer,
        call=call,
        caller=number,
        caller_token=token,
        caller_masked=mask_number(number) or None,
        owner=acting_user,
        group=group,
        gather_key=gather_key,
        opened_by=acting_user,
    )
    if call:
        TicketCall.objects.create(ticket=ticket, call=call, role="opened")
        if customer and call.customer_id is None:  # a shared number: the agent has asked who it is
            calls.set_customer(call, customer, acting_user=acting_user)
        calls.tag(call, purpose=purpose, relation=relation, identity=identity, acting_user=acting_user)
    start_data = {
        **(data or {}),
        "customer": str(customer.pk) if customer else "",
        "number": token or "",
        "call": str(call.pk) if call else "",
        "opened_by": acting_user.number if acting_user else "",
        "group": group.key if group else "",
        "ticket": ticket.number,
        "source": source or ("call" if call else "own"),
        "kind": purpose or flow,
    }
    person = customer.subject if customer else ""
    audit.audit("ticket.opened", f"ticket:{ticket.pk}", actor=acting_user, person=person, kind=flow)
    instance = workflow.start(
        flow, key=ticket.key, data=start_data, acting_user=acting_user, person=person, before_run=_attach(ticket)
    )
    ticket.refresh_from_db()
    publish(TicketOpened(ticket.pk))
    assert ticket.instance_id == instance.pk  # noqa: S101 - the flow's verbs found their ticket through this link
    return ticket


def _attach(ticket: Ticket):
    def attach(instance) -> None:
        Ticket.objects.filter(pk=ticket.pk).update(instance=instance)

    return attach


def _flow_of(purpose: str | None) -> str:
    row = Purpose.objects.filter(key=purpose, is_active=True).first()
    if row is None:
        raise BadInput("unknown_purpose", fields={"purpose": [{"code": "unknown"}]})
    if not row.flow:
        raise FlowNotDeployed(flow=purpose)
    return row.flow


def _group_of(user: User | None) -> Group | None:
    if user is None:
        return None
    membership = user.memberships.select_related("group").order_by("pk").first()
    return membership.group if membership else None


def default_group_key() -> str:
    """Who takes work that nobody's customer and no queue points to: the group behind the first queue, else the whole centre."""
    queue = Queue.objects.select_related("skill_group__group").order_by("priority", "pk").first()
    group = (queue and queue.skill_group.group) or Group.objects.order_by("path").first()
    return group.key if group else ""


@transaction.atomic
def want_outbound(
    *,
    source: str,
    number: str | None,
    customer: Customer | None = None,
    call: Call | None = None,
    acting_user: User | None = None,
    group: Group | None = None,
) -> Ticket:
    """Somebody is to be called (9.4). The same number from the same gathering source adds to the open ticket instead of opening a second
    one (S-46): the flow hears `outbound.again` and counts, unless what was just answered ends it. NoNumber when there is nothing to dial."""
    if source not in OUTBOUND_SOURCES:
        raise BadInput("unknown_source", fields={"source": [{"code": "unknown"}]})
    if not number:
        raise NoNumber()
    key = f"{source}:{seals.blind(number, kind='number')}" if OUTBOUND_SOURCES[source] else None
    for last in (False, False, True):
        gathered = key and _add_to_open(key, call)
        if gathered:
            return gathered
        try:
            with transaction.atomic():
                return open_ticket(
                    acting_user=acting_user, kind="outbound_task", call=call, customer=customer, number=number,
                    source=source, gather_key=key, group=group,
                )  # fmt: skip
        except IntegrityError:  # another missed call of this number was quicker; its ticket may be over again by now
            if last or not key:
                raise
    raise AssertionError("unreachable")


def _add_to_open(key: str, call: Call | None) -> Ticket | None:
    """The open ticket that counts this call too. None when there is none, or when what was answered in it ends it at this moment."""
    ticket = Ticket.objects.open().filter(gather_key=key).first()
    if ticket is None:
        return None
    if call is not None and TicketCall.objects.filter(ticket=ticket, call=call).exists():
        return ticket
    identifier = f"{AGAIN}:{ticket.pk}:{call.pk if call else uuid4()}"
    payload = {"call": str(call.pk) if call else ""}
    counted = ticket.instance_id is not None and workflow.hand_over(
        ticket.instance_id, AGAIN, message_id=identifier, payload=payload
    )
    if not counted:
        if not Ticket.objects.open().filter(pk=ticket.pk).exists():
            return None
        # Its automatic work failed and is tried again: the flow hears of the call when it gets there.
        jobs.receive(AGAIN, message_id=identifier, business_key=ticket.key, payload=payload, ttl=KEPT)
    if call is not None:
        TicketCall.objects.get_or_create(ticket=ticket, call=call, defaults={"role": "gathered"})
    return ticket


@transaction.atomic
def complain(
    *, source: str, customer: Customer | None = None, call: Call | None = None, number: str | None = None
) -> Ticket:
    """A complaint nobody took down on the phone: written by WeChat, website or mail, or a call that was rated low (P-33; one for each
    call). It waits in the pool of the complaint's first lane. A blocked number is no reason to refuse it."""
    if source not in COMPLAINT_SOURCES:
        raise BadInput("unknown_source", fields={"source": [{"code": "unknown"}]})
    key = f"{source}:call:{call.pk}" if call else None
    if key and (known := Ticket.objects.filter(kind="complaint", source=source, call=call).first()):
        return known
    return open_ticket(
        acting_user=None, kind="complaint", customer=customer, call=call, number=number, source=source, gather_key=key
    )


def by_key(business_key: str) -> Ticket | None:
    """The ticket behind a flow's business key, or None for a flow without one."""
    kind, _, number = (business_key or "").partition(":")
    if kind != "ticket":
        return None
    return Ticket.objects.select_related("customer", "group", "owner").filter(number=number).first()


def by_key_or_fail(business_key: str) -> Ticket:
    ticket = by_key(business_key)
    if ticket is None:
        raise LookupError(f"no ticket behind {business_key}")
    return ticket


@transaction.atomic
def close_ticket(ticket: Ticket, *, outcome: str) -> None:
    """The case is settled. Closing twice keeps the first outcome."""
    if Ticket.objects.open().filter(pk=ticket.pk).update(closed_at=clock.now(), outcome=outcome, state="closed"):
        publish(TicketChanged(ticket.pk))


def _withdrawal_of(ticket: Ticket) -> str:
    """The message by which the flow of this ticket draws that the applicant takes it back."""
    return f"{ticket.kind}.withdrawn"


def can_withdraw(ticket: Ticket, user: User) -> bool:
    """Only who opened it, and only while its flow waits for it."""
    return ticket.opened_by_id == user.pk and workflow.is_awaited(_withdrawal_of(ticket), business_key=ticket.key)


@transaction.atomic
def withdraw(ticket: Ticket, *, acting_user: User) -> None:
    """The applicant takes his application back; the flow hears it and ends. NotAllowed for anybody else."""
    if ticket.opened_by_id != acting_user.pk:
        raise NotAllowed(needs="applicant")
    if not can_withdraw(ticket, acting_user):
        raise NothingToWithdraw()
    name = _withdrawal_of(ticket)
    message = f"{name}:{ticket.pk}:{clock.now().isoformat()}"
    jobs.receive(name, message_id=message, business_key=ticket.key, payload={"by": acting_user.number})
    audit.audit("ticket.withdrawn", f"ticket:{ticket.pk}", actor=acting_user, kind=ticket.kind)


@transaction.atomic
def urge(ticket: Ticket, *, acting_user: User) -> None:
    """The customer asks how long it takes: the flow hears `<kind>.urged`, counts and hurries. NotWaiting when it does not listen."""
    accounts.require(acting_user, "tickets.open")
    _tell_flow(ticket, "urged", acting_user, {})
    audit.audit("ticket.urged", f"ticket:{ticket.pk}", actor=acting_user, kind=ticket.kind)


@transaction.atomic
def merge(ticket: Ticket, into: Ticket, *, acting_user: User) -> None:
    """Two tickets are one case: this one ends as merged, its calls go over to the other. For those who may reassign work.
    CannotMerge when they do not fit together, NotWaiting when the flow draws no merging."""
    accounts.require(acting_user, "tasks.reassign")
    # Both locked in one order: two that are merged into each other at once would both be lost, or wait for each other.
    rows = {
        row.pk: row for row in Ticket.objects.select_for_update().filter(pk__in=(ticket.pk, into.pk)).order_by("pk")
    }
    ticket, into = rows[ticket.pk], rows[into.pk]
    if why := _why_apart(ticket, into):
        raise CannotMerge(why=why)
    if not Ticket.objects.open().filter(pk=ticket.pk, merged_into=None).update(merged_into=into):
        raise CannotMerge(why="merged")
    _tell_flow(ticket, "merged", acting_user, {"into": into.number})
    for link in TicketCall.objects.filter(ticket=ticket):
        TicketCall.objects.get_or_create(ticket=into, call_id=link.call_id, defaults={"role": "merged", "at": link.at})
    person = into.customer.subject if into.customer else ""
    audit.audit("ticket.merged", f"ticket:{ticket.pk}", actor=acting_user, person=person, into=f"ticket:{into.pk}")
    publish(TicketChanged(into.pk))


def _why_apart(ticket: Ticket, into: Ticket) -> str:
    """Why these two cannot be one case; "" when they can."""
    if ticket.pk == into.pk:
        return "same"
    if ticket.kind != into.kind:
        return "other_kind"
    if ticket.customer_id != into.customer_id and ticket.customer_id and into.customer_id:
        return "other_customer"
    if not (ticket.customer_id and into.customer_id) and ticket.caller_token != into.caller_token:
        return "other_customer"
    return "closed" if into.closed_at or into.merged_into_id else ""


ACTS = {"urge": "urged", "merge": "merged"}


def acts_of(ticket: Ticket, user: User) -> list[str]:
    """What this user may do with the ticket as a whole now: withdraw, urge, merge."""
    waits = {name for _, name in workflow.awaited_by([ticket.key], [f"{ticket.kind}.{act}" for act in ACTS.values()])}
    may = {
        "urge": accounts.has_permission(user, "tickets.open"),
        "merge": accounts.has_permission(user, "tasks.reassign"),
    }
    found = [act for act, heard in ACTS.items() if may[act] and f"{ticket.kind}.{heard}" in waits]
    return (["withdraw"] if can_withdraw(ticket, user) else []) + found


def _tell_flow(ticket: Ticket, what: str, acting_user: User, payload: dict[str, Any]) -> None:
    name = f"{ticket.kind}.{what}"
    if not workflow.is_awaited(name, business_key=ticket.key):
        raise NotWaiting()
    message = f"{name}:{ticket.pk}:{clock.now().isoformat()}"
    jobs.receive(name, message_id=message, business_key=ticket.key, payload={"by": acting_user.number, **payload})


def former_case(ticket: Ticket, *, days: int) -> Ticket | None:
    """The last settled case of the same kind by the same customer (else number) that was closed in the last `days`; not what was
    withdrawn or merged."""
    who = Q(customer=ticket.customer_id) if ticket.customer_id else Q(caller_token=ticket.caller_token)
    if not (ticket.customer_id or ticket.caller_token):
        return None
    settled = Ticket.objects.filter(who, kind=ticket.kind, closed_at__gte=clock.now() - timedelta(days=days))
    return settled.exclude(pk=ticket.pk).exclude(outcome__in=("withdrawn", "merged")).order_by("-closed_at").first()


@transaction.atomic
def link_call(ticket: Ticket, call: Call, *, role: str) -> None:
    """Remember that this call belonged to the ticket: `made` for it, or the customer `called_in`."""
    TicketCall.objects.get_or_create(ticket=ticket, call=call, defaults={"role": role})
    publish(TicketChanged(ticket.pk))


def who_it_may_be(ticket: Ticket) -> list[Customer]:
    """Whom to choose from while nobody has said whose open ticket this is: everybody with its number (families share one)."""
    return [] if ticket.customer_id or ticket.closed_at else customers.find_by_number(ticket.caller)


@transaction.atomic
def tag_customer(ticket: Ticket, customer: Customer, *, acting_user: User) -> None:
    """Say later whose ticket this is: one of those with its number, said by who has work in it or could take it. The same again changes
    nothing. NotAllowed, BadInput for anybody else's number, CustomerIsSet when somebody has said another."""
    if workflow.first_task_of(ticket.instance, acting_user) is None:
        raise NotAllowed(needs="task")
    ticket = Ticket.objects.select_for_update().select_related("call").get(pk=ticket.pk)
    if ticket.customer_id == customer.pk:
        return
    if ticket.customer_id:
        raise CustomerIsSet()
    if customer not in who_it_may_be(ticket):
        raise BadInput("unknown_customer", fields={"customer": [{"code": "unknown"}]})
    Ticket.objects.filter(pk=ticket.pk).update(customer=customer)
    for task in UserTask.objects.filter(instance=ticket.instance_id, state=UserTask.OPEN, assignee__isnull=False):
        accounts.grant(task.assignee, "customer", customer.pk, "task", f"task:{task.pk}")
    if ticket.call and ticket.call.customer_id is None:
        calls.set_customer(ticket.call, customer, acting_user=acting_user)
    audit.audit("ticket.customer_set", f"ticket:{ticket.pk}", actor=acting_user, person=customer.subject)
    publish(TicketChanged(ticket.pk))
