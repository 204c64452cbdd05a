"""GET /healthz: 200 when everything answers, 503 with the part that does not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import RequestFactory

from tests.support.clock import HandClock
from web.config import health
from web.jobs.models import Job, Lease

pytestmark = pytest.mark.django_db


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

    monkeypatch.setattr(health.connection, "cursor", away)
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
