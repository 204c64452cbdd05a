"""Levels that rise, cards that count in their term, what both are good for, and who may see and set it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.conf import settings

from engine.verbs import REGISTRY, Context
from tests.clinics.cast import a_product
from tests.support.cast import a_customer, a_user, the_tree
from tests.support.http import as_user
from web.common.errors import BadInput, NotAllowed
from web.common.models import AuditRow
from web.customers import services as customers
from web.jobs import services as jobs
from web.membership import services as membership
from web.membership.models import Account, Card, Level
from web.tickets import services as tickets
from web.workflow import services as workflow

TODAY = date(2026, 11, 23)  # of the hand clock


@pytest.fixture
def people(db, clock) -> dict:
    return the_tree()


def level(scheme: str, key: str) -> Level:
    return Level.objects.get(scheme=scheme, key=key)


def a_card(customer, by, number: str = "880001", **facts) -> Card:
    terms = {"card_class": "benefit", "starts_on": TODAY, "benefits": [], **facts}
    return membership.add_card(customer, number=number, **terms, acting_user=by)


# --- levels ----------------------------------------------------------------------------------------------------
@pytest.mark.req("W-28")
def test_two_schemes_are_there_at_delivery_and_both_are_editable(people):
    client = as_user(people["supervisor"])
    rows = client.get("/api/membership/levels").json()
    assert {row["scheme"] for row in rows} == {"ordinary", "vip"} and rows[0]["key"] == "normal"
    silver = next(row for row in rows if (row["scheme"], row["key"]) == ("ordinary", "silver"))
    address = f"/api/membership/levels/{silver['id']}"
    changed = client.patch(address, {"discount_percent": 4, "threshold_orders": None}, format="json")
    assert (changed.status_code, changed.json()["discount_percent"]) == (200, 4)
    for wrong in ({"discount_percent": 101}, {"discount_percent": -1}, {"threshold_fen": -1}, {"rank": 99}):
        refused = client.patch(address, wrong, format="json")
        assert refused.status_code == 400 and set(refused.json()["fields"]) == set(wrong)
    assert as_user(people["anna"]).patch(address, {"discount_percent": 50}, format="json").status_code == 403
    assert level("ordinary", "silver").discount_percent == 4


@pytest.mark.req("W-27", "W-39")
def test_completed_orders_give_points_and_raise_the_level_by_sum_or_by_number(people):
    wang, li = a_customer(), a_customer("+8619900001002", name="李秀英")
    assert membership.order_completed(wang, 10_099, "D1") == {"points": 100, "level": "normal"}
    assert membership.order_completed(wang, 189_901, "D2") == {"points": 1899, "level": "silver"}, "by the sum"
    assert membership.order_completed(wang, 189_901, "D2")["points"] == 1899
    assert membership.account(wang)["points"] == 1999 and membership.account(wang)["orders"] == 2
    for n in range(5):
        answer = membership.order_completed(li, 100, f"L{n}")
    assert answer == {"points": 1, "level": "silver"}, "by the number"
    row = AuditRow.objects.filter(action="membership.level_set").order_by("-pk").first()
    assert row.person == li.subject
    with pytest.raises(BadInput):
        membership.order_completed(wang, -1, "D3")


@pytest.mark.req("W-27")
def test_a_level_rises_within_its_scheme_and_never_falls_by_itself(people):
    wang = a_customer()
    membership.set_level(wang, "vip", "gold", "opening", acting_user=people["supervisor"])
    assert membership.order_completed(wang, 900_000, "D1")["level"] == "gold", "the ordinary gold is not his"
    assert membership.account(wang)["level"]["scheme"] == "vip"
    assert membership.order_completed(wang, 2_100_000, "D2")["level"] == "platinum"
    membership.order_refunded(wang, "D2", 2_100_000, "R2")
    assert membership.account(wang)["level"]["key"] == "platinum" and membership.account(wang)["spent_fen"] == 900_000


@pytest.mark.req("W-39")
def test_refunds_take_the_points_of_their_part_back_and_what_was_spent_is_said(people):
    wang = a_customer()
    membership.order_completed(wang, 10_000, "D1")
    assert membership.order_refunded(wang, "D1", 3_333, "R1") == {"points": 34, "short": 0}
    assert membership.order_refunded(wang, "D1", 3_333, "R1") == {"points": 34, "short": 0}
    membership.add_points(wang, -60, "redeemed", "x")
    assert membership.order_refunded(wang, "D1", 6_667, "R2") == {"points": 6, "short": 60}
    assert membership.account(wang)["points"] == 0
    with pytest.raises(membership.RefundTooHigh):
        membership.order_refunded(wang, "D1", 1, "R3")
    assert membership.order_refunded(wang, "never", 100, "R4") == {"points": 0, "short": 0}


def test_a_level_is_set_for_a_reason_by_who_may(people):
    wang, address = a_customer(owner=people["anna"]), "/api/customers/{}/membership/level"
    body = {"scheme": "vip", "level": "gold", "reason": "twenty years with us"}
    anna, boss = as_user(people["anna"]), as_user(people["supervisor"])
    assert anna.post(address.format(wang.pk), body, format="json").json()["needs"] == "membership.maintain"
    assert boss.post(address.format(wang.pk), {**body, "level": "wood"}, format="json").status_code == 400
    assert boss.post(address.format(wang.pk), {**body, "reason": " "}, format="json").status_code == 400
    answer = boss.post(address.format(wang.pk), body, format="json")
    assert answer.status_code == 200 and answer.json()["vip"] is True
    assert AuditRow.objects.filter(action="membership.level_set").count() == 1


# --- cards -----------------------------------------------------------------------------------------------------
@pytest.mark.req("W-44", "W-45", "W-47")
def test_a_member_owns_several_cards_and_only_those_in_their_term_count(people):
    wang, boss = a_customer(), people["supervisor"]
    a_card(wang, boss, "1", store_prefix="GZ", benefits=["refund_priority"], ends_on=TODAY)
    a_card(wang, boss, "2", benefits=["free_expert"], starts_on=TODAY + timedelta(days=1))
    a_card(wang, boss, "3", card_class="stored_value", benefits=["physio_discount"], physio_percent=15)
    a_card(wang, boss, "4", benefits=["queue_priority"], starts_on=date(2025, 1, 1), ends_on=date(2026, 11, 22))
    found = membership.benefits(wang)
    assert found["refund_priority"] and not found["free_expert"] and found["queue_rank"] == 0
    assert found["physio_percent"] == 15
    shown = {card["number"]: card["valid"] for card in membership.view(wang)["cards"]}
    assert shown == {"GZ1": True, "2": False, "3": True, "4": False}


@pytest.mark.req("W-38")
def test_the_day_is_the_centres_own_and_the_number_begins_with_the_store(people, clock):
    wang = a_customer()
    assert (
        a_card(wang, people["supervisor"], store_prefix="SZ", benefits=["free_expert"], ends_on=TODAY).number
        == "SZ880001"
    )
    clock.forward(hours=14, minutes=59)  # 23:59 in Shanghai
    assert membership.benefits(wang)["free_expert"]
    clock.forward(minutes=1)
    assert not membership.benefits(wang)["free_expert"]


@pytest.mark.req("W-48", "W-49", "W-50")
def test_a_flow_asks_what_the_member_of_its_case_has(people):
    wang = a_customer(owner=people["anna"])
    membership.set_level(wang, "vip", "diamond", "opening", acting_user=people["supervisor"])
    a_card(wang, people["supervisor"], benefits=["queue_priority", "refund_priority", "free_expert"])
    workflow.deploy_folder(settings.FLOWS_DIR)
    ticket = tickets.open_ticket(acting_user=people["anna"], kind="consult", customer=wang)
    context = Context("instance:1", ticket.key, ticket.opened_at, "x", "t")
    assert REGISTRY.call("membership.benefits", context, {}) == {
        "level": "diamond", "discount_percent": 15, "queue_rank": level("vip", "diamond").rank, "refund_priority": True,
        "free_expert": True, "physio_percent": 0,
    }  # fmt: skip
    stranger = Context("instance:1", "ticket:none", ticket.opened_at, "x", "t")
    assert REGISTRY.call("membership.benefits", stranger, {})["level"] == ""


def test_a_card_lifts_its_holder_from_its_first_day_on(people, clock):
    wang, boss = a_customer(), people["supervisor"]
    a_card(wang, boss, "1", level=level("vip", "gold"), starts_on=TODAY + timedelta(days=2))
    a_card(wang, boss, "2", level=level("ordinary", "gold"))
    assert membership.card_facts(customers.Customer.objects.get())["level"] == "gold"
    assert not membership.account(wang)["vip"]
    clock.forward(days=2)
    jobs.sweep()
    assert membership.account(wang)["vip"]
    a_card(wang, boss, "3", level=level("ordinary", "silver"), starts_on=TODAY)
    assert membership.account(wang)["vip"], "a lesser card takes nothing away"


def test_a_card_that_cannot_be_is_refused_with_its_field(people):
    wang = a_customer(owner=people["anna"])
    boss, address = as_user(people["supervisor"]), f"/api/customers/{wang.pk}/membership/cards"
    good = {"number": "1", "card_class": "benefit", "starts_on": "2026-11-23", "benefits": ["free_expert"]}
    assert boss.post(address, good, format="json").status_code == 201
    for wrong, field in [
        ({}, "number"),
        ({"ends_on": "2026-11-22"}, "ends_on"),
        ({"benefits": ["free_lunch"]}, "benefits.0"),
        ({"card_class": "paper"}, "card_class"),
        ({"physio_percent": 101}, "physio_percent"),
        ({"level": "wood"}, "level"),
        ({"state": "ended"}, "state"),
    ]:
        refused = boss.post(address, {**good, **({"number": "2"} if wrong else {}), **wrong}, format="json")
        assert refused.status_code == 400 and list(refused.json()["fields"]) == [field]
    assert as_user(people["anna"]).post(address, {**good, "number": "3"}, format="json").status_code == 403
    assert Card.objects.count() == 1


# --- points ----------------------------------------------------------------------------------------------------
@pytest.mark.req("W-42", "W-46")
def test_points_are_redeemed_for_an_amount_once_and_only_for_what_is_offered_to_his_level(people):
    wang, boss = a_customer(owner=people["anna"]), as_user(people["supervisor"])
    a_product()
    offers = [
        {"key": "fund", "name": "Fund", "points": 500, "amount_fen": 500},
        {"key": "moxa", "name": "Moxa", "points": 100, "product": "moxa", "level": "gold"},
        {"key": "later", "name": "Later", "points": 1, "amount_fen": 1, "starts_on": "2026-11-24"},
    ]
    for offered in offers:
        assert boss.post("/api/membership/redeemables", offered, format="json").status_code == 201
    for wrong, field in [
        ({"points": 0}, "points"),
        ({"product": "moxa"}, "amount_fen"),
        ({"amount_fen": None}, "amount_fen"),
        ({"amount_fen": 0}, "amount_fen"),
        ({"key": "fund"}, "key"),
    ]:
        body = {"key": "x", "name": "X", "points": 1, "amount_fen": 1, **wrong}
        refused = boss.post("/api/membership/redeemables", body, format="json")
        assert refused.status_code == 400 and list(refused.json()["fields"]) == [field]
    membership.add_points(wang, 900, "opening", "opening")
    anna, address = as_user(people["anna"]), f"/api/customers/{wang.pk}/membership"
    assert [row["key"] for row in anna.get(f"{address}/redeemables").json()] == ["fund"]
    for _ in range(2):
        answer = anna.post(f"{address}/redeem", {"redeemable": "fund", "key": "k1"}, format="json")
        assert (answer.json()["points"], answer.json()["fund_fen"]) == (400, 500)
    poor = anna.post(f"{address}/redeem", {"redeemable": "fund", "key": "k2"}, format="json")
    assert (poor.status_code, poor.json()["code"], poor.json()["has"]) == (409, "points_too_low", 400)
    for key in ("moxa", "later"):
        assert anna.post(f"{address}/redeem", {"redeemable": key, "key": "k3"}, format="json").status_code == 404
    membership.set_level(wang, "ordinary", "gold", "opening", acting_user=people["supervisor"])
    assert anna.post(f"{address}/redeem", {"redeemable": "moxa", "key": "k3"}, format="json").json()["points"] == 300


# --- who sees it -----------------------------------------------------------------------------------------------
@pytest.mark.req("W-26", "W-40", "W-30")
def test_a_member_is_seen_as_far_as_the_customer_is(people):
    wang = a_customer(owner=people["anna"])
    membership.add_points(wang, 120, "opening", "a", operator=people["anna"])
    membership.move_fund(wang, 5_000, "top_up", "b", channel="desk", reference="P1")
    address = f"/api/customers/{wang.pk}/membership"
    found = as_user(people["anna"]).get(address).json()
    assert (found["points"], found["fund_fen"], found["level"], found["cards"]) == (120, 5_000, None, [])
    assert found["points_log"][0] | {"at": ""} == {
        "at": "", "change": 120, "balance": 120, "reason": "opening", "reference": None, "operator": "1023",
    }  # fmt: skip
    assert found["fund_log"][0]["channel"] == "desk"
    assert as_user(people["booking_leader"]).get(address).status_code == 200
    for stranger in ("ben", "carl", "clerk_of_clinic", "admin"):
        assert as_user(people[stranger]).get(address).status_code == 404, stranger
    finance = as_user(a_user("1061", "finance"))
    assert finance.get(address).status_code == 404
    assert (
        as_user(people["anna"]).post(f"{address}/redeem", {"redeemable": "x", "key": "k"}, format="json").status_code
        == 404
    )
    with pytest.raises(NotAllowed):
        membership.set_level(wang, "vip", "gold", "x", acting_user=people["anna"])


@pytest.mark.req("W-26")
def test_the_desk_card_shows_points_balance_and_level_of_the_account_at_once(people):
    wang = a_customer(owner=people["anna"])
    client = as_user(people["anna"])

    def card() -> tuple:
        row = client.get("/api/customers").json()["results"][0]
        return row["level"], row["vip"], row["points"], row["balance_fen"]

    assert card() == (None, False, 0, 0)
    membership.add_points(wang, 120, "opening", "a")
    membership.move_fund(wang, 5_000, "top_up", "b")
    membership.set_level(wang, "vip", "gold", "opening", acting_user=people["supervisor"])
    assert card() == ("gold", True, 120, 5_000)
    assert client.get(f"/api/customers/{wang.pk}").json()["points"] == 120


def test_a_list_of_customers_is_read_together_with_their_accounts(people, django_assert_num_queries):
    for n in range(8):
        one = a_customer(f"+86199000010{n:02}", owner=people["anna"], name=f"Person {n}")
        membership.order_completed(one, 100, f"D{n}")
    found = list(customers.visible(people["anna"]))
    with django_assert_num_queries(0):
        assert [membership.card_facts(one)["points"] for one in found] == [1] * 8
        assert not any(membership.is_vip(one) for one in found)
    assert Account.objects.count() == 8
