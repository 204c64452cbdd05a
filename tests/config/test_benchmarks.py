"""make bench prints one JSON object a line, whatever happens to a measurement."""

from __future__ import annotations

import json
from typing import Any

import pytest

import benchmarks
from benchmarks import __main__ as runner


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(benchmarks, "FIGURES", made := {})
    monkeypatch.setattr(runner, "FIGURES", made)
    monkeypatch.setattr(runner, "collect", lambda: None)
    monkeypatch.setenv("ZUOXI_DATA", "restored afterwards")
    monkeypatch.setenv("SQLITE_SYNCHRONOUS", "FULL")
    common = {"unit": "ms", "better": "lower", "method": "median of 5"}

    @benchmarks.figure("engine.step_ms", must=3.0, aim=1.5, **common)
    def step() -> float:
        return 1.25

    @benchmarks.figure("web.list_ms", **common)
    def lists() -> dict[str, float]:
        return {"inbox": 4.0, "naive": 9.0}

    @benchmarks.figure("web.broken_ms", **common)
    def broken() -> float:
        raise RuntimeError("no server")

    return made


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_figure_is_a_line_with_everything_a_reader_needs(figures: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["engine."]) == 0
    assert printed(capsys) == [
        {"figure": "engine.step_ms", "value": 1.25, "unit": "ms", "must": 3.0, "aim": 1.5, "better": "lower",
         "method": "median of 5"}
    ]  # fmt: skip


def test_one_measurement_may_give_several_figures(figures: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["web.list"]) == 0
    assert {line["figure"]: line["value"] for line in printed(capsys)} == {
        "web.list_ms.inbox": 4.0,
        "web.list_ms.naive": 9.0,
    }


def test_a_measurement_that_breaks_says_why_and_the_others_go_on(
    figures: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main([]) == 1
    lines = {line["figure"]: line for line in printed(capsys)}
    assert (lines["web.broken_ms"]["value"], lines["web.broken_ms"]["error"]) == (None, "RuntimeError: no server")
    assert lines["engine.step_ms"]["value"] == 1.25


def test_a_prefix_of_nothing_and_a_name_twice_are_refused(figures: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["cti."]) == 1
    assert "no figure begins with cti." in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"engine\.step_ms"):
        benchmarks.figure("engine.step_ms", unit="ms", better="lower", method="again")(lambda: 1)
