"""Retry, skip or cancel what went wrong (X-14)."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from engine.step import Cancel, Run, Skip
from web.accounts import services as accounts
from web.accounts.models import User
from web.common.errors import NotFound
from web.jobs import services as jobs
from web.jobs.models import Incident, Job
from web.jobs.services.incidents import resolve
from web.workflow.models import ProcessInstance, Submission
from web.workflow.services.command import STEP, Command, StepRefused, begin, retry_key
from web.workflow.services.errors import NotSkippable


def _command(incident: Incident, user: User) -> tuple[Command, dict[str, Any]]:
    instance_id = int(incident.subject.partition(":")[2])
    command = begin(instance_id, user)
    job = Job.objects.filter(key=retry_key(command.instance)).order_by("-pk").first()
    return command, job.payload if job else {}


def _of_flow(incident: Incident) -> bool:
    return incident.topic == STEP and incident.subject.startswith("instance:")


def _task_of(incident: Incident) -> str:
    """The engine's id of the task that failed stands in the first line of the detail."""
    return (incident.detail or "").split("\n")[0]


@transaction.atomic
def retry(incident: Incident, user: User, reason: str = "") -> bool:
    """Try again now; whether it worked (of a plain job: True, it is queued). A failure opens the incident anew."""
    accounts.require(user, "workflow.incidents")
    resolve(incident, "retry", user, reason)
    if not _of_flow(incident):
        return True
    command, payload = _command(incident, user)
    if command.instance.status != ProcessInstance.RUNNING or not command.instance.is_stuck:
        return True
    submission = Submission.objects.filter(pk=payload.get("submission")).first()
    return command.step(Run(), submission=submission)


@transaction.atomic
def skip(incident: Incident, user: User, reason: str = "", data: dict[str, Any] | None = None) -> bool:
    """Pass the failed element without doing it; `data` stands in for its result. False when the work after it failed in turn, which is an
    incident of its own. NotSkippable when the element cannot be passed."""
    accounts.require(user, "workflow.incidents")
    resolve(incident, "skip", user, reason)
    if not _of_flow(incident):
        return True
    command, _ = _command(incident, user)
    failed = _task_of(incident)
    try:
        if command.step(Skip(failed, data or {})):
            return True
    except StepRefused as error:
        raise NotSkippable() from error
    next_one = Incident.objects.filter(subject=incident.subject, topic=STEP, state=Incident.OPEN).first()
    if next_one is not None and _task_of(next_one) == failed:
        raise NotSkippable()
    return False


@transaction.atomic
def cancel(incident: Incident, user: User, reason: str = "") -> bool:
    """Give up: a flow ends, a job is dropped."""
    accounts.require(user, "workflow.incidents")
    resolve(incident, "cancel", user, reason)
    if _of_flow(incident):
        command, _ = _command(incident, user)
        if command.instance.status == ProcessInstance.RUNNING:
            command.step(Cancel("incident"))
        jobs.cancel(retry_key(command.instance))
    return True


def find(pk: int) -> Incident:
    incident = Incident.objects.filter(pk=pk).first()
    if incident is None:
        raise NotFound()
    return incident


ACTIONS = {"retry": retry, "skip": skip, "cancel": cancel}
