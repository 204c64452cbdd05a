"""Whatever customers, clinics, finance and the clock do, and in whatever order: shelf, promises, orders, points and money agree at every
moment (W-39, W-97)."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.orders.cast import Case, Centre
from web.clinics.models import StockReservation
from web.jobs import services as jobs
from web.membership.models import Account, PointsEntry
from web.orders.models import Order, OrderLine, Quote
from web.payments.models import PaymentRequest, Refund

FIRST = {"moxa": 5, "ginseng": 2}
WHICH = st.integers(0, 2)
PIECES = st.lists(st.tuples(st.sampled_from(["moxa", "ginseng"]), st.integers(0, 4)), min_size=1, max_size=2)
NAMES = ["pay", "pharmacy", "short", "picked", "hand", "part", "complete", "cancel", "refund", "refund_part", "told"]
ACTS = st.one_of(
    st.tuples(st.just("place"), WHICH, PIECES),
    st.tuples(st.just("reserve"), WHICH, st.integers(1, 4)),
    st.tuples(st.sampled_from(NAMES), WHICH, st.none()),
    st.tuples(st.sampled_from(["pay", "pharmacy", "picked", "hand", "complete", "refund"]), WHICH, st.none()),
    st.tuples(st.just("pass"), st.just(0), st.sampled_from([1, 24, 49])),
)


class World:
    def __init__(self, centre: Centre, clock) -> None:
        self.centre, self.clock = centre, clock
        self.cases = [centre.case(), centre.stranger(), centre.stranger()]
        for case in self.cases:
            case.quote("moxa")

    def act(self, name: str, which: int, what) -> None:
        case = self.cases[which]
        if name == "pass":
            self.clock.forward(hours=what)
            jobs.sweep()
        elif name == "place":
            case.place(what)
        elif name == "reserve":
            case.call("reserve", product="moxa", quantity=what)
        elif name == "cancel":
            case.call("cancel", order="", reason="x")
        elif Order.objects.filter(business_key=case.key).exists():
            self._move(name, case)

    def _move(self, name: str, case: Case) -> None:
        order = case.order
        if name == "pay":
            case.pay(order.payment or "")
        elif name in ("pharmacy", "complete"):
            case.call({"pharmacy": "to_pharmacy"}.get(name, name), order=order.number)
        elif name in ("short", "picked"):
            case.call("dispense", {}, order=order.number, shortage=name == "short")
            if name == "picked":
                case.call("ready", order=order.number)
        elif name in ("hand", "part"):
            said = {"handed": [{"product": "moxa", "quantity": 1}]} if name == "part" else {}
            case.call("hand_over", said, order=order.number, how="pickup")
        elif name == "told":
            refund = Refund.objects.filter(request__number=order.payment).order_by("-pk").first()
            self._back(case, order, refund.number if refund else "R-none")
        elif order.payment and PaymentRequest.objects.get(number=order.payment).state != "refunded":
            self._back(case, order, case.refund(1000 if name == "refund_part" else 0))

    @staticmethod
    def _back(case: Case, order: Order, refund: str) -> None:
        case.call("refunded", order=order.number, refund=refund, goods_back=True)

    def check(self) -> None:
        for product in (self.centre.moxa, self.centre.ginseng):
            rows = StockReservation.objects.filter(product=product)
            held = rows.filter(state="held").aggregate(sum=Sum("quantity"))["sum"] or 0
            gone = rows.filter(state="taken").aggregate(sum=Sum("quantity"))["sum"] or 0
            assert self.centre.shelf(product) == (FIRST[product.key] - gone, held)
        wishes = set(Quote.objects.exclude(reservation=None).values_list("reservation", flat=True))
        lines = {line.reservation: line for line in OrderLine.objects.select_related("order")}
        for row in StockReservation.objects.all():
            order = lines[row.key].order if row.key in lines else None
            if row.state == "held":
                assert row.key in wishes or (order and order.state in Order.OPEN), "pieces nobody waits for"
            if row.state in ("taken", "returned"):
                assert order and order.done_at
        for order in Order.objects.all():
            self._check_order(order)
        for account in Account.objects.all():
            lines = PointsEntry.objects.filter(customer=account.customer)
            assert account.points == (lines.aggregate(sum=Sum("change"))["sum"] or 0) >= 0
            done = Order.objects.filter(customer=account.customer).exclude(done_at=None)
            sums = done.aggregate(sold=Sum("amount_fen"), back=Sum("refunded_fen"))
            assert account.spent_fen == (sums["sold"] or 0) - (sums["back"] or 0)

    @staticmethod
    def _check_order(order: Order) -> None:
        assert order.amount_fen == sum(line.amount_fen for line in order.lines.all())
        states = set(
            StockReservation.objects.filter(key__in=order.lines.values("reservation")).values_list("state", flat=True)
        )
        if order.state in Order.IN_WORK:
            assert states == {"held"} and order.payment
        if order.state == Order.DONE:
            assert states == {"taken"}
        if order.state == Order.CANCELLED or (order.state == Order.REFUNDED and not order.done_at):
            assert states == {"released"}
        done = Refund.objects.filter(request__number=order.payment or "", state="done")
        assert order.refunded_fen <= (done.aggregate(sum=Sum("amount_fen"))["sum"] or 0)
        assert (order.state in (Order.REFUNDED, Order.PART_REFUNDED)) == bool(order.refunded_fen)


@pytest.mark.req("W-97", "W-39")
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(acts=st.lists(ACTS, min_size=4, max_size=25))
def test_shelf_orders_points_and_money_agree_at_every_moment(centre: Centre, clock, acts) -> None:
    begun = clock.now()
    try:
        with transaction.atomic():
            world = World(centre, clock)
            for act in acts:
                world.act(*act)
                world.check()
            transaction.set_rollback(True)
    finally:
        clock.set(begun)


def test_the_machine_sees_pieces_that_are_sold_and_still_there(centre: Centre, clock, monkeypatch):
    """A planted mistake: completing forgets the shelf."""
    world = World(centre, clock)
    monkeypatch.setattr("web.orders.services.moving.clinics.take_stock", lambda key: True)
    for act in (
        ("place", 0, [("moxa", 1)]),
        ("pay", 0, None),
        ("pharmacy", 0, None),
        ("picked", 0, None),
        ("hand", 0, None),
    ):
        world.act(*act)
        world.check()
    world.act("complete", 0, None)
    with pytest.raises(AssertionError):
        world.check()
