"""What finance sees, and nobody else (W-99)."""

from __future__ import annotations

import pytest

from tests.payments.cast import FEE, again, asked, event, post, wanted, work
from tests.support.cast import a_customer, a_user
from tests.support.http import as_user, browser
from web.payments import services
from web.payments.models import PaymentRequest
from web.tickets.models import Ticket


def settled_refund(cast, client, request, amount_fen: int, key: str):
    refund = wanted(again(request), cast.anna, amount_fen, key)
    services.decide_refund(refund, decision="approve", acting_user=cast.sue)
    services.execute_refund(again(refund), acting_user=cast.fay)
    work()
    name = services.provider_key(again(refund))
    cast.ledger.finish_refund(name)
    post(client, cast.ledger.refund_event(name))


@pytest.fixture
def day(cast, client):
    """Three payments at two clinics, one of them given back in part; one from the desk; one never paid."""
    for key, clinic in (("k-1", "c1"), ("k-2", "c1"), ("k-3", "c2"), ("k-4", "c2")):
        asked(key, clinic=clinic, acting_user=cast.ben)
    work(9)
    for key in ("k-1", "k-2", "k-3"):
        post(client, cast.ledger.paid_event(cast.ledger.pay(key)))
    settled_refund(cast, client, PaymentRequest.objects.get(key="k-1"), 1000, "r-1")
    desk = asked("k-5", way="desk", clinic="c2")
    services.confirm_at_desk(desk, way="cash", acting_user=cast.fay)
    return "2026-11-23"


class TestLists:
    @pytest.mark.req("W-99")
    def test_finance_filters_payments_by_state_day_clinic_and_ticket(self, cast, day):
        fay = as_user(cast.fay)

        def numbers(**asked_):
            return sorted(row["number"][-1] for row in fay.get("/api/payments", asked_).json()["results"])

        assert numbers() == ["1", "2", "3", "4", "5"]
        assert numbers(state="part_refunded") == ["1"]
        assert numbers(state="paid,asked", clinic="c2") == ["3", "4", "5"]
        assert numbers(day=day) == ["1", "2", "3", "4", "5"] and numbers(day="2026-11-22") == []
        assert numbers(ticket="T-none") == ["1", "2", "3", "4", "5"] and numbers(ticket="T-0") == []
        assert fay.get("/api/payments", {"day": "yesterday"}).json()["fields"] == {"day": [{"code": "invalid"}]}

    def test_a_payment_shows_what_came_and_what_went_back(self, cast, day):
        whole = as_user(cast.fay).get("/api/payments/P20261123-0001").json()
        assert (whole["amount_fen"], whole["received_fen"], whole["refund_fen"]) == (FEE, FEE, 1000)
        assert [(one["kind"], one["verdict"]) for one in whole["notices"]] == [
            ("payment.paid", "taken"),
            ("refund.done", "taken"),
        ]
        (refund,) = whole["refunds"]
        people = [refund[who]["number"] for who in ("asked_by", "approved_by", "executed_by")]
        assert people == ["1023", "1011", "1061"] and refund["state"] == "done"
        assert whole["asked_by"]["number"] == "1024"

    @pytest.mark.req("W-99")
    def test_an_agent_sees_his_own_and_his_customers_payments_and_a_stranger_none(self, cast, client, day):
        hers = a_customer(owner=cast.anna, number="+8619900001777")
        case = Ticket.objects.create(number="T-h", kind="payment", customer=hers)
        asked("k-9", business_key=case.key)
        seen = {
            name: len(as_user(user).get("/api/payments").json()["results"])
            for name, user in {"anna": cast.anna, "ben": cast.ben, "dan": a_user("1099", "doctor")}.items()
        }
        assert seen == {"anna": 1, "ben": 4, "dan": 0}
        anna = as_user(cast.anna)
        assert anna.get("/api/payments/P20261123-0001").status_code == 404
        assert [row["number"] for row in anna.get("/api/refunds").json()["results"]] == ["R20261123-0001"]
        assert as_user(cast.ben).get("/api/refunds", {"state": "rejected"}).json()["results"] == []
        assert browser().get("/api/payments").status_code in (401, 403)

    def test_the_list_is_paged_and_the_customer_is_masked(self, cast, day):
        wang = a_customer()
        case = Ticket.objects.create(number="T-m", kind="payment", customer=wang)
        asked("k-9", business_key=case.key)
        fay = as_user(cast.fay)
        rows = fay.get("/api/payments", {"customer": wang.pk}).json()["results"]
        assert [(row["customer"], row["ticket"]) for row in rows] == [("王*", "T-m")]


