"""What a person does with a task: claim, return, delegate, complete, undo, keep a draft. Each one transaction; the row decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from engine.exceptions import ExpressionError
from engine.expressions import bounded
from engine.forms import Form
from web.accounts import services as accounts
from web.accounts.models import User
from web.common import clock
from web.common.audit import audit
from web.common.errors import DomainError, InvalidForm, NotAllowed
from web.common.publishing import publish
from web.common.scope import scope
from web.jobs import services as jobs
from web.workflow.events import UserTaskChanged, UserTaskGone
from web.workflow.models import Awaited, Draft, History, Submission, TaskCandidate, UserTask
from web.workflow.services import history, hooks, publishing
from web.workflow.services.command import COMPLETE, UNDO, begin, complete_key
from web.workflow.services.errors import (
    CannotTake,
    NobodyLeft,
    TaskDone,
    TaskGone,
    TaskNotClaimed,
    TaskTaken,
    TooLate,
    person,
)
from web.workflow.services.projection import EXCLUDED, give_access, subject

CALL_DELIVERED = "call.delivered"
TAKEN = ("claimed", "taken_in_call", "submitted")
LEFT = ("reassigned", "taken_in_call", "returned", "delegated")
RELATED = ("assignee", "ended_by", "instance")


def fresh(task: UserTask) -> UserTask:
    return UserTask.objects.select_related(*RELATED).get(pk=task.pk)


# -- taking and giving -------------------------------------------------------------------------------------------------


def candidates_of(task: UserTask) -> set[str]:
    """Keys of those who may claim it, without exclusions."""
    keys = TaskCandidate.objects.filter(task=task).values_list("key", flat=True)
    return {key for key in keys if not key.startswith(EXCLUDED)}


def may_take(task: UserTask, user: User) -> str | None:
    """Why `user` may not claim the task: excluded, not_a_candidate; None = he may."""
    if user.number in task.excluded:
        return "excluded"
    return None if candidates_of(task) & accounts.candidate_keys(user) else "not_a_candidate"


def why_lost(task: UserTask) -> DomainError:
    """Why this task is not there for the user any more, with who has it."""
    task = fresh(task)
    if task.state == UserTask.DONE:
        return TaskDone(by=person(task.ended_by), at=task.ended_at)
    if task.state == UserTask.CANCELLED:
        successor = UserTask.objects.filter(replaces=task).select_related("assignee").order_by("-pk").first()
        if successor is None and task.ended_by_id is None:
            return TaskGone(at=task.ended_at)
        by = successor.assignee if successor and successor.assignee_id else task.ended_by
        return TaskTaken(by=person(by), at=task.ended_at)
    if task.assignee_id is None:
        return TaskNotClaimed()
    return TaskTaken(by=person(task.assignee), at=task.claimed_at)


@transaction.atomic
def claim(task: UserTask, user: User) -> UserTask:
    """Take a task from the pool. Of many who try exactly one gets it; the others TaskTaken naming him. Again by its owner: nothing happens."""
    task = fresh(task)
    if task.state == UserTask.OPEN and task.assignee_id == user.pk:
        return task
    if task.state == UserTask.OPEN and (why := may_take(task, user)):
        raise NotAllowed(needs="candidate", why=why)
    taken = UserTask.objects.filter(pk=task.pk, state=UserTask.OPEN, assignee=None).update(
        assignee=user, claimed_at=clock.now(), version=F("version") + 1
    )
    if not taken:
        raise why_lost(task)
    task = fresh(task)
    settle_mine(task, user)
    history.note(task, "claimed", actor=user)
    give_access(task, user)
    publish(UserTaskChanged(task.pk))
    return task


@transaction.atomic
def take_over_in_call(task: UserTask, user: User, call: str) -> UserTask:
    """Whoever has the customer on the line does what is open for him, also when it is a colleague's: the flow says by a drawn
    `call.delivered` that the call concerns it. NotAllowed unless that call is at the user's phone now and the task is of his role."""
    task = fresh(task)
    if task.state == UserTask.OPEN and task.assignee_id == user.pk:
        return task
    if not may_take_over(task, user, hooks.caller_at(user, call)):
        raise NotAllowed(needs="call_with_customer")
    former = task.assignee
    taken = UserTask.objects.filter(pk=task.pk, state=UserTask.OPEN, assignee=former).update(
        assignee=user, claimed_at=clock.now(), version=F("version") + 1
    )
    if not taken:
        raise why_lost(task)
    task = fresh(task)
    settle_mine(task, user)
    if former:
        _leave(task, former, user, "taken_in_call", "", call=str(call))
        accounts.notify(former, "task_taken_away", {"title": task.title, "by": user.name}, ref=f"task:{task.pk}")
    else:
        history.note(task, "taken_in_call", actor=user, call=str(call))
        publish(UserTaskChanged(task.pk))
    give_access(task, user)
    return task


