"""Business time (S-62…64): when have n working hours passed? The engine's calendar over rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from web.calendars.models import Calendar, SpecialTime, WorkingHours

DEFAULT = "default"
FURTHEST = 3 * 366  # days to look ahead before a calendar counts as closed for good

Span = tuple[time, time | None]


class BusinessCalendar:
    """Working hours of one calendar: weekdays' hours, replaced on special days. `closes` 00:00 means the end of the day.

    A calendar without any hours counts every hour: a deadline that never comes helps nobody.
    """

    def __init__(self, zone: ZoneInfo, weekdays: dict[int, list[Span]], special: dict[date, list[Span]]) -> None:
        self.zone, self.weekdays, self.special = zone, weekdays, special

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Open spans that begin on the local `day`, as UTC instants in order."""
        found = []
        for opens, closes in self.special[day] if day in self.special else self.weekdays.get(day.weekday(), ()):
            begin = datetime.combine(day, opens, self.zone).astimezone(UTC)
            over_midnight = closes is None or closes <= opens
            last = day + timedelta(days=1) if over_midnight else day
            end = datetime.combine(last, closes or time(0), self.zone).astimezone(UTC)
            found.append((begin, end))
        return sorted(found)

    def is_open(self, at: datetime) -> bool:
        """Is it working time at the aware instant `at`?"""
        if not self.weekdays and not self.special:
            return True
        local = at.astimezone(self.zone).date()
        days = (local - timedelta(days=1), local)
        return any(begin <= at < end for day in days for begin, end in self.spans(day))

    def add_business(self, start: datetime, hours: float) -> datetime:
        """The aware UTC instant at which `hours` (>= 0) working hours have passed since the aware `start`."""
        left, at = timedelta(hours=hours), start.astimezone(UTC)
        if not any(self.weekdays.values()) and not any(self.special.values()):
            return at + left
        day = start.astimezone(self.zone).date() - timedelta(days=1)
        for _ in range(FURTHEST):
            for begin, end in self.spans(day):
                begin = max(begin, at)
                if begin < end:
                    if begin + left <= end:
                        return begin + left
                    left -= end - begin
                    at = end
            day += timedelta(days=1)
        return start.astimezone(UTC) + timedelta(hours=hours)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from `start` to `end`; zero when `end` is not later."""
        if not self.weekdays and not self.special:
            return max(end - start, timedelta())
        total, day = timedelta(), start.astimezone(self.zone).date() - timedelta(days=1)
        while day <= end.astimezone(self.zone).date():
            for begin, close in self.spans(day):
                total += max(min(close, end) - max(begin, start), timedelta())
            day += timedelta(days=1)
        return total


class Lazy:
    """The calendar of `key`, read when the first question is asked: most steps ask none."""

    def __init__(self, key: str = DEFAULT) -> None:
        self.key, self._read = key, None

    def add_business(self, start: datetime, hours: float) -> datetime:
        if self._read is None:
            self._read = calendar(self.key)
        return self._read.add_business(start, hours)


def calendar(key: str = DEFAULT) -> BusinessCalendar:
    """The calendar of this key; one that counts every hour when there is none."""
    row = Calendar.objects.filter(key=key).first()
    if row is None:
        return BusinessCalendar(ZoneInfo("Asia/Shanghai"), {}, {})
    weekdays: dict[int, list[Span]] = {}
    for hours in WorkingHours.objects.filter(calendar=row).order_by("weekday", "opens"):
        weekdays.setdefault(hours.weekday, []).append((hours.opens, hours.closes))
    special: dict[date, list[Span]] = {}
    for day in SpecialTime.objects.filter(calendar=row).order_by("day", "opens"):
        spans = special.setdefault(day.day, [])
        if day.opens is not None:
            spans.append((day.opens, day.closes))
    return BusinessCalendar(ZoneInfo(row.time_zone), weekdays, special)


def add_business(start: datetime, hours: float, key: str = DEFAULT) -> datetime:
    """When `hours` working hours have passed since the aware `start`, by the calendar `key`."""
    return calendar(key).add_business(start, hours)


def is_open(at: datetime, key: str = DEFAULT) -> bool:
    return calendar(key).is_open(at)


@transaction.atomic
def set_up_default(name: str = "default", opens: time = time(8), closes: time = time(20)) -> Calendar:
    """The centre's own calendar, every day from `opens` to `closes`, unless it exists."""
    row, is_new = Calendar.objects.get_or_create(key=DEFAULT, defaults={"name": name})
    if is_new:
        days = [WorkingHours(calendar=row, weekday=day, opens=opens, closes=closes) for day in range(7)]
        WorkingHours.objects.bulk_create(days)
    return row
