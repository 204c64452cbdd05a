"""What the product asks of the outside world, as small Protocols. Adapters translate and decide whether trying again makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutboundText:
    """to: E.164. key: the same for the same message for ever, so that sending twice is sending once."""

    to: str
    text: str
    key: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's own id of an accepted message."""

    id: str


class SmsPort(Protocol):
    def send(self, message: OutboundText) -> Receipt:
        """Hand one message over. AdapterError as in integrations.errors."""
        ...
