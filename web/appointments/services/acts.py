"""What people say about an appointment, told to its flow: the flow draws what follows. Nothing changes here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from web.accounts import services as accounts
from web.appointments.models import Appointment
from web.clinics import services as clinics
from web.common import clock
from web.common.audit import audit
from web.common.errors import NotAllowed
from web.jobs import services as jobs
from web.workflow import services as workflow

from .errors import NotWaiting
from .schedules import PERMISSION

CHECKED_IN, CANCEL, RESCHEDULE = "appointment.checked_in", "appointment.cancel", "appointment.reschedule"


def is_staff(user: Any, appointment: Appointment) -> bool:
    """Whether he keeps the desk of the appointment's clinic."""
    if not appointment.clinic_id or not accounts.has_permission(user, PERMISSION):
        return False
    return clinics.clinics_of(user).filter(pk=appointment.clinic_id).exists()


@transaction.atomic
def tell(appointment: Appointment, name: str, *, reason: str, acting_user: Any, **payload: Any) -> None:
    """Throw a whole-flow message at the appointment's flow. NotAllowed for one who neither works there nor opens tickets; NotWaiting when
    the flow does not hear it now."""
    if name == CHECKED_IN and not is_staff(acting_user, appointment):
        raise NotAllowed(needs="clinic_staff")
    if not is_staff(acting_user, appointment):
        accounts.require(acting_user, "tickets.open")
    if not workflow.is_awaited(name, business_key=appointment.business_key):
        raise NotWaiting(state=appointment.state)
    jobs.receive(
        name,
        message_id=f"{name}:{appointment.pk}:{acting_user.number}:{clock.now().isoformat()}",
        business_key=appointment.business_key,
        payload={"by": acting_user.number, "reason": reason, **payload},
    )
    audit(name, appointment.subject, actor=acting_user, reason=reason)


def possible(appointments: Iterable[Appointment], user: Any) -> dict[int, list[str]]:
    """For each appointment (by id) which acts its flow waits for and the user may do now: check-in, cancel, reschedule."""
    rows = list(appointments)
    names = {"check-in": CHECKED_IN, "cancel": CANCEL, "reschedule": RESCHEDULE}
    heard = workflow.awaited_by([row.business_key for row in rows], names.values())
    keeps_desk = accounts.has_permission(user, PERMISSION)
    desks = set(clinics.clinics_of(user).values_list("pk", flat=True)) if keeps_desk else set()
    opens = accounts.has_permission(user, "tickets.open")
    return {
        row.pk: [
            act
            for act, name in names.items()
            if (row.business_key, name) in heard and (row.clinic_id in desks or (opens and name != CHECKED_IN))
        ]
        for row in rows
    }
