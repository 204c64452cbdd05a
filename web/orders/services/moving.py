"""From payment to the customer's hand and back. Each act is one conditional change of the order's state; what does not fit its state
changes nothing and says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from web.clinics import services as clinics
from web.common.audit import audit
from web.common.publishing import publish
from web.membership import services as membership
from web.orders.events import OrderChanged
from web.orders.models import Order, OrderLine, Quote
from web.payments.models import PaymentRequest, Refund
from web.payments.services import late as payments

MOST_DOSE_DAYS = 30


class _Short(Exception):
    """Inside the transaction: pieces that were promised are gone."""


def _move(order: Order, before: Iterable[str], after: str, *, actor: Any = None, **facts: Any) -> bool:
    """True for the one who moved it; the row he holds is then as it stands."""
    if Order.objects.filter(pk=order.pk, state__in=tuple(before)).update(state=after, **facts) != 1:
        order.refresh_from_db()
        return False
    order.refresh_from_db()
    audit("orders.state", order.subject, actor=actor, person=order.person, state=after)
    publish(OrderChanged(order.pk))
    return True


def _lines(order: Order) -> list[OrderLine]:
    return list(order.lines.select_related("product").order_by("product__key"))


def pay(order: Order, payment: str, *, now: datetime, acting_user: Any = None) -> str:
    """paid: the pieces are kept without an end. short: the reservation was over and they are gone; the money must go back. not_paid: that
    payment is not of this case, not paid, too little, or pays another order. closed: the order is over. An order that costs nothing is paid
    by ""."""
    if (order.payment or "") == payment and order.state in (*Order.IN_WORK, Order.DONE):
        return "paid"
    request = PaymentRequest.objects.filter(number=payment, business_key=order.business_key).first()
    if order.amount_fen and not _pays(request, order):
        return "not_paid"
    try:
        with transaction.atomic():
            facts = {"payment": payment or None, "paid_at": request.paid_at if request else now}
            if not _move(order, (Order.DRAFT, Order.AWAITING_PAYMENT), Order.PAID, actor=acting_user, **facts):
                return "closed"
            for line in _lines(order):
                _keep(order, line)
    except _Short:
        Order.objects.filter(pk=order.pk).update(payment=payment or None, is_short=True)
        order.refresh_from_db()
        return "short"
    return "paid"


def _pays(request: PaymentRequest | None, order: Order) -> bool:
    if request is None or request.state not in PaymentRequest.SETTLED:
        return False
    if Order.objects.filter(payment=request.number).exclude(pk=order.pk).exists():
        return False
    return request.received_fen - request.refund_fen >= order.amount_fen


def _keep(order: Order, line: OrderLine) -> None:
    if clinics.keep_stock(line.reservation):
        return
    # Released after 48 hours, yet paid in time by the provider's clock: taken again while they are there.
    again = f"{order.number}:{line.product_id}:paid"
    if not clinics.reserve_stock(line.product, order.clinic, line.quantity, again):
        raise _Short
    OrderLine.objects.filter(pk=line.pk).update(reservation=again)


def to_pharmacy(order: Order, *, acting_user: Any = None) -> bool:
    """W-98: the pharmacy picks it."""
    return _move(order, (Order.PAID,), Order.DISPENSING, actor=acting_user, is_short=False)


def dispense(
    order: Order,
    *,
    is_short: bool,
    lot: str = "",
    dose_days: int = 0,
    dose_times: Iterable[str] = (),
    now: datetime,
    acting_user: Any = None,
) -> bool:
    """Picked, or back because something is missing (`is_short`). With the plan of taking it: on so many days, at these hours."""
    if is_short:
        return _move(order, (Order.DISPENSING,), Order.PAID, actor=acting_user, is_short=True)
    plan = {"dose_days": min(max(dose_days, 0), MOST_DOSE_DAYS), "dose_times": sorted(set(dose_times))}
    facts = {"dispensed_at": now, "lot": lot[:60] or None, **plan}
    return _move(order, (Order.DISPENSING,), Order.DISPENSING, actor=acting_user, **facts)


def to_decoction(order: Order, *, acting_user: Any = None) -> bool:
    return _move(order, (Order.DISPENSING,), Order.DECOCTING, actor=acting_user)


def ready(order: Order, *, bags: int | None = None, now: datetime, acting_user: Any = None) -> bool:
    """待取: the customer, or the courier, can come."""
    facts = {"ready_at": now} | ({"bags": bags} if bags else {})
    return _move(order, (Order.DISPENSING, Order.DECOCTING), Order.READY, actor=acting_user, **facts)


def hand_over(
    order: Order,
    how: str,
    *,
    lines: Iterable[Mapping[str, Any]] = (),
    courier_no: str = "",
    now: datetime,
    acting_user: Any = None,
) -> str:
    """complete, or part when pieces are still missing. `lines` = what is handed over now; without them all that is left. Never more of a
    line than was bought: refused, and nothing is written. closed: the order is over."""
    after = Order.DELIVERING if how == Order.COURIER else Order.READY
    facts = {"delivery": how, "handed_at": now} | ({"courier_no": courier_no[:40]} if courier_no else {})
    with transaction.atomic():
        if not _move(order, (Order.READY, Order.DELIVERING), after, actor=acting_user, **facts):
            return "closed"
        has_all = _hand(order, list(lines))
        transaction.set_rollback(not has_all)
    if not has_all:
        order.refresh_from_db()
        return "refused"
    left = order.lines.aggregate(left=Sum(F("quantity") - F("delivered")))["left"]
    return "part" if left else "complete"


def _hand(order: Order, lines: list[Mapping[str, Any]]) -> bool:
    if not lines:
        order.lines.update(delivered=F("quantity"))
        return True
    for row in lines:
        pieces = row.get("quantity")
        if type(pieces) is not int or pieces < 1:
            return False
        mine = order.lines.filter(product__key=row.get("product"), quantity__gte=F("delivered") + pieces)
        if mine.update(delivered=F("delivered") + pieces) != 1:
            return False
    return True


def complete(order: Order, *, now: datetime, acting_user: Any = None) -> dict[str, Any]:
    """P9: the pieces are sold, the member has his points and perhaps another level (W-27, W-39). Once: the same answer again."""
    with transaction.atomic():
        if _move(order, (Order.READY, Order.DELIVERING), Order.DONE, actor=acting_user, done_at=now):
            for line in _lines(order):
                clinics.take_stock(line.reservation)
            if order.customer is not None:
                counted = membership.order_completed(
                    order.customer, order.amount_fen, order.number, operator=acting_user
                )
                Order.objects.filter(pk=order.pk).update(points=counted["points"])
                order.points = counted["points"]
    level = membership.account(order.customer)["level"] if order.customer else None
    return {"points": order.points, "level": level["key"] if level else "", "done": order.state == Order.DONE}


def cancel(order: Order, reason: str, *, now: datetime, acting_user: Any = None) -> bool:
    """Its pieces are free for others; a completed order cannot be cancelled, only refunded."""
    with transaction.atomic():
        facts = {"reason": reason[:40], "ended_at": now}
        if not _move(order, Order.OPEN, Order.CANCELLED, actor=acting_user, **facts):
            return False
        for line in _lines(order):
            clinics.release_stock(line.reservation)
    return True


def give_back(order: Order, reason: str) -> str:
    """The customer takes something else: what he paid for this order goes back by a ticket of its own, with four eyes as always. Answers
    that ticket's number, "" when there is nothing to give back."""
    request = PaymentRequest.objects.filter(number=order.payment or "").first()
    ticket = payments.give_back(request, request.received_fen - request.refund_fen, reason) if request else None
    return ticket.number if ticket else ""


