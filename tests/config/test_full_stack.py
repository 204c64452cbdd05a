"""The full stack of docker-compose.yml as processes on this machine: PostgreSQL, Redis, granian, uvicorn, celery, CTI."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support import servers
from tests.support.servers import FullStack, Server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stack(postgres: Server, redis_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    with servers.full_stack(tmp_path_factory.mktemp("full"), postgres, redis_server, "full") as running:
        yield running


def health(url: str) -> dict:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)
    except OSError:
        return {}


def test_every_part_comes_up_and_says_so(stack: FullStack) -> None:
    said = wait_until(
        lambda: (found := health(stack.url)).get("status") == "ok" and found, seconds=90, what="health", pause=0.5
    )
    assert (said["database"], said["broker"], said["cti"]) == ("ok", "ok", "ok")
    assert health(stack.live_url)["status"] == "ok"
    assert [name for name, process in stack.processes.items() if process.poll() is not None] == []


def test_a_lost_cti_shows_within_its_lease(stack: FullStack) -> None:
    servers.stop(stack.processes["cti"], how=9)
    wait_until(lambda: health(stack.url).get("cti") == "down", seconds=60, what="the loss of the CTI", pause=0.5)
