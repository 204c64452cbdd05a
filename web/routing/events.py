"""What this room tells after commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockChanged:
    """An entry of the black list was applied for, came into force, was lifted, expired or refused."""

    entry: int
