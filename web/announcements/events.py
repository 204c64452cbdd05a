from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnnouncementsChanged:
    """One was published, changed or withdrawn: every reader's list is read again."""

    announcement_id: int
