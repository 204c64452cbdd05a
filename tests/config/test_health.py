"""GET /healthz: 200 when everything answers, 503 with the part that does not, in any case soon."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import RequestFactory

from tests.support.clock import HandClock
from web.config import health
from web.jobs.models import Job, Lease

pytestmark = pytest.mark.django_db(transaction=True)  # a thread of its own looks at what is committed


@pytest.fixture(autouse=True)
def each_look_is_new(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(health, "FRESH", -1.0)
    monkeypatch.setattr(health, "_last", None)
    yield
    if health._last is not None:
        health._last.done.result(30)  # its connection is gone before the tables are emptied


def asked(rf: RequestFactory) -> tuple[int, dict[str, Any]]:
    answer = health.healthz(rf.get("/healthz"))
    return answer.status_code, json.loads(answer.content)


@pytest.fixture
def telephony(clock: HandClock) -> Lease:
    return Lease.objects.create(name="cti", owner="one", until=clock.now() + timedelta(seconds=10))


@pytest.mark.req("X-20")
def test_a_ready_installation_answers_200(rf: RequestFactory, clock: HandClock, telephony: Lease) -> None:
    Job.objects.create(topic="timer", due_at=clock.now() + timedelta(hours=1))
    ready = {"status": "ok", "database": "ok", "broker": "memory", "cti": "ok", "job_lag_ms": 0}
    assert asked(rf) == (200, ready)


def test_a_job_that_waits_shows_as_lag_and_a_minute_is_too_much(
    rf: RequestFactory, clock: HandClock, telephony: Lease
) -> None:
    Job.objects.create(topic="timer", due_at=clock.now())
    telephony.until = clock.now() + timedelta(hours=1)
    telephony.save()
    clock.forward(seconds=59)
    assert asked(rf) == (200, {**asked(rf)[1], "status": "ok", "job_lag_ms": 59_000})
    clock.forward(seconds=2)
    assert asked(rf) == (503, {**asked(rf)[1], "status": "unavailable", "job_lag_ms": 61_000})


def test_a_finished_job_is_no_lag(rf: RequestFactory, clock: HandClock, telephony: Lease) -> None:
    Job.objects.create(topic="timer", due_at=clock.now() - timedelta(days=1), state=Job.DONE)
    assert asked(rf)[1]["job_lag_ms"] == 0


def test_telephony_is_down_when_its_lease_ran_out(rf: RequestFactory, clock: HandClock, telephony: Lease) -> None:
    clock.forward(seconds=11)
    code, said = asked(rf)
    assert (code, said["cti"], said["status"]) == (503, "down", "unavailable")


def test_without_a_lease_telephony_never_came_up(rf: RequestFactory, clock: HandClock) -> None:
    assert asked(rf)[1]["cti"] == "down"


def test_a_database_that_does_not_answer_is_said_not_raised(
    rf: RequestFactory, telephony: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("server closed the connection")

    gone = SimpleNamespace(vendor="sqlite", cursor=away, close_if_unusable_or_obsolete=lambda: None)
    monkeypatch.setattr(health, "connection", gone)
    monkeypatch.setattr(health.apps, "get_model", away)
    code, said = asked(rf)
    assert code == 503
    assert said == {
        "status": "unavailable", "database": "down", "broker": "memory", "cti": "down", "job_lag_ms": None,
    }  # fmt: skip


def test_a_broker_that_does_not_answer_is_said(
    rf: RequestFactory, telephony: Lease, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.config.celery import app

    settings.EMBEDDED = False
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(app, "connection_for_write", lambda: app.connection("redis://127.0.0.1:1/0"))
    code, said = asked(rf)
    assert (code, said["broker"]) == (503, "down")


@pytest.fixture
def locked(telephony: Lease) -> Iterator[None]:
    """Somebody has SQLite's write lock and does not let go."""
    with sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
    other.close()


@pytest.mark.req("X-20")
def test_a_locked_database_is_no_database_though_it_can_be_read(
    rf: RequestFactory, locked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "BUSY_MS", 50)
    code, said = asked(rf)
    assert (code, said["database"], said["cti"], said["job_lag_ms"]) == (503, "down", "ok", 0)


@pytest.fixture
def hanging(telephony: Lease, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A database that takes the question and never answers; the list of who asked it."""
    released, asked_by = threading.Event(), []

    def database() -> str:
        asked_by.append(threading.current_thread().name)
        released.wait(30)
        return "ok"

    monkeypatch.setattr(health, "PARTS", ((database, "down"), *health.PARTS[1:]))
    monkeypatch.setattr(health, "WITHIN", 0.2)
    try:
        yield asked_by
    finally:
        released.set()


def test_a_database_that_hangs_keeps_one_thread_and_nobody_waits_for_it_twice(
    rf: RequestFactory, hanging: list[str]
) -> None:
    for _ in range(3):
        code, said = asked(rf)
        assert (code, said["database"], said["job_lag_ms"]) == (503, "down", None)
    assert len(hanging) == 1
    assert health.look().left == 0


def test_the_health_page_answers_while_every_thread_that_serves_http_waits(hanging: list[str]) -> None:
    """And it leaves every other address to them."""
    sent: list[dict[str, Any]] = []
    others: list[str] = []

    async def busy(scope: dict[str, Any], *_: Any) -> None:
        others.append(f"{scope['method']} {scope['path']}")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def visit() -> None:
        for method, path in (("GET", "/healthz"), ("POST", "/healthz"), ("GET", "/api/session")):
            await health.Beside(busy)({"type": "http", "method": method, "path": path}, None, send)

    asyncio.run(visit())
    start, body = sent
    assert start["status"] == 503 and json.loads(body["body"])["database"] == "down"
    assert b"no-store" in dict(start["headers"])[b"cache-control"]
    assert others == ["POST /healthz", "GET /api/session"]


def test_those_who_ask_at_the_same_time_share_one_look(
    rf: RequestFactory, telephony: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH", 60.0)
    assert asked(rf)[0] == 200
    telephony.delete()
    assert asked(rf)[0] == 200
    monkeypatch.setattr(health, "FRESH", -1.0)
    assert asked(rf)[0] == 503
