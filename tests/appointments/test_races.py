"""Many at once, on a real PostgreSQL: each place has one owner, each act one winner, and nothing is lost (TESTING: races)."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from tests.appointments.cast import TUESDAY, Case, Centre, states, the_sums_agree
from tests.workflow.test_races import together
from web.appointments import services
from web.appointments.models import Appointment, Slot, Waiting
from web.common import clock as product_clock
from web.common.errors import BadInput
from web.jobs.models import InboundMessage
from web.tickets.models import Ticket

pytestmark = [pytest.mark.postgres]


@pytest.fixture
def centre(postgres_db, clock) -> Centre:
    return Centre()


def pool(workers: int, works: list[Callable[[], object]]) -> list[object]:
    """Results (or errors) of `works`, done by so many threads with one connection each."""
    todo: queue.SimpleQueue = queue.SimpleQueue()
    results: list[object] = [None] * len(works)
    for pair in enumerate(works):
        todo.put(pair)

    def run() -> None:
        try:
            while True:
                index, work = todo.get_nowait()
                try:
                    results[index] = work()
                except Exception as error:
                    results[index] = error
        except queue.Empty:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def held(case: Case, **wish) -> str:
    with transaction.atomic():  # a flow's step is one transaction
        return case.hold(**wish)["outcome"]


@pytest.mark.slow
@pytest.mark.req("W-65", "W-69")
def test_of_a_thousand_who_want_a_hundred_places_a_hundred_have_one_each(centre: Centre):
    """0 double, 0 lost."""
    centre.schedule(hours=(9, 19), per_hour=10)
    tickets = [Ticket(number=f"T20261123-9{n:04d}", kind="appointment") for n in range(1000)]
    Ticket.objects.bulk_create(tickets)
    cases = []
    for ticket in Ticket.objects.filter(number__startswith="T20261123-9").order_by("pk"):
        case = Case.__new__(Case)
        case.ticket, case.key, case.patient, case.slot, case.waiting = ticket, ticket.key, f"客人{ticket.pk}", "", ""
        cases.append(case)

    def book(case: Case, hour: int) -> str:
        outcome = held(case, hour=hour)
        if outcome != "held":
            return outcome
        with transaction.atomic():
            return case.confirm()

    results = pool(8, [lambda case=case, n=n: book(case, 9 + n % 10) for n, case in enumerate(cases)])
    assert Counter(map(str, results)) == {"booked": 100, "full": 900}
    owners = list(Slot.objects.filter(state=Slot.BOOKED).values_list("appointment", flat=True))
    assert len(owners) == len(set(owners)) == 100 == Slot.objects.count()
    assert set(owners) == set(Appointment.objects.filter(state=Appointment.BOOKED).values_list("pk", flat=True))


def test_of_twenty_who_want_the_last_place_one_has_it(centre: Centre):
    centre.schedule(hours=(9, 12), per_hour=1)
    for hour in (9, 10):
        cases = [centre.case() for _ in range(20)]
        results = together(*(lambda case=case, hour=hour: held(case, hour=hour) for case in cases))
        assert Counter(map(str, results)) == {"held": 1, "full": 19}
    the_sums_agree()


def test_one_patient_at_twenty_telephones_has_one_place(centre: Centre):
    centre.schedule(hours=(9, 12), per_hour=20)
    centre.schedule(centre.zhao_here, hours=(9, 12), per_hour=20)
    wang = centre.customer("王小明")
    wishes = [(Case(wang, patient="王小明"), doctor) for doctor in ("li", "zhao") * 10]
    results = together(*(lambda case=case, doctor=doctor: held(case, doctor=doctor) for case, doctor in wishes))
    assert Counter(map(str, results)) == {"held": 1, "double": 19}
    the_sums_agree()


@pytest.mark.req("P-12")
def test_paying_in_the_moment_the_hold_runs_out_is_booked_or_gone_never_both(centre: Centre, clock):
    centre.schedule(hours=(9, 19), per_hour=1)
    for hour in range(9, 15):
        wang, lin = centre.case(), centre.case()
        wang.hold("li", hour)
        clock.forward(minutes=31)

        def sweep() -> int:
            return services.expire_overdue(product_clock.now())

        outcomes = together(
            *[sweep] * 6,
            *[lambda wang=wang: wang.confirm()] * 7,
            *[lambda lin=lin, hour=hour: held(lin, hour=hour)] * 7,
        )
        said = {str(one) for one in outcomes[6:13]}
        assert not [one for one in outcomes if isinstance(one, Exception)], outcomes
        owner = Slot.objects.get(date=TUESDAY, hour=hour).appointment
        assert owner in (wang.row, lin.row)
        assert ("booked" in said) == (owner == wang.row), said
        the_sums_agree()


def test_a_place_given_back_twenty_times_is_free_once(centre: Centre):
    centre.schedule(hours=(9, 10), per_hour=1)
    wang, lin = centre.case(), centre.case()
    wang.book("li", 9)
    together(*[lambda: wang.release("cancelled")] * 19, lambda: held(lin, hour=9))
    owner = Slot.objects.get().appointment
    assert owner in (None, lin.row) and wang.row.state == "cancelled"
    if owner is None:
        assert held(lin, hour=9) == "held"
    wang.release("cancelled")
    assert Slot.objects.get().appointment == lin.row


def test_confirming_twenty_times_is_booked_once(centre: Centre):
    centre.schedule(hours=(9, 10), per_hour=2)
    wang = centre.case()
    wang.hold("li", 9)
    assert together(*[lambda: wang.confirm()] * 20) == ["booked"] * 20
    assert sorted(states("li", 9)) == ["booked", "free"]


def offered(centre: Centre, hour: int) -> Case:
    centre.schedule(hours=(hour, hour + 1), per_hour=1)
    taken, wang = centre.case(), centre.case()
    taken.book("li", hour)
    wang.wait()
    taken.release("cancelled")
    centre.sweep()
    assert wang.place_in_line.state == "offered"
    return wang


def test_an_offer_taken_refused_and_lapsing_at_once_has_one_end(centre: Centre, clock):
    for hour in range(9, 13):
        wang = offered(centre, hour)
        clock.forward(minutes=16)
        mine = wang.waiting
        results = together(
            *[lambda wang=wang, mine=mine: wang.call("take_offer", waiting=mine)["outcome"]] * 8,
            *[lambda wang=wang, mine=mine: wang.call("refuse_offer", waiting=mine)] * 6,
            *[lambda: services.lapse(product_clock.now())] * 6,
        )
        errors = [one for one in results if isinstance(one, Exception)]
        assert not errors, errors
        took = Counter(results[:8])
        state = wang.place_in_line.state
        assert took["held"] <= 1 and (took["held"] == 1) == (state == "taken"), (took, state)
        slot = wang.place_in_line.offered_slot
        assert (slot.state == "held") == (state == "taken"), (slot.state, state)
        the_sums_agree()
        Waiting.objects.filter(state__in=Waiting.OPEN).update(state=Waiting.LEFT)


def test_twenty_workers_offer_a_free_place_to_one(centre: Centre):
    centre.schedule(hours=(9, 10), per_hour=1)
    taken = centre.case()
    taken.book("li", 9)
    cases = [centre.case() for _ in range(5)]
    for case in cases:
        case.wait()
    taken.release("cancelled")
    slot = Slot.objects.select_related("schedule").get()

    def offer() -> bool:
        return (
            services.offer(Slot.objects.select_related("schedule").get(pk=slot.pk), now=product_clock.now()) is not None
        )

    assert Counter(together(*[offer] * 20)) == {True: 1, False: 19}
    assert InboundMessage.objects.filter(name="slot.offered").count() == 1
    assert [case.place_in_line.state for case in cases] == ["offered", "waiting", "waiting", "waiting", "waiting"]
    the_sums_agree()


@pytest.mark.req("W-100")
def test_two_desks_put_one_doctor_into_the_same_hours_once(centre: Centre):
    def add(post) -> str:
        try:
            centre.schedule(post, hours=(9, 12))
        except BadInput as refused:
            return refused.facts["fields"]["start_hour"][0]["code"]
        return "added"

    results = together(*[lambda: add(centre.li_here), lambda: add(centre.li_there)] * 10)
    assert Counter(results) == {"added": 1, "overlaps": 19}
    assert Slot.objects.count() == 6


@pytest.mark.req("W-100")
def test_who_books_while_the_doctor_is_suspended_is_told_or_refused(centre: Centre):
    desk = centre.staff_of(centre.yuexiu, "1071")
    schedule = centre.schedule(hours=(9, 10), per_hour=20)
    cases = [centre.case() for _ in range(19)]

    def suspend() -> int:
        return services.suspend(schedule, reason="illness", acting_user=desk)

    results = together(*(lambda case=case: held(case, hour=9) for case in cases), suspend)
    assert set(results[:19]) <= {"held", "off", "full"}, results
    holders = {case.key for case, said in zip(cases, results, strict=False) if said == "held"}
    told = set(InboundMessage.objects.filter(name="appointment.suspended").values_list("business_key", flat=True))
    assert told == holders
    assert Slot.objects.filter(state=Slot.HELD).count() == len(holders)
    assert not Slot.objects.filter(state=Slot.FREE).exists()


def test_places_are_taken_away_or_booked_never_both(centre: Centre):
    desk = centre.staff_of(centre.yuexiu, "1071")
    for hour in range(9, 12):
        schedule = centre.schedule(hours=(hour, hour + 1), per_hour=8)
        cases = [centre.case() for _ in range(10)]

        def shrink(schedule=schedule) -> str:
            try:
                services.change(schedule, per_hour=1, acting_user=desk)
            except services.ScheduleTaken:
                return "taken"
            return "changed"

        results = together(*(lambda case=case, hour=hour: held(case, hour=hour) for case in cases), shrink)
        assert not [one for one in results if isinstance(one, Exception)], results
        kept = Counter(results[:10])["held"]
        assert Slot.objects.filter(hour=hour, state=Slot.HELD).count() == kept
        assert Slot.objects.filter(hour=hour).count() == (8 if results[10] == "taken" else 1)
    the_sums_agree()