def drop_wishes(business_key: str) -> None:
    """Pieces kept before there was an order are free again."""
    for told in Quote.objects.filter(business_key=business_key).exclude(reservation=None).order_by("product__key"):
        clinics.release_stock(told.reservation)
        Quote.objects.filter(pk=told.pk).update(reservation=None)


def refunded(
    order: Order, refund: str, *, goods_back: bool, reason: str = "", now: datetime, acting_user: Any = None
) -> dict[str, Any]:
    """P10: money of this refund went back. Points go with it (W-39), goods return to the shelf if they came back sound. Once for each
    refund; nothing while the refund is not done. {state, points taken back, short}."""
    row = Refund.objects.filter(number=refund, state=Refund.DONE, request__number=order.payment or "").first()
    nothing = {"state": order.state, "points": 0, "short": 0}
    if row is None:
        return nothing
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order.pk)
        done = Refund.objects.filter(request__number=order.payment, state=Refund.DONE)
        # A fixed sum over what is done, not an addition: told twice it is the same.
        back = min(done.aggregate(sum=Coalesce(Sum("amount_fen"), 0))["sum"], order.amount_fen)
        was_sold = order.done_at is not None
        taken = {"points": 0, "short": 0}
        if was_sold and order.customer is not None and back > order.refunded_fen:
            taken = membership.order_refunded(
                order.customer,
                order.number,
                back - order.refunded_fen,
                f"{order.number}:{refund}",
                operator=acting_user,
            )
        state = Order.REFUNDED if back == order.amount_fen else Order.PART_REFUNDED
        facts = {"refunded_fen": back, "ended_at": now, "reason": reason[:40] or order.reason}
        before = (*Order.OPEN, Order.DONE, Order.CANCELLED, Order.PART_REFUNDED)
        _move(order, before, state, actor=acting_user, **facts)
        for line in _lines(order):
            if not was_sold:
                clinics.release_stock(line.reservation)
            elif goods_back:
                clinics.return_stock(line.reservation)
    return {"state": order.state, **taken}


# --- taking the medicine (M-07) --------------------------------------------------------------------------------
def next_dose(order: Order) -> datetime | None:
    """When the customer is to be reminded next, None when the plan is over; the question itself counts as told. The first day is the one
    after he has it."""
    times = [time.fromisoformat(text) for text in order.dose_times]
    if not times or order.done_at is None or order.state not in (Order.DONE, Order.PART_REFUNDED):
        return None
    index = order.doses_told
    if index >= order.dose_days * len(times):
        return None
    if Order.objects.filter(pk=order.pk, doses_told=index).update(doses_told=index + 1) != 1:
        order.refresh_from_db()
        return next_dose(order)
    zone = ZoneInfo(settings.TIME_ZONE)
    first: date = order.done_at.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(first + timedelta(days=index // len(times)), times[index % len(times)], zone)