class TestReconciliation:
    @pytest.mark.req("W-99")
    def test_our_book_and_the_providers_agree_per_clinic_and_day(self, cast, day):
        fay = as_user(cast.fay)
        before = fay.get("/api/payments/reconciliation", {"day": day}).json()
        assert (before["agrees"], before["fetched_at"]) == (None, None)
        assert fay.post("/api/payments/reconciliation", {"day": day}).status_code == 202
        work()
        after = fay.get("/api/payments/reconciliation", {"day": day}).json()
        assert after["agrees"] is True and after["strangers"] == []
        rows = {row["clinic"]: row for row in after["rows"]}
        assert (rows["c1"]["paid_fen"], rows["c1"]["provider_paid_fen"]) == (2 * FEE, 2 * FEE)
        assert (rows["c1"]["refunded_fen"], rows["c1"]["provider_refunded_fen"]) == (1000, 1000)
        assert (rows["c2"]["paid_fen"], rows["c2"]["desk_fen"], rows["c2"]["difference_fen"]) == (FEE, FEE, 0)

    @pytest.mark.req("W-99")
    def test_money_only_the_provider_knows_of_is_a_difference(self, cast, day):
        cast.ledger.pay("k-4")  # the notice never came
        cast.ledger.ask("never-ours", 77)
        cast.ledger.pay("never-ours")
        services.fetch(services.today())
        work()
        found = as_user(cast.fay).get("/api/payments/reconciliation", {"day": day}).json()
        assert found["agrees"] is False
        assert {row["clinic"]: row["difference_fen"] for row in found["rows"]} == {"c1": 0, "c2": -FEE}
        assert [(row["kind"], row["amount_fen"]) for row in found["strangers"]] == [("payment", 77)]

    def test_the_statement_comes_by_itself_in_the_night_after(self, cast, day):
        cast.clock.forward(hours=17)
        work()
        assert as_user(cast.fay).get("/api/payments/reconciliation", {"day": day}).json()["agrees"] is True

    def test_a_provider_that_is_down_is_asked_again(self, cast, day):
        cast.gateway.trouble = ["down"]
        services.fetch(services.today())
        work()
        assert services.reconciliation(services.today())["fetched_at"] is None
        cast.clock.forward(seconds=15)
        work()
        assert services.reconciliation(services.today())["agrees"] is True

    def test_only_those_who_may_see_all_money_see_it_and_only_finance_asks(self, cast, day):
        assert as_user(cast.anna).get("/api/payments/reconciliation", {"day": day}).status_code == 403
        assert as_user(cast.sue).get("/api/payments/reconciliation", {"day": day}).status_code == 200
        assert as_user(cast.sue).post("/api/payments/reconciliation", {"day": day}).status_code == 403

    @pytest.mark.parametrize("asked_", [{}, {"day": ""}, {"day": "23.11.2026"}, {"day": "2026-13-01"}])
    def test_a_bad_day_is_refused_by_its_field(self, cast, asked_):
        fay = as_user(cast.fay)
        assert "day" in fay.get("/api/payments/reconciliation", asked_).json()["fields"]
        assert "day" in fay.post("/api/payments/reconciliation", asked_).json()["fields"]

    def test_tomorrow_has_no_statement(self, cast):
        answer = as_user(cast.fay).post("/api/payments/reconciliation", {"day": "2026-11-24"})
        assert answer.json()["fields"] == {"day": [{"code": "in_future"}]}


def test_a_late_charge_is_in_the_book_of_its_day(cast, client):
    request = asked("k-1", clinic="c1")
    services.close(request)
    post(client, event(request))
    found = services.reconciliation(services.today())
    assert [(row["clinic"], row["paid_fen"]) for row in found["rows"]] == [("c1", FEE)]
