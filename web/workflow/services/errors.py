"""Refusals of this room; the browser says them in words by their code."""

from __future__ import annotations

from typing import Any

from web.common.errors import DomainError, NotFound


def person(user: Any) -> dict[str, str] | None:
    return {"number": user.number, "name": user.name} if user else None


class TaskDone(DomainError):
    """Facts: by {number, name}, at."""

    code, status = "task_done", 409


class TaskTaken(DomainError):
    """Somebody else has it. Facts: by {number, name}, at."""

    code, status = "task_taken", 409


class TaskGone(DomainError):
    """The flow itself ended the task. Facts: at."""

    code, status = "task_gone", 409


class TaskNotClaimed(DomainError):
    code, status = "task_not_claimed", 409


class TaskStillOpen(DomainError):
    code, status = "task_still_open", 409


class TooLate(DomainError):
    """The ten seconds are over, or the flow has moved on."""

    code, status = "undo_too_late", 409


class CannotTake(DomainError):
    """The person named may not do this task. Facts: why = excluded, unknown_user, not_a_candidate; group = its members may not."""

    code, status = "cannot_take", 409


class NobodyLeft(DomainError):
    """Returning it would leave it to nobody."""

    code, status = "nobody_left", 409


class ChangedMeanwhile(DomainError):
    code, status = "changed_meanwhile", 409


class InstanceOver(DomainError):
    code, status = "instance_over", 409


class FlowUnknown(NotFound):
    code = "flow_unknown"


class NotStartable(DomainError):
    """The flow is not started by hand. Facts: why_not = message (something that happened starts it), called (only other flows call it)."""

    code, status = "flow_not_startable", 409


class FlowRefused(DomainError):
    """It cannot be published. Facts: problems [{file, element, code, message}]."""

    code, status = "flow_refused", 422


class NotSkippable(DomainError):
    code, status = "not_skippable", 409
