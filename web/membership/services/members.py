"""Levels, cards, and what they are good for (W-25…W-28, W-44…W-51)."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from web.accounts import services as accounts
from web.accounts.models import User
from web.common import clock
from web.common.audit import audit
from web.common.errors import BadInput
from web.common.publishing import publish
from web.customers.events import CustomerChanged
from web.customers.models import Customer
from web.jobs import services as jobs
from web.membership.models import Account, Card, FundEntry, Level, PointsEntry
from web.membership.services.ledgers import opened


def today() -> date:
    """The centre's own date."""
    return clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).date()


# --- looking ---------------------------------------------------------------------------------------------------
def level_view(level: Level | None) -> dict[str, Any] | None:
    if level is None:
        return None
    return {name: getattr(level, name) for name in ("key", "scheme", "name", "name_en", "discount_percent")}


def account(customer: Customer) -> dict[str, Any]:
    """{level (or None), vip, points, fund_fen, spent_fen, orders} as the rows say now."""
    row = Account.objects.filter(customer=customer).select_related("level").first() or Account()
    facts = {name: getattr(row, name) for name in ("points", "fund_fen", "spent_fen", "orders")}
    level = row.level if row.level_id else None
    return {"level": level_view(level), "vip": bool(level and level.scheme == Level.VIP), **facts}


def _member(customer: Customer | None) -> Account | None:
    """As it was read together with the customer, else one query."""
    return getattr(customer, "member", None)


def is_vip(customer: Customer | None) -> bool:
    """Cheap in lists that were read with select_related("customer__member__level")."""
    member = _member(customer)
    return bool(member and member.level_id and member.level.scheme == Level.VIP)


def card_facts(customer: Customer) -> dict[str, Any]:
    """What the desk card shows of the account: level (key), vip, points, balance_fen (W-26)."""
    member = _member(customer) or Account()
    level = member.level if member.level_id else None
    vip = bool(level and level.scheme == Level.VIP)
    return {"level": level.key if level else None, "vip": vip, "points": member.points, "balance_fen": member.fund_fen}


def valid_cards(customer: Customer, day: date | None = None) -> QuerySet[Card]:
    """Those that count on that day, both ends included."""
    day = day or today()
    rows = Card.objects.filter(customer=customer, state=Card.ACTIVE, starts_on__lte=day)
    return rows.filter(Q(ends_on=None) | Q(ends_on__gte=day)).select_related("level").order_by("pk")


def benefits(customer: Customer | None) -> dict[str, Any]:
    """What the member has today: {level (key or ""), discount_percent off treatments, queue_rank (0 = no priority, higher is served
    first), refund_priority, free_expert, physio_percent}."""
    level, cards = None, []
    if customer is not None:
        row = Account.objects.filter(customer=customer).select_related("level").first()
        level = row.level if row else None
        cards = list(valid_cards(customer))
    keys = {key for card in cards for key in card.benefits}
    return {
        "level": level.key if level else "",
        "discount_percent": level.discount_percent if level else 0,
        "queue_rank": max(level.rank if level else 0, 1) if "queue_priority" in keys else 0,
        "refund_priority": "refund_priority" in keys,
        "free_expert": "free_expert" in keys,
        "physio_percent": max((card.physio_percent for card in cards if "physio_discount" in card.benefits), default=0),
    }


def view(customer: Customer, limit: int = 50) -> dict[str, Any]:
    """The member's page: account, all cards, the newest lines of both ledgers."""
    day = today()
    cards = Card.objects.filter(customer=customer).select_related("level").order_by("-pk")
    columns = ("at", "change", "balance", "reason", "reference", "operator")
    points, fund = PointsEntry.objects.filter(customer=customer), FundEntry.objects.filter(customer=customer)
    return {
        **account(customer),
        "benefits": benefits(customer),
        "cards": [_card_view(card, day) for card in cards],
        "points_log": list(points.order_by("-pk").values(*columns)[:limit]),
        "fund_log": list(fund.order_by("-pk").values(*columns, "channel")[:limit]),
    }


def _card_view(card: Card, day: date) -> dict[str, Any]:
    plain = ("number", "card_class", "store_prefix", "starts_on", "ends_on", "state", "benefits", "physio_percent")
    in_term = card.starts_on <= day and (card.ends_on is None or card.ends_on >= day)
    return {
        **{name: getattr(card, name) for name in plain},
        "level": level_view(card.level),
        "valid": card.state == Card.ACTIVE and in_term,
    }


