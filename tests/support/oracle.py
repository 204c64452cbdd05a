"""Oracle on paper: Django's own Oracle backend over a stubbed driver.

It shows what the backend *would send* to a 19c or a 23ai server: the statements of every migration and of every
query, after all of the backend's own rewriting. It does not show that a server accepts them: the parser is a
smoke test of the syntax, and `refusals` and `LobLint` are the habits of Oracle we know of.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import sqlglot
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connections
from django.db.backends.oracle import base
from django.db.backends.oracle.operations import DatabaseOperations
from django.db.migrations.executor import MigrationExecutor
from django.db.models import sql
from django.db.models.expressions import Col, Func, Ref
from django.db.models.fields.json import KeyTransform
from django.db.models.query import MAX_GET_RESULTS

VERSIONS = {"19c": (19, 21, 0, 0, 0), "23ai": (23, 4, 0, 24, 5)}
LOB_TYPES = {"TextField", "JSONField", "BinaryField"}


# --- the driver that is not there ------------------------------------------------------------------------------
class _Variable:
    def getvalue(self, position: int = 0) -> list[int]:
        return [1]


class _Cursor:
    arraysize = 100
    rowcount = 0
    description = (("C", str, None, None, None, None, True),)

    def __init__(self, sent: list[str]) -> None:
        self.sent, self.last = sent, ""

    def execute(self, statement: str, params: Any = None) -> _Cursor:
        self.last = statement
        self.sent.append(statement)
        return self

    def executemany(self, statement: str, rows: Any) -> None:
        self.sent.append(statement)

    def fetchone(self) -> tuple[int] | None:
        # The schema editor asks the catalogue how many identity columns or sequences there are: none.
        return (0,) if re.search(r"COUNT\(|CASE WHEN identity", self.last, re.I) else None

    def fetchmany(self, size: int = 0) -> list:
        return []

    def fetchall(self) -> list:
        return []

    def var(self, *types: Any, **options: Any) -> _Variable:
        return _Variable()

    def setinputsizes(self, *sizes: Any, **named: Any) -> None: ...

    def close(self) -> None: ...


class _Driver:
    autocommit = False
    stmtcachesize = 20

    def __init__(self, sent: list[str]) -> None:
        self.sent = sent

    def cursor(self) -> _Cursor:
        return _Cursor(self.sent)

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...

    def ping(self) -> None: ...


# --- what a server refuses although it compiles ----------------------------------------------------------------
def _is_lob(expression: Any) -> bool:
    """A column kept as NCLOB or BLOB, or a function's result that is one."""
    if isinstance(expression, Ref):
        return _is_lob(expression.source)
    if isinstance(expression, KeyTransform):
        return False  # JSON_VALUE gives VARCHAR2
    if isinstance(expression, Col | Func):
        return getattr(expression.output_field, "get_internal_type", str)() in LOB_TYPES
    return False


class LobLint:
    """DISTINCT, GROUP BY, ORDER BY and UNION over LOB columns: ORA-00932 and ORA-22848 on a server."""

    def _note(self, clause: str, expressions: Any) -> None:
        for expression in expressions:
            with suppress(Exception):  # an output field that cannot be told is no LOB
                if _is_lob(expression):
                    self.connection.lob_notes.append(f"{clause} over LOB {expression}")

    def pre_sql_setup(self, **options: Any) -> Any:
        parts = super().pre_sql_setup(**options)
        if parts is None:
            return None  # an UPDATE
        if self.query.distinct:
            self._note("DISTINCT", [expression for expression, *_ in self.select])
        self._note(
            "ORDER BY", [expression.expression for expression, _ in parts[1] if hasattr(expression, "expression")]
        )
        return parts

    def collapse_group_by(self, expressions: list, having: Any) -> list:
        self._note("GROUP BY", expressions)
        return super().collapse_group_by(expressions, having)

    def get_combinator_sql(self, combinator: str, all: bool) -> Any:
        for query in [] if all else self.query.combined_queries:
            part = query.get_compiler(connection=self.connection)
            part.setup_query()
            self._note(combinator.upper(), [expression for expression, *_ in part.select])
        return super().get_combinator_sql(combinator, all)


class _Operations(DatabaseOperations):
    def compiler(self, compiler_name: str) -> type:
        return _linting(super().compiler(compiler_name))


@lru_cache
def _linting(compiler: type) -> type:
    return type(compiler.__name__, (LobLint, compiler), {})


class OfflineOracle(base.DatabaseWrapper):
    """`sent` holds every statement that reached the driver, `lob_notes` what LobLint found."""

    ops_class = _Operations

    def __init__(self, settings: dict, alias: str, version: tuple[int, ...]) -> None:
        super().__init__(settings, alias)
        self.__dict__["oracle_version"] = version
        self.features.__dict__["supports_collation_on_charfield"] = True  # would ask the server
        self.sent: list[str] = []
        self.lob_notes: list[str] = []

    def get_new_connection(self, parameters: dict) -> _Driver:
        return _Driver(self.sent)

    def ensure_connection(self) -> None:
        if self.connection is None:
            self.connect()

    def get_autocommit(self) -> bool:
        return False  # as if inside atomic(): FOR UPDATE must compile


@contextmanager
def offline_oracle(version: str) -> Iterator[OfflineOracle]:
    """The stub as `default`: by that alias Django decides that "" is NULL, whatever database a query names."""
    settings = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.oracle",
        "NAME": "offline/offline",
        "USER": "ZUOXI",
        "PASSWORD": "none",
        "HOST": "",
        "PORT": "",
        "OPTIONS": {},
        "CONN_MAX_AGE": 0,
        "TEST": {"CHARSET": None, "COLLATION": None, "MIGRATE": True, "MIRROR": None, "NAME": None},
    }
    before, connection = connections.settings["default"], connections["default"]
    stub = OfflineOracle(settings, "default", VERSIONS[version])
    connections.settings["default"] = settings
    connections["default"] = stub
    try:
        stub.ensure_connection()
        stub.sent.clear()
        yield stub
    finally:
        connections.settings["default"] = before
        connections["default"] = connection


