"""What people tell the flow of a purchase from outside its tasks: delivered, returned, cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from web.accounts import services as accounts
from web.clinics import services as clinics
from web.common import clock
from web.common.audit import audit
from web.common.errors import DomainError
from web.jobs import services as jobs
from web.orders.models import Order, OrderLine
from web.workflow import services as workflow

DELIVERED, RETURN_WISH, CANCEL = "delivery.delivered", "purchase.return_wish", "purchase.cancel"
ACTS = {"delivered": DELIVERED, "return": RETURN_WISH, "cancel": CANCEL}


class NotWaiting(DomainError):
    """The order's flow does not hear that now. Facts: state."""

    code, status = "order_not_waiting", 409


def is_staff(user: Any, order: Order) -> bool:
    return clinics.clinics_of(user).filter(pk=order.clinic_id).exists()


def _is_on_its_way(orders: Iterable[Order]) -> set[int]:
    """Ids of those of which something has left the clinic: they are returned, not cancelled."""
    return set(OrderLine.objects.filter(order__in=list(orders), delivered__gt=0).values_list("order", flat=True))


def tell(order: Order, name: str, *, reason: str, acting_user: Any) -> None:
    """Throw a whole-flow message at the purchase. NotAllowed for one who neither works at the clinic nor opens tickets; NotWaiting."""
    if not is_staff(acting_user, order):
        accounts.require(acting_user, "tickets.open")
    is_heard = workflow.is_awaited(name, business_key=order.business_key)
    if not is_heard or (name == CANCEL and _is_on_its_way([order])):
        raise NotWaiting(state=order.state)
    jobs.receive(
        name,
        message_id=f"{name}:{order.pk}:{acting_user.number}:{clock.now().isoformat()}",
        business_key=order.business_key,
        payload={"by": acting_user.number, "reason": reason},
    )
    audit(name, order.subject, actor=acting_user, person=order.person, reason=reason)


def possible(orders: Iterable[Order], user: Any) -> dict[int, list[str]]:
    """For each order (by id) which acts its flow hears and the user may do now. Of a case with several orders only the newest has any."""
    rows = list(orders)
    heard = workflow.awaited_by([row.business_key for row in rows], ACTS.values())
    mine = set(clinics.clinics_of(user).values_list("pk", flat=True))
    opens = accounts.has_permission(user, "tickets.open")
    last: dict[str, int] = {}
    for row in Order.objects.filter(business_key__in={row.business_key for row in rows}).order_by("pk"):
        last[row.business_key] = row.pk
    may = {row.pk: last[row.business_key] == row.pk and (opens or row.clinic_id in mine) for row in rows}
    gone = _is_on_its_way(rows)
    return {
        row.pk: [
            act
            for act, name in ACTS.items()
            if may[row.pk] and (row.business_key, name) in heard and not (name == CANCEL and row.pk in gone)
        ]
        for row in rows
    }
