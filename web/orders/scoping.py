"""Standing rules of W-97…W-99: agents see the orders of their customers, tickets and sales, clinic and pharmacy those of their clinic,
finance all."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from web.accounts import services as accounts
from web.clinics import services as clinics
from web.common.scope import everything, scope, scoped
from web.tickets.models import Ticket

from .models import Order


@scoped(Order, subject="ticket", path="ticket")
def orders(user: Any) -> Q | None:
    if not user.is_active:
        return None
    if accounts.has_permission(user, "tickets.view_all") or accounts.has_permission(user, "payments.view"):
        return everything()
    mine = Q(clinic__in=clinics.clinics_of(user).values("pk")) if _keeps_goods(user) else Q(pk__in=[])
    tickets = scope(Ticket.objects.all(), user).values("pk")
    return mine | Q(customer__owner=user) | Q(sold_by=user) | Q(ticket__in=tickets)


def _keeps_goods(user: Any) -> bool:
    """Doctors work at a clinic too, but its orders are not theirs."""
    return accounts.has_role(user, "clinic") or accounts.has_role(user, "pharmacy")
