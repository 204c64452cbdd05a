"""Effects at the provider. Each may run again after a crash at any moment: before anything that moves money is sent a second time, the
provider is asked by our key whether it was done (W-53)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from integrations.errors import AdapterError
from integrations.ports import PaymentGateway, ProviderPayment, ProviderRefund
from integrations.registry import open_port
from web.jobs import services as jobs
from web.jobs.models import OutboundEffect
from web.payments.models import PaymentRequest, Refund

from .asking import forget_expiry
from .asking import send as send_effect
from .numbers import by_number, refund_by_number
from .refunds import provider_key, settled
from .settling import take_answer
from .telling import FAILED, UNPAID, tell_asked, tell_payment


def gateway() -> PaymentGateway:
    if not settings.PAYMENT_URL:
        raise jobs.Transient("channel_unavailable")
    options = {"url": settings.PAYMENT_URL, "secret": settings.PAYMENT_SECRET, "callback": settings.PAYMENT_CALLBACK}
    return open_port("payment", "http", **options)


def _sorted(error: AdapterError) -> Exception:
    return (jobs.Permanent if error.permanent else jobs.Transient)(error.code)


def _was_tried(key: str) -> bool:
    return OutboundEffect.objects.filter(key=key, attempts__gt=1).exists()


# --- asking for money ------------------------------------------------------------------------------------------------
def _ask_failed(effect: OutboundEffect) -> None:
    """The provider will never take this request: the customer cannot pay this way."""
    payload = effect.payload
    request = by_number(payload["payment"]) if payload else None
    if request is None:
        return
    rows = PaymentRequest.objects.filter(pk=request.pk, state__in=PaymentRequest.OPEN)
    if rows.update(state=PaymentRequest.FAILED, code=(effect.last_error or "failed")[:40], closed_at=effect.sent_at):
        forget_expiry(request)
        tell_payment(request, FAILED, "ask", is_final=True)


def _ask_sent(effect: OutboundEffect) -> None:
    """It ended while we were asking: what was asked for must not be paid any more."""
    request = by_number(effect.payload["payment"])
    if effect.reference and not request.is_open and request.state not in PaymentRequest.SETTLED:
        send_effect("payment.cancel", request, f"{request.number}:asked")


@jobs.sender("payment.ask", on_sent=_ask_sent, on_failed=_ask_failed)
def ask(payload: dict[str, Any], key: str) -> str:
    request = by_number(payload["payment"])
    if not request.is_open:
        return ""
    port = gateway()
    try:
        answer = port.query(request.key) if _was_tried(key) else None
        if answer is None or answer.state == "unknown":
            about = f"{request.number} {request.purpose}"
            answer = port.ask(request.key, request.amount_fen, request.deadline_at, about, request.way)
    except AdapterError as error:
        if error.in_doubt:
            rows = PaymentRequest.objects.filter(pk=request.pk, state=PaymentRequest.ASKED)
            rows.update(state=PaymentRequest.IN_DOUBT, code=error.code)
        raise _sorted(error) from error
    _note(request, answer)
    take_answer(answer)
    return answer.id


@transaction.atomic
def _note(request: PaymentRequest, answer: ProviderPayment) -> None:
    rows = PaymentRequest.objects.filter(pk=request.pk)
    rows.update(provider_id=answer.id[:80] or None, link=answer.link[:200] or None)
    if rows.filter(state__in=PaymentRequest.OPEN).update(state=PaymentRequest.ASKED, code=None):
        tell_asked(request)


# --- asking what became of it ----------------------------------------------------------------------------------------
@jobs.sender("payment.query")
def query(payload: dict[str, Any], key: str) -> str:
    request = by_number(payload["payment"])
    if not request.is_open:
        return ""
    try:
        answer = gateway().query(request.key)
    except AdapterError as error:
        raise _sorted(error) from error
    if not take_answer(answer):
        tell_payment(request, UNPAID, key)
    return answer.id


@jobs.sender("payment.cancel")
def cancel(payload: dict[str, Any], key: str) -> str:
    """Money that was faster than we comes out here, and goes the way of late money."""
    request = by_number(payload["payment"])
    try:
        answer = gateway().cancel(request.key)
    except AdapterError as error:
        raise _sorted(error) from error
    take_answer(answer)
    return answer.id


# --- giving it back --------------------------------------------------------------------------------------------------
def _refund_failed(effect: OutboundEffect) -> None:
    payload = effect.payload
    if payload and (refund := _attempt(payload)):
        settled(refund, done=False, code=effect.last_error or "")


def _attempt(payload: dict[str, Any]) -> Refund | None:
    """The refund while this attempt of it is the one that counts."""
    refund = refund_by_number(payload["refund"])
    return refund if refund.attempt == payload["attempt"] and refund.state == Refund.EXECUTING else None


@jobs.sender("payment.refund", on_failed=_refund_failed)
def refund(payload: dict[str, Any], key: str) -> str:
    row = _attempt(payload)
    if row is None:
        return ""
    port = gateway()
    try:
        answer = port.refund_status(provider_key(row)) if _was_tried(key) else None
        if answer is None or answer.state == "unknown":
            answer = port.refund(provider_key(row), row.request.key, row.amount_fen)
    except AdapterError as error:
        raise _sorted(error) from error
    _take_refund(row, answer)
    return answer.id


@jobs.sender("payment.refund_query")
def refund_query(payload: dict[str, Any], key: str) -> str:
    row = _attempt(payload)
    if row is None:
        return ""
    try:
        answer = gateway().refund_status(provider_key(row))
    except AdapterError as error:
        raise _sorted(error) from error
    _take_refund(row, answer)
    return answer.id


def _take_refund(row: Refund, answer: ProviderRefund) -> None:
    if answer.state in ("done", "failed"):
        settled(row, done=answer.state == "done", provider_id=answer.id, code=answer.code)
