"""Prices told, orders placed, handed over, completed, cancelled and refunded. Other rooms import from here."""

from __future__ import annotations

from web.orders.services.acts import CANCEL, DELIVERED, RETURN_WISH, NotWaiting, possible, tell
from web.orders.services.lookup import newest, of
from web.orders.services.moving import (
    cancel,
    complete,
    dispense,
    drop_wishes,
    give_back,
    hand_over,
    next_dose,
    pay,
    ready,
    refunded,
    to_decoction,
    to_pharmacy,
)
from web.orders.services.placing import Placed, place, reserve
from web.orders.services.pricing import Terms, elsewhere, quote, terms

__all__ = [
    "CANCEL",
    "DELIVERED",
    "RETURN_WISH",
    "NotWaiting",
    "Placed",
    "Terms",
    "cancel",
    "complete",
    "dispense",
    "drop_wishes",
    "elsewhere",
    "give_back",
    "hand_over",
    "newest",
    "next_dose",
    "of",
    "pay",
    "place",
    "possible",
    "quote",
    "ready",
    "refunded",
    "reserve",
    "tell",
    "terms",
    "to_decoction",
    "to_pharmacy",
]
