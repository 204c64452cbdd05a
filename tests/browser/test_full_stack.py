"""One story on the full stack as real processes: a call crosses CTI, database, Redis and socket, a task crosses worker and beat."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import cast_of, ring, turn_to_morning, within
from tests.browser.steps import closed_as, hands_in, row_of
from tests.browser.test_call_journey import a_question
from tests.support import servers
from tests.support.front import front
from tests.support.servers import Product, Server

pytestmark = [
    pytest.mark.browser, pytest.mark.slow, pytest.mark.postgres, pytest.mark.redis, pytest.mark.timeout(500),
]  # fmt: skip


@pytest.fixture(scope="module")
def centre(postgres: Server, redis_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    data = tmp_path_factory.mktemp("journey")
    with (
        servers.full_stack(data, postgres, redis_server, "journey") as stack,
        front(stack.api, stack.live) as port,
    ):
        url = f"http://127.0.0.1:{port}"

        def healthy() -> bool:
            try:
                return urllib.request.urlopen(f"{url}/healthz", timeout=5).status == 200
            except (urllib.error.URLError, OSError):
                return False

        try:
            servers.wait_until(healthy, seconds=120, what="the full stack's readiness", pause=0.5)
        except AssertionError as late:
            raise AssertionError(f"{late}: {stack.logs()}") from late
        yield Product(url, port, data, stack.env)


@pytest.mark.req("X-03", "X-07")
def test_a_call_rings_and_a_task_is_done_where_every_part_is_a_process_of_its_own(
    centre: Product, browser: Browser
) -> None:
    turn_to_morning(centre)
    with cast_of(centre, browser) as cast:
        zhang = cast.person("1023").logs_in().signs_in_ready()
        ring(centre, "known")
        zhang.is_in("ring")
        zhang.presses("F2")
        zhang.is_in("talk")
        zhang.holds("F4")
        zhang.is_in("wrap")

        # A question for the service group: told by the socket to whoever may take it, moved on by the worker.
        huang = cast.person("1032").logs_in().takes_no_calls()
        huang.opens("组内可领")
        task = a_question(zhang, "停车方便吗", "service", minutes=120)
        ticket = within(10, lambda: huang.asks(f"tasks/{task}"), "the task")["ticket"]
        huang.picks(task)
        huang.presses("c")
        expect(huang.sees("task-complete")).to_be_visible()
        huang.ticks("result")
        huang.fills("answer", "地下有车库")
        huang.ticks("tell_customer", 1)
        hands_in(huang)
        closed_as(zhang, ticket, "answered", seconds=30)
        assert row_of(huang, "done", ticket)
        huang.has_nothing_to_complain_about()
