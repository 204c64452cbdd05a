from __future__ import annotations

import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import described, servers
from tests.support.clock import HandClock

ROOT = Path(__file__).resolve().parent.parent
DATA_ROOMS = (
    "workflow", "jobs", "tickets", "appointments", "payments", "orders", "membership", "clinics", "customers", "calls",
    "accounts", "common", "desk",
)  # fmt: skip
"""Rooms whose tests rest on rows: they run a second time with `--stack=full` (make test-all)."""


def absent(reason: str) -> None:
    """A program is missing here: a person's run skips and says so, CI fails."""
    if os.environ.get("CI"):
        pytest.fail(f"CI runs every test: {reason}", pytrace=False)
    pytest.skip(reason)


# --- time ------------------------------------------------------------------------------------------------------
@pytest.fixture
def clock() -> Iterator[HandClock]:
    """The product's clock, standing at Monday 09:00 in Shanghai; turn it with clock.forward(hours=2)."""
    from web.common import clock as product_clock

    hand = HandClock()
    product_clock.use(hand)
    yield hand
    product_clock.use(product_clock.system_now)


# --- the description of the API ------------------------------------------------------------------------------------
@pytest.fixture(scope="session", autouse=True)
def _answers_as_described() -> Iterator[None]:
    """In whatever test an answer of the API comes: it has the shape from which the browser's types are made."""
    with described.watching():
        yield


@pytest.fixture(autouse=True)
def no_flow_of_another_test() -> None:
    """Parsed flows are kept by the id of their version, and a test that is rolled back gives its ids to the next one."""
    from web.workflow.services.publishing import forget_parsed

    forget_parsed()


# --- real servers ----------------------------------------------------------------------------------------------
def folder_of_server() -> tempfile.TemporaryDirectory:
    """Not among pytest's folders: those belong to root alone, and any other run that begins on this machine closes them again."""
    return tempfile.TemporaryDirectory(prefix="zuoxi-server-", ignore_cleanup_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Server]:
    """A private PostgreSQL; .url is a DATABASE_URL."""
    try:
        with folder_of_server() as folder, servers.postgres(Path(folder)) as server:
            yield server
    except servers.Missing as missing:
        absent(str(missing))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Server]:
    """A private Redis; .url is a REDIS_URL."""
    try:
        with folder_of_server() as folder, servers.redis(Path(folder)) as server:
            yield server
    except servers.Missing as missing:
        absent(str(missing))


@pytest.fixture(scope="session")
def _postgres_template(postgres: servers.Server, django_db_blocker) -> str:
    """The name of a migrated database that each test copies."""
    from django.core.management import call_command

    from tests.support.databases import default_database

    with django_db_blocker.unblock(), default_database(postgres.url):
        call_command("migrate", verbosity=0)
    return "zuoxi"


@pytest.fixture
def postgres_db(postgres: servers.Server, _postgres_template: str, django_db_blocker) -> Iterator[str]:
    """For this test the default database, in every thread, is a fresh one on PostgreSQL. Mark the test `postgres`."""
    from tests.support.databases import default_database, postgres_copy

    with postgres_copy(postgres.url, _postgres_template) as url, django_db_blocker.unblock(), default_database(url):
        yield url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """With --stack=full the test database of the whole run is one on PostgreSQL."""
    if request.config.getoption("--stack") != "full":
        request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")
        yield
        return
    from tests.support.databases import default_database

    with default_database(request.getfixturevalue("postgres").url):
        yield


@pytest.fixture(scope="session", autouse=True)
def _full_stack(request: pytest.FixtureRequest) -> Iterator[None]:
    """With --stack=full cache and live topics are on Redis, as REDIS_URL would put them there."""
    if request.config.getoption("--stack") != "full":
        yield
        return
    from django.test import override_settings

    url = request.getfixturevalue("redis_server").url
    layer = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [url]}}
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    with override_settings(REDIS_URL=url, CACHES={"default": cache}, CHANNEL_LAYERS={"default": layer}):
        yield


# --- the product and a browser -----------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Product]:
    """The product as a process with demo people and all flows; nobody calls until the test makes somebody call."""
    with servers.product(tmp_path_factory.mktemp("product")) as running:
        yield running


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)
    if not program:
        absent("no Chromium here (Debian: apt-get install chromium fonts-wqy-microhei; or set CHROMIUM)")
    root = ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": program, "args": [*root, "--disable-gpu"]}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict) -> dict:
    size = {"width": 1366, "height": 768}
    return {**browser_context_args, "locale": "zh-CN", "timezone_id": "Asia/Shanghai", "viewport": size}


# --- requirement rows ------------------------------------------------------------------------------------------
def complaint(rows: tuple[str, ...], known: set[str]) -> str:
    """What is wrong with the rows a test says it proves; "" when nothing is."""
    unknown = [row for row in rows if row not in known]
    return "" if not unknown and 1 <= len(rows) <= 3 else f"one to three rows of docs/requirements.csv, not {rows}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    with (ROOT / "docs" / "requirements.csv").open(encoding="utf-8", newline="") as file:
        known = {row["id"] for row in csv.DictReader(file)}
    for item in items:
        for mark in item.iter_markers("req"):
            if wrong := complaint(mark.args, known):
                raise pytest.UsageError(f"{item.nodeid}: {wrong}")
        # One server, one browser at a time a worker: tests that share a costly fixture stay together.
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group(f"browser-{Path(str(item.path)).stem}"))
        elif item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.xdist_group("postgres"))
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    if config.getoption("--stack") == "full":
        rooms = [ROOT / "tests" / room for room in DATA_ROOMS]
        other = [item for item in items if not any(Path(str(item.path)).is_relative_to(room) for room in rooms)]
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if item not in set(other)]
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Playwright's sync API leaves an event loop running in this thread from its first test on.

    Django's guard cannot know that it is harmless; async tests could not run beside it. So browser tests come last
    (see the order above), and only from there on the guard is off: before, it finds ORM calls in our own coroutines.
    """
    if item.get_closest_marker("browser"):
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_configure(config: pytest.Config) -> None:
    from tests.support.recorder import Recorder

    config.pluginmanager.register(Recorder(config), "oracle-recorder")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack", choices=["embedded", "full"], default="embedded",
        help="full: the tests of the data rooms on a real PostgreSQL and a real Redis, nothing else (make test-all)",
    )  # fmt: skip
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well (make test-all)")


def pytest_report_header() -> str:
    return f"python {sys.version.split()[0]}, {os.cpu_count()} cores"
