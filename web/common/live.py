"""Live topics (ARCHITECTURE 4): a counter per topic, `epoch:n`, so that a browser knows when it missed something.

Counters live in the shared cache: in memory for the embedded default, in Redis for the full stack. A lost cache is a new epoch,
and a new epoch makes every browser read again. Reading a snapshot: take `pair()` before the rows, never after.
"""

from __future__ import annotations

import asyncio
import secrets

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache

log = structlog.get_logger(__name__)
_loop: asyncio.AbstractEventLoop | None = None
FOREVER = None


def bind_loop() -> None:
    """Called in the server's event loop: the memory layer belongs to it, and other threads hand their sends over."""
    global _loop
    _loop = asyncio.get_running_loop()


def group_name(topic: str) -> str:
    """Channels allows fewer characters in a group name than we do in a topic."""
    return "live." + topic.replace(":", ".").replace("/", ".")


def _epoch(topic: str) -> str:
    key = f"live:{topic}:epoch"
    epoch = cache.get(key)
    if epoch is None:
        cache.add(key, secrets.token_hex(4), FOREVER)
        epoch = cache.get(key)
    return epoch


def pair(topic: str) -> str:
    """`epoch:n` as of now."""
    return f"{_epoch(topic)}:{cache.get(f'live:{topic}:n', 0)}"


def send(topic: str, event: str, data: dict) -> None:
    """Tell everybody who listens to `topic`. Never raises: what is told may be missed, the screen reads again."""
    try:
        epoch = _epoch(topic)
        cache.add(f"live:{topic}:n", 0, FOREVER)
        message = {"topic": topic, "epoch": epoch, "n": cache.incr(f"live:{topic}:n"), "event": event, "data": data}
        coroutine = get_channel_layer().group_send(group_name(topic), {"type": "live.message", "message": message})
        if _loop is not None and _loop.is_running():
            asyncio.run_coroutine_threadsafe(coroutine, _loop)
        else:
            async_to_sync(_run)(coroutine)
    except Exception:
        log.exception("live topic not told", topic=topic.split(":")[0], live_event=event)


async def _run(coroutine):
    return await coroutine
