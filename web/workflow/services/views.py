"""Where a flow stands and what happened in it, for people to look at."""

from __future__ import annotations

from typing import Any

from engine.definitions import Definition
from web.accounts.models import User
from web.common.errors import NotFound
from web.common.scope import scope
from web.jobs.models import InboundMessage, Incident, Job
from web.workflow.models import Awaited, History, ProcessInstance, UserTask
from web.workflow.services import deploy
from web.workflow.services.projection import TIMER, subject

WALKED = ("completed", "end", "fired", "skipped")
SHOWN_KINDS = ("userTask", "serviceTask", "sendTask", "boundaryEvent", "intermediateCatchEvent", "endEvent")
SHOWN_ACTIONS = ("completed", "fired", "end", "cancelled", "skipped", "rescheduled")
BY_HAND = (
    "claimed", "returned", "delegated", "submitted", "undone", "reassigned", "reminded", "overdue", "cancelled",
)  # fmt: skip


def find_instance(pk: int, user: User) -> ProcessInstance:
    """The instance when the user may see it, else NotFound."""
    rows = ProcessInstance.objects.select_related("version__definition").filter(pk=pk)
    instance = scope(rows, user).first()
    if instance is None:
        raise NotFound()
    return instance


def instance_view(instance: ProcessInstance) -> dict[str, Any]:
    """Tokens, the path taken, timers, messages waited for, incidents; names of everything drawn in both languages."""
    definition = deploy.definition_of(instance.version_id)
    key = instance.version.definition.key
    rows = History.objects.filter(instance=instance).order_by("seq").values("action", "element", "flow", "facts")
    own = [row for row in rows if not row["facts"].get("process")]
    waiting = list(Awaited.objects.filter(instance=instance).order_by("pk"))
    timers = _timers(instance)
    return {
        "id": str(instance.pk),
        "flow": {
            "key": key,
            "name": {
                "zh": instance.version.definition.name,
                "en": instance.version.definition.name_en or instance.version.definition.name,
            },
        },
        "version": instance.version.number,
        "business_key": instance.business_key,
        "status": instance.status,
        "ends": instance.ends,
        "xml_url": f"/api/instances/{instance.pk}/diagram",
        "tokens": _tokens(instance, definition, waiting, timers),
        "done": list(dict.fromkeys(row["element"] for row in own if row["action"] in WALKED and row["element"])),
        "flows_taken": list(dict.fromkeys(row["flow"] for row in own if row["flow"])),
        "timers": [{"element": timer["element"], "due_at": timer["due_at"]} for timer in timers],
        "awaited": [{"element": row.element, "name": row.name} for row in waiting],
        "incidents": [
            incident_row(row) for row in Incident.objects.filter(subject=subject(instance)).order_by("-pk")[:20]
        ],
        "names": deploy.names_of(definition),
    }


def _timers(instance: ProcessInstance) -> list[dict[str, Any]]:
    jobs = Job.objects.filter(subject=subject(instance), topic=TIMER, state__in=(Job.QUEUED, Job.RUNNING))
    return [{**job.payload, "due_at": job.due_at} for job in jobs.order_by("due_at", "pk")]


def _tokens(
    instance: ProcessInstance, definition: Definition, waiting: list[Awaited], timers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Open user tasks and events that hold the flow; an event on the border of a task is not a token of its own."""
    key = instance.version.definition.key
    found = []
    tasks = UserTask.objects.filter(instance=instance, state=UserTask.OPEN).select_related("assignee").order_by("pk")
    for task in tasks:
        who = {"number": task.assignee.number, "name": task.assignee.name} if task.assignee else None
        found.append({"element": task.element, "name": task.name, "since": task.created_at, "who": who})
    events = {timer["element"]: instance.started_at for timer in timers if timer.get("process", key) == key}
    events |= {row.element: row.since for row in waiting}
    for identifier, since in events.items():
        element = definition.elements.get(identifier)
        if element is not None and element.kind in ("intermediateCatchEvent", "receiveTask"):
            found.append({"element": identifier, "name": element.name, "since": since, "who": None})
    # A called flow shows as a token on the activity that called it.
    own = definition.processes[key]
    inside = {definition.elements[t["element"]].process for t in found if t["element"] in definition.elements} - {key}
    for element in own.values():
        if element.kind == "callActivity" and element.called in inside:
            found.append({"element": element.id, "name": element.name, "since": instance.started_at, "who": None})
    return found


def incident_row(row: Incident) -> dict[str, Any]:
    instance = row.subject.removeprefix("instance:") if row.subject.startswith("instance:") else None
    return {
        "id": str(row.pk),
        "element": row.element,
        "code": row.topic,
        "message": row.cause,
        "at": row.opened_at,
        "state": row.state,
        "subject": row.subject,
        "instance": instance,
        "resolved_at": row.resolved_at,
        "resolved_by": row.resolved_by,
        "reason": row.reason,
    }


def message_row(row: InboundMessage) -> dict[str, Any]:
    """A stored message without its payload, which is sealed."""
    return {
        "id": row.pk,
        "message_id": row.message_id,
        "name": row.name,
        "business_key": row.business_key,
        "subject": row.subject,
        "keys": row.keys,
        "state": row.state,
        "received_at": row.received_at,
        "expires_at": row.expires_at,
        "consumed_by": row.consumed_by,
    }


def timeline(instance: ProcessInstance) -> list[dict[str, Any]]:
    """What happened, oldest first: [{at, actor {number, name} | None, auto, rule, action, element, text}]. `rule` = the element that made
    the flow act by itself; `text` = what somebody gave as reason."""
    rows = list(History.objects.filter(instance=instance).order_by("seq"))
    numbers = {row.actor for row in rows if row.actor} | {row.facts.get("to") for row in rows if row.facts.get("to")}
    names = dict(User.objects.filter(number__in=numbers).values_list("number", "name"))
    completed = {row.task_id for row in rows if row.action == "completed" and row.task_id}
    shown = []
    for row in rows:
        by_hand = row.action in BY_HAND
        if row.action == "submitted" and row.task_id in completed:
            continue  # the step that followed says it
        if not by_hand and not (row.action in SHOWN_ACTIONS and row.kind in SHOWN_KINDS):
            continue
        reason = (row.text or {}).get("text")
        if to := row.facts.get("to"):
            reason = f"→ {to} {names.get(to, '')} {reason or ''}".strip()
        elif group := row.facts.get("group"):
            reason = f"→ {group} {reason or ''}".strip()
        actor = {"number": row.actor, "name": names.get(row.actor, "")} if row.actor else None
        event = row.kind in ("boundaryEvent", "intermediateCatchEvent")
        shown.append(
            {
                "at": row.at,
                "actor": actor,
                "auto": actor is None,
                "rule": row.element if event else None,
                "action": row.action,
                "element": row.element,
                "text": reason or None,
            }
        )
    return shown
