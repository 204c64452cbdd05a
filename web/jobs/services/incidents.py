"""Incidents: what a person must decide (ARCHITECTURE 5.7)."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from web.common import clock
from web.common.audit import audit
from web.common.errors import DomainError
from web.jobs.models import Incident, Job

STATE_AFTER = {"retry": Incident.RETRIED, "skip": Incident.SKIPPED, "cancel": Incident.CANCELLED}


class IncidentClosed(DomainError):
    """Somebody decided about it already."""

    code, status = "incident_closed", 409


def raise_incident(
    subject: str,
    topic: str,
    cause: str,
    element: str | None = None,
    job: Job | None = None,
    detail: str | None = None,
) -> Incident:
    """The open incident of `subject` (`instance:12`, `effect:…`) and `topic`; there is one at a time. `cause` holds no personal value."""
    found = Incident.objects.filter(subject=subject, topic=topic, state=Incident.OPEN).first()
    if found is None:
        found = Incident(subject=subject, topic=topic)
    found.cause, found.element, found.detail = cause[:400], element or None, detail or None
    found.job = job or found.job
    found.save()
    return found


@transaction.atomic
def resolve(incident: Incident, action: str, actor: Any = None, reason: str = "") -> Incident:
    """Close it as `retry`, `skip` or `cancel`. With a job, retry puts the job back and cancel drops it. IncidentClosed when it is closed."""
    changed = Incident.objects.filter(pk=incident.pk, state=Incident.OPEN).update(
        state=STATE_AFTER[action],
        resolved_at=clock.now(),
        resolved_by=getattr(actor, "number", actor) or None,
        reason=reason[:200] or None,
    )
    if not changed:
        raise IncidentClosed()
    incident.refresh_from_db()
    if incident.job_id and action == "retry":
        stopped = Job.objects.filter(pk=incident.job_id, state__in=(Job.QUEUED, Job.QUARANTINED))
        stopped.update(state=Job.QUEUED, due_at=clock.now(), attempts=0, kills=0, finished_at=None)
    elif incident.job_id:
        stopped = Job.objects.filter(pk=incident.job_id, state__in=(Job.QUEUED, Job.QUARANTINED))
        stopped.update(state=Job.CANCELLED, finished_at=clock.now())
    if actor is not None:
        audit(f"incidents.{action}", f"incident:{incident.pk}", actor=actor, about=incident.subject, reason=reason)
    return incident


def close_quietly(subject: str, topic: str) -> None:
    """The trouble went away by itself (an automatic retry succeeded)."""
    Incident.objects.filter(subject=subject, topic=topic, state=Incident.OPEN).update(
        state=Incident.RETRIED, resolved_at=clock.now()
    )
