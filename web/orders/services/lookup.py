"""Which order a case speaks of, and its number."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from web.common import clock
from web.common.errors import NotFound
from web.orders.models import Order, OrderSequence


def newest(business_key: str) -> Order | None:
    return Order.objects.filter(business_key=business_key).select_related("customer").order_by("-pk").first()


def of(number: str, business_key: str) -> Order:
    """The order with this number, if it is of this case; "" = its newest. NotFound."""
    if not number:
        found = newest(business_key)
    else:
        rows = Order.objects.filter(number=number, business_key=business_key)
        found = rows.select_related("customer", "clinic").first()
    if found is None:
        raise NotFound(what="order")
    return found


def next_number() -> str:
    """D20261125-0001: the day at the centre and a counter."""
    day = clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).strftime("%Y%m%d")
    while True:
        row = OrderSequence.objects.filter(day=day).first()
        if row is None:
            try:
                with transaction.atomic():
                    row = OrderSequence.objects.create(day=day)
            except IntegrityError:
                continue
        if OrderSequence.objects.filter(pk=row.pk, next=row.next).update(next=F("next") + 1):
            return f"D{day}-{row.next:04d}"
