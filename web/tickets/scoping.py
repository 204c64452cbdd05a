from __future__ import annotations

from django.db.models import Q

from web.accounts import services as accounts
from web.common.scope import everything, scoped
from web.workflow.models import UserTask

from .models import Ticket


@scoped(Ticket, subject="ticket")
def tickets_of(user) -> Q | None:
    """Opened or owned by the user, with a step he completed, of his customers, or of the groups he leads; everything with
    `tickets.view_all`."""
    if accounts.has_permission(user, "tickets.view_all"):
        return everything()
    his_work = UserTask.objects.filter(ended_by=user, state=UserTask.DONE).values("instance")
    ordinary = Q(opened_by=user) | Q(owner=user) | Q(customer__owner=user) | Q(instance__in=his_work)
    return ordinary | Q(group__in=accounts.groups_led(user))
