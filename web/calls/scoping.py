"""Standing rule of calls: one's own, those of one's own customers, and of the people one leads."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from web.accounts import services as accounts
from web.common.scope import scoped

from .models import Call, CallLeg


@scoped(Call, subject="call")
def calls(user: Any) -> Q | None:
    """Calls at the user's phone, of customers he owns, and of agents he leads; with the floor also calls nobody answered (S-45)."""
    own = Q(pk__in=CallLeg.objects.filter(agent__user=user).values("call")) | Q(customer__owner=user)
    led = CallLeg.objects.filter(agent__user__memberships__group__in=accounts.groups_led(user)).values("call")
    seen = own | Q(pk__in=led)
    if accounts.has_permission(user, "telephony.floor"):
        seen |= Q(direction=Call.IN, answered_at=None)
    return seen
