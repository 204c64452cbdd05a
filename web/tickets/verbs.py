"""What tickets lend to flows (the outbound task's intake and assignment, states and ends)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from engine.verbs import verb
from web.agents.models import AgentProfile
from web.calendars import services as calendars
from web.calls.models import Call
from web.common import clock
from web.common.publishing import publish
from web.membership import services as membership
from web.routing import services as routing
from web.routing.models import AllowEntry

from . import services
from .events import TicketChanged
from .models import Ticket

TEXT = {"type": "string"}


@verb(
    "tickets.check_outbound",
    result={
        "properties": {
            "verdict": {"enum": ["ok", "blocked", "internal", "do_not_call"]},
            "owner": TEXT,
            "group": TEXT,
            "vip": {"type": "boolean"},
        },
        "required": ["verdict", "owner", "group", "vip"],
    },
)
def check_outbound(context) -> dict:
    """O1: may this number be called, and whose customer is it (9.4)? How soon and by whom the diagram's table says."""
    ticket = services.by_key_or_fail(context.business_key)
    customer = ticket.customer
    owner = customer.owner if customer and customer.owner_id else None
    group = ticket.group or (services._group_of(owner) if owner else None)
    return {
        "verdict": _verdict(ticket, customer),
        "owner": owner.number if owner and owner.is_active else "",
        "group": group.key if group else services.default_group_key(),
        "vip": membership.is_vip(customer),
    }


def _verdict(ticket: Ticket, customer) -> str:
    if AllowEntry.objects.filter(token=ticket.caller_token, kind__in=("own", "internal")).exists():
        return "internal"
    if ticket.caller_token and routing.is_blocked(ticket.caller_token):
        return "blocked"
    if customer and customer.do_not_call:
        return "do_not_call"
    return "ok"


@verb(
    "tickets.assign_outbound",
    params={
        "properties": {"owner": TEXT, "group": TEXT, "hours": {"type": "number", "exclusiveMinimum": 0}},
        "required": ["owner", "group", "hours"],
    },
    result={
        "properties": {"assignee": TEXT, "group": TEXT, "due_at": TEXT, "remind_at": TEXT},
        "required": ["assignee", "group", "due_at", "remind_at"],
    },
)
def assign_outbound(context, *, owner: str, group: str, hours: float) -> dict:
    """O3: the own agent when he is at work now, else the group's pool; deadline in working hours, reminder at 75 %."""
    at_work = (
        owner
        and AgentProfile.objects.filter(user__number=owner, user__is_active=True)
        .exclude(state=AgentProfile.NULL)
        .exists()
    )
    due_at: datetime = calendars.add_business(context.now, hours)
    remind_at: datetime = calendars.add_business(context.now, hours * 0.75)
    Ticket.objects.filter(number=context.business_key.partition(":")[2]).update(due_at=due_at)
    return {
        "assignee": owner if at_work else "",
        "group": group,
        "due_at": due_at.isoformat(),
        "remind_at": remind_at.isoformat(),
    }


@verb(
    "tickets.want_outbound",
    params={"properties": {"source": {"enum": list(services.OUTBOUND_SOURCES)}}, "required": ["source"]},
    result={"properties": {"ticket": TEXT}, "required": ["ticket"]},
)
def want_outbound(context, *, source: str) -> dict:
    """The customer of this case is to be called: an outbound task of its own, whose number is answered; "" when there is nothing to
    dial."""
    ticket = services.by_key_or_fail(context.business_key)
    wanted = {"source": source, "number": ticket.caller, "customer": ticket.customer, "group": ticket.group}
    try:
        return {"ticket": services.want_outbound(**wanted).number}
    except services.NoNumber:
        return {"ticket": ""}


@verb("tickets.count_repeat", result={"properties": {"repeats": {"type": "integer"}}, "required": ["repeats"]})
def count_repeat(context) -> dict:
    """S-46: another missed call of this number while its task is open."""
    ticket = services.by_key_or_fail(context.business_key)
    Ticket.objects.filter(pk=ticket.pk).update(repeats=F("repeats") + 1, last_repeat_at=clock.now())
    ticket.refresh_from_db(fields=["repeats"])
    publish(TicketChanged(ticket.pk))
    return {"repeats": ticket.repeats}


@verb(
    "tickets.former_case",
    params={"properties": {"days": {"type": "integer", "minimum": 1}}, "required": ["days"]},
    result={"properties": {"former": TEXT}, "required": ["former"]},
)
def former_case(context, *, days: int) -> dict:
    """The same customer had such a case settled a few days ago: the two are linked. Answers its number, "" when there is none."""
    ticket = services.by_key_or_fail(context.business_key)
    former = services.former_case(ticket, days=days)
    if former is None:
        return {"former": ""}
    Ticket.objects.filter(pk=ticket.pk).update(former=former)
    publish(TicketChanged(ticket.pk))
    return {"former": former.number}


@verb("tickets.count_return", result={"properties": {"returns": {"type": "integer"}}, "required": ["returns"]})
def count_return(context) -> dict:
    """W-84: the case went back; how often by now, over all who handle it."""
    return {"returns": _count(context, "returns")}


@verb("tickets.count_urge", result={"properties": {"urges": {"type": "integer"}}, "required": ["urges"]})
def count_urge(context) -> dict:
    """The customer asked how long it takes; how often by now."""
    return {"urges": _count(context, "urges")}


def _count(context, column: str) -> int:
    ticket = services.by_key_or_fail(context.business_key)
    Ticket.objects.filter(pk=ticket.pk).update(**{column: F(column) + 1})
    ticket.refresh_from_db(fields=[column])
    publish(TicketChanged(ticket.pk))
    return getattr(ticket, column)


@verb("tickets.set_state", params={"properties": {"state": TEXT}, "required": ["state"]})
def set_state(context, *, state: str) -> None:
    ticket = services.by_key_or_fail(context.business_key)
    Ticket.objects.filter(pk=ticket.pk).update(state=state[:30])
    publish(TicketChanged(ticket.pk))


@verb("tickets.close", params={"properties": {"outcome": TEXT}, "required": ["outcome"]})
def close(context, *, outcome: str) -> None:
    services.close_ticket(services.by_key_or_fail(context.business_key), outcome=outcome[:40])


@verb("tickets.link_call", params={"properties": {"call": TEXT}, "required": ["call"]})
def link_call(context, *, call: str) -> None:
    """The customer called in while the task was open: that call belongs to the ticket."""
    found = Call.objects.filter(pk=call).first() if call.isdigit() else None
    if found:
        services.link_call(services.by_key_or_fail(context.business_key), found, role="called_in")
