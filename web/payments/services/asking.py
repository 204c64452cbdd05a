"""Asking for money and ending the wait for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from web.accounts import services as accounts
from web.accounts.models import User
from web.common import clock
from web.common.audit import audit
from web.common.errors import BadInput
from web.jobs import services as jobs
from web.membership import services as membership
from web.payments.models import PaymentRequest
from web.tickets import services as tickets

from .numbers import by_number, next_number
from .statements import expect_statement
from .telling import PAID, UNPAID, tell_payment

GRACE = timedelta(minutes=10)  # for the flow to close what it asked for; then nobody will
REMIND_BEFORE = timedelta(minutes=10)


@transaction.atomic
def ask_for_payment(
    *,
    key: str,
    business_key: str,
    amount_fen: int,
    deadline: str,
    way: str,
    purpose: str,
    clinic: str = "",
    acting_user: User | None = None,
) -> PaymentRequest:
    """Ask for `amount_fen` > 0 until `deadline` (ISO with offset, "" = no end). The same `key` again is the same request. From the fund it
    is paid at once. What cannot be asked for comes back `failed` with its code: fund_too_low, no_customer, channel_unavailable, too_late.
    BadInput names amount_fen or deadline."""
    known = PaymentRequest.objects.filter(key=key).first()
    if known is not None:
        return known
    if amount_fen <= 0:
        raise BadInput("bad_amount", fields={"amount_fen": [{"code": "min_value"}]})
    ticket = tickets.by_key(business_key)
    request = PaymentRequest.objects.create(
        number=next_number("P"),
        key=key,
        business_key=business_key,
        purpose=purpose,
        clinic=clinic or None,
        customer=ticket.customer if ticket else None,
        amount_fen=amount_fen,
        way=way,
        asked_by=acting_user,
        deadline_at=_instant(deadline),
    )
    audit(
        "payment.asked",
        f"payment:{request.pk}",
        actor=acting_user,
        person=request.person,
        amount_fen=amount_fen,
        way=way,
    )
    refused = _refusal(request)
    if refused:
        request.state, request.code, request.closed_at = PaymentRequest.FAILED, refused, clock.now()
        request.save(update_fields=["state", "code", "closed_at"])
    elif way == PaymentRequest.FUND:
        _pay_from_fund(request)
    else:
        if way in PaymentRequest.BY_PROVIDER:
            send("payment.ask", request)
            expect_statement()
        if request.deadline_at:
            due = request.deadline_at + GRACE
            jobs.enqueue("payments.expire", key=_expire_key(request), payload={"payment": request.pk}, due_at=due)
    return request


def remind_at(request: PaymentRequest) -> datetime | None:
    """When a customer who pays by himself is reminded; None when there is nothing to remind of, or no time left."""
    if not request.is_open or request.way not in PaymentRequest.BY_PROVIDER or request.deadline_at is None:
        return None
    at = request.deadline_at - REMIND_BEFORE
    return at if at > clock.now() else None


def _instant(deadline: str) -> datetime | None:
    if not deadline:
        return None
    try:
        at = datetime.fromisoformat(deadline)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadInput("bad_deadline", fields={"deadline": [{"code": "invalid"}]})
    return at


def _refusal(request: PaymentRequest) -> str:
    if request.deadline_at and request.deadline_at <= clock.now():
        return "too_late"
    if request.way in PaymentRequest.BY_PROVIDER and not settings.PAYMENT_URL:
        return "channel_unavailable"
    if request.way == PaymentRequest.FUND and request.customer is None:
        return "no_customer"
    return ""


def _pay_from_fund(request: PaymentRequest) -> None:
    now = clock.now()
    try:
        with transaction.atomic():
            key = f"payment:{request.number}"
            membership.move_fund(request.customer, -request.amount_fen, reason="payment", key=key)
    except membership.NotEnough as refused:
        request.state, request.code = PaymentRequest.FAILED, refused.code
    else:
        request.state, request.received_fen = PaymentRequest.PAID, request.amount_fen
        request.paid_at = request.claimed_at = now
        audit(
            "payment.paid",
            f"payment:{request.pk}",
            person=request.person,
            amount_fen=request.amount_fen,
            way=request.way,
        )
    request.closed_at = now
    request.save(update_fields=["state", "code", "received_fen", "paid_at", "claimed_at", "closed_at"])


def send(topic: str, request: PaymentRequest, key: str = "") -> None:
    """One effect at the provider: payment.ask, payment.cancel once for ever, payment.query once per question."""
    jobs.effect(
        topic, key=f"{topic}:{key or request.number}"[:120], subject=request.business_key, person=request.person,
        payload={"payment": request.number},
    )  # fmt: skip


def _expire_key(request: PaymentRequest) -> str:
    return f"payments.expire:{request.pk}"


def forget_expiry(request: PaymentRequest) -> None:
    jobs.cancel(_expire_key(request))


@transaction.atomic
def query(request: PaymentRequest, *, key: str) -> None:
    """Ask what became of it; the case hears payment.result, `unpaid` when no money came. `key` makes it one question."""
    if request.is_open and request.way in PaymentRequest.BY_PROVIDER:
        send("payment.query", request, key)
    else:
        tell_payment(request, PAID if request.state in PaymentRequest.SETTLED else UNPAID, f"query:{key}")


@transaction.atomic
def close(request: PaymentRequest, *, reason: str = "timeout") -> PaymentRequest:
    """End the waiting, `timeout` or `cancelled`. What is paid stays paid. Else the provider is told to take no money any more; what it
    took before, and we learn now or later, is late money (services.settling)."""
    state = PaymentRequest.CANCELLED if reason == "cancelled" else PaymentRequest.EXPIRED
    rows = PaymentRequest.objects.filter(pk=request.pk)
    if rows.filter(state__in=PaymentRequest.OPEN).update(state=state, closed_at=clock.now()):
        audit(f"payment.{state}", f"payment:{request.pk}", person=request.person)
        if request.way in PaymentRequest.BY_PROVIDER:
            send("payment.cancel", request)
        forget_expiry(request)
    else:
        rows.filter(state__in=PaymentRequest.SETTLED, claimed_at=None).update(claimed_at=clock.now())
    request.refresh_from_db()
    return request


def close_for_flow(number: str, *, business_key: str, reason: str) -> dict[str, Any]:
    """close() by number, or, for "", the newest payment of the case. {state: paid | expired | cancelled, payment, amount_fen}."""
    of_case = PaymentRequest.objects.filter(business_key=business_key).select_related("customer").order_by("-pk")
    request = by_number(number) if number else of_case.first()
    if request is None:
        return {"state": "cancelled", "payment": "", "amount_fen": 0}
    close(request, reason=reason)
    is_paid = request.state in PaymentRequest.SETTLED
    state = "paid" if is_paid else "cancelled" if request.state == PaymentRequest.CANCELLED else "expired"
    left = request.received_fen - request.refund_fen if is_paid else 0
    return {"state": state, "payment": request.number, "amount_fen": left}


@transaction.atomic
def confirm_at_desk(
    request: PaymentRequest, *, way: str, amount_fen: int = 0, reference: str = "", acting_user: User | None
) -> str:
    """Finance holds the money (W-99). paid | wrong_amount | already | closed | not_allowed; anything but `paid` changes nothing."""
    if not accounts.has_permission(acting_user, "payments.handle"):
        return "not_allowed"
    if request.state in PaymentRequest.SETTLED:
        return "already"
    if amount_fen and amount_fen != request.amount_fen:
        return "wrong_amount"
    now, rows = clock.now(), PaymentRequest.objects.filter(pk=request.pk)
    values = {"desk_way": way[:20], "desk_reference": reference[:60] or None, "confirmed_by": acting_user}
    taken = rows.filter(state__in=PaymentRequest.OPEN).update(
        state=PaymentRequest.PAID, received_fen=request.amount_fen, paid_at=now, closed_at=now, claimed_at=now, **values
    )
    request.refresh_from_db()
    if not taken:
        return "already" if request.state in PaymentRequest.SETTLED else "closed"
    audit(
        "payment.confirmed",
        f"payment:{request.pk}",
        actor=acting_user,
        person=request.person,
        way=way,
        reference=reference,
    )
    forget_expiry(request)
    if request.way in PaymentRequest.BY_PROVIDER:  # the link is still out there
        send("payment.cancel", request)
        tell_payment(request, PAID, "desk")
    return "paid"
