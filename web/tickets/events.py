from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TicketOpened:
    ticket_id: int


@dataclass(frozen=True, slots=True)
class TicketChanged:
    ticket_id: int
