"""How a ticket is shown: rows and the page, with the types the API's schema names."""

from __future__ import annotations

from rest_framework import serializers

from web.accounts.api import PersonOut
from web.common.names import BilingualName, Named, named
from web.common.scope import scope
from web.customers import services as customers
from web.customers.api import CardOut
from web.membership import services as membership
from web.workflow import services as workflow
from web.workflow.models import UserTask
from web.workflow.schemas import TaskAnswers, TaskRow, TimelineEntry

from . import services
from .models import Ticket


class TicketRow(serializers.Serializer):
    number = serializers.CharField()
    kind = serializers.CharField()
    kind_title = BilingualName()
    purpose = serializers.CharField(allow_null=True)
    source = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(["open", "closed"])
    state = serializers.CharField()
    outcome = serializers.CharField(allow_null=True)
    customer_name = serializers.CharField(allow_null=True)
    caller = serializers.CharField(allow_null=True)
    vip = serializers.BooleanField()
    owner = PersonOut(allow_null=True)
    group = Named(allow_null=True)
    opened_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    repeats = serializers.IntegerField()
    instance = serializers.CharField(allow_null=True)


class TicketPage(serializers.Serializer):
    results = TicketRow(many=True)
    next = serializers.CharField(allow_null=True)


class TicketCall(serializers.Serializer):
    id = serializers.CharField()
    role = serializers.CharField()
    direction = serializers.ChoiceField(["in", "out", "internal", "dialler"])
    at = serializers.DateTimeField()
    talk_ms = serializers.IntegerField()
    outcome = serializers.CharField(allow_null=True)


class TicketDetail(TicketRow):
    summary = serializers.CharField(allow_null=True)
    opened_by = PersonOut(allow_null=True)
    customer = CardOut(allow_null=True)
    call = serializers.CharField(allow_null=True)
    calls = TicketCall(many=True)
    task = serializers.CharField(allow_null=True, help_text="the open task of the reader")
    tasks = TaskRow(many=True)
    timeline = TimelineEntry(many=True)
    answers = TaskAnswers(many=True)
    can = serializers.ListField(child=serializers.ChoiceField(["withdraw", "urge", "merge"]))
    returns = serializers.IntegerField()
    urges = serializers.IntegerField()
    former = serializers.CharField(allow_null=True)
    merged_into = serializers.CharField(allow_null=True)


def person(user) -> dict | None:
    return {"number": user.number, "name": user.name} if user else None


def _id(key: int | None) -> str | None:
    return None if key is None else str(key)


def row(ticket: Ticket) -> dict:
    definition = ticket.instance.version.definition if ticket.instance_id else None
    due = getattr(ticket, "task_due_at", None) or ticket.due_at
    return {
        "number": ticket.number,
        "kind": ticket.kind,
        "kind_title": {
            "zh": definition.name if definition else ticket.kind,
            "en": (definition.name_en if definition else None) or ticket.kind,
        },
        "purpose": ticket.purpose,
        "source": ticket.source,
        "status": "closed" if ticket.closed_at else "open",
        "state": ticket.state,
        "outcome": ticket.outcome,
        "customer_name": ticket.customer.name_masked if ticket.customer_id else None,
        "caller": ticket.caller_masked,
        "vip": membership.is_vip(ticket.customer),
        "owner": person(ticket.owner),
        "group": named(ticket.group) if ticket.group_id else None,
        "opened_at": ticket.opened_at,
        "due_at": None if ticket.closed_at else due,
        "closed_at": ticket.closed_at,
        "repeats": ticket.repeats,
        "instance": _id(ticket.instance_id),
    }


def detail(ticket: Ticket, user) -> dict:
    """TicketDetail; `task` = the open task of this user, the first one when there are several."""
    ticket = (
        Ticket.objects.select_related(
            "customer__member__level",
            "owner",
            "group",
            "opened_by",
            "former",
            "merged_into",
            "instance__version__definition",
        )
        .defer("instance__state")
        .get(pk=ticket.pk)
    )
    tasks = list(scope(UserTask.objects.filter(instance=ticket.instance_id, state=UserTask.OPEN), user).order_by("pk"))
    mine = [task for task in tasks if task.assignee_id == user.pk]
    return {
        **row(ticket),
        "summary": ticket.summary,
        "opened_by": person(ticket.opened_by),
        "customer": customers.card(ticket.customer, user) if ticket.customer_id else None,
        "call": _id(ticket.call_id),
        "calls": [
            {
                "id": str(link.call_id),
                "role": link.role,
                "direction": link.call.direction,
                "at": link.call.started_at,
                "talk_ms": link.call.talk_ms,
                "outcome": link.call.outcome,
            }
            for link in ticket.call_links.select_related("call").order_by("at")
        ],
        "task": str(mine[0].pk) if mine else None,
        "tasks": [workflow.task_row(task, user) for task in tasks],
        "timeline": workflow.timeline(ticket.instance) if ticket.instance_id else [],
        "answers": workflow.answers_of(ticket.instance, user) if ticket.instance_id else [],
        "can": services.acts_of(ticket, user),
        "returns": ticket.returns,
        "urges": ticket.urges,
        "former": ticket.former.number if ticket.former_id else None,
        "merged_into": ticket.merged_into.number if ticket.merged_into_id else None,
    }
