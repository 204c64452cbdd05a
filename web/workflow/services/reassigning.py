"""A supervisor gives work to somebody else (S-20): through the diagram when it waits for that, else by the row and its timers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F

from engine.step import Reschedule
from web.accounts import services as accounts
from web.accounts.models import Group, User
from web.common import clock
from web.common.audit import audit
from web.common.errors import BadInput, DomainError, NotFound
from web.common.publishing import publish
from web.common.scope import scope
from web.jobs.models import InboundMessage, Job
from web.jobs.services.messages import store
from web.workflow.events import UserTaskChanged, UserTaskGone
from web.workflow.models import Awaited, Submission, TaskCandidate, UserTask
from web.workflow.services import acts, history
from web.workflow.services.command import Command, StepRefused, begin
from web.workflow.services.errors import CannotTake
from web.workflow.services.projection import EXCLUDED, TIMER, give_access, subject

log = structlog.get_logger(__name__)
REASSIGNED = "task.reassigned"
REASONS = ("absent", "overloaded", "skill", "extension", "resolved", "other")
MOST = 200
REMIND_SHARE = 0.75


def reassign(
    tasks: Iterable[UserTask | int],
    user: User,
    *,
    assignee: str | User | None = None,
    group: str | None = None,
    due_at: datetime | None = None,
    reason: str,
    note: str = "",
) -> list[dict[str, Any]]:
    """Give open tasks to `assignee` (a user or 工号) or to the pool of `group`, with a new deadline and a reason, one of REASONS; the `note` in own
    words is sealed. One at a time: each stands or falls alone, and goes only to who can do it. Returns [{id, ok, task? (id of the task
    that stands now), code?, …facts}] in the order asked.

    NotAllowed without tasks.reassign; BadInput when nobody, an unknown group or reason or a deadline in the past is named.
    """
    accounts.require(user, "tasks.reassign")
    ids = [task if isinstance(task, int) else task.pk for task in tasks]
    if not ids or len(ids) > MOST:
        raise BadInput(fields={"ids": [{"code": "count"}]})
    if bool(assignee) == bool(group):
        raise BadInput(fields={"assignee": [{"code": "one_of"}]})
    if due_at is not None and due_at <= clock.now():
        raise BadInput(fields={"due_at": [{"code": "past"}]})
    if reason not in REASONS:
        raise BadInput(fields={"reason": [{"code": "enum"}]})
    if group and not Group.objects.filter(key=group).exists():
        raise BadInput(fields={"group": [{"code": "unknown"}]})
    to = acts.find_user(assignee) if isinstance(assignee, str) and assignee else assignee or None
    results = []
    for pk in ids:
        try:
            with transaction.atomic():
                new = _one(pk, user, to, group, due_at, reason, note)
            results.append({"id": pk, "ok": True, "task": new.pk})
        except DomainError as refused:
            results.append({"id": pk, "ok": False, "code": refused.code, **refused.facts})
        except Exception as error:  # one that breaks does not keep the others back
            log.exception("not reassigned", task=pk, error=type(error).__name__)
            results.append({"id": pk, "ok": False, "code": "failed"})
    return results


def _one(
    pk: int, user: User, to: User | None, group: str | None, due_at: datetime | None, reason: str, note: str
) -> UserTask:
    row = scope(UserTask.objects.filter(pk=pk), user).first()
    if row is None:
        raise NotFound()
    command = begin(row.instance_id, user)
    task = acts.fresh(row)
    task.instance = command.instance
    if task.state != UserTask.OPEN:
        raise acts.why_lost(task)
    if to is not None:
        acts.check_can_do(task, to)
    could = acts.able([task]) if group else set()
    former, due = task.assignee, due_at or task.due_at
    facts = {
        "former": former.number if former else None,
        "to": to.number if to else None,
        "group": group,
        "due_at": due.isoformat() if due else None,
        "reason": reason,
    }
    history.note(task, "reassigned", actor=user, text=note, **facts)
    catch = command.waiting(REASSIGNED, {"element": task.reference})
    new = None
    if catch is not None:
        answer = {"decision": "reassign", "assignee": to.number if to else "", "group": group or ""}
        answer |= {"due_at": due.isoformat() if due else "", "reason": reason}
        new = _through_the_diagram(command, task, catch, answer, note, user)
    if new is None:
        new = _by_the_row(command, acts.fresh(task), to, group, due, user)
    if group:
        _check_pool(new, could)
    if former is not None and former.pk != user.pk and new.assignee_id != former.pk:
        accounts.notify(former, "task_taken_away", {"title": task.title, "by": user.name}, ref=f"task:{task.pk}")
    of = {"person": command.instance.person or "", "note": note}
    audit("tasks.reassigned", f"task:{task.pk}", actor=user, task=new.pk, **of, **facts)
    if to is not None and to.pk != user.pk and new.pk == task.pk:
        accounts.notify(to, "task_assigned", {"title": new.title, "by": user.name}, ref=f"task:{new.pk}")
    return new


def _check_pool(task: UserTask, could: set[int]) -> None:
    """CannotTake when the group the task was given to has nobody who could do it before, or opens it to others: an approval is not for
    every member. Who leads a group may do its members' work."""
    offered, led = set(), set()
    for key in acts.candidates_of(task):
        offered |= {user.pk for user in accounts.candidates([key])}
        if key.startswith("group:"):
            led |= {user.pk for user in accounts.candidates([key.replace("group:", "leader:", 1)])}
    if not offered & could or offered - led - could:
        raise CannotTake(why="group")


