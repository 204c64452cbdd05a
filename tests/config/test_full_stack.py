"""The full stack of docker-compose.yml as processes on this machine: PostgreSQL, Redis, granian, uvicorn, celery, CTI."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import servers
from tests.support.servers import ROOT, Server, free_port, manage, product_environment, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis, pytest.mark.timeout(240)]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def stack(
    postgres: Server, redis_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, subprocess.Popen]]:
    folder = tmp_path_factory.mktemp("full")
    api, live = free_port(), free_port()
    env = product_environment(
        folder,
        DATABASE_URL=postgres.url.removesuffix("/zuoxi") + "/full",
        REDIS_URL=redis_server.url.removesuffix("/0") + "/5",
        SCENARIO="",
        LOG_LEVEL="WARNING",
    )
    import psycopg

    with psycopg.connect(postgres.url.replace("postgres://", "postgresql://"), autocommit=True) as link:
        link.execute("CREATE DATABASE full TEMPLATE template0")
    manage("migrate", "-v", "0", env=env)
    manage("demo", env=env)
    manage("flows", "deploy", env=env)
    commands = {
        "api": [
            f"{BIN}/granian",
            "--interface",
            "wsgi",
            "--port",
            str(api),
            "--workers",
            "1",
            "web.config.wsgi:application",
        ],
        "live": [f"{BIN}/uvicorn", "web.config.asgi:application", "--port", str(live), "--lifespan", "off"],
        "worker": [f"{BIN}/celery", "-A", "web.config", "worker", "-P", "threads", "-c", "2", "-l", "WARNING"],
        "beat": [f"{BIN}/celery", "-A", "web.config", "beat", "-l", "WARNING"],
        "cti": [sys.executable, "manage.py", "run_cti"],
    }
    with ExitStack() as ending:
        processes = {}
        for name, command in commands.items():
            log = ending.enter_context((folder / f"{name}.log").open("wb"))
            processes[name] = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
            ending.callback(servers.stop, processes[name])
        processes["url"] = f"http://127.0.0.1:{api}"
        processes["live_url"] = f"http://127.0.0.1:{live}"
        yield processes


def health(url: str) -> dict:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)
    except OSError:
        return {}


def test_every_part_comes_up_and_says_so(stack: dict) -> None:
    said = wait_until(
        lambda: (found := health(stack["url"])).get("status") == "ok" and found, seconds=90, what="health", pause=0.5
    )
    assert (said["database"], said["broker"], said["cti"]) == ("ok", "ok", "ok")
    assert health(stack["live_url"])["status"] == "ok"
    assert all(stack[name].poll() is None for name in ("api", "live", "worker", "beat", "cti"))


def test_a_lost_cti_shows_within_its_lease(stack: dict) -> None:
    servers.stop(stack["cti"], how=9)
    wait_until(lambda: health(stack["url"]).get("cti") == "down", seconds=60, what="the loss of the CTI", pause=0.5)
