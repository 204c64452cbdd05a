"""What completed and refunded orders do to a member (W-27, W-39)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Sum

from web.common import clock
from web.common.errors import BadInput, DomainError, NotFound
from web.customers.models import Customer
from web.membership.models import Account, CountedOrder, CountedRefund
from web.membership.services.ledgers import add_points, opened
from web.membership.services.members import raise_level


class RefundTooHigh(DomainError):
    """More than what is left of the order. Facts: left_fen."""

    code, status = "refund_too_high", 409


def order_completed(customer: Customer, amount_fen: int, key: str, *, operator: Any = None) -> dict[str, Any]:
    """Points by the fixed ratio (POINTS_PER_YUAN for each whole 100 fen), sum and number of orders, perhaps a higher level. Once for each
    `key`, which names the order. Returns {points: given for this order, level: key of the level after it or ""}."""
    if amount_fen < 0:
        raise BadInput(fields={"amount_fen": [{"code": "too_small", "least": 0}]})
    points = amount_fen // 100 * settings.POINTS_PER_YUAN
    opened(customer)
    try:
        with transaction.atomic():
            facts = {"customer": customer, "amount_fen": amount_fen, "points": points, "at": clock.now()}
            if not CountedOrder.objects.filter(key=key).exists():
                CountedOrder.objects.create(key=key, **facts)
                counted = {"spent_fen": F("spent_fen") + amount_fen, "orders": F("orders") + 1}
                Account.objects.filter(customer=customer).update(**counted)
                add_points(customer, points, "order", f"order:{key}", reference=key, operator=operator)
                raise_level(customer)
    except IntegrityError:  # another worker counts the same order in this moment
        if not CountedOrder.objects.filter(key=key).exists():
            raise
    row = CountedOrder.objects.get(key=key)
    if row.customer_id != customer.pk:
        raise NotFound("order_of_another", key=key)
    level = Account.objects.values_list("level__key", flat=True).get(customer=customer)
    return {"points": row.points, "level": level or ""}


def order_refunded(
    customer: Customer, order_key: str, amount_fen: int, key: str, *, operator: Any = None
) -> dict[str, int]:
    """Take the points of the refunded part back. Once for each `key`, which names the refund. Returns {points: taken back, short: spent
    already and therefore not taken}. Nothing for an order that was never completed. RefundTooHigh."""
    if amount_fen < 1:
        raise BadInput(fields={"amount_fen": [{"code": "too_small", "least": 1}]})
    order = CountedOrder.objects.filter(key=order_key, customer=customer).first()
    if order is None:
        return {"points": 0, "short": 0}
    with transaction.atomic():
        # Refunds of one order wait for each other here, so the key can be looked up before anything is done.
        order = CountedOrder.objects.select_for_update().get(pk=order.pk)
        known = CountedRefund.objects.filter(key=key).first()
        if known is None:
            known = _take_back(customer, order, amount_fen, key, operator)
    return {"points": known.points, "short": known.short}


def _take_back(customer: Customer, order: CountedOrder, amount_fen: int, key: str, operator: Any) -> CountedRefund:
    left = order.amount_fen - order.refunded_fen
    if amount_fen > left:
        raise RefundTooHigh(left_fen=left)
    CountedOrder.objects.filter(pk=order.pk).update(refunded_fen=F("refunded_fen") + amount_fen)
    sums = order.refunds.aggregate(taken=Sum("points"), short=Sum("short"))
    settled = (sums["taken"] or 0) + (sums["short"] or 0)
    due = order.points - order.points * (left - amount_fen) // order.amount_fen - settled
    account = Account.objects.select_for_update().get(customer=customer)
    taken = min(account.points, due)
    whole = amount_fen == left
    counted = {"spent_fen": F("spent_fen") - amount_fen, "orders": F("orders") - int(whole)}
    Account.objects.filter(pk=account.pk).update(**counted)
    add_points(customer, -taken, "refund", f"refund:{key}", reference=order.key, operator=operator)
    facts = {"amount_fen": amount_fen, "points": taken, "short": due - taken, "at": clock.now()}
    return CountedRefund.objects.create(key=key, order=order, **facts)
