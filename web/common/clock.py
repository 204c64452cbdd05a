"""The one clock of web/. Tests turn it by hand; nothing else in web/ asks the operating system what time it is."""

from __future__ import annotations

from datetime import UTC, datetime


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


SLOT_SECONDS = 900


def slot(at: datetime) -> int:
    """The 15-minute slot of an instant: UTC epoch // 900 (DATA A3). Every fact carries it as an integer column."""
    return int(at.timestamp()) // SLOT_SECONDS
