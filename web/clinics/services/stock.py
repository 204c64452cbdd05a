"""Stock of a product in a clinic. Each act is one conditional UPDATE; who changed the row has what he asked for.

An order of several lines reserves them sorted by product, so that two orders never wait for each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from web.accounts import services as accounts
from web.clinics.models import Product, Stock, StockReservation
from web.clinics.services.people import clinics_of
from web.common.audit import audit
from web.common.errors import BadInput, DomainError, NotAllowed
from web.jobs import services as jobs
from web.places.models import Clinic

HELD, TAKEN, RELEASED, RETURNED = (
    StockReservation.HELD,
    StockReservation.TAKEN,
    StockReservation.RELEASED,
    StockReservation.RETURNED,
)
MOST = 1_000_000


class KeyTaken(DomainError):
    """The key stands for something else already. Facts: key."""

    code, status = "key_taken", 409


def available(product: Product, clinic: Clinic) -> int:
    """Pieces nobody has been promised."""
    row = Stock.objects.filter(product=product, clinic=clinic).first()
    return row.available if row else 0


def reserve_stock(product: Product, clinic: Clinic, quantity: int, key: str, *, until: datetime | None = None) -> bool:
    """Promise `quantity` pieces under `key`; False when there are not so many. The same again is the same promise; False once it was
    released. With `until` a job releases what is still only held then. KeyTaken for another product, clinic or quantity."""
    if quantity < 1:
        raise BadInput(fields={"quantity": [{"code": "too_small", "least": 1}]})
    try:
        with transaction.atomic():
            known = _known(product, clinic, quantity, key)
            if known is not None:
                return known
            free = Stock.objects.filter(product=product, clinic=clinic, quantity__gte=F("reserved") + quantity)
            if free.update(reserved=F("reserved") + quantity) != 1:
                # The same request may have taken the last pieces a moment ago.
                return bool(_known(product, clinic, quantity, key))
            facts = {"product": product, "clinic": clinic, "quantity": quantity, "until": until}
            StockReservation.objects.create(key=key, **facts)
            if until is not None:
                jobs.enqueue("clinics.release", key=_job(key), payload={"key": key}, due_at=until)
            return True
    except IntegrityError:  # the same key in the same moment: what we took above went back with the savepoint
        known = _known(product, clinic, quantity, key)
        if known is None:
            raise
        return known


def _known(product: Product, clinic: Clinic, quantity: int, key: str) -> bool | None:
    """Whether the promise of this key stands; None when there is none."""
    row = StockReservation.objects.filter(key=key).first()
    if row is None:
        return None
    if (row.product_id, row.clinic_id, row.quantity) != (product.pk, clinic.pk, quantity):
        raise KeyTaken(key=key)
    return row.state in (HELD, TAKEN)


def _job(key: str) -> str:
    return f"stock:{key}"


def keep_stock(key: str) -> bool:
    """The goods are paid: the promise has no end any more. False when it is not held."""
    kept = StockReservation.objects.filter(key=key, state=HELD).update(until=None) == 1
    if kept:
        jobs.cancel(_job(key))
    return kept


def release_stock(key: str) -> bool:
    """The pieces are free again. False when they were not held: sold, released before, or never promised."""
    return _move(key, HELD, RELEASED, quantity=0, reserved=-1)


def take_stock(key: str) -> bool:
    """The pieces left the clinic. False when they were not held."""
    return _move(key, HELD, TAKEN, quantity=-1, reserved=-1)


def return_stock(key: str) -> bool:
    """Sold pieces came back. False when they were not sold."""
    return _move(key, TAKEN, RETURNED, quantity=1, reserved=0)


@transaction.atomic
def _move(key: str, before: str, after: str, *, quantity: int, reserved: int) -> bool:
    """One step of a reservation and what it does to the stock, `quantity` and `reserved` in times of the reserved pieces."""
    if StockReservation.objects.filter(key=key, state=before).update(state=after) != 1:
        return False
    row = StockReservation.objects.get(key=key)
    pieces = {"quantity": F("quantity") + quantity * row.quantity, "reserved": F("reserved") + reserved * row.quantity}
    Stock.objects.filter(product=row.product_id, clinic=row.clinic_id).update(**pieces)
    if before == HELD and row.until is not None:
        jobs.cancel(_job(key))
    return True


@transaction.atomic
def set_stock(product: Product, clinic: Clinic, quantity: int, *, acting_user: Any) -> Stock:
    """Counted: so many pieces are there. BadInput below what is reserved. By `clinics.maintain`, or the pharmacy of that clinic."""
    may = accounts.has_permission(acting_user, "clinics.maintain") or (
        accounts.has_role(acting_user, "pharmacy") and clinics_of(acting_user).filter(pk=clinic.pk).exists()
    )
    if not may:
        raise NotAllowed(needs="clinics.maintain", who_grants=["pharmacy", "supervisor", "manager", "director"])
    if not 0 <= quantity <= MOST:
        raise BadInput(fields={"quantity": [{"code": "out_of_range", "least": 0, "most": MOST}]})
    row, _ = Stock.objects.get_or_create(product=product, clinic=clinic)
    before = row.quantity
    if not Stock.objects.filter(pk=row.pk, reserved__lte=quantity).update(quantity=quantity):
        row.refresh_from_db()
        raise BadInput(fields={"quantity": [{"code": "below_reserved", "reserved": row.reserved}]})
    row.refresh_from_db()
    subject = f"product:{product.key}"
    audit("clinics.stock_set", subject, actor=acting_user, clinic=clinic.key, before=before, after=quantity)
    return row