def may_take_over(task: UserTask, user: User, subjects: list[str]) -> bool:
    """Whether a caller named by `subjects` is waited for beside this task, and the user could do it by his role."""
    if not subjects or user.number in task.excluded or not accounts.has_role(user, task.lane or ""):
        return False
    return Awaited.objects.filter(instance=task.instance_id, name=CALL_DELIVERED, subject__in=subjects).exists()


@transaction.atomic
def return_task(task: UserTask, user: User, reason: str = "") -> UserTask:
    """Give an own task back to its pool; what was typed stays for the next one. NobodyLeft when it has no pool."""
    task = fresh(task)
    if not candidates_of(task):
        raise NobodyLeft()
    given = UserTask.objects.filter(pk=task.pk, state=UserTask.OPEN, assignee=user).update(
        assignee=None, claimed_at=None, version=F("version") + 1
    )
    if not given:
        raise why_lost(task)
    task = fresh(task)
    settle_mine(task, user)
    _leave(task, user, user, "returned", reason)
    return task


@transaction.atomic
def delegate(task: UserTask, user: User, to: str | User, reason: str = "") -> UserTask:
    """Hand an own task to a colleague (a user or his 工号) who has the task's role or could claim it. CannotTake says why not."""
    task, to = fresh(task), to if isinstance(to, User) else find_user(to)
    check_can_do(task, to)
    given = UserTask.objects.filter(pk=task.pk, state=UserTask.OPEN, assignee=user).update(
        assignee=to, claimed_at=clock.now(), version=F("version") + 1
    )
    if not given:
        raise why_lost(task)
    task = fresh(task)
    settle_mine(task, user)
    _leave(task, user, user, "delegated", reason, to=to.number)
    give_access(task, to)
    accounts.notify(to, "task_delegated", {"title": task.title, "by": user.name}, ref=f"task:{task.pk}")
    return task


def find_user(number: str) -> User:
    user = User.objects.filter(number=number, is_active=True).first()
    if user is None:
        raise CannotTake(why="unknown_user")
    return user


def check_can_do(task: UserTask, user: User) -> None:
    """CannotTake unless the user has the role of the task's lane or could claim it, and is not excluded."""
    if user.number in task.excluded:
        raise CannotTake(why="excluded")
    if not accounts.has_role(user, task.lane or "") and may_take(task, user):
        raise CannotTake(why="not_a_candidate")


def able(tasks: Iterable[UserTask]) -> set[int]:
    """Ids of the active users who can do every one of these tasks, as `check_can_do` says of each. One query per lane, pool and task."""
    known: dict[str, set[int]] = {}

    def named(key: str) -> set[int]:
        if key not in known:
            known[key] = {user.pk for user in accounts.candidates([key])}
        return known[key]

    common: set[int] | None = None
    for task in tasks:
        keys = candidates_of(task) | ({f"role:{task.lane}"} if task.lane else set())
        can = set().union(*(named(key) for key in keys))
        can -= set().union(*(named(f"user:{number}") for number in task.excluded))
        common = can if common is None else common & can
    return common or set()


