"""ISO 8601 instants and durations, the part of them that has one meaning: no months, no years, no naive instants."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

LONGEST = timedelta(days=3660)
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W|(?:(?P<days>\d{1,5})D)?"
    r"(?P<time>T(?:(?P<hours>\d{1,6}(?:\.\d{1,3})?)H)?(?:(?P<minutes>\d{1,6}(?:\.\d{1,3})?)M)?"
    r"(?:(?P<seconds>\d{1,8}(?:\.\d{1,6})?)S)?)?)",
    re.ASCII,
)
_CYCLE = re.compile(r"R(?P<count>\d{0,4})/(?P<span>P[^/]+)", re.ASCII)
MOST_CYCLES = 100


def parse_duration(text: str) -> timedelta:
    """``PT90M``, ``P1DT2H``, ``P2W`` (ISO 8601, RFC 3339 appendix A); ValueError for anything else or > 10 years."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    parts = {k: float(v) for k, v in found.groupdict().items() if v and k != "time"} if found else {}
    if not parts or text.endswith("T"):
        raise ValueError(f"not an ISO duration of weeks, days, hours, minutes, seconds: {text!r}")
    span = timedelta(**parts)
    if span > LONGEST:
        raise ValueError(f"longer than ten years: {text!r}")
    return span


def parse_cycle(text: str) -> tuple[int, timedelta]:
    """``R3/PT4H`` -> (3, 4 hours). ValueError when unbounded, zero, shorter than a second or > 100 times."""
    found = _CYCLE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"not a cycle like R3/PT4H: {text!r}")
    count, span = int(found["count"] or 0), parse_duration(found["span"])
    if not 1 <= count <= MOST_CYCLES:
        raise ValueError(f"a cycle must say how often, 1 to {MOST_CYCLES} times: {text!r}")
    if span < timedelta(seconds=1):
        raise ValueError(f"a cycle must be at least a second long: {text!r}")
    return count, span


def parse_instant(text: str | datetime) -> datetime:
    """An instant with offset; ValueError when it has none (a naive instant means another moment on every server)."""
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError:
        raise ValueError(f"not an ISO instant: {text!r}") from None
    if not isinstance(instant, datetime) or instant.utcoffset() is None:
        raise ValueError(f"not an ISO instant with offset: {text!r}")
    return instant
