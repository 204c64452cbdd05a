"""The floor: who does what, who waits, how the day goes (P-21…P-23). Everything is read from rows, nothing from memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, Q

from web.accounts.models import Membership, User
from web.agents.models import AgentProfile, PauseReason
from web.calls import services as calls
from web.calls.models import Call, CallLeg
from web.common import clock
from web.common.names import both, named
from web.common.scope import scope
from web.membership import services as membership
from web.routing import services as routing
from web.tickets.models import Ticket
from web.workflow.models import UserTask

from . import topics

SOON = timedelta(hours=1)


def queue_rows() -> list[dict[str, Any]]:
    """QueueRows: who waits, longest first (S-33)."""
    visits = list(calls.waiting().select_related("call__customer__member__level"))
    names = routing.queues() if visits else {}
    priorities = routing.priorities() if visits else {}
    rows = []
    for visit in visits:
        queue = names.get(visit.queue)
        own = queue.priority if queue else 5
        rows.append(
            {
                "call": str(visit.call_id),
                "number": visit.call.number_masked or "",
                "area": calls.area_view(visit.call),
                "queue": named(queue) if queue else {"key": visit.queue, "name": both(visit.queue)},
                "priority": min(own, priorities.get(visit.call.called or "", own)),
                "waiting_since": visit.entered_at,
                "vip": membership.is_vip(visit.call.customer),
            }
        )
    return rows


def queue(user: User) -> dict[str, Any]:
    live = topics.pairs(user, "queue")
    return {"results": queue_rows(), "live": live}


def missed(user: User) -> list[dict[str, Any]]:
    """MissedRows: unanswered calls the user may see, one per number, with the case that calls back (S-32, S-45)."""
    rows = calls.missed(user)
    names = routing.queue_names([row["queue"] for row in rows if row["queue"]])
    tokens = {row["token"] for row in rows if row["token"]}
    cases: dict[str, Ticket] = {}
    found = Ticket.objects.filter(kind="outbound_task", caller_token__in=tokens) if tokens else Ticket.objects.none()
    for ticket in found.defer("summary", "caller").order_by("pk"):
        former = cases.get(ticket.caller_token or "")
        if former is None or former.closed_at is not None:  # an open one stands before newer closed ones
            cases[ticket.caller_token or ""] = ticket
    instances = [ticket.instance_id for ticket in cases.values() if ticket.instance_id]
    tasks = UserTask.objects.filter(instance__in=instances, state=UserTask.OPEN).order_by("pk")
    open_tasks = dict(scope(tasks, user).values_list("instance", "pk")) if instances else {}
    shown = []
    for row in rows:
        ticket = cases.get(row.pop("token") or "")
        key = row["queue"]
        state = "open" if ticket is None else "open" if ticket.closed_at is None else "done"
        task = open_tasks.get(ticket.instance_id) if ticket else None
        shown.append(
            {
                **row,
                "queue": {"key": key, "name": names.get(key) or both(key)} if key else None,
                "ticket": ticket.number if ticket else None,
                "task": str(task) if task else None,
                "state": state,
            }
        )
    return shown


def agent_rows(agents: list[AgentProfile]) -> list[dict[str, Any]]:
    """{number, name, group, state, reason, since, call} of agents with their users loaded; three queries for any number."""
    seats = Membership.objects.filter(user__in=[agent.user_id for agent in agents]).select_related("group")
    groups = {seat.user_id: seat.group for seat in seats.order_by("-pk")}
    legs: dict[int, CallLeg] = {}
    busy = [agent.pk for agent in agents if agent.state == AgentProfile.BUSY]
    if busy:
        rows = CallLeg.objects.filter(agent__in=busy, ended_at=None).select_related("call__customer").order_by("id")
        legs = {leg.agent_id: leg for leg in rows}
    return [_agent_row(agent, groups.get(agent.user_id), legs.get(agent.pk)) for agent in agents]


def _agent_row(agent: AgentProfile, group: Any, leg: CallLeg | None) -> dict[str, Any]:
    call = None
    if leg is not None:
        state = "ringing" if leg.answered_at is None else "held" if leg.held_since else "talking"
        call = {
            "id": str(leg.call_id),
            "number": leg.call.number_masked or "",
            "customer": leg.call.customer.name_masked if leg.call.customer else None,
            "direction": leg.call.direction,
            "state": state,
            "since": leg.state_since or leg.offered_at,
        }
    return {
        "number": agent.user.number,
        "name": agent.user.name,
        "group": named(group) if group else None,
        "state": agent.state,
        "reason": agent.reason,
        "since": agent.since,
        "planned_until": agent.planned_until,
        "wrap_up_until": agent.wrap_up_until,
        "call": call,
    }


def figures() -> dict[str, Any]:
    """The head of the floor. Calls of today count from midnight at the centre (DATA A7: by queue visit)."""
    now = clock.now()
    midnight = now.astimezone(ZoneInfo(settings.TIME_ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    waiting = list(calls.waiting().values_list("entered_at", flat=True))
    rests = list(PauseReason.objects.filter(kind="rest").values_list("key", flat=True))
    states = AgentProfile.objects.aggregate(
        ready=Count("id", filter=Q(state=AgentProfile.READY)),
        acw=Count("id", filter=Q(state=AgentProfile.ACW)),
        rest=Count("id", filter=Q(state=AgentProfile.NOT_READY, reason__in=rests)),
        away=Count("id", filter=Q(state=AgentProfile.NOT_READY)),
    )
    legs = CallLeg.objects.filter(ended_at=None, agent__isnull=False).aggregate(
        talking=Count("id", filter=Q(answered_at__isnull=False)),
        ringing=Count("id", filter=Q(answered_at=None, call__direction=Call.IN)),
    )
    late = Q(overdue_at__isnull=False) | Q(due_at__lte=now)
    tasks = UserTask.objects.filter(state=UserTask.OPEN).aggregate(
        open=Count("id"),
        overdue=Count("id", filter=late),
        soon=Count("id", filter=Q(overdue_at=None, due_at__gt=now, due_at__lte=now + SOON)),
    )
    day = calls.day_figures(midnight)
    return {
        "waiting": len(waiting),
        "longest_wait_since": waiting[0] if waiting else None,
        "talking": legs["talking"],
        "ringing": legs["ringing"],
        "ready": states["ready"],
        "acw": states["acw"],
        "rest": states["rest"],
        "not_ready": states["away"] - states["rest"],
        "offered_today": day["offered"],
        "answered_today": day["answered"],
        "abandoned_today": day["abandoned"],
        "tasks_open": tasks["open"],
        "tasks_overdue": tasks["overdue"],
        "tasks_soon": tasks["soon"],
    }


def floor(user: User) -> dict[str, Any]:
    """The whole floor, for those who may see it."""
    live = topics.pairs(user, "floor", "queue")
    agents = AgentProfile.objects.filter(user__is_active=True).select_related("user").order_by("user__number")
    return {"figures": figures(), "agents": agent_rows(list(agents)), "queue": queue_rows(), "live": live}