def migration_statements(connection: OfflineOracle) -> list[tuple[str, str]]:
    """[(app.migration, statement)] of every migration of the project from an empty database; PL/SQL left out."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    state, statements = executor._create_project_state(), []
    for migration, _ in plan:
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            state = migration.apply(state, editor, collect_sql=True)
        statements += [(str(migration), statement) for text in editor.collected_sql if (statement := _plain(text))]
    return statements


def _plain(text: str) -> str:
    """A statement without its terminator; "" for comments and PL/SQL, which no SQL parser reads."""
    text = text.strip()
    if text.startswith("--") or re.match(r"(DECLARE|BEGIN|CREATE (OR REPLACE )?(TRIGGER|PROCEDURE))", text):
        return ""
    return text.rstrip(";/").strip()


# --- queries ---------------------------------------------------------------------------------------------------
def compiled(connection: OfflineOracle, query: Any, *, returning: Any = None) -> list[str]:
    """The statements of a query as the backend hands them to the driver, and LobLint's findings on the connection.

    Raises what the backend raises for what it cannot express (NotSupportedError).
    """
    if query.select_for_update and (query.low_mark, query.high_mark) == (0, MAX_GET_RESULTS):
        query.clear_limits()  # .get() leaves its limit out where the backend cannot lock with one
    compiler = query.get_compiler(connection=connection)
    if isinstance(query, sql.InsertQuery):
        compiler.returning_fields = returning
    try:
        made = compiler.as_sql()
    except (EmptyResultSet, FullResultSet):
        return []
    statements = [made] if isinstance(made, tuple) else made
    return [_numbered(text) for text, _ in statements if text]


def _numbered(text: str) -> str:
    """%s as the driver's named arguments; a list of them, however long, as one."""
    text = text.replace("%s", ":p").replace("%%", "%")
    return re.sub(r"\(:p(, :p)+\)", "(:p)", text)


# --- the parser and the habits ---------------------------------------------------------------------------------
# Forms of Oracle that sqlglot's grammar lacks, as an equal one it knows. All else must parse as it stands.
_REWRITTEN = [
    (re.compile("q'\uffff(.*?)\uffff'", re.S), lambda found: "'" + found[1].replace("'", "''") + "'"),
    (re.compile(r" (DISALLOW|ALLOW) SCALARS"), ""),
    (re.compile(r"TRANSLATE\(((?:[^()']|'[^']*')*?) USING NCHAR_CS\)"), r"TRANSLATE_CS(\1)"),
    (
        re.compile(
            r"(JSON_(?:QUERY|VALUE)\([^()]*?)( RETURNING \w+(\(\d+\))?)?( WITH WRAPPER)?( (?:NULL|ERROR) ON ERROR)?\)"
        ),
        r"\1)",
    ),
    (re.compile(r" FORMAT JSON\b"), ""),
    (re.compile(r"LIKE (\S+\([^()]*\)|\S+) ESCAPE TRANSLATE_CS\([^()]*\)"), r"LIKE \1"),
    (re.compile(r" RETURNING .* INTO :\w+(, :\w+)*$", re.S), ""),
]
_MODIFY = re.compile(r'^ALTER TABLE "[A-Z0-9_]{1,30}" MODIFY "[A-Z0-9_]{1,30}" ')

# (reason, pattern, only below this version)
_HABITS = [
    ("LIMIT", re.compile(r"\bLIMIT \d"), None),
    ("ON CONFLICT", re.compile(r"\bON CONFLICT\b"), None),
    ("DISTINCT ON", re.compile(r"\bDISTINCT ON\b"), None),
    ("a row limit with FOR UPDATE (ORA-02014)", re.compile(r"FETCH (FIRST|NEXT).*FOR UPDATE", re.S), None),
    ("SELECT without FROM", re.compile(r"^SELECT (?!.*\bFROM\b)", re.S), 23),
    ("a boolean literal", re.compile(r"\b(TRUE|FALSE)\b"), 23),
    ("comparison with an empty string, which is NULL", re.compile(r"(=|<>|!=)\s*''"), None),
    ("an operator of PostgreSQL", re.compile(r"(@>|<@|#>>|->>)"), None),
]


@lru_cache(maxsize=8192)
def parse_problem(statement: str) -> str:
    """Why sqlglot does not read a statement as Oracle's SQL; "" when it does."""
    if _MODIFY.match(statement):
        return ""  # the one statement form its grammar lacks
    for pattern, instead in _REWRITTEN:
        statement = pattern.sub(instead, statement)
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        trees = sqlglot.parse(statement, read="oracle", error_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.SqlglotError as error:
        return str(error).splitlines()[0][:200]
    if any(isinstance(tree, sqlglot.exp.Command) for tree in trees):
        return "read as an opaque command only"
    return ""


def refusals(statement: str, version: str) -> list[str]:
    """What a server of that version refuses in a statement although it parses."""
    outside_names = re.sub(r'"[^"]*"', '"n"', statement)
    major = VERSIONS[version][0]
    found = [
        reason
        for reason, pattern, below in _HABITS
        if (below is None or major < below) and pattern.search(outside_names)
    ]
    return found + [f"name longer than 30: {name}" for name in re.findall(r'"([^"]*)"', statement) if len(name) > 30]
