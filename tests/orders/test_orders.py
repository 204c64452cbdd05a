"""From the wish to the customer's hand and back: states, stock and points go together (W-97, W-98, W-39)."""

from __future__ import annotations

import pytest

from tests.orders.cast import HERE, THERE, lines_of
from tests.payments.cast import deploy
from web.clinics.models import StockReservation
from web.jobs import services as jobs
from web.membership import services as membership
from web.orders.models import Order
from web.orders.services import place
from web.payments.models import PaymentRequest
from web.tickets.models import Ticket


@pytest.mark.req("W-97")
def test_a_placed_order_keeps_its_pieces_for_48_hours(centre, clock):
    case = centre.case()
    placed = case.place([("moxa", 2), ("ginseng", 1), ("moxa", 1)])
    assert placed["outcome"] == "placed" and placed["order"] == "D20261123-0001"
    assert placed["amount_fen"] == 3 * 3600 + 100_000
    assert lines_of(case.order) == [
        ("ginseng", 1, 100_000, 0, None, 100_000), ("moxa", 3, 3600, 0, None, 10_800),
    ]  # fmt: skip
    assert (case.order.state, case.order.ticket, case.order.customer) == ("awaiting_payment", case.ticket, centre.wang)
    assert centre.shelf() == (5, 3)
    clock.forward(hours=47, minutes=59)
    jobs.sweep()
    assert centre.shelf() == (5, 3)
    clock.forward(minutes=2)
    jobs.sweep()
    assert centre.shelf() == (5, 0)


@pytest.mark.parametrize(
    "lines, clinic, outcome, field, reason",
    [
        ([], HERE, "refused", "lines", "required"),
        ([("moxa", 0)], HERE, "refused", "lines.0.quantity", "out_of_range"),
        ([("ginseng", 1), ("moxa", -2)], HERE, "refused", "lines.1.quantity", "out_of_range"),
        ([("ginseng", 1), ("dragon", 1)], HERE, "refused", "lines.1.product", "unknown"),
        ([("ginseng", 1), ("moxa", "2")], HERE, "refused", "lines.1.quantity", "invalid"),
        ([("ginseng", 1), ("moxa", True)], HERE, "refused", "lines.1.quantity", "invalid"),
        ([("moxa", 1)] * 31, HERE, "refused", "lines", "too_many"),
        ([("moxa", 9000), ("moxa", 9000)], HERE, "refused", "lines.1.quantity", "out_of_range"),
        ([("moxa", 1)], "atlantis", "refused", "clinic", "unknown"),
        ([("ginseng", 1), ("moxa", 6)], HERE, "short", "lines.1.quantity", "above_stock"),
        ([("ginseng", 1)], THERE, "short", "lines.0.quantity", "above_stock"),
        ([("moxa", 1), ("rhino", 1)], HERE, "prescription", "lines.1.product", "prescription_only"),
    ],
)
def test_bad_lines_are_refused_with_field_and_reason_and_nothing_is_half_done(
    centre, lines, clinic, outcome, field, reason
):
    refused = centre.case().place(lines, clinic)
    assert (refused["outcome"], refused["field"], refused["reason"]) == (outcome, field, reason)
    assert not Order.objects.exists() and not StockReservation.objects.exists()
    assert centre.shelf() == (5, 0) and centre.shelf(centre.ginseng) == (2, 0)


@pytest.mark.parametrize("lines", [None, "moxa", [None], [{"quantity": 1}], [{"product": ["moxa"], "quantity": 1}]])
def test_lines_that_are_none_are_refused(centre, lines):
    facts = {"key": "k", "customer": centre.wang, "now": centre.case().ticket.opened_at}
    assert place("ticket:T-none", centre.here, lines, **facts).outcome == "refused"


def test_what_only_a_doctor_may_allow_is_placed_once_he_has(centre):
    case = centre.case()
    assert case.place([("rhino", 1)])["outcome"] == "prescription"
    assert case.place([("rhino", 1)], prescribed=True)["outcome"] == "placed"


def test_the_same_step_again_is_the_same_order(centre):
    case = centre.case()
    first, again = case.place(step="P4"), case.place(step="P4")
    assert first == again and Order.objects.count() == 1 and centre.shelf() == (5, 1)


