"""Points and fund: each change is one conditional UPDATE of the account and one line of the ledger, together (W-40, W-52).

Never below zero, the same key never twice, and the sum of the lines is always what the account says.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from web.common import clock
from web.common.errors import BadInput, DomainError
from web.customers.models import Customer
from web.membership.models import Account, FundEntry, PointsEntry

MOST = 1_000_000_000  # points or fen in one change


class NotEnough(DomainError):
    """Code points_too_low or fund_too_low. Facts: has, needs."""

    status = 409


class KeyTaken(DomainError):
    """The key stands for another change already. Facts: key."""

    code, status = "key_taken", 409


def add_points(
    customer: Customer, change: int, reason: str, key: str, *, reference: str | None = None, operator: Any = None
) -> int:
    """Points below zero are taken away; returns the balance after this change. The same key again changes nothing and answers the
    same. NotEnough("points_too_low"); KeyTaken when the key stands for another change. Nothing happens for a change of 0."""
    return _enter(PointsEntry, "points", customer, change, key, reason=reason, reference=reference, operator=operator)


def move_fund(
    customer: Customer,
    change_fen: int,
    reason: str,
    key: str,
    *,
    channel: str = "centre",
    reference: str | None = None,
    operator: Any = None,
) -> int:
    """Debit below zero, credit above, in fen; otherwise as add_points. NotEnough("fund_too_low")."""
    facts = {"reason": reason, "reference": reference, "operator": operator, "channel": channel}
    return _enter(FundEntry, "fund_fen", customer, change_fen, key, **facts)


def opened(customer: Customer) -> Account:
    """The customer's account; the first look makes it."""
    return Account.objects.get_or_create(customer=customer)[0]


def _enter(ledger: Any, column: str, customer: Customer, change: int, key: str, *, operator: Any, **facts: Any) -> int:
    if abs(change) > MOST:
        raise BadInput(fields={"change": [{"code": "out_of_range", "most": MOST}]})
    opened(customer)
    if change == 0:
        return Account.objects.values_list(column, flat=True).get(customer=customer)
    try:
        with transaction.atomic():
            known = _known(ledger, customer, change, key)
            if known is not None:
                return known
            enough = Account.objects.filter(customer=customer, **{f"{column}__gte": max(-change, 0)})
            moved = enough.update(**{column: F(column) + change})
            balance = Account.objects.values_list(column, flat=True).get(customer=customer)
            if moved != 1:
                known = _known(ledger, customer, change, key)  # the same change, a moment ago
                if known is not None:
                    return known
                word = "points_too_low" if ledger is PointsEntry else "fund_too_low"
                raise NotEnough(word, has=balance, needs=-change)
            who = getattr(operator, "number", operator) or None
            line = {"change": change, "balance": balance, "operator": who, "at": clock.now(), **facts}
            ledger.objects.create(customer=customer, key=key, **line)
            return balance
    except IntegrityError:  # the same key in the same moment: our change went back with the savepoint
        known = _known(ledger, customer, change, key)
        if known is None:
            raise
        return known


def _known(ledger: Any, customer: Customer, change: int, key: str) -> int | None:
    """The balance after the change that this key stands for, or None."""
    row = ledger.objects.filter(key=key).first()
    if row is None:
        return None
    if (row.customer_id, row.change) != (customer.pk, change):
        raise KeyTaken(key=key)
    return row.balance
