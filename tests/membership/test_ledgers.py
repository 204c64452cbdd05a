"""Points and fund: never below zero, the same key once, the sum of the lines is the balance (W-39, W-40, W-52)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.cast import a_customer, a_user
from tests.workflow.test_races import together
from web.common.errors import BadInput
from web.customers.models import Customer
from web.membership import services as membership
from web.membership.models import Account, CountedOrder, CountedRefund, FundEntry, PointsEntry

LEDGERS = [(membership.add_points, "points", PointsEntry), (membership.move_fund, "fund_fen", FundEntry)]


def agree(customer: Customer) -> bool:
    """Account and ledgers say the same, line by line."""
    account = Account.objects.get(customer=customer)
    for column, ledger in (("points", PointsEntry), ("fund_fen", FundEntry)):
        balance = 0
        for change, after in ledger.objects.filter(customer=customer).order_by("pk").values_list("change", "balance"):
            balance += change
            if balance != after or balance < 0:
                return False
        if balance != getattr(account, column):
            return False
    return True


@pytest.mark.django_db
@pytest.mark.req("W-40", "W-52")
@pytest.mark.parametrize("change, column, ledger", LEDGERS)
def test_each_change_is_a_line_with_the_balance_after_it(change, column, ledger):
    wang = a_customer()
    assert change(wang, 500, "opening", "a") == 500
    assert change(wang, -120, "order", "b", reference="D1", operator=a_user("1023")) == 380
    line = ledger.objects.get(key="b")
    assert (line.change, line.balance, line.reason, line.reference, line.operator) == (-120, 380, "order", "D1", "1023")
    assert membership.account(wang)[column] == 380 and agree(wang)


@pytest.mark.django_db
@pytest.mark.req("W-52")
@pytest.mark.parametrize("change, column, ledger", LEDGERS)
def test_more_than_there_is_cannot_be_taken_and_nothing_is_half_done(change, column, ledger):
    wang = a_customer()
    change(wang, 100, "opening", "a")
    with pytest.raises(membership.NotEnough) as refused:
        change(wang, -101, "payment", "b")
    word = {"points": "points_too_low", "fund_fen": "fund_too_low"}[column]
    assert (refused.value.code, refused.value.facts) == (word, {"has": 100, "needs": 101})
    assert membership.account(wang)[column] == 100 and ledger.objects.count() == 1
    assert change(wang, -100, "payment", "b") == 0


@pytest.mark.django_db
@pytest.mark.req("W-53")
@pytest.mark.parametrize("change, column, ledger", LEDGERS)
def test_the_same_key_again_changes_nothing_and_another_use_of_it_is_refused(change, column, ledger):
    wang, li = a_customer(), a_customer("+8619900001002", name="李秀英")
    assert [change(wang, 100, "top_up", "a") for _ in range(3)] == [100, 100, 100]
    change(wang, 50, "top_up", "b")
    assert change(wang, 100, "top_up", "a") == 100, "the answer of then"
    for who, amount in ((wang, 99), (li, 100)):
        with pytest.raises(membership.KeyTaken):
            change(who, amount, "top_up", "a")
    assert membership.account(wang)[column] == 150 and ledger.objects.count() == 2
    assert change(wang, 0, "nothing", "c") == 150 and ledger.objects.count() == 2
    with pytest.raises(BadInput):
        change(wang, 10**9 + 1, "top_up", "d")


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["points", "fund_fen", "spent_fen", "orders"])
def test_the_database_itself_knows_no_debts(column):
    wang = a_customer()
    membership.add_points(wang, 1, "opening", "a")
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.update(**{column: -1})


@pytest.mark.postgres
@pytest.mark.parametrize("change, column, ledger", LEDGERS)
def test_twenty_who_take_ten_from_seventy_get_seven_times(postgres_db, change, column, ledger):
    wang = a_customer()
    change(wang, 70, "opening", "opening")
    results = together(*[lambda n=n: change(wang, -10, "payment", f"k{n}") for n in range(20)])
    refused = [one for one in results if isinstance(one, Exception)]
    assert {type(one) for one in refused} == {membership.NotEnough} and len(refused) == 13
    assert sorted(one for one in results if isinstance(one, int)) == [0, 10, 20, 30, 40, 50, 60]
    assert membership.account(wang)[column] == 0
    # Lines may be numbered in another order than they happened; each balance is there once, and the sum is right.
    assert ledger.objects.aggregate(sum=Sum("change"))["sum"] == 0 and ledger.objects.count() == 8


@pytest.mark.postgres
@pytest.mark.parametrize("change, column, ledger", LEDGERS)
def test_the_same_payment_twenty_times_at_once_is_taken_once(postgres_db, change, column, ledger):
    wang = a_customer()
    change(wang, 100, "opening", "opening")
    results = together(*[lambda: change(wang, -60, "payment", "P1")] * 20)
    assert results == [40] * 20
    assert membership.account(wang)[column] == 40 and ledger.objects.count() == 2


@pytest.mark.postgres
def test_the_first_look_at_an_account_makes_one(postgres_db):
    wang = a_customer()
    results = together(*[lambda n=n: membership.add_points(wang, 1, "order", f"k{n}") for n in range(20)])
    assert sorted(results) == list(range(1, 21)) and Account.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.req("W-39")
def test_an_order_completed_and_refunded_twenty_times_at_once_counts_once(postgres_db):
    wang = a_customer()
    given = together(*[lambda: membership.order_completed(wang, 10_000, "D1")] * 20)
    assert [one for one in given if one != {"points": 100, "level": "normal"}] == []
    assert CountedOrder.objects.count() == 1 and membership.account(wang)["points"] == 100
    back = together(*[lambda: membership.order_refunded(wang, "D1", 10_000, "R1")] * 20)
    assert [one for one in back if one != {"points": 100, "short": 0}] == []
    account = membership.account(wang)
    assert (account["points"], account["spent_fen"], account["orders"]) == (0, 0, 0) and agree(wang)


class Ledgers(RuleBasedStateMachine):
    """Any order of changes, orders and refunds by two customers."""

    keys = st.sampled_from([f"k{n}" for n in range(8)])
    who = st.integers(0, 1)

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.people = [a_customer(f"+861990000100{n}", name=f"Person {n}") for n in range(2)]
        for person in self.people:
            membership.add_points(person, 50, "opening", f"opening:{person.pk}")
            membership.move_fund(person, 50, "opening", f"opening:{person.pk}")

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    @rule(who=who, change=st.integers(-80, 80), key=keys, ledger=st.sampled_from(LEDGERS))
    def change(self, who: int, change: int, key: str, ledger: tuple) -> None:
        act, column, model = ledger
        person, lines = self.people[who], model.objects.count()
        before, known = membership.account(person)[column], model.objects.filter(key=key).first()
        try:
            act(person, change, "payment", key)
        except membership.NotEnough:
            assert before + change < 0
        except membership.KeyTaken:
            assert known and (known.customer_id, known.change) != (person.pk, change)
        else:
            fresh = known is None and change != 0
            assert membership.account(person)[column] == before + (change if fresh else 0)
            assert model.objects.count() == lines + fresh
            return
        assert membership.account(person)[column] == before and model.objects.count() == lines

    @rule(who=who, amount=st.integers(0, 9_000), key=keys)
    def complete(self, who: int, amount: int, key: str) -> None:
        known = CountedOrder.objects.filter(key=key).first()
        if known is None or known.customer_id == self.people[who].pk:
            membership.order_completed(self.people[who], amount, key)

    @rule(who=who, amount=st.integers(1, 9_000), order=keys, key=keys)
    def refund(self, who: int, amount: int, order: str, key: str) -> None:
        with suppress(membership.RefundTooHigh):
            membership.order_refunded(self.people[who], order, amount, key)

    @invariant()
    def sums_agree(self) -> None:
        for person in self.people:
            assert agree(person)
            account = Account.objects.get(customer=person)
            orders = list(CountedOrder.objects.filter(customer=person))
            assert account.spent_fen == sum(order.amount_fen - order.refunded_fen for order in orders)
            assert account.orders == sum(
                order.refunded_fen < order.amount_fen or not order.amount_fen for order in orders
            )
            for order in orders:
                taken = CountedRefund.objects.filter(order=order).aggregate(p=Sum("points"), s=Sum("short"))
                assert (taken["p"] or 0) + (taken["s"] or 0) <= order.points
                if order.amount_fen and order.refunded_fen == order.amount_fen:
                    assert (taken["p"] or 0) + (taken["s"] or 0) == order.points


@pytest.mark.django_db
@pytest.mark.req("W-40", "W-52")
def test_whatever_happens_the_ledgers_and_the_accounts_agree():
    a_user("clerk", "supervisor")
    terms = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Ledgers, settings=terms)
