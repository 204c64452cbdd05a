"""The servers tests lean on: a real PostgreSQL as `default` of one test, a real Redis as broker and layer."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction

from tests.support.servers import ROOT, Server, product_environment
from web.common import clock
from web.jobs.models import Job


@pytest.mark.postgres
@pytest.mark.req("X-08")
def test_models_live_on_postgresql_in_every_thread(postgres_db: str) -> None:
    assert connection.vendor == "postgresql"
    job = Job.objects.create(topic="timer", due_at=clock.now() - timedelta(minutes=1), payload={"kind": "sms"})
    won = []

    def claim() -> None:
        with transaction.atomic():
            won.append(Job.objects.filter(pk=job.pk, state=Job.QUEUED).update(state=Job.RUNNING))
        connections.close_all()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(won) == [0, 0, 0, 1]
    assert Job.objects.get(payload__kind="sms").state == Job.RUNNING


@pytest.mark.postgres
def test_each_test_gets_an_empty_copy(postgres_db: str) -> None:
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_afterwards_the_default_database_is_the_usual_one() -> None:
    assert connection.vendor == "sqlite"


@pytest.mark.redis
def test_redis_url_alone_switches_broker_layer_and_cache(redis_server: Server, tmp_path_factory) -> None:
    script = """
import asyncio, django; django.setup()
from channels.layers import get_channel_layer
from django.core.cache import cache
from web.config import health
cache.set("a", 1); assert cache.incr("a") == 2
async def heard():
    layer = get_channel_layer()
    name = await layer.new_channel()
    await layer.group_add("desk", name)
    await layer.group_send("desk", {"type": "x", "n": 1})
    return await asyncio.wait_for(layer.receive(name), 5)
print(type(get_channel_layer()).__name__, asyncio.run(heard())["n"], health.broker())
"""
    env = product_environment(tmp_path_factory.mktemp("data"), REDIS_URL=redis_server.url)
    env["DJANGO_SETTINGS_MODULE"] = "web.config.settings"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["RedisPubSubChannelLayer", "1", "ok"], done.stderr[-2000:]
