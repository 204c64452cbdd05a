"""Who looks at a task: everybody who may read it sees the others, live, and nobody lingers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from channels.db import database_sync_to_async
from django.core.cache import cache
from rest_framework.test import APIClient

from tests.desk.test_sockets import Browser
from tests.workflow.cast import Cast, cast, start, task  # noqa: F401  cast is a fixture
from web.accounts.models import Membership
from web.common import live
from web.desk import presence, sockets
from web.workflow.models import UserTask


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> Iterator[None]:
    """The heartbeat comes ten times a second instead of every ten seconds; nobody works on jobs."""
    monkeypatch.setattr(sockets, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr("web.jobs.tasks.sweep.apply_async", lambda **_: None)
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def judged(cast: Cast) -> UserTask:  # noqa: F811
    """A task that ann has begun and her group may claim: bob and his leader lea may read it, zoe may not."""
    return task(start("vote", cast.ann, group="booking"), "judge")


def reads(user, row: UserTask):
    client = APIClient()
    client.force_authenticate(user)
    return client.get(f"/api/tasks/{row.pk}")


def sees(user, row: UserTask) -> list[str]:
    answer = reads(user, row)
    assert answer.status_code == 200
    return [viewer["number"] for viewer in answer.data["viewers"]]


def looks(user, row: UserTask, socket: str) -> None:
    presence.enter(f"task:{row.pk}", socket, user)


async def hears_viewers(browser: Browser, *numbers: str) -> list[dict]:
    """Waits until the browser has been told that exactly these look at its task."""
    while True:
        message = await browser.hears("topic")
        assert message["event"] == "ViewersChanged"
        if [viewer["number"] for viewer in message["data"]["viewers"]] == list(numbers):
            return message["data"]["viewers"]


# --- live ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["goes to another task", "closes the tab"])
async def test_a_colleague_appears_and_goes_away_while_i_look(judged, cast, how) -> None:  # noqa: F811
    live.bind_loop()
    topic = f"task:{judged.pk}"
    async with Browser(cast.ann) as ann:
        await ann.listens(topic)
        await hears_viewers(ann)
        async with Browser(cast.bob) as bob:
            await bob.listens(topic)
            shown = await hears_viewers(ann, "1002")
            assert shown == [{"number": "1002", "name": "name 1002", "since": shown[0]["since"]}]
            assert shown[0]["since"].endswith("Z")
            await hears_viewers(bob, "1001")
            if how == "goes to another task":
                await bob.says({"unsubscribe": [topic]})
                await hears_viewers(ann)
        if how == "closes the tab":
            await hears_viewers(ann)


@pytest.mark.django_db(transaction=True)
async def test_one_who_may_not_read_the_task_learns_nothing_and_is_not_seen(judged, cast) -> None:  # noqa: F811
    live.bind_loop()
    topic = f"task:{judged.pk}"
    async with Browser(cast.ann) as ann, Browser(cast.zoe) as zoe, Browser(cast.adi) as repairs:
        await ann.listens(topic)
        for outsider in (zoe, repairs):
            await outsider.says({"subscribe": [topic]})
            assert await outsider.hears("refused") == {"refused": topic, "code": "no_permission"}
            with pytest.raises(TimeoutError):
                await outsider.hears("topic", seconds=0.2)
        await hears_viewers(ann)
    for name in ("task:", "task:x", "task:²", "task:999999999", f"task:{judged.pk}:"):
        async with Browser(cast.ann) as ann:
            await ann.says({"subscribe": [name]})
            assert (await ann.hears("refused"))["refused"] == name


@pytest.mark.django_db(transaction=True)
async def test_one_who_may_read_it_no_more_is_no_longer_seen(judged, cast) -> None:  # noqa: F811
    live.bind_loop()
    topic = f"task:{judged.pk}"
    async with Browser(cast.ann) as ann, Browser(cast.bob) as bob:
        await ann.listens(topic)
        await bob.listens(topic)
        await hears_viewers(ann, "1002")
        await database_sync_to_async(Membership.objects.filter(user=cast.bob).delete)()
        await bob.hears("refused")
        await hears_viewers(ann)


@pytest.mark.django_db(transaction=True)
async def test_a_lost_cache_is_filled_again_by_the_heartbeats(judged, cast) -> None:  # noqa: F811
    live.bind_loop()
    topic = f"task:{judged.pk}"
    async with Browser(cast.ann) as ann, Browser(cast.bob) as bob:
        await ann.listens(topic)
        await bob.listens(topic)
        await hears_viewers(ann, "1002")
        await asyncio.to_thread(cache.clear)
        for _ in range(4):
            await ann.hears("heartbeat")
        assert await database_sync_to_async(sees)(cast.ann, judged) == ["1002"]


@pytest.mark.django_db(transaction=True)
async def test_one_whose_server_died_is_missed_by_the_heartbeat_of_another(judged, cast, clock) -> None:  # noqa: F811
    live.bind_loop()
    topic = f"task:{judged.pk}"
    async with Browser(cast.ann) as ann:
        await ann.listens(topic)
        await asyncio.to_thread(looks, cast.bob, judged, "socket of a process that is gone")
        await hears_viewers(ann, "1002")
        clock.forward(seconds=29)
        await ann.hears("heartbeat")
        await ann.hears("heartbeat")
        assert await database_sync_to_async(sees)(cast.ann, judged) == ["1002"]
        clock.forward(seconds=2)
        await hears_viewers(ann)


# --- read ----------------------------------------------------------------------------------------------------------


def test_reading_a_task_says_who_else_looks_at_it_and_never_oneself(judged, cast, clock) -> None:  # noqa: F811
    looks(cast.bob, judged, "tab 1")
    clock.forward(seconds=5)
    looks(cast.lea, judged, "tab 2")
    assert sees(cast.ann, judged) == ["1002", "2001"]
    assert sees(cast.bob, judged) == ["2001"]
    assert sees(cast.lea, judged) == ["1002"]
    assert reads(cast.zoe, judged).status_code == 404
    assert sees(cast.adi, judged) == [], "who repairs flows sees where they stand, not who works in them"


def test_two_tabs_are_one_person_until_the_last_is_closed(judged, cast, clock) -> None:  # noqa: F811
    topic = f"task:{judged.pk}"
    begun = clock.now()
    looks(cast.bob, judged, "tab 1")
    clock.forward(seconds=20)
    looks(cast.bob, judged, "tab 2")
    (viewer,) = reads(cast.ann, judged).data["viewers"]
    assert viewer["since"] == begun and sees(cast.bob, judged) == []
    presence.leave([topic], "tab 1")
    assert sees(cast.ann, judged) == ["1002"]
    presence.leave([topic], "tab 2")
    assert sees(cast.ann, judged) == []


def test_a_sign_of_life_keeps_since_and_silence_ends_it(judged, cast, clock) -> None:  # noqa: F811
    topic = f"task:{judged.pk}"
    begun = clock.now()
    looks(cast.bob, judged, "tab")
    for _ in range(6):
        clock.forward(seconds=10)
        presence.stay([topic, "inbox:7"], "tab", cast.bob)
    assert [viewer["since"] for viewer in reads(cast.ann, judged).data["viewers"]] == [begun]
    clock.forward(seconds=31)
    assert sees(cast.ann, judged) == []


def test_heartbeats_ask_the_database_nothing(judged, cast, django_assert_num_queries) -> None:  # noqa: F811
    with django_assert_num_queries(0):
        looks(cast.bob, judged, "tab")
        presence.stay([f"task:{judged.pk}"], "tab", cast.bob)
        assert [one["number"] for one in presence.viewers(judged.pk, cast.ann)] == ["1002"]
        presence.leave([f"task:{judged.pk}"], "tab")


def test_a_heartbeat_that_changes_nothing_tells_nobody(judged, cast, monkeypatch) -> None:  # noqa: F811
    told = []
    monkeypatch.setattr(live, "send", lambda *what: told.append(what))
    looks(cast.bob, judged, "tab")
    assert len(told) == 1
    presence.stay([f"task:{judged.pk}"], "tab", cast.bob)
    assert len(told) == 1


def test_without_a_cache_the_task_is_read_all_the_same(judged, cast, monkeypatch) -> None:  # noqa: F811
    class Away:
        def __getattr__(self, name):
            raise ConnectionError("redis is away")

    looks(cast.bob, judged, "tab")
    monkeypatch.setattr(presence, "cache", Away())
    assert sees(cast.ann, judged) == []
    looks(cast.bob, judged, "tab")
    presence.stay([f"task:{judged.pk}"], "tab", cast.bob)
    presence.leave([f"task:{judged.pk}"], "tab")
