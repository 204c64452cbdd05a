from __future__ import annotations

from datetime import UTC, datetime, timedelta

MONDAY_MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai, in working hours


class HandClock:
    """The product's clock, standing still until a test turns it."""

    def __init__(self, at: datetime = MONDAY_MORNING) -> None:
        self._at = at

    def __call__(self) -> datetime:
        return self._at

    def now(self) -> datetime:
        return self._at

    def forward(self, **span: float) -> datetime:
        """clock.forward(hours=2): turn it on; returns the new instant."""
        self._at += timedelta(**span)
        return self._at

    def set(self, at: datetime) -> datetime:
        """Turn it to an aware instant."""
        if at.tzinfo is None:
            raise ValueError("an instant without an offset")
        self._at = at.astimezone(UTC)
        return self._at
