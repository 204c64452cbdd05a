"""The simulator with a hand-turned clock, as the contract and the other tests want it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from cti.clock import HandClock, settle
from cti.drivers.simulator import FarEnd, SimulatorSwitch


class SimulatorRig:
    device_a, device_b, unknown_device = "8001", "8002", "8999"

    def __init__(self, switch_type: type[SimulatorSwitch] = SimulatorSwitch) -> None:
        self.clock = HandClock()
        self.switch = switch_type(clock=self.clock, seed=1)
        self._numbers = itertools.count(1)

    async def customer_calls(self) -> None:
        self.switch.customer_calls(f"outside-{next(self._numbers)}", "hotline")
        await settle()

    async def customer_hangs_up(self, call_id: str) -> None:
        self.switch.customer_hangs_up(call_id)
        await settle()

    async def far_end(self, behaviour: str) -> str:
        number = f"far-{next(self._numbers)}"
        self.switch.far_ends[number] = FarEnd(answer=behaviour, after=3)
        return number

    async def lose_link(self) -> None:
        self.switch.lose_link()
        await settle()

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(120):
            await settle(2)
            if condition():
                return
            await self.clock.forward(0.25)
        raise AssertionError("it did not happen within 30 s")

    async def pause(self) -> None:
        await self.clock.forward(1)

    async def close(self) -> None:
        await self.switch.close()
        await settle()
