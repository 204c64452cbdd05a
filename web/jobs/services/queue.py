"""The database is the queue; Celery only wakes workers (ARCHITECTURE 5.3).

Claim by conditional update, expired leases first. `kills` is raised with the claim and lowered when the attempt ends in any way that
leaves the worker alive: a job that took its worker with it three times is quarantined. Jobs that work in our own rows run up to fifty
in one transaction, each in its own savepoint; one that died before runs alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F, Q

from web.common import clock
from web.jobs.models import Job
from web.jobs.services.failpoints import failpoint
from web.jobs.services.incidents import close_quietly, raise_incident
from web.jobs.services.leases import myself

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)
BATCH = 50
MOST_KILLS = 3
BACK_OFF = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10))
OPEN = (Job.QUEUED, Job.RUNNING)


@dataclass(frozen=True, slots=True)
class Later:
    """A handler's answer: not yet, look again then."""

    due_at: datetime


class Retry(Exception):
    """Try again later; not a mistake of ours."""


class _LeaseLost(Exception):
    """Another worker has this job now: what was done here must not stand."""


class _Again:
    """The job that is running here, and what it was asked to do once more while it ran."""

    def __init__(self, job: Job) -> None:
        self.job, self.due_at, self.payload = job, None, None


@dataclass(frozen=True)
class _Handler:
    run: Callable[[Job], Later | None]
    outside: bool
    gave_up: Callable[[Job, str], None] | None


_handlers: dict[str, _Handler] = {}
_running: ContextVar[dict[str, _Again] | None] = ContextVar("jobs_running", default=None)


def handler(topic: str, *, outside: bool = False, gave_up: Callable[[Job, str], None] | None = None) -> Callable:
    """Register who does jobs of `topic`. It runs in the job's transaction, or, with `outside`, without one (slow things, other
    people's machines). It may answer Later(due_at). `gave_up(job, error)` replaces the incident after the last try."""

    def register(function: Callable[[Job], Later | None]) -> Callable[[Job], Later | None]:
        _handlers[topic] = _Handler(function, outside, gave_up)
        return function

    return register


def back_off(attempts: int) -> timedelta | None:
    """How long to wait after `attempts` failures in a row, with up to 20 % on top; None = no more tries."""
    if attempts > len(BACK_OFF):
        return None
    return BACK_OFF[attempts - 1] * (1 + random.random() / 5)  # noqa: S311  spreads load, protects nothing


@transaction.atomic
def enqueue(
    topic: str,
    *,
    key: str | None = None,
    subject: str | None = None,
    payload: dict[str, Any] | None = None,
    due_at: datetime | None = None,
) -> Job:
    """Work to do at `due_at` (now, when None), in this transaction. An open job of the same key is moved, not doubled; one that is
    running is run once more."""
    now = clock.now()
    due, payload = due_at or now, payload or {}
    job = _move(key, due, payload) if key else None
    if job is None:
        job = Job(topic=topic, key=key, subject=subject, payload=payload, due_at=due, created_at=now)
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            job = _move(key, due, payload) if key else None
            if job is None:
                raise
    if due <= now:
        wake()
    return job


def _move(key: str, due: datetime, payload: dict[str, Any]) -> Job | None:
    again = (_running.get() or {}).get(key)
    if again is not None:
        again.due_at, again.payload = due, payload
        return again.job
    # A worker that runs it now finds its lease gone, and leaves no trace.
    moved = Job.objects.filter(key=key, state__in=OPEN).update(
        state=Job.QUEUED, owner=None, lease_until=None, due_at=due, payload=payload
    )
    return Job.objects.filter(key=key, state__in=OPEN).first() if moved else None


def cancel(key: str) -> bool:
    """The open job of this key is not wanted any more. A job may call it on itself: it simply ends."""
    if key in (_running.get() or {}):
        return True
    return bool(
        Job.objects.filter(key=key, state__in=OPEN).update(
            state=Job.CANCELLED, owner=None, lease_until=None, finished_at=clock.now()
        )
    )


# -- waking ----------------------------------------------------------------------------------------------------------


def wake() -> None:
    """Ask some worker to look, after commit. Nothing depends on it: the sweep comes every second."""
    from django.db import connection

    if not any(entry[1] is _ring for entry in connection.run_on_commit):
        transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    from web.jobs.tasks import sweep as task

    try:
        task.apply_async(retry=False, ignore_result=True)
    except Exception as error:  # the broker is away: the sweep of the next second finds the row
        log.info("nobody to wake", error=type(error).__name__)


# -- sweeping --------------------------------------------------------------------------------------------------------


def sweep(limit: int = 500) -> int:
    """Do due jobs until none is left or `limit` are done. Any number of sweeps may run at once; returns how many jobs it ended."""
    done = 0
    while done < limit:
        claimed = _claim(min(BATCH, limit - done))
        if not claimed:
            break
        failpoint("after_claim")
        done += len(claimed)
        _run_all(claimed)
    return done


def run_now(key: str) -> bool:
    """Do the open job of `key` now, in a transaction of its own; False when it is not there or somebody else has it."""
    job = Job.objects.filter(key=key, state=Job.QUEUED).first()
    if job is None or not _take(job, Q(state=Job.QUEUED)):
        return False
    _run_all([job])
    return True


