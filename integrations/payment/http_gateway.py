"""Payments over a provider's HTTPS gateway: signed requests under our keys, results by signed web hook or by asking."""

from __future__ import annotations

import json
import time
from datetime import date, datetime
from typing import Any

from .. import http
from ..errors import AdapterError
from ..ports import ProviderPayment, ProviderRefund, StatementRow
from ..signing import sign

PAYMENT_STATES = frozenset(["open", "paid", "cancelled", "unknown"])
REFUND_STATES = frozenset(["pending", "done", "failed", "unknown"])


class HttpGateway:
    """`url` is the root of the provider's interface; its web hooks go to `callback`."""

    def __init__(self, *, url: str, secret: str, callback: str = ""):
        self.url, self.secret, self.callback = url.rstrip("/"), secret, callback

    def ask(
        self, key: str, amount_fen: int, deadline: datetime | None, description: str, way: str = "link"
    ) -> ProviderPayment:
        asked = {"key": key, "amount_fen": amount_fen, "deadline": deadline.isoformat() if deadline else None}
        asked |= {"description": description, "way": way, "callback": self.callback}
        return _payment(self._post("/payments", asked))

    def query(self, key: str) -> ProviderPayment:
        return _payment(self._post("/payments/query", {"key": key}))

    def cancel(self, key: str) -> ProviderPayment:
        return _payment(self._post("/payments/cancel", {"key": key}))

    def refund(self, key: str, payment_key: str, amount_fen: int) -> ProviderRefund:
        asked = {"key": key, "payment_key": payment_key, "amount_fen": amount_fen, "callback": self.callback}
        return _refund(self._post("/refunds", asked))

    def refund_status(self, key: str) -> ProviderRefund:
        return _refund(self._post("/refunds/query", {"key": key}))

    def statement(self, day: date) -> list[StatementRow]:
        answer = self._post("/statement", {"day": day.isoformat()})
        try:
            return [StatementRow(**row) for row in answer["rows"]]
        except (KeyError, TypeError) as error:
            raise AdapterError("bad_answer") from error

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        headers = {"Idempotency-Key": body.get("key", ""), **sign(self.secret, content, at=int(time.time()))}
        answer = http.post(self.url + path, content=content, headers=headers)
        if not isinstance(answer, dict):
            raise AdapterError("bad_answer", in_doubt=True)
        return answer


def _payment(answer: dict[str, Any]) -> ProviderPayment:
    try:
        found = ProviderPayment(
            key=str(answer["key"]),
            state=answer["state"],
            id=str(answer.get("id") or ""),
            amount_fen=int(answer.get("amount_fen") or 0),
            charge=str(answer.get("charge") or ""),
            paid_at=instant(answer["paid_at"]) if answer.get("paid_at") else None,
            link=str(answer.get("link") or ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AdapterError("bad_answer", in_doubt=True) from error
    is_whole = found.state != "paid" or (found.charge and found.paid_at)
    if found.state not in PAYMENT_STATES or not is_whole:
        raise AdapterError("bad_answer", in_doubt=True)
    return found


def _refund(answer: dict[str, Any]) -> ProviderRefund:
    try:
        key, state = str(answer["key"]), answer["state"]
    except (KeyError, TypeError) as error:
        raise AdapterError("bad_answer", in_doubt=True) from error
    if state not in REFUND_STATES:
        raise AdapterError("bad_answer", in_doubt=True)
    return ProviderRefund(key, state, str(answer.get("id") or ""), str(answer.get("code") or "")[:40])


def instant(text: str) -> datetime:
    """An instant with offset; ValueError otherwise: a naive time stamp could be any hour."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without an offset")
    return at
