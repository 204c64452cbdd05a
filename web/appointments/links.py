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


def names_of(business_key: str) -> dict[str, str]:
    """For messages to the patient: doctor, clinic, clinic_address, visit_date and visit_time of the place he has (or had last)."""
    row = Appointment.objects.filter(business_key=business_key).select_related("doctor", "clinic").first()
    if row is None:
        return {}
    names = {"doctor": row.doctor.name} if row.doctor_id else {}
    if row.clinic_id:
        names |= {"clinic": row.clinic.name, "clinic_address": row.clinic.address or ""}
    if row.date:
        names["visit_date"] = f"{row.date:%m-%d}"
    if row.date and row.hour is not None:
        names["visit_time"] = f"{row.hour:02d}:00-{row.hour + 1:02d}:00"
    return names
