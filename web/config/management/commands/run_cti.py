from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from web.config import checks
from web.telephony.runner import Runner


class Command(BaseCommand):
    help = "Act on the PBX in the foreground (full stack). A second one waits until the first is gone."

    def handle(self, *args: Any, **options: Any) -> None:
        checks.may_start()
        asyncio.run(self._run())

    async def _run(self) -> None:
        runner = Runner(scenario=settings.SCENARIO)
        runner.stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, runner.stopping.set)
        try:
            await runner.run()
        finally:
            runner._end_executor()
