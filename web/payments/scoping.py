"""Who may see which money: those with `payments.view` all; others what they asked for themselves or their own customers owe."""

from __future__ import annotations

from django.db.models import Q

from web.accounts import services as accounts
from web.common.scope import everything, scoped

from .models import PaymentRequest, Refund


@scoped(PaymentRequest)
def payments_of(user) -> Q | None:
    if accounts.has_permission(user, "payments.view"):
        return everything()
    return Q(asked_by=user) | Q(customer__owner=user)


@scoped(Refund)
def refunds_of(user) -> Q | None:
    if accounts.has_permission(user, "payments.view"):
        return everything()
    return Q(asked_by=user) | Q(request__asked_by=user) | Q(request__customer__owner=user)
