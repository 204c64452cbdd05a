"""Members: what they have, what they may, and the only ways to change it. Other rooms import from here."""

from __future__ import annotations

from web.membership.services.ledgers import KeyTaken, NotEnough, add_points, move_fund
from web.membership.services.members import (
    account,
    add_card,
    benefits,
    card_facts,
    is_vip,
    level_view,
    raise_level,
    set_level,
    view,
)
from web.membership.services.orders import RefundTooHigh, order_completed, order_refunded
from web.membership.services.redeeming import change_level, offer, redeem, redeemables

__all__ = [
    "KeyTaken",
    "NotEnough",
    "RefundTooHigh",
    "account",
    "add_card",
    "add_points",
    "benefits",
    "card_facts",
    "change_level",
    "is_vip",
    "level_view",
    "move_fund",
    "offer",
    "order_completed",
    "order_refunded",
    "raise_level",
    "redeem",
    "redeemables",
    "set_level",
    "view",
]
