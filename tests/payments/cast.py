"""Who pays, who gives back, and a provider whose ledger tells what really happened to the money."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from integrations.fakes.payment_provider import Ledger, Refused
from integrations.payment.http_gateway import _payment, _refund
from integrations.ports import StatementRow
from integrations.signing import sign
from tests.support.cast import a_customer, a_user, an_agent
from web.accounts.models import User
from web.common import clock
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.messaging.models import Template
from web.payments import services
from web.payments.models import PaymentNotice, PaymentRequest, Refund
from web.tickets import services as tickets
from web.tickets.models import Ticket
from web.workflow import services as workflow

SECRET = "between-us"
FEE = 30000
HALF_AN_HOUR = timedelta(minutes=30)


class Gateway:
    """The adapter without the wire: the same words, the same ledger; `trouble` raises before or after the act."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.trouble, self.calls = ledger, [], []

    def _do(self, name: str, act: Callable[[], Any]) -> Any:
        from integrations.errors import AdapterError

        self.calls.append(name)
        trouble = self.trouble.pop(0) if self.trouble else None
        if trouble == "down":
            raise AdapterError("http_503")
        if trouble == "refuse":
            raise AdapterError("refused", permanent=True)
        try:
            answer = act()
        except Refused as refused:
            raise AdapterError(refused.args[0], permanent=True) from refused
        if trouble == "lost":
            raise AdapterError("timeout", in_doubt=True)
        return answer

    def ask(self, key, amount_fen, deadline, description, way="link"):
        return self._linked(self._do("ask", lambda: self.ledger.ask(key, amount_fen, way=way)))

    def query(self, key):
        return self._linked(self._do("query", lambda: self.ledger.query(key)))

    @staticmethod
    def _linked(answer):
        return _payment({**answer, "link": f"https://pay.example/{answer.get('id')}"})

    def cancel(self, key):
        return _payment(self._do("cancel", lambda: self.ledger.cancel(key)))

    def refund(self, key, payment_key, amount_fen):
        return _refund(self._do("refund", lambda: self.ledger.refund(key, payment_key, amount_fen)))

    def refund_status(self, key):
        return _refund(self._do("refund_status", lambda: self.ledger.refund_query(key)))

    def statement(self, day):
        return [StatementRow(**row) for row in self._do("statement", lambda: self.ledger.statement(day.isoformat()))]


def people() -> dict[str, User]:
    return {
        "anna": an_agent("1023", "booking"),
        "ben": an_agent("1024", "booking"),
        "sue": a_user("1011", "supervisor", "operations"),
        "max": a_user("1002", "manager", "centre"),
        "fay": a_user("1061", "finance", "finance"),
        "fred": a_user("1062", "finance", "finance"),
    }


def deploy() -> None:
    assert workflow.deploy_folder(settings.FLOWS_DIR).refused == {}
    for key in ("pay_link", "pay_reminder", "refund_done"):
        Template.objects.get_or_create(key=key, defaults={"body": f"{key} {{{{ amount }}}} {{{{ link }}}}"})


def a_case(
    anna: User, *, way: str = "link", deadline: datetime | str | None = "", amount_fen: int = FEE, **more
) -> Ticket:
    """A ticket that runs the payment flow itself, to be paid within half an hour."""
    at = clock.now() + HALF_AN_HOUR if deadline == "" else deadline
    data = {
        "amount_fen": amount_fen,
        "pay_deadline": at.isoformat() if at else "",
        "pay_way": way,
        "pay_purpose": "visit",
    }
    customer = more.pop("customer", None) or a_customer()
    return tickets.open_ticket(
        acting_user=anna, kind="payment", customer=customer, number="+8619900001001", data={**data, **more}
    )


def asked(key: str = "k-1", **given: Any) -> PaymentRequest:
    """A request without a flow."""
    wanted = {
        "business_key": "ticket:T-none",
        "amount_fen": FEE,
        "deadline": (clock.now() + HALF_AN_HOUR).isoformat(),
        "way": "link",
        "purpose": "visit",
    }
    return services.ask_for_payment(key=key, **{**wanted, **given})


def of(ticket: Ticket) -> PaymentRequest:
    return PaymentRequest.objects.get(business_key=ticket.key)


def again(row):
    return type(row).objects.get(pk=row.pk)


def work(times: int = 3) -> None:
    """Let due jobs run, and those they leave."""
    for _ in range(times):
        if not jobs.sweep():
            return


def event(request: PaymentRequest, *, charge: str = "charge-1", **given: Any) -> dict[str, Any]:
    at = given.pop("at", clock.now())
    told = {"id": f"event-{charge}", "kind": "payment.paid", "key": request.key, "charge": charge}
    return {**told, "amount_fen": request.amount_fen, "at": at if isinstance(at, str) else at.isoformat(), **given}


def post(client, told: Any, *, secret: str = SECRET, at: int | None = None):
    """One notice through the web hook."""
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    headers = sign(secret, body, at=at or int(time.time()))
    return client.post("/api/hooks/payment", body, content_type="application/json", headers=headers)


def verdicts() -> list[str]:
    return list(PaymentNotice.objects.order_by("pk").values_list("verdict", flat=True))


def told(name: str = "payment.result") -> list[str]:
    """Results the case was told, in order."""
    rows = InboundMessage.objects.filter(name=name).order_by("pk")
    return [row.payload.get("result", "") for row in rows]


def refund_tickets() -> list[Ticket]:
    return list(Ticket.objects.filter(kind="refund").order_by("pk"))


def wanted(request: PaymentRequest, by: User | None, amount_fen: int = 0, key: str = "r-1") -> Refund:
    outcome, refund = services.want_refund(
        request, amount_fen=amount_fen, reason="cancelled", key=key, business_key="ticket:T-none", acting_user=by
    )
    assert outcome == "wanted", outcome
    return refund
