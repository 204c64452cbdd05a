"""What the provider tells us, by web hook or by answer, has exactly one effect however often and in whatever order it comes.

| what comes | verdict | effect |
|---|---|---|
| money, the request open, paid no later than its deadline by the provider's time stamp | taken | paid; the case hears it |
| money for a request that is over, or paid too late, or a second time | late | the case takes it (hooks.on_late) or a refund ticket |
| another amount | wrong_amount | refused; an incident for finance |
| a declined attempt, the request open | taken | the case hears `failed` and waits on |
| the same event, or another event about the same charge | duplicate | counted, nothing else |
| a key we never gave out | unknown | an incident |
| a wrong signature | forged | refused, counted once an hour |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from integrations.ports import ProviderPayment
from web.common import clock
from web.common.audit import audit
from web.jobs import services as jobs
from web.payments.models import PaymentNotice, PaymentRequest

from .asking import forget_expiry
from .refunds import settle_refund
from .telling import FAILED, PAID, tell_payment

PAYMENT_PAID, PAYMENT_FAILED = "payment.paid", "payment.failed"
REFUND_DONE, REFUND_FAILED = "refund.done", "refund.failed"
KINDS = frozenset([PAYMENT_PAID, PAYMENT_FAILED, REFUND_DONE, REFUND_FAILED])
CLAIM_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """One event. `key` is ours; `charge` the provider's id of the money (or of the refund), `at` its time stamp."""

    event_id: str
    kind: str
    key: str
    charge: str
    amount_fen: int
    at: datetime
    code: str = ""


@transaction.atomic
def take_notice(notice: Notice) -> str:
    """Act on a genuine event once; returns the verdict."""
    try:
        with transaction.atomic():
            row = PaymentNotice.objects.create(
                event_id=notice.event_id, kind=notice.kind, amount_fen=notice.amount_fen, at=notice.at,
                verdict=PaymentNotice.UNKNOWN,
            )  # fmt: skip
    except IntegrityError:
        PaymentNotice.objects.filter(event_id=notice.event_id).update(repeats=F("repeats") + 1)
        return PaymentNotice.DUPLICATE
    if notice.kind in (REFUND_DONE, REFUND_FAILED):
        done = notice.kind == REFUND_DONE
        request, verdict = settle_refund(notice.key, done=done, provider_id=notice.charge, code=notice.code)
    else:
        request = PaymentRequest.objects.select_related("customer").filter(key=notice.key).first()
        verdict = _payment(row, request, notice) if request else PaymentNotice.UNKNOWN
    if request is None:
        jobs.raise_incident(f"payment_notice:{row.pk}", "payments.notice", "unknown payment")
    row.request, row.verdict, row.person = request, verdict, request.person if request else None
    row.facts = {"key": notice.key, "charge": notice.charge, "code": notice.code}
    row.save(update_fields=["request", "verdict", "person", "sealed_facts"])
    return verdict


def take_answer(answer: ProviderPayment) -> str:
    """The provider answered a question: the money it speaks of counts as if its notice had come, once."""
    if answer.state != "paid" or answer.paid_at is None:
        return ""
    return take_notice(
        Notice(
            event_id=f"answer:{answer.charge}"[:80],
            kind=PAYMENT_PAID,
            key=answer.key,
            charge=answer.charge,
            amount_fen=answer.amount_fen,
            at=answer.paid_at,
        )
    )


def _payment(row: PaymentNotice, request: PaymentRequest, notice: Notice) -> str:
    if notice.kind == PAYMENT_FAILED:
        if not request.is_open:
            return PaymentNotice.LATE
        tell_payment(request, FAILED, notice.event_id)
        return PaymentNotice.TAKEN
    if notice.amount_fen != request.amount_fen:
        cause = f"{notice.amount_fen} fen came where {request.amount_fen} were asked for"
        jobs.raise_incident(f"payment:{request.pk}", "payments.wrong_amount", cause)
        return PaymentNotice.WRONG_AMOUNT
    try:
        with transaction.atomic():
            PaymentNotice.objects.filter(pk=row.pk).update(charge=notice.charge)
    except IntegrityError:
        return PaymentNotice.DUPLICATE
    row.charge = notice.charge
    return _money(row, request, notice)


def _money(row: PaymentNotice, request: PaymentRequest, notice: Notice) -> str:
    rows, now = PaymentRequest.objects.filter(pk=request.pk), clock.now()
    came: dict[str, Any] = {"received_fen": F("received_fen") + notice.amount_fen}
    in_time = request.deadline_at is None or notice.at <= request.deadline_at
    if in_time and rows.filter(state__in=PaymentRequest.OPEN).update(
        state=PaymentRequest.PAID, paid_at=notice.at, closed_at=now, **came
    ):
        request.refresh_from_db()
        audit(
            "payment.paid",
            f"payment:{request.pk}",
            person=request.person,
            amount_fen=notice.amount_fen,
            way=request.way,
        )
        tell_payment(request, PAID, "paid")
        forget_expiry(request)
        payload = {"payment": request.pk}
        jobs.enqueue(
            "payments.claimed", key=f"payments.claimed:{request.pk}", payload=payload, due_at=now + CLAIM_WITHIN
        )
        return PaymentNotice.TAKEN
    rows.update(**came)
    rows.filter(paid_at=None).update(paid_at=notice.at)
    audit("payment.late", f"payment:{request.pk}", person=request.person, amount_fen=notice.amount_fen)
    jobs.enqueue("payments.late", key=f"payments.late:{row.pk}", payload={"notice": row.pk})
    return PaymentNotice.LATE


@transaction.atomic
def note_forgery(kind: str) -> None:
    """Somebody signs who does not know the secret: one row an hour, so that nobody can fill the table."""
    now = clock.now()
    recent = PaymentNotice.objects.filter(verdict=PaymentNotice.FORGED, received_at__gt=now - timedelta(hours=1))
    first = recent.order_by("pk").first()
    if first:
        PaymentNotice.objects.filter(pk=first.pk).update(repeats=F("repeats") + 1)
    else:
        PaymentNotice.objects.create(kind=kind if kind in KINDS else "", verdict=PaymentNotice.FORGED, received_at=now)
