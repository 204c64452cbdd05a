"""Keyset paging: every row once, in order, however big the pages and whatever was added meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from web.common.errors import BadInput
from web.common.paging import MOST, keyset
from web.jobs.models import Job

BASE = datetime(2026, 11, 23, 1, tzinfo=UTC)
MOMENT = st.one_of(
    st.none(), st.integers(min_value=0, max_value=4).map(lambda minutes: BASE + timedelta(minutes=minutes))
)


def everything(by: str, size: int, *, descending: bool, meanwhile=None) -> list[int]:
    found, cursor = [], None
    while True:
        rows, cursor = keyset(Job.objects.all(), by=by, cursor=cursor, size=size, descending=descending)
        found += [row.pk for row in rows]
        if cursor is None:
            return found
        if meanwhile:
            meanwhile()


class Pages(TestCase):
    @given(moments=st.lists(MOMENT, max_size=12), size=st.integers(min_value=1, max_value=5), descending=st.booleans())
    @settings(max_examples=40)
    def test_the_pages_together_are_the_whole_list_in_order_nulls_last(self, moments, size, descending):
        for moment in moments:
            Job.objects.create(topic="x", finished_at=moment)
        rows = list(Job.objects.values_list("finished_at", "pk"))
        known = sorted((row for row in rows if row[0]), reverse=descending)
        unknown = sorted((row for row in rows if row[0] is None), key=lambda row: row[1], reverse=descending)
        assert everything("finished_at", size, descending=descending) == [pk for _, pk in known + unknown]

    @given(size=st.integers(min_value=1, max_value=4))
    @settings(max_examples=10)
    def test_rows_added_in_front_while_reading_shift_nothing(self, size):
        first = [Job.objects.create(topic="x", due_at=BASE + timedelta(minutes=n)).pk for n in range(6)]
        read = everything(
            "due_at",
            size,
            descending=True,
            meanwhile=lambda: Job.objects.create(topic="x", due_at=BASE + timedelta(days=1)),
        )
        assert read == first[::-1]


def test_dictionaries_page_like_rows_and_a_page_is_never_boundless():
    for _ in range(MOST + 5):
        Job.objects.create(topic="x")
    rows, cursor = keyset(Job.objects.values("id", "due_at"), by="due_at", cursor=None, size=10_000)
    assert len(rows) == MOST and cursor
    rest, end = keyset(Job.objects.values("id", "due_at"), by="due_at", cursor=cursor, size=10_000)
    assert len(rest) == 5 and end is None


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WyJhIl0", "!!", "WyIxIiwgIngiXQ"])
def test_a_broken_cursor_is_refused(cursor):
    with pytest.raises(BadInput) as refused:
        keyset(Job.objects.all(), by="due_at", cursor=cursor)
    assert refused.value.code == "bad_cursor"
