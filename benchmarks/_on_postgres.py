"""python -m benchmarks._on_postgres inbox | lookup: one measurement in a process of its own, as DATABASE_URL says; prints one JSON object.

A process of its own because the product reads its database's address once. `measured` starts PostgreSQL for it.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

OWN_TASKS, OTHER_TASKS = 60, 4_000
ROUNDS, A_ROUND = 21, 12
CUSTOMERS, LOOKUPS = 200_000, 3_000


def measured(what: str) -> dict[str, float]:
    """What the child process found on a fresh PostgreSQL. RuntimeError with its last words when it failed; Missing without a server."""
    from tests.support import servers

    with (
        tempfile.TemporaryDirectory(prefix="zuoxi-bench-pg-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="zuoxi-bench-data-") as data,
        servers.postgres(Path(folder)) as server,
    ):
        env = servers.product_environment(
            Path(data), DATABASE_URL=server.url, DJANGO_SETTINGS_MODULE="web.config.settings", LOG_LEVEL="WARNING"
        )
        command = [sys.executable, "-m", "benchmarks._on_postgres", what]
        done = subprocess.run(command, cwd=servers.ROOT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-250:])
        return json.loads(done.stdout.splitlines()[-1])


# --- the inbox ---------------------------------------------------------------------------------------------------
def _tasks() -> Any:
    """An agent with 60 open tasks of tickets of customers, and 4,000 tasks of others; returns the agent."""
    from django.conf import settings

    from tests.support.cast import a_customer, an_agent
    from web.jobs.models import Job
    from web.tickets import services as tickets
    from web.workflow import services as workflow
    from web.workflow.models import TaskCandidate, UserTask

    anna, ben = an_agent("1023", "booking"), an_agent("1024", "booking")
    workflow.deploy_folder(settings.FLOWS_DIR)
    for n in range(OWN_TASKS):
        customer = a_customer(f"+86199{n:08d}", owner=anna, name=f"王小{n}")
        tickets.open_ticket(acting_user=anna, kind="consult", customer=customer, source="call")
    Job.objects.all().delete()
    mine = list(UserTask.objects.filter(state="open"))
    for n, task in enumerate(mine):
        task.assignee, task.due_at = anna, task.created_at + timedelta(minutes=n)
    UserTask.objects.bulk_update(mine, ["assignee", "due_at"])
    TaskCandidate.objects.filter(task__in=mine).delete()
    TaskCandidate.objects.bulk_create([TaskCandidate(task=task, key="group:booking") for task in mine])
    columns = {field.attname: getattr(mine[0], field.attname) for field in UserTask._meta.concrete_fields}
    columns |= {"id": None, "assignee_id": ben.pk}
    others = [UserTask(**columns | {"engine_id": f"other-{n}"}) for n in range(OTHER_TASKS)]
    made = UserTask.objects.bulk_create(others)
    TaskCandidate.objects.bulk_create([TaskCandidate(task=task, key="group:booking") for task in made])
    return anna


def _asking(user: Any, *paths: str) -> list[Callable[[], dict[str, Any]]]:
    """For each address a function that sends one signed-in GET through the whole WSGI application and returns the JSON read."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.test import Client

    settings.ROOT_URLCONF = "benchmarks._naive"
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    user.refresh_from_db()
    application = get_wsgi_application()
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"

    def ask(path: str) -> bytes:
        said: list[str] = []
        address, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": address, "QUERY_STRING": query, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_COOKIE": cookie, "HTTP_ACCEPT": "application/json",
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, "wsgi.version": (1, 0),
            "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        }  # fmt: skip
        answer = application(environ, lambda status, headers, *_: said.append(status))
        body = b"".join(answer)
        answer.close()
        if not said[0].startswith("200"):
            raise RuntimeError(f"{path}: {said[0]} {body[:200]!r}")
        return body

    return [lambda path=path: json.loads(ask(path)) for path in paths] + [lambda path=path: ask(path) for path in paths]


