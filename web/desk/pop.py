"""The screen pop: the call with whose it is, what is open for him, and what waits for him (UX 2, P-26).

The event that tells of the ring carries all of it, so that the browser asks nothing. A reload reads the same by `phone`.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from web.accounts.models import User
from web.agents import services as agents
from web.agents.models import AgentProfile
from web.calls import services as calls
from web.calls.models import Call
from web.customers import services as customers
from web.customers.models import Customer
from web.routing import services as routing
from web.tickets import views as tickets
from web.tickets.models import Ticket
from web.workflow import services as workflow

from . import topics

AT_MOST = 5
"""Candidates, tickets and tasks shown at once: the pop stays small (≤ 4 KB) and readable at a glance."""


def call_view(call: Call, agent: AgentProfile) -> dict[str, Any]:
    """CallView as the agent's screen shows it. The ring gave him access to the caller's card and open cases."""
    shown = calls.view(call, agent)
    if shown["queue"]:
        names = routing.queue_names([call.last_queue or ""])
        shown["queue"]["name"] = names.get(shown["queue"]["key"], shown["queue"]["name"])
    people = _people(call, agent.user)
    if len(people) == 1:
        shown["card"] = customers.card(people[0], agent.user)
    else:
        shown["candidates"] = [customers.card(one, agent.user) for one in people[:AT_MOST]]
    found = _tickets(call, people)
    shown["tickets"] = [tickets.row(ticket) for ticket in found[:AT_MOST]]
    open_keys = [ticket.key for ticket in found if ticket.closed_at is None]
    if open_keys:
        tasks = workflow.open_tasks_of(open_keys)[:AT_MOST]
        shown["open_tasks"] = workflow.concerning_caller(tasks, agent.user, str(call.pk))
    return shown


def _people(call: Call, user: User) -> list[Customer]:
    """Whose call it may be: the one that was chosen, else everybody who has the number, as far as the user may see them."""
    if call.customer_id:
        return list(customers.visible(user).filter(pk=call.customer_id))
    if not call.number_token:
        return []
    return list(customers.visible(user).filter(phones__token=call.number_token).order_by("pk"))


def _tickets(call: Call, people: list[Customer]) -> list[Ticket]:
    """Open cases of this caller and those opened in this call, newest first."""
    of_caller = Q(customer__in=[one.pk for one in people])
    if call.number_token:
        of_caller |= Q(caller_token=call.number_token)
    rows = Ticket.objects.filter((of_caller & Q(closed_at=None)) | Q(call=call))
    rows = rows.select_related("customer__member__level", "owner", "group", "instance__version__definition")
    return list(rows.defer("instance__state").order_by("-opened_at", "-pk")[: 2 * AT_MOST])


# --- the phone ---------------------------------------------------------------------------------------------------
def phone_state(agent: AgentProfile) -> dict[str, Any]:
    """Phone without its calls."""
    return {
        "state": agent.state,
        "reason": agent.reason,
        "since": agent.since,
        "planned_until": agent.planned_until,
        "wrap_up_until": agent.wrap_up_until,
        "wrap_up_extended": agent.wrap_up_extended,
        "after_call": {"state": agent.after_call_state, "reason": agent.after_call_reason}
        if agent.after_call_state
        else None,
        "signed_in": list(agent.signed_in),
        "skills": list(agent.active_skills),
        "reasons": [
            {
                "key": row.key,
                "kind": row.kind,
                "title": {"zh": row.name, "en": row.name_en},
                "minutes": row.max_minutes,
            }
            for row in agents.reasons()
        ],
    }


def phone(user: User) -> dict[str, Any]:
    """Everything the phone bar and the pop-up show: after a reload this one answer brings all back (X-24).

    A user without a phone gets one that is signed out and has no calls.
    """
    live = topics.pairs(user, "phone")
    agent = AgentProfile.objects.select_related("user").filter(user=user).first()
    if agent is None:
        agent = AgentProfile(user=user)
        return {**phone_state(agent), "reasons": [], "calls": [], "live": live}
    shown = [call_view(call, agent) for call in calls.calls_of(agent)]
    return {**phone_state(agent), "calls": shown, "live": live}