@pytest.mark.req("W-94")
def test_pieces_kept_before_the_order_become_the_orders(centre, clock):
    case = centre.case()
    case.quote("moxa", 5)
    assert case.call("reserve", product="moxa", quantity=5)["outcome"] == "reserved" and centre.shelf() == (5, 5)
    short = centre.stranger()
    short.quote("moxa", 1)
    kept = short.call("reserve", product="moxa", quantity=1)
    assert (kept["outcome"], kept["elsewhere"]) == ("short", [THERE])
    assert case.place([("moxa", 6)])["outcome"] == "short" and centre.shelf() == (5, 5), "what was kept stays kept"
    assert case.place([("moxa", 4)])["outcome"] == "placed" and centre.shelf() == (5, 4)
    other = centre.stranger()
    other.quote("moxa", 1)
    other.call("reserve", product="moxa", quantity=1)
    assert other.call("cancel", order="", reason="given_up") == {"cancelled": False, "order": "", "payment": ""}
    assert centre.shelf() == (5, 4)


@pytest.mark.req("W-97", "W-98")
def test_an_order_goes_through_pharmacy_and_decoction_to_the_courier(centre, clock):
    case, seen = centre.case(), []
    case.place([("moxa", 2)], delivery="courier")
    number = case.order.number
    for name, answers, params in [
        ("pay", None, {"payment": case.payment()}),
        ("to_pharmacy", None, {}),
        ("dispense", {"lot": "L-7", "dose_days": 2, "dose_times": ["20:00", "08:00"]}, {"shortage": False}),
        ("to_decoction", None, {}),
        ("ready", {"bags": 14}, {}),
        ("hand_over", {"courier_no": "SF-1"}, {"how": "courier"}),
        ("complete", None, {}),
    ]:
        case.call(name, answers, order=number, **params)
        seen.append(case.order.state)
    assert seen == ["paid", "dispensing", "dispensing", "decocting", "ready", "delivering", "done"]
    order = case.order
    assert (order.lot, order.bags, order.courier_no, order.delivery) == ("L-7", 14, "SF-1", "courier")
    assert centre.shelf() == (3, 0)
    told = []
    while at := case.call("next_dose", order=number)["at"]:
        told.append(at[:16])
    assert told == ["2026-11-24T08:00", "2026-11-24T20:00", "2026-11-25T08:00", "2026-11-25T20:00"]


@pytest.mark.req("W-39", "W-27")
def test_a_completed_order_gives_points_once(centre):
    case = centre.case()
    order = case.sell([("ginseng", 1)])
    assert (order.state, order.points) == ("done", 1000) and centre.shelf(centre.ginseng) == (1, 0)
    assert case.call("complete", order=order.number)["points"] == 1000
    account = membership.account(centre.wang)
    assert (account["points"], account["spent_fen"], account["orders"]) == (1000, 100_000, 1)
    assert case.call("cancel", order=order.number, reason="late")["cancelled"] is False


def test_acts_that_do_not_fit_the_state_change_nothing(centre):
    case = centre.case()
    case.place()
    number = case.order.number
    for name, answers, params in [
        ("to_pharmacy", None, {}), ("dispense", {}, {"shortage": True}), ("to_decoction", None, {}), ("ready", None, {}),
        ("hand_over", {}, {"how": "pickup"}), ("complete", None, {}),
    ]:  # fmt: skip
        case.call(name, answers, order=number, **params)
    assert case.order.state == "awaiting_payment" and centre.shelf() == (5, 1)
    assert membership.account(centre.wang)["points"] == 0


class TestPaying:
    def test_only_enough_money_of_this_case_pays_and_only_once(self, centre):
        case, other = centre.case(), centre.stranger()
        case.place()
        other.place()
        assert case.pay(other.payment()) == "not_paid"
        assert case.pay(case.payment(3599)) == "not_paid" and case.pay("P-none") == "not_paid"
        good = case.payment()
        assert [case.pay(good), case.pay(good)] == ["paid", "paid"]
        assert case.place([("moxa", 1)])["outcome"] == "placed"
        assert case.pay(good) == "not_paid", "it pays the first order already"

    def test_paid_in_time_but_learned_late_takes_the_pieces_again_while_they_are_there(self, centre, clock):
        lucky, unlucky = centre.case(), centre.stranger()
        lucky.place([("moxa", 3)])
        unlucky.place([("moxa", 2)])
        clock.forward(hours=49)
        jobs.sweep()
        assert centre.shelf() == (5, 0)
        assert lucky.pay() == "paid" and centre.shelf() == (5, 3)
        third = centre.stranger()
        third.place([("moxa", 2)])
        assert unlucky.pay() == "short" and unlucky.order.state == "awaiting_payment"
        assert unlucky.order.payment and centre.shelf() == (5, 5)
        assert unlucky.call("cancel", order=unlucky.order.number, reason="short")["payment"] == unlucky.order.payment
        assert centre.shelf() == (5, 5), "what was not his is not released"

    def test_a_paid_order_waits_without_an_end(self, centre, clock):
        case = centre.case()
        case.place()
        case.pay()
        clock.forward(days=30)
        jobs.sweep()
        assert centre.shelf() == (5, 1)

    def test_a_cancelled_order_is_not_paid_any_more(self, centre):
        case = centre.case()
        case.place()
        case.call("cancel", order="", reason="unpaid")
        assert case.pay() == "closed" and centre.shelf() == (5, 0)


