"""Products, their prices, and promotions (W-58, W-62)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from web.accounts import services as accounts
from web.accounts.models import User
from web.clinics.models import Product, Promotion, Stock
from web.common.audit import audit
from web.common.errors import BadInput

MOST_FEN = 1_000_000_00
WRITABLE = ("name", "name_en", "category", "attribute", "unit", "prescription_only", "is_active")


def product_by_key(key: str) -> Product | None:
    return Product.objects.filter(key=key, is_active=True).first()


def products(search: str = "", clinic: str | None = None) -> QuerySet[Product]:
    """With their `present_stock`, by clinic; `search` in key, name and category. With `clinic` only what that clinic keeps."""
    stock = Stock.objects.filter(clinic__is_active=True).select_related("clinic").order_by("clinic__pk")
    if clinic:
        stock = stock.filter(clinic__key=clinic)
    rows = Product.objects.filter(is_active=True)
    if clinic:
        rows = rows.filter(Exists(stock.order_by().filter(product=OuterRef("pk"))))
    if search:
        hit = Q(name__icontains=search) | Q(name_en__icontains=search) | Q(key__icontains=search)
        rows = rows.filter(hit | Q(category__iexact=search))
    return rows.order_by("pk").prefetch_related(Prefetch("stock", queryset=stock, to_attr="present_stock"))


def _checked_price(price_fen: int) -> None:
    if not 0 < price_fen <= MOST_FEN:
        raise BadInput(fields={"price_fen": [{"code": "out_of_range", "least": 1, "most": MOST_FEN}]})


@transaction.atomic
def add_product(*, key: str, price_fen: int, acting_user: User, **fields: Any) -> Product:
    accounts.require(acting_user, "clinics.maintain")
    _checked_price(price_fen)
    try:
        with transaction.atomic():
            product = Product.objects.create(key=key, price_fen=price_fen, **fields)
    except IntegrityError:
        raise BadInput(fields={"key": [{"code": "taken"}]}) from None
    audit("clinics.product_added", f"product:{key}", actor=acting_user, price_fen=price_fen)
    return product


@transaction.atomic
def set_price(product: Product, price_fen: int, *, acting_user: User) -> Product:
    """Audited with before and after. BadInput unless above zero."""
    accounts.require(acting_user, "clinics.maintain")
    _checked_price(price_fen)
    before = Product.objects.select_for_update().get(pk=product.pk).price_fen
    if before != price_fen:
        Product.objects.filter(pk=product.pk).update(price_fen=price_fen)
        audit("clinics.price_set", f"product:{product.key}", actor=acting_user, before=before, after=price_fen)
    product.price_fen = price_fen
    return product


@transaction.atomic
def change_product(product: Product, *, acting_user: User, price_fen: int | None = None, **fields: Any) -> Product:
    """Any of WRITABLE, and the price."""
    accounts.require(acting_user, "clinics.maintain")
    wrong = sorted(set(fields) - set(WRITABLE))
    if wrong:
        raise BadInput(fields={name: [{"code": "not_writable"}] for name in wrong})
    if price_fen is not None:
        set_price(product, price_fen, acting_user=acting_user)
    if fields:
        before = {name: getattr(product, name) for name in fields}
        for name, value in fields.items():
            setattr(product, name, value)
        product.save(update_fields=list(fields))
        audit("clinics.product_changed", f"product:{product.key}", actor=acting_user, before=before, after=fields)
    return product


# --- promotions ------------------------------------------------------------------------------------------------
def promotions_on(day: date) -> QuerySet[Promotion]:
    """What runs on that day, both ends included."""
    running = Promotion.objects.filter(is_active=True, starts_on__lte=day, ends_on__gte=day)
    return running.order_by("pk").prefetch_related("products")


def promotion_percent(product: Product, day: date) -> int:
    """Percent off this product on that day, 0 without a promotion."""
    running = Promotion.objects.filter(is_active=True, starts_on__lte=day, ends_on__gte=day)
    mine = running.filter(Q(products=product) | Q(products=None)).order_by("-discount_percent")
    return mine.values_list("discount_percent", flat=True).first() or 0


@transaction.atomic
def promote(
    *,
    key: str,
    name: str,
    starts_on: date,
    ends_on: date,
    discount_percent: int,
    acting_user: User,
    name_en: str | None = None,
    products: Iterable[str] = (),
) -> Promotion:
    """A new promotion for the products with these keys, for all without. BadInput names what is wrong; two promotions of one product
    never run on the same day."""
    accounts.require(acting_user, "clinics.maintain")
    if Promotion.objects.filter(key=key).exists():
        raise BadInput(fields={"key": [{"code": "taken"}]})
    facts = {"starts_on": starts_on, "ends_on": ends_on, "discount_percent": discount_percent}
    rows = _checked(facts, products, besides=None)
    promotion = Promotion.objects.create(key=key, name=name, name_en=name_en, **facts)
    promotion.products.set(rows)
    audit("clinics.promotion_added", f"promotion:{key}", actor=acting_user, products=[row.key for row in rows], **facts)
    return promotion


@transaction.atomic
def change_promotion(
    promotion: Promotion, *, acting_user: User, products: Iterable[str] | None = None, **fields: Any
) -> Promotion:
    """`name`, `name_en`, term, percent, `is_active` and products; checked as a new one."""
    accounts.require(acting_user, "clinics.maintain")
    terms = ("starts_on", "ends_on", "discount_percent", "is_active")
    wrong = sorted(set(fields) - {"name", "name_en", *terms})
    if wrong:
        raise BadInput(fields={name: [{"code": "not_writable"}] for name in wrong})
    after = {name: fields.get(name, getattr(promotion, name)) for name in terms}
    keys = list(promotion.products.values_list("key", flat=True)) if products is None else list(products)
    rows = _checked(after, keys, besides=promotion)
    before = {name: getattr(promotion, name) for name in fields}
    for name, value in fields.items():
        setattr(promotion, name, value)
    promotion.save()
    promotion.products.set(rows)
    facts = {"before": before, "after": fields, "products": keys}
    audit("clinics.promotion_changed", f"promotion:{promotion.key}", actor=acting_user, **facts)
    return promotion


def _checked(facts: Mapping[str, Any], keys: Iterable[str], *, besides: Promotion | None) -> list[Product]:
    """The products, locked: who else plans a promotion of one of them waits for this one."""
    keys, problems = set(keys), {}
    # Locked in the order of their ids: all of them when the promotion is for all.
    wanted = Product.objects.filter(key__in=keys) if keys else Product.objects.all()
    rows = list(wanted.select_for_update().order_by("pk"))
    if keys and len(rows) != len(keys):
        problems["products"] = [{"code": "unknown", "keys": sorted(keys - {row.key for row in rows})}]
    if facts["ends_on"] < facts["starts_on"]:
        problems["ends_on"] = [{"code": "before_start"}]
    if not 0 < facts["discount_percent"] < 100:
        problems["discount_percent"] = [{"code": "out_of_range", "least": 1, "most": 99}]
    if problems:
        raise BadInput(fields=problems)
    if facts.get("is_active", True):
        same_days = Promotion.objects.filter(
            is_active=True, starts_on__lte=facts["ends_on"], ends_on__gte=facts["starts_on"]
        )
        if besides is not None:
            same_days = same_days.exclude(pk=besides.pk)
        if keys:
            same_days = same_days.filter(Q(products__in=rows) | Q(products=None))
        other = same_days.order_by("pk").first()
        if other is not None:
            raise BadInput(fields={"starts_on": [{"code": "overlaps", "promotion": other.key}]})
    return rows if keys else []
