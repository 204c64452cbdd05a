from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CustomerRegistered:
    customer_id: int


@dataclass(frozen=True, slots=True)
class CustomerChanged:
    """Something on the card is different: screens that show it read it again."""

    customer_id: int
