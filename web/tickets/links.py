"""What the rooms below know of a ticket only by its business key: whose it is, which number, how it shows in an inbox."""

from __future__ import annotations

from django.db.models import Q

from web.agents.models import AgentProfile
from web.calls import services as calls
from web.calls.models import Call
from web.customers.models import Customer, PhoneNumber
from web.membership.models import Level
from web.routing import services as routing
from web.workflow.models import FlowDefinition

from . import services
from .models import Ticket


def subject_of(instance) -> list[tuple[str, int]]:
    """What working on this instance gives access to (kinds of AccessGrant)."""
    ticket = Ticket.objects.filter(instance=instance).only("pk", "customer_id", "call_id").first()
    if ticket is None:
        return []
    found = [("ticket", ticket.pk)]
    if ticket.customer_id:
        found.append(("customer", ticket.customer_id))
    if ticket.call_id:
        found.append(("call", ticket.call_id))
    return found


def subjects_of(call: Call) -> list[str]:
    """How flows name this caller: by the number, and by the customer when he is known and could also have called from another one."""
    found = [f"number:{call.number_token}"] if call.number_token else []
    if call.customer_id:
        numbers = PhoneNumber.objects.filter(customer=call.customer_id)
        if not found or numbers.exclude(token=call.number_token).exists():
            found.append(f"customer:{call.customer_id}")
    return found


def caller_at(user, call: str) -> list[str]:
    """The same for a call that is at this user's phone now, ringing or talking; nothing for any other call."""
    agent = AgentProfile.objects.filter(user=user).first()
    found = next((one for one in calls.calls_of(agent) if str(one.pk) == str(call)), None) if agent else None
    leg = calls.leg_of(found, agent) if found else None
    return subjects_of(found) if leg and leg.ended_at is None else []


def decorate(rows: list[dict]) -> None:
    """Add `ticket`, `customer` (masked) and `vip` to inbox rows in one query; rows carry `business_key`."""
    numbers = {
        row["business_key"].partition(":")[2] for row in rows if row.get("business_key", "").startswith("ticket:")
    }
    scheme = "customer__member__level__scheme"
    columns = ("number", "customer__name_masked", scheme, "caller_masked", "source", "repeats")
    found = {row["number"]: row for row in Ticket.objects.filter(number__in=numbers).values(*columns)}
    for row in rows:
        ticket = found.get(row.get("business_key", "").partition(":")[2])
        row["ticket"] = ticket["number"] if ticket else None
        row["customer"] = (ticket["customer__name_masked"] or ticket["caller_masked"]) if ticket else None
        row["vip"] = bool(ticket and ticket[scheme] == Level.VIP)
        row["source"] = ticket["source"] if ticket else None
        row["repeats"] = ticket["repeats"] if ticket else 1


def close_with_flow(instance) -> None:
    """A flow that ended without `tickets.close` closes its ticket all the same; its end event is the outcome."""
    ticket = Ticket.objects.open().filter(instance=instance).first()
    if ticket:
        outcome = (
            "cancelled"
            if instance.status == instance.CANCELLED
            else (instance.ends[-1] if instance.ends else "completed")
        )
        services.close_ticket(ticket, outcome=outcome[:40])
    if instance.status == instance.CANCELLED and instance.business_key:
        routing.close_application(instance.business_key)  # what it had applied for cannot be decided any more


def startable_flows() -> set[str]:
    """Keys of the flows a purpose may lead to."""
    return set(FlowDefinition.objects.filter(is_startable=True, current__isnull=False).values_list("key", flat=True))


def customer_of(business_key: str) -> Customer | None:
    ticket = services.by_key(business_key)
    return ticket.customer if ticket else None


def number_of(business_key: str) -> str | None:
    ticket = services.by_key(business_key)
    return ticket.caller if ticket else None


def concern_of(business_key: str) -> str:
    """Why a supervisor must decide about the number of this case: a VIP's, a member's, or one with another open ticket; "" else."""
    ticket = services.by_key(business_key)
    if ticket is None:
        return ""
    people = Customer.objects.filter(Q(pk=ticket.customer_id) | Q(phones__token=ticket.caller_token or ""))
    schemes = set(people.values_list("member__level__scheme", flat=True))
    if Level.VIP in schemes:
        return "vip"
    if schemes - {None}:
        return "member"
    his = Q(customer__in=people.values("pk")) | Q(caller_token=ticket.caller_token or "")
    return "open_ticket" if Ticket.objects.open().filter(his).exclude(pk=ticket.pk).exists() else ""


def recipient_of(business_key: str) -> tuple[Customer | None, str | None]:
    ticket = services.by_key(business_key)
    return (ticket.customer, ticket.caller) if ticket else (None, None)


def history(customer: Customer, user) -> list[dict]:
    """HistoryRows of a customer's tickets."""
    columns = ("number", "kind", "purpose", "opened_at", "closed_at", "outcome")
    return [
        {
            "at": row["opened_at"],
            "kind": "ticket",
            "title": row["purpose"] or row["kind"],
            "state": row["outcome"] or ("closed" if row["closed_at"] else "open"),
            "duration_ms": None,
            "ref": row["number"],
        }
        for row in Ticket.objects.filter(customer=customer).order_by("-opened_at").values(*columns)[:50]
    ]
