"""Prices above zero, promotions that do not overlap, lists that show what is there (W-58…W-62)."""

from __future__ import annotations

from datetime import date

import pytest

from tests.clinics.cast import a_clinic, a_product
from tests.support.cast import a_user
from tests.support.http import as_user
from tests.workflow.test_races import together
from web.clinics import services as clinics
from web.clinics.models import CatalogueEntry, Product, Promotion
from web.common import audit as audits
from web.common.errors import BadInput, NotAllowed
from web.common.models import AuditRow


@pytest.fixture
def manager(db):
    return a_user("1002", "manager")


TERM = {"starts_on": date(2026, 12, 1), "ends_on": date(2026, 12, 31), "discount_percent": 10}


@pytest.mark.req("W-58")
@pytest.mark.parametrize("price", [0, -1, 100_000_001])
def test_a_price_is_above_zero_and_a_refused_one_changes_nothing(manager, price):
    moxa = a_product(price_fen=3600)
    answer = as_user(manager).patch("/api/clinics/products/moxa", {"price_fen": price, "name": "Other"}, format="json")
    assert answer.status_code == 400 and answer.json()["fields"]["price_fen"][0]["code"] == "out_of_range"
    moxa.refresh_from_db()
    assert (moxa.price_fen, moxa.name) == (3600, "Moxa")
    body = {"key": "new", "name": "New", "category": "tea", "unit": "box", "price_fen": price}
    assert as_user(manager).post("/api/clinics/products", body, format="json").status_code == 400
    assert Product.objects.count() == 1


@pytest.mark.req("W-58", "X-15")
def test_a_new_price_is_audited_with_the_old_one(manager):
    a_product(price_fen=3600)
    answer = as_user(manager).patch("/api/clinics/products/moxa", {"price_fen": 4200}, format="json")
    assert answer.status_code == 200 and answer.json()["price_fen"] == 4200
    row = AuditRow.objects.get(action="clinics.price_set")
    assert (row.actor, audits.facts(row)) == ("1002", {"before": 3600, "after": 4200})


@pytest.mark.parametrize("role", ["agent", "pharmacy", "clinic", "finance", "admin"])
def test_prices_and_promotions_are_the_centres_own(db, role):
    moxa, client = a_product(), as_user(a_user("1", role))
    refused = client.patch("/api/clinics/products/moxa", {"price_fen": 1}, format="json")
    assert refused.status_code == 403 and refused.json()["needs"] == "clinics.maintain"
    body = {"key": "p", "name": "P", "starts_on": "2026-12-01", "ends_on": "2026-12-02", "discount_percent": 5}
    assert client.post("/api/clinics/promotions", body, format="json").status_code == 403
    assert client.post("/api/clinics", {"key": "n", "name": "N"}, format="json").status_code == 403
    moxa.refresh_from_db()
    assert moxa.price_fen == 3600 and not Promotion.objects.exists()


@pytest.mark.req("W-62")
@pytest.mark.parametrize(
    "wrong, field, code",
    [
        ({"ends_on": date(2026, 11, 30)}, "ends_on", "before_start"),
        ({"discount_percent": 0}, "discount_percent", "out_of_range"),
        ({"discount_percent": 100}, "discount_percent", "out_of_range"),
        ({"products": ["moxa", "nothing"]}, "products", "unknown"),
        ({"key": "advent"}, "key", "taken"),
        ({"starts_on": date(2026, 12, 31), "ends_on": date(2027, 1, 5)}, "starts_on", "overlaps"),
        ({"products": []}, "starts_on", "overlaps"),
    ],
)
def test_a_promotion_that_cannot_be_is_refused_with_its_field(manager, wrong, field, code):
    a_product()
    clinics.promote(key="advent", name="Advent", **TERM, products=["moxa"], acting_user=manager)
    facts = {"key": "other", "name": "Other", **TERM, "products": ["moxa"], **wrong}
    with pytest.raises(BadInput) as refused:
        clinics.promote(**facts, acting_user=manager)
    assert refused.value.facts["fields"][field][0]["code"] == code
    assert Promotion.objects.count() == 1


