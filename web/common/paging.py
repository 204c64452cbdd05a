"""Keyset paging in one place: a page begins after the last row seen, never at an offset (DATA habits)."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from rest_framework.pagination import CursorPagination

from .errors import BadInput

PAGE = 50
MOST = 200


class KeysetPagination(CursorPagination):
    """For plain model lists; the answer is {results, next}. Ordering is newest first by id unless the view says otherwise."""

    page_size, max_page_size, page_size_query_param, ordering = PAGE, MOST, "size", "-id"

    def get_paginated_response(self, data: Any):
        from rest_framework.response import Response

        return Response({"results": data, "next": self._cursor(self.get_next_link())})

    def _cursor(self, link: str | None) -> str | None:
        from urllib.parse import parse_qs, urlsplit

        return parse_qs(urlsplit(link).query)[self.cursor_query_param][0] if link else None

    def get_paginated_response_schema(self, schema):
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {"results": schema, "next": {"type": "string", "nullable": True}},
        }


def keyset(
    queryset: QuerySet, *, by: str, cursor: str | None, size: int = PAGE, descending: bool = False
) -> tuple[list, str | None]:
    """One page of `queryset` ordered by (`by`, id), nulls last, after `cursor`.

    Returns (rows, next cursor or None). Rows must give `by` and id as attributes or, from .values(), as keys. BadInput on a broken cursor.
    """
    size = max(1, min(size, MOST))
    order = F(by).desc(nulls_last=True) if descending else F(by).asc(nulls_last=True)
    queryset = queryset.order_by(order, "-pk" if descending else "pk")
    if cursor:
        value, pk = _decode(cursor)
        beyond, id_beyond = ("lt", "lt") if descending else ("gt", "gt")
        if value is None:
            queryset = queryset.filter(Q(**{f"{by}__isnull": True, f"pk__{id_beyond}": pk}))
        else:
            queryset = queryset.filter(
                Q(**{f"{by}__{beyond}": value})
                | Q(**{by: value, f"pk__{id_beyond}": pk})
                | Q(**{f"{by}__isnull": True})
            )
    rows = list(queryset[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    return rows, _encode(rows[-1], by) if more else None


def _read(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) else getattr(row, name)


def _encode(row: Any, by: str) -> str:
    value = _read(row, by)
    pk = row["id"] if isinstance(row, dict) else row.pk
    raw = json.dumps([{"at": value.isoformat()} if isinstance(value, datetime) else value, pk])
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[Any, int]:
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return (datetime.fromisoformat(value["at"]) if isinstance(value, dict) else value), int(pk)
    except Exception as error:
        raise BadInput("bad_cursor") from error
