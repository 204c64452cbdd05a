"""Whatever the provider says, how often and in whatever order: exactly one effect each (P-12, W-53, X-22; RELIABILITY F23)."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tests.payments.cast import (
    FEE,
    HALF_AN_HOUR,
    a_case,
    again,
    asked,
    deploy,
    event,
    of,
    post,
    refund_tickets,
    told,
    verdicts,
    work,
)
from web.jobs.models import InboundMessage, Incident
from web.payments import hooks, services
from web.payments.models import PaymentNotice, PaymentRequest
from web.tickets import services as tickets
from web.workflow.models import ProcessInstance

SECOND = timedelta(seconds=1)


@pytest.fixture
def late_hook():
    """Rooms above decide about late money through one hook; the test says how."""
    before = hooks.on_late
    yield lambda answer: hooks.register(on_late=answer)
    hooks.register(on_late=before)


@pytest.fixture
def request_(cast):
    request = asked()
    work()
    return request


class TestMoney:
    @pytest.mark.req("W-53")
    def test_money_in_time_is_taken_once_and_the_case_hears_it_once(self, client, cast, request_):
        at = cast.clock() + HALF_AN_HOUR - SECOND
        answer = post(client, event(request_, at=at))
        assert (answer.status_code, answer.json()) == (200, {"verdict": "taken"})
        row = again(request_)
        assert (row.state, row.received_fen, row.paid_at) == (PaymentRequest.PAID, FEE, at)
        assert told() == ["paid"]

    @pytest.mark.req("X-22", "W-53")
    def test_the_same_event_again_is_counted_and_changes_nothing(self, client, cast, request_):
        for _ in range(3):
            assert post(client, event(request_)).status_code == 200
        assert (again(request_).received_fen, told(), verdicts()) == (FEE, ["paid"], ["taken"])
        assert PaymentNotice.objects.get().repeats == 2

    def test_another_event_about_the_same_charge_is_a_duplicate(self, client, cast, request_):
        post(client, event(request_))
        assert post(client, event(request_, id="event-2")).json() == {"verdict": "duplicate"}
        assert (again(request_).received_fen, told(), refund_tickets()) == (FEE, ["paid"], [])

    @pytest.mark.req("P-12", "W-53")
    def test_the_answer_to_a_question_and_the_notice_that_follows_are_one_payment(self, client, cast, request_):
        cast.ledger.pay(request_.key)
        services.query(request_, key="q")
        work()
        assert post(client, cast.ledger.paid_event(cast.ledger.charges[0])).json() == {"verdict": "duplicate"}
        assert (again(request_).received_fen, told()) == (FEE, ["paid"])

    @pytest.mark.req("P-12")
    def test_paid_at_29_59_counts_though_the_notice_comes_after_the_deadline(self, client, cast, request_):
        paid_at = cast.clock() + HALF_AN_HOUR - SECOND
        cast.clock.forward(minutes=30, seconds=5)
        assert post(client, event(request_, at=paid_at)).json() == {"verdict": "taken"}
        assert again(request_).state == PaymentRequest.PAID

    @pytest.mark.req("P-12")
    def test_paid_at_the_deadline_counts_and_a_second_later_does_not(self, client, cast):
        deploy()
        first, second = asked("k-1"), asked("k-2")
        end = first.deadline_at
        cast.clock.forward(minutes=30, seconds=2)
        assert post(client, event(first, at=end)).json() == {"verdict": "taken"}
        assert post(client, event(second, charge="charge-2", at=end + SECOND)).json() == {"verdict": "late"}
        assert again(second).is_open, "its case is closing it now"

    def test_a_declined_attempt_is_heard_and_the_request_stays_open(self, client, cast, request_):
        declined = event(request_, id="e-1", kind="payment.failed", charge="")
        assert post(client, declined).json() == {"verdict": "taken"}
        assert again(request_).is_open and told() == ["failed"]
        post(client, event(request_))
        assert told() == ["failed", "paid"]

    def test_a_declined_attempt_told_after_the_money_is_old_news(self, client, cast, request_):
        post(client, event(request_))
        declined = event(request_, id="e-1", kind="payment.failed", charge="")
        assert post(client, declined).json() == {"verdict": "late"}
        assert again(request_).state == PaymentRequest.PAID and told() == ["paid"] and not Incident.objects.exists()


class TestLateMoney:
    """Money nobody waits for is given to the case or goes back; never silence."""

    @pytest.mark.req("P-12")
    def test_it_goes_back_through_a_refund_that_nobody_of_us_asked_for(self, client, cast):
        deploy()
        case = a_case(cast.anna)
        work()
        request = of(case)
        cast.clock.forward(minutes=30)
        work()
        cast.clock.forward(seconds=20)
        work()
        assert again(case.instance).ends[-1] == "E_timeout" and again(request).state == PaymentRequest.EXPIRED
        assert post(client, event(request, at=cast.clock())).json() == {"verdict": "late"}
        work()
        (back,) = refund_tickets()
        assert (back.source, back.customer, back.opened_by) == ("late_payment", case.customer, None)
        refund = request.refunds.get()
        assert (refund.amount_fen, refund.reason, refund.asked_by) == (FEE, "late_payment", None)
        assert back.instance.tasks.get(state="open").element == "R1_approve"
        assert again(request).state == PaymentRequest.EXPIRED and again(request).received_fen == FEE

    @pytest.mark.req("P-12")
    def test_three_copies_of_late_money_are_one_refund(self, client, cast):
        deploy()
        request = asked()
        services.close(request)
        for number in range(3):
            post(client, event(request, id=f"e-{number % 2}"))
        work()
        assert len(refund_tickets()) == 1 and again(request).received_fen == FEE
        assert verdicts() == ["late", "duplicate"]

    def test_the_decision_waits_until_the_case_has_closed_the_request(self, client, cast, request_):
        deploy()
        post(client, event(request_, at=request_.deadline_at + SECOND))
        work()
        assert refund_tickets() == []
        services.close(again(request_))
        cast.clock.forward(seconds=31)
        work()
        assert len(refund_tickets()) == 1

    @pytest.mark.req("P-12")
    def test_a_case_that_can_still_use_it_takes_it(self, client, cast, late_hook):
        deploy()
        seen = []
        late_hook(lambda request: seen.append(request.number) or True)
        request = asked()
        services.close(request)
        post(client, event(request))
        work()
        assert (again(request).state, seen, refund_tickets()) == (PaymentRequest.PAID, [request.number], [])

    def test_a_case_that_breaks_over_it_loses_nothing(self, client, cast, late_hook):
        deploy()

        def broken(request):
            raise RuntimeError("no slot table")

        late_hook(broken)
        request = asked()
        services.close(request)
        post(client, event(request))
        work()
        assert refund_tickets() == [] and again(request).received_fen == FEE
        late_hook(lambda request: False)
        cast.clock.forward(seconds=15)
        work()
        assert len(refund_tickets()) == 1

    def test_without_a_refund_flow_a_person_is_told(self, client, cast):
        request = asked()
        services.close(request)
        post(client, event(request))
        for _ in range(5):
            work()
            cast.clock.forward(minutes=13)
        assert Incident.objects.filter(topic="payments.late", state="open").count() == 1

    @pytest.mark.req("W-53")
    def test_a_second_charge_for_one_request_goes_back_and_the_first_stays(self, client, cast, request_):
        deploy()
        post(client, event(request_))
        assert post(client, event(request_, charge="charge-2")).json() == {"verdict": "late"}
        work()
        assert (again(request_).state, again(request_).received_fen) == (PaymentRequest.PAID, 2 * FEE)
        assert len(refund_tickets()) == 1 and request_.refunds.get().amount_fen == FEE

    @pytest.mark.req("W-53")
    def test_money_that_was_faster_than_our_cancelling_comes_to_light_by_it(self, cast):
        deploy()
        request = asked()
        work()
        cast.ledger.pay(request.key)
        services.close(request, reason="cancelled")
        work(6)
        assert again(request).received_fen == FEE and len(refund_tickets()) == 1


class TestForClaiming:
    @pytest.mark.req("W-53", "X-13")
    def test_a_notice_that_comes_before_the_flow_waits_is_kept(self, client, cast):
        """Paid while the flow stood broken before its wait: the message stays, and is taken the moment it waits."""
        deploy()
        case = a_case(cast.anna)
        request = of(case)
        InboundMessage.objects.all().delete()
        # The notice arrives when no instance waits: as if the flow had not come that far.
        from web.workflow.models import Awaited

        waiting = list(Awaited.objects.filter(instance=case.instance))
        Awaited.objects.filter(instance=case.instance).update(business_key="ticket:elsewhere")
        assert post(client, event(request)).json() == {"verdict": "taken"}
        work()
        message = InboundMessage.objects.get(name="payment.result")
        assert message.state == InboundMessage.NEW and again(case.instance).status == ProcessInstance.RUNNING
        for row in waiting:
            Awaited.objects.filter(pk=row.pk).update(business_key=case.key)
        from web.workflow.services.messages import deliver

        assert deliver(message) == 1
        assert again(case.instance).ends[-1] == "E_paid"

    @pytest.mark.req("P-12")
    def test_money_for_a_case_whose_flow_ended_unaware_goes_back(self, client, cast):
        deploy()
        case = a_case(cast.anna)
        work()
        from web.workflow import services as workflow

        workflow.cancel_instance(case.instance, cast.sue, "opened by mistake")
        assert post(client, event(of(case))).json() == {"verdict": "taken"}
        work()
        assert refund_tickets() == []
        cast.clock.forward(hours=1)
        work()
        (back,) = refund_tickets()
        assert of(case).refunds.get().reason == "case_over" and back.number != case.number

    def test_money_its_case_knows_of_is_left_alone(self, client, cast):
        deploy()
        case = a_case(cast.anna)
        work()
        post(client, event(of(case)))
        work()
        assert again(case.instance).ends[-1] == "E_paid"
        cast.clock.forward(hours=3)
        work()
        assert refund_tickets() == []


class TestRefused:
    @pytest.mark.req("X-22", "W-53")
    @pytest.mark.parametrize("how", [{"secret": "somebody-else"}, {"at": 1_700_000_000}])
    def test_a_forged_or_replayed_notice_changes_nothing_and_is_seen(self, client, cast, request_, how):
        for _ in range(3):
            answer = post(client, event(request_), **how)
            assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
        assert again(request_).is_open and told() == []
        forged = PaymentNotice.objects.get()
        assert (forged.verdict, forged.repeats, forged.event_id) == ("forged", 2, None)

    def test_a_forgery_does_not_stand_in_the_way_of_the_real_notice(self, client, cast, request_):
        post(client, event(request_), secret="somebody-else")
        assert post(client, event(request_)).json() == {"verdict": "taken"}

    def test_an_unsigned_notice_is_refused(self, client, cast, request_):
        answer = client.post("/api/hooks/payment", event(request_), content_type="application/json")
        assert answer.status_code == 403 and again(request_).is_open

    def test_without_a_secret_nothing_is_genuine(self, client, cast, request_, settings):
        settings.PAYMENT_SECRET = ""
        assert post(client, event(request_), secret="").status_code == 403

    @pytest.mark.req("W-53")
    @pytest.mark.parametrize("amount", [FEE + 1, FEE - 1, 1])
    def test_a_wrong_amount_is_refused_by_its_field_and_finance_is_told(self, client, cast, request_, amount):
        answer = post(client, event(request_, amount_fen=amount))
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_amount")
        assert answer.json()["fields"] == {"amount_fen": [{"code": "differs"}]}
        assert again(request_).is_open and again(request_).received_fen == 0 and told() == []
        assert Incident.objects.filter(topic="payments.wrong_amount").count() == 1
        assert post(client, event(request_, id="e-2")).json() == {"verdict": "taken"}, "the right one still counts"

    def test_money_for_a_key_we_never_gave_out_is_an_incident(self, client, cast, request_):
        assert post(client, event(request_, key="never")).json() == {"verdict": "unknown"}
        assert Incident.objects.filter(topic="payments.notice").count() == 1 and again(request_).is_open

    @pytest.mark.parametrize(
        "change, field",
        [
            ({"id": ""}, "id"),
            ({"id": 7}, "id"),
            ({"key": None}, "key"),
            ({"kind": "payment.eaten"}, "kind"),
            ({"amount_fen": "30000"}, "amount_fen"),
            ({"amount_fen": 0}, "amount_fen"),
            ({"amount_fen": True}, "amount_fen"),
            ({"charge": ""}, "charge"),
            ({"charge": {}}, "charge"),
            ({"at": "2026-11-23T09:00:00"}, "at"),
            ({"at": None}, "at"),
            ({"at": 5}, "at"),
        ],
    )
    def test_a_notice_that_says_nothing_is_refused_by_its_field(self, client, cast, request_, change, field):
        answer = post(client, {**event(request_), **change})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_notice")
        assert list(answer.json()["fields"]) == [field] and not PaymentNotice.objects.exists()

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'"text"'])
    def test_what_is_no_notice_is_refused(self, client, cast, body):
        assert post(client, body).json()["code"] == "bad_notice"


@pytest.mark.req("P-12", "W-53", "X-22")
def test_a_storm_of_duplicate_reordered_forged_late_and_early_notices_has_one_effect_each(client, cast):
    """Forty payments; every notice comes up to three times, mixed with declined attempts, forgeries and wrong amounts, all shuffled."""
    deploy()
    dice = random.Random(7)
    requests = [asked(f"k-{n}", deadline=(cast.clock() + HALF_AN_HOUR).isoformat()) for n in range(40)]
    work(9)
    closed = {request.pk for request in requests if dice.random() < 0.3}
    late = {request.pk for request in requests if request.pk not in closed and dice.random() < 0.2}
    storm: list[tuple[dict, dict]] = []
    for request in requests:
        at = request.deadline_at + (SECOND if request.pk in late else -SECOND)
        paid = event(request, charge=f"charge-{request.pk}", at=at)
        storm += [(paid, {})] * dice.randint(1, 3)
        storm += [({**paid, "id": f"other-{request.pk}"}, {})] * dice.randint(0, 1)
        storm += [({**paid, "id": f"declined-{request.pk}", "kind": "payment.failed"}, {})] * dice.randint(0, 2)
        storm += [(paid, {"secret": "somebody-else"})] * dice.randint(0, 2)
        storm += [
            ({**paid, "id": f"wrong-{request.pk}", "charge": f"wrong-{request.pk}", "amount_fen": 1}, {})
        ] * dice.randint(0, 1)
    dice.shuffle(storm)
    for request in requests:
        if request.pk in closed:
            services.close(request, reason="cancelled")
    for told_, how in storm:
        assert post(client, told_, **how).status_code in (200, 403, 409)
    for request in requests:
        services.close(again(request))
    cast.clock.forward(seconds=31)
    work(9)
    for request in map(again, requests):
        too_late = request.pk in closed | late
        assert request.received_fen == FEE
        assert request.state == (
            PaymentRequest.PAID
            if not too_late
            else PaymentRequest.EXPIRED
            if request.pk in late
            else PaymentRequest.CANCELLED
        )
        assert request.refunds.count() == (1 if too_late else 0)
        paid = InboundMessage.objects.filter(name="payment.result", message_id=f"payment.result:{request.pk}:paid")
        assert paid.count() == (0 if too_late else 1)
    assert len(refund_tickets()) == len(closed | late)
    charges = PaymentNotice.objects.exclude(charge=None)
    assert charges.count() == len(requests) == charges.filter(verdict__in=("taken", "late")).count()
    assert tickets.by_key("ticket:T-none") is None


@pytest.mark.req("P-12")
def test_of_two_late_charges_the_case_takes_one_and_the_other_goes_back(client, cast, late_hook):
    deploy()
    late_hook(lambda request: True)
    request = asked()
    services.close(request)
    for charge in ("charge-1", "charge-2"):
        assert post(client, event(request, charge=charge)).json() == {"verdict": "late"}
    work()
    row = again(request)
    assert (row.state, row.received_fen, row.refund_fen) == (PaymentRequest.PAID, 2 * FEE, FEE)
    assert len(refund_tickets()) == 1
