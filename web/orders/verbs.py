"""What orders lend to the flow of a purchase (REQUIREMENTS 9.3). Refusals a diagram branches on are outcomes; `field` and `reason` beside
them say what was wrong. Lines, lots and courier numbers are read from the forms' answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.verbs import Context, VerbRefused, verb
from web.accounts.models import User
from web.clinics import services as clinics
from web.common.errors import BadInput, NotFound
from web.customers import hooks
from web.workflow import services as workflow

from . import services
from .models import Order, Quote
from .services.placing import RESERVED

TEXT = {"type": "string"}
FEN = {"type": "integer", "minimum": 0}
COUNT = {"type": "integer"}
YES = {"type": "boolean"}
ORDER = {"order": TEXT}
WHY = {"field": TEXT, "reason": TEXT}


def _actor(context: Context) -> User | None:
    return context.actor if isinstance(context.actor, User) else None


def _key(context: Context) -> str:
    """The step's own id: a retry of this step is the same order."""
    return f"{context.instance_key}:{context.task_id}"


def _answers(context: Context) -> dict[str, Any]:
    return getattr(context.submission, "data", None) or {}


def _order(context: Context, number: str) -> Order:
    """Only an order of this case."""
    try:
        return services.of(number, context.business_key)
    except NotFound:
        raise VerbRefused("order_unknown") from None


def _until(text: str, now: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text) if text else now + RESERVED
    except ValueError:
        return now + RESERVED


@verb(
    "orders.quote",
    params={
        "properties": {"product": TEXT, "quantity": COUNT, "clinic": TEXT, "until": TEXT},
        "required": ["product", "quantity", "clinic"],
    },
    result={
        "properties": {
            "outcome": {"enum": ["quoted", "refused"]},
            "price_fen": FEN,
            "discount_percent": FEN,
            "amount_fen": FEN,
            "available": FEN,
            "elsewhere": {"type": "array", "items": TEXT},
            "good_until": TEXT,
            "prescription": YES,
            **WHY,
        },
        "required": ["outcome", "price_fen", "discount_percent", "amount_fen", "available", "elsewhere", "good_until"],
    },
)
def quote(context: Context, *, product: str, quantity: int, clinic: str, until: str = "") -> dict[str, Any]:
    """P1: what it costs this customer; the price holds until `until` (the follow-up time; else 48 hours). `available` in that clinic,
    `elsewhere` = keys of other clinics that have so many, when this one has not."""
    goods, place = clinics.product_by_key(product), clinics.clinic_by_key(clinic)
    nothing = {
        "price_fen": 0,
        "discount_percent": 0,
        "amount_fen": 0,
        "available": 0,
        "elsewhere": [],
        "good_until": "",
    }
    if goods is None or place is None:
        field = "product" if goods is None else "clinic"
        return {"outcome": "refused", "field": field, "reason": "unknown", **nothing}
    now = context.now
    try:
        told = services.quote(
            context.business_key,
            goods,
            place,
            quantity,
            customer=hooks.customer_of(context.business_key),
            good_until=max(_until(until, now), now + timedelta(minutes=1)),
            now=now,
            saved_by=_actor(context),
        )
    except BadInput:
        return {"outcome": "refused", "field": "quantity", "reason": "out_of_range", **nothing}
    free = clinics.available(goods, place)
    return {
        "outcome": "quoted",
        "price_fen": told.price_fen,
        "discount_percent": told.discount_percent,
        "amount_fen": services.Terms(told.price_fen, told.discount_percent).amount(quantity),
        "available": free,
        "elsewhere": services.elsewhere(goods, quantity, besides=place) if free < quantity else [],
        "good_until": told.good_until.isoformat(),
        "prescription": goods.prescription_only,
        "field": "",
        "reason": "",
    }


