"""PostgreSQL, Redis and the product itself as processes of a test: private ports, temporary folders, no leftovers."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Missing(Exception):
    """A program this test needs is not on this machine; says which and how to get it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _unprivileged(*names: str) -> dict[str, Any]:
    """Popen arguments that give up root: database servers refuse to run as root, and need not."""
    if os.geteuid() != 0:
        return {}
    for name in (*names, "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return {}


def _owned(folder: Path, who: dict[str, Any]) -> Path:
    if who:
        os.chown(folder, who["user"], who["group"])
    return folder


def wait_until(condition: Callable[[], Any], *, seconds: float = 30, what: str = "it", pause: float = 0.1) -> Any:
    """The first true value of condition; AssertionError naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(pause)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def stop(process: subprocess.Popen, *, how: int = signal.SIGTERM, seconds: float = 10) -> int:
    """End a process this test started; its exit code."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    return process.returncode


@dataclass
class Server:
    """A running server: `url` to reach it; stop() and start() for tests of bad days."""

    url: str
    port: int
    command: list[str]
    who: dict[str, Any]
    folder: Path
    stop_signal: int = signal.SIGTERM
    process: subprocess.Popen | None = None
    ready: Callable[[], bool] = field(default=lambda: True)

    def start(self) -> Server:
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.who
        )
        log.close()

        def up() -> bool:
            if self.process and self.process.poll() is not None:
                text = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"{self.command[0]} ended at once: {text}")
            return accepts(self.port) and self.ready()

        wait_until(up, what=f"{Path(self.command[0]).name} on port {self.port}")
        return self

    def stop(self) -> None:
        if self.process:
            stop(self.process, how=self.stop_signal)


def _program(name: str, package: str, *folders: str) -> str:
    for folder in folders:
        for path in sorted(Path("/").glob(folder.lstrip("/")), reverse=True):
            if (path / name).exists():
                return str(path / name)
    found = shutil.which(name)
    if not found:
        raise Missing(f"{name} is not installed (Debian: apt-get install {package})")
    return found


@contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    """A PostgreSQL server with a superuser `zuoxi` and a database of that name. Raises Missing."""
    debian = "/usr/lib/postgresql/*/bin"
    initdb, program = _program("initdb", "postgresql", debian), _program("postgres", "postgresql", debian)
    who = _unprivileged("postgres")
    data = _owned(folder, who) / "data"
    common = {"cwd": folder, "check": True, "capture_output": True, "text": True, **who}
    subprocess.run(
        [initdb, "-D", str(data), "-U", "zuoxi", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
        **common,
    )
    port = free_port()
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), "fsync": "off"}
    settings |= {"full_page_writes": "off", "synchronous_commit": "off", "max_connections": "60"}
    command = [program, "-D", str(data), "-p", str(port)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]

    def ready() -> bool:
        import psycopg

        try:
            psycopg.connect(f"postgresql://zuoxi@127.0.0.1:{port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
    server = Server(f"postgres://zuoxi@127.0.0.1:{port}/zuoxi", port, command, who, folder, signal.SIGINT, ready=ready)
    server.start()
    try:
        import psycopg

        with psycopg.connect(f"postgresql://zuoxi@127.0.0.1:{port}/postgres", autocommit=True) as link:
            link.execute("CREATE DATABASE zuoxi")
        yield server
    finally:
        server.stop()


@contextmanager
def redis(folder: Path) -> Iterator[Server]:
    """A Redis server with persistence off. Raises Missing."""
    program = _program("redis-server", "redis-server")
    who = _unprivileged("redis")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    command += ["--dir", str(_owned(folder, who))]
    server = Server(f"redis://127.0.0.1:{port}/0", port, command, who, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def product_environment(data: Path, **more: str) -> dict[str, str]:
    """The environment of a product process with a data folder of its own, free of what pytest left in ours."""
    ours = {"PYTEST_VERSION", "PYTEST_CURRENT_TEST", "DJANGO_ALLOW_ASYNC_UNSAFE", "DATABASE_URL", "REDIS_URL"}
    kept = {key: value for key, value in os.environ.items() if key not in ours and not key.startswith("ZUOXI_")}
    return {**kept, "ZUOXI_ENV": "development", "ZUOXI_DATA": str(data), "PYTHONUNBUFFERED": "1", **more}


def manage(
    *arguments: str, env: dict[str, str], check: bool = True, timeout: float = 120
) -> subprocess.CompletedProcess:
    """`manage.py …` as a person would call it."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout
    )
    if check and done.returncode:
        raise AssertionError(f"manage.py {' '.join(arguments)}: {done.stdout[-1500:]}{done.stderr[-3000:]}")
    return done


@dataclass
class Product:
    """The product running as `make run` runs it, on a data folder of its own."""

    url: str
    port: int
    data: Path
    env: dict[str, str]
    process: subprocess.Popen | None = None

    def start(self, *, ready: bool = True) -> Product:
        log = (self.data / "product.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "run_all"],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        if ready:
            wait_until(self.healthy, seconds=60, what="the product's readiness", pause=0.2)
        return self

    def healthy(self) -> bool:
        if self.process and self.process.poll() is not None:
            raise AssertionError(f"the product ended with {self.process.returncode}: {self.log()[-3000:]}")
        try:
            return urllib.request.urlopen(f"{self.url}/healthz", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def log(self) -> str:
        return (self.data / "product.log").read_text(errors="replace")

    def stop(self, how: int = signal.SIGTERM) -> int:
        return stop(self.process, how=how) if self.process else 0

    @property
    def demo(self) -> dict[str, Any]:
        """{"password": …, "accounts": [{"number", "role", "extension"}, …]} of this very installation."""
        return json.loads((self.data / "demo").read_text())

    def forward(self, **span: float) -> None:
        """Turn the product's clock: forward(hours=5). Needs ZUOXI_CLOCK, as `product` gives it."""
        file = Path(self.env["ZUOXI_CLOCK"])
        ahead = float(file.read_text()) if file.exists() else 0.0
        file.write_text(str(ahead + timedelta(**span).total_seconds()))

    def account(self, role: str) -> dict[str, Any]:
        return next(entry for entry in self.demo["accounts"] if entry["role"] == role)


def _once_a_machine(made: Path, sources: list[Path], build: Callable[[], Any]) -> None:
    """A file that costs seconds to make: made once for each state of its sources, and copied from then on."""
    state = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"zuoxi-{os.getuid()}-{state}-{made.name}"
    if kept.exists():
        shutil.copy(kept, made)
        return
    build()
    draft = kept.with_suffix(f".{os.getpid()}")
    shutil.copy(made, draft)
    draft.replace(kept)


def install(env: dict[str, str]) -> None:
    """Tables and the table of areas in the data folder of env, as `make run` would make them."""
    data, lock = Path(env["ZUOXI_DATA"]), ROOT / "requirements/run.lock"
    migrations = sorted((ROOT / "web").glob("*/migrations/*.py"))
    _once_a_machine(data / "zuoxi.sqlite3", [*migrations, lock], lambda: manage("migrate", "-v", "0", env=env))
    areas = [ROOT / "web/customers/numbers.py", lock]
    _once_a_machine(data / "areas.json", areas, lambda: manage("build_areas", env=env))


@contextmanager
def product(data: Path, *, demo: bool = True, **environment: str) -> Iterator[Product]:
    """A fresh installation: migrated, demo people, flows deployed, running. Quiet unless SCENARIO is given."""
    port = free_port()
    more = {"HOST": "127.0.0.1", "PORT": str(port), "SCENARIO": "", "LOG_LEVEL": "WARNING"}
    more |= {"PAYMENT_DEMO_PAYS": "4", "ZUOXI_CLOCK": str(data / "clock"), **environment}
    env = product_environment(data, **more)
    install(env)
    if demo:
        manage("demo", env=env)
        manage("flows", "deploy", env=env)
    running = Product(f"http://127.0.0.1:{port}", port, data, env)
    try:
        yield running.start()
    finally:
        running.stop()


@dataclass
class FullStack:
    """The processes of docker-compose.yml by their service's name, on one PostgreSQL and one Redis."""

    data: Path
    env: dict[str, str]
    api: int
    live: int
    processes: dict[str, subprocess.Popen]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api}"

    @property
    def live_url(self) -> str:
        return f"http://127.0.0.1:{self.live}"

    def logs(self) -> str:
        return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-1500:]}" for file in self.data.glob("*.log"))


@contextmanager
def full_stack(data: Path, database: Server, broker: Server, name: str, **more: str) -> Iterator[FullStack]:
    """Everything of docker-compose.yml but nginx, with demo people and all flows, on a database and a Redis number of its own."""
    import psycopg

    numbers = {"full": 5, "journey": 6}
    with psycopg.connect(database.url.replace("postgres://", "postgresql://"), autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    env = product_environment(
        data,
        DATABASE_URL=database.url.removesuffix("/zuoxi") + f"/{name}",
        REDIS_URL=broker.url.removesuffix("/0") + f"/{numbers[name]}",
        SCENARIO="",
        LOG_LEVEL="WARNING",
        ZUOXI_CLOCK=str(data / "clock"),
        **more,
    )
    manage("migrate", "-v", "0", env=env, timeout=240)
    manage("build_areas", "--if-missing", env=env)
    manage("demo", env=env)
    manage("flows", "deploy", env=env)
    api, live, programs = free_port(), free_port(), Path(sys.executable).parent
    celery = [f"{programs}/celery", "-A", "web.config"]
    commands = {
        "api": [f"{programs}/granian", "--interface", "wsgi", "--port", str(api), "--workers", "1", "--blocking-threads", "4",
                "web.config.wsgi:application"],
        "live": [f"{programs}/uvicorn", "web.config.asgi:application", "--port", str(live), "--lifespan", "off"],
        "worker": [*celery, "worker", "-P", "threads", "-c", "2", "-l", "WARNING"],
        "beat": [*celery, "beat", "-l", "WARNING"],
        "cti": [sys.executable, "manage.py", "run_cti"],
    }  # fmt: skip
    processes: dict[str, subprocess.Popen] = {}
    try:
        for service, command in commands.items():
            with (data / f"{service}.log").open("wb") as log:
                processes[service] = subprocess.Popen(
                    command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
        yield FullStack(data, env, api, live, processes)
    finally:
        for process in processes.values():
            stop(process)
