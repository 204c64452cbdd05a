"""What a trial shows: two weeks of schedules, and one doctor without a place left tomorrow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.appointments.cast import TUESDAY, Case, Centre, the_sums_agree
from web.appointments import services
from web.appointments.models import Schedule, Slot
from web.clinics.models import Department, Doctor, Post
from web.common import clock as product_clock
from web.config.demo import load


@pytest.fixture
def trial(centre: Centre) -> Centre:
    """The doctor everybody wants is here too, and a dozen customers know him."""
    wanted = Doctor.objects.create(key=load.WANTED, name="谢仲安", is_own_expert=True)
    department = Department.objects.get(key="spleen")
    Post.objects.create(doctor=wanted, clinic=centre.yuexiu, department=department, prepay=True, fee_fen=30000)
    for number in range(12):
        centre.customer(f"客人{number}")
    return centre


@pytest.mark.req("W-70", "W-75")
def test_everybody_wants_one_doctor_and_the_others_have_room(trial: Centre):
    load.doctors_at_work()
    load.full_tomorrow()
    rows = services.search(doctor=load.WANTED, since=TUESDAY, days=1, now=product_clock.now())
    assert rows and all(row["free"] == 0 for row in rows)
    late = trial.case()
    assert late.hold(load.WANTED, 10)["outcome"] == "full"
    kinds = {row["kind"] for row in services.suggestions(late.row, product_clock.now())}
    assert {"same_doctor_later", "same_department_here", "same_department_elsewhere"} <= kinds
    the_sums_agree()


def test_the_next_day_goes_on_where_the_first_stopped(trial: Centre, clock):
    load.doctors_at_work()
    load.full_tomorrow()
    before = Schedule.objects.count(), Slot.objects.count()
    load.doctors_at_work()
    load.full_tomorrow()
    assert (Schedule.objects.count(), Slot.objects.count()) == before
    clock.forward(days=1)
    load.doctors_at_work()
    load.full_tomorrow()
    last = Schedule.objects.order_by("-date").first().date
    assert last == TUESDAY + timedelta(days=14)
    for day in (TUESDAY, TUESDAY + timedelta(days=1)):
        assert not Slot.objects.filter(doctor__key=load.WANTED, date=day, state=Slot.FREE).exists()


def test_a_plan_leaves_out_what_overlaps(centre: Centre):
    centre.schedule(centre.li_here, hours=(9, 12))
    plans = [
        services.Plan(centre.li_there, TUESDAY, 11, 14, 2),
        services.Plan(centre.zhao_here, TUESDAY, 9, 12, 2),
        services.Plan(centre.zhao_here, TUESDAY, 10, 11, 2),
        services.Plan(centre.li_there, TUESDAY, 14, 16, 1),
    ]
    assert services.lay_out(plans, by="his") == 2 and services.lay_out(plans) == 0 and services.lay_out([]) == 0
    assert (
        Slot.objects.filter(doctor=centre.zhao).count() == 6 and Slot.objects.filter(clinic=centre.haizhu).count() == 2
    )
    assert Case(centre.customer()).hold("li", 14, clinic="haizhu")["outcome"] == "held"
