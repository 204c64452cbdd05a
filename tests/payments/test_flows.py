"""The drawn payment and refund with the real verbs, and once with a provider that speaks real HTTP (P-11, P-12, W-53, W-99)."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from integrations.fakes.payment_provider import Provider
from tests.payments.cast import (
    FEE,
    SECRET,
    a_case,
    again,
    deploy,
    event,
    of,
    people,
    post,
    refund_tickets,
    told,
    work,
)
from tests.support.cast import a_customer
from web.common.errors import NotAllowed
from web.jobs import services as jobs
from web.messaging.models import OutboundMessage
from web.payments import services
from web.payments.models import PaymentRequest, Refund
from web.tickets import services as tickets
from web.workflow import services as workflow

SECOND = timedelta(seconds=1)


def end_of(ticket) -> str | None:
    ends = again(ticket.instance).ends
    return ends[-1] if ends else None


def task_of(ticket, element: str):
    return ticket.instance.tasks.get(state="open", element=element)


def do(ticket, element: str, user, **data) -> None:
    task = task_of(ticket, element)
    if task.assignee_id is None:
        workflow.claim(task, user)
    workflow.complete(again(task), user, data, wait=False)


@pytest.fixture
def case(cast):
    deploy()
    case = a_case(cast.anna)
    work()
    return case


@pytest.fixture
def a_refund(cast, client):
    """The ticket of a refund that Anna asks for: a payment that was made, and its ledger."""
    deploy()
    paid = a_case(cast.anna)
    work()
    request = of(paid)
    post(client, cast.ledger.paid_event(cast.ledger.pay(request.key)))
    work()
    data = {"payment": request.number, "refund_amount_fen": 0, "refund_reason": "cancelled"}
    return tickets.open_ticket(acting_user=cast.anna, kind="refund", customer=paid.customer, data=data), request


class TestPaying:
    @pytest.mark.req("P-12", "W-53")
    def test_the_customer_pays_and_the_case_goes_on(self, cast, client, case):
        assert post(client, cast.ledger.paid_event(cast.ledger.pay(of(case).key))).json() == {"verdict": "taken"}
        work()
        assert end_of(case) == "E_paid"

    @pytest.mark.req("P-12")
    def test_at_29_59_it_waits_at_30_00_it_asks_and_then_it_is_over(self, cast, case):
        request = of(case)
        cast.clock.forward(minutes=29, seconds=59)
        work()
        assert again(request).is_open
        cast.clock.forward(seconds=1)
        work()
        work()
        assert end_of(case) == "E_timeout" and again(request).state == PaymentRequest.EXPIRED
        assert cast.gateway.calls == ["ask", "query", "cancel"]

    @pytest.mark.req("P-12")
    def test_paid_at_29_59_without_any_notice_counts_because_the_provider_is_asked(self, cast, case):
        request = of(case)
        cast.ledger.pay(request.key, at=(request.deadline_at - SECOND).isoformat())
        cast.clock.forward(minutes=30)
        work(6)
        assert (end_of(case), again(request).state) == ("E_paid", PaymentRequest.PAID)
        assert again(request).paid_at == request.deadline_at - SECOND

    @pytest.mark.req("P-12")
    def test_paid_at_29_59_and_told_after_an_hour_of_outage_counts_while_it_is_open(self, cast, client, case):
        request = of(case)
        charge = cast.ledger.pay(request.key, at=(request.deadline_at - SECOND).isoformat())
        cast.clock.forward(minutes=35)  # nothing ran: the product was down
        assert post(client, cast.ledger.paid_event(charge)).json() == {"verdict": "taken"}
        work(6)
        assert end_of(case) == "E_paid" and again(request).state == PaymentRequest.PAID

    @pytest.mark.req("P-12")
    def test_after_hours_of_outage_the_flow_may_ask_before_the_request_is_closed_for_it(self, cast, case):
        request = of(case)
        cast.ledger.pay(request.key, at=(request.deadline_at - SECOND).isoformat())
        cast.clock.forward(hours=2)
        work(6)
        assert end_of(case) == "E_paid" and again(request).state == PaymentRequest.PAID and refund_tickets() == []

    @pytest.mark.req("P-12", "W-53")
    def test_a_provider_that_is_down_at_the_deadline_ends_the_wait_and_its_money_comes_to_light_later(self, cast, case):
        request = of(case)
        cast.ledger.pay(request.key, at=(request.deadline_at - SECOND).isoformat())
        cast.clock.forward(minutes=30)
        cast.gateway.trouble = ["down"] * 4
        work(6)
        cast.clock.forward(seconds=21)
        work(6)
        assert end_of(case) == "E_timeout"
        cast.gateway.trouble = []
        cast.clock.forward(minutes=2)
        work(6)
        assert again(request).received_fen == FEE and len(refund_tickets()) == 1

    def test_the_customer_cancels_and_the_provider_takes_no_money(self, cast, case):
        jobs.receive("pay.cancelled", message_id="c-1", business_key=case.key, payload={"by": "1023"})
        work()
        assert end_of(case) == "E_cancelled" and of(case).state == PaymentRequest.CANCELLED
        assert cast.ledger.query(of(case).key)["state"] == "cancelled"

    def test_who_had_paid_before_he_cancelled_is_paid(self, cast, client, case):
        request = of(case)
        from web.workflow.models import Awaited

        Awaited.objects.filter(instance=case.instance, element="M_result").update(
            name="nothing"
        )  # its message is on the way
        post(client, event(request))
        jobs.receive("pay.cancelled", message_id="c-1", business_key=case.key, payload={})
        work()
        assert end_of(case) == "E_paid" and again(request).claimed_at is not None

    @pytest.mark.req("P-11")
    def test_paying_by_telephone_keys_comes_back_to_the_ticket_and_no_link_goes_out(self, cast, client):
        deploy()
        case = a_case(cast.anna, way="ivr")
        work()
        assert cast.ledger.requests[of(case).key]["way"] == "ivr"
        post(client, cast.ledger.paid_event(cast.ledger.pay(of(case).key)))
        work()
        assert end_of(case) == "E_paid" and not OutboundMessage.objects.exists()

    @pytest.mark.req("W-99")
    def test_finance_confirms_at_the_desk_and_the_receipt_number_is_no_process_data(self, cast):
        deploy()
        case = a_case(cast.anna, way="desk", deadline=None)
        answer = {"desk_result": "received", "desk_way": "cash", "desk_amount_fen": FEE - 1, "reference": "A-17"}
        do(case, "P2_desk", cast.fay, **answer)
        assert of(case).is_open
        do(case, "P2_desk", cast.fay, **{**answer, "desk_amount_fen": FEE})
        assert end_of(case) == "E_paid"
        assert (of(case).desk_reference, of(case).confirmed_by) == ("A-17", cast.fay)

    def test_the_link_and_the_reminder_go_out_once_each(self, cast, settings, case):
        settings.SMS_URL = "http://127.0.0.1:9/never"
        second = a_case(cast.anna, customer=case.customer)
        cast.gateway.calls.clear()
        for _ in range(4):
            work()
        cast.clock.forward(minutes=20)
        work()
        sent = OutboundMessage.objects.filter(business_key=second.key).order_by("pk")
        assert list(sent.values_list("template", flat=True)) == ["pay_link", "pay_reminder"]
        assert sent[0].body == f"pay_link 300.00 https://pay.example/{of(second).provider_id}"


class TestGivingBack:
    @pytest.mark.req("W-99", "W-53")
    def test_three_people_give_it_back(self, cast, client, a_refund):
        back, request = a_refund
        cast.anna.roles.add(*cast.sue.roles.all())
        with pytest.raises(NotAllowed, match="no_permission"):
            workflow.claim(task_of(back, "R1_approve"), again(cast.anna))
        do(back, "R1_approve", cast.sue, refund_decision="approve", comment="ok")
        do(back, "R2_execute", cast.fay, refund_act="execute")
        work()
        refund = request.refunds.get()
        key = services.provider_key(refund)
        cast.ledger.finish_refund(key)
        post(client, cast.ledger.refund_event(key))
        work()
        assert (again(refund).state, again(request).state) == (Refund.DONE, PaymentRequest.REFUNDED)
        assert (refund.asked_by, refund.approved_by, refund.executed_by) == (cast.anna, cast.sue, cast.fay)
        assert again(back.instance).ends[-1] == "E_done" and again(back).outcome == "E_done"

    @pytest.mark.req("W-99")
    def test_a_supervisor_who_is_finance_too_finds_no_second_task(self, cast, a_refund):
        back, _ = a_refund
        cast.sue.roles.add(*cast.fay.roles.all())
        sue = again(cast.sue)
        do(back, "R1_approve", sue, refund_decision="approve", comment="ok")
        with pytest.raises(NotAllowed) as refused:
            workflow.claim(task_of(back, "R2_execute"), sue)
        assert refused.value.facts["why"] == "excluded"

    def test_a_rejected_wish_frees_the_money_and_ends(self, cast, a_refund):
        back, request = a_refund
        do(back, "R1_approve", cast.sue, refund_decision="reject", comment="no")
        assert end_of(back) == "E_rejected" and again(request).refund_fen == 0
        assert again(request).state == PaymentRequest.PAID

    @pytest.mark.req("W-53")
    def test_finance_tries_again_after_a_failure_and_a_result_before_the_wait_is_kept(self, cast, client, a_refund):
        back, request = a_refund
        do(back, "R1_approve", cast.sue, refund_decision="approve", comment="ok")
        do(back, "R2_execute", cast.fay, refund_act="execute")
        work()
        refund = request.refunds.get()
        for attempt, fails in ((1, True), (2, False)):
            key = f"{refund.key}:{attempt}"
            cast.ledger.refunds[key]["fails"] = fails
            cast.ledger.finish_refund(key)
            post(client, cast.ledger.refund_event(key))
            work()
            if fails:
                do(back, "R5_retry", cast.fred, refund_act="execute")
                work()
        assert end_of(back) == "E_done" and told("refund.result") == ["failed", "done"]
        assert again(refund).executed_by == cast.fred

    def test_a_silent_provider_is_asked_after_a_day(self, cast, a_refund):
        back, request = a_refund
        do(back, "R1_approve", cast.sue, refund_decision="approve", comment="ok")
        do(back, "R2_execute", cast.fay, refund_act="execute")
        work()
        cast.ledger.finish_refund(services.provider_key(request.refunds.get()))
        cast.clock.forward(days=1)
        work(9)
        assert end_of(back) == "E_done"

    def test_a_second_wish_finds_nothing_left(self, cast, a_refund):
        _, request = a_refund
        data = {"payment": request.number, "refund_amount_fen": 0, "refund_reason": "again"}
        second = tickets.open_ticket(acting_user=cast.ben, kind="refund", data=data)
        assert end_of(second) == "E_nothing" and request.refunds.count() == 1


def until(true, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := true()) and time.monotonic() < deadline:
        jobs.sweep()
        time.sleep(0.05)
    return bool(done)


@pytest.fixture
def provider(settings):
    quick = {"notice_after": 0.01, "late_after": 0.5, "refund_after": 0.05}
    provider = Provider(("127.0.0.1", 0), secret=SECRET, **quick).start()
    settings.PAYMENT_URL, settings.PAYMENT_SECRET, settings.SMS_URL = provider.url, SECRET, ""
    yield provider
    provider.stop()


@pytest.mark.django_db(transaction=True)
@pytest.mark.req("P-12", "W-53", "W-99")
def test_money_goes_there_and_back_over_real_http_whatever_the_wire_does(live_server, provider, settings, monkeypatch):
    """A reset after accepting, a forged, a doubled and a late notice, a provider that is down, a refund that fails once."""
    monkeypatch.setattr("web.jobs.tasks.sweep.apply_async", lambda **_: None)
    monkeypatch.setattr("web.jobs.services.queue.BACK_OFF", (timedelta(seconds=0.2),) * 3)
    settings.PAYMENT_CALLBACK = f"{live_server.url}/api/hooks/payment"
    who = people()
    deploy()
    wang = a_customer()
    cases = []
    for trouble in ("reset_after_accept", "down", "ok"):
        provider.behave(trouble)
        cases.append(a_case(who["anna"], customer=wang))
        assert until(lambda case=cases[-1]: of(case).link)
    for case, mode in zip(cases, ("twice", "late", "reordered"), strict=True):
        provider.behave(mode)
        provider.pay(of(case).key)
    assert until(lambda: all(end_of(case) == "E_paid" for case in cases))
    assert len(provider.ledger.charges) == 3

    request = of(cases[0])
    data = {"payment": request.number, "refund_amount_fen": 0, "refund_reason": "cancelled"}
    back = tickets.open_ticket(acting_user=who["anna"], kind="refund", customer=wang, data=data)
    do(back, "R1_approve", who["sue"], refund_decision="approve", comment="ok")
    provider.behave("refund_fails")
    do(back, "R2_execute", who["fay"], refund_act="execute")
    assert until(lambda: back.instance.tasks.filter(state="open", element="R5_retry").exists())
    provider.behave("reset_after_accept")
    do(back, "R5_retry", who["fred"], refund_act="execute")
    assert until(lambda: end_of(back) == "E_done")
    done = [row for row in provider.ledger.refunds.values() if row["state"] == "done"]
    assert [row["amount_fen"] for row in done] == [FEE]
    assert again(request).state == PaymentRequest.REFUNDED
    assert all(notice["answer"] == 200 for notice in provider.notices)

    forged = a_case(who["anna"], customer=wang)
    assert until(lambda: of(forged).link)
    provider.behave("forged")
    provider.pay(of(forged).key)
    assert until(lambda: any(notice["answer"] == 403 for notice in provider.notices))
    assert of(forged).is_open
    services.query(of(forged), key="we-ask")
    assert until(lambda: end_of(forged) == "E_paid"), "the forgery told nothing, the question everything"
