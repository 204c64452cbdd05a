"""Who looks at a task now: every live socket that listens to `task:<id>` says so when it comes, every ten seconds, and when it goes.

Kept in the shared cache alone, one entry a task: no rows. A lost cache is filled again by the next signs of life; so is what
two processes wrote over each other. Nothing here raises: without a cache nobody is seen looking, and the task is read all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.cache import cache

from web.common import clock

from . import topics

log = structlog.get_logger(__name__)

GONE_AFTER = timedelta(seconds=30)
"""After its last sign of life a socket counts as gone. With the ten seconds until another one looks: gone within 40 s."""

EVENT = "ViewersChanged"

Roster = dict[str, tuple[str, str, datetime, datetime]]
"""Socket → number and name of its user, since when, last sign of life."""


def enter(topic: str, socket: str, user: Any) -> None:
    """A socket begins to listen. Told in any case: also to itself, who may have read the task before."""
    _note(topic, socket, user, always=True)


def stay(names: Iterable[str], socket: str, user: Any) -> None:
    """The socket's sign of life for all it listens to; tells when that shows somebody gone, or brings back whom the cache lost."""
    for topic in names:
        _note(topic, socket, user)


def leave(names: Iterable[str], socket: str) -> None:
    """The socket listens no more."""
    for topic in names:
        if not is_about(topic):
            continue
        try:
            before = _read(topic)
            after = {key: entry for key, entry in _living(before).items() if key != socket}
            _write(topic, after)
            _tell(topic, before, after)
        except Exception as error:
            _away(error)


def viewers(task: int, user: Any) -> list[dict[str, Any]]:
    """[{number, name, since}] of the others who look at the task, longest first. Whoever asks may read it: the caller has seen to that."""
    try:
        return others(_people(_living(_read(f"task:{task}"))), user)
    except Exception as error:
        _away(error)
        return []


def others(people: list[dict[str, Any]], user: Any) -> list[dict[str, Any]]:
    return [person for person in people if person["number"] != user.number]


def is_about(topic: str) -> bool:
    return topic.startswith("task:")


def _note(topic: str, socket: str, user: Any, *, always: bool = False) -> None:
    if not is_about(topic):
        return
    try:
        now, before = clock.now(), _read(topic)
        since = before[socket][2] if socket in before else now
        after = _living(before) | {socket: (user.number, user.name, since, now)}
        _write(topic, after)
        _tell(topic, {} if always else before, after)
    except Exception as error:
        _away(error)


def _read(topic: str) -> Roster:
    return cache.get(f"viewers:{topic}") or {}


def _write(topic: str, roster: Roster) -> None:
    if roster:
        cache.set(f"viewers:{topic}", roster, GONE_AFTER.total_seconds())
    else:
        cache.delete(f"viewers:{topic}")


def _living(roster: Roster) -> Roster:
    oldest = clock.now() - GONE_AFTER
    return {socket: entry for socket, entry in roster.items() if entry[3] > oldest}


def _people(roster: Roster) -> list[dict[str, Any]]:
    """One for each person however many tabs he has, since the first of them."""
    found: dict[str, dict[str, Any]] = {}
    for number, name, since, _ in sorted(roster.values(), key=lambda entry: entry[2]):
        found.setdefault(number, {"number": number, "name": name, "since": since})
    return list(found.values())


def _tell(topic: str, before: Roster, after: Roster) -> None:
    if _people(before) != _people(after):
        topics.send(topic, EVENT, {"viewers": _people(after)})


def _away(error: Exception) -> None:
    log.warning("who looks at what is not known", error=type(error).__name__)
