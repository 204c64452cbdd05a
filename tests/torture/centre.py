"""A small centre in a data folder of its own, driven step by step from outside: `python -m tests.torture.centre ACT`.

prepare  lay the database, people and flows; start one errand and one flow that waits an hour
work     complete the errand's task; let an hour pass; sweep (the timer fires, an SMS goes out)
recover  what a restart does: the client repeats its request, leases run out, the sweep comes by
report   print what stands, as JSON
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ANSWER = {"result": "solved"}


def at(**span: float) -> None:
    from web.common import clock

    clock.use(lambda: START + timedelta(**span))


def sent_file() -> Path:
    return Path(os.environ["ZUOXI_DATA"]) / "sent.log"


def far_side(payload: dict, key: str) -> str:
    """The other side writes down what reached it."""
    with sent_file().open("a", encoding="utf-8") as file:
        file.write(key + "\n")
    return "ref"


def prepare() -> None:
    from django.core.management import call_command

    from tests.workflow.cast import Cast, start

    call_command("migrate", verbosity=0)
    cast = Cast()
    start("errand", cast.ann, key="ticket:E")
    start("late", cast.ann, key="ticket:L")


def complete() -> str:
    from web.accounts.models import User
    from web.workflow import services
    from web.workflow.models import UserTask
    from web.workflow.services.errors import TaskDone

    task = UserTask.objects.get(element="do")
    try:
        services.complete(task, User.objects.get(number="1001"), ANSWER, wait=False)
        return "stored"
    except TaskDone as refused:
        return f"done by {refused.facts['by']['number']}"


def work() -> None:
    from web.jobs import services as jobs

    complete()
    at(hours=1)
    jobs.sweep()


def recover() -> None:
    from web.jobs import services as jobs

    print(complete())
    for minutes in (1, 3, 5, 7, 9):
        at(hours=1, minutes=minutes)
        jobs.sweep()
        jobs.sweep()


def report() -> dict:
    from engine.step import Run, step
    from engine.verbs import REGISTRY
    from web.jobs.models import Incident, Job, OutboundEffect
    from web.workflow.models import History, ProcessInstance, Submission, UserTask
    from web.workflow.services.publishing import definition_of

    found: dict = {"instances": {}}
    for instance in ProcessInstance.objects.order_by("pk"):
        engine_open: list[str] = []
        if instance.status == ProcessInstance.RUNNING:
            outcome = step(
                definition_of(instance.version_id), bytes(instance.state), Run(), START + timedelta(hours=2), REGISTRY
            )
            engine_open = sorted(task.id for task in outcome.tasks)
        tasks = UserTask.objects.filter(instance=instance)
        open_rows = tasks.filter(state=UserTask.OPEN).values_list("engine_id", flat=True)
        numbers = list(History.objects.filter(instance=instance).order_by("seq").values_list("seq", flat=True))
        found["instances"][instance.business_key] = {
            "status": instance.status,
            "agrees": sorted(open_rows) == engine_open,
            "tasks": sorted(f"{task.element}:{task.state}" for task in tasks),
            "gapless": numbers == list(range(1, len(numbers) + 1)) and instance.last_seq == len(numbers),
            "fired": History.objects.filter(instance=instance, action="fired").count(),
        }
    found["submissions"] = Submission.objects.filter(is_undone=False).count()
    found["answers"] = [row.data for row in Submission.objects.all()]
    found["effects"] = list(OutboundEffect.objects.values_list("state", flat=True))
    found["jobs_open"] = Job.objects.filter(state__in=(Job.QUEUED, Job.RUNNING)).count()
    found["incidents"] = Incident.objects.count()
    found["sent"] = sent_file().read_text(encoding="utf-8").split() if sent_file().exists() else []
    return found


def main(act: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "web.config.settings")
    django.setup()
    at()
    from tests.workflow.cast import Probe, lend
    from web.jobs import services as jobs

    lend(Probe())
    jobs.sender("probe.sms")(far_side)
    if act == "report":
        print(json.dumps(report()))
    else:
        {"prepare": prepare, "work": work, "recover": recover}[act]()


if __name__ == "__main__":
    main(sys.argv[1])
