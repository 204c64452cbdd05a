"""Stock is promised once: never more than there is, never twice for one key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.clinics.cast import a_clinic, a_product, shelf, the_organisation
from tests.support.cast import a_user
from tests.workflow.test_races import together
from web.clinics import services as clinics
from web.clinics.models import Stock, StockReservation
from web.common.errors import BadInput, NotAllowed
from web.common.models import AuditRow
from web.jobs import services as jobs
from web.jobs.models import Job


@pytest.mark.django_db
@pytest.mark.req("W-58")
def test_what_is_reserved_is_gone_for_others_and_back_when_it_is_released():
    moxa, clinic = a_product(guangzhou_donghu=5), a_clinic()
    assert clinics.reserve_stock(moxa, clinic, 3, "D1")
    assert not clinics.reserve_stock(moxa, clinic, 3, "D2") and clinics.available(moxa, clinic) == 2
    assert clinics.release_stock("D1") and not clinics.release_stock("D1")
    assert clinics.reserve_stock(moxa, clinic, 3, "D2") and shelf(moxa, clinic) == (5, 3)
    assert clinics.take_stock("D2") and not clinics.take_stock("D2") and not clinics.release_stock("D2")
    assert shelf(moxa, clinic) == (2, 0)
    assert clinics.return_stock("D2") and not clinics.return_stock("D2") and shelf(moxa, clinic) == (5, 0)


@pytest.mark.django_db
def test_one_key_is_one_promise_and_stands_for_nothing_else():
    moxa, clinic = a_product(guangzhou_donghu=5), a_clinic()
    assert clinics.reserve_stock(moxa, clinic, 3, "D1") and clinics.reserve_stock(moxa, clinic, 3, "D1")
    assert shelf(moxa, clinic) == (5, 3)
    with pytest.raises(clinics.KeyTaken):
        clinics.reserve_stock(moxa, clinic, 2, "D1")
    clinics.release_stock("D1")
    assert not clinics.reserve_stock(moxa, clinic, 3, "D1"), "a promise that was given back is not given again"
    with pytest.raises(BadInput) as refused:
        clinics.reserve_stock(moxa, clinic, 0, "D3")
    assert refused.value.facts["fields"] == {"quantity": [{"code": "too_small", "least": 1}]}
    assert not clinics.reserve_stock(moxa, a_clinic("foshan-nanhai"), 1, "D4"), "that clinic keeps none"


@pytest.mark.django_db
def test_a_promise_with_an_end_is_released_by_itself_unless_the_goods_were_paid(clock):
    moxa, clinic = a_product(guangzhou_donghu=5), a_clinic()
    until = clock.now() + timedelta(hours=48)
    for key in ("unpaid", "paid", "sold"):
        assert clinics.reserve_stock(moxa, clinic, 1, key, until=until)
    assert clinics.keep_stock("paid") and clinics.take_stock("sold")
    clock.forward(hours=47, minutes=59)
    jobs.sweep()
    assert shelf(moxa, clinic) == (4, 2)
    clock.forward(minutes=1)
    jobs.sweep()
    states = dict(StockReservation.objects.values_list("key", "state"))
    assert states == {"unpaid": "released", "paid": "held", "sold": "taken"} and shelf(moxa, clinic) == (4, 1)
    assert not Job.objects.filter(topic="clinics.release", state=Job.QUEUED).exists()
    assert not clinics.keep_stock("unpaid")


@pytest.mark.django_db
def test_counting_sets_what_is_there_but_never_below_what_is_promised():
    the_organisation()
    moxa, clinic = a_product(guangzhou_donghu=5), a_clinic()
    clinics.reserve_stock(moxa, clinic, 3, "D1")
    pharmacist = a_user("1052", "pharmacy", "pharmacy-guangzhou-donghu")
    with pytest.raises(BadInput) as refused:
        clinics.set_stock(moxa, clinic, 2, acting_user=pharmacist)
    assert refused.value.facts["fields"] == {"quantity": [{"code": "below_reserved", "reserved": 3}]}
    with pytest.raises(BadInput):
        clinics.set_stock(moxa, clinic, -1, acting_user=pharmacist)
    assert shelf(moxa, clinic) == (5, 3)
    clinics.set_stock(moxa, clinic, 3, acting_user=pharmacist)
    assert shelf(moxa, clinic) == (3, 3) and AuditRow.objects.get(action="clinics.stock_set").actor == "1052"
    for stranger in (a_user("1071", "clinic", "clinic-guangzhou-donghu"), a_user("1023", "agent")):
        with pytest.raises(NotAllowed):
            clinics.set_stock(moxa, clinic, 9, acting_user=stranger)
    with pytest.raises(NotAllowed):
        clinics.set_stock(moxa, a_clinic("shenzhen-luohu"), 9, acting_user=pharmacist)


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [{"reserved": 6}, {"reserved": -1}, {"quantity": -1}])
def test_the_database_itself_holds_the_numbers_together(wrong):
    a_product(guangzhou_donghu=5)
    with pytest.raises(IntegrityError), transaction.atomic():
        Stock.objects.update(**wrong)


@pytest.mark.postgres
def test_twenty_who_want_the_last_seven_pieces_get_seven(postgres_db):
    moxa, clinic = a_product(guangzhou_donghu=7), a_clinic()
    wishes = [lambda n=n: clinics.reserve_stock(moxa, clinic, 1, f"D{n}") for n in range(20)]
    results = together(*wishes)
    assert sorted(map(str, results)) == ["False"] * 13 + ["True"] * 7
    assert shelf(moxa, clinic) == (7, 7) and StockReservation.objects.count() == 7


@pytest.mark.postgres
def test_the_same_wish_twenty_times_at_once_is_one_promise(postgres_db):
    moxa, clinic = a_product(guangzhou_donghu=2), a_clinic()
    results = together(*[lambda: clinics.reserve_stock(moxa, clinic, 2, "D1")] * 20)
    assert results == [True] * 20
    assert shelf(moxa, clinic) == (2, 2) and StockReservation.objects.count() == 1


@pytest.mark.postgres
def test_of_selling_and_releasing_at_once_one_happens(postgres_db):
    moxa, clinic = a_product(guangzhou_donghu=20), a_clinic()
    for n in range(10):
        clinics.reserve_stock(moxa, clinic, 1, f"D{n}")
    acts = [lambda n=n: clinics.take_stock(f"D{n}") for n in range(10)]
    results = together(*acts, *[lambda n=n: clinics.release_stock(f"D{n}") for n in range(10)])
    sold = results[:10].count(True)
    assert results.count(True) == 10 and all(a is not b for a, b in zip(results[:10], results[10:], strict=True))
    assert shelf(moxa, clinic) == (20 - sold, 0)


class Shelf(RuleBasedStateMachine):
    """Any order of acts: what is reserved is the sum of what is held, and what left is the sum of what was sold."""

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.first = 10
        self.moxa, self.clinic = a_product("machine", guangzhou_donghu=self.first), a_clinic()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    keys = st.sampled_from([f"D{n}" for n in range(6)])

    @rule(key=keys, quantity=st.integers(1, 6))
    def reserve(self, key: str, quantity: int) -> None:
        free, known = clinics.available(self.moxa, self.clinic), StockReservation.objects.filter(key=key).first()
        try:
            got = clinics.reserve_stock(self.moxa, self.clinic, quantity, key)
        except clinics.KeyTaken:
            assert known and known.quantity != quantity
            return
        assert got == (known.state in ("held", "taken") if known else quantity <= free)

    @rule(key=keys, act=st.sampled_from([clinics.release_stock, clinics.take_stock, clinics.return_stock]))
    def move(self, key: str, act) -> None:
        act(key)

    @invariant()
    def sums_agree(self) -> None:
        sums = dict.fromkeys(("held", "taken", "released", "returned"), 0)
        for state, quantity in StockReservation.objects.values_list("state", "quantity"):
            sums[state] += quantity
        assert shelf(self.moxa, self.clinic) == (self.first - sums["taken"], sums["held"])


@pytest.mark.django_db
def test_whatever_happens_the_shelf_and_the_promises_agree():
    terms = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Shelf, settings=terms)
