"""Where a case stands, read from its rows: a flow that was interrupted asks here instead of remembering."""

from __future__ import annotations

from typing import Any

from web.appointments.models import Appointment, Slot, Waiting
from web.clinics import services as clinics

from .slots import REMIND

FORM, PLACE, QUEUE, WAIT = STAGES = ("form", "place", "queue", "wait")
NOWHERE: dict[str, Any] = {
    "stage": FORM,
    **dict.fromkeys(("slot", "waiting", "clinic", "department", "doctor", "date"), ""),
    "hour": 0,
    **dict.fromkeys(("visit_at", "visit_end", "remind_at", "clinic_group"), ""),
}


def standing(business_key: str) -> dict[str, Any]:
    """form: nothing was asked for yet; place: a place is held or looked for; queue: he waits for one; wait: he has one. With the wish
    (keys), the place and the row of the waiting list as they are now."""
    related = ("slot", "clinic", "department", "doctor")
    appointment = Appointment.objects.filter(business_key=business_key).select_related(*related).first()
    if appointment is None or appointment.wanted_date is None:
        return dict(NOWHERE)
    waiting = (
        Waiting.objects.filter(appointment=appointment, state__in=Waiting.OPEN).select_related(*related[1:]).first()
    )
    wish = waiting or appointment
    facts = {
        **NOWHERE,
        "stage": QUEUE if waiting else PLACE,
        "waiting": str(waiting.pk) if waiting else "",
        "clinic": wish.clinic.key if wish.clinic else "",
        "department": wish.department.key if wish.department else "",
        "doctor": wish.doctor.key if wish.doctor else "",
        "date": wish.date.isoformat() if wish.date else "",
        "hour": appointment.hour or 0,
    }
    slot = appointment.slot
    if waiting or slot is None or slot.appointment_id != appointment.pk or slot.state not in (Slot.HELD, Slot.BOOKED):
        return facts
    return {
        **facts,
        "stage": WAIT if slot.state == Slot.BOOKED else PLACE,
        "slot": str(slot.pk),
        "visit_at": slot.starts_at.isoformat(),
        "visit_end": slot.ends_at.isoformat(),
        "remind_at": (slot.starts_at - REMIND).isoformat(),
        "clinic_group": clinics.group_of(appointment.clinic, "contact"),
    }
