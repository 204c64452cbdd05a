"""/ws/live: own topics, refused topics, numbering, heartbeat, the end of a session."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache

from tests.calls.cast import a_user, an_agent
from web.accounts import services as accounts
from web.accounts.events import SessionsEnded
from web.accounts.models import User
from web.common import live
from web.desk import push, sockets, topics
from web.tickets.models import Ticket


@pytest.fixture
def people(transactional_db) -> SimpleNamespace:
    cache.clear()
    alice, bob = an_agent("1001").user, an_agent("1002").user
    boss = a_user("3001", "supervisor", "telephony.floor", group="centre")
    finance = a_user("5001", "finance", group="finance")
    Ticket.objects.create(number="T20261123-0001", kind="consult", opened_by=alice, owner=alice)
    return SimpleNamespace(alice=alice, bob=bob, boss=boss, finance=finance)


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """The watch looks twenty times a second instead of every five seconds."""
    monkeypatch.setattr(sockets, "CHECK_SECONDS", 0.05)


class Socket(ApplicationCommunicator):
    """The browser's end of one WebSocket (channels.testing needs a server that this product does not use)."""

    def __init__(self, user: Any, session: Any) -> None:
        scope = {"type": "websocket", "path": "/ws/live", "headers": [], "subprotocols": []}
        super().__init__(sockets.LiveConsumer.as_asgi(), {**scope, "user": user, "session": session})

    async def open(self) -> None:
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(timeout=2))["type"] == "websocket.accept"

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def hear(self, seconds: float = 2) -> dict:
        return json.loads((await self.receive_output(timeout=seconds))["text"])

    async def shut(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(timeout=2)


class Browser:
    """One socket of one signed-in user."""

    def __init__(self, user: User) -> None:
        self.user = user

    async def __aenter__(self) -> Browser:
        self.session = await sync_to_async(self._session)()
        self.socket = Socket(self.user, self.session)
        await self.socket.open()
        return self

    async def __aexit__(self, *_) -> None:
        await self.socket.shut()

    def _session(self) -> SessionStore:
        session = SessionStore()
        session["user"] = self.user.pk
        session.create()
        return session

    async def says(self, message) -> None:
        await self.socket.say(json.dumps(message))

    async def hears(self, key: str, seconds: float = 2) -> dict:
        """The next message that has this key."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.socket.hear(seconds)
                if key in message:
                    return message

    async def listens(self, *names: str) -> None:
        await self.says({"subscribe": list(names)})
        for _ in names:
            await self.hears("subscribed")


async def tell(topic: str, event: str, data: dict) -> None:
    """As a request's thread would: the numbers are made there, the loop sends."""
    live.bind_loop()
    await asyncio.to_thread(live.send, topic, event, data)


async def test_own_topics_are_numbered_without_holes(people):
    async with Browser(people.alice) as browser:
        await browser.says({"subscribe": ["phone"]})
        epoch, _, n = (await browser.hears("subscribed"))["subscribed"]["phone"].rpartition(":")
        for count in range(3):
            await tell(f"phone:{people.alice.pk}", "PhoneChanged", {"count": count})
        heard = [await browser.hears("topic") for _ in range(3)]
        assert [(one["topic"], one["epoch"], one["n"]) for one in heard] == [
            ("phone", epoch, int(n) + step) for step in (1, 2, 3)
        ]
        assert [one["data"]["count"] for one in heard] == [0, 1, 2]


async def test_nobody_hears_the_phone_of_another(people):
    async with Browser(people.alice) as alice, Browser(people.bob) as bob:
        await alice.listens("phone")
        await bob.listens("phone")
        await tell(f"phone:{people.alice.pk}", "CallChanged", {"id": "1"})
        assert (await alice.hears("topic"))["event"] == "CallChanged"
        assert await bob.socket.receive_nothing(timeout=0.04)
        await bob.says({"subscribe": [f"phone:{people.alice.pk}"]})
        assert await bob.hears("refused") == {"refused": f"phone:{people.alice.pk}", "code": "unknown_topic"}


@pytest.mark.parametrize(
    ("who", "topic", "may"),
    [
        ("alice", "queue", True),
        ("boss", "queue", True),
        ("finance", "queue", False),
        ("finance", "phone", False),
        ("finance", "inbox", True),
        ("finance", "notifications", True),
        ("finance", "announcements", True),
        ("alice", "floor", False),
        ("boss", "floor", True),
        ("alice", "ticket:T20261123-0001", True),
        ("bob", "ticket:T20261123-0001", False),
        ("bob", "ticket:T99999999-0001", False),
        ("bob", "instance:1", False),
        ("bob", "instance:'; --", False),
        ("bob", "everything", False),
    ],
)
async def test_who_may_listen_to_what(people, who, topic, may):
    async with Browser(getattr(people, who)) as browser:
        await browser.says({"subscribe": [topic]})
        if may:
            assert topic in (await browser.hears("subscribed"))["subscribed"]
        else:
            assert (await browser.hears("refused"))["refused"] == topic


async def test_the_heartbeat_says_where_the_topics_stand(people):
    """So a browser that missed the last message finds out."""
    async with Browser(people.alice) as browser:
        await browser.listens("inbox", "queue")
        await asyncio.to_thread(cache.set, f"live:inbox:{people.alice.pk}:n", 7)
        heard = await browser.hears("heartbeat")
        assert heard["heartbeat"]["inbox"].endswith(":7") and set(heard["heartbeat"]) == {"inbox", "queue"}


async def test_a_new_epoch_is_seen_when_the_counters_are_lost(people):
    async with Browser(people.alice) as browser:
        await browser.says({"subscribe": ["inbox"]})
        before = (await browser.hears("subscribed"))["subscribed"]["inbox"]
        await asyncio.to_thread(cache.clear)
        after = (await browser.hears("heartbeat"))["heartbeat"]["inbox"]
        assert before.split(":")[0] != after.split(":")[0]


@pytest.mark.parametrize("how", ["session deleted", "sessions ended", "switched off"])
async def test_the_end_of_the_session_closes_the_socket(people, how):
    async with Browser(people.alice) as browser:
        await browser.listens("phone")
        if how == "session deleted":
            await database_sync_to_async(browser.session.delete)()
        elif how == "sessions ended":
            await database_sync_to_async(accounts.end_sessions)(people.alice, reason="test")
        else:
            await database_sync_to_async(User.objects.filter(pk=people.alice.pk).update)(is_active=False)
        assert await browser.hears("closed") == {"closed": "session_ended"}
        assert (await browser.socket.receive_output(timeout=1))["code"] == sockets.SESSION_ENDED


async def test_a_taken_over_session_is_told_at_once(people, monkeypatch):
    monkeypatch.setattr(sockets, "CHECK_SECONDS", 60)
    async with Browser(people.alice) as browser:
        await browser.listens("phone")
        await database_sync_to_async(accounts.end_sessions)(people.alice, reason="taken_over")
        live.bind_loop()
        await asyncio.to_thread(push.close_sockets, SessionsEnded(people.alice.pk, "taken_over"))
        assert await browser.hears("closed") == {"closed": "session_ended"}


async def test_a_stranger_is_sent_away(people):
    socket = Socket(AnonymousUser(), None)
    await socket.open()
    assert await socket.hear() == {"closed": "session_ended"}
    await socket.shut()


async def test_a_right_that_was_taken_away_ends_the_topic(people):
    async with Browser(people.boss) as browser:
        await browser.listens("floor")
        await database_sync_to_async(people.boss.roles.clear)()
        assert await browser.hears("refused") == {"refused": "floor", "code": "no_permission"}
        await tell("floor", "FiguresChanged", {})
        with pytest.raises(TimeoutError):
            await browser.hears("topic", seconds=0.3)


@pytest.mark.parametrize("rubbish", ["no json", '["phone"]', '{"subscribe": 7}', '{"subscribe": [7]}', "x" * 9000])
async def test_rubbish_closes_the_socket(people, rubbish):
    async with Browser(people.alice) as browser:
        await browser.socket.say(rubbish)
        assert (await browser.socket.receive_output(timeout=1))["code"] == sockets.BAD_MESSAGE


async def test_who_leaves_a_topic_hears_no_more_of_it(people):
    async with Browser(people.alice) as browser:
        await browser.listens("queue")
        await browser.says({"unsubscribe": ["queue"]})
        await asyncio.sleep(0.05)
        await tell("queue", "QueueChanged", {"results": []})
        with pytest.raises(TimeoutError):
            await browser.hears("topic", seconds=0.3)


async def test_listening_is_known_to_those_who_make_the_messages(people):
    assert not topics.is_heard("queue")
    async with Browser(people.alice) as browser:
        await browser.listens("queue")
        assert topics.is_heard("queue")
