"""One command = one transaction (ARCHITECTURE 5.2): lock the instance, step, write what the step said.

When automatic work fails, what the person or the clock did still stands: the state after the stimulus alone is kept, with an incident
and a job that tries again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction

from engine.exceptions import StateError, StepFailed, StimulusRefused, VerbRefused
from engine.step import Cancel, Complete, Deliver, Outcome, Stimulus
from engine.step import start as engine_start
from engine.step import step as engine_step
from engine.verbs import REGISTRY
from web.accounts import services as accounts
from web.accounts.models import User
from web.calendars.services import Lazy
from web.common import clock
from web.common.audit import audit
from web.common.errors import DomainError
from web.jobs import services as jobs
from web.jobs.models import InboundMessage, Job
from web.jobs.services.incidents import close_quietly
from web.jobs.services.messages import store
from web.jobs.services.queue import back_off
from web.workflow.models import Awaited, ProcessInstance, Submission, UserTask
from web.workflow.services import publishing
from web.workflow.services.errors import InstanceOver
from web.workflow.services.projection import Changes, project, subject

log = structlog.get_logger(__name__)

STEP = "workflow.step"  # topic of incidents of automatic work
RETRY = "workflow.retry"
COMPLETE = "workflow.complete"
FINISHED = "task.finished"
MOST_DELIVERIES = 100


class StepRefused(DomainError):
    """The engine refused what was asked. Codes not_open, not_due, not_addressed, not_skippable, ended, data_refused."""

    code, status = "step_refused", 409


class InstanceBroken(DomainError):
    """The stored state cannot be read; an incident says so."""

    code, status = "instance_broken", 409


class Command:
    """One locked instance inside one transaction, and the person (or nobody) who acts."""

    def __init__(self, instance: ProcessInstance, actor: User | None = None) -> None:
        self.instance, self.actor, self.now = instance, actor, clock.now()
        self.deliveries = 0

    # The stimuli.

    def start(self, data: dict[str, Any]) -> None:
        """The first step of a new instance."""
        definition = publishing.definition_of(self.instance.version_id)

        def first(run: bool) -> Outcome:
            return engine_start(
                definition,
                data=data,
                now=self.now,
                verbs=REGISTRY,
                business_key=self.instance.business_key,
                calendar=Lazy(),
                run=run,
                context=self._context(None),
            )

        self._apply(first, None, None, 1)

    def step(
        self,
        stimulus: Stimulus,
        *,
        submission: Submission | None = None,
        completed: UserTask | None = None,
        attempt: int = 1,
    ) -> bool:
        """Apply a stimulus and all that follows. False when automatic work failed: the checkpoint is kept, an incident is open.
        StepRefused when the stimulus does not fit, InstanceOver when the flow has ended."""
        if self.instance.status != ProcessInstance.RUNNING:
            raise InstanceOver()
        definition = publishing.definition_of(self.instance.version_id)
        state, context = bytes(self.instance.state), self._context(submission)

        def next_(run: bool) -> Outcome:
            return engine_step(
                definition, state, stimulus, self.now, REGISTRY, calendar=Lazy(), run=run, context=context
            )

        return self._apply(next_, submission, completed, attempt)

    def _context(self, submission: Submission | None) -> dict[str, Any]:
        return {"instance_key": subject(self.instance), "submission": submission, "actor": self.actor}

    def _apply(
        self,
        run_engine: Callable[[bool], Outcome],
        submission: Submission | None,
        completed: UserTask | None,
        attempt: int,
    ) -> bool:
        jobs.failpoint("before_step")
        failure: StepFailed | None = None
        try:
            with transaction.atomic():
                outcome = run_engine(True)
        except StepFailed as error:
            failure, outcome = error, run_engine(False)
        except StimulusRefused as error:
            raise StepRefused(error.code, element=error.task_id) from error
        except StateError as error:
            raise InstanceBroken() from error
        jobs.failpoint("after_step")
        changes = project(self.instance, outcome, now=self.now, actor=self.actor, completed=completed)
        if failure:
            self._failed(failure, submission, attempt)
        elif self.instance.is_stuck:
            self._stuck(False)
            close_quietly(subject(self.instance), STEP)
            jobs.cancel(retry_key(self.instance))
        self._throw(outcome)
        self._follow_up(changes)
        return failure is None

    # What went wrong.

    def _failed(self, failure: StepFailed, submission: Submission | None, attempt: int) -> None:
        log.error(
            "automatic work failed",
            instance=self.instance.pk,
            element=failure.element,
            error=type(failure.cause).__name__ if isinstance(failure.cause, BaseException) else str(failure.cause),
        )
        wait = back_off(attempt) if failure.retryable else None
        key = retry_key(self.instance)
        job = None
        if wait is not None and (attempt > 1 or not Job.objects.filter(key=key, state=Job.QUEUED).exists()):
            payload = {"instance": self.instance.pk, "attempt": attempt + 1}
            payload |= {"submission": submission and submission.pk, "actor": getattr(self.actor, "number", None)}
            job = jobs.enqueue(RETRY, key=key, subject=subject(self.instance), payload=payload, due_at=self.now + wait)
        self._stuck(True)
        jobs.raise_incident(
            subject(self.instance), STEP, _cause(failure), element=failure.element, job=job, detail=_detail(failure)
        )

    def _stuck(self, is_stuck: bool) -> None:
        self.instance.is_stuck = is_stuck
        ProcessInstance.objects.filter(pk=self.instance.pk).update(is_stuck=is_stuck)

    # What follows: messages outward, messages to ourselves.

    def _throw(self, outcome: Outcome) -> None:
        for number, thrown in enumerate(outcome.thrown):
            jobs.receive(
                thrown.name,
                message_id=f"{subject(self.instance)}:{self.instance.lock_version}:{number}",
                business_key=None if thrown.subject else thrown.business_key,
                subject=thrown.subject,
                keys=thrown.keys,
                payload=thrown.payload,
                person=self.instance.person or "",
            )

    def _follow_up(self, changes: Changes) -> None:
        for task in changes.ended:
            if task.reference not in changes.still_open:
                self._tell_finished(task)
        for row in changes.awaited:
            if row.subject is None:
                self._take_early(row)

    def _tell_finished(self, task: UserTask) -> None:
        """An escalation about a task that ended hears of it in the same transaction."""
        row = self.waiting(FINISHED, {"element": task.reference})
        if row is None:
            return
        message, is_new = store(
            FINISHED,
            message_id=f"{FINISHED}:{task.pk}",
            business_key=self.instance.business_key,
            keys={"element": task.reference},
            payload={"element": task.reference, "by": getattr(task.ended_by, "number", "") or ""},
        )
        if is_new:
            self.deliver(message, row)

    def _take_early(self, row: Awaited) -> None:
        """A message that came before its catch waited for this moment."""
        early = InboundMessage.objects.filter(
            state=InboundMessage.NEW, name=row.name, business_key=row.business_key, expires_at__gt=self.now
        )
        for message in early.order_by("pk"):
            if fits(row, message.keys) and self.deliver(message, row):
                return

    def waiting(self, name: str, keys: dict[str, str]) -> Awaited | None:
        """The first point catch of this instance that a message with `name` and `keys` would reach."""
        rows = Awaited.objects.filter(instance=self.instance, name=name, subject=None).order_by("since", "pk")
        return next((row for row in rows if fits(row, keys)), None)

    def deliver(self, message: InboundMessage, row: Awaited) -> bool:
        """Give a stored point message to a catch of this instance; False when either is gone."""
        if self.instance.status != ProcessInstance.RUNNING or self.deliveries >= MOST_DELIVERIES:
            return False
        if not Awaited.objects.filter(pk=row.pk).exists():
            return False
        taken = InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.NEW).update(
            state=InboundMessage.CONSUMED,
            consumed_at=self.now,
            consumed_by=f"{subject(self.instance)}:{row.element}"[:80],
            deliveries=1,
        )
        if not taken:
            return False
        self.deliveries += 1
        self.step(Deliver(row.engine_id, message.name, message.payload or {}))
        return True

    # Answers that may still be undone.

    def settle(self, until: Any = None) -> None:
        """Let answers move the flow whose ten seconds are not over (all, or those given up to `until`): what people did counts in the
        order they did it."""
        pending = UserTask.objects.filter(instance=self.instance, state=UserTask.DONE).exclude(undo_until=None)
        if until is not None:
            pending = pending.filter(ended_at__lte=until)
        for task in pending.select_related("ended_by").order_by("ended_at", "pk"):
            self.finish(task, Submission.objects.get(task=task, is_undone=False))

    def finish(self, task: UserTask, submission: Submission) -> None:
        """The answers of a done task move the flow."""
        task.instance = self.instance
        UserTask.objects.filter(pk=task.pk).update(undo_until=None)
        task.undo_until = None
        jobs.cancel(complete_key(task))
        before, self.actor = self.actor, submission.by
        try:
            if self.instance.status == ProcessInstance.RUNNING:
                self.step(Complete(task.engine_id, submission.data or {}), submission=submission, completed=task)
        finally:
            self.actor = before


def complete_key(task: UserTask) -> str:
    return f"complete:{task.pk}"


def retry_key(instance: ProcessInstance) -> str:
    return f"retry:{instance.pk}"


def fits(row: Awaited, keys: dict[str, str]) -> bool:
    """All keys the catch waits for are in the message."""
    return all(keys.get(name) == value for name, value in row.keys.items())


def begin(instance_id: int, actor: User | None = None, *, settle: bool = True) -> Command:
    """Lock the instance for this transaction. Pending answers of its tasks move the flow first, unless `settle` is false."""
    instance = ProcessInstance.objects.select_for_update().get(pk=instance_id)
    command = Command(instance, actor)
    if settle and instance.status == ProcessInstance.RUNNING:
        command.settle()
    return command


@transaction.atomic
def start(
    flow_key: str,
    *,
    key: str,
    data: dict[str, Any] | None = None,
    acting_user: User | None = None,
    person: str = "",
    before_run: Callable[[ProcessInstance], None] | None = None,
) -> ProcessInstance:
    """Start the current version of a flow for the business key `key` (`ticket:T20261122-0042`) and run it to its first waits.

    `data` holds keys and flags only; `person` is whose key seals what is said here; `before_run(instance)` lets the caller write its link
    before the flow's first verbs look for it. FlowUnknown when nothing of this key is published.
    """
    version = publishing.current_version(flow_key)
    instance = ProcessInstance.objects.create(
        version=version,
        business_key=key,
        person=person or None,
        started_by=acting_user.number if acting_user else None,
        started_at=clock.now(),
    )
    if before_run:
        before_run(instance)
    group = accounts.main_group(acting_user) if acting_user and not (data or {}).get("group") else None
    defaults = dict.fromkeys(("customer", "number", "call", "source"), "")
    defaults |= {
        "opened_by": acting_user.number if acting_user else "",
        "group": group.key if group else "",
        "ticket": key.partition(":")[2] or key,
        "kind": flow_key,
    }
    Command(instance, acting_user).start({**defaults, **(data or {})})
    return instance


@transaction.atomic
def cancel_instance(instance: ProcessInstance, user: User | None, reason: str) -> ProcessInstance:
    """End a flow by hand. NotAllowed without workflow.incidents."""
    if user is not None:
        accounts.require(user, "workflow.incidents")
    command = begin(instance.pk, user)
    command.step(Cancel("by hand"))
    close_quietly(subject(instance), STEP)
    jobs.cancel(retry_key(instance))
    audit("instances.cancelled", subject(instance), actor=user, person=instance.person or "", reason=reason)
    return command.instance


def _cause(failure: StepFailed) -> str:
    """What kind of trouble; a foreign error's text may hold personal values and stays out."""
    cause = failure.cause
    if isinstance(cause, VerbRefused):
        return f"refused: {cause.code}"
    inner = getattr(cause, "cause", None)
    if isinstance(inner, BaseException):
        return f"{type(cause).__name__}: {type(inner).__name__}"
    return str(cause) if isinstance(cause, str) else f"{type(cause).__name__}"


def _detail(failure: StepFailed) -> str:
    """First line: the engine id of the task that failed; then where in the code it happened."""
    cause = failure.cause if isinstance(failure.cause, BaseException) else None
    cause = getattr(cause, "cause", None) or cause
    frames = traceback.extract_tb(cause.__traceback__)[-6:] if isinstance(cause, BaseException) else []
    return "\n".join(
        [failure.task_id, *(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)]
    )


UNDO = timedelta(seconds=10)
