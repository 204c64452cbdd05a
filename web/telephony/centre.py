"""The living part of the CTI process: hears the switch, gives commands, distributes, once a second looks at the rows.

Everything that lasts is in rows (`rows.Rows`); what is kept here may be lost at any moment and is made anew by `resync`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError

from cti import events as e
from cti.agent_states import TransitionRefused
from cti.clock import Clock
from cti.drivers.simulator import ScenarioError, SimulatorSwitch
from cti.model import Cause, ConnectionState, Direction
from cti.resync import reconcile
from cti.switch import Switch, SwitchRefused
from web.calls.models import Command
from web.jobs import services as jobs

from . import scenarios
from .rows import CALL_COMMANDS, DEMO_COMMANDS, LEASE, LeaseLost, Offer, Route, Rows, Wish, dialled_number

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
Database = Callable[..., Awaitable[Any]]

PATIENCE = 3.0
"""Seconds a command to the PBX may take; then it counts as silent (ARCHITECTURE 4)."""

LEASE_SECONDS = 10
HEARTBEAT = timedelta(seconds=2)
IN_FLIGHT_AT_MOST = timedelta(seconds=5)


class PbxSilent(Exception):
    """The PBX did not reply in time."""


class Centre:
    """Acts on one switch while its process holds the lease. db(fn, *args) runs a blocking function in the database thread."""

    def __init__(self, switch: Switch, rows: Rows, *, clock: Clock, db: Database) -> None:
        self.switch, self.rows, self.clock, self.db = switch, rows, clock, db
        self.stage = scenarios.Stage(switch) if isinstance(switch, SimulatorSwitch) else None
        self.events: asyncio.Queue[e.Event] = asyncio.Queue()
        self.woken = asyncio.Event()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lease_until = clock.now() + timedelta(seconds=LEASE_SECONDS)
        self.beaten_at = clock.now()
        self.online: set[str] = set()
        self.in_flight: dict[
            str, datetime
        ] = {}  # calls on their way to a phone, until the switch has said what became of it
        self.withdrawing: set[str] = set()
        self.hints: dict[str, dict[str, Any]] = {}
        self.tasks: set[asyncio.Task] = set()
        self.distributing = asyncio.Lock()
        self.connected = False

    # --- life --------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event, after_open: Callable[[], Awaitable[None]] | None = None) -> None:
        """Act until `stop` is set. Raises LeaseLost when the lease went away."""
        loops = [self._spawn(self._hear_all()), self._spawn(self._look_after()), self._spawn(self._work())]
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await self.open()
            if after_open is not None:
                await after_open()
            done, _ = await asyncio.wait({stopping, self.lost, *loops}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stopping.cancel()
            await self.close()

    async def open(self) -> None:
        """Connect to the PBX and bring the rows to what it says."""
        await self.switch.connect(self.events.put_nowait)
        self.connected = True
        await self.resync()

    async def close(self) -> None:
        """Let go of the PBX; its calls go on."""
        if self.stage:
            self.stage.stop()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if not self.lost.done() or self.lost.exception():  # said or not: nobody waits for it any more
            self.lost.cancel()
        self.connected = False
        await self.switch.close()

    def _spawn(self, coroutine: Any) -> asyncio.Task:
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task) -> None:
        self.tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        if isinstance(error, LeaseLost):
            if not self.lost.done():
                self.lost.set_exception(error)
        elif not isinstance(error, DatabaseError):  # the next second tries again
            log.error("a task of telephony failed", exc_info=error)

    def wake(self) -> None:
        """Somebody wrote a command; call it in the loop."""
        self.woken.set()

    # --- commands to the PBX -----------------------------------------------------------------------------------

    async def ask(self, command: Awaitable[Result]) -> Result:
        """One command to the switch, within PATIENCE and only under the lease. Raises SwitchRefused, PbxSilent, LeaseLost."""
        if self.clock.now() >= self.lease_until:
            command.close()  # type: ignore[attr-defined]
            raise LeaseLost("no heartbeat")
        asked = asyncio.ensure_future(command)
        in_time = asyncio.ensure_future(self.clock.sleep(PATIENCE))
        try:
            await asyncio.wait({asked, in_time}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            in_time.cancel()
        if not asked.done():
            asked.cancel()
            raise PbxSilent
        return asked.result()

    async def try_ask(self, command: Awaitable[Any], what: str) -> bool:
        """For commands of our own: a refusal means that the call has moved on, which its events tell."""
        try:
            await self.ask(command)
        except SwitchRefused as refused:
            log.info("the switch refused", command=what, code=str(refused.code))
            return False
        except PbxSilent:
            log.error("the switch is silent", command=what)
            return False
        return True

    # --- hearing -----------------------------------------------------------------------------------------------

    async def _hear_all(self) -> None:
        while True:
            event = await self.events.get()
            try:
                await self.hear(event)
            except DatabaseError as error:  # the row must not be lost: nothing is heard meanwhile
                log.error("an event waits for the database", error=type(error).__name__)
                await self.clock.sleep(0.5)
                await self.hear(event)
            except Exception as error:
                if isinstance(error, LeaseLost):
                    raise
                log.exception("an event could not be recorded", told=type(event).__name__)

    async def hear(self, event: e.Event) -> None:
        """Record one event and do what it asks for."""
        if isinstance(event, e.SystemStatus):
            if self.connected and event.status == "disabled":
                self._spawn(self._reconnect(event.reason))
            return
        if isinstance(event, e.DeviceOnline):
            self.online.add(event.device)
        elif isinstance(event, e.DeviceOffline):
            self.online.discard(event.device)
        route = await self.db(self.rows.heard, event, self.hints.pop(event.call_id, None))
        if isinstance(event, e.Delivered | e.Failed | e.Established | e.CallCleared):
            self.in_flight.pop(event.call_id, None)
        if route is not None:
            self._spawn(self.route(route))
        elif not isinstance(event, e.DigitsGenerated | e.Muted | e.Unmuted):
            await self.distribute()

    async def _reconnect(self, reason: str) -> None:
        log.warning("the link to the PBX is away", reason=reason)
        if reason == "replaced":
            raise LeaseLost("another process connected to the PBX")
        while True:
            try:
                await self.switch.connect(self.events.put_nowait)
                await self.resync()
                return
            except (SwitchRefused, PbxSilent, OSError) as error:
                log.warning("no link to the PBX yet", error=type(error).__name__)
                await self.clock.sleep(1)

    async def resync(self) -> None:
        """What the PBX says now becomes what the rows say (no ghost calls, no forgotten ones)."""
        snapshot = await self.ask(self.switch.snapshot())
        known = await self.db(self.rows.open_states)
        for event in reconcile(known, snapshot, self.clock.now()):
            await self.hear(event)
        await self.db(self.rows.settle, self.clock.now(), {call.call_id for call in snapshot})
        await self.sync_seats()
        seen = {state.call_id for state in known}
        for call in snapshot:  # known, but its way was never told to the PBX
            customer = [leg for leg in call.connections if leg.state is ConnectionState.initiated]
            if call.direction is Direction.inbound and call.call_id in seen and customer:
                for route in await self.db(self.rows.unrouted, self.clock.now() + timedelta(seconds=5)):
                    if route.call_id == call.call_id:
                        await self.route(route)
        await self.distribute()

    # --- inbound calls -----------------------------------------------------------------------------------------

    async def route(self, route: Route) -> None:
        if route.refuse:
            await self.try_ask(self.switch.refuse(route.call_id, Cause.blocked), "refuse")
        else:
            await self.try_ask(self.switch.queue(route.call_id, route.queue), "queue")

    async def distribute(self) -> None:
        """Give waiting calls to free agents; their phones ring a moment later."""
        async with self.distributing:
            offers = await self.db(self.rows.plan, self.clock.now(), set(self.in_flight), set(self.online))
            self.in_flight |= {offer.call_id: self.clock.now() for offer in offers}
        for offer in offers:
            self._spawn(self.deliver(offer))

    async def deliver(self, offer: Offer) -> None:
        if not await self.try_ask(self.switch.deliver(offer.call_id, offer.device), "deliver"):
            self.in_flight.pop(offer.call_id, None)
            await self.db(self.rows.put_back, offer.change, self.clock.now())

    async def withdraw(self, connection: str) -> None:
        """The agent let it ring too long (RONA). Refused: he has just answered."""
        try:
            await self.try_ask(self.switch.clear_connection(connection, Cause.rona), "withdraw")
        finally:
            self.withdrawing.discard(connection)

    # --- every second ------------------------------------------------------------------------------------------

    async def _look_after(self) -> None:
        while True:
            await self.clock.sleep(1)
            try:
                await self.tick()
            except DatabaseError as error:
                log.error("the database is away", error=type(error).__name__)
                if self.clock.now() >= self.lease_until:
                    raise LeaseLost("no heartbeat") from error

    async def tick(self) -> None:
        """Keep the lease; end what ran out; read what was written without waking us."""
        now = self.clock.now()
        if now >= self.beaten_at + HEARTBEAT:
            if await self.db(jobs.hold, LEASE, self.rows.owner, LEASE_SECONDS) != self.rows.fence:
                raise LeaseLost(self.rows.owner)
            self.beaten_at, self.lease_until = now, now + timedelta(seconds=LEASE_SECONDS)
        for call_id, since in list(self.in_flight.items()):
            if now >= since + IN_FLIGHT_AT_MOST:  # the event that would have told was lost
                self.in_flight.pop(call_id, None)
        if self.stage:
            self.stage.look()
        await self.db(self.rows.expire_wrap_ups, now)
        for connection in await self.db(self.rows.overdue_rings, now):
            if connection not in self.withdrawing:
                self.withdrawing.add(connection)
                self._spawn(self.withdraw(connection))
        for route in await self.db(self.rows.unrouted, now):
            self._spawn(self.route(route))
        await self.sync_seats()
        self.woken.set()

    async def sync_seats(self) -> None:
        """The PBX knows the phones of everybody who is signed in, and no others."""
        seats = await self.db(self.rows.seats, self.clock.now())
        for device in self.online - set(seats):
            if await self.try_ask(self.switch.unregister(device), "unregister"):
                self.online.discard(device)
        for device, agent in seats.items():
            if device not in self.online and await self.try_ask(self.switch.register(device, agent=agent), "register"):
                self.online.add(device)

    # --- commands of people ------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self.woken.wait()
            self.woken.clear()
            try:
                await self.work()
            except DatabaseError as error:
                log.error("commands wait for the database", error=type(error).__name__)

    async def work(self) -> None:
        """Take the commands that were written and carry them out; then see who is free now."""
        has_moved = False
        for wish in await self.db(self.rows.take_commands, self.clock.now()):
            if wish.name in CALL_COMMANDS:
                self._spawn(self.carry_out(wish))
            elif wish.name in DEMO_COMMANDS:
                await self._play(wish)
            else:
                await self.db(self.rows.carry_out_state, wish, self.clock.now())
                has_moved = True
        if has_moved:
            await self.sync_seats()
        await self.distribute()

    async def carry_out(self, wish: Wish) -> None:
        """One click on the phone bar: asked of the switch; its effect comes back as an event."""
        state, code, reason = Command.DONE, "", ""
        try:
            await (self._dial(wish) if wish.name == "dial" else self._click(wish))
        except SwitchRefused as refused:
            state, code, reason = Command.REFUSED, str(refused.code), refused.reason
        except TransitionRefused as refused:
            state, code = Command.REFUSED, refused.code
        except PbxSilent:
            state, code = Command.SILENT, "pbx_silent"
        await self.db(self.rows.finish, wish.id, state, code, reason, self.clock.now())

    async def _click(self, wish: Wish) -> None:
        connection = wish.connection
        if wish.name == "answer":
            await self.ask(self.switch.answer(connection))
        elif wish.name == "hang_up":
            cause = Cause.rejected if wish.is_offer else Cause.normal
            await self.ask(self.switch.clear_connection(connection, cause))
        elif wish.name == "hold":
            await self.ask(self.switch.hold(connection))
        elif wish.name == "retrieve":
            await self.ask(self.switch.retrieve(connection))
        else:
            await self.ask(self.switch.mute(connection, wish.name == "mute"))

    async def _dial(self, wish: Wish) -> None:
        call_id = wish.params["call_id"]
        change = await self.db(self.rows.begin_dialling, wish, self.clock.now())
        customer = wish.params.get("customer")
        self.hints[call_id] = {"ticket_ref": wish.params.get("ticket"), "customer_id": customer}
        try:
            await self.ask(self.switch.make_call(wish.device, dialled_number(wish.params), call_id))
        except (SwitchRefused, PbxSilent):
            self.hints.pop(call_id, None)
            await self.db(self.rows.put_back, change, self.clock.now())
            raise

    async def _play(self, wish: Wish) -> None:
        state, code, reason = Command.DONE, "", ""
        if self.stage is None:
            state, code = Command.REFUSED, "not_a_simulator"
        else:
            given = await self.db(scenarios.numbers)
            try:
                if wish.name == "demo_call":
                    self.stage.call(wish.params["what"], given)
                elif wish.params.get("scenario"):
                    self.stage.start(wish.params["scenario"], given)
                else:
                    self.stage.stop()
            except (ScenarioError, KeyError) as error:
                state, code, reason = Command.REFUSED, "bad_scenario", str(error)
        await self.db(self.rows.finish, wish.id, state, code, reason, self.clock.now())

    async def play_by_itself(self, name: str) -> None:
        """What the installation shows to a newcomer without being asked."""
        if self.stage is None or not name:
            return
        try:
            self.stage.start(name, await self.db(scenarios.numbers))
        except ScenarioError as error:
            log.error("the scenario cannot be played", reason=str(error))
