"""What a product costs whom, how long a price holds, and what is refused (W-25, W-51, W-58, W-62)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.orders.cast import HERE, THERE, lines_of
from web.clinics import services as clinics
from web.clinics.models import Promotion
from web.membership import services as membership
from web.membership.models import Account, Level
from web.orders.models import Order, Quote
from web.orders.services import Terms

TODAY = date(2026, 11, 23)  # of the hand clock


def promote(centre, percent: int = 20, days: int = 1, products=("moxa",)) -> Promotion:
    return clinics.promote(
        key="advent", name="Advent", starts_on=TODAY, ends_on=TODAY + timedelta(days=days), discount_percent=percent,
        products=products, acting_user=centre.max,
    )  # fmt: skip


def put_on_level(centre, percent: int) -> None:
    level = Level.objects.create(scheme="ordinary", key="jade", name="Jade", discount_percent=percent, rank=90)
    Account.objects.update_or_create(customer=centre.wang, defaults={"level": level})


def physio_card(centre, percent: int) -> None:
    membership.add_card(
        centre.wang, number="880001", card_class="benefit", starts_on=TODAY, benefits=["physio_discount"],
        physio_percent=percent, acting_user=centre.max,
    )  # fmt: skip


@pytest.mark.req("W-89", "W-58")
def test_the_agent_hears_price_stock_and_where_else_there_is_enough(centre):
    told = centre.case().quote("moxa", 7)
    assert (told["outcome"], told["price_fen"], told["amount_fen"]) == ("quoted", 3600, 25_200)
    assert (told["available"], told["elsewhere"]) == (5, [THERE])
    assert centre.case().quote("moxa", 5)["elsewhere"] == [], "enough here"
    assert centre.case().quote("ginseng", 3)["elsewhere"] == [], "nobody has three"
    assert centre.case().quote("rhino")["prescription"] is True


@pytest.mark.parametrize(
    "asked, field",
    [(("unknown", 1, HERE), "product"), (("moxa", 1, "atlantis"), "clinic"), (("moxa", 0, HERE), "quantity"),
     (("moxa", -1, HERE), "quantity"), (("moxa", 10_001, HERE), "quantity")],
)  # fmt: skip
def test_a_question_about_nothing_is_refused_with_its_field(centre, asked, field):
    told = centre.case().quote(*asked)
    assert (told["outcome"], told["field"]) == ("refused", field) and told["reason"] in ("unknown", "out_of_range")
    assert not Quote.objects.exists()


@pytest.mark.req("W-25", "W-62", "W-51")
@pytest.mark.parametrize(
    "promotion, level, physio, product, percent, kind",
    [
        (0, 0, 0, "moxa", 0, None),
        (20, 0, 0, "moxa", 20, "promotion"),
        (0, 10, 0, "moxa", 10, "level"),
        (20, 10, 0, "moxa", 20, "promotion"),
        (5, 10, 0, "moxa", 10, "level"),
        (0, 10, 30, "moxa", 10, "level"),
        (0, 10, 30, "sitting", 30, "physio"),
        (40, 10, 30, "sitting", 40, "promotion"),
    ],
)
def test_the_best_discount_counts_and_never_two(centre, promotion, level, physio, product, percent, kind):
    if promotion:
        promote(centre, promotion, products=())
    if level:
        put_on_level(centre, level)
    if physio:
        physio_card(centre, physio)
    case = centre.case()
    assert case.quote(product)["discount_percent"] == percent
    assert case.place([(product, 1)])["outcome"] == "placed"
    ((_, _, price, off, how, amount),) = lines_of(case.order)
    assert (off, how, amount) == (percent, kind, price * (100 - percent) // 100)


def test_a_line_is_rounded_half_up_once():
    assert [Terms(333, 10).amount(n) for n in (1, 2, 3)] == [300, 599, 899]
    assert Terms(5, 10).amount(1) == 5 and Terms(5, 100).amount(3) == 0


@pytest.mark.req("W-92")
def test_the_old_price_holds_until_the_follow_up_time_and_not_longer(centre, clock):
    in_time, late = centre.case(), centre.stranger()
    for case in (in_time, late):
        case.quote("moxa", 1, hours=24)
    clinics.set_price(centre.moxa, 4000, acting_user=centre.max)
    clock.forward(hours=24)
    assert in_time.place()["amount_fen"] == 3600
    clock.forward(seconds=1)
    refused = late.place()
    assert (refused["outcome"], refused["field"], refused["reason"], refused["product"]) == (
        "price_changed", "lines.0.product", "price_changed", "moxa",
    )  # fmt: skip
    assert centre.shelf() == (5, 1) and Order.objects.count() == 1, "nothing half done"
    assert late.place()["amount_fen"] == 4000, "the customer has heard the new price"


def test_a_price_that_fell_is_the_customers(centre):
    case = centre.case()
    case.quote()
    clinics.set_price(centre.moxa, 3000, acting_user=centre.max)
    assert case.place()["amount_fen"] == 3000


@pytest.mark.req("W-62")
def test_a_promotion_that_is_over_is_said_before_anything_is_reserved(centre, clock):
    promote(centre, 20, days=1)
    case = centre.case()
    assert case.quote(hours=72)["amount_fen"] == 2880
    clock.forward(days=1)
    assert centre.stranger().place()["amount_fen"] == 2880, "its last day counts"
    clock.forward(days=1)
    refused = case.place()
    assert (refused["outcome"], refused["reason"]) == ("expired_promotion", "promotion_over")
    assert centre.shelf() == (5, 1)
    assert case.place()["amount_fen"] == 3600


@pytest.mark.req("S-49", "W-94")
def test_the_sale_is_of_who_registered_it_whoever_places_the_order(centre):
    case = centre.case()
    case.quote()
    case.actor = centre.ben
    case.quote("ginseng")
    case.actor = centre.cora
    case.place([("ginseng", 1)])
    assert (case.order.sold_by, case.order.placed_by) == (centre.anna, centre.cora)
