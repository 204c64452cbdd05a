"""Standing rules: whoever may see the ticket, and the people of the clinic; a doctor sees his own list (W-100)."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from web.accounts import services as accounts
from web.clinics import services as clinics
from web.common.scope import everything, scope, scoped
from web.tickets.models import Ticket

from .models import Appointment, Schedule
from .services.schedules import PERMISSION


@scoped(Appointment, subject="ticket", path="ticket")
def appointments(user: Any) -> Q | None:
    if not user.is_active:
        return None
    if accounts.has_permission(user, "tickets.view_all"):
        return everything()
    return (
        Q(ticket__in=scope(Ticket.objects.all(), user).values("pk")) | Q(clinic__in=_desks(user)) | Q(doctor__user=user)
    )


@scoped(Schedule)
def schedules(user: Any) -> Q | None:
    """Of the own clinics and of oneself; all for those who see all cases."""
    if not user.is_active:
        return None
    if accounts.has_permission(user, "tickets.view_all"):
        return everything()
    return Q(post__clinic__in=_desks(user)) | Q(post__doctor__user=user)


def _desks(user: Any):
    """Clinics whose desk he keeps; its pharmacy sees orders, not appointments."""
    mine = clinics.clinics_of(user).values("pk")
    return mine if accounts.has_permission(user, PERMISSION) else mine.none()
