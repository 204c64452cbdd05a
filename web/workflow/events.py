"""What the flows tell, after commit: ids, not objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserTaskCreated:
    id: int


@dataclass(frozen=True, slots=True)
class UserTaskChanged:
    """Claimed, returned, delegated, completed, undone, reminded, overdue, moved."""

    id: int


@dataclass(frozen=True, slots=True)
class UserTaskGone:
    """`user` (id) does not have the task any more. `by` = 工号 or "" for the flow itself; `code` = reassigned, delegated, returned,
    cancelled."""

    id: int
    user: int
    by: str
    code: str


@dataclass(frozen=True, slots=True)
class InstanceChanged:
    id: int
