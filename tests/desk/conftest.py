from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from tests.support import described
from tests.telephony.rig import Rig
from web.agents.events import AgentChanged
from web.calls.events import CallAnswered, CallChanged, CallCleared, CallDelivered, CallQueued
from web.common import live, publishing
from web.config.wiring import ROUTES
from web.telephony.events import CommandRefused

SHAPES = {
    "CallChanged": "CallViewOut",
    "CallEnded": "CallViewOut",
    "TaskChanged": "TaskRow",
    "AgentChanged": "FloorAgent",
    "FiguresChanged": "Figures",
    "Notified": "NotificationOut",
}
"""Events that carry a row: the browser puts it where the row of the snapshot stood, so it has the same shape."""


@pytest.fixture
def wired() -> Iterator[None]:
    """Events of calls and agents reach whom the product's own table names; no others are told."""
    before = dict(publishing._routes)
    calls = (CallQueued, CallDelivered, CallAnswered, CallChanged, CallCleared, AgentChanged, CommandRefused)
    publishing.wire({event: ROUTES[event] for event in calls})
    cache.clear()
    yield
    publishing.wire(before)


@pytest.fixture
def told(monkeypatch, wired) -> list[tuple[str, str, dict]]:
    """(topic, event, data) of everything told on live topics, numbered as ever."""
    heard: list[tuple[str, str, dict]] = []
    send = live.send

    def noted(topic: str, event: str, data: dict) -> None:
        assert event not in SHAPES or described.complaints_of(SHAPES[event], data) == []
        heard.append((topic, event, data))
        send(topic, event, data)

    monkeypatch.setattr(live, "send", noted)
    return heard


@pytest.fixture
def rig(transactional_db, monkeypatch) -> Iterator[Rig]:
    """As in the tests of telephony, but everything commits, so that hearers hear. Nobody works on jobs."""
    monkeypatch.setattr("web.jobs.tasks.sweep.apply_async", lambda **_: None)
    made = Rig()
    try:
        yield made
    finally:
        made.close()
