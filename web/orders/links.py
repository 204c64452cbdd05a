"""What rooms below show of orders without knowing them."""

from __future__ import annotations

from typing import Any

from web.common.scope import scope
from web.customers.models import Customer

from .models import Order, Quote
from .services import newest


def history(customer: Customer, user: Any) -> list[dict]:
    """HistoryRows of a customer's orders the user may see."""
    rows = scope(Order.objects.filter(customer=customer), user).select_related("ticket").order_by("-placed_at")[:50]
    return [
        {
            "at": row.placed_at,
            "kind": "order",
            "title": row.number,
            "state": row.state,
            "duration_ms": None,
            "ref": row.ticket.number if row.ticket_id else None,
        }
        for row in rows
    ]


def names_of(business_key: str) -> dict[str, str]:
    """For messages: clinic and clinic_address of the order, else of the price told; order and courier_no. Never what was bought."""
    order = newest(business_key)
    told = Quote.objects.filter(business_key=business_key).select_related("clinic").order_by("pk").first()
    place = order.clinic if order else told.clinic if told else None
    if place is None:
        return {}
    names = {"clinic": place.name, "clinic_address": place.address or ""}
    return names | ({"order": order.number, "courier_no": order.courier_no or ""} if order else {})
