"""Every distinct ORM statement of a test run, compiled again for Oracle when the run ends.

Each process of the run keeps the Query of each SQL text it sees for the first time, and compiles them for both
versions at its end; the main process parses what is distinct over all. A statement Oracle would refuse fails the run.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = (str(ROOT / "web"), str(ROOT / "reports"))

_running: ContextVar[Any] = ContextVar("running", default=None)


@dataclass
class Statement:
    query: Any
    returning: Any
    where: str


def _caller() -> str:
    """The two innermost lines of the product that asked (one may be a helper such as paging), else the test."""
    frame, places = sys._getframe(2), []
    while frame and len(places) < 2:
        name = frame.f_code.co_filename
        if name.startswith(PRODUCT):
            places.append(f"{Path(name).relative_to(ROOT)}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(places) or os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]


def unseen(rooms: set[str]) -> set[str]:
    """Rooms of the product with tables of which none of these statements speaks."""
    from django.apps import apps

    return {model._meta.app_label for model in apps.get_models() if model.__module__.startswith("web.")} - rooms


class Recorder:
    """A pytest plugin; `report` is [(place, statement, problem)] over all processes once the run has ended."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.is_worker = hasattr(config, "workerinput")
        self.seen: set[str] = set()
        self.rooms: set[str] = set()
        self.statements: list[Statement] = []
        self.compiled: list[tuple[str, str, str, str]] = []  # version, place, statement, problem
        self.problems: list[str] = []
        self.count = 0
        self._patch()

    def _patch(self) -> None:
        from django.db.backends.utils import CursorWrapper
        from django.db.models.sql.compiler import SQLCompiler, SQLInsertCompiler

        for compiler in (SQLCompiler, SQLInsertCompiler):
            compiler.execute_sql = self._remembering(compiler.execute_sql)
        execute = CursorWrapper.execute

        def noting(cursor: Any, statement: str, params: Any = None) -> Any:
            running = _running.get()
            if running is not None and statement not in self.seen and running.connection.vendor != "oracle":
                self.seen.add(statement)
                query = running.query.clone()
                self.rooms.add(query.model._meta.app_label)
                self.statements.append(Statement(query, getattr(running, "returning_fields", None), _caller()))
            return execute(cursor, statement, params)

        CursorWrapper.execute = noting

    @staticmethod
    def _remembering(execute_sql: Any) -> Any:
        def execute(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            token = _running.set(compiler)
            try:
                return execute_sql(compiler, *args, **kwargs)
            finally:
                _running.reset(token)

        return execute

    def compile(self) -> list[tuple[str, str, str, str]]:
        from tests.support import oracle

        made: dict[tuple[str, str, str], str] = {}
        statements, self.statements = self.statements, []
        for version in oracle.VERSIONS:
            with oracle.offline_oracle(version) as connection:
                for statement in statements:
                    connection.lob_notes.clear()
                    try:
                        texts = oracle.compiled(connection, statement.query, returning=statement.returning)
                    except Exception as error:  # the backend's own refusal is what we are after
                        model = statement.query.model.__name__
                        made[version, model, f"{type(error).__name__}: {error}"] = statement.where
                        continue
                    for text in texts:
                        made.setdefault((version, text, "; ".join(connection.lob_notes)), statement.where)
        return [(version, where, text, problem) for (version, text, problem), where in made.items()]

    def judge(self) -> None:
        from tests.support import oracle

        distinct = {}
        for version, where, text, problem in self.compiled:
            distinct.setdefault((version, text), (where, problem))
        for (version, text), (where, problem) in distinct.items():
            found = [problem] if problem else [*filter(None, [oracle.parse_problem(text)])]
            found += oracle.refusals(text, version)
            self.problems += [f"{where} ({version}): {reason[:200]}: {text[:160]}" for reason in found]
        self.count = len({text for _, text in distinct})
        if self._is_whole():
            self.problems += [f"no statement of {room} was executed by any test" for room in sorted(unseen(self.rooms))]

    def _is_whole(self) -> bool:
        """Every test was asked for: then each room must have shown its statements."""
        option = self.config.option
        everything = self.config.args_source is pytest.Config.ArgsSource.TESTPATHS
        return (
            everything and option.stack == "embedded" and not (option.keyword or option.markexpr or option.collectonly)
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.compiled += self.compile()
        if self.is_worker:
            self.config.workeroutput["oracle"] = self.compiled
            self.config.workeroutput["oracle_rooms"] = sorted(self.rooms)
            return
        self.judge()
        if self.problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        told = getattr(node, "workeroutput", {})
        self.compiled += [tuple(entry) for entry in told.get("oracle", [])]
        self.rooms |= set(told.get("oracle_rooms", []))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.count:
            line = f"Oracle: {self.count} distinct statements of this run ({len(self.rooms)} rooms) compiled for 19c and 23ai"
            terminalreporter.write_line(f"{line}, {len(self.problems)} refused", red=bool(self.problems))
        for problem in self.problems[:40]:
            terminalreporter.write_line(f"  {problem}", red=True)
