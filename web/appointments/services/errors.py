"""Refusals of this room; the browser says them in words by their code."""

from __future__ import annotations

from web.common.errors import BadInput, DomainError


class NotWaiting(DomainError):
    """The appointment's flow does not wait for this now: too early, too late, or over."""

    code, status = "appointment_not_waiting", 409


class ScheduleTaken(DomainError):
    """Places that patients have cannot be taken away. Facts: taken."""

    code, status = "schedule_taken", 409


def bad(field: str, code: str, **facts) -> BadInput:
    """A request refused for one field and one reason."""
    return BadInput("schedule_refused", fields={field: [{"code": code, **facts}]})
