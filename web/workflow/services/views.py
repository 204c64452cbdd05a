"""Where a flow stands and what happened in it, for people to look at."""

from __future__ import annotations

from typing import Any

from engine.definitions import Definition
from web.accounts.models import User
from web.common.errors import NotFound
from web.common.names import both
from web.common.paging import keyset
from web.common.scope import scope
from web.jobs.models import InboundMessage, Incident, Job
from web.workflow.models import Awaited, History, ProcessInstance, Submission, UserTask
from web.workflow.scoping import ordinary, sees_all
from web.workflow.services import hooks, publishing
from web.workflow.services.projection import TIMER, subject

WALKED = ("completed", "end", "fired", "skipped")
SHOWN_KINDS = ("userTask", "serviceTask", "sendTask", "boundaryEvent", "intermediateCatchEvent", "endEvent")
SHOWN_ACTIONS = ("completed", "fired", "end", "cancelled", "skipped", "rescheduled")
BY_HAND = (
    "claimed", "taken_in_call", "returned", "delegated", "submitted", "undone", "reassigned", "reminded", "overdue",
    "cancelled",
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
    definition = publishing.definition_of(instance.version_id)
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
        "names": publishing.names_of(definition),
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
        "id": str(row.pk),
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
    """What happened, oldest first, then what will happen by itself (`will_fire`): [{at, actor {number, name} | None, auto, rule, action,
    element, name {zh, en} | None, text, facts}]. `rule` = flow and version that made it act by itself; `text` = a reason somebody gave."""
    definition = publishing.definition_of(instance.version_id)
    flow, number = instance.version.definition, instance.version.number
    rule = {"zh": f"{flow.name} v{number}", "en": f"{flow.name_en or flow.name} v{number}"}
    rows = list(History.objects.filter(instance=instance).order_by("seq"))
    numbers = {row.actor for row in rows if row.actor} | {row.facts.get("to") for row in rows if row.facts.get("to")}
    people = dict(User.objects.filter(number__in=numbers).values_list("number", "name"))
    completed = {row.task_id for row in rows if row.action == "completed" and row.task_id}

    def is_named(process: str, element: str | None) -> bool:
        drawn = definition.processes.get(process, {}).get(element or "")
        return drawn is None or bool(drawn.name)

    def entry(at: Any, action: str, element: str | None, process: str, **more: Any) -> dict[str, Any]:
        drawn = definition.processes.get(process, {}).get(element or "")
        name = {"zh": drawn.name or drawn.id, "en": definition.element_name(drawn, "en")} if drawn else None
        empty = {"actor": None, "auto": True, "rule": rule, "text": None, "facts": {}}
        return {"at": at, "action": action, "element": element, "name": name, **empty, **more}

    key, shown = instance.version.definition.key, []
    for row in rows:
        by_hand = row.action in BY_HAND
        if row.action == "submitted" and row.task_id in completed:
            continue  # the step that followed says it
        if not by_hand and not (row.action in SHOWN_ACTIONS and row.kind in SHOWN_KINDS):
            continue
        process, facts = row.facts.get("process", key), {k: v for k, v in row.facts.items() if k != "process"}
        if row.kind == "endEvent" and not is_named(process, row.element):
            continue  # where a side branch stops, for example behind a reminder
        if facts.get("to"):
            facts["to_name"] = people.get(facts["to"], "")
        more: dict[str, Any] = {"text": (row.text or {}).get("text") or None, "facts": facts}
        if row.actor:
            more |= {"actor": {"number": row.actor, "name": people.get(row.actor, "")}, "auto": False, "rule": None}
        shown.append(entry(row.at, row.action, row.element, process, **more))
    for timer in _timers(instance):
        shown.append(entry(timer["due_at"], "will_fire", timer["element"], timer.get("process", key)))
    return shown


def answers_of(instance: ProcessInstance, user: User) -> list[dict[str, Any]]:
    """What was answered so far, of the tasks `user` may read: [{task, element, title, schema, data, by, at}]. One who sees the flow only
    to repair it reads none."""
    definition = publishing.definition_of(instance.version_id)
    tasks = UserTask.objects.filter(instance=instance, state=UserTask.DONE)
    started = instance.started_by == user.number
    involved = sees_all(user) or started or UserTask.objects.filter(ordinary(user), instance=instance).exists()
    if not involved:
        return []
    answers = (
        Submission.objects.filter(task__in=tasks, is_undone=False).select_related("task", "by").order_by("at", "pk")
    )
    return [
        {
            "task": str(row.task_id),
            "element": row.task.element,
            "title": row.task.title,
            "schema": form.schema if (form := definition.forms.get(row.form_key or "")) else {},
            "data": row.data or {},
            "by": {"number": row.by.number, "name": row.by.name} if row.by else None,
            "at": row.at,
        }
        for row in answers
    ]


def answer_of(business_key: str, field: str, *, element: str = "") -> Any:
    """The latest answer that a form of this case gave to `field` (of the task `element`, when named), or None. For verbs of rooms that
    need what process data must not hold: a patient's name, a free text. An answer that was undone does not count."""
    rows = Submission.objects.filter(task__instance__business_key=business_key, is_undone=False)
    if element:
        rows = rows.filter(task__element=element)
    for row in rows.order_by("-at", "-pk")[:50]:
        if (value := (row.data or {}).get(field)) not in (None, ""):
            return value
    return None


def brief_of(task: UserTask) -> list[dict[str, Any]]:
    """What earlier tasks of the flow left for whoever does this one: their fields marked `x-brief`, the latest answer of each, as
    [{name, title {zh, en}, value {zh, en}}]. For readers of the task's content only."""
    definition = publishing.definition_of(task.instance.version_id)
    earlier = UserTask.objects.filter(instance=task.instance_id, pk__lt=task.pk, state=UserTask.DONE)
    found: dict[str, dict[str, Any]] = {}
    for answers in Submission.objects.filter(task__in=earlier, is_undone=False).order_by("at", "pk"):
        form = definition.forms.get(answers.form_key or "")
        for name, field in form.brief_fields().items() if form else ():
            value = (answers.data or {}).get(name)
            if value not in (None, "", []):
                found[name] = {"name": name, "title": _said(field, name), "value": _chosen(field, value)}
    return list(found.values())


def _said(field: dict[str, Any], otherwise: str) -> dict[str, str]:
    """The title of a field or of one of its choices, in both languages."""
    english = (field.get("x-i18n") or {}).get("en")
    if isinstance(english, dict):
        english = english.get("title")
    return both(str(field.get("title") or otherwise), english)


def _chosen(field: dict[str, Any], value: Any) -> dict[str, str]:
    said = next((_said(one, str(value)) for one in field.get("oneOf", ()) if one.get("const") == value), None)
    return said or both(str(value))


def instances(
    user: User, *, flow: str = "", status: str = "", cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Flows the user may see, newest first, each with where it stands now; the cursor of the next page."""
    rows = scope(ProcessInstance.objects.all(), user)
    if flow:
        rows = rows.filter(version__definition__key=flow)
    if status:
        rows = rows.filter(status=status)
    name = "version__definition__"
    columns = ("id", "business_key", "status", "is_stuck", "ends", "started_at", "ended_at", "version__number")
    names = (f"{name}key", f"{name}name", f"{name}name_en")
    found, after = keyset(rows.values(*columns, *names), by="started_at", cursor=cursor, descending=True)
    at: dict[int, list[dict[str, str]]] = {}
    open_tasks = UserTask.objects.filter(instance__in=[row["id"] for row in found], state=UserTask.OPEN)
    for instance, element, title in open_tasks.order_by("pk").values_list("instance", "element", "name"):
        at.setdefault(instance, []).append({"element": element, "name": title})
    made = [
        {
            "id": str(row["id"]),
            "flow": {
                "key": row[f"{name}key"],
                "name": {"zh": row[f"{name}name"], "en": row[f"{name}name_en"] or row[f"{name}name"]},
            },
            "version": row["version__number"],
            "ticket": None,
            "customer": None,
            **{column: row[column] for column in columns if column not in ("id", "version__number")},
            "at": at.get(row["id"], []),
        }
        for row in found
    ]
    hooks.decorate(made)
    return made, after
