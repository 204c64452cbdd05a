"""Money goes back by three people, never more than came, never twice (W-53, W-99)."""

from __future__ import annotations

import pytest
from django.conf import settings as product

from engine.cases import StatedVerbs
from engine.definitions import parse, read_folder
from engine.testing import Play
from tests.payments.cast import FEE, again, asked, event, post, told, wanted, work
from tests.support.cast import a_customer
from web.common.models import AuditRow
from web.jobs.models import Incident, OutboundEffect
from web.membership import services as membership
from web.payments import services
from web.payments.models import PaymentRequest, Refund


@pytest.fixture
def paid(cast, client) -> PaymentRequest:
    request = asked(acting_user=cast.ben)
    work()
    charge = cast.ledger.pay(request.key)
    assert post(client, cast.ledger.paid_event(charge)).json() == {"verdict": "taken"}
    return again(request)


def approved(cast, request, **given) -> Refund:
    refund = wanted(request, cast.anna, **given)
    assert services.decide_refund(refund, decision="approve", acting_user=cast.sue) == "approved"
    return again(refund)


def executing(cast, request, **given) -> Refund:
    refund = approved(cast, request, **given)
    assert services.execute_refund(refund, acting_user=cast.fay) == "executing"
    work()
    return again(refund)


def finish(cast, client, refund, *, fails: bool = False):
    key = services.provider_key(refund)
    cast.ledger.refunds[key]["fails"] = fails
    cast.ledger.finish_refund(key)
    return post(client, cast.ledger.refund_event(key))


class TestFourEyes:
    @pytest.mark.req("W-99")
    def test_asker_approver_and_executor_are_three_people(self, cast, client, paid):
        refund = executing(cast, paid)
        assert (refund.asked_by, refund.approved_by, refund.executed_by) == (cast.anna, cast.sue, cast.fay)
        assert finish(cast, client, refund).json() == {"verdict": "taken"}
        assert (again(refund).state, again(paid).state, told("refund.result")) == ("done", "refunded", ["done"])
        acts = AuditRow.objects.filter(subject=f"refund:{refund.pk}").order_by("pk").values_list("action", "actor")
        assert list(acts) == [
            ("refund.wanted", "1023"), ("refund.approved", "1011"), ("refund.executing", "1061"), ("refund.done", "1061"),
        ]  # fmt: skip

    @pytest.mark.req("W-99")
    def test_who_asked_may_neither_approve_nor_execute_even_with_every_permission(self, cast, paid):
        cast.sue.roles.add(*cast.fay.roles.all())
        sue = again(cast.sue)
        refund = wanted(paid, sue)
        assert services.decide_refund(refund, decision="approve", acting_user=sue) == "same_person"
        assert services.decide_refund(refund, decision="reject", acting_user=sue) == "same_person"
        assert services.decide_refund(refund, decision="approve", acting_user=cast.max) == "approved"
        assert services.execute_refund(again(refund), acting_user=sue) == "same_person"
        assert (
            again(refund).state == Refund.APPROVED
            and not OutboundEffect.objects.filter(topic="payment.refund").exists()
        )

    @pytest.mark.req("W-99")
    def test_who_approved_may_not_execute(self, cast, paid):
        cast.sue.roles.add(*cast.fay.roles.all())
        refund = approved(cast, paid)
        assert services.execute_refund(refund, acting_user=again(cast.sue)) == "same_person"
        assert services.execute_refund(refund, acting_user=cast.fred) == "executing"

    @pytest.mark.req("W-99")
    def test_without_the_permission_nobody_decides_or_executes_and_nobody_is_nobody(self, cast, paid):
        refund = wanted(paid, cast.anna)
        for person in (cast.ben, cast.fay, None):
            assert services.decide_refund(refund, decision="approve", acting_user=person) == "not_allowed"
        services.decide_refund(refund, decision="approve", acting_user=cast.sue)
        for person in (cast.ben, cast.max, None):
            assert services.execute_refund(again(refund), acting_user=person) == "not_allowed"

    def test_late_money_that_nobody_asked_back_still_takes_two(self, cast, paid):
        cast.sue.roles.add(*cast.fay.roles.all())
        sue, refund = again(cast.sue), wanted(paid, None)
        assert services.decide_refund(refund, decision="approve", acting_user=sue) == "approved"
        assert services.execute_refund(again(refund), acting_user=sue) == "same_person"
        assert services.execute_refund(again(refund), acting_user=cast.fay) == "executing"

    def test_nothing_is_executed_before_it_is_approved_or_after_it_is_rejected(self, cast, paid):
        refund = wanted(paid, cast.anna)
        assert services.execute_refund(refund, acting_user=cast.fay) == "not_allowed"
        assert services.decide_refund(refund, decision="reject", acting_user=cast.sue) == "rejected"
        assert services.execute_refund(again(refund), acting_user=cast.fay) == "not_allowed"
        assert services.decide_refund(refund, decision="approve", acting_user=cast.max) == "rejected", "it was decided"

    @pytest.mark.req("W-99")
    def test_the_diagram_offers_the_tasks_to_others_only(self):
        verbs = {
            "payments.want_refund": {"outcome": "wanted", "refund": "R1", "amount_fen": 1, "asked_by": "1023"},
            "payments.decide_refund": {"outcome": "approved", "approved_by": "1011"},
            "payments.execute_refund": {"outcome": "executing"},
        }
        start = {
            "customer": "1",
            "opened_by": "1023",
            "group": "g",
            "ticket": "T1",
            "payment": "P1",
            "refund_amount_fen": 0,
            "refund_reason": "x",
        }
        play = Play(parse(read_folder(product.FLOWS_DIR, "refund")), StatedVerbs(verbs, None), start)
        assert play.task("R1_approve").exclude == ["1023"]
        play.complete("R1_approve", refund_decision="approve", comment="yes")
        assert play.task("R2_execute").exclude == ["1023", "1011"]
        play.complete("R2_execute", refund_act="execute")
        assert play.deliver("refund.result", {"result": "failed"}, refund="R1")
        assert play.task("R5_retry").exclude == ["1023", "1011"]


