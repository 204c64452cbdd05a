"""Raw SQL in a report reads nothing but what its user may see: `{scoped}` stands for the scoped queryset, once and only there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from web.common.scope import scope

_TABLE = re.compile(r"\b(?:from|join)\s+(?!\{scoped\})(?!\()", re.IGNORECASE)
_WRITE = re.compile(r"\b(?:insert|update|delete|merge|drop|alter|create|grant|truncate|call)\b|;", re.IGNORECASE)


class UnscopedSQL(Exception):
    """The statement could read or write more than `{scoped}`."""


def check(sql: str) -> None:
    """UnscopedSQL unless every FROM and JOIN reads `{scoped}` or a sub-query, and nothing is written."""
    if "{scoped}" not in sql:
        raise UnscopedSQL("the placeholder {scoped} is missing")
    if _TABLE.search(sql):
        raise UnscopedSQL("reads a table beside {scoped}")
    if _WRITE.search(sql) or re.search(r"\bfrom\s+\{scoped\}\s*(?:\w+\s*)?,", sql, re.IGNORECASE):
        raise UnscopedSQL("writes, or reads a second source")


def run(sql: str, queryset: QuerySet, user: Any, params: tuple = ()) -> Iterator[tuple]:
    """Rows of `sql` over the rows of `queryset` that `user` may see. `queryset` names its columns with .values(...)."""
    check(sql)
    inner, inner_params = scope(queryset, user).order_by().query.sql_with_params()
    before = sql[: sql.index("{scoped}")].count("%s")
    statement = sql.replace("{scoped}", f"({inner}) scoped", 1)
    if "{scoped}" in statement:
        raise UnscopedSQL("{scoped} may stand once: use WITH for more")
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params[:before], *inner_params, *params[before:]])
        while rows := cursor.fetchmany(1000):
            yield from rows
