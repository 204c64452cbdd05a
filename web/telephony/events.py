"""What telephony tells after commit, besides what calls and agents tell themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """The switch, or the state of things, refused a click, or nobody answered in time. `command` is the row's key."""

    command: int
    user: int
