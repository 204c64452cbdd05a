"""The waiting list: who is next, what he is offered, and what becomes of an offer (REQUIREMENTS 9.1 A7, A8)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.verbs import VerbRefused
from tests.appointments.cast import Case, Centre, states, the_sums_agree
from web.appointments import services
from web.appointments.models import Slot
from web.jobs.models import InboundMessage


@pytest.fixture
def full(centre: Centre) -> Centre:
    """Li takes one patient an hour on Tuesday from 9 to 11, and both hours are taken."""
    centre.schedule(hours=(9, 11), per_hour=1)
    centre.taken = [*centre.fill("li", 9), *centre.fill("li", 10)]
    return centre


def test_one_waits_until_two_hours_before_the_day_begins_there(full: Centre):
    wang, lin = full.case(), full.case()
    said = wang.wait()
    assert (said["position"] == 1 and said["expires_at"] == "2026-11-24T07:00:00+08:00") or said["expires_at"].endswith(
        "Z"
    )
    assert wang.row.state == "waiting" and lin.wait()["position"] == 2


def test_asking_twice_is_one_place_in_line_and_another_wish_another(full: Centre):
    wang = full.case()
    first = wang.wait()["waiting"]
    assert wang.wait()["waiting"] == first
    assert wang.wait("")["waiting"] != first
    assert wang.row.waitings.filter(state="waiting").count() == 1


@pytest.mark.parametrize("wish", [{"doctor": "nobody"}, {"clinic": "nowhere"}, {"department": "heart"}])
def test_nobody_waits_for_what_is_not_there(full: Centre, wish):
    case = full.case()
    with pytest.raises(VerbRefused, match="wish_unknown"):
        case.wait(**wish)
    assert case.row.waitings.count() == 0


def test_a_place_that_comes_free_is_offered_to_the_first_in_line(full: Centre, clock):
    wang, lin = full.case(), full.case()
    wang.wait()
    clock.forward(minutes=1)
    lin.wait()
    full.sweep()
    full.taken[1].release("cancelled")
    assert states("li", 10) == ["free"]
    full.sweep()
    place = wang.place_in_line
    assert place.state == "offered" and place.offered_slot.state == "held" and lin.place_in_line.state == "waiting"
    message = InboundMessage.objects.get(name="slot.offered")
    assert message.business_key == wang.key and message.keys == {"waiting": wang.waiting}
    assert message.payload == {
        "slot": str(place.offered_slot_id),
        "until": (clock.now() + timedelta(minutes=15)).isoformat(),
    }
    assert lin.hold("li", 10)["outcome"] == "full"
    the_sums_agree()


def test_an_accepted_offer_is_a_hold_of_thirty_minutes(full: Centre, clock):
    wang = full.case()
    wang.wait()
    full.taken[0].release("cancelled")
    full.sweep()
    clock.forward(minutes=10)
    held = wang.call("take_offer", waiting=wang.waiting)
    assert held["outcome"] == "held" and held["prepay"] and held["fee_fen"] == 30000
    assert held["held_until"] == (clock.now() + timedelta(minutes=30)).isoformat()
    assert wang.call("take_offer", waiting=wang.waiting)["outcome"] == "gone"
    clock.forward(minutes=20)
    full.sweep()
    assert wang.confirm() == "booked" and wang.place_in_line.state == "taken"
    the_sums_agree()


def test_an_offer_nobody_answers_goes_to_the_next_and_he_waits_on(full: Centre, clock):
    wang, lin = full.case(), full.case()
    wang.wait()
    clock.forward(seconds=1)
    lin.wait()
    full.taken[0].release("cancelled")
    full.sweep()
    clock.forward(minutes=16)
    full.sweep()
    full.sweep()
    assert wang.place_in_line.state == "waiting" and wang.place_in_line.passed == 1
    assert lin.place_in_line.state == "offered"
    assert wang.call("take_offer", waiting=wang.waiting)["outcome"] == "gone"
    clock.forward(minutes=16)
    full.sweep()
    full.sweep()
    assert states("li", 9) == ["free"]  # both were asked; anybody may have it now
    assert wang.place_in_line.state == lin.place_in_line.state == "waiting"
    the_sums_agree()


def test_a_refused_offer_goes_to_the_next_at_once(full: Centre, clock):
    wang, lin, zhou = full.case(), full.case(), full.case()
    for case in (wang, lin, zhou):
        case.wait()
        clock.forward(seconds=1)
    full.taken[0].release("cancelled")
    full.sweep()
    wang.call("refuse_offer", waiting=wang.waiting, stay=True)
    full.sweep()
    assert wang.place_in_line.state == "waiting" and lin.place_in_line.state == "offered"
    lin.call("refuse_offer", waiting=lin.waiting)
    full.sweep()
    assert lin.place_in_line.state == "refused" and lin.row.state == "failed" and lin.row.reason == "refused"
    assert zhou.place_in_line.state == "offered"
    full.taken[1].release("cancelled")
    full.sweep()
    assert wang.place_in_line.state == "offered"  # for another hour he is asked again


@pytest.mark.req("W-49")
def test_members_with_priority_are_served_before_those_who_came_earlier(full: Centre, clock):
    early, member = full.case(), Case(full.member("queue_priority"))
    early.wait()
    clock.forward(hours=1)
    assert member.wait()["position"] == 1
    full.taken[0].release("unpaid")
    full.sweep()
    assert member.place_in_line.state == "offered" and early.place_in_line.state == "waiting"


@pytest.mark.req("W-48")
def test_a_returned_place_goes_to_members_with_that_benefit_first(full: Centre, clock):
    ranked, refund = Case(full.member("queue_priority")), Case(full.member("refund_priority", name="林一"))
    ranked.wait()
    refund.wait()
    full.taken[0].release("cancelled")  # booked, then returned
    full.sweep()
    assert refund.place_in_line.state == "offered" and ranked.place_in_line.state == "waiting"


@pytest.mark.req("W-48")
def test_a_hold_that_ran_out_is_no_returned_place(centre: Centre, clock):
    centre.schedule(hours=(9, 10), per_hour=1)
    holder = centre.case()
    holder.hold("li", 9)
    ranked, refund = Case(centre.member("queue_priority")), Case(centre.member("refund_priority", name="林一"))
    ranked.wait()
    refund.wait()
    clock.forward(minutes=31)
    centre.sweep()
    centre.sweep()
    assert ranked.place_in_line.state == "offered" and refund.place_in_line.state == "waiting"


@pytest.mark.req("W-74")
def test_one_may_wait_for_any_expert_of_the_department_in_the_clinic(full: Centre):
    full.schedule(full.zhao_here, hours=(9, 10), per_hour=1)
    full.schedule(full.qian_here, hours=(9, 10), per_hour=1)
    full.schedule(full.sun_there, hours=(9, 10), per_hour=1)
    taken = full.case()
    taken.book("zhao", 9)
    wang = full.case()
    wang.wait("")
    full.sweep()
    assert wang.place_in_line.state == "waiting"  # bones and the other clinic are not what he waits for
    taken.release("cancelled")
    full.sweep()
    assert wang.place_in_line.offered_slot.doctor == full.zhao


def test_who_comes_to_wait_while_a_place_is_free_is_offered_it_at_once(centre: Centre):
    centre.schedule(hours=(9, 10), per_hour=1)
    wang = centre.case()
    wang.wait()
    centre.sweep()
    assert wang.place_in_line.state == "offered"


def test_new_places_are_offered_too(full: Centre):
    wang = full.case()
    wang.wait()
    full.sweep()
    full.schedule(hours=(14, 15), per_hour=1)
    full.sweep()
    assert wang.place_in_line.offered_slot.hour == 14


def test_who_sits_elsewhere_at_that_hour_is_passed_over(full: Centre, clock):
    full.schedule(full.zhao_here)
    wang, lin = full.customer("王小明"), full.case()
    Case(wang, patient="王小明").book("zhao", 9)
    waiting = Case(wang, patient="王小明")
    waiting.wait()
    clock.forward(seconds=1)
    lin.wait()
    full.taken[0].release("cancelled")
    full.sweep()
    assert waiting.place_in_line.state == "waiting" and lin.place_in_line.state == "offered"


@pytest.mark.parametrize(("reason", "place", "state"), [
    ("expired", "expired", "failed"), ("cancelled", "left", "cancelled"), ("refused", "left", "failed"),
])  # fmt: skip
def test_who_leaves_the_line_gives_back_what_he_was_offered(full: Centre, reason, place, state):
    wang, lin = full.case(), full.case()
    wang.wait()
    full.taken[0].release("cancelled")
    full.sweep()
    lin.wait()
    wang.call("leave_waiting", waiting=wang.waiting, reason=reason)
    assert wang.place_in_line.state == place and wang.row.state == state and wang.row.reason == reason
    full.sweep()
    assert lin.place_in_line.state == "offered"
    the_sums_agree()


def test_who_was_never_offered_anything_stops_waiting_when_the_day_begins(full: Centre, clock):
    wang = full.case()
    wang.wait()
    clock.set(wang.place_in_line.expires_at + timedelta(minutes=1))
    full.sweep()
    assert wang.place_in_line.state == "expired" and wang.row.state == "failed" and wang.row.reason == "expired"


def test_nobody_answers_for_another_case(full: Centre):
    wang, lin = full.case(), full.case()
    wang.wait()
    full.taken[0].release("cancelled")
    full.sweep()
    for act in ("take_offer", "refuse_offer"):
        with pytest.raises(VerbRefused, match="waiting_unknown"):
            lin.call(act, waiting=wang.waiting)
    assert wang.place_in_line.state == "offered"


def test_an_offer_dies_with_the_doctors_day(full: Centre):
    wang = full.case()
    wang.wait()
    full.taken[0].release("cancelled")
    full.sweep()
    schedule = wang.place_in_line.offered_slot.schedule
    services.suspend(schedule, reason="illness", acting_user=full.staff_of(full.yuexiu, "1071"))
    assert wang.call("take_offer", waiting=wang.waiting)["outcome"] == "gone"
    assert wang.place_in_line.state == "waiting"
    assert not Slot.objects.filter(state="free").exists()
    the_sums_agree()