# --- levels ----------------------------------------------------------------------------------------------------
def raise_level(customer: Customer) -> Level | None:
    """The best level of his scheme that his orders have reached by sum or by number (W-27). It rises by itself and never falls; into
    the other scheme one is put (set_level, a card). Returns the new level or None. To be called in the act's transaction."""
    row = Account.objects.select_related("level").get(customer=customer)
    scheme, rank = (row.level.scheme, row.level.rank) if row.level_id else (Level.ORDINARY, 0)
    reached = Q(threshold_fen__lte=row.spent_fen) | Q(threshold_orders__lte=row.orders)
    best = Level.objects.filter(reached, scheme=scheme, rank__gt=rank).order_by("-rank").first()
    return _lift(row, best, "orders", None) if best else None


def _lift(row: Account, level: Level, reason: str, actor: Any) -> Level | None:
    if not Account.objects.filter(pk=row.pk, level=row.level_id).update(level=level):
        return None
    before = row.level.name if row.level_id else None
    subject = f"customer:{row.customer_id}"
    facts = {"before": before, "after": level.name, "reason": reason}
    audit("membership.level_set", subject, actor=actor, person=subject, **facts)
    publish(CustomerChanged(row.customer_id))
    return level


@transaction.atomic
def set_level(customer: Customer, scheme: str, key: str, reason: str, *, acting_user: User) -> Level:
    """Put a member on a level of either scheme, up or down, for a reason; audited."""
    accounts.require(acting_user, "membership.maintain")
    level = Level.objects.filter(scheme=scheme, key=key).first()
    problems = {}
    if level is None:
        problems["level"] = [{"code": "unknown"}]
    if not reason.strip():
        problems["reason"] = [{"code": "required"}]
    if problems:
        raise BadInput(fields=problems)
    opened(customer)
    row = Account.objects.select_for_update().get(customer=customer)
    if row.level_id != level.pk:
        _lift(row, level, reason, acting_user)
    return level


# --- cards -----------------------------------------------------------------------------------------------------
@transaction.atomic
def add_card(
    customer: Customer,
    *,
    number: str,
    card_class: str,
    starts_on: date,
    acting_user: User,
    ends_on: date | None = None,
    level: Level | None = None,
    store_prefix: str | None = None,
    benefits: list[str] | None = None,
    physio_percent: int = 0,
) -> Card:
    """One more card (W-44); its holder has at least its level from its first day on. BadInput names what is wrong."""
    accounts.require(acting_user, "membership.maintain")
    benefits, problems = list(dict.fromkeys(benefits or [])), {}
    if card_class not in (Card.STORED_VALUE, Card.BENEFIT):
        problems["card_class"] = [{"code": "unknown"}]
    if ends_on is not None and ends_on < starts_on:
        problems["ends_on"] = [{"code": "before_start"}]
    if set(benefits) - set(Card.BENEFITS):
        problems["benefits"] = [{"code": "unknown"}]
    if not 0 <= physio_percent <= 100:
        problems["physio_percent"] = [{"code": "out_of_range", "least": 0, "most": 100}]
    if problems:
        raise BadInput(fields=problems)
    whole = f"{store_prefix or ''}{number}"  # W-38
    facts = {"card_class": card_class, "starts_on": starts_on, "ends_on": ends_on, "benefits": benefits}
    try:
        with transaction.atomic():
            card = Card.objects.create(
                number=whole, customer=customer, level=level, store_prefix=store_prefix or None, physio_percent=physio_percent, **facts
            )  # fmt: skip
    except IntegrityError:
        raise BadInput(fields={"number": [{"code": "taken"}]}) from None
    audit("membership.card_added", customer.subject, actor=acting_user, person=customer.subject, card=whole, **facts)
    if level is not None and starts_on <= today():
        card_counts(card, acting_user)
    elif level is not None:
        first = datetime.combine(starts_on, time(), tzinfo=ZoneInfo(settings.TIME_ZONE))
        jobs.enqueue("membership.card_starts", key=f"card:{card.pk}", payload={"card": card.pk}, due_at=first)
    publish(CustomerChanged(customer.pk))
    return card


@transaction.atomic
def card_counts(card: Card, actor: Any = None) -> None:
    """From now on its holder has at least the level of the card."""
    if card.level is None or card.state != Card.ACTIVE:
        return
    opened(card.customer)
    row = Account.objects.select_for_update().get(customer=card.customer)
    if row.level_id is None or row.level.rank < card.level.rank:
        _lift(row, card.level, f"card:{card.pk}", actor)
