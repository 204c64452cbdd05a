from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from web.common import live
from web.config import checks
from web.config.env import SetupRefused

ANSWER_WITHIN = 2  # seconds requests get to finish after SIGTERM
END_WITHIN = 4.5  # seconds after which the process ends whatever hangs: all that matters is in database rows


class Server(uvicorn.Server):
    """uvicorn that says when it is ready, and hands SIGTERM back to the command instead of dying of it."""

    def __init__(self, config: uvicorn.Config, *, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.when_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        def end(*_: Any) -> None:
            self.should_exit = True
            last = threading.Timer(END_WITHIN, os._exit, (0,))
            last.daemon = True
            last.start()

        before = {sign: signal.signal(sign, end) for sign in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SetupRefused(f"PORT is {text!r}; it is a number from 1 to 65535")
    return int(text)


def listening(host: str, port: int) -> socket.socket:
    """A bound socket. Raises SetupRefused when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise SetupRefused(f"cannot listen on {host}:{port} ({error}); set HOST and PORT") from None
    return listener


class Workers:
    """Celery worker, beat and telephony as threads of this process: the embedded default."""

    def __init__(self, host: str, port: int) -> None:
        self._endings: list[Callable[[], Any]] = []
        self._own_address = f"http://{host}:{port}"

    def start(self) -> None:
        from celery.beat import EmbeddedService
        from celery.worker import WorkController

        from web.config.celery import app
        from web.telephony import runner

        app.finalize(auto=True)
        worker = WorkController(
            app=app,
            pool_cls="threads",
            concurrency=settings.CELERY_WORKER_THREADS,
            hostname="embedded@localhost",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            loglevel="WARNING",
        )
        threading.Thread(target=worker.start, name="celery-worker", daemon=True).start()
        beat = EmbeddedService(app, thread=True, scheduler_cls=settings.CELERY_BEAT_SCHEDULER, max_interval=1)
        beat.daemon = True
        beat.start()
        telephony = runner.start_in_thread()
        self._endings = [beat.stop, telephony.stop, worker.stop]
        if settings.DEMO and not settings.SMS_URL:
            self._pretend_sms()
        if settings.DEMO and not settings.PAYMENT_URL:
            self._pretend_payments()

    def _pretend_sms(self) -> None:
        """Among invented people messages go to a pretended provider in this process, over real HTTP, and receipts come back."""
        from integrations.fakes.sms_provider import Provider

        provider = Provider(("127.0.0.1", 0), secret=secrets.token_hex(16)).start()
        settings.SMS_URL, settings.SMS_SECRET = provider.url, provider.secret
        settings.SMS_CALLBACK = f"{self._own_address}/api/hooks/sms"
        self._endings.append(provider.stop)

    def _pretend_payments(self) -> None:
        """The same for money: invented customers pay by themselves after a while, or on the page the link leads to."""
        from integrations.fakes.payment_provider import Provider

        after = settings.PAYMENT_DEMO_PAYS if settings.PAYMENT_DEMO_PAYS >= 0 else None
        provider = Provider(("127.0.0.1", 0), secret=secrets.token_hex(16), refund_after=2, auto_pay=after).start()
        settings.PAYMENT_URL, settings.PAYMENT_SECRET = provider.url, provider.secret
        settings.PAYMENT_CALLBACK = f"{self._own_address}/api/hooks/payment"
        self._endings.append(provider.stop)

    def stop(self, seconds: float) -> None:
        """Ask each to end, all at once, and wait that long at most."""
        threads = [threading.Thread(target=self._end, args=(ending,), daemon=True) for ending in self._endings]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds / len(threads))

    @staticmethod
    def _end(ending: Callable[[], Any]) -> None:
        with suppress(Exception):  # the process ends anyway
            ending()


class Command(BaseCommand):
    help = "Serve everything in the foreground: HTTP, WebSockets and, without a broker, worker, beat and telephony."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000")

    def handle(self, *args: Any, host: str, port: str, **options: Any) -> None:
        checks.may_start()
        listener = listening(host, port_number(port))
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise SetupRefused("the database is not up to date: run `python3 manage.py migrate`")
        connection.close()

        from web.config.server import application

        workers = Workers(host, port) if settings.EMBEDDED else None
        config = uvicorn.Config(
            application,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # RealAddress decides whom to believe
            server_header=False,
            date_header=not settings.CLOCK_FILE,  # else security.TrialTime says it
            timeout_graceful_shutdown=ANSWER_WITHIN,
        )

        def ready() -> None:
            live.bind_loop()
            if workers:  # in a thread of their own: their start talks to the database, this is the server's event loop
                threading.Thread(target=workers.start, name="workers", daemon=True).start()
            name = f"[{host}]" if ":" in host else host
            beside = "" if workers else "  (worker, beat and telephony run beside this process)"
            self.stdout.write(f"Zuoxi 坐席: http://{name}:{port}/{beside}")
            self.stdout.flush()

        try:
            Server(config, when_ready=ready).run(sockets=[listener])
        finally:
            if workers:
                workers.stop(END_WITHIN - ANSWER_WITHIN - 0.5)
        os._exit(0)  # a request that outlived its time must not keep the process