@verb(
    "orders.reserve",
    params={"properties": {"product": TEXT, "quantity": COUNT, "clinic": TEXT}, "required": ["product", "quantity"]},
    result={
        "properties": {"outcome": {"enum": ["reserved", "short"]}, "until": TEXT, "elsewhere": {"type": "array"}},
        "required": ["outcome", "until", "elsewhere"],
    },
)
def reserve(context: Context, *, product: str, quantity: int, clinic: str = "") -> dict[str, Any]:
    """P3: keep pieces for 48 hours before there is an order; placing one, or the end of the case, gives them back."""
    told = Quote.objects.filter(business_key=context.business_key, product__key=product)
    found = told.select_related("product", "clinic").first()
    if found is None:
        raise VerbRefused("product_unknown")
    key = f"wish:{context.instance_key}:{context.task_id}"[:80]
    try:
        kept = services.reserve(found, quantity, key, now=context.now)
    except BadInput:
        kept = False
    if kept:
        return {"outcome": "reserved", "until": (context.now + RESERVED).isoformat(), "elsewhere": []}
    other = services.elsewhere(found.product, quantity, besides=found.clinic)
    return {"outcome": "short", "until": "", "elsewhere": other}


@verb(
    "orders.place",
    params={
        "properties": {
            "clinic": TEXT,
            "delivery": {"enum": [way for way, _ in Order.WAYS]},
            "prescribed": YES,
        },
        "required": ["clinic"],
    },
    result={
        "properties": {
            "outcome": {
                "enum": ["placed", "short", "price_changed", "expired_promotion", "prescription", "refused"],
            },
            "order": TEXT,
            "amount_fen": FEN,
            "reserved_until": TEXT,
            "product": TEXT,
            **WHY,
        },
        "required": ["outcome", "order", "amount_fen", "reserved_until"],
    },
)
def place(context: Context, *, clinic: str, delivery: str = Order.PICKUP, prescribed: bool = False) -> dict[str, Any]:
    """P4: the field `lines` of the form just answered (or of the last one that said it), reserved for 48 hours; or nothing at all."""
    lines = _answers(context).get("lines") or workflow.answer_of(context.business_key, "lines") or []
    placed = services.place(
        context.business_key,
        clinics.clinic_by_key(clinic),
        lines,
        key=_key(context),
        customer=hooks.customer_of(context.business_key),
        delivery=delivery,
        is_prescribed=prescribed,
        now=context.now,
        acting_user=_actor(context),
    )
    return placed.as_result()


@verb(
    "orders.pay",
    params={"properties": {**ORDER, "payment": TEXT}, "required": ["order", "payment"]},
    result={
        "properties": {"outcome": {"enum": ["paid", "short", "not_paid", "closed"]}},
        "required": ["outcome"],
    },
)
def pay(context: Context, *, order: str, payment: str) -> dict[str, Any]:
    """P5: paid; the pieces wait without an end now. short: they were gone by then, the money must go back."""
    row = _order(context, order)
    return {"outcome": services.pay(row, payment, now=context.now, acting_user=_actor(context))}


@verb("orders.to_pharmacy", params={"properties": ORDER, "required": ["order"]})
def to_pharmacy(context: Context, *, order: str) -> None:
    """P6 begins (W-98)."""
    services.to_pharmacy(_order(context, order), acting_user=_actor(context))


@verb("orders.dispense", params={"properties": {**ORDER, "shortage": YES}, "required": ["order", "shortage"]})
def dispense(context: Context, *, order: str, shortage: bool) -> None:
    """P6: picked; with `shortage` the order goes back. Lot and the plan of taking it (dose_days, dose_times) stand in the form."""
    said = _answers(context)
    services.dispense(
        _order(context, order),
        is_short=shortage,
        lot=str(said.get("lot") or ""),
        dose_days=int(said.get("dose_days") or 0),
        dose_times=said.get("dose_times") or (),
        now=context.now,
        acting_user=_actor(context),
    )


@verb("orders.to_decoction", params={"properties": ORDER, "required": ["order"]})
def to_decoction(context: Context, *, order: str) -> None:
    """P7 begins."""
    services.to_decoction(_order(context, order), acting_user=_actor(context))


