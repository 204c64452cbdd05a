"""The rows people and sweeps look at, brought in line with what a step said (ARCHITECTURE 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.step import OpenTask, Outcome
from web.accounts import services as accounts
from web.accounts.models import User
from web.common.publishing import publish
from web.jobs import services as jobs
from web.jobs.models import Job
from web.workflow.events import InstanceChanged, UserTaskChanged, UserTaskCreated, UserTaskGone
from web.workflow.models import Awaited, ProcessInstance, TaskCandidate, UserTask, reference_of, referred
from web.workflow.services import history, hooks
from web.workflow.services.errors import ChangedMeanwhile

TIMER = "workflow.timer"
EXCLUDED = "not:"
ENDED = (ProcessInstance.COMPLETED, ProcessInstance.CANCELLED)


@dataclass
class Changes:
    """What a step did to the rows: tasks that opened, tasks that ended, messages waited for since."""

    opened: list[UserTask] = field(default_factory=list)
    ended: list[UserTask] = field(default_factory=list)
    awaited: list[Awaited] = field(default_factory=list)
    still_open: set[str] = field(default_factory=set)


def timer_key(engine_id: str) -> str:
    return f"timer:{engine_id}"


def subject(instance: ProcessInstance) -> str:
    return f"instance:{instance.pk}"


def project(
    instance: ProcessInstance, outcome: Outcome, *, now: datetime, actor: Any, completed: UserTask | None
) -> Changes:
    """Write everything the outcome says. `completed` = the task whose answers caused the step. ChangedMeanwhile when another command
    was here in between."""
    _write_instance(instance, outcome, now)
    changes = _tasks(instance, outcome, now=now, actor=actor, completed=completed)
    _history(instance, outcome, actor, changes)
    _timers(instance, outcome)
    changes.awaited = _awaited(instance, outcome, now)
    if instance.status in ENDED:
        hooks.on_ended(instance)
    publish(InstanceChanged(instance.pk))
    return changes


def _write_instance(instance: ProcessInstance, outcome: Outcome, now: datetime) -> None:
    instance.state, instance.data, instance.status = outcome.state, outcome.data, outcome.status
    instance.ends = [*instance.ends, *outcome.ends]
    if instance.status in ENDED:
        instance.ended_at = now
    mine = ProcessInstance.objects.filter(pk=instance.pk, lock_version=instance.lock_version)
    instance.lock_version += 1
    changed = mine.update(
        state=instance.state,
        data=instance.data,
        status=instance.status,
        ends=instance.ends,
        ended_at=instance.ended_at,
        lock_version=instance.lock_version,
    )
    if not changed:
        raise ChangedMeanwhile()


# -- user tasks ------------------------------------------------------------------------------------------------------


def _tasks(
    instance: ProcessInstance, outcome: Outcome, *, now: datetime, actor: Any, completed: UserTask | None
) -> Changes:
    changes = Changes(still_open={reference_of(task.element, task.data) for task in outcome.tasks})
    open_rows = UserTask.objects.filter(instance=instance, state=UserTask.OPEN).select_related("assignee")
    rows = {row.engine_id: row for row in open_rows}
    wanted = {task.id: task for task in outcome.tasks}
    # A task that is done but may still be undone is open for the engine and has its row.
    unknown = [engine_id for engine_id in wanted if engine_id not in rows]
    if unknown:
        known = set(UserTask.objects.filter(engine_id__in=unknown).values_list("engine_id", flat=True))
        unknown = [engine_id for engine_id in unknown if engine_id not in known]
    changes.ended = [_cancel(row, now, actor) for engine_id, row in rows.items() if engine_id not in wanted]
    if completed is not None:
        changes.ended.append(completed)
        accounts.end_grants(f"task:{completed.pk}")
    for engine_id in unknown:
        changes.opened.append(_open(instance, wanted[engine_id], changes, rows, now, actor))
    for row in changes.ended:
        if row is completed:
            continue
        publish(UserTaskChanged(row.pk))  # whoever could have taken it
        if row.assignee_id:
            moved = any(task.replaces_id == row.pk for task in changes.opened)
            code = "reassigned" if moved else "cancelled"
            publish(UserTaskGone(row.pk, row.assignee_id, getattr(actor, "number", "") or "", code))
    for task in changes.opened:
        publish(UserTaskCreated(task.pk))
    return changes


def _cancel(row: UserTask, now: datetime, actor: Any) -> UserTask:
    row.state, row.ended_at, row.version = UserTask.CANCELLED, now, row.version + 1
    row.ended_by = actor if isinstance(actor, User) else None
    row.save(update_fields=["state", "ended_at", "ended_by", "version"])
    accounts.end_grants(f"task:{row.pk}")
    return row


def _open(
    instance: ProcessInstance,
    task: OpenTask,
    changes: Changes,
    rows: dict[str, UserTask],
    now: datetime,
    actor: Any,
) -> UserTask:
    assignee = User.objects.filter(number=task.assignee, is_active=True).first() if task.assignee else None
    former = [row for row in changes.ended if row.element == task.element and row.state == UserTask.CANCELLED]
    about = None
    if task.about:
        same = referred(UserTask.objects.filter(instance=instance), task.about)
        about = next((row for row in same if row.state == UserTask.OPEN), same[0] if same else None)
    row = UserTask.objects.create(
        instance=instance,
        engine_id=task.id,
        element=task.element,
        name=task.name[:120] or task.element,
        title=task.title[:200] or task.element,
        lane=task.lane,
        form_key=task.form_key,
        priority=task.priority,
        assignee=assignee,
        claimed_at=now if assignee else None,
        about=about,
        replaces=former[0] if former else None,
        due_at=task.due_at,
        remind_at=task.remind_at,
        created_at=now,
        data=task.data,
        excluded=task.exclude,
    )
    offer(row, task.candidates, task.exclude)
    if assignee:
        give_access(row, assignee)
        if getattr(actor, "pk", None) != assignee.pk:
            accounts.notify(assignee, "task_assigned", {"title": row.title}, ref=f"task:{row.pk}")
    return row


def offer(row: UserTask, candidates: list[str], excluded: list[str]) -> None:
    """Who may claim it, and who may not although a group or role would let him."""
    keys = dict.fromkeys([*candidates, *(f"{EXCLUDED}{number}" for number in excluded)])
    TaskCandidate.objects.bulk_create(TaskCandidate(task=row, key=key[:80]) for key in keys)


def give_access(row: UserTask, user: User) -> None:
    """Access follows work: what the task's case is about opens to its owner."""
    for kind, identifier in hooks.subject_of(row.instance):
        accounts.grant(user, kind, identifier, "task", f"task:{row.pk}")


