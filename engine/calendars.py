"""What the engine needs to know about working hours: one question."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Calendar(Protocol):
    """Answers when a number of working hours has passed."""

    def add_business(self, start: datetime, hours: float) -> datetime:
        """The aware instant at which ``hours`` working hours (>= 0) have passed since the aware ``start``."""
        ...


class AlwaysOpen:
    """Every hour is a working hour."""

    def add_business(self, start: datetime, hours: float) -> datetime:
        return start + timedelta(hours=hours)
