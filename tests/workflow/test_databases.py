"""What rests on the database itself, on a real PostgreSQL; and what rests on Redis, on a real Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.cache import caches
from django.db import connection

from tests.support.cast import the_role
from tests.support.servers import ROOT, product_environment
from tests.workflow.cast import Cast, _current, again, start, task
from tests.workflow.test_races import together
from web.common import clock as product_clock
from web.common.audit import audit, seal_tail, verify
from web.common.models import AuditRow
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.tickets import services as tickets
from web.tickets.models import Ticket
from web.workflow import services as workflow
from web.workflow.models import History, UserTask
from web.workflow.services.errors import TaskTaken
from web.workflow.services.publishing import forget_parsed


@pytest.fixture
def cast(postgres_db, clock):
    yield Cast()
    forget_parsed()
    _current.clear()


@pytest.mark.postgres
@pytest.mark.req("X-10")
def test_of_twenty_who_claim_one_task_one_has_it_and_the_others_are_told_who(cast):
    todo = task(start("vote", cast.ann, group="booking"), "judge")
    people = [cast.bob, cast.lea] * 10
    results = together(*(lambda who=who: workflow.claim(todo, who) for who in people))
    winner = again(todo).assignee
    losers = [one for one in results if isinstance(one, Exception)]
    assert winner and {type(one) for one in losers} == {TaskTaken}, losers
    assert {one.facts["by"]["number"] for one in losers} == {winner.number}
    assert History.objects.filter(task=todo, action="claimed").count() == 1


@pytest.mark.postgres
def test_four_sweeps_at_once_fire_each_timer_once(cast):
    for n in range(20):
        start("late", key=f"ticket:L{n}")
    now = product_clock.now()
    product_clock.use(lambda: now + timedelta(hours=2))
    together(*[lambda: jobs.sweep()] * 4)
    jobs.sweep()
    assert History.objects.filter(element="pause", action="fired").count() == 20
    assert UserTask.objects.filter(element="after").count() == 20


@pytest.mark.postgres
def test_two_sealers_of_the_audit_make_one_chain(postgres_db):
    for n in range(60):
        audit("test.done", f"thing:{n}")
    together(*[lambda: jobs.with_lease("audit-sealer", seal_tail)] * 2)
    jobs.with_lease("audit-sealer", seal_tail)
    assert not AuditRow.objects.filter(hash=None).exists()
    assert verify().broken is None


@pytest.mark.postgres
@pytest.mark.req("S-46")
def test_ten_missed_calls_of_one_number_at_once_make_one_task(postgres_db):
    the_role("agent")
    workflow.deploy_folder(settings.FLOWS_DIR)
    wish = {"source": "missed_call", "number": "+8619900000999"}
    results = together(*[lambda: tickets.want_outbound(**wish)] * 10)
    assert [one for one in results if isinstance(one, Exception)] == []
    for _ in range(12):
        jobs.sweep()
    assert Ticket.objects.get().repeats == 10


@pytest.mark.postgres
@pytest.mark.req("X-13")
def test_a_message_that_comes_four_times_at_once_is_one_row(postgres_db):
    results = together(*[lambda: jobs.receive("test.told", message_id="m-1", business_key="ticket:T1")] * 4)
    assert [one for one in results if isinstance(one, Exception)] == []
    assert InboundMessage.objects.filter(message_id="m-1").count() == 1


def test_a_run_on_the_full_stack_rests_on_postgresql_and_redis(db, request):
    """What --stack=full promises: otherwise a run that is green there would prove nothing."""
    full = request.config.getoption("--stack") == "full"
    assert connection.vendor == ("postgresql" if full else "sqlite")
    assert type(caches["default"]).__name__ == ("RedisCache" if full else "LocMemCache")
    assert type(get_channel_layer()).__name__ == ("RedisPubSubChannelLayer" if full else "InMemoryChannelLayer")


SENDS = """
import django, json, sys
django.setup()
from web.common import live
for n in range(int(sys.argv[1])):
    live.send("queue", "QueueChanged", {"n": n})
print(json.dumps(live.pair("queue")))
"""


@pytest.mark.redis
def test_processes_number_what_they_tell_on_one_topic_together(redis_server, tmp_path):
    """Two processes, one Redis: the numbers go on, in one epoch."""
    env = product_environment(
        tmp_path, REDIS_URL=redis_server.url, DJANGO_SETTINGS_MODULE="web.config.settings", PYTHONPATH=str(ROOT)
    )

    def said(times: int) -> str:
        command = [sys.executable, "-c", SENDS, str(times)]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    (first, n), (second, m) = said(3).split(":"), said(2).split(":")
    assert first == second and int(m) - int(n) == 2
