"""What a product costs a customer today, and what he was told (W-25, W-51, W-62).

One discount, the best: the promotion of the day, the member's level, or his card's discount on physiotherapy. Never two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F

from web.clinics import services as clinics
from web.clinics.models import Product, Stock
from web.common.errors import BadInput
from web.customers.models import Customer
from web.membership import services as membership
from web.orders.models import OrderLine, Quote
from web.places.models import Clinic

PHYSIOTHERAPY = "physiotherapy"  # the product category of W-51
MOST_PIECES = 10_000
MOST_CLINICS = 5


@dataclass(frozen=True, slots=True)
class Terms:
    """Price of one unit in fen, percent off it, and where the discount comes from ("" = none)."""

    price_fen: int
    percent: int
    kind: str = ""

    def amount(self, quantity: int) -> int:
        """Fen, rounded half up once."""
        return (self.price_fen * quantity * (100 - self.percent) + 50) // 100


def local_day(at: datetime) -> date:
    return at.astimezone(ZoneInfo(settings.TIME_ZONE)).date()


def terms(product: Product, customer: Customer | None, day: date, *, benefits: dict[str, Any] | None = None) -> Terms:
    """Today's. `benefits` of the customer, when they are known already."""
    has = membership.benefits(customer) if benefits is None else benefits
    offers = [
        (clinics.promotion_percent(product, day), OrderLine.PROMOTION),
        (has["discount_percent"], OrderLine.LEVEL),
        (has["physio_percent"] if product.category == PHYSIOTHERAPY else 0, OrderLine.PHYSIO),
    ]
    percent, kind = max(offers, key=lambda offer: offer[0])
    return Terms(product.price_fen, percent, kind if percent else "")


def checked_quantity(quantity: int, field: str = "quantity") -> int:
    if not 1 <= quantity <= MOST_PIECES:
        raise BadInput("order_refused", fields={field: [{"code": "out_of_range", "least": 1, "most": MOST_PIECES}]})
    return quantity


def elsewhere(product: Product, quantity: int, *, besides: Clinic) -> list[str]:
    """Keys of other clinics that have so many pieces free, the fullest first."""
    rows = Stock.objects.filter(product=product, clinic__is_active=True, quantity__gte=F("reserved") + quantity)
    free = rows.exclude(clinic=besides).annotate(free=F("quantity") - F("reserved")).order_by("-free", "clinic__key")
    return list(free.values_list("clinic__key", flat=True)[:MOST_CLINICS])


def quote(
    business_key: str,
    product: Product,
    clinic: Clinic,
    quantity: int,
    *,
    customer: Customer | None,
    good_until: datetime,
    now: datetime,
    saved_by: Any = None,
) -> Quote:
    """Tell the customer a price that holds until `good_until`. Told again while it holds it stays the lower of the two, and who saved it
    first stays."""
    checked_quantity(quantity)
    new = terms(product, customer, local_day(now))
    known = Quote.objects.filter(business_key=business_key, product=product).first()
    price = min(known.price_fen, new.price_fen) if known and known.good_until >= now else new.price_fen
    first = Quote.objects.filter(business_key=business_key).order_by("pk").values_list("saved_by", flat=True).first()
    facts = {
        "customer": customer,
        "clinic": clinic,
        "quantity": quantity,
        "price_fen": price,
        "discount_percent": new.percent,
        "discount_kind": new.kind or None,
        "good_until": max(good_until, known.good_until) if known else good_until,
        "at": now,
    }
    if known is None:
        who = first if first is not None else getattr(saved_by, "pk", None)
        facts["saved_by_id"] = who
    return Quote.objects.update_or_create(business_key=business_key, product=product, defaults=facts)[0]