def pool(tasks: Iterable[UserTask]) -> set[int]:
    """Ids of the active users these tasks are offered to; where leaders decide, all of the lane's role."""
    keys: set[str] = set()
    for task in tasks:
        offered = candidates_of(task)
        keys |= offered
        if task.lane and any(key.startswith("leader:") for key in offered):
            keys.add(f"role:{task.lane}")
    return {user.pk for user in accounts.candidates(keys)}


def _leave(task: UserTask, former: User, actor: User, action: str, reason: str, **facts: Any) -> None:
    """The former owner has it no more: access ends, history and audit say who and why, his screen is told."""
    accounts.end_grants(f"task:{task.pk}", user=former)
    history.note(task, action, actor=actor, text=reason, former=former.number, **facts)
    of = {"person": task.instance.person or "", "former": former.number, "reason": reason}
    audit(f"tasks.{action}", f"task:{task.pk}", actor=actor, **of, **facts)
    publish(UserTaskGone(task.pk, former.pk, actor.number, action))
    publish(UserTaskChanged(task.pk))


def has_held(task: UserTask, user: User) -> bool:
    """Whether the task was the user's once, or he typed into it: enough to be told who has it now, not to see it."""
    if Draft.objects.filter(task=task, user=user).exists():
        return True
    rows = History.objects.filter(task=task).filter(Q(actor=user.number, action__in=TAKEN) | Q(action__in=LEFT))
    return any(user.number in (row.actor if row.action in TAKEN else None, row.facts.get("former")) for row in rows)


# -- drafts ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def save_draft(task: UserTask, user: User, data: dict[str, Any]) -> Draft:
    """Keep what the user typed, sealed; one draft per task and user. It outlives the loss of the task."""
    task = UserTask.objects.select_related("instance").get(pk=task.pk)
    draft = Draft.objects.filter(task=task, user=user).first() or Draft(task=task, user=user)
    draft.person, draft.at = task.instance.person, clock.now()
    draft.data = data
    try:
        with transaction.atomic():
            draft.save()
    except IntegrityError:  # two windows of the same user made it in the same moment
        Draft.objects.filter(task=task, user=user).update(
            sealed_data=draft.sealed_data, at=draft.at, person=draft.person
        )
    return draft


def keep_draft(task: UserTask, user: User, data: dict[str, Any]) -> Draft:
    """`save_draft` for who sees the task; who has lost sight of it is then told who has it (TaskTaken, TaskDone, …)."""
    draft = save_draft(task, user, data)
    if not scope(UserTask.objects.filter(pk=task.pk), user).exists():
        raise why_lost(task)
    return draft


# -- completing --------------------------------------------------------------------------------------------------------


def form_of(task: UserTask) -> Form | None:
    definition = publishing.definition_of(task.instance.version_id)
    return definition.forms.get(task.form_key or "")


def check_form(form: Form | None, data: dict[str, Any]) -> None:
    """InvalidForm naming every wrong field."""
    fields: dict[str, list[dict]] = {}
    for error in form.validate(data) if form else []:
        fields.setdefault(error.field or "non_field", []).append({"code": error.code})
    try:
        bounded(form.flow_data(data) if form and not fields else {})
    except ExpressionError:
        fields["non_field"] = [{"code": "too_big"}]
    if fields:
        raise InvalidForm(fields)


def check_named(task: UserTask, data: dict[str, Any]) -> None:
    """A decision about another's task hands it on in `assignee`: InvalidForm when that person can not do it."""
    number = data.get("assignee")
    if task.about_id is None or not number:
        return
    try:
        check_can_do(fresh(UserTask(pk=task.about_id)), find_user(str(number).removeprefix("user:")))
    except CannotTake as refused:
        raise InvalidForm({"assignee": [{"code": refused.code}]}) from refused