@pytest.mark.req("W-62")
def test_a_promotion_counts_from_its_first_to_its_last_day_for_its_products(manager):
    moxa, tea = a_product(), a_product("tea")
    advent = clinics.promote(key="advent", name="Advent", **TERM, products=["moxa"], acting_user=manager)
    clinics.promote(
        key="tea-time", name="Tea", **{**TERM, "discount_percent": 20}, products=["tea"], acting_user=manager
    )
    days = [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [clinics.promotion_percent(moxa, day) for day in days] == [0, 10, 10, 0]
    assert clinics.promotion_percent(tea, days[1]) == 20
    assert [row.key for row in clinics.promotions_on(days[1])] == ["advent", "tea-time"]
    with pytest.raises(BadInput):
        clinics.change_promotion(advent, acting_user=manager, products=["moxa", "tea"])
    clinics.change_promotion(advent, acting_user=manager, is_active=False)
    assert clinics.promotion_percent(moxa, days[1]) == 0
    everything = {**TERM, "starts_on": date(2027, 2, 1), "ends_on": date(2027, 2, 2)}
    clinics.promote(key="all", name="All", **everything, acting_user=manager)
    assert clinics.promotion_percent(tea, date(2027, 2, 1)) == 10


@pytest.mark.postgres
def test_of_twenty_who_plan_the_same_days_for_one_product_one_does(postgres_db):
    manager = a_user("1002", "manager")
    a_product()
    plans = [
        lambda n=n: clinics.promote(key=f"p{n}", name="P", **TERM, products=["moxa"], acting_user=manager)
        for n in range(20)
    ]
    results = together(*plans)
    assert Promotion.objects.count() == 1
    assert sum(isinstance(one, BadInput) for one in results) == 19


def test_the_list_of_products_has_price_and_stock_of_each_clinic(db):
    moxa = a_product(guangzhou_donghu=5, shenzhen_luohu=0)
    a_product("tea", guangzhou_donghu=1)
    a_product("gone").stock.all()
    Product.objects.filter(key="gone").update(is_active=False)
    clinics.reserve_stock(moxa, a_clinic(), 2, "D1")
    client = as_user(a_user("1023", "agent"))
    found = client.get("/api/clinics/products", {"search": "mox"}).json()
    assert [row["key"] for row in found] == ["moxa"] and found[0]["price_fen"] == 3600
    shelves = {row["clinic"]["key"]: (row["quantity"], row["available"]) for row in found[0]["stock"]}
    assert shelves == {"guangzhou-donghu": (5, 3), "shenzhen-luohu": (0, 0)}
    assert [row["key"] for row in client.get("/api/clinics/products", {"clinic": "shenzhen-luohu"}).json()] == ["moxa"]
    assert [row["key"] for row in client.get("/api/clinics/products").json()] == ["moxa", "tea"]


@pytest.mark.django_db
def test_a_list_of_products_takes_the_same_queries_however_long_it_is(django_assert_num_queries):
    for n in range(5):
        a_product(f"p{n}", guangzhou_donghu=n)
    with django_assert_num_queries(2):
        assert len([row.present_stock for row in clinics.products()]) == 5
    for n in range(5, 15):
        a_product(f"p{n}", guangzhou_donghu=n)
    with django_assert_num_queries(2):
        assert len([row.present_stock for row in clinics.products()]) == 15


@pytest.mark.req("W-59", "W-60", "W-61")
def test_the_catalogues_of_medicine_are_searched_by_kind(db):
    for kind, key in [("symptom", "cough"), ("diagnosis", "wind-cold"), ("treatment", "paste")]:
        CatalogueEntry.objects.create(kind=kind, key=key, name=key)
    client = as_user(a_user("1023", "agent"))
    assert [row["key"] for row in client.get("/api/clinics/catalogue").json()] == ["wind-cold", "cough", "paste"]
    one = client.get("/api/clinics/catalogue", {"kind": "symptom", "search": "cou"}).json()
    assert one == [{"key": "cough", "name": "cough", "name_en": None, "kind": "symptom"}]


def test_nobody_reads_any_of_it_without_signing_in(client, db):
    for path in ("", "/departments", "/doctors", "/products", "/promotions", "/catalogue", "/decoction-centres"):
        assert client.get(f"/api/clinics{path}").status_code in (401, 403)


def test_a_field_that_is_not_there_is_refused_by_name(manager):
    a_product()
    answer = as_user(manager).patch("/api/clinics/products/moxa", {"reserved": 1}, format="json")
    assert answer.status_code == 400 and answer.json()["fields"] == {"reserved": [{"code": "not_writable"}]}
    with pytest.raises(NotAllowed):
        clinics.set_price(Product.objects.get(), 1, acting_user=a_user("1023", "agent"))
