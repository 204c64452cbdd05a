"""GET /healthz: can this installation do its work right now?

Whoever asks, browsers of 300 desks included, shares one look at a time, taken by a thread of its own: a part that hangs costs
one thread and is said to be down, and no request waits for it longer than WITHIN.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.db import Error, connection, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from web.common import clock

log = structlog.get_logger(__name__)

LATE = timedelta(seconds=60)  # a due job may wait this long before the installation counts as stuck
WITHIN = 2.5  # seconds from the beginning of a look to the answer, whatever hangs
FRESH = 0.5  # seconds for which a look serves everybody who asks
BUSY_MS = 1_500  # how long SQLite's write lock may be somebody else's before nobody can work


def database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM DUAL" if connection.vendor == "oracle" else "SELECT 1")
        cursor.fetchone()
        if connection.vendor == "sqlite":  # readers go on beside a writer that never ends: ask for the lock itself
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("ROLLBACK")
    return "ok"


def broker() -> str:
    """ "memory" in the embedded default; else "ok" once the broker accepted a connection."""
    if settings.EMBEDDED:
        return "memory"
    from web.config.celery import app

    with app.connection_for_write() as link:
        link.ensure_connection(max_retries=0, timeout=2)
    return "ok"


def cti() -> str:
    """ "ok" while some telephony process holds the lease on the PBX."""
    lease = apps.get_model("jobs", "Lease").objects.filter(name="cti").first()
    return "ok" if lease and lease.until > clock.now() else "down"


def job_lag_ms() -> int:
    """How long the oldest due job has been waiting, in ms; 0 when none is."""
    now = clock.now()
    oldest = apps.get_model("jobs", "Job").objects.due(now).order_by("due_at").values_list("due_at", flat=True).first()
    return max(0, int((now - oldest).total_seconds() * 1000)) if oldest else 0


def _asked(part: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return part()
    except Exception as error:  # whatever breaks here is the very news this page exists for
        if isinstance(error, Error):
            connection.close_if_unusable_or_obsolete()
        log.warning("health", part=part.__name__, error=type(error).__name__)
        return otherwise


PARTS: tuple[tuple[Callable[[], Any], Any], ...] = (
    (database, "down"),
    (cti, "down"),
    (job_lag_ms, None),
    (broker, "down"),
)
"""Who is asked, by the name in the answer, and what is said when no answer comes; the slowest to fail is the last."""


class Look:
    """One look at all parts. `found` fills while it is taken: what has not answered yet when somebody reads it is missing."""

    def __init__(self, taken_by: ThreadPoolExecutor) -> None:
        self.began = time.monotonic()
        self.found: dict[str, Any] = {}
        self.done: Future[None] = taken_by.submit(self._take)

    def _take(self) -> None:
        try:
            for part, otherwise in PARTS:
                self.found[part.__name__] = _asked(part, otherwise)
        finally:
            connections.close_all()  # a pool's connection goes back; a dead one is not met again

    @property
    def left(self) -> float:
        """Seconds somebody may still wait for it; 0 once it is late."""
        return max(0.0, self.began + WITHIN - time.monotonic())

    @property
    def is_over(self) -> bool:
        return self.done.done() and time.monotonic() - self.began > FRESH

    def answer(self) -> tuple[int, dict[str, Any]]:
        """HTTP status and body."""
        said = {part.__name__: self.found.get(part.__name__, otherwise) for part, otherwise in PARTS}
        lag = said["job_lag_ms"]
        ready = "down" not in said.values() and lag is not None and lag < LATE.total_seconds() * 1000
        return (200, {"status": "ok", **said}) if ready else (503, {"status": "unavailable", **said})


_looking = threading.Lock()
_taken_by = ThreadPoolExecutor(max_workers=1, thread_name_prefix="health")
_last: Look | None = None


def look() -> Look:
    """The look of this moment: the one being taken, the one just taken, or a new one."""
    global _last
    with _looking:
        if _last is None or _last.is_over:
            _last = Look(_taken_by)
        return _last


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 {status: "ok", database, broker, cti, job_lag_ms} when ready; else 503 and status "unavailable".

    job_lag_ms is null when the database cannot tell. Says nothing about people, so it needs no session.
    """
    now = look()
    wait([now.done], timeout=now.left)
    status, said = now.answer()
    return JsonResponse(said, status=status)


class Beside:
    """ASGI: answers GET /healthz itself and hands on everything else.

    The threads that serve HTTP may all wait for the database; this answer is wanted just then.
    """

    def __init__(self, others: Callable[..., Any]) -> None:
        self.others = others

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["path"] != "/healthz" or scope["method"] not in ("GET", "HEAD"):
            await self.others(scope, receive, send)
            return
        now = look()
        await asyncio.wait({asyncio.wrap_future(now.done)}, timeout=now.left)
        status, said = now.answer()
        body = json.dumps(said).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