# -- the diagram waits for it ------------------------------------------------------------------------------------------


def _through_the_diagram(
    command: Command, task: UserTask, catch: Awaited, answer: dict[str, Any], note: str, user: User
) -> UserTask | None:
    """The supervisor's open task about it is answered with the decision and the note, else the message goes straight to the catch, without
    the note: it would become data of the flow. None when neither moved the task."""
    escalation = UserTask.objects.filter(about=task, state=UserTask.OPEN, instance=command.instance).first()
    moved = escalation is not None and _answer(command, escalation, {**answer, "note": note}, user)
    if not moved:
        message, _ = store(
            REASSIGNED,
            message_id=f"{REASSIGNED}:{task.pk}:{task.version}",
            business_key=command.instance.business_key,
            keys={"element": task.reference},
            payload=answer,
            person=command.instance.person or "",
        )
        try:
            with transaction.atomic():
                command.deliver(message, catch)
        except StepRefused:
            InboundMessage.objects.filter(pk=message.pk).update(state=InboundMessage.UNMATCHED)
    if UserTask.objects.filter(pk=task.pk, state=UserTask.OPEN).exists():
        return None
    return UserTask.objects.filter(replaces=task).order_by("-pk").first() or acts.fresh(task)


def _answer(command: Command, escalation: UserTask, answer: dict[str, Any], user: User) -> bool:
    """Complete the supervisor's task with the decision, in the shape its form asks for. False when the form wants something else."""
    escalation = acts.fresh(escalation)
    escalation.instance = command.instance
    form = acts.form_of(escalation)
    if form is None or user.number in escalation.excluded:
        return False
    data = fitted(form.schema, answer)
    if form.validate(data):
        return False
    now = clock.now()
    holder = escalation.assignee
    UserTask.objects.filter(pk=escalation.pk).update(
        state=UserTask.DONE,
        assignee=user,
        claimed_at=escalation.claimed_at or now,
        ended_at=now,
        ended_by=user,
        version=F("version") + 1,
    )
    if holder is not None and holder.pk != user.pk:
        publish(UserTaskGone(escalation.pk, holder.pk, user.number, "reassigned"))
    escalation = acts.fresh(escalation)
    escalation.instance = command.instance
    submission = Submission(task=escalation, form_key=escalation.form_key, form_digest=form.digest, by=user)
    submission.at, submission.person = now, command.instance.person
    submission.data = data
    submission.save(force_insert=True)
    history.note(escalation, "submitted", actor=user)
    command.finish(escalation, submission)
    publish(UserTaskChanged(escalation.pk))
    return True


def fitted(schema: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The fields of `answer` that the form has. A reason that is none of the form's choices is its `other`, or its last."""
    fields = schema.get("properties", {})
    data = {name: value for name, value in answer.items() if name in fields and value not in (None, "")}
    choices = [one.get("const") for one in fields.get("reason", {}).get("oneOf", [])] + fields.get("reason", {}).get(
        "enum", []
    )
    if choices and data.get("reason") not in choices:
        data["reason"] = "other" if "other" in choices else choices[-1]
    return data


# -- it does not -------------------------------------------------------------------------------------------------------


def _by_the_row(
    command: Command, task: UserTask, to: User | None, group: str | None, due: datetime | None, user: User
) -> UserTask:
    task.instance = command.instance
    former, now = task.assignee, clock.now()
    remind = now + (due - now) * REMIND_SHARE if due and due > now and task.remind_at else task.remind_at
    for job in Job.objects.filter(subject=subject(command.instance), topic=TIMER, state__in=(Job.QUEUED, Job.RUNNING)):
        if job.payload.get("attached_to") != task.engine_id or due is None:
            continue
        moved = {task.due_at: due, task.remind_at: remind}.get(job.due_at)
        if moved is None or moved == job.due_at:
            continue
        try:
            with transaction.atomic():
                command.step(Reschedule(job.payload["engine_id"], moved))
        except StepRefused:
            continue  # it fired a moment ago
    UserTask.objects.filter(pk=task.pk).update(
        assignee=to,
        claimed_at=now if to else None,
        due_at=due,
        remind_at=remind,
        overdue_at=None if due and due > now else task.overdue_at,
        version=F("version") + 1,
    )
    if group:
        TaskCandidate.objects.filter(task=task).exclude(key__startswith=EXCLUDED).delete()
        TaskCandidate.objects.create(task=task, key=f"group:{group}")
    accounts.end_grants(f"task:{task.pk}")
    fresh = acts.fresh(task)
    fresh.instance = command.instance
    if to is not None:
        give_access(fresh, to)
    if former is not None and (to is None or former.pk != to.pk):
        publish(UserTaskGone(task.pk, former.pk, user.number, "reassigned"))
    publish(UserTaskChanged(task.pk))
    return fresh