@verb("orders.ready", params={"properties": ORDER, "required": ["order"]})
def ready(context: Context, *, order: str) -> None:
    """P6, P7 end: the customer or the courier can come. Bags stand in the form."""
    bags = _answers(context).get("bags")
    services.ready(_order(context, order), bags=bags, now=context.now, acting_user=_actor(context))


@verb(
    "orders.hand_over",
    params={
        "properties": {**ORDER, "how": {"enum": [way for way, _ in Order.WAYS]}},
        "required": ["order", "how"],
    },
    result={
        "properties": {"outcome": {"enum": ["complete", "part", "refused", "closed"]}},
        "required": ["outcome"],
    },
)
def hand_over(context: Context, *, order: str, how: str) -> dict[str, Any]:
    """P8: in the customer's hand, or the courier's. The field `handed` of the form, when it is there, says which part of it."""
    said = _answers(context)
    outcome = services.hand_over(
        _order(context, order),
        how,
        lines=said.get("handed") or (),
        courier_no=str(said.get("courier_no") or ""),
        now=context.now,
        acting_user=_actor(context),
    )
    return {"outcome": outcome}


@verb(
    "orders.complete",
    params={"properties": ORDER, "required": ["order"]},
    result={"properties": {"points": FEN, "level": TEXT, "done": YES}, "required": ["points"]},
)
def complete(context: Context, *, order: str) -> dict[str, Any]:
    """P9: sold; points and level (W-27, W-39)."""
    return services.complete(_order(context, order), now=context.now, acting_user=_actor(context))


@verb(
    "orders.cancel",
    params={"properties": {**ORDER, "reason": TEXT}, "required": ["order", "reason"]},
    result={
        "properties": {"cancelled": YES, "order": TEXT, "payment": TEXT},
        "required": ["cancelled", "order", "payment"],
    },
)
def cancel(context: Context, *, order: str, reason: str) -> dict[str, Any]:
    """What was reserved is free again, also what was kept before there was an order. "" = the newest order of the case, which there may
    not be. `payment` = what was paid for it, "" when nothing was."""
    services.drop_wishes(context.business_key)
    row = _order(context, order) if order else services.newest(context.business_key)
    if row is None:
        return {"cancelled": False, "order": "", "payment": ""}
    done = services.cancel(row, reason, now=context.now, acting_user=_actor(context))
    return {"cancelled": done, "order": row.number, "payment": row.payment or ""}


@verb(
    "orders.give_back",
    params={"properties": {**ORDER, "reason": TEXT}, "required": ["order", "reason"]},
    result={"properties": {"ticket": TEXT}, "required": ["ticket"]},
)
def give_back(context: Context, *, order: str, reason: str) -> dict[str, Any]:
    """The customer takes something else instead: what he paid for this order goes back by a refund ticket of its own."""
    return {"ticket": services.give_back(_order(context, order), reason)}


@verb(
    "orders.refunded",
    params={
        "properties": {**ORDER, "refund": TEXT, "goods_back": YES, "reason": TEXT},
        "required": ["order", "refund", "goods_back"],
    },
    result={
        "properties": {"state": TEXT, "points": FEN, "short": FEN},
        "required": ["state", "points", "short"],
    },
)
def refunded(context: Context, *, order: str, refund: str, goods_back: bool, reason: str = "") -> dict[str, Any]:
    """P10: the money went back; points go with it, sound goods return to the shelf."""
    return services.refunded(
        _order(context, order),
        refund,
        goods_back=goods_back,
        reason=reason,
        now=context.now,
        acting_user=_actor(context),
    )


@verb(
    "orders.next_dose",
    params={"properties": ORDER, "required": ["order"]},
    result={"properties": {"at": TEXT}, "required": ["at"]},
)
def next_dose(context: Context, *, order: str) -> dict[str, Any]:
    """M-07: when to remind the customer of his medicine next, "" when the plan is over or there is none."""
    at = services.next_dose(_order(context, order))
    return {"at": at.isoformat() if at else ""}
