"""Asking for money and ending the wait for it (P-12, W-52, W-53, W-99)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.payments.cast import FEE, a_case, again, asked, deploy, event, of, post, told, work
from tests.support.cast import a_customer
from web.common.errors import BadInput
from web.common.models import AuditRow
from web.jobs.models import Incident, OutboundEffect
from web.membership import services as membership
from web.membership.models import FundEntry
from web.payments import services
from web.payments.models import PaymentRequest
from web.tickets import services as tickets


def fund_case(cast, fen: int):
    """A ticket of a member with that much in his fund."""
    deploy()
    wang = a_customer()
    if fen:
        membership.move_fund(wang, fen, reason="top_up", key="top-up")
    return wang, a_case(cast.anna, way="fund", customer=wang)


class TestAsking:
    @pytest.mark.req("W-53")
    def test_the_same_key_is_one_request_one_effect_and_one_request_at_the_provider(self, cast):
        assert asked().pk == asked().pk
        work()
        assert PaymentRequest.objects.count() == OutboundEffect.objects.filter(topic="payment.ask").count() == 1
        request = again(asked())
        assert (request.number, request.state) == ("P20261123-0001", PaymentRequest.ASKED)
        assert request.link.startswith("https://pay.example/") and list(cast.ledger.requests) == ["k-1"]

    def test_numbers_count_up_by_day(self, cast):
        assert [asked(f"k-{n}").number for n in (1, 2)] == ["P20261123-0001", "P20261123-0002"]
        cast.clock.forward(days=1)
        assert asked("k-3").number == "P20261124-0001"

    @pytest.mark.parametrize(
        "given, field",
        [
            ({"amount_fen": 0}, "amount_fen"),
            ({"amount_fen": -5}, "amount_fen"),
            ({"deadline": "soon"}, "deadline"),
            ({"deadline": "2026-11-23T09:30:00"}, "deadline"),
        ],
    )
    def test_a_bad_amount_or_deadline_is_refused_by_its_field_and_leaves_nothing(self, cast, given, field):
        with pytest.raises(BadInput) as refused:
            asked(**given)
        assert list(refused.value.facts["fields"]) == [field]
        assert not PaymentRequest.objects.exists() and not OutboundEffect.objects.exists()

    def test_what_cannot_be_paid_is_refused_with_its_reason_and_nothing_goes_out(self, cast, settings):
        late = asked("k-1", deadline=(cast.clock() - timedelta(seconds=1)).isoformat())
        nobody = asked("k-2", way="fund")
        settings.PAYMENT_URL = ""
        closed = asked("k-3")
        assert [row.code for row in (late, nobody, closed)] == ["too_late", "no_customer", "channel_unavailable"]
        assert {row.state for row in (late, nobody, closed)} == {PaymentRequest.FAILED}
        assert not OutboundEffect.objects.exists()

    @pytest.mark.req("W-53", "X-14")
    def test_a_lost_answer_leaves_doubt_and_the_provider_is_asked_before_anything_is_sent_again(self, cast):
        request = asked()
        cast.gateway.trouble = ["lost"]
        work()
        assert again(request).state == PaymentRequest.IN_DOUBT and cast.gateway.calls == ["ask"]
        cast.clock.forward(seconds=15)
        work()
        assert again(request).state == PaymentRequest.ASKED and again(request).link, (
            "the answer brings the link as well"
        )
        assert cast.gateway.calls == ["ask", "query"], "nothing is sent twice while it may have arrived"

    def test_a_provider_that_was_down_and_never_heard_of_it_is_asked_again(self, cast):
        request = asked()
        cast.gateway.trouble = ["down"]
        work()
        cast.clock.forward(seconds=15)
        work()
        assert cast.gateway.calls == ["ask", "query", "ask"] and again(request).link

    @pytest.mark.req("W-53")
    def test_money_that_came_while_we_were_in_doubt_is_found_by_asking(self, cast):
        request = asked()
        cast.gateway.trouble = ["lost"]
        work()
        cast.ledger.pay("k-1")
        cast.clock.forward(seconds=15)
        work()
        assert (again(request).state, again(request).received_fen) == (PaymentRequest.PAID, FEE)
        assert told() == ["paid"]

    def test_a_provider_that_refuses_ends_it_and_the_case_knows_there_is_no_further_try(self, cast):
        request = asked()
        cast.gateway.trouble = ["refuse"]
        work()
        assert (again(request).state, again(request).code) == (PaymentRequest.FAILED, "refused")
        assert told() == ["failed"]

    def test_a_request_that_was_over_before_it_went_out_never_goes_out(self, cast):
        request = asked()
        services.close(request, reason="cancelled")
        work()
        assert cast.gateway.calls == ["cancel"]

    def test_a_request_cancelled_while_we_asked_is_cancelled_at_the_provider_as_well(self, cast):
        request = asked()
        act = cast.gateway.ask
        cast.gateway.ask = lambda *given, **more: (services.close(request, reason="cancelled"), act(*given, **more))[1]
        work()
        assert cast.ledger.query("k-1")["state"] == "cancelled"
        assert again(request).state == PaymentRequest.CANCELLED


class TestClosing:
    @pytest.mark.req("P-12")
    def test_an_unpaid_request_expires_and_the_provider_takes_no_money_any_more(self, cast):
        request = asked()
        work()
        assert services.close_for_flow(request.number, business_key="", reason="timeout")["state"] == "expired"
        work()
        assert cast.ledger.query("k-1")["state"] == "cancelled"

    @pytest.mark.req("P-12")
    def test_what_is_paid_stays_paid_whoever_closes_it(self, cast, client):
        request = asked()
        work()
        post(client, event(request))
        for reason in ("timeout", "cancelled"):
            closed = services.close_for_flow(request.number, business_key="", reason=reason)
            assert closed == {"state": "paid", "payment": request.number, "amount_fen": FEE}
        assert again(request).claimed_at is not None

    def test_without_a_number_the_newest_payment_of_the_case_is_meant(self, cast):
        asked("k-1", business_key="ticket:T9"), asked("k-2", business_key="ticket:other")
        newest = asked("k-3", business_key="ticket:T9")
        closed = services.close_for_flow("", business_key="ticket:T9", reason="cancelled")
        assert (closed["payment"], closed["state"]) == (newest.number, "cancelled")
        assert services.close_for_flow("", business_key="ticket:T0", reason="cancelled")["payment"] == ""

    @pytest.mark.req("P-12")
    def test_a_flow_that_is_gone_leaves_no_request_open_for_ever(self, cast):
        request = asked()
        cast.clock.forward(minutes=39, seconds=59)
        work()
        assert again(request).is_open
        cast.clock.forward(seconds=2)
        work()
        assert again(request).state == PaymentRequest.EXPIRED and cast.ledger.query("k-1")["state"] == "cancelled"

    def test_a_question_is_answered_from_the_provider_and_from_our_rows_where_there_is_none(self, cast):
        link, desk = asked("k-1"), asked("k-2", way="desk")
        work()
        services.query(link, key="q-1"), services.query(desk, key="q-2")
        work()
        assert told() == ["unpaid", "unpaid"]
        cast.ledger.pay("k-1")
        services.query(link, key="q-3")
        work()
        assert told() == ["unpaid", "unpaid", "paid"] and again(link).state == PaymentRequest.PAID


class TestFund:
    @pytest.mark.req("W-52", "W-53")
    def test_the_members_fund_pays_at_once_and_once(self, cast):
        wang, case = fund_case(cast, 50000)
        request = of(case)
        assert (request.state, request.received_fen) == (PaymentRequest.PAID, FEE)
        assert membership.account(wang)["fund_fen"] == 50000 - FEE
        assert asked(request.key, way="fund", business_key=case.key).pk == request.pk
        assert FundEntry.objects.filter(customer=wang).count() == 2
        assert case.instance.ends[-1] == "E_paid"

    @pytest.mark.req("W-52")
    def test_too_little_in_the_fund_is_refused_and_nothing_is_taken(self, cast):
        wang, case = fund_case(cast, FEE - 1)
        request = of(case)
        assert (request.state, request.code, request.received_fen) == (PaymentRequest.FAILED, "fund_too_low", 0)
        assert membership.account(wang)["fund_fen"] == FEE - 1
        assert case.instance.ends[-1] == "E_refused"


class TestDesk:
    @pytest.mark.req("W-99")
    def test_finance_confirms_what_was_paid_at_the_desk(self, cast):
        request = asked(way="desk")
        assert services.confirm_at_desk(request, way="cash", reference="A-1", acting_user=cast.fay) == "paid"
        request = again(request)
        assert (request.state, request.received_fen, request.confirmed_by, request.desk_reference) == (
            PaymentRequest.PAID, FEE, cast.fay, "A-1",
        )  # fmt: skip
        assert AuditRow.objects.filter(action="payment.confirmed", actor="1061").count() == 1
        assert services.confirm_at_desk(request, way="cash", acting_user=cast.fred) == "already"

    @pytest.mark.req("W-99")
    def test_a_wrong_amount_and_a_wrong_person_change_nothing(self, cast):
        request = asked(way="desk")
        assert services.confirm_at_desk(request, way="cash", amount_fen=FEE - 1, acting_user=cast.fay) == "wrong_amount"
        for person in (cast.anna, cast.sue, None):
            assert services.confirm_at_desk(request, way="cash", acting_user=person) == "not_allowed"
        assert again(request).is_open and again(request).received_fen == 0

    def test_a_closed_request_takes_no_cash(self, cast):
        request = asked(way="desk")
        services.close(again(request))
        assert services.confirm_at_desk(request, way="cash", acting_user=cast.fay) == "closed"

    @pytest.mark.req("W-53", "W-99")
    def test_who_pays_at_the_desk_what_he_got_a_link_for_cannot_pay_by_the_link_as_well(self, cast):
        request = asked()
        work()
        services.confirm_at_desk(request, way="cash", acting_user=cast.fay)
        work()
        assert cast.ledger.query("k-1")["state"] == "cancelled" and told() == ["paid"]
        assert not Incident.objects.exists()


def test_a_payment_knows_its_customer_and_what_a_message_may_say(cast):
    deploy()
    case = a_case(cast.anna)
    work()
    from web.messaging import hooks

    assert of(case).customer == case.customer
    names = hooks.names_of(case.key)
    assert (names["amount"], names["deadline"]) == ("300.00", "11-23 09:30") and names["link"].startswith("https://")
    assert tickets.by_key(case.key) == case
