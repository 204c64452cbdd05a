"""The CTI process: a thread (embedded) or `manage.py run_cti`. Exactly one acts on the PBX; others wait for its lease."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import close_old_connections, connections

from cti.clock import Clock, RealClock
from cti.drivers import open_switch
from cti.switch import Switch
from web.common import clock as product_clock
from web.jobs import services as jobs
from web.jobs.models import Lease
from web.jobs.services.leases import myself

from .centre import LEASE_SECONDS, Centre, Database
from .rows import LEASE, LeaseLost, Rows

log = structlog.get_logger(__name__)

GROUP = "telephony"
_here: set[Runner] = set()


class ProductClock(RealClock):
    """Waits in real time and tells the product's: where a trial turns it, calls begin and end in the same day as their tasks."""

    def now(self) -> datetime:
        return product_clock.now()


class Runner:
    """Waits for the lease, acts while it has it, begins again after any trouble. One per process, or several in a test."""

    def __init__(
        self,
        *,
        switch: Switch | None = None,
        clock: Clock | None = None,
        db: Database | None = None,
        scenario: str = "",
    ) -> None:
        self.owner = myself()
        self.clock = clock or ProductClock()
        self.switch = switch
        self.scenario = scenario
        self.centre: Centre | None = None
        self._executor: ThreadPoolExecutor | None = None
        if db is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="telephony-db")
            db = self._in_thread
        self.db = db
        self.stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `stop`. Never raises for a PBX, a database or a lease that is away: it waits and tries again."""
        self._loop = asyncio.get_running_loop()
        self.stopping = self.stopping or asyncio.Event()
        self.switch = self.switch or open_switch(settings.CTI_DRIVER, clock=self.clock)
        _here.add(self)
        listening = asyncio.ensure_future(self._listen()) if settings.REDIS_URL else None
        try:
            while not self.stopping.is_set():
                try:
                    fence = await self.db(self._take)
                    if fence is not None:
                        await self._act(fence)
                except LeaseLost:
                    log.warning("the lease on the PBX is lost")
                except Exception:
                    log.exception("telephony begins anew")
                await self._pause(1)
        finally:
            _here.discard(self)
            if listening:
                listening.cancel()

    async def _act(self, fence: int) -> None:
        log.info("telephony acts on the PBX", fence=fence)
        centre = Centre(self.switch, Rows(self.owner, fence), clock=self.clock, db=self.db)  # type: ignore[arg-type]
        self.centre = centre
        try:
            await centre.run(self.stopping, after_open=lambda: centre.play_by_itself(self.scenario))  # type: ignore[arg-type]
        finally:
            self.centre = None
            await self.db(jobs.release, LEASE, self.owner)

    async def _pause(self, seconds: float) -> None:
        """Wait by the clock, or until it is time to stop."""
        stopping = asyncio.ensure_future(self.stopping.wait())  # type: ignore[union-attr]
        waiting = asyncio.ensure_future(self.clock.sleep(seconds))
        await asyncio.wait({stopping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        waiting.cancel()

    def _take(self) -> int | None:
        """The lease's fence; None while another process lives that has it."""
        holder = Lease.objects.filter(name=LEASE).values_list("owner", flat=True).first()
        if holder and holder != self.owner and is_dead(holder):
            log.warning("the process that had the PBX is gone", holder=holder)
            jobs.release(LEASE, holder)
        return jobs.hold(LEASE, self.owner, LEASE_SECONDS)

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        def work() -> Any:
            close_old_connections()
            try:
                return function(*arguments)
            finally:
                close_old_connections()

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    # --- waking ------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """A command was written; from any thread."""
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._wake_centre)

    def _wake_centre(self) -> None:
        if self.centre is not None:
            self.centre.wake()

    async def _listen(self) -> None:
        """Wake-ups of other processes; losing one costs a second."""
        while True:
            try:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    await layer.receive(channel)
                    self._wake_centre()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("wake-ups are away", error=type(error).__name__)
                await asyncio.sleep(1)

    # --- as a thread -------------------------------------------------------------------------------------------

    def start(self) -> Runner:
        self._thread = threading.Thread(target=self._thread_main, name="telephony", daemon=True)
        self._thread.start()
        return self

    def _thread_main(self) -> None:
        try:
            asyncio.run(self.run())
        finally:
            self._end_executor()

    def _end_executor(self) -> None:
        if self._executor is not None:
            self._executor.submit(connections.close_all)
            self._executor.shutdown(wait=True)

    def stop(self, seconds: float = 3.0) -> None:
        """Ask it to end and wait at most so long; the lease is free then."""
        if self._loop is not None and self._loop.is_running() and self.stopping is not None:
            self._loop.call_soon_threadsafe(self.stopping.set)
        if self._thread is not None:
            self._thread.join(seconds)


def is_dead(owner: str) -> bool:
    """Whether the process that calls itself `owner` (host:pid:…) is surely gone: of this host, and not running."""
    host, _, rest = owner.partition(":")
    pid, _, _ = rest.partition(":")
    if host != socket.gethostname()[:24] or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return owner not in {runner.owner for runner in _here}
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def wake() -> None:
    """Tell whoever acts on the PBX that a command was written; call it after commit."""
    if _here:
        for runner in list(_here):
            runner.wake()
    elif settings.REDIS_URL:
        try:
            async_to_sync(get_channel_layer().group_send)(GROUP, {"type": "telephony.wake"})
        except Exception as error:
            log.warning("telephony was not woken", error=type(error).__name__)


def start_in_thread() -> Runner:
    """The embedded default: telephony in a thread of the server. Returns what has `.stop()`."""
    return Runner(scenario=settings.SCENARIO).start()
