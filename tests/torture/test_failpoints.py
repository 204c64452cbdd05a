"""The process is killed at each failpoint; after a restart everything is done exactly once (RELIABILITY F1, F2, F14)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# (failpoint, how often it is passed before it kills)
POINTS = [
    ("before_step", 0),
    ("after_step", 0),
    ("before_commit", 0),
    ("after_commit", 0),
    ("after_claim", 0),
    ("before_step", 1),
    ("after_step", 1),
    ("before_commit", 1),
    ("after_commit", 1),
    ("before_effect", 0),
    ("after_effect", 0),
]


def run(folder: Path, act: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FAILPOINT", "PYTEST"))}
    clean |= {"ZUOXI_DATA": str(folder), "ZUOXI_ENV": "test", "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-m", "tests.torture.centre", act]
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def centre(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("centre")
    done = run(folder, "prepare")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.req("X-04", "X-14")
@pytest.mark.parametrize("name, skip", POINTS)
def test_killed_there_and_started_again_everything_is_done_once(centre: Path, tmp_path: Path, name, skip) -> None:
    folder = tmp_path / "data"
    shutil.copytree(centre, folder)
    killed = run(folder, "work", FAILPOINT=name, FAILPOINT_SKIP=str(skip))
    assert killed.returncode == 9, f"never came to {name}: {killed.stderr}"
    again = run(folder, "recover")
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() in ("stored", "done by 1001")
    report = json.loads(run(folder, "report").stdout)
    errand, late = report["instances"]["ticket:E"], report["instances"]["ticket:L"]
    assert (errand["status"], errand["tasks"]) == ("completed", ["do:done"])
    assert (late["status"], late["tasks"], late["fired"]) == ("running", ["after:open"], 1)
    assert errand["agrees"] and errand["gapless"] and late["agrees"] and late["gapless"]
    assert report["answers"] == [{"result": "solved"}] and report["submissions"] == 1
    assert report["effects"] == ["sent"] and len(set(report["sent"])) == 1 and len(report["sent"]) <= 2
    assert report["jobs_open"] == report["incidents"] == 0
