"""dev.py: what it says and does around the running product. Setting up itself is proven by every `make test`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.servers import ROOT, free_port


def dev(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "dev.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


class Asked(BaseHTTPRequestHandler):
    seen: list[tuple[str, str | None, dict]] = []
    answer = (200, {"running": "monday-morning"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, self.headers["X-Demo-Token"], body))
        status, content = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def product_that_listens(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Asked, "seen", [])
    monkeypatch.setattr(Asked, "answer", (200, {"running": "monday-morning"}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield str(server.server_port)
    server.shutdown()
    server.server_close()


def test_make_scenario_asks_the_running_product_with_the_token_of_its_data_folder(
    tmp_path: Path, product_that_listens: str
) -> None:
    (tmp_path / "scenario.token").write_text("secret\n")
    done = dev("scenario", "monday-morning", ZUOXI_DATA=str(tmp_path), PORT=product_that_listens)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"running": "monday-morning"}
    assert Asked.seen == [("/api/telephony/demo/scenario", "secret", {"name": "monday-morning"})]


def test_a_scenario_the_product_refuses_is_one_line(tmp_path: Path, product_that_listens: str) -> None:
    (tmp_path / "scenario.token").write_text("secret")
    Asked.answer = (404, {"code": "scenario_unknown"})
    done = dev("scenario", "tuesday", ZUOXI_DATA=str(tmp_path), PORT=product_that_listens)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ['dev.py: refused with 404: {"code": "scenario_unknown"}']


def test_without_a_token_a_name_or_a_product_it_says_what_is_missing(tmp_path: Path) -> None:
    assert "NAME=" in dev("scenario", "", ZUOXI_DATA=str(tmp_path)).stderr
    assert "no token" in dev("scenario", "monday-morning", ZUOXI_DATA=str(tmp_path)).stderr
    (tmp_path / "scenario.token").write_text("secret")
    said = dev("scenario", "monday-morning", ZUOXI_DATA=str(tmp_path), PORT=str(free_port())).stderr
    assert "is `make run` running?" in said
    assert len(said.splitlines()) == 1


@pytest.mark.req("A-01")
@pytest.mark.parametrize("port", ["abc", "0", "70000"])
def test_a_port_that_is_none_is_one_line_before_anything_is_set_up(tmp_path: Path, port: str) -> None:
    done = dev("run", PORT=port, ZUOXI_DATA=str(tmp_path / "data"))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"dev.py: PORT is {port!r}; it is a number from 1 to 65535"]
    assert not (tmp_path / "data").exists()


def test_an_occupied_port_is_one_line_before_the_other_one_s_data_are_touched(
    tmp_path: Path, product_that_listens: str
) -> None:
    done = dev("run", PORT=product_that_listens, ZUOXI_DATA=str(tmp_path / "data"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and f"127.0.0.1:{product_that_listens}" in done.stderr
    assert not (tmp_path / "data").exists()


def test_what_stands_in_the_env_file_counts_where_the_environment_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dev as module

    monkeypatch.setenv("PORT", "8001")
    for name in ("ZUOXI_DATA", "SCENARIO", "HOST"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    lines = [
        "# PORT=1",
        "PORT=9000",
        "ZUOXI_DATA=/srv/zuoxi   # the data",
        'export SCENARIO="rush"',
        "",
        "no equals sign",
    ]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    module.read_env(tmp_path / ".env")
    found = {name: os.environ.get(name) for name in ("PORT", "ZUOXI_DATA", "SCENARIO", "HOST")}
    assert found == {"PORT": "8001", "ZUOXI_DATA": "/srv/zuoxi", "SCENARIO": "rush", "HOST": None}


def test_an_unknown_command_gets_the_list(tmp_path: Path) -> None:
    done = dev("nonsense")
    assert done.returncode == 1
    assert "dev.py run" in done.stderr


def test_make_offers_every_command() -> None:
    text = (ROOT / "Makefile").read_text()
    for target in ("run", "test", "test-all", "scenario", "bench", "requirements", "lock"):
        assert target in text.split(".PHONY:")[1].splitlines()[0].split()
