"""A small centre that is killed: `python -m tests.torture.centre FOLDER < points.json > reports.json`.

Each point gets its own copy of one prepared database and three processes of its own, forked from a parent that has loaded the product
but never opened a database: one that works until it is killed, one that starts again and recovers, one that reports what stands.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django
from django.db import connections

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ANSWER = {"result": "solved"}


def at(**span: float) -> None:
    from web.common import clock

    clock.use(lambda: START + timedelta(**span))


def sent_file() -> Path:
    return Path(os.environ["CENTRE"]) / "sent.log"


def far_side(payload: dict, key: str) -> str:
    """The other side writes down what reached it."""
    with sent_file().open("a", encoding="utf-8") as file:
        file.write(key + "\n")
    return "ref"


def prepare() -> None:
    from django.core.management import call_command

    from tests.workflow.cast import Cast, start
    from web.jobs import services as jobs

    call_command("migrate", verbosity=0)
    cast = Cast()
    start("errand", cast.ann, key="ticket:E")
    start("late", cast.ann, key="ticket:L")
    somebody_talks()
    jobs.sweep()


def somebody_talks() -> None:
    """A call that an agent answered stands in the rows, and the process that knew of it is gone with its PBX."""
    from tests.calls.cast import a_queue
    from tests.telephony.rig import Rig
    from tests.telephony.test_calls import ready
    from web.telephony import services

    rig = Rig()
    a_queue()
    alice = ready(rig, "7001")
    rig.does(services.click, alice.user, rig.rings().pk, "answer")
    rig.kill(rig.runner)
    at()


def take_up_the_telephone() -> None:
    """A CTI process starts on a PBX that has no call."""
    from cti.clock import HandClock
    from tests.telephony.rig import Rig

    rig = Rig(clock=HandClock(START + timedelta(seconds=20)))
    rig.forward(1)
    rig.close()
    at()


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

    take_up_the_telephone()
    (sent_file().parent / "answer").write_text(complete(), encoding="utf-8")
    for minutes in (1, 3, 5, 7, 9):
        at(hours=1, minutes=minutes)
        jobs.sweep()
        jobs.sweep()


def report_calls() -> list[dict]:
    """Each call in the rows, who talked in it, and whether anything of it still stands."""
    from web.calls.models import Call

    return [
        {
            "is_open": call.ended_at is None or call.legs.filter(ended_at=None).exists(),
            "outcome": call.outcome,
            "ended_by": [event.facts["cause"] for event in call.events.filter(kind="CallCleared")],
            "agents": [(leg.agent.state, leg.agent.voice_load) for leg in call.legs.select_related("agent")],
        }
        for call in Call.objects.order_by("pk")
    ]


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
    found["calls"] = report_calls()
    found["submissions"] = Submission.objects.filter(is_undone=False).count()
    found["answers"] = [row.data for row in Submission.objects.all()]
    found["effects"] = list(OutboundEffect.objects.values_list("state", flat=True))
    found["jobs_open"] = Job.objects.filter(state__in=(Job.QUEUED, Job.RUNNING)).count()
    found["incidents"] = Incident.objects.count()
    found["sent"] = sent_file().read_text(encoding="utf-8").split() if sent_file().exists() else []
    return found


def tell_calls() -> None:
    """Before anything is killed the call is open, and its agent is busy with it."""
    assert [(call["is_open"], call["agents"]) for call in report_calls()] == [(True, [("busy", 1)])]


def tell() -> None:
    said = (sent_file().parent / "answer").read_text(encoding="utf-8")
    (sent_file().parent / "report.json").write_text(json.dumps({**report(), "answer": said}), encoding="utf-8")


def apart(folder: Path, act: Callable[[], None], **env: str) -> int:
    """Do `act` in a process of its own on the database in `folder`; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.environ.update(env, CENTRE=str(folder))
        connections.settings["default"]["NAME"] = str(folder / "centre.sqlite3")
        at()
        act()
        connections.close_all()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(folder: Path, points: list[tuple[str, int]]) -> list[dict]:
    from tests.workflow.cast import Probe, lend
    from web.jobs import services as jobs

    lend(Probe())
    jobs.sender("probe.sms")(far_side)
    first = folder / "prepared"
    first.mkdir()
    if apart(first, prepare):
        sys.exit("not prepared")
    if apart(first, tell_calls):
        sys.exit("nobody talks")
    reports = []
    for number, (name, skip) in enumerate(points):
        own = folder / str(number)
        shutil.copytree(first, own)
        killed = apart(own, work, FAILPOINT=name, FAILPOINT_SKIP=str(skip))
        again, told = apart(own, recover), apart(own, tell)
        found = json.loads((own / "report.json").read_text(encoding="utf-8")) if not told else {}
        reports.append({"killed": killed, "again": again, **found})
    return reports


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "web.config.settings")
    django.setup()
    print(json.dumps(main(Path(sys.argv[1]), json.load(sys.stdin))))
