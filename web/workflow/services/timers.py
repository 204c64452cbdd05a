"""Due jobs of flows: timers, answers whose ten seconds are over, automatic work that is tried again."""

from __future__ import annotations

from engine.step import Due, Run
from web.accounts.models import User
from web.jobs import services as jobs
from web.jobs.models import Job
from web.workflow.models import ProcessInstance, Submission, UserTask
from web.workflow.services.command import COMPLETE, RETRY, StepRefused, begin
from web.workflow.services.projection import TIMER


@jobs.handler(TIMER)
def timer(job: Job) -> None:
    """A timer's moment has come. One that is not there any more, or has fired with another step, changes nothing."""
    if not ProcessInstance.objects.filter(pk=job.payload["instance"], status=ProcessInstance.RUNNING).exists():
        return
    command = begin(job.payload["instance"])
    if command.instance.status != ProcessInstance.RUNNING:
        return
    try:
        command.step(Due(job.payload["engine_id"]))
    except StepRefused as refused:
        if refused.code == "not_due":
            command.step(Run())  # brings the job to the moment the state knows


@jobs.handler(COMPLETE)
def completed(job: Job) -> None:
    """The time to undo is over: the answers move the flow, after those given before them."""
    task = UserTask.objects.filter(pk=job.payload["task"]).first()
    submission = Submission.objects.filter(pk=job.payload["submission"], is_undone=False).first()
    if task is None or submission is None or task.undo_until is None:
        return
    begin(task.instance_id, settle=False).settle(until=task.ended_at)


@jobs.handler(RETRY)
def retry(job: Job) -> None:
    """Automatic work that failed is tried again, with the answers and the person of the first time."""
    payload = job.payload
    actor = User.objects.filter(number=payload["actor"]).first() if payload.get("actor") else None
    command = begin(payload["instance"], actor)
    if command.instance.status == ProcessInstance.RUNNING and command.instance.is_stuck:
        submission = Submission.objects.filter(pk=payload.get("submission")).first()
        command.step(Run(), submission=submission, attempt=payload["attempt"])