def complete(task: UserTask, user: User, data: dict[str, Any], *, wait: bool = True) -> Submission:
    """Answer a task's form. The answers are stored at once; the flow moves in ten seconds (until then undo), or now without `wait`.

    InvalidForm (422) naming each field; TaskDone, TaskTaken (409) with who and when; TaskGone, TaskNotClaimed. What was typed is kept as
    a draft in every case.
    """
    try:
        return _complete(task, user, data, wait)
    except DomainError:
        if scope(UserTask.objects.filter(pk=task.pk), user).exists() or has_held(task, user):
            save_draft(task, user, data)
        raise


@transaction.atomic
def _complete(task: UserTask, user: User, data: dict[str, Any], wait: bool) -> Submission:
    command = begin(task.instance_id, user)
    task = fresh(task)
    task.instance = command.instance
    if task.state != UserTask.OPEN or task.assignee_id != user.pk:
        raise why_lost(task)
    if user.number in task.excluded:
        raise NotAllowed(needs="candidate", why="excluded")
    form = form_of(task)
    check_form(form, data)
    check_named(task, data)
    now = clock.now()
    undo_until = now + UNDO if wait else None
    done = UserTask.objects.filter(pk=task.pk, state=UserTask.OPEN, assignee=user).update(
        state=UserTask.DONE, ended_at=now, ended_by=user, undo_until=undo_until, version=F("version") + 1
    )
    if not done:
        raise why_lost(task)
    task = fresh(task)
    task.instance = command.instance
    submission = Submission(task=task, form_key=task.form_key, form_digest=form.digest if form else None, by=user)
    submission.at, submission.person = now, command.instance.person
    submission.data = data
    submission.save(force_insert=True)
    Draft.objects.filter(task=task, user=user).delete()
    history.note(task, "submitted", actor=user)
    if wait:
        payload = {"task": task.pk, "submission": submission.pk}
        jobs.enqueue(
            COMPLETE, key=complete_key(task), subject=subject(task.instance), payload=payload, due_at=undo_until
        )
    else:
        command.finish(task, submission)
    publish(UserTaskChanged(task.pk))
    jobs.failpoint("before_commit")
    transaction.on_commit(lambda: jobs.failpoint("after_commit"))
    return submission


@transaction.atomic
def undo(task: UserTask, user: User) -> UserTask:
    """Take one's own answers back within ten seconds; they become the draft. TooLate when the flow has moved."""
    command = begin(task.instance_id, user, settle=False)
    task = fresh(task)
    task.instance = command.instance
    if task.state != UserTask.DONE or task.ended_by_id != user.pk:
        raise why_lost(task) if task.state != UserTask.DONE else TooLate()
    if task.undo_until is None or task.undo_until <= clock.now():
        raise TooLate()
    submission = Submission.objects.get(task=task, is_undone=False)
    jobs.cancel(complete_key(task))
    Submission.objects.filter(pk=submission.pk).update(is_undone=True)
    UserTask.objects.filter(pk=task.pk).update(
        state=UserTask.OPEN, ended_at=None, ended_by=None, undo_until=None, version=F("version") + 1
    )
    save_draft(task, user, submission.data or {})
    history.note(task, "undone", actor=user)
    publish(UserTaskChanged(task.pk))
    return fresh(task)


def settle_mine(task: UserTask, user: User) -> None:
    """The user acts on: his earlier answers in this instance move the flow now."""
    mine = UserTask.objects.filter(instance=task.instance_id, state=UserTask.DONE, ended_by=user)
    if mine.exclude(undo_until=None).exists():
        begin(task.instance_id, user)
        task.instance.refresh_from_db()


def flush_undo(user: User) -> int:
    """Hang-up, log-out, going not ready: all answers of the user that could still be undone move their flows now. Returns how many."""
    pending = UserTask.objects.filter(state=UserTask.DONE, ended_by=user).exclude(undo_until=None)
    ids = list(pending.order_by("instance_id").values_list("instance_id", flat=True))
    for instance_id in dict.fromkeys(ids):
        with transaction.atomic():
            begin(instance_id, user)
    return len(ids)
