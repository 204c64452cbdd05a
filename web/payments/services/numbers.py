"""P20261125-0001 and R20261125-0001: the day at the centre and a counter, each taken once by conditional update."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from web.common import clock
from web.common.errors import NotFound
from web.payments.models import PaymentRequest, PaymentSequence, Refund


def next_number(kind: str) -> str:
    """kind: P = payment, R = refund."""
    prefix = kind + clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).strftime("%Y%m%d")
    while True:
        row = PaymentSequence.objects.filter(prefix=prefix).first()
        if row is None:
            try:
                with transaction.atomic():
                    row = PaymentSequence.objects.create(prefix=prefix)
            except IntegrityError:
                continue
        if PaymentSequence.objects.filter(pk=row.pk, next=row.next).update(next=F("next") + 1):
            return f"{prefix}-{row.next:04d}"


def by_number(number: str) -> PaymentRequest:
    """NotFound when there is no such payment."""
    found = PaymentRequest.objects.select_related("customer").filter(number=number).first()
    if found is None:
        raise NotFound(what="payment")
    return found


def refund_by_number(number: str) -> Refund:
    """NotFound when there is no such refund."""
    found = Refund.objects.select_related("request__customer", "asked_by").filter(number=number).first()
    if found is None:
        raise NotFound(what="refund")
    return found
