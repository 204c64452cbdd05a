"""Many at once: exactly one wins, the others are told who (RELIABILITY F13, F14)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from tests.workflow.cast import Cast, _current, again, start, task
from web.common import clock as product_clock
from web.common.errors import DomainError
from web.jobs import services as jobs
from web.jobs.models import Job
from web.workflow import services as workflow
from web.workflow.models import History, Submission, UserTask
from web.workflow.services.errors import TaskDone, TaskTaken
from web.workflow.services.publishing import forget_parsed


def together(*functions: Callable[[], object]) -> list[object]:
    """Results, or the errors raised, of functions that start at the same moment in threads of their own."""
    barrier, results = threading.Barrier(len(functions)), [None] * len(functions)

    def run(index: int, function: Callable[[], object]) -> None:
        barrier.wait()
        try:
            results[index] = function()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def sqlite_cast(transactional_db, clock):
    yield Cast()
    forget_parsed()
    _current.clear()


@pytest.fixture
def postgres_cast(postgres_db, clock):
    yield Cast()
    forget_parsed()
    _current.clear()


def claim_race(cast: Cast) -> None:
    people = [cast.bob, cast.lea]
    for n in range(8):
        todo = task(start("vote", cast.ann, key=f"ticket:T{n}", group="booking"), "judge")
        results = together(*(lambda who=who, todo=todo: workflow.claim(todo, who) for who in people for _ in range(2)))
        losers = [one for one in results if isinstance(one, Exception)]
        winner = again(todo).assignee
        assert {type(one) for one in losers} == {TaskTaken}, losers
        assert all(one.facts["by"]["number"] == winner.number for one in losers)
        assert {one.assignee_id for one in results if not isinstance(one, Exception)} == {winner.pk}
        assert History.objects.filter(task=todo, action="claimed").count() == 1


def complete_race(cast: Cast) -> None:
    for n in range(6):
        instance = start("errand", cast.ann, key=f"ticket:T{n}")
        todo = task(instance, "do")
        results = together(*[lambda todo=todo: workflow.complete(todo, cast.ann, {"result": "x"}, wait=False)] * 4)
        losers = [one for one in results if isinstance(one, Exception)]
        assert len(losers) == 3 and {type(one) for one in losers} == {TaskDone}, losers
        assert Submission.objects.filter(task=todo).count() == 1
    assert len(cast.probe.calls) == 6


def sweep_race(cast: Cast) -> None:
    instances = [start("late", key=f"ticket:L{n}") for n in range(20)]
    now = product_clock.now()
    product_clock.use(lambda: now + timedelta(hours=2))
    together(*[lambda: jobs.sweep()] * 3)
    jobs.sweep()
    assert UserTask.objects.filter(instance__in=instances, element="after").count() == 20
    assert History.objects.filter(element="pause", action="fired").count() == 20
    assert not Job.objects.filter(state__in=(Job.QUEUED, Job.RUNNING), topic="workflow.timer").exists()


def take_away_race(cast: Cast) -> None:
    """The owner completes while the supervisor reassigns: one of them wins, and what stands is whole."""
    due = product_clock.now() + timedelta(hours=1)
    for n in range(6):
        instance = start("errand", cast.ann, key=f"ticket:A{n}")
        todo = task(instance, "do")
        results = together(
            lambda todo=todo: workflow.complete(todo, cast.ann, {"result": "x"}, wait=False),
            lambda todo=todo: workflow.reassign([todo], cast.sue, assignee="1002", due_at=due, reason="absent"),
        )
        completed, reassigned = not isinstance(results[0], Exception), results[1][0]["ok"]
        assert completed != reassigned, results
        assert completed or isinstance(results[0], DomainError)
        assert UserTask.objects.filter(instance=instance, state=UserTask.OPEN).count() == (0 if completed else 1)


RACES = [claim_race, complete_race, sweep_race, take_away_race]


@pytest.mark.req("X-10")
@pytest.mark.parametrize("race", RACES)
def test_exactly_one_wins(sqlite_cast, race) -> None:
    race(sqlite_cast)


@pytest.mark.postgres
@pytest.mark.parametrize("race", RACES)
def test_exactly_one_wins_on_postgresql(postgres_cast, race) -> None:
    race(postgres_cast)
