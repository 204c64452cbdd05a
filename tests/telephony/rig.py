"""The CTI process in the test's own event loop: the simulator and the product share one clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from cti.clock import HandClock, settle
from cti.drivers.simulator import Caller, SimulatorSwitch
from tests.calls.cast import HOTLINE, LI
from tests.support.clock import MONDAY_MORNING
from web.agents.models import AgentProfile
from web.calls.models import Call, Command
from web.common import clock as product_clock
from web.telephony.runner import Runner


async def inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """The database thread of a test is the test's own, so that its transaction can be rolled back.

    Django keeps one connection per thread outside of event loops; for the time of the call this one is not running.
    """
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return function(*arguments)
    finally:
        asyncio._set_running_loop(loop)


class Rig:
    """Time passes, and the process acts, only inside `forward` and what calls it."""

    def __init__(self, *, clock: HandClock | None = None, switch: SimulatorSwitch | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = clock or HandClock(MONDAY_MORNING)
        product_clock.use(self.clock.now)
        self.switch = switch or SimulatorSwitch(clock=self.clock)
        self.others: list[Runner] = []
        self.tasks: dict[Runner, asyncio.Task] = {}
        self.runner = self.start()

    def start(self, switch: SimulatorSwitch | None = None) -> Runner:
        """Start a CTI process; the first one gets this rig's switch."""
        runner = Runner(switch=switch or self.switch, clock=self.clock, db=inline)
        self.tasks[runner] = self.loop.create_task(runner.run())
        self.forward(0)
        return runner

    def now(self) -> datetime:
        return self.clock.now()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the loop do this and what follows from it."""
        answer = self.loop.run_until_complete(work)
        self.forward(0)
        return answer

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a plain function inside the loop, as the world outside does."""

        async def inside() -> Any:
            return function(*arguments)

        return self.run(inside())

    def stop(self, runner: Runner) -> None:
        """End a process in good order."""
        runner.stopping.set()
        self.forward(0)
        self.loop.run_until_complete(asyncio.wait_for(self.tasks.pop(runner), 5))

    def kill(self, runner: Runner) -> None:
        """End a process as kill -9 does: nothing is said, nothing is given back. Its PBX forgets its calls with it."""
        task = self.tasks.pop(runner)
        doomed = [task, *(runner.centre.tasks if runner.centre else ())]
        runner.db = _dead
        if runner.centre:
            runner.centre.db = _dead
        for one in doomed:
            one.cancel()
        self.loop.run_until_complete(asyncio.gather(*doomed, return_exceptions=True))

    def close(self) -> None:
        for runner in list(self.tasks):
            self.stop(runner)
        self.loop.close()
        product_clock.use(product_clock.system_now)

    def forward(self, seconds: float = 1) -> None:
        """Turn the clock in steps, letting everything that was woken come to its end between them."""
        self.loop.run_until_complete(self._forward(seconds))

    async def _forward(self, seconds: float) -> None:
        await settle(60)
        while seconds > 0:
            step = min(seconds, 0.5)
            await self.clock.forward(step)
            await settle(60)
            seconds -= step

    def rings(self, calling: str = LI, called: str = HOTLINE, **caller: Any) -> Call:
        """Somebody calls; the row after the next moment."""
        call_id = self.call(self.switch.customer_calls, calling, called, Caller(**caller))
        return Call.objects.get(call_id=call_id)

    def hangs_up(self, call: Call) -> None:
        """The party outside puts the phone down."""
        self.call(self.switch.customer_hangs_up, call.call_id)

    def does(self, wish: Callable[..., Command], *arguments: Any, **details: Any) -> Command:
        """Ask by the API's service, let it happen, give the command's row as it is then."""
        command = wish(*arguments, **details)
        self.call(self.runner.wake)
        command.refresh_from_db()
        return command


async def _dead(*_: Any) -> Any:
    raise asyncio.CancelledError


def state_of(agent: AgentProfile) -> str:
    agent.refresh_from_db()
    return agent.state
