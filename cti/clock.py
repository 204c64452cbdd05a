"""The one source of time: real in production, turned by hand in tests, so that nothing here ever waits for a test."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Timer(Protocol):
    """A call-back that waits for its time."""

    def cancel(self) -> None:
        """Forget the call-back; harmless when it has run or was cancelled before."""


class Clock(Protocol):
    """Time for drivers and for what is built on them."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` in the event loop after `seconds` (0 = next turn). Needs a running loop."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class _HandTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class HandClock:
    """Stands still until `forward` turns it; call-backs run in the order of their due times."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
        self._due: list[tuple[datetime, int, _HandTimer]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = _HandTimer(callback)
        heapq.heappush(self._due, (self._now + timedelta(seconds=max(0.0, seconds)), next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self.call_later(seconds, lambda: woken.done() or woken.set_result(None))
        await woken

    async def forward(self, seconds: float = 0.0) -> None:
        """Turn the clock; between two call-backs whoever was woken gets the loop, as in real time."""
        target = self._now + timedelta(seconds=seconds)
        await settle()
        while self._due and self._due[0][0] <= target:
            due, _, timer = heapq.heappop(self._due)
            if timer.callback is None:
                continue
            self._now = max(self._now, due)
            timer.callback()
            await settle()
        self._now = target


async def settle(turns: int = 8) -> None:
    """Give every ready task a few turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
