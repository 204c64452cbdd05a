"""What the case hears: messages are rows, kept when they come before the flow waits."""

from __future__ import annotations

from datetime import timedelta

from web.jobs import services as jobs
from web.payments.models import PaymentRequest, Refund

PAID, FAILED, UNPAID = "paid", "failed", "unpaid"
KEPT = timedelta(days=7)
ANSWER_KEPT = timedelta(minutes=10)  # an answer is of use to the question only


def paid_message(request: PaymentRequest) -> str:
    return f"payment.result:{request.pk}:paid"


def tell_payment(request: PaymentRequest, result: str, event: str, *, is_final: bool = False) -> None:
    """payment.result for the case of this request. `event` names what it follows from: told twice is told once. failed + final: the
    customer cannot try again."""
    jobs.receive(
        "payment.result",
        message_id=paid_message(request) if result == PAID else f"payment.result:{request.pk}:{event}"[:120],
        business_key=request.business_key,
        keys={"payment": request.number},
        payload={
            "result": result,
            "paid_at": request.paid_at.isoformat() if request.paid_at and result == PAID else "",
            "final": is_final,
        },
        person=request.person,
        ttl=KEPT if result == PAID else ANSWER_KEPT,
    )


def tell_asked(request: PaymentRequest) -> None:
    """payment.asked: the provider has taken the request, the customer can be sent where he pays."""
    jobs.receive(
        "payment.asked",
        message_id=f"payment.asked:{request.pk}",
        business_key=request.business_key,
        keys={"payment": request.number},
        payload={},
        ttl=ANSWER_KEPT,
    )


def tell_refund(refund: Refund, result: str) -> None:
    """refund.result: done or failed."""
    jobs.receive(
        "refund.result",
        message_id=f"refund.result:{refund.pk}:{refund.attempt}:{result}",
        business_key=refund.business_key,
        keys={"refund": refund.number},
        payload={"result": result},
        ttl=KEPT,
    )
