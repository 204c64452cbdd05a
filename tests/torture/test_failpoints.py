"""The process is killed at each failpoint; after a restart everything is done exactly once (RELIABILITY F1, F2, F14)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

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


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[tuple[str, int], dict]:
    """What stands after a death at each point and a restart."""
    folder = tmp_path_factory.mktemp("centre")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("FAILPOINT", "PYTEST"))}
    env |= {"ZUOXI_DATA": str(folder / "data"), "ZUOXI_ENV": "test", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.torture.centre", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=env, input=json.dumps(POINTS), capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(POINTS, json.loads(done.stdout), strict=True))


@pytest.mark.req("X-04", "X-14")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[0]}-{point[1]}")
def test_killed_there_and_started_again_everything_is_done_once(reports, point) -> None:
    report = reports[point]
    assert report["killed"] == 9, "the process never came there"
    assert report["again"] == 0 and report["answer"] in ("stored", "done by 1001")
    errand, late = report["instances"]["ticket:E"], report["instances"]["ticket:L"]
    assert (errand["status"], errand["tasks"]) == ("completed", ["do:done"])
    assert (late["status"], late["tasks"], late["fired"]) == ("running", ["after:open"], 1)
    assert errand["agrees"] and errand["gapless"] and late["agrees"] and late["gapless"]
    assert report["answers"] == [{"result": "solved"}] and report["submissions"] == 1
    assert report["effects"] == ["sent"] and len(set(report["sent"])) == 1 and len(report["sent"]) <= 2
    assert report["jobs_open"] == report["incidents"] == 0


@pytest.mark.req("X-18")
@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[0]}-{point[1]}")
def test_killed_there_in_mid_call_and_started_again_no_ghost_of_the_call_is_left(reports, point) -> None:
    report = reports[point]
    assert report["killed"] == 9 and report["again"] == 0
    closed = {"is_open": False, "outcome": "answered", "ended_by": ["resync"], "agents": [["acw", 0]]}
    assert report["calls"] == [closed]
