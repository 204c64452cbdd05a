"""The process of `make run`: it serves, says what hinders it in one line, and ends when told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import ROOT, Product, free_port, manage, product, product_environment


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("empty"), demo=False) as process:
        yield process


def refused(env: dict[str, str], *arguments: str) -> str:
    """The one line of a start that is refused."""
    command = [sys.executable, "manage.py", "run_all", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def fetch(url: str) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def test_it_says_where_it_is_and_is_healthy(running: Product) -> None:
    assert f"http://127.0.0.1:{running.port}/" in running.log()
    status, body, headers = fetch(f"{running.url}/healthz")
    said = json.loads(body)
    assert (status, said["status"], said["database"], said["broker"], said["cti"]) == (200, "ok", "ok", "memory", "ok")
    assert said["job_lag_ms"] < 5_000
    assert "no-store" in headers["cache-control"]


def test_an_address_nobody_knows_is_the_browsers_except_below_api(running: Product) -> None:
    status, body, headers = fetch(f"{running.url}/api/nothing")
    assert (status, json.loads(body)["code"]) == (404, "not_found")
    assert headers["cache-control"] == "no-store"
    status, _, headers = fetch(f"{running.url}/tasks/42")
    assert status in (200, 503)  # 503: the UI has not been built here
    assert "script-src 'self'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"


def test_without_a_session_the_answer_is_401(running: Product) -> None:
    status, body, _ = fetch(f"{running.url}/api/tasks")
    assert (status, json.loads(body)["code"]) == (401, "not_authenticated")


def test_an_occupied_port_is_one_clear_line(running: Product) -> None:
    said = refused({**running.env, "PORT": str(running.port)})
    assert said.startswith(f"zuoxi: cannot listen on 127.0.0.1:{running.port}")
    assert "HOST and PORT" in said


def test_a_database_that_was_never_migrated_is_one_clear_line(tmp_path: Path) -> None:
    env = product_environment(tmp_path, PORT=str(free_port()))
    assert "manage.py migrate" in refused(env)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_five_seconds_even_with_a_request_that_hangs(running: Product, how: int) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as slow:
        slow.sendall(b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        assert running.stop(how) == 0
        assert time.monotonic() - began < 6  # five of the product, one of this test's own looking
    running.start()


def test_after_a_kill_it_comes_up_again_on_the_same_data(running: Product) -> None:
    key = (running.data / "secret.key").read_text()
    running.stop(signal.SIGKILL)
    running.start()
    assert (running.data / "secret.key").read_text() == key


def test_every_migration_is_written(tmp_path: Path) -> None:
    manage("makemigrations", "--check", "--dry-run", env=product_environment(tmp_path))