class TestAmounts:
    @pytest.mark.req("W-99")
    def test_refunds_together_never_exceed_what_came(self, cast, paid):
        assert wanted(paid, cast.anna, 20000, "r-1").amount_fen == 20000
        ask = {"reason": "x", "business_key": "ticket:T", "acting_user": cast.anna}
        assert services.want_refund(paid, amount_fen=10001, key="r-2", **ask) == ("too_much", None)
        assert wanted(paid, cast.anna, 0, "r-3").amount_fen == 10000
        assert services.want_refund(paid, amount_fen=0, key="r-4", **ask) == ("nothing", None)
        assert again(paid).refund_fen == FEE

    def test_the_same_wish_again_is_the_same_refund(self, cast, paid):
        assert wanted(paid, cast.anna).pk == wanted(paid, cast.anna).pk
        assert Refund.objects.count() == 1 and again(paid).refund_fen == FEE

    def test_what_never_came_is_not_refunded(self, cast):
        ask = {"reason": "x", "key": "r", "business_key": "ticket:T", "acting_user": cast.anna}
        assert services.want_refund(asked(), amount_fen=0, **ask) == ("nothing", None)

    def test_a_rejected_or_dropped_refund_frees_what_it_held(self, cast, paid):
        rejected, dropped = wanted(paid, cast.anna, 10000, "r-1"), wanted(paid, cast.anna, 20000, "r-2")
        services.decide_refund(rejected, decision="reject", acting_user=cast.sue)
        assert again(paid).refund_fen == 20000
        for _ in range(2):
            services.drop_refund(again(dropped), acting_user=cast.fay)
        assert again(paid).refund_fen == 0

    def test_a_part_is_a_part_and_the_rest_makes_it_whole(self, cast, client, paid):
        finish(cast, client, executing(cast, paid, amount_fen=10000, key="r-1"))
        assert again(paid).state == PaymentRequest.PART_REFUNDED
        finish(cast, client, executing(cast, again(paid), key="r-2"))
        assert (again(paid).state, again(paid).refund_fen) == (PaymentRequest.REFUNDED, FEE)
        assert sum(one["amount_fen"] for one in cast.ledger.refunds.values()) == FEE


