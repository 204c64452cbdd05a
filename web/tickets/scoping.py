from __future__ import annotations

from django.db.models import Q

from web.accounts import services as accounts
from web.common.scope import everything, scoped

from .models import Ticket


@scoped(Ticket, subject="ticket")
def tickets_of(user) -> Q | None:
    """Opened or owned by the user, of his customers, or of the groups he leads; everything with `tickets.view_all`."""
    if accounts.has_permission(user, "tickets.view_all"):
        return everything()
    return Q(opened_by=user) | Q(owner=user) | Q(customer__owner=user) | Q(group__in=accounts.groups_led(user))
