"""What a PBX tells: facts in the past tense, small and frozen, named after the events of ECMA-269 (clause 17, 22).

Every event carries `call_id` (ours; "" for events of a device or of the link), `pbx_id` (the PBX's own identifier of
the call, the key of the call's row), `at` (aware, UTC) and `seq` (numbered by the driver while it lives: tells two
like events of the same instant apart and marks a repeated one; 0 for events that were inferred, not heard).

A connection appears with Delivered, Originated or Failed and ends with exactly one of ConnectionCleared, Diverted or
Failed. A call ends with exactly one CallCleared, and nothing follows it. Numbers are kept out of `repr`, hence of logs.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any

from cti.model import Cause, Direction

PERSONAL = frozenset({"calling", "called", "digits"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    call_id: str
    pbx_id: str
    at: datetime
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequested(Event):
    """First sight of an inbound call: not answered yet; the PBX waits for refuse, queue or deliver."""

    calling: str = field(repr=False)
    called: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(Event):
    """The caller hears music and waits in `queue`."""

    calling: str = field(repr=False)
    called: str = field(repr=False)
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Originated(Event):
    """First sight of a call an agent's device makes; `called` is being dialled."""

    connection: str
    calling: str = field(repr=False)
    called: str = field(repr=False)
    device: str
    agent: str
    direction: Direction = Direction.outbound


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(Event):
    """`device` rings (`OUTSIDE` when the dialled party does)."""

    connection: str
    calling: str = field(repr=False)
    called: str = field(repr=False)
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Established(Event):
    """`device` answered: it and the other party talk."""

    connection: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Event):
    connection: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved(Event):
    connection: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted(Event):
    connection: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmuted(Event):
    connection: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverted(Event):
    """A ring was taken from `device`: rona (withdrawn unanswered), pickup, deflect. The call goes on."""

    connection: str
    device: str
    agent: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """The connection could not be made: busy, no_answer, rejected, blocked, not_obtainable."""

    connection: str
    device: str
    agent: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCleared(Event):
    """`device` left the call."""

    connection: str
    device: str
    agent: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCleared(Event):
    """The call is over. `outcome`: answered, abandoned, blocked or no_answer, as the driver saw it."""

    cause: Cause
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsGenerated(Event):
    """The party outside pressed keys."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred(Event):
    """`connection` left in favour of `to_connection`."""

    connection: str
    to_connection: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conferenced(Event):
    """`connection` joined the talk of the others."""

    connection: str
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOnline(Event):
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOffline(Event):
    device: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus(Event):
    """State of the link (CSTA SystemStatus). `disabled` is the last thing a sink hears; then connect and snapshot anew.

    reason: replaced (another connect took over), restart (the PBX lost its calls), link_lost (calls live on), closed.
    """

    status: str
    reason: str


TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        RouteRequested,
        Queued,
        Originated,
        Delivered,
        Established,
        Held,
        Retrieved,
        Muted,
        Unmuted,
        Diverted,
        Failed,
        ConnectionCleared,
        CallCleared,
        DigitsGenerated,
        Transferred,
        Conferenced,
        DeviceOnline,
        DeviceOffline,
        SystemStatus,
    )
}


def to_dict(event: Event, *, personal: bool = False) -> dict[str, Any]:
    """JSON-ready form with the event's name under "event"; numbers and digits only when `personal`."""
    data: dict[str, Any] = {"event": type(event).__name__}
    for spec in fields(event):
        value = getattr(event, spec.name)
        if spec.name == "at":
            value = value.isoformat()
        if personal or spec.name not in PERSONAL:
            data[spec.name] = str(value) if isinstance(value, Cause | Direction) else value
    return data


def from_dict(data: dict[str, Any]) -> Event:
    """The event `to_dict` was made from; personal fields that were left out come back as "".

    Raises ValueError for an unknown event or a missing field.
    """
    kind = TYPES.get(data.get("event", ""))
    if kind is None:
        raise ValueError(f"unknown event {data.get('event')!r}")
    values: dict[str, Any] = {}
    for spec in fields(kind):
        if spec.name in data:
            values[spec.name] = data[spec.name]
        elif spec.name in PERSONAL:
            values[spec.name] = ""
        elif spec.default is MISSING:
            raise ValueError(f"{kind.__name__} lacks {spec.name!r}")
    values["at"] = datetime.fromisoformat(values["at"])
    if "cause" in values:
        values["cause"] = Cause(values["cause"])
    if "direction" in values:
        values["direction"] = Direction(values["direction"])
    return kind(**values)
