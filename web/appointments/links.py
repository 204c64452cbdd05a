"""What rooms below show of appointments without knowing them."""

from __future__ import annotations

from typing import Any

from web.common.scope import scope
from web.customers.models import Customer

from .models import Appointment, starts_at


def history(customer: Customer, user: Any) -> list[dict]:
    """HistoryRows of a customer's appointments the user may see."""
    rows = scope(Appointment.objects.filter(customer=customer), user).select_related("doctor", "ticket")
    return [
        {
            "at": starts_at(row.date, row.hour) if row.date and row.hour is not None else row.created_at,
            "kind": "appointment",
            "title": row.doctor.name if row.doctor_id else "",
            "state": row.state,
            "duration_ms": None,
            "ref": row.ticket.number if row.ticket_id else None,
        }
        for row in rows.order_by("-created_at")[:50]
    ]
