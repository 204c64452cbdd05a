"""The one clock of web/. Tests turn it by hand; nothing else in web/ asks the operating system what time it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path


def system_now() -> datetime:
    return datetime.now(UTC)


_source = system_now


def now() -> datetime:
    """The current instant, aware, UTC."""
    return _source()


def use(source) -> None:
    """Replace the clock (tests, replay). `use(system_now)` puts it back."""
    global _source
    _source = source


def shifted(path: Path) -> Callable[[], datetime]:
    """A clock as many seconds ahead as the file says, read at each look: a trial installation can live through days in minutes."""

    def source() -> datetime:
        try:
            ahead = float(path.read_text())
        except (OSError, ValueError):
            ahead = 0.0
        return system_now() + timedelta(seconds=ahead)

    return source


SLOT_SECONDS = 900


def slot(at: datetime) -> int:
    """The 15-minute slot of an instant: UTC epoch // 900 (DATA A3). Every fact carries it as an integer column."""
    return int(at.timestamp()) // SLOT_SECONDS
