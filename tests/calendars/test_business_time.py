"""Working hours (S-62…64): lunch, week ends, holidays, nights."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.calendars import services as calendars
from web.calendars.models import Calendar, SpecialTime, WorkingHours
from web.calendars.services import BusinessCalendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE = BusinessCalendar(SHANGHAI, {day: [(time(9), time(12)), (time(13), time(18))] for day in range(5)}, {})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.req("S-62", "X-12")
@pytest.mark.parametrize(
    "start, hours, due",
    [
        ("2026-11-23T09:00", 2, "2026-11-23T11:00"),
        ("2026-11-23T09:00", 3, "2026-11-23T12:00"),
        ("2026-11-23T11:00", 2, "2026-11-23T14:00"),
        ("2026-11-23T17:30", 1, "2026-11-24T09:30"),
        ("2026-11-27T17:00", 2, "2026-11-30T10:00"),
        ("2026-11-28T12:00", 1, "2026-11-30T10:00"),
        ("2026-11-23T03:00", 0, "2026-11-23T09:00"),
        ("2026-11-23T09:00", 40, "2026-11-27T18:00"),
        ("2026-11-23T09:00", 0.25, "2026-11-23T09:15"),
    ],
)
def test_hours_pass_only_while_the_centre_works(start: str, hours: float, due: str) -> None:
    assert OFFICE.add_business(at(start), hours) == at(due)


@pytest.mark.req("S-63", "S-64")
@pytest.mark.django_db
def test_special_days_replace_the_regular_hours() -> None:
    row = Calendar.objects.create(key="default", name="c")
    for day in range(5):
        WorkingHours.objects.create(calendar=row, weekday=day, opens=time(9), closes=time(18))
    SpecialTime.objects.create(calendar=row, day=date(2026, 11, 24))
    SpecialTime.objects.create(calendar=row, day=date(2026, 11, 28), opens=time(10), closes=time(12))
    assert calendars.add_business(at("2026-11-23T17:00"), 2) == at("2026-11-25T10:00")
    assert calendars.add_business(at("2026-11-27T17:00"), 2) == at("2026-11-28T11:00")
    assert calendars.is_open(at("2026-11-28T11:00")) and not calendars.is_open(at("2026-11-24T11:00"))
    assert calendars.Lazy().add_business(at("2026-11-23T17:00"), 2) == at("2026-11-25T10:00")


def test_a_night_shift_belongs_to_the_day_it_began() -> None:
    night = BusinessCalendar(SHANGHAI, {0: [(time(22), time(6))]}, {})
    assert night.add_business(at("2026-11-23T23:00"), 3) == at("2026-11-24T02:00")
    assert night.is_open(at("2026-11-24T05:59")) and not night.is_open(at("2026-11-24T06:00"))
    assert night.add_business(at("2026-11-24T03:00"), 4) == at("2026-11-30T23:00")


@pytest.mark.django_db
def test_without_hours_every_hour_counts_and_a_closed_centre_does_not_hang_for_ever() -> None:
    start = at("2026-11-23T09:00")
    assert calendars.add_business(start, 5) == start + timedelta(hours=5)
    shut = BusinessCalendar(SHANGHAI, {}, {date(2026, 11, 23): [(time(9), time(10))]})
    assert shut.add_business(start, 5) == start + timedelta(hours=5)


@pytest.mark.django_db
def test_the_default_calendar_is_set_up_once() -> None:
    calendars.set_up_default("work")
    calendars.set_up_default("again")
    assert Calendar.objects.get().name == "work" and WorkingHours.objects.count() == 7


@settings(max_examples=60, deadline=None)
@given(
    minutes=st.integers(0, 60 * 24 * 14),
    one=st.integers(0, 3000).map(lambda n: n / 60),
    two=st.integers(0, 3000).map(lambda n: n / 60),
)
def test_waiting_in_two_parts_is_waiting_once(minutes: int, one: float, two: float) -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minutes)
    whole, parts = OFFICE.add_business(start, one + two), OFFICE.add_business(OFFICE.add_business(start, one), two)
    assert abs(OFFICE.between(parts, whole) + OFFICE.between(whole, parts)) < timedelta(seconds=1)
    assert abs(OFFICE.between(start, whole) - timedelta(hours=one + two)) < timedelta(seconds=1)
    assert whole >= start
