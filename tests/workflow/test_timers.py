"""Timers fire once, in any order of waking, whatever happens to the messages that wake."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.exceptions import VerbFailed
from tests.workflow.cast import again, start, task
from web.accounts.models import Notification
from web.jobs import services as jobs
from web.jobs.models import Incident, Job, OutboundEffect
from web.workflow import services as workflow
from web.workflow.models import History, ProcessInstance, UserTask

pytestmark = pytest.mark.django_db


@pytest.mark.req("X-04", "X-12")
def test_reminder_then_overdue_then_the_supervisors_task(cast, clock) -> None:
    instance = start("errand", cast.ann)
    todo = task(instance, "do")
    clock.forward(hours=2, minutes=59)
    jobs.sweep()
    assert again(todo).reminded_at is None
    clock.forward(minutes=1)
    jobs.sweep()
    jobs.sweep()
    assert again(todo).reminded_at == clock.now()
    assert Notification.objects.filter(user=cast.ann, kind="task_reminder").count() == 1
    clock.forward(hours=1)
    jobs.sweep()
    assert again(todo).overdue_at == clock.now() and again(todo).state == UserTask.OPEN
    assert list(task(instance, "c_decide").candidates.values_list("key", flat=True)) == ["role:supervisor"]
    actions = History.objects.filter(instance=instance, element="do", actor=None).values_list("action", flat=True)
    assert [one for one in actions if one in ("reminded", "overdue")] == ["reminded", "overdue"]


def test_the_due_time_is_a_row_and_moves_with_the_flow(cast, clock) -> None:
    instance = start("errand", cast.ann)
    due = dict(Job.objects.filter(topic="workflow.timer", state=Job.QUEUED).values_list("payload__element", "due_at"))
    assert due == {
        "do_remind": clock.now() + timedelta(hours=3),
        "do_due": clock.now() + timedelta(hours=4),
    }
    workflow.complete(task(instance, "do"), cast.ann, {"result": "x"}, wait=False)
    assert not Job.objects.filter(topic="workflow.timer", state=Job.QUEUED).exists()
    clock.forward(days=1)
    assert jobs.sweep() == 0


def test_after_a_day_asleep_everything_due_fires_once(cast, clock) -> None:
    instances = [start("late", key=f"ticket:T{n}") for n in range(60)]
    clock.forward(days=1)
    jobs.sweep()
    assert UserTask.objects.filter(element="after", state=UserTask.OPEN).count() == len(instances)
    assert OutboundEffect.objects.count() == len(instances)
    assert History.objects.filter(element="pause", action="fired").count() == len(instances)


def test_a_poisoned_instance_does_not_stop_the_sweep(cast, clock) -> None:
    ill = [start("spin", key=f"ticket:S{n}") for n in range(3)]
    broken = start("late", key="ticket:B")
    ProcessInstance.objects.filter(pk=broken.pk).update(state=b"not a state")
    well = [start("late", key=f"ticket:T{n}") for n in range(5)]
    clock.forward(hours=1)
    jobs.sweep()
    assert all(task(one, "after") for one in well)
    assert {row.subject for row in Incident.objects.filter(topic="workflow.step")} == {f"instance:{i.pk}" for i in ill}
    for _ in range(4):
        clock.forward(minutes=13)
        jobs.sweep()
    last = Incident.objects.get(subject=f"instance:{broken.pk}")
    assert (last.topic, last.state) == ("workflow.timer", Incident.OPEN)


def test_a_pending_answer_comes_before_a_timer_that_is_due_with_it(cast, clock) -> None:
    instance = start("errand", cast.ann)
    clock.forward(hours=3, minutes=59, seconds=55)
    jobs.sweep()
    workflow.complete(task(instance, "do"), cast.ann, {"result": "just in time"})
    clock.forward(seconds=5)
    jobs.sweep()
    assert again(instance).status == ProcessInstance.COMPLETED
    assert not UserTask.objects.filter(element="c_decide").exists()


def test_retries_grow_apart_and_end_in_the_incident(cast, clock) -> None:
    cast.probe.answers = [VerbFailed("work", ConnectionError())]
    instance = start("errand", cast.ann)
    workflow.complete(task(instance, "do"), cast.ann, {"result": "x"}, wait=False)
    waits = []
    for _ in range(3):
        job = Job.objects.get(topic="workflow.retry", state=Job.QUEUED)
        waits.append((job.due_at - clock.now()).total_seconds())
        clock.set(job.due_at)
        jobs.sweep()
    assert 10 <= waits[0] <= 12 and 60 <= waits[1] <= 72 and 600 <= waits[2] <= 720
    assert len(cast.probe.calls) == 4
    assert not Job.objects.filter(state=Job.QUEUED, topic="workflow.retry").exists()
    assert Incident.objects.filter(state=Incident.OPEN).count() == 1
    assert again(instance).status == ProcessInstance.RUNNING
