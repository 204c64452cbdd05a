from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notified:
    """A user has something new in the notification centre."""

    notification_id: int
    user_id: int


@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """Every session of this user is over: sockets close."""

    user_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The user ended his session himself."""

    user_id: int
