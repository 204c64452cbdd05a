"""What a report is: its parameters, columns and rows. Rows come from `scope`d querysets; raw SQL only over `{scoped}` (reports.guard)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from web.common import clock
from web.common.errors import BadInput

Title = dict[str, str]
MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Column:
    """kind: text | code | instant | duration_ms | number | person; the browser and the exports format by it."""

    key: str
    title: Title
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Param:
    """kind: period (two dates) | choice | text. `default` for a period is a number of days up to today."""

    name: str
    kind: str
    title: Title
    choices: tuple[str, ...] = ()
    default: Any = None


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days [first, last], as instants [begins, ends)."""

    first: date
    last: date

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.first, time(), ZoneInfo(settings.TIME_ZONE)).astimezone(UTC)

    @property
    def ends(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time(), ZoneInfo(settings.TIME_ZONE)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """Checked parameters by name."""

    values: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class Report:
    """Subclass in reports/<name>/report.py and list it in reports/catalog.py."""

    name: str
    title: Title
    permission = "reports.view"
    params: tuple[Param, ...] = ()
    columns: tuple[Column, ...] = ()

    def rows(self, asked: Asked, user: Any) -> Iterator[tuple]:
        """The rows `user` may see, in the order of `columns`, lazily."""
        raise NotImplementedError(f"{type(self).__name__} has no rows")

    def check(self, given: dict[str, str]) -> Asked:
        """Parameters from the request's query. BadInput names each wrong one."""
        values, wrong = {}, {}
        for param in self.params:
            try:
                values[param.name] = _read(param, given)
            except ValueError as error:
                wrong[param.name] = [{"code": str(error)}]
        if wrong:
            raise BadInput("bad_parameters", fields=wrong)
        return Asked(values)


def _read(param: Param, given: dict[str, str]) -> Any:
    if param.kind == "period":
        return _period(given.get(f"{param.name}_from"), given.get(f"{param.name}_to"), param.default or 1)
    value = (given.get(param.name) or "").strip()
    if not value:
        return param.default
    if param.kind == "choice" and value not in param.choices:
        raise ValueError("not_a_choice")
    if len(value) > 80:
        raise ValueError("too_long")
    return value


def _period(first: str | None, last: str | None, days: int) -> Period:
    today = clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).date()
    try:
        end = date.fromisoformat(last) if last else today
        begin = date.fromisoformat(first) if first else end - timedelta(days=days - 1)
    except ValueError:
        raise ValueError("not_a_date") from None
    if begin > end:
        raise ValueError("ends_before_it_begins")
    if (end - begin).days > MOST_DAYS:
        raise ValueError("period_too_long")
    return Period(begin, end)
