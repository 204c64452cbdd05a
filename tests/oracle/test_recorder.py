"""The run itself is the list of statements: what a test executes is compiled for Oracle, and refused in its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.recorder import unseen
from tests.support.servers import ROOT

TESTS = """
import pytest
from web.jobs.models import Incident, Job

pytestmark = pytest.mark.django_db

def test_fine():
    job = Job.objects.create(topic="timer")
    Job.objects.filter(pk=job.pk).update(state="done")
    assert Job.objects.filter(state="done").exists()

def test_works_here_but_not_on_oracle():
    assert list(Incident.objects.filter(cause="x").distinct()) == []
"""


def test_a_statement_oracle_refuses_fails_a_run_whose_tests_pass(tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:xdist", "-c", "pyproject.toml"]
    command += ["--no-migrations", "--rootdir", ".", str(tmp_path / "test_planted.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert "2 passed" in done.stdout
    assert done.returncode == 1
    assert "test_works_here_but_not_on_oracle (19c): DISTINCT over LOB" in done.stdout
    assert "::test_fine (" not in done.stdout


def test_a_room_whose_tables_no_test_reads_or_writes_is_named() -> None:
    """Else a whole room could stay uncompiled while the run is green."""
    rooms = {"appointments", "clinics", "membership", "orders", "payments", "tickets", "workflow", "jobs", "customers"}
    assert not unseen(set()) & {"auth", "sessions", "axes"}
    assert rooms <= unseen(set())
    assert unseen(set()) - unseen({"orders"}) == {"orders"}
