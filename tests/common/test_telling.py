"""What is told upwards: after commit, never raising; live topics count so that a gap shows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.db import transaction

from web.common import live, publishing


@dataclass(frozen=True)
class Happened:
    at: int


@pytest.fixture
def heard(monkeypatch):
    told: list = []

    def first(event):
        raise RuntimeError("a hearer that breaks")

    monkeypatch.setitem(publishing._routes, Happened, [first, told.append])
    return told


def test_a_hearer_that_breaks_hinders_neither_the_act_nor_the_others(heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        publishing.publish(Happened(1))
        assert heard == []
    assert heard == [Happened(1)]


def test_an_act_that_is_rolled_back_is_not_told(heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        publishing.publish(Happened(1))
        transaction.set_rollback(True)
    assert heard == []


def test_an_event_nobody_waits_for_is_no_error(django_capture_on_commit_callbacks):
    @dataclass(frozen=True)
    class Unheard:
        pass

    with django_capture_on_commit_callbacks(execute=True):
        publishing.publish(Unheard())


class Layer:
    def __init__(self, breaks: bool = False) -> None:
        self.sent, self.breaks = [], breaks

    async def group_send(self, group, message):
        if self.breaks:
            raise ConnectionError("broker away")
        self.sent.append((group, message["message"]))


@pytest.fixture
def layer(monkeypatch):
    cache.clear()
    made = Layer()
    monkeypatch.setattr(live, "get_channel_layer", lambda: made)
    monkeypatch.setattr(live, "_loop", None)
    return made


def test_each_message_of_a_topic_carries_the_next_number_and_the_snapshot_the_current_one(layer):
    before = live.pair("inbox:1")
    live.send("inbox:1", "TaskChanged", {"id": 1})
    live.send("inbox:1", "TaskChanged", {"id": 2})
    live.send("inbox:2", "TaskChanged", {"id": 3})
    epoch, _, n = before.partition(":")
    assert n == "0"
    assert [(message["topic"], message["epoch"], message["n"]) for _, message in layer.sent[:2]] == [
        ("inbox:1", epoch, 1),
        ("inbox:1", epoch, 2),
    ]
    assert live.pair("inbox:1") == f"{epoch}:2" and live.pair("inbox:2").endswith(":1")
    assert layer.sent[0][0] == "live.inbox.1"


def test_a_lost_cache_is_a_new_epoch_so_everybody_reads_again(layer):
    live.send("queue", "QueueChanged", {})
    old = live.pair("queue")
    cache.clear()
    assert live.pair("queue").partition(":")[0] != old.partition(":")[0]


def test_a_broker_that_is_away_does_not_break_the_teller_and_the_lost_message_shows_in_the_count(layer):
    live.send("queue", "QueueChanged", {})
    layer.breaks = True
    live.send("queue", "QueueChanged", {})
    assert live.pair("queue").endswith(":2") and len(layer.sent) == 1
