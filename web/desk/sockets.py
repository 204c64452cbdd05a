"""/ws/live: one socket a browser, any number of topics (ARCHITECTURE 4, "Live topics").

A topic is subscribed first and its snapshot read after; what is told in between is numbered later than the snapshot says.
Nothing is asked through the socket but topics, and nothing personal is kept here.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import orjson
import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.urls import path

from web.accounts.models import User
from web.common import clock, live

from . import presence, topics

log = structlog.get_logger(__name__)

CHECK_SECONDS = 5.0
HEARTBEAT_EVERY = 2  # checks
TOPICS_AT_MOST = 50
LONGEST_MESSAGE = 8 * 1024
SESSION_ENDED = 4401
BAD_MESSAGE = 4400


class LiveConsumer(AsyncWebsocketConsumer):
    """Listens for one signed-in browser until its session ends."""

    async def connect(self) -> None:
        self.user = self.scope["user"]
        self.names: dict[str, str] = {}  # our name → the browser's
        self.watch: asyncio.Task | None = None
        await self.accept()
        if not self.user.is_authenticated:
            await self.end()
            return
        session = self.scope.get("session")
        self.session_key = getattr(session, "session_key", None)
        signed_in_at = await database_sync_to_async(session.get)("signed_in_at") if session is not None else None
        self.ends_at = signed_in_at + settings.SESSION_ABSOLUTE_AGE if signed_in_at else None
        self.epoch = self.user.session_epoch
        self.own_topic = f"session:{self.user.pk}"
        await self.channel_layer.group_add(live.group_name(self.own_topic), self.channel_name)
        self.watch = asyncio.ensure_future(self._watch())

    async def disconnect(self, code: int) -> None:
        if self.watch is not None:
            self.watch.cancel()
            for topic in [*self.names, self.own_topic]:
                await self.channel_layer.group_discard(live.group_name(topic), self.channel_name)
            await self._leave(list(self.names))

    async def say(self, **message: Any) -> None:
        await self.send(text_data=orjson.dumps(message, option=orjson.OPT_UTC_Z).decode())

    async def end(self) -> None:
        await self.say(closed="session_ended")
        await self.close(SESSION_ENDED)

    # --- what the browser says ---------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            message = json.loads(text_data or "") if len(text_data or "") <= LONGEST_MESSAGE else None
            wanted, unwanted = message.get("subscribe", []), message.get("unsubscribe", [])
            if not all(isinstance(name, str) and len(name) <= 80 for name in [*wanted, *unwanted]):
                raise ValueError
        except (ValueError, AttributeError, TypeError):
            await self.close(BAD_MESSAGE)
            return
        for name in unwanted:
            await self._unsubscribe(name)
        for name in wanted:
            await self._subscribe(name)

    async def _subscribe(self, name: str) -> None:
        topic = topics.inner(name, self.user)
        code = await database_sync_to_async(self._refusal)(name)
        if not code and len(self.names) >= TOPICS_AT_MOST and topic not in self.names:
            code = "too_many_topics"
        if code:
            await self.say(refused=name, code=code)
            return
        self.names[topic] = name
        await self.channel_layer.group_add(live.group_name(topic), self.channel_name)
        await self.say(subscribed={name: await database_sync_to_async(self._enter)(topic)})
        if presence.is_about(topic):
            await database_sync_to_async(presence.enter)(topic, self.channel_name, self.user)

    async def _unsubscribe(self, name: str) -> None:
        topic = topics.inner(name, self.user)
        if self.names.pop(topic, None) is not None:
            await self.channel_layer.group_discard(live.group_name(topic), self.channel_name)
            await self._leave([topic])

    async def _leave(self, names: list[str]) -> None:
        if any(presence.is_about(topic) for topic in names):
            await database_sync_to_async(presence.leave)(names, self.channel_name)

    def _refusal(self, name: str) -> str:
        # Rights are read anew each time: they may have changed since the socket was opened.
        user = User.objects.filter(pk=self.user.pk, is_active=True).first()
        return topics.refusal(name, user) if user else "no_permission"

    @staticmethod
    def _enter(topic: str) -> str:
        topics.note_listener([topic])
        return live.pair(topic)

    # --- what is told ------------------------------------------------------------------------------------------

    async def live_message(self, event: dict[str, Any]) -> None:
        message = event["message"]
        if message["topic"] == self.own_topic:
            if not await database_sync_to_async(self._is_alive)():
                await self.end()
            return
        name = self.names.get(message["topic"])
        if name is not None:
            if message["event"] == presence.EVENT:
                message = {**message, "data": {"viewers": presence.others(message["data"]["viewers"], self.user)}}
            await self.say(**{**message, "topic": name})

    # --- keeping watch -----------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Every five seconds: is the session still there? Every ten: where the topics stand, and may he still listen?"""
        count = 0
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            count += 1
            try:
                if not await database_sync_to_async(self._is_alive)():
                    await self.end()
                    return
                if count % HEARTBEAT_EVERY == 0:
                    await self._heartbeat()
            except DatabaseError as error:
                log.warning("a socket cannot ask the database", error=type(error).__name__)

    async def _heartbeat(self) -> None:
        pairs, lost = await database_sync_to_async(self._positions)()
        for name in lost:
            await self._unsubscribe(name)
            await self.say(refused=name, code="no_permission")
        await self.say(heartbeat=pairs)

    def _is_alive(self) -> bool:
        """The session's row is there, has not run out, and nobody has ended the user's sessions since."""
        if self.ends_at is not None and time.time() >= self.ends_at:
            return False
        user = User.objects.filter(pk=self.user.pk).only("is_active", "session_epoch").first()
        if user is None or not user.is_active or user.session_epoch != self.epoch:
            return False
        # Sessions are kept by Django, on the machine's own time, also where the product's clock is turned by hand.
        return Session.objects.filter(session_key=self.session_key, expire_date__gt=clock.system_now()).exists()

    def _positions(self) -> tuple[dict[str, str], list[str]]:
        user = User.objects.get(pk=self.user.pk)
        names = dict(self.names)
        lost = [name for name in names.values() if topics.refusal(name, user)]
        kept = {topic: name for topic, name in names.items() if name not in lost}
        topics.note_listener(list(kept))
        presence.stay(kept, self.channel_name, user)
        return {name: live.pair(topic) for topic, name in kept.items()}, lost


websocket_urlpatterns = [path("ws/live", LiveConsumer.as_asgi())]
