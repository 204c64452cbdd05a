"""The inbox on the screen is the inbox in the database, whoever does what in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.workflow.cast import Cast, cast  # noqa: F401  a fixture
from tests.workflow.test_properties import ACTS, World
from web.common import live, publishing
from web.config.wiring import ROUTES
from web.desk import topics
from web.workflow import services as workflow
from web.workflow.events import UserTaskChanged, UserTaskCreated, UserTaskGone

Told = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def told(monkeypatch) -> Iterator[Told]:
    """(topic, event, data) of everything told of tasks; nobody works on jobs but the test."""
    monkeypatch.setattr("web.jobs.tasks.sweep.apply_async", lambda **_: None)
    before, heard = dict(publishing._routes), []
    publishing.wire({event: ROUTES[event] for event in (UserTaskCreated, UserTaskChanged, UserTaskGone)})
    send = live.send
    monkeypatch.setattr(live, "send", lambda *what: (heard.append(what), send(*what)))
    yield heard
    publishing.wire(before)


def snapshot(user, box: str) -> dict[str, dict[str, Any]]:
    """A box as GET /api/tasks answers it, by id."""
    rows, after = workflow.page(user, box)
    assert after is None
    return {str(row["id"]): row for row in topics.plain(rows)}


def stands(box: str, row: dict[str, Any]) -> bool:
    """The browser's rule: is this row in the box?"""
    is_open = row["state"] == "open" and row["undo_until"] is None
    return is_open and row["mine" if box == "mine" else "claimable"]


def fold(rows: dict[str, dict[str, Any]], box: str, event: str, data: dict[str, Any]) -> None:
    """What the browser does with one event of its inbox."""
    if event == "TaskGone" or (event == "TaskChanged" and not stands(box, data)):
        rows.pop(str(data["id"]), None)
    elif event == "TaskChanged":
        rows[str(data["id"])] = data


@pytest.mark.req("X-02")
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(acts=[("return", 0, 0), ("reassign", 1, 0)])  # a task nobody had is replaced: it leaves every pool
@given(acts=st.lists(ACTS, min_size=3, max_size=12))
def test_an_old_snapshot_and_the_events_since_are_a_fresh_fetch(
    cast: Cast,  # noqa: F811
    clock,
    told: Told,
    django_capture_on_commit_callbacks,
    acts,
) -> None:
    begun = clock.now()
    try:
        with transaction.atomic():
            world = World(cast, clock)
            boxes = {(user, box): snapshot(user, box) for user in world.people for box in ("mine", "pool")}
            counts = {user: workflow.counts(user) for user in world.people}
            del told[:]
            for act in acts:
                topics.note_listener([f"inbox:{user.pk}" for user in world.people])
                with django_capture_on_commit_callbacks(execute=True):
                    world.act(*act)
            for (user, box), rows in boxes.items():
                for topic, event, data in told:
                    if topic == f"inbox:{user.pk}":
                        fold(rows, box, event, data)
                assert rows == snapshot(user, box), f"{box} of {user.number}"
            for user in world.people:
                for topic, event, data in told:
                    if (topic, event) == (f"inbox:{user.pk}", "CountsChanged"):
                        counts[user] |= data["counts"]
                shown = {box: counts[user][box] for box in ("mine", "pool")}
                assert shown == {box: workflow.counts(user)[box] for box in ("mine", "pool")}, user.number
            transaction.set_rollback(True)
    finally:
        clock.set(begun)
