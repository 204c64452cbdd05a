"""Standing rules: own customers, those of the agents one leads, all for who may query all (S-50…S-53, W-29, W-30)."""

from __future__ import annotations

from django.db.models import Q

from web.accounts import services as accounts
from web.accounts.models import Membership, User
from web.common.scope import everything, scoped

from .models import Customer, OwnershipChange


def _owners(user: User) -> Q | None:
    if not user.is_active:
        return None
    if accounts.has_permission(user, "customers.view_all"):
        return everything()
    led = Membership.objects.filter(group__in=accounts.groups_led(user).values("pk")).values("user")
    return Q(owner=user) | Q(owner__in=led)


@scoped(Customer, subject="customer")
def customers(user: User) -> Q | None:
    return _owners(user)


@scoped(OwnershipChange)
def ownership_changes(user: User) -> Q | None:
    return Q(customer__in=Customer.objects.filter(rule).values("pk")) if (rule := _owners(user)) is not None else None
