"""The list of requirement rows, and which of them a test proves."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.architecture.house import ROOT
from tests.conftest import complaint
from web.config.management.commands.requirements import catalogue, marks

AREAS = {f"K{number:02}" for number in range(1, 17)}


def test_every_row_has_a_title_an_area_and_its_id_once() -> None:
    with (ROOT / "docs/requirements.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["id"] for row in rows}) == len(rows) == 406
    assert [row["id"] for row in rows if not re.fullmatch(r"[APSMWX]-\d{2,3}(\.\d{2})?", row["id"])] == []
    assert [row["id"] for row in rows if not 2 <= len(row["title"]) <= 80 or row["area"] not in AREAS] == []
    first = {letter: sum(row["id"].startswith(letter) and "." not in row["id"] for row in rows) for letter in "APSMWX"}
    assert first == {"A": 101, "P": 33, "S": 69, "M": 33, "W": 102, "X": 30}


def test_marks_are_found_on_tests_classes_and_modules(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "import pytest\n"
        'pytestmark = [pytest.mark.req("X-01"), pytest.mark.browser]\n'
        '@pytest.mark.req("A-50", "S-07")\n'
        "def test_one(): ...\n"
        '@pytest.mark.req("X-05")\n'
        "class TestMany: ...\n"
        '# pytest.mark.req("W-01") in a comment proves nothing\n'
    )
    found = {row for row, _ in marks(tmp_path)}
    assert found == {"X-01", "A-50", "S-07", "X-05"}


def test_marks_of_this_suite_name_rows_that_exist() -> None:
    rows = catalogue(ROOT / "docs/requirements.csv")
    assert {row for row, _ in marks(ROOT / "tests")} <= rows.keys()


def test_make_requirements_prints_proven_of_all_per_area() -> None:
    out = io.StringIO()
    call_command("requirements", stdout=out)
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == [*sorted(AREAS), "all"]
    totals = [int(line.split("/")[1]) for line in lines]
    assert sum(totals[:-1]) == totals[-1] == 406


def test_an_area_is_listed_with_its_proofs() -> None:
    out = io.StringIO()
    call_command("requirements", "X-20", stdout=out)
    assert "x X-20" in out.getvalue()
    assert "tests/config/test_health.py::test_a_ready_installation_answers_200" in out.getvalue()


@pytest.mark.parametrize(
    "rows, fine",
    [(("A-01",), True), (("A-01", "A-02", "A-03"), True), (("A-999",), False), ((), False), (("A-01",) * 4, False)],
)
def test_a_mark_of_no_row_or_too_many_is_refused(rows: tuple[str, ...], fine: bool) -> None:
    known = set(catalogue(ROOT / "docs/requirements.csv"))
    assert (complaint(rows, known) == "") is fine
