"""What points are good for (W-42, W-46), and the terms of the levels (W-28): both are rows that the centre edits."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from web.accounts import services as accounts
from web.accounts.models import User
from web.clinics.models import Product
from web.common.audit import audit
from web.common.errors import BadInput, NotFound
from web.customers.models import Customer
from web.membership.models import Account, Level, Redeemable
from web.membership.services.ledgers import add_points, move_fund
from web.membership.services.members import today

LEVEL_FIELDS = ("name", "name_en", "discount_percent", "threshold_fen", "threshold_orders")


@transaction.atomic
def change_level(level: Level, *, acting_user: User, **fields: Any) -> Level:
    """Name, discount and thresholds of a level. BadInput names a percentage above 100 or a threshold below zero."""
    accounts.require(acting_user, "membership.maintain")
    problems = {name: [{"code": "not_writable"}] for name in sorted(set(fields) - set(LEVEL_FIELDS))}
    if not 0 <= fields.get("discount_percent", 0) <= 100:
        problems["discount_percent"] = [{"code": "out_of_range", "least": 0, "most": 100}]
    for name in ("threshold_fen", "threshold_orders"):
        if (fields.get(name) or 0) < 0:
            problems[name] = [{"code": "too_small", "least": 0}]
    if problems:
        raise BadInput(fields=problems)
    before = {name: getattr(level, name) for name in fields}
    for name, value in fields.items():
        setattr(level, name, value)
    level.save(update_fields=list(fields) or ["name"])
    audit("membership.level_changed", f"level:{level.pk}", actor=acting_user, before=before, after=fields)
    return level


@transaction.atomic
def offer(
    *,
    key: str,
    name: str,
    points: int,
    acting_user: User,
    name_en: str | None = None,
    amount_fen: int | None = None,
    product: str | None = None,
    level: Level | None = None,
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> Redeemable:
    """Something to have for points: an amount for the fund or a product (its key), one of the two; for one level or all."""
    accounts.require(acting_user, "membership.maintain")
    goods = Product.objects.filter(key=product).first() if product else None
    problems = {}
    if points < 1:
        problems["points"] = [{"code": "too_small", "least": 1}]
    if (amount_fen is None) == (product is None):
        problems["amount_fen"] = [{"code": "one_of", "fields": ["amount_fen", "product"]}]
    elif amount_fen is not None and amount_fen < 1:
        problems["amount_fen"] = [{"code": "too_small", "least": 1}]
    if product and goods is None:
        problems["product"] = [{"code": "unknown"}]
    if starts_on and ends_on and ends_on < starts_on:
        problems["ends_on"] = [{"code": "before_start"}]
    if problems:
        raise BadInput(fields=problems)
    facts = {"points": points, "amount_fen": amount_fen, "starts_on": starts_on, "ends_on": ends_on}
    try:
        with transaction.atomic():
            row = Redeemable.objects.create(key=key, name=name, name_en=name_en, product=goods, level=level, **facts)
    except IntegrityError:
        raise BadInput(fields={"key": [{"code": "taken"}]}) from None
    audit("membership.offered", f"redeemable:{key}", actor=acting_user, product=product, **facts)
    return row


def redeemables(customer: Customer | None = None) -> QuerySet[Redeemable]:
    """What there is today: for everybody, and for his level when a customer is given."""
    day = today()
    rows = Redeemable.objects.filter(is_active=True).filter(Q(starts_on=None) | Q(starts_on__lte=day))
    rows = rows.filter(Q(ends_on=None) | Q(ends_on__gte=day))
    if customer is not None:
        his = Account.objects.filter(customer=customer).values("level")
        rows = rows.filter(Q(level=None) | Q(level__in=his))
    return rows.select_related("level", "product").order_by("pk")


@transaction.atomic
def redeem(customer: Customer, offered: str, key: str, *, acting_user: User) -> Redeemable:
    """Points away; an amount goes to the fund in the same transaction, a product is handed over by who sees the line in the log. Once
    for each `key`. NotFound when it is not offered to him today; NotEnough."""
    row = redeemables(customer).filter(key=offered).first()
    if row is None:
        raise NotFound(what="redeemable")
    reference = f"redeemable:{row.key}"
    who = {"reference": reference, "operator": acting_user}
    add_points(customer, -row.points, "redeemed", f"redeem:{key}", **who)
    if row.amount_fen:
        move_fund(customer, row.amount_fen, "redeemed", f"redeem:{key}", **who)
    return row
