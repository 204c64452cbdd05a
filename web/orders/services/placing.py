"""Placing an order: prices and stock are looked at once more, then everything is reserved or nothing (P4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from web.clinics import services as clinics
from web.clinics.models import Product
from web.common.audit import audit
from web.common.errors import BadInput
from web.common.publishing import publish
from web.customers.models import Customer
from web.membership import services as membership
from web.orders.events import OrderChanged
from web.orders.models import Order, OrderLine, Quote
from web.orders.services.lookup import next_number
from web.orders.services.pricing import Terms, checked_quantity, local_day, terms
from web.places.models import Clinic
from web.tickets import services as tickets

RESERVED = timedelta(hours=48)
"""9.3 P4: how long pieces wait for their payment."""

MOST_LINES = 30


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of the wish: placed, or why not, with the field, a code and the product it is about."""

    outcome: str
    order: str = ""
    amount_fen: int = 0
    reserved_until: str = ""
    field: str = ""
    reason: str = ""
    product: str = ""

    def as_result(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Wish:
    index: int
    product: Product
    quantity: int


class _Refused(Exception):
    """Inside the transaction: nothing of it stays."""

    def __init__(self, placed: Placed) -> None:
        self.placed = placed


def read_lines(lines: Iterable[Any]) -> list[_Wish]:
    """Products and how many; the same product twice is one line. BadInput names the line and what is wrong with it."""
    rows, problems, found = list(lines or []), {}, {}
    if not rows:
        raise BadInput("order_refused", fields={"lines": [{"code": "required"}]})
    if len(rows) > MOST_LINES:
        raise BadInput("order_refused", fields={"lines": [{"code": "too_many", "most": MOST_LINES}]})
    for index, row in enumerate(rows):
        said = row if isinstance(row, Mapping) else {}
        product = clinics.product_by_key(str(said.get("product") or ""))
        quantity = said.get("quantity")
        if product is None:
            problems[f"lines.{index}.product"] = [{"code": "unknown"}]
        if type(quantity) is not int:
            problems[f"lines.{index}.quantity"] = [{"code": "invalid"}]
        if problems:
            continue
        before = found.get(product.pk)
        pieces = checked_quantity(quantity, f"lines.{index}.quantity") + (before.quantity if before else 0)
        checked_quantity(pieces, f"lines.{index}.quantity")
        found[product.pk] = _Wish(before.index if before else index, product, pieces)
    if problems:
        raise BadInput("order_refused", fields=problems)
    # Always in the same order: two orders of the same products never wait for each other.
    return sorted(found.values(), key=lambda wish: wish.product.key)


def reserve(quote: Quote, quantity: int, key: str, *, now: datetime) -> bool:
    """P3: keep pieces before there is an order, for 48 hours; what was kept before goes back first."""
    checked_quantity(quantity)
    try:
        with transaction.atomic():
            if quote.reservation and quote.reservation != key:
                clinics.release_stock(quote.reservation)
            if not clinics.reserve_stock(quote.product, quote.clinic, quantity, key, until=now + RESERVED):
                raise _Refused(Placed("short"))
            Quote.objects.filter(pk=quote.pk).update(reservation=key)
    except _Refused:
        return False
    return True


def place(
    business_key: str,
    clinic: Clinic | None,
    lines: Iterable[Any],
    *,
    key: str,
    customer: Customer | None,
    delivery: str = Order.PICKUP,
    is_prescribed: bool = False,
    now: datetime,
    acting_user: Any = None,
) -> Placed:
    """All lines are reserved for 48 hours, or nothing is. Outcomes besides placed: short; price_changed and expired_promotion (the price
    the customer was told holds no more: the new one is noted as told, so the next try is placed); prescription (a doctor must have seen
    it); refused (field, reason). The same `key` again is the same order."""
    known = Order.objects.filter(key=key).first()
    if known is not None:
        return _placed(known)
    if clinic is None:
        return Placed("refused", field="clinic", reason="unknown")
    try:
        wishes = read_lines(lines)
    except BadInput as error:
        field, problems = next(iter(error.facts["fields"].items()))
        return Placed("refused", field=field, reason=problems[0]["code"])
    for wish in wishes:
        if wish.product.prescription_only and not is_prescribed:
            return _about("prescription", wish, "product", "prescription_only")
    benefits, day = membership.benefits(customer), local_day(now)
    priced: list[tuple[_Wish, Terms]] = []
    for wish in wishes:
        mine, refusal = _price(business_key, wish, terms(wish.product, customer, day, benefits=benefits), now)
        if refusal:
            return refusal
        priced.append((wish, mine))
    try:
        with transaction.atomic():
            facts = {
                "business_key": business_key,
                "key": key,
                "clinic": clinic,
                "customer": customer,
                "delivery": delivery,
                "level": benefits["level"] or None,
                "placed_by": acting_user,
                "placed_at": now,
                "reserved_until": now + RESERVED,
            }
            return _place(priced, facts)
    except _Refused as refused:
        return refused.placed
    except IntegrityError:  # the same step, a moment ago
        known = Order.objects.filter(key=key).first()
        if known is None:
            raise
        return _placed(known)


def _place(priced: list[tuple[_Wish, Terms]], facts: dict[str, Any]) -> Placed:
    kept = Quote.objects.filter(business_key=facts["business_key"]).exclude(reservation=None).order_by("product__key")
    for reservation in kept.values_list("reservation", flat=True):
        clinics.release_stock(reservation)
    first = Quote.objects.filter(business_key=facts["business_key"]).order_by("pk").first()
    order = Order.objects.create(
        number=next_number(),
        ticket=tickets.by_key(facts["business_key"]),
        list_fen=sum(price.price_fen * wish.quantity for wish, price in priced),
        amount_fen=sum(price.amount(wish.quantity) for wish, price in priced),
        sold_by_id=first.saved_by_id if first and first.saved_by_id else getattr(facts["placed_by"], "pk", None),
        **facts,
    )
    for wish, price in priced:
        line = OrderLine.objects.create(
            order=order,
            product=wish.product,
            quantity=wish.quantity,
            price_fen=price.price_fen,
            discount_percent=price.percent,
            discount_kind=price.kind or None,
            amount_fen=price.amount(wish.quantity),
            reservation=f"{order.number}:{wish.product.pk}",
        )
        if not clinics.reserve_stock(
            wish.product, order.clinic, wish.quantity, line.reservation, until=order.reserved_until
        ):
            raise _Refused(_about("short", wish, "quantity", "above_stock"))
    kept.update(reservation=None)
    audit("orders.placed", order.subject, actor=facts["placed_by"], person=order.person, amount_fen=order.amount_fen)
    publish(OrderChanged(order.pk))
    return _placed(order)


def _price(business_key: str, wish: _Wish, today: Terms, now: datetime) -> tuple[Terms, Placed | None]:
    """What he pays: the price he was told while it holds and is the lower one. A promotion counts while it runs, however long the price
    holds."""
    told = Quote.objects.filter(business_key=business_key, product=wish.product).first()
    if told is None:
        return today, None
    if told.discount_kind == OrderLine.PROMOTION and today.percent < told.discount_percent:
        _renew(told, told.price_fen if told.good_until >= now else today.price_fen, today, now)
        return today, _about("expired_promotion", wish, "product", "promotion_over")
    if told.good_until < now and told.price_fen < today.price_fen:
        _renew(told, today.price_fen, today, now)
        return today, _about("price_changed", wish, "product", "price_changed")
    price = min(told.price_fen, today.price_fen) if told.good_until >= now else today.price_fen
    return Terms(price, today.percent, today.kind), None


def _renew(told: Quote, price_fen: int, today: Terms, now: datetime) -> None:
    """The customer hears it now; it holds as long as pieces would be kept for him."""
    Quote.objects.filter(pk=told.pk).update(
        price_fen=price_fen,
        discount_percent=today.percent,
        discount_kind=today.kind or None,
        good_until=max(told.good_until, now + RESERVED),
        at=now,
    )


def _about(outcome: str, wish: _Wish, column: str, reason: str) -> Placed:
    return Placed(outcome, field=f"lines.{wish.index}.{column}", reason=reason, product=wish.product.key)


def _placed(order: Order) -> Placed:
    until = order.reserved_until.isoformat() if order.reserved_until else ""
    return Placed("placed", order=order.number, amount_fen=order.amount_fen, reserved_until=until)