@pytest.mark.req("W-98")
def test_a_shortage_returns_the_order_and_the_money_goes_back_by_a_ticket_when_he_takes_something_else(centre):
    deploy()
    case = centre.case()
    case.place([("ginseng", 2)])
    case.pay()
    first = case.order
    case.call("to_pharmacy", order=first.number)
    case.call("dispense", {}, order=first.number, shortage=True)
    assert (case.order.state, case.order.is_short) == ("paid", True)
    case.call("to_pharmacy", order=first.number)
    assert case.order.is_short is False, "the pharmacy tries again"
    case.call("dispense", {}, order=first.number, shortage=True)
    case.call("cancel", order=first.number, reason="replaced")
    assert centre.shelf(centre.ginseng) == (2, 0)
    given = Ticket.objects.filter(kind="refund").count()
    answer = case.call("give_back", order=first.number, reason="replaced")
    assert answer["ticket"] and Ticket.objects.filter(kind="refund").count() == given + 1
    assert case.place([("moxa", 1)])["outcome"] == "placed" and case.order.number != first.number


@pytest.mark.req("W-97")
def test_a_part_may_be_handed_over_first_but_never_more_than_was_bought(centre):
    case = centre.case()
    case.place([("moxa", 3), ("ginseng", 1)])
    case.pay()
    case.pick()

    def hand(*lines) -> str:
        said = {"handed": [{"product": product, "quantity": pieces} for product, pieces in lines]}
        return case.call("hand_over", said, order=case.order.number, how="pickup")["outcome"]

    assert hand(("moxa", 2)) == "part"
    for wrong in ([("moxa", 2)], [("ginseng", 1), ("moxa", 2)], [("rhino", 1)], [("moxa", 0)], [("moxa", "1")]):
        assert hand(*wrong) == "refused"
    assert dict(case.order.lines.values_list("product__key", "delivered")) == {"moxa": 2, "ginseng": 0}
    assert hand(("ginseng", 1), ("moxa", 1)) == "complete"


class TestBack:
    @pytest.mark.req("W-39", "W-97")
    def test_a_refund_takes_the_points_back_and_sound_goods_return_to_the_shelf(self, centre):
        case = centre.case()
        order = case.sell([("ginseng", 1)])
        refund = case.refund()
        back = case.call("refunded", order=order.number, refund=refund, goods_back=True, reason="quality")
        assert back == {"state": "refunded", "points": 1000, "short": 0}
        assert case.call("refunded", order=order.number, refund=refund, goods_back=True)["points"] == 0, "once"
        assert centre.shelf(centre.ginseng) == (2, 0) and case.order.refunded_fen == 100_000
        account = membership.account(centre.wang)
        assert (account["points"], account["spent_fen"], account["orders"]) == (0, 0, 0)

    def test_a_part_of_the_money_is_a_part_of_the_points_and_broken_goods_stay_away(self, centre):
        case = centre.case()
        order = case.sell([("ginseng", 1)])
        back = case.call("refunded", order=order.number, refund=case.refund(30_000), goods_back=False)
        assert back == {"state": "part_refunded", "points": 300, "short": 0}
        back = case.call("refunded", order=order.number, refund=case.refund(), goods_back=False)
        assert back == {"state": "refunded", "points": 700, "short": 0} and centre.shelf(centre.ginseng) == (1, 0)

    def test_a_refund_before_the_hand_over_only_frees_the_pieces(self, centre):
        case = centre.case()
        case.place()
        case.pay()
        case.call("cancel", order=case.order.number, reason="cancelled")
        back = case.call("refunded", order=case.order.number, refund=case.refund(), goods_back=False)
        assert back == {"state": "refunded", "points": 0, "short": 0} and centre.shelf() == (5, 0)

    def test_a_refund_that_is_not_done_or_not_of_this_order_changes_nothing(self, centre):
        case, other = centre.case(), centre.stranger()
        order = case.sell()
        other.sell()
        for refund in ("R-none", other.refund()):
            assert case.call("refunded", order=order.number, refund=refund, goods_back=True)["state"] == "done"
        assert centre.shelf() == (3, 0) and PaymentRequest.objects.get(number=order.payment).state == "paid"


def test_an_order_of_another_case_is_not_touched(centre):
    from engine.verbs import VerbRefused

    case, other = centre.case(), centre.stranger()
    case.place()
    with pytest.raises(VerbRefused) as refused:
        other.call("cancel", order=case.order.number, reason="x")
    assert refused.value.code == "order_unknown" and case.order.state == "awaiting_payment"
