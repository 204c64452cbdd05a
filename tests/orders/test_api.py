"""Who sees which orders, and what he may say of them (W-97…W-99)."""

from __future__ import annotations

import pytest

from tests.orders.cast import THERE
from tests.support.http import as_user


@pytest.fixture
def orders(centre):
    """Anna's customer bought here; Ben's customer bought there, and ordered here."""
    mine, his = centre.case(), centre.stranger()
    mine.sell()
    his.place([("moxa", 1)], THERE)
    his.place([("moxa", 2)])
    return centre


def seen(user, **asked) -> list[str]:
    rows = as_user(user).get("/api/orders", asked).json()["results"]
    return sorted(row["number"][-1] for row in rows)


@pytest.mark.req("W-97", "W-98", "W-99")
def test_each_sees_what_is_his(orders):
    assert seen(orders.fay) == ["1", "2", "3"] == seen(orders.sue)
    assert seen(orders.phil) == ["1", "3"] == seen(orders.cora) and seen(orders.carl) == ["2"]
    assert seen(orders.ben) == ["2", "3"], "his customer's"
    assert seen(orders.anna) == ["1", "2", "3"], "her customer's, and what she sold"
    stranger = orders.staff("1099", "agent", f"clinic-{THERE}")
    assert seen(stranger) == [], "an agent in a clinic's group keeps no goods"


def test_lists_are_filtered_and_a_day_must_be_one(orders):
    fay = orders.fay
    assert seen(fay, state="done") == ["1"] and seen(fay, state="done,awaiting_payment", clinic=THERE) == ["2"]
    assert seen(fay, day="2026-11-23") == ["1", "2", "3"] and seen(fay, day="2026-11-22") == []
    assert seen(fay, customer=str(orders.wang.pk)) == ["1"] and seen(fay, customer="x") == []
    refused = as_user(fay).get("/api/orders", {"day": "tomorrow"})
    assert refused.status_code == 400 and refused.json()["fields"] == {"day": [{"code": "invalid"}]}


def test_one_order_shows_its_lines_and_a_masked_name(orders):
    row = as_user(orders.phil).get("/api/orders/D20261123-0001").json()
    assert (row["state"], row["points"], row["customer"]) == ("done", 36, orders.wang.name_masked)
    assert orders.wang.name not in str(row)
    (line,) = row["lines"]
    assert (line["product"]["key"], line["quantity"], line["delivered"], line["amount_fen"]) == ("moxa", 1, 1, 3600)
    assert as_user(orders.carl).get("/api/orders/D20261123-0001").status_code == 404
    assert as_user(orders.fay).get("/api/orders/D-none").status_code == 404


def test_nothing_can_be_said_to_a_flow_that_does_not_listen(orders):
    for act in ("delivered", "return", "cancel"):
        address = f"/api/orders/D20261123-0001/{act}"
        refused = as_user(orders.cora).post(address, {"reason": "late"}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (409, "order_not_waiting")
        assert as_user(orders.fay).post(address, {}, format="json").status_code == 403, (
            "finance neither sells nor sends"
        )
        assert as_user(orders.carl).post(address, {}, format="json").status_code == 404
        wrong = as_user(orders.cora).post(address, {"reason": "not a code!"}, format="json")
        assert wrong.status_code == 400


def test_the_customers_page_lists_his_orders(orders):
    rows = as_user(orders.anna).get(f"/api/customers/{orders.wang.pk}/history").json()
    assert ("order", "D20261123-0001", "done") in {(row["kind"], row["title"], row["state"]) for row in rows}


def test_messages_name_the_clinic_and_never_the_goods(orders):
    from web.orders.links import names_of

    case = orders.case()
    assert names_of(case.key) == {}
    case.quote()
    assert set(names_of(case.key)) == {"clinic", "clinic_address"}
    case.place()
    assert names_of(case.key)["order"] == case.order.number and "moxa" not in str(names_of(case.key)).lower()
