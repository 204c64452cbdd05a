"""What this room tells after commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentChanged:
    """An agent's state, groups or skills are different now. `agent` is the key of the AgentProfile row, `user` of the User."""

    agent: int
    user: int
