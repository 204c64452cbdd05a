"""The queue in rows: nothing lost, nothing twice, whatever dies."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from web.jobs import services as jobs
from web.jobs.models import Incident, Job, Lease
from web.jobs.services import queue

done: list[str] = []


@pytest.fixture(autouse=True)
def topics(monkeypatch):
    """Topics of these tests; they are forgotten after."""
    monkeypatch.setattr(queue, "_handlers", dict(queue._handlers))
    done.clear()
    jobs.handler("tests.note")(lambda job: done.append(job.payload["what"]))


def states() -> list[str]:
    return list(Job.objects.order_by("pk").values_list("state", flat=True))


# --- one job ---------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_job_runs_when_it_is_due_and_once(clock) -> None:
    jobs.enqueue("tests.note", payload={"what": "now"})
    jobs.enqueue("tests.note", payload={"what": "later"}, due_at=clock.now() + timedelta(hours=1))
    assert jobs.sweep() == 1 and done == ["now"]
    assert jobs.sweep() == 0
    clock.forward(hours=1)
    assert jobs.sweep() == 1 and done == ["now", "later"] and states() == ["done", "done"]


@pytest.mark.django_db
def test_an_open_job_of_the_same_key_is_moved_not_doubled(clock) -> None:
    first = jobs.enqueue("tests.note", key="k", payload={"what": "a"}, due_at=clock.now() + timedelta(hours=1))
    second = jobs.enqueue("tests.note", key="k", payload={"what": "b"})
    assert first.pk == second.pk and Job.objects.count() == 1
    jobs.sweep()
    assert done == ["b"]
    jobs.enqueue("tests.note", key="k", payload={"what": "c"})
    jobs.sweep()
    assert done == ["b", "c"] and Job.objects.count() == 2


@pytest.mark.django_db
def test_a_cancelled_job_never_runs_and_run_now_runs_before_its_time(clock) -> None:
    jobs.enqueue("tests.note", key="a", payload={"what": "a"})
    jobs.enqueue("tests.note", key="b", payload={"what": "b"}, due_at=clock.now() + timedelta(days=1))
    assert jobs.cancel("a") and not jobs.cancel("a")
    assert jobs.run_now("b") and not jobs.run_now("b")
    jobs.sweep()
    assert done == ["b"]


@pytest.mark.django_db
def test_a_failing_job_is_tried_three_times_with_growing_pauses_then_a_person_decides(clock) -> None:
    def fails(job):
        done.append("tried")
        raise ValueError("13812345678")

    jobs.handler("tests.fails")(fails)
    job = jobs.enqueue("tests.fails", subject="thing:1")
    for seconds in (0, 12, 72, 720):
        clock.forward(seconds=seconds)
        jobs.sweep()
    clock.forward(days=1)
    jobs.sweep()
    job.refresh_from_db()
    assert len(done) == 4 and job.state == Job.QUARANTINED and job.last_error == "ValueError"
    incident = Incident.objects.get()
    assert (incident.subject, incident.topic, incident.job, incident.state) == ("thing:1", "tests.fails", job, "open")


@pytest.mark.django_db
def test_a_failing_job_leaves_nothing_and_does_not_hold_up_the_others(clock) -> None:
    def half(job):
        Lease.objects.create(name="half", until=clock.now())
        raise ValueError

    jobs.handler("tests.half")(half)
    jobs.enqueue("tests.half")
    jobs.enqueue("tests.note", payload={"what": "x"})
    jobs.sweep()
    assert done == ["x"] and not Lease.objects.exists() and states() == ["queued", "done"]


@pytest.mark.django_db
def test_a_job_asked_for_again_while_it_runs_runs_once_more(clock) -> None:
    def again(job):
        done.append(job.payload["n"])
        if job.payload["n"] < 3:
            jobs.enqueue("tests.again", key="again", payload={"n": job.payload["n"] + 1})

    jobs.handler("tests.again")(again)
    jobs.enqueue("tests.again", key="again", payload={"n": 1})
    jobs.sweep()
    assert done == [1, 2, 3] and states() == ["done"]


@pytest.mark.django_db
def test_later_puts_the_job_back_and_a_topic_nobody_knows_waits_for_its_room(clock) -> None:
    jobs.handler("tests.later")(lambda job: jobs.Later(clock.now() + timedelta(hours=1)) if not done else None)
    jobs.enqueue("tests.later")
    jobs.enqueue("tests.unknown")
    jobs.sweep()
    assert states() == ["queued", "queued"]
    done.append("come")
    clock.forward(hours=1)
    jobs.sweep()
    assert states()[0] == "done"


@pytest.mark.django_db
def test_one_open_incident_for_one_trouble() -> None:
    first = jobs.raise_incident("thing:1", "tests", "first")
    assert jobs.raise_incident("thing:1", "tests", "second").pk == first.pk
    jobs.resolve(first, "skip", None, "by hand")
    assert jobs.raise_incident("thing:1", "tests", "third").pk != first.pk


# --- workers that die ------------------------------------------------------------------------------------------------
def died(job: Job, clock) -> None:
    """A worker claimed it and was never seen again."""
    assert queue._take(job, queue.Q(state__in=queue.OPEN))
    clock.forward(seconds=61)


@pytest.mark.django_db
def test_a_lease_that_ran_out_is_taken_first_and_three_dead_workers_are_enough(clock) -> None:
    job = jobs.enqueue("tests.note", payload={"what": "killer"}, subject="thing:1")
    other = jobs.enqueue("tests.note", payload={"what": "other"}, due_at=clock.now() + timedelta(seconds=1))
    for kills in (1, 2, 3):
        died(job, clock)
        job.refresh_from_db()
        assert job.kills == kills
    jobs.sweep()
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.state, other.state, done) == (Job.QUARANTINED, Job.DONE, ["other"])
    assert Incident.objects.get().cause == "worker died three times"


@pytest.mark.django_db
def test_a_job_that_outlives_one_dead_worker_starts_with_a_clean_slate(clock) -> None:
    job = jobs.enqueue("tests.note", payload={"what": "x"})
    died(job, clock)
    jobs.sweep()
    job.refresh_from_db()
    assert (job.state, job.kills, done) == (Job.DONE, 0, ["x"])


@pytest.mark.django_db
def test_a_worker_that_wakes_after_its_lease_leaves_no_trace(clock) -> None:
    def slow(job):
        Lease.objects.create(name=f"by {job.owner}", until=clock.now())
        Job.objects.filter(pk=job.pk).update(owner="another", lease_until=clock.now() + timedelta(seconds=60))

    jobs.handler("tests.slow")(slow)
    jobs.enqueue("tests.slow")
    jobs.sweep()
    # What it wrote, its own mark of the theft among it, went with the transaction.
    assert not Lease.objects.exists() and states() == ["running"]


@pytest.mark.django_db
def test_a_batch_that_died_comes_back_one_by_one(clock) -> None:
    batch = [jobs.enqueue("tests.note", payload={"what": str(n)}) for n in range(5)]
    for job in batch:
        queue._take(job, queue.Q())
    clock.forward(seconds=61)
    assert len(queue._claim(50)) == 1


@pytest.mark.django_db
def test_losing_every_wake_up_loses_nothing(clock, monkeypatch, django_capture_on_commit_callbacks) -> None:
    from web.jobs import tasks

    def away(*args, **options):
        raise ConnectionError

    monkeypatch.setattr(tasks.sweep, "apply_async", away)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.enqueue("tests.note", payload={"what": "x"})
    for _ in range(5):
        tasks.sweep()
    assert done == ["x"]


# --- several workers -------------------------------------------------------------------------------------------------
def together(*functions) -> None:
    """Run in threads that start at once; the first error of any is raised."""
    barrier, errors = threading.Barrier(len(functions)), []

    def run(function) -> None:
        try:
            barrier.wait()
            function()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one,)) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def race() -> None:
    lock = threading.Lock()

    def note(job):
        with lock:
            done.append(job.payload["what"])

    jobs.handler("tests.note")(note)
    with transaction.atomic():
        for n in range(60):
            jobs.enqueue("tests.note", payload={"what": str(n)})
    together(*[lambda: jobs.sweep()] * 4)
    jobs.sweep()
    assert sorted(done, key=int) == [str(n) for n in range(60)]
    assert set(states()) == {"done"}


@pytest.mark.django_db(transaction=True)
def test_four_sweepers_do_each_job_once() -> None:
    race()


@pytest.mark.postgres
def test_four_sweepers_do_each_job_once_on_postgresql(postgres_db) -> None:
    race()


@pytest.mark.django_db(transaction=True)
def test_one_lease_has_one_holder() -> None:
    held: list[int | None] = []
    together(*[lambda: held.append(jobs.with_lease("only", lambda: threading.Event().wait(0.3) or 1))] * 4)
    assert held.count(1) >= 1 and None in held
    assert Lease.objects.get().fence == held.count(1)


@pytest.mark.django_db
def test_a_lease_changes_hands_with_a_higher_fence(clock) -> None:
    assert jobs.hold("cti", "a") == 1 and jobs.hold("cti", "a") == 1 and jobs.hold("cti", "b") is None
    clock.forward(seconds=11)
    assert jobs.hold("cti", "b") == 2 and jobs.hold("cti", "a") is None
    jobs.release("cti", "b")
    assert jobs.hold("cti", "a") == 3