class TestAtTheProvider:
    @pytest.mark.req("W-53", "X-22")
    def test_a_result_told_twice_ends_it_once(self, cast, client, paid):
        refund = executing(cast, paid)
        finish(cast, client, refund), finish(cast, client, refund)
        again_told = {**cast.ledger.refund_event(services.provider_key(refund)), "id": "other"}
        assert post(client, again_told).json() == {"verdict": "duplicate"}
        assert told("refund.result") == ["done"]

    @pytest.mark.req("W-53", "X-14")
    def test_in_doubt_the_provider_is_asked_and_the_refund_is_sent_once(self, cast, paid):
        cast.gateway.calls.clear()
        cast.gateway.trouble = ["lost"]
        refund = executing(cast, paid)
        cast.clock.forward(seconds=15)
        work()
        assert cast.gateway.calls == ["refund", "refund_status"] and len(cast.ledger.refunds) == 1
        cast.ledger.finish_refund(services.provider_key(refund))
        services.query_refund(again(refund), key="q-1")
        work()
        assert again(refund).state == Refund.DONE and told("refund.result") == ["done"]

    def test_a_question_answered_with_not_yet_tells_the_case_nothing(self, cast, paid):
        refund = executing(cast, paid)
        services.query_refund(refund, key="q-1")
        work()
        assert again(refund).state == Refund.EXECUTING and told("refund.result") == []

    @pytest.mark.req("W-53")
    def test_after_a_definite_failure_finance_tries_again_under_a_new_key(self, cast, client, paid):
        refund = executing(cast, paid)
        finish(cast, client, refund, fails=True)
        assert (again(refund).state, again(refund).code) == (Refund.FAILED, "account_closed")
        assert again(paid).refund_fen == FEE, "still held"
        assert services.execute_refund(again(refund), acting_user=cast.fred) == "executing"
        work()
        refund = again(refund)
        assert (refund.attempt, list(cast.ledger.refunds)) == (2, ["r-1:1", "r-1:2"])
        finish(cast, client, refund)
        assert again(refund).state == Refund.DONE and told("refund.result") == ["failed", "done"]

    def test_executing_twice_sends_once(self, cast, paid):
        refund = executing(cast, paid)
        assert services.execute_refund(refund, acting_user=cast.fred) == "executing"
        work()
        assert again(refund).attempt == 1 and list(cast.ledger.refunds) == ["r-1:1"]

    def test_a_refund_on_its_way_cannot_be_dropped(self, cast, paid):
        refund = executing(cast, paid)
        with pytest.raises(services.RefundMovesMoney):
            services.drop_refund(refund, acting_user=cast.fay)
        assert again(paid).refund_fen == FEE

    def test_a_failure_told_after_done_changes_nothing_and_done_after_failure_stands(self, cast, client, paid):
        refund = executing(cast, paid)
        about = {"key": "r-1:1", "charge": "refund-x", "amount_fen": FEE}
        post(client, event(paid, id="a", kind="refund.failed", **about))
        assert again(refund).state == Refund.FAILED
        post(client, event(paid, id="b", kind="refund.done", **about))
        post(client, event(paid, id="c", kind="refund.failed", **about))
        assert again(refund).state == Refund.DONE

    def test_an_attempt_that_was_done_after_all_when_the_next_is_out_is_an_incident(self, cast, client, paid):
        refund = executing(cast, paid)
        finish(cast, client, refund, fails=True)
        services.execute_refund(again(refund), acting_user=cast.fay)
        told_ = event(paid, id="z", kind="refund.done", key="r-1:1", charge="refund-x")
        assert post(client, told_).json() == {"verdict": "late"}
        assert Incident.objects.filter(topic="payments.refund").count() == 1
        assert again(refund).state == Refund.EXECUTING

    def test_a_result_for_a_refund_we_never_sent_is_unknown(self, cast, client, paid):
        approved(cast, paid)
        for key in ("r-1:1", "r-1:x", "r-9:1", "r-1"):
            told_ = event(paid, id=f"u-{key}", kind="refund.done", key=key, charge="refund-x")
            assert post(client, told_).json() == {"verdict": "unknown"}

    def test_a_provider_that_refuses_the_refund_gives_it_back_to_finance(self, cast, paid):
        cast.gateway.trouble = ["refuse"]
        refund = executing(cast, paid)
        assert (refund.state, refund.code, told("refund.result")) == (Refund.FAILED, "refused", ["failed"])


class TestOtherWays:
    @pytest.mark.req("W-52")
    def test_a_payment_from_the_fund_goes_back_into_the_fund(self, cast, monkeypatch):
        from web.tickets.models import Ticket

        wang = a_customer()
        membership.move_fund(wang, FEE, reason="top_up", key="top-up")
        case = Ticket.objects.create(number="T-f", kind="payment", customer=wang)
        request = asked(way="fund", business_key=case.key)
        assert membership.account(wang)["fund_fen"] == 0
        refund = executing(cast, again(request))
        assert (refund.state, membership.account(wang)["fund_fen"]) == (Refund.DONE, FEE)
        assert cast.ledger.refunds == {} and told("refund.result") == ["done"]

    @pytest.mark.req("W-99")
    def test_money_from_the_desk_goes_back_at_the_desk(self, cast):
        request = asked(way="desk")
        services.confirm_at_desk(request, way="cash", acting_user=cast.fay)
        refund = executing(cast, again(request))
        assert refund.state == Refund.DONE and again(request).state == PaymentRequest.REFUNDED
        assert cast.ledger.refunds == {}
