"""What this room tells after commit. `call` is the key of the Call row, `agents` keys of AgentProfile rows it concerns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallQueued:
    """A caller waits in a queue."""

    call: int


@dataclass(frozen=True, slots=True)
class CallDelivered:
    """A call rings at these agents, or is being dialled by them."""

    call: int
    agents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CallAnswered:
    call: int
    agents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CallChanged:
    """Held, muted, tagged, withdrawn from a phone …: the agents' pictures of the call are out of date."""

    call: int
    agents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CallCleared:
    """The call is over for everybody; `agents` are all it ever rang at."""

    call: int
    agents: tuple[int, ...]
