"""Twenty at once on PostgreSQL: the last piece is sold once, each order is paid, ended and counted once (W-97)."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import transaction

from tests.orders.cast import Centre
from tests.workflow.test_races import together
from web.clinics.models import StockReservation
from web.membership import services as membership
from web.orders.models import Order

pytestmark = [pytest.mark.postgres]
MANY = 20


@pytest.fixture
def centre(postgres_db, clock, settings, monkeypatch) -> Centre:
    settings.PAYMENT_URL = ""
    monkeypatch.setattr("web.jobs.tasks.sweep.apply_async", lambda **_: None)
    return Centre()


def step(act):
    """A flow's step is one transaction."""

    def run():
        with transaction.atomic():
            return act()

    return run


@pytest.mark.req("W-97", "W-58")
def test_of_twenty_who_order_the_last_piece_one_has_it(centre: Centre):
    centre.moxa.stock.filter(clinic=centre.here).update(quantity=1)
    cases = [centre.stranger() for _ in range(MANY)]
    results = together(*[step(lambda case=case: case.place()["outcome"]) for case in cases])
    assert Counter(results) == {"placed": 1, "short": MANY - 1}
    assert centre.shelf() == (1, 1) and Order.objects.count() == 1 == StockReservation.objects.count()


def test_orders_of_two_products_in_either_order_never_wait_for_each_other(centre: Centre):
    centre.moxa.stock.filter(clinic=centre.here).update(quantity=100)
    cases = [centre.stranger() for _ in range(MANY)]
    lines = [("moxa", 2), ("ginseng", 1)]
    works = [
        step(lambda case=case, n=n: case.place(lines if n % 2 else lines[::-1])["outcome"]) for n, case in enumerate(cases)
    ]  # fmt: skip
    assert Counter(together(*works)) == {"placed": 2, "short": MANY - 2}
    assert centre.shelf() == (100, 4) and centre.shelf(centre.ginseng) == (2, 2)


def test_one_step_twenty_times_at_once_is_one_order(centre: Centre):
    case = centre.case()
    results = together(*[step(lambda: case.place(step="P4")["order"])] * MANY)
    assert len(set(results)) == 1 and Order.objects.count() == 1 and centre.shelf() == (5, 1)


def test_of_paying_and_cancelling_at_once_one_happens(centre: Centre):
    case = centre.case()
    case.place([("moxa", 2)])
    payment = case.payment()
    pay = step(lambda: case.pay(payment))
    cancel = step(lambda: case.call("cancel", order=case.order.number, reason="unpaid")["cancelled"])
    results = together(*[pay, cancel] * (MANY // 2))
    order = case.order
    # Cancelling a paid order is allowed too: then its money is known, and the pieces are free.
    assert order.state == "cancelled" and centre.shelf() == (5, 0) and results.count(True) == 1
    assert set(results[::2]) <= {"paid", "closed"} and (order.payment == payment) == ("paid" in results)


@pytest.mark.req("W-39")
def test_an_order_completed_twenty_times_at_once_gives_points_once(centre: Centre):
    case = centre.case()
    case.place([("ginseng", 1)])
    case.pay()
    case.pick()
    case.call("hand_over", {}, order=case.order.number, how="pickup")
    results = together(*[step(lambda: case.call("complete", order=case.order.number)["points"])] * MANY)
    assert set(results) == {1000} and membership.account(centre.wang)["points"] == 1000
    assert centre.shelf(centre.ginseng) == (1, 0)


@pytest.mark.req("W-39")
def test_a_refund_told_twenty_times_at_once_takes_the_points_once(centre: Centre):
    case = centre.case()
    order = case.sell([("ginseng", 1)])
    refund = case.refund()
    tell = step(lambda: case.call("refunded", order=order.number, refund=refund, goods_back=True)["points"])
    results = together(*[tell] * MANY)
    assert Counter(results) == {1000: 1, 0: MANY - 1}
    assert membership.account(centre.wang)["points"] == 0 and centre.shelf(centre.ginseng) == (2, 0)