def inbox() -> dict[str, float]:
    user = _tasks()
    paths = ("/api/tasks?box=mine&size=20", "/api/bench/naive", "/api/bench/joined")
    *read, ours, naive, joined = _asking(user, *paths)
    pages = [ask() for ask in read]
    ids = [[str(row["id"]) for row in page["results"]] for page in pages]
    if not (len(ids[0]) == 20 and ids[0] == ids[1] == ids[2]):
        raise RuntimeError("the two lists do not show the same twenty rows")
    spent: list[list[float]] = [[], [], []]
    for turn in range(ROUNDS + 1):
        for index, ask in enumerate((ours, naive, joined)):
            began = time.process_time()
            for _ in range(A_ROUND):
                ask()
            if turn:  # the first round warms up
                spent[index].append((time.process_time() - began) / A_ROUND)
    mine, plain, known = (median(one) for one in spent)
    return {
        "": round(plain / mine, 2),
        "joined": round(known / mine, 2),
        "ours_per_core_s": round(1 / mine),
        "naive_per_core_s": round(1 / plain),
        "joined_per_core_s": round(1 / known),
    }


# --- the number of a caller ----------------------------------------------------------------------------------------
def _customers(owners: list[Any]) -> None:
    """200,000 customers with sealed names and numbers; every tenth shares a number with the one before, every fourth has two."""
    from django.db import connection

    from web.common import clock
    from web.common.masking import mask_name, mask_number
    from web.customers.models import Customer, PhoneNumber
    from web.customers.services import name_index, token

    now, step = clock.now(), 5_000
    for first in range(0, CUSTOMERS, step):
        people = [
            Customer(
                number=f"{n:08d}", name=(name := f"王{n}"), name_masked=mask_name(name), name_index=name_index(name), sex="female",
                birth_date=date(1950 + n % 60, 1 + n % 12, 1 + n % 28), owner=owners[n % len(owners)], registered_at=now,
                allergies="penicillin, aspirin" if n % 5 == 0 else None,
            )
            for n in range(first, first + step)
        ]  # fmt: skip
        phones = []
        for n, customer in enumerate(Customer.objects.bulk_create(people), first):
            shares = n % 10 == 9
            numbers = [("mobile", number_of(n - 1 if shares else n))]
            numbers += [("second", f"+86138{n:08d}")] if n % 4 == 0 else []
            phones += [
                PhoneNumber(
                    customer=customer, kind=kind, value=e164, token=token(e164), masked=mask_number(e164),
                    is_holder=kind == "second" or not shares,
                )
                for kind, e164 in numbers
            ]  # fmt: skip
        PhoneNumber.objects.bulk_create(phones)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def number_of(n: int) -> str:
    return f"+86139{n:08d}"


def lookup() -> dict[str, float]:
    from tests.support.cast import an_agent
    from web.customers import services as customers
    from web.customers.numbers import build_areas

    build_areas()
    anna = an_agent("1023", "booking")
    _customers([anna, *[an_agent(f"11{n:02d}", "booking") for n in range(99)]])
    pick = random.Random(7)
    numbers = [number_of(pick.randrange(CUSTOMERS)) for _ in range(LOOKUPS)]
    numbers = [e164 if n % 10 else f"+86137{n:08d}" for n, e164 in enumerate(numbers)]

    def found(e164: str) -> list[dict[str, Any]]:
        return [customers.card(one, anna) for one in customers.find_by_number(e164)]

    def seen(e164: str) -> list[dict[str, Any]]:
        """As the pop asks: among those the agent may see."""
        people = customers.visible(anna).filter(phones__token=customers.token(e164)).order_by("pk")
        return [customers.card(one, anna) for one in people]

    result = {}
    for suffix, ask in (("", found), ("visible", seen)):
        for e164 in numbers[:50]:
            ask(e164)
        waits, spent, hits = [], [], 0
        for e164 in numbers:
            began, used = time.perf_counter(), time.process_time()
            cards = ask(e164)
            waits.append((time.perf_counter() - began) * 1000)
            spent.append((time.process_time() - used) * 1000)
            hits += bool(cards)
        if not hits or (suffix == "" and hits > LOOKUPS * 0.95):
            raise RuntimeError(f"{hits} of {LOOKUPS} numbers were known: other work was measured than meant")
        for name, values in (("", waits), ("cpu", spent)):
            result[".".join(filter(None, (suffix, name)))] = round(quantiles(values, n=100)[94], 2)
    return result


if __name__ == "__main__":
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    print(json.dumps({"inbox": inbox, "lookup": lookup}[sys.argv[1]]()))
