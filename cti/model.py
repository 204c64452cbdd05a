"""The nouns of call control: a call, the connections of devices to it, their states and the causes of their ends.

Words and states are those of ECMA-269 (clauses 6.1 "Call control" and 12.2 "Event cause"); no Q.850 number, channel
name or other word of a PBX leaves a driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

OUTSIDE = "outside"
"""Device of the party beyond the trunk. Its number is not part of any identifier, so identifiers may be logged."""


class Direction(StrEnum):
    inbound = "in"
    outbound = "out"
    internal = "internal"
    dialler = "dialler"


class ConnectionState(StrEnum):
    null = "null"
    initiated = "initiated"
    alerting = "alerting"
    connected = "connected"
    hold = "hold"
    queued = "queued"
    fail = "fail"


class Cause(StrEnum):
    """Why a connection or a call ended."""

    normal = "normal"
    busy = "busy"
    no_answer = "no_answer"
    rejected = "rejected"
    answered_elsewhere = "answered_elsewhere"
    blocked = "blocked"
    abandoned = "abandoned"
    not_obtainable = "not_obtainable"  # the device is unknown to the PBX or not registered
    resync = "resync"  # found gone when the link came back; the true end is unknown
    rona = "rona"  # rang without answer and was withdrawn by us
    pickup = "pickup"
    deflect = "deflect"


RING_CAUSES = frozenset({Cause.rona, Cause.pickup, Cause.deflect, Cause.rejected})
"""Causes that end a ring only: with them a driver never cuts a connection that has been answered meanwhile."""

DIVERTED_CAUSES = frozenset({Cause.rona, Cause.pickup, Cause.deflect})


def connection_id(call_id: str, device: str, ordinal: int) -> str:
    """Identifier of a device's connection: call, device, and the how-manieth try of this device in this call."""
    return f"{call_id}/{device}/{ordinal}"


def call_of(connection: str) -> str:
    """The call a connection identifier belongs to."""
    return connection.split("/", 1)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A device's part in a call, as the PBX sees it now. `agent` is "" for the party outside."""

    id: str
    call_id: str
    device: str
    agent: str
    state: ConnectionState
    since: datetime
    is_muted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that exists in the PBX now (`Switch.snapshot`); ended connections are not listed."""

    call_id: str
    pbx_id: str
    direction: Direction
    calling: str = field(repr=False)
    called: str = field(repr=False)
    queue: str
    started_at: datetime
    answered_at: datetime | None
    connections: tuple[Connection, ...]

    @property
    def agent_connections(self) -> tuple[Connection, ...]:
        return tuple(connection for connection in self.connections if connection.device != OUTSIDE)
