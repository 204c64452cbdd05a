"""What this room tells after commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeatTaken:
    """An agent sits at an extension now."""

    agent_id: int
    extension: str


@dataclass(frozen=True, slots=True)
class SeatLeft:
    """An agent left the seat (log-out, take-over): telephony signs the phone out."""

    agent_id: int
    extension: str


@dataclass(frozen=True, slots=True)
class AgentChanged:
    """An agent's state, groups or skills are different now. `agent` is the key of the AgentProfile row, `user` of the User."""

    agent: int
    user: int
