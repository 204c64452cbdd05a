"""Schedules are kept by the clinic's own people (W-100); what is wrong is refused with field and reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.appointments.cast import TUESDAY, Centre, states, the_sums_agree
from web.appointments import services
from web.appointments.models import Schedule, Slot
from web.common.errors import BadInput, NotAllowed


@pytest.fixture
def desk(centre: Centre):
    """The front desk of yuexiu."""
    return centre.staff_of(centre.yuexiu, "1071")


def fields(refused) -> dict:
    return {name: found[0]["code"] for name, found in refused.value.facts["fields"].items()}


@pytest.mark.req("W-100")
def test_a_schedule_is_places_one_by_one(centre: Centre, desk):
    services.add(centre.zhao_here, day=TUESDAY, start_hour=9, end_hour=12, per_hour=4, acting_user=desk)
    assert Slot.objects.count() == 12 and states("zhao", 11) == ["free"] * 4


BAD = [
    ({"day": TUESDAY - timedelta(days=1), "start_hour": 8}, {"date": "past"}),
    ({"day": TUESDAY - timedelta(days=30)}, {"date": "past"}),
    ({"day": TUESDAY + timedelta(days=400)}, {"date": "too_far"}),
    ({"start_hour": 12, "end_hour": 12}, {"end_hour": "bad_hours"}),
    ({"start_hour": 14, "end_hour": 9}, {"end_hour": "bad_hours"}),
    ({"end_hour": 25}, {"end_hour": "bad_hours"}),
    ({"start_hour": -1}, {"end_hour": "bad_hours"}),
    ({"per_hour": 0}, {"per_hour": "capacity"}),
    ({"per_hour": -3}, {"per_hour": "capacity"}),
    ({"per_hour": 1000}, {"per_hour": "capacity"}),
]


@pytest.mark.parametrize(("given", "wrong"), BAD)
def test_what_cannot_be_is_refused_with_field_and_reason(centre: Centre, desk, given, wrong):
    asked = {"day": TUESDAY, "start_hour": 9, "end_hour": 12, "per_hour": 2, **given}
    with pytest.raises(BadInput) as refused:
        services.add(centre.zhao_here, acting_user=desk, **asked)
    assert fields(refused) == wrong
    assert not Schedule.objects.exists() and not Slot.objects.exists()


@pytest.mark.parametrize("hours", [(9, 12), (8, 10), (11, 14), (10, 11), (8, 14)])
def test_a_doctor_is_not_in_two_clinics_at_once(centre: Centre, hours):
    centre.schedule(centre.li_here, hours=(9, 12))
    with pytest.raises(BadInput) as refused:
        centre.schedule(centre.li_there, hours=hours)
    found = refused.value.facts["fields"]["start_hour"][0]
    assert found["code"] == "overlaps" and (found["clinic"], found["start_hour"], found["end_hour"]) == (
        "yuexiu",
        9,
        12,
    )
    assert Schedule.objects.count() == 1 and not Slot.objects.filter(clinic=centre.haizhu).exists()
    centre.schedule(centre.li_there, hours=(12, 14))
    centre.schedule(centre.zhao_here, hours=(9, 12))


def test_a_doctor_who_is_off_gets_no_schedule(centre: Centre, desk):
    centre.zhao.is_active = False
    centre.zhao.save()
    centre.zhao_here.refresh_from_db()
    with pytest.raises(BadInput) as refused:
        centre.schedule(centre.zhao_here)
    assert fields(refused) == {"post": "off"}


@pytest.mark.req("W-100")
def test_only_the_clinics_own_people_keep_its_schedules(centre: Centre, desk):
    other = centre.staff_of(centre.haizhu, "1072")
    agent = centre.staff_of(centre.yuexiu, "1023", "agent")
    plan = {"day": TUESDAY, "start_hour": 9, "end_hour": 12, "per_hour": 2}
    for stranger, needs in ((other, "clinic_staff"), (agent, "appointments.schedule")):
        with pytest.raises(NotAllowed) as refused:
            services.add(centre.li_here, **plan, acting_user=stranger)
        assert refused.value.facts["needs"] == needs
    schedule = services.add(centre.li_here, **plan, acting_user=desk)
    for act in (
        lambda who: services.suspend(schedule, reason="illness", acting_user=who),
        lambda who: services.reopen(schedule, acting_user=who),
        lambda who: services.change(schedule, per_hour=3, acting_user=who),
    ):
        with pytest.raises(NotAllowed):
            act(other)
    assert states() == ["free", "free"]


def test_more_places_and_other_hours(centre: Centre, desk):
    schedule = centre.schedule(hours=(9, 11), per_hour=1)
    services.change(schedule, per_hour=3, end_hour=12, acting_user=desk)
    assert [states("li", hour) for hour in (9, 10, 11)] == [["free"] * 3] * 3
    services.change(schedule, start_hour=10, per_hour=2, acting_user=desk)
    assert [len(states("li", hour)) for hour in (9, 10, 11)] == [0, 2, 2]


def test_places_that_patients_have_are_not_taken_away(centre: Centre, desk):
    schedule = centre.schedule(hours=(9, 12), per_hour=2)
    wang = centre.case()
    wang.book("li", 11)
    with pytest.raises(services.ScheduleTaken) as refused:
        services.change(schedule, end_hour=11, per_hour=1, acting_user=desk)
    assert refused.value.facts == {"taken": 1}
    schedule.refresh_from_db()
    assert schedule.end_hour == 12 and Slot.objects.count() == 6 and wang.row.state == "booked"


def test_hours_do_not_grow_into_the_doctors_other_clinic(centre: Centre, desk):
    schedule = centre.schedule(centre.li_here, hours=(9, 11))
    centre.schedule(centre.li_there, hours=(11, 13))
    with pytest.raises(BadInput) as refused:
        services.change(schedule, end_hour=12, acting_user=desk)
    assert fields(refused) == {"start_hour": "overlaps"}
    for given, wrong in (({"per_hour": 0}, {"per_hour": "capacity"}), ({"end_hour": 9}, {"end_hour": "bad_hours"})):
        with pytest.raises(BadInput) as refused:
            services.change(schedule, **given, acting_user=desk)
        assert fields(refused) == wrong


@pytest.mark.req("W-100")
def test_when_the_doctor_does_not_come_every_patient_is_told_once(centre: Centre, desk):
    schedule = centre.schedule(hours=(9, 11), per_hour=2)
    other_day = centre.schedule(day=TUESDAY + timedelta(days=1))
    wang, lin, zhou = centre.case(), centre.case(), centre.case()
    wang.book("li", 9)
    lin.hold("li", 10)
    zhou.book("li", 9, TUESDAY + timedelta(days=1))
    assert services.suspend(schedule, reason="illness", acting_user=desk) == 2
    assert services.suspend(schedule, reason="illness", acting_user=desk) == 0
    for case in (wang, lin):
        assert case.told("appointment.suspended") == [{"by": "1071", "reason": "illness", "slot": case.slot}]
    assert not zhou.told("appointment.suspended") and other_day.state == "open"
    assert sorted(states("li", 9)) == ["booked", "off"] and sorted(states("li", 10)) == ["held", "off"]
    refused = centre.case().hold("li", 10)
    assert (refused["outcome"], refused["reason"]) == ("off", "suspended")
    assert lin.confirm() == "gone"
    wang.release("suspended")
    lin.release("suspended")
    assert states("li", 9) == ["off", "off"] == states("li", 10)
    assert wang.row.state == "cancelled" and wang.row.reason == "suspended"
    the_sums_agree()


def test_the_doctor_comes_after_all(centre: Centre, desk):
    schedule = centre.schedule(hours=(9, 10), per_hour=2)
    wang = centre.case()
    wang.book("li", 9)
    services.suspend(schedule, reason="illness", acting_user=desk)
    with pytest.raises(BadInput) as refused:  # the suspended hours are still his
        centre.schedule(hours=(9, 10))
    assert refused.value.facts["fields"]["start_hour"][0]["state"] == "suspended"
    schedule.refresh_from_db()
    services.reopen(schedule, acting_user=desk)
    assert sorted(states("li", 9)) == ["booked", "free"]
    assert centre.case().hold("li", 9)["outcome"] == "held"