# -- history ---------------------------------------------------------------------------------------------------------


def _history(instance: ProcessInstance, outcome: Outcome, actor: Any, changes: Changes) -> None:
    tasks = {task.engine_id: task for task in (*changes.opened, *changes.ended)}
    key = instance.version.definition.key
    entries = []
    for step in outcome.trail:
        task = tasks.get(step.task_id)
        by = None
        if step.kind == "userTask" and step.action in ("completed", "cancelled"):
            by = task.ended_by if task and task.ended_by_id else None
        facts = {} if step.process in ("", key) else {"process": step.process}
        entry = {"action": step.action, "element": step.element, "kind": step.kind, "flow": step.flow, "at": step.at}
        entries.append({**entry, "actor": by, "task": task, "facts": facts})
    history.append(instance, entries)


# -- timers and messages ---------------------------------------------------------------------------------------------


def _timers(instance: ProcessInstance, outcome: Outcome) -> None:
    """One job for each waiting timer; the due time in the job is the one in the state."""
    open_jobs = Job.objects.filter(subject=subject(instance), topic=TIMER, state__in=(Job.QUEUED, Job.RUNNING))
    due = dict(open_jobs.values_list("key", "due_at"))
    for timer in outcome.timers:
        key = timer_key(timer.id)
        if due.pop(key, None) != timer.due_at:
            payload = {"instance": instance.pk, "engine_id": timer.id, "element": timer.element}
            payload |= {"attached_to": timer.attached_to, "process": timer.process}
            jobs.enqueue(TIMER, key=key, subject=subject(instance), payload=payload, due_at=timer.due_at)
    for key in due:
        jobs.cancel(key)


def _awaited(instance: ProcessInstance, outcome: Outcome, now: datetime) -> list[Awaited]:
    """Rows of what it waits for; returns the new ones."""
    rows = {(row.engine_id, row.element, row.subject): row for row in Awaited.objects.filter(instance=instance)}
    new = []
    for one in outcome.awaited:
        if rows.pop((one.id, one.element, one.subject), None) is None:
            address = {"business_key": None if one.subject else instance.business_key, "subject": one.subject}
            row = Awaited(instance=instance, engine_id=one.id, element=one.element, name=one.name, since=now)
            row.keys, row.business_key, row.subject = one.keys, address["business_key"], address["subject"]
            new.append(row)
    if rows:
        Awaited.objects.filter(pk__in=[row.pk for row in rows.values()]).delete()
    for row in new:
        row.save(force_insert=True)
    return new