def _claim(most: int) -> list[Job]:
    """Up to `most` jobs that are ours now. A job that died before comes alone."""
    now = clock.now()
    died = Job.objects.filter(state=Job.RUNNING, lease_until__lt=now).order_by("lease_until")[:most]
    for job in died:
        if _take(job, Q(state=Job.RUNNING, lease_until__lt=now)):
            return [job]
    claimed: list[Job] = []
    for job in Job.objects.filter(state=Job.QUEUED, due_at__lte=now).order_by("due_at", "pk")[:most]:
        if job.kills and claimed:
            break
        try:
            taken = _take(job, Q(state=Job.QUEUED, due_at__lte=now))
        except DatabaseError:
            if not claimed:
                raise
            break  # busy: do first what is ours already
        if taken:
            claimed.append(job)
            if job.kills > 1:
                break
    return claimed


def _take(job: Job, as_seen: Q) -> bool:
    owner, until = myself(), clock.now() + LEASE
    if not Job.objects.filter(as_seen, pk=job.pk).update(
        state=Job.RUNNING, owner=owner, lease_until=until, kills=F("kills") + 1
    ):
        return False
    job.state, job.owner, job.lease_until, job.kills = Job.RUNNING, owner, until, job.kills + 1
    return True


def _run_all(jobs: list[Job]) -> None:
    inside = []
    for job in jobs:
        if job.kills > MOST_KILLS:
            _quarantine(job)
        elif job.topic not in _handlers:
            _fail(job, f"no handler for {job.topic}")
        elif _handlers[job.topic].outside:
            _run_outside(job)
        else:
            inside.append(job)
    if inside:
        # One order for everybody: two sweeps that need the same instances wait for each other instead of crossing.
        inside.sort(key=lambda job: (job.subject or "", job.pk))
        _run_inside(inside)


def _run_inside(jobs: list[Job]) -> None:
    failed: list[tuple[Job, Exception]] = []
    try:
        with transaction.atomic():
            for job in jobs:
                try:
                    with transaction.atomic():
                        _finish(job, *_call(job))
                except _LeaseLost:
                    log.info("another worker was quicker", topic=job.topic, job=job.pk)
                except Exception as error:
                    failed.append((job, error))
            failpoint("before_commit")
    except Exception:
        if len(jobs) == 1:
            log.exception("job not committed", topic=jobs[0].topic, job=jobs[0].pk)
            _fail(jobs[0], "not committed")
            return
        # The commit itself was refused: find the one by which, alone.
        for job in jobs:
            _run_inside([job])
        return
    failpoint("after_commit")
    for job, error in failed:
        if not isinstance(error, Retry):
            log.error("job failed", topic=job.topic, job=job.pk, error=type(error).__name__, exc_info=error)
        _fail(job, _words(error))


def _run_outside(job: Job) -> None:
    try:
        answer, again = _call(job)
        with transaction.atomic():
            _finish(job, answer, again)
    except _LeaseLost:
        log.info("another worker was quicker", topic=job.topic, job=job.pk)
    except Exception as error:
        if not isinstance(error, Retry):
            log.error("job failed", topic=job.topic, job=job.pk, error=type(error).__name__, exc_info=error)
        _fail(job, _words(error))


def _call(job: Job) -> tuple[Later | None, _Again]:
    again = _Again(job)
    running = {**(_running.get() or {}), **({job.key: again} if job.key else {})}
    token = _running.set(running)
    try:
        return _handlers[job.topic].run(job), again
    finally:
        _running.reset(token)


def _finish(job: Job, answer: Later | None, again: _Again) -> None:
    due = again.due_at or (answer.due_at if isinstance(answer, Later) else None)
    mine = Job.objects.filter(pk=job.pk, owner=job.owner, state=Job.RUNNING)
    if due is not None:
        payload = job.payload if again.payload is None else again.payload
        changed = mine.update(
            state=Job.QUEUED, owner=None, lease_until=None, due_at=due, payload=payload, kills=0, attempts=0
        )
    else:
        changed = mine.update(state=Job.DONE, finished_at=clock.now(), kills=0, last_error=None)
    if not changed:
        raise _LeaseLost()
    if job.attempts:
        close_quietly(job.subject or f"job:{job.pk}", job.topic)


def _fail(job: Job, error: str) -> None:
    """Put it back with a growing pause; after the last one a person decides."""
    with transaction.atomic():
        attempts = job.attempts + 1
        wait = back_off(attempts)
        mine = Job.objects.filter(pk=job.pk, owner=job.owner, state=Job.RUNNING)
        values = {"attempts": attempts, "kills": 0, "last_error": error[:400], "owner": None, "lease_until": None}
        if wait is not None:
            mine.update(state=Job.QUEUED, due_at=clock.now() + wait, **values)
            return
        if not mine.update(state=Job.QUARANTINED, finished_at=clock.now(), **values):
            return
        found = _handlers.get(job.topic)
        if found is not None and found.gave_up is not None:
            found.gave_up(job, error)
        else:
            raise_incident(job.subject or f"job:{job.pk}", job.topic, error, job=job)


def _quarantine(job: Job) -> None:
    """Three workers died on it."""
    with transaction.atomic():
        mine = Job.objects.filter(pk=job.pk, owner=job.owner, state=Job.RUNNING)
        if mine.update(state=Job.QUARANTINED, finished_at=clock.now(), owner=None, lease_until=None):
            raise_incident(job.subject or f"job:{job.pk}", job.topic, "worker died three times", job=job)


def _words(error: Exception) -> str:
    """The kind of error, and of ours also what it says; a foreign error's text may hold personal values."""
    return str(error) if isinstance(error, Retry) else type(error).__name__
