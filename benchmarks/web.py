"""What a command costs beside the bare SQL it consists of."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from statistics import median

from benchmarks import figure

COMMANDS = 80


def _installation() -> None:
    """Tables, flows and one agent in this run's own data folder."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from web.accounts.models import Role, User
    from web.workflow import services as workflow

    call_command("migrate", verbosity=0)
    workflow.deploy_folder(settings.FLOWS_DIR)
    user = User.objects.create(number="1023", name="anna", password="!")
    user.roles.add(Role.objects.get(key="agent"))


@figure(
    "web.complete_task_vs_bare",
    unit="ratio",
    better="lower",
    method="workflow.complete of a consultation's first form on SQLite (WAL, synchronous FULL), divided by replaying the statements it "
    "executed, with their values, in one transaction on a bare sqlite3 connection to a copy of the file; interleaved, medians of 80",
)
def complete_task_vs_bare() -> float:
    _installation()
    from django.conf import settings
    from django.db import connection

    from web.accounts.models import User
    from web.tickets import services as tickets
    from web.workflow import services as workflow
    from web.workflow.models import ProcessInstance

    anna = User.objects.get(number="1023")
    answers = {"question_class": "price", "content": "?", "solved": "yes", "answer": "50"}

    def begin():
        ticket = tickets.open_ticket(acting_user=anna, kind="consult")
        return workflow.first_task_of(ticket.instance, anna)

    done: list[tuple[str, tuple]] = []

    def noted(execute, sql, params, many, context):
        done.append((sql.replace("%s", "?"), tuple(params or ())))
        return execute(sql, params, many, context)

    tasks = [begin() for _ in range(COMMANDS + 2)]
    workflow.complete(tasks.pop(), anna, answers, wait=False)
    source = Path(str(settings.DATABASES["default"]["NAME"]))
    copy = sqlite3.connect(source.with_name("bare.sqlite3"), isolation_level=None)
    with sqlite3.connect(source) as original:
        original.backup(copy)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF"):
        copy.execute(f"PRAGMA {pragma}")
    mine, bare = [], []
    for task in tasks:
        done.clear()
        with connection.execute_wrapper(noted):
            started = time.perf_counter()
            workflow.complete(task, anna, answers, wait=False)
            mine.append(time.perf_counter() - started)
        statements = [one for one in done if one[0].split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]
        started = time.perf_counter()
        copy.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            copy.execute(sql, values).fetchall()
        copy.execute("COMMIT")
        bare.append(time.perf_counter() - started)
    copy.close()
    if ProcessInstance.objects.exclude(status=ProcessInstance.COMPLETED).exists():
        raise RuntimeError("a consultation did not end: other work was measured than meant")
    return round(median(mine) / median(bare), 2)
