"""Hearers: what is told after commit becomes messages on live topics. `web.config.wiring` says who hears what.

Only what somebody listens to is made. Each reads the rows anew, so two events in one moment both show the newest state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from web.accounts import services as accounts
from web.accounts.api import notification_out
from web.accounts.events import Notified, SessionsEnded
from web.accounts.models import Notification, User
from web.agents.events import AgentChanged
from web.agents.models import AgentProfile
from web.announcements.events import AnnouncementsChanged
from web.calls.events import CallAnswered, CallChanged, CallCleared, CallDelivered
from web.calls.models import Call, CallLeg, Command
from web.tickets.events import TicketChanged, TicketOpened
from web.tickets.models import Ticket
from web.workflow import services as workflow
from web.workflow.events import InstanceChanged, UserTaskChanged, UserTaskCreated, UserTaskGone
from web.workflow.models import TaskCandidate, UserTask

from . import floor, pop, topics


# --- calls -------------------------------------------------------------------------------------------------------
def pop_screen(event: CallDelivered) -> None:
    """It rings: the screen pops by itself (P-26)."""
    _push_call(event.call, event.agents)


def push_call(event: CallAnswered | CallChanged | CallCleared) -> None:
    """The agents' pictures of the call: CallChanged, or CallEnded for whom it is over."""
    _push_call(event.call, event.agents)


def _push_call(call_id: int, agents: Iterable[int]) -> None:
    people = list(AgentProfile.objects.filter(pk__in=list(agents)).select_related("user"))
    listening = topics.heard([f"phone:{agent.user_id}" for agent in people])
    people = [agent for agent in people if f"phone:{agent.user_id}" in listening]
    if not people:
        return
    call = Call.objects.prefetch_related("legs").get(pk=call_id)
    for agent in people:
        shown = pop.call_view(call, agent)
        topics.send(f"phone:{agent.user_id}", "CallEnded" if shown["state"] == "ended" else "CallChanged", shown)


def push_phone(event: AgentChanged) -> None:
    """The agent's own state on his phone bar."""
    if topics.is_heard(f"phone:{event.user}"):
        agent = AgentProfile.objects.select_related("user").get(pk=event.agent)
        topics.send(f"phone:{event.user}", "PhoneChanged", pop.phone_state(agent))


def push_refusal(event: Any) -> None:
    """A click came to nothing (telephony's CommandRefused: command, user)."""
    row = Command.objects.filter(pk=event.command).first()
    if row is not None:
        told = {"id": str(row.pk), "code": row.code, "reason": row.reason}
        topics.send(f"phone:{event.user}", "CommandRefused", told)


def push_queue(event: Any) -> None:
    """Who waits: whole, as it is short and everybody shows all of it."""
    if topics.is_heard("queue"):
        topics.send("queue", "QueueChanged", {"results": floor.queue_rows()})


def push_floor(event: Any) -> None:
    """An agent's state or call, or a figure, is different: the rows of whom it concerns, and the figures."""
    if not topics.is_heard("floor"):
        return
    if isinstance(event, AgentChanged):
        concerned = [event.agent]
    else:
        concerned = list(getattr(event, "agents", ()))
    people = AgentProfile.objects.filter(pk__in=concerned).select_related("user") if concerned else ()
    for row in floor.agent_rows(list(people)) if concerned else ():
        topics.send("floor", "AgentChanged", row)
    topics.send("floor", "FiguresChanged", floor.figures())


def flush_undo(event: CallCleared) -> None:
    """Hang-up ends the moment of regret: what the call's agents completed moves on now (ARCHITECTURE 5.14)."""
    for leg in CallLeg.objects.filter(call=event.call, agent__isnull=False).select_related("agent__user"):
        workflow.flush_undo(leg.agent.user)


# --- tasks -------------------------------------------------------------------------------------------------------
def push_inbox(event: UserTaskCreated | UserTaskChanged) -> None:
    """A task is new or different: to whoever has it, may take it, or has it among those he started or has done."""
    task = UserTask.objects.filter(pk=event.id).select_related("instance", "assignee", "ended_by").first()
    if task is None:
        return
    for user in _listening("inbox", _concerned(task)):
        rows = workflow.rows_of(UserTask.objects.filter(pk=task.pk), user)
        if rows:
            topics.send(f"inbox:{user.pk}", "TaskChanged", rows[0])
            topics.send(f"inbox:{user.pk}", "CountsChanged", {"counts": workflow.counts(user)})


def _concerned(task: UserTask) -> list[User]:
    keys = [key for key in TaskCandidate.objects.filter(task=task).values_list("key", flat=True) if ":" in key]
    found = {user.pk: user for user in accounts.candidates(keys)}
    for user in (task.assignee, task.ended_by):
        if user is not None:
            found[user.pk] = user
    starter = User.objects.filter(number=task.instance.started_by or "", is_active=True).first()
    if starter is not None:
        found[starter.pk] = starter
    return list(found.values())


def _listening(topic: str, users: list[User]) -> list[User]:
    found = topics.heard([f"{topic}:{user.pk}" for user in users])
    return [user for user in users if f"{topic}:{user.pk}" in found]


def push_gone(event: UserTaskGone) -> None:
    """Somebody lost a task: it leaves his screen at once, with who took it and why."""
    user = User.objects.filter(pk=event.user).first()
    if user is None or not topics.is_heard(f"inbox:{user.pk}"):
        return
    by = User.objects.filter(number=event.by).first() if event.by else None
    told = {"id": str(event.id), "by": {"number": by.number, "name": by.name} if by else None, "code": event.code}
    topics.send(f"inbox:{user.pk}", "TaskGone", told)
    topics.send(f"inbox:{user.pk}", "CountsChanged", {"counts": workflow.counts(user)})


def push_instance(event: InstanceChanged) -> None:
    """The token moved: whoever looks at the diagram, or at the ticket behind it, reads again."""
    topics.send(f"instance:{event.id}", "InstanceChanged", {"id": str(event.id)})
    number = Ticket.objects.filter(instance=event.id).values_list("number", flat=True).first()
    if number:
        topics.send(f"ticket:{number}", "TicketChanged", {"number": number})


def push_ticket(event: TicketOpened | TicketChanged) -> None:
    """The ticket's page reads again; a call that is on somebody's screen shows its new ticket."""
    ticket = Ticket.objects.filter(pk=event.ticket_id).only("number", "call_id").first()
    if ticket is None:
        return
    topics.send(f"ticket:{ticket.number}", "TicketChanged", {"number": ticket.number})
    if ticket.call_id:
        agents = CallLeg.objects.filter(call=ticket.call_id, acw_ended_at=None, agent__isnull=False)
        agents = agents.exclude(ended_at__isnull=False, answered_at=None)
        _push_call(ticket.call_id, set(agents.values_list("agent", flat=True)))


# --- notices and sessions ----------------------------------------------------------------------------------------
def push_notice(event: Notified) -> None:
    row = Notification.objects.filter(pk=event.notification_id).first()
    if row is not None:
        topics.send(f"notifications:{event.user_id}", "Notified", notification_out(row))


def push_announcements(event: AnnouncementsChanged) -> None:
    """Every reader reads his own list again: not everybody gets every one."""
    topics.send("announcements", "AnnouncementsChanged", {})


def close_sockets(event: SessionsEnded) -> None:
    """The user's sockets look at their sessions now instead of in five seconds."""
    topics.send(f"session:{event.user_id}", "SessionsEnded", {})
