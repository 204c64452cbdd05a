"""What a command costs beside the bare SQL it consists of, a list beside the naive one, a caller's number among many."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from statistics import median

from benchmarks import _on_postgres, figure

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


@figure(
    "web.inbox_vs_naive",
    unit="ratio; *_per_core_s: requests a second of one core",
    better="higher",
    must=2.0,
    aim=3.0,
    method="GET of an agent's 20 tasks (60 of his among 4,060; tickets, customers, candidates) through the whole WSGI application with a "
    "session, on PostgreSQL, no server around it: CPU time of the process per request, 21 interleaved rounds of 12, medians; naive CPU / "
    "our CPU. The peer is a ModelViewSet with nested ModelSerializers and pages by number on the same site, the same 20 rows and columns, "
    "without the names of candidates and the box counts ours adds; `joined` = the same peer with select_related and prefetch_related. "
    "PostgreSQL's own CPU is not counted",
)
def inbox_vs_naive() -> dict[str, float]:
    return _on_postgres.measured("inbox")


@figure(
    "web.number_lookup_ms_p95",
    unit="ms",
    better="lower",
    must=20.0,
    method="customers.find_by_number and the card of each one found, 200,000 customers with sealed names and numbers on PostgreSQL, 3,000 "
    "random numbers of which every tenth is unknown, wall time of each in one thread, 95th percentile; `visible` = the pop's own question, "
    "only among the customers the agent may see (100 agents own 2,000 each); `cpu` = the same in CPU time of the process, which neighbours on "
    "the machine do not stretch",
)
def number_lookup_ms_p95() -> dict[str, float]:
    return _on_postgres.measured("lookup")
