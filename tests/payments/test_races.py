"""Twenty at once on PostgreSQL: one charge counts once, refunds never exceed what came, one of two ends wins (W-53, W-99)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection

from tests.payments.cast import FEE, again, asked, event, people, wanted, work
from tests.support.cast import a_customer
from web.jobs.models import InboundMessage, Job
from web.membership import services as membership
from web.payments import services
from web.payments.api import read_notice
from web.payments.models import PaymentNotice, PaymentRequest, Refund
from web.tickets.models import Ticket

MANY = 20


def together(functions: list[Callable[[], object]]) -> list[object]:
    """Results, or the errors raised, of functions that start at the same moment in threads of their own."""
    barrier, results = threading.Barrier(len(functions)), [None] * len(functions)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = functions[index]()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def cast(postgres_db, clock, ledger, monkeypatch) -> SimpleNamespace:
    monkeypatch.setattr("web.jobs.tasks.sweep.apply_async", lambda **_: None)
    return SimpleNamespace(**people(), clock=clock, ledger=ledger, gateway=ledger.gateway)


def notice(request: PaymentRequest, **given):
    import json

    return read_notice(json.dumps(event(request, **given)).encode())


def paid(cast) -> PaymentRequest:
    request = asked()
    work()
    charge = cast.ledger.pay(request.key)
    services.take_notice(notice(request, charge=charge["id"]))
    return again(request)


@pytest.mark.postgres
@pytest.mark.req("W-53", "X-22")
def test_twenty_copies_of_a_notice_under_two_event_ids_are_one_payment(cast):
    request = asked()
    copies = [notice(request, id=f"e-{n % 2}") for n in range(MANY)]
    verdicts = together([lambda one=one: services.take_notice(one) for one in copies])
    assert sorted(set(verdicts)) == ["duplicate", "taken"] and verdicts.count("taken") == 1
    assert (again(request).state, again(request).received_fen) == (PaymentRequest.PAID, FEE)
    assert InboundMessage.objects.filter(name="payment.result").count() == 1
    assert PaymentNotice.objects.exclude(charge=None).count() == 1


@pytest.mark.postgres
@pytest.mark.req("P-12")
def test_money_and_deadline_at_the_same_moment_have_one_winner_and_the_money_is_never_lost(cast):
    for n in range(8):
        request = asked(f"k-{n}")
        told = notice(request, charge=f"charge-{n}")
        acts = [lambda request=request: services.close(request), lambda told=told: services.take_notice(told)]
        closed, verdict = together(acts)
        request = again(request)
        assert request.received_fen == FEE and not isinstance(closed, Exception)
        is_late = Job.objects.filter(topic="payments.late", payload__notice=request.notices.get().pk).exists()
        assert (request.state, verdict, is_late) in [
            (PaymentRequest.PAID, "taken", False),
            (PaymentRequest.EXPIRED, "late", True),
        ]


@pytest.mark.postgres
@pytest.mark.req("W-99")
def test_twenty_wishes_for_a_third_each_hold_three_thirds_at_most(cast):
    request = paid(cast)

    def want(n: int):
        return services.want_refund(
            again(request),
            amount_fen=FEE // 3,
            reason="x",
            key=f"r-{n}",
            business_key="ticket:T",
            acting_user=cast.anna,
        )[0]

    outcomes = together([lambda n=n: want(n) for n in range(MANY)])
    assert outcomes.count("wanted") == 3 and set(outcomes) == {"wanted", "nothing", "too_much"} - (
        set() if "too_much" in outcomes else {"too_much"}
    )
    assert again(request).refund_fen == FEE == sum(Refund.objects.values_list("amount_fen", flat=True))


@pytest.mark.postgres
@pytest.mark.req("W-99")
def test_twenty_wishes_for_all_that_is_left_are_one_refund(cast):
    request = paid(cast)
    ask = {"amount_fen": 0, "reason": "x", "business_key": "ticket:T", "acting_user": cast.anna}
    outcomes = together([lambda n=n: services.want_refund(again(request), key=f"r-{n}", **ask)[0] for n in range(MANY)])
    assert sorted(outcomes) == ["nothing"] * (MANY - 1) + ["wanted"]


@pytest.mark.postgres
@pytest.mark.req("W-99")
def test_an_approval_and_a_rejection_at_once_are_one_decision_and_twenty_executions_one_refund(cast):
    request = paid(cast)
    refund = wanted(request, cast.anna)
    acts = [("approve", cast.sue), ("reject", cast.max)]
    outcomes = together(
        [lambda act=act: services.decide_refund(again(refund), decision=act[0], acting_user=act[1]) for act in acts]
    )
    assert len(set(outcomes)) == 1 and again(refund).state == outcomes[0]
    other = wanted(request, cast.anna, 0, "r-2") if outcomes[0] == "rejected" else refund
    if outcomes[0] == "rejected":
        services.decide_refund(other, decision="approve", acting_user=cast.sue)
    together(
        [
            lambda n=n: services.execute_refund(again(other), acting_user=[cast.fay, cast.fred][n % 2])
            for n in range(MANY)
        ]
    )
    work()
    assert again(other).attempt == 1 and len(cast.ledger.refunds) == 1


@pytest.mark.postgres
@pytest.mark.req("W-52", "W-53")
def test_twenty_payments_from_a_fund_for_three_take_three_and_leave_the_rest_above_zero(cast):
    wang = a_customer()
    membership.move_fund(wang, 3 * FEE + 1, reason="top_up", key="top-up")
    cases = [Ticket.objects.create(number=f"T-{n}", kind="payment", customer=wang) for n in range(MANY)]
    end = (cast.clock() + timedelta(minutes=30)).isoformat()

    def pay(n: int):
        return services.ask_for_payment(
            key=f"k-{n}", business_key=cases[n].key, amount_fen=FEE, deadline=end, way="fund", purpose="visit"
        ).state

    states = together([lambda n=n: pay(n) for n in range(MANY)])
    assert states.count("paid") == 3 and states.count("failed") == MANY - 3, states
    assert membership.account(wang)["fund_fen"] == 1
    numbers = set(PaymentRequest.objects.values_list("number", flat=True))
    assert len(numbers) == MANY
