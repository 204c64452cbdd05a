"""What the product asks of the outside world, as small Protocols. Adapters translate and decide whether trying again makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
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


@dataclass(frozen=True, slots=True)
class ProviderPayment:
    """What the provider says about one payment. state: open | paid | cancelled | unknown (it never heard of our key).
    `charge` = its id of the money that came, `paid_at` = its time stamp, `link` = where the customer pays."""

    key: str
    state: str
    id: str = ""
    amount_fen: int = 0
    charge: str = ""
    paid_at: datetime | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """What the provider says about one refund. state: pending | done | failed | unknown (it never heard of our key)."""

    key: str
    state: str
    id: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One movement of the provider's ledger. kind: payment | refund. `key` is ours, `id` the provider's."""

    key: str
    kind: str
    amount_fen: int
    id: str


class PaymentGateway(Protocol):
    """A payment provider. Every act has a key of ours: the same key again is the same act, never a second one. AdapterError as in
    integrations.errors; after an error in doubt the provider is asked by key before anything is sent again."""

    def ask(
        self, key: str, amount_fen: int, deadline: datetime | None, description: str, way: str = "link"
    ) -> ProviderPayment:
        """Let the customer pay until `deadline`. way: link | ivr."""
        ...

    def query(self, key: str) -> ProviderPayment:
        """What became of it; an open one with its link, as ask() answers."""
        ...

    def cancel(self, key: str) -> ProviderPayment:
        """Take no money for this key from now on, also when it was never asked for. Money that came before is said."""
        ...

    def refund(self, key: str, payment_key: str, amount_fen: int) -> ProviderRefund:
        """Give back a part of what was paid under `payment_key`."""
        ...

    def refund_status(self, key: str) -> ProviderRefund: ...

    def statement(self, day: date) -> list[StatementRow]:
        """All movements of one day at the provider's place."""
        ...
