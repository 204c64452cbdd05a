"""Holding, booking and giving back a place (REQUIREMENTS 9.1 A2, A3, A9, A10, A12)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.exceptions import VerbFailed
from tests.appointments.cast import TUESDAY, Case, Centre, states, the_sums_agree
from web.appointments.models import Appointment, Slot
from web.common.audit import AuditRow
from web.jobs.models import Job
from web.routing import services as routing


@pytest.mark.req("W-65", "W-67", "W-68")
def test_a_place_is_held_then_booked_then_used(centre: Centre, clock):
    centre.schedule()
    wang = centre.case("王小明")
    held = wang.hold("li", 10)
    assert held["outcome"] == "held" and held["prepay"] and held["fee_fen"] == 30000
    assert held["visit_at"] == "2026-11-24T10:00:00+08:00" and held["visit_end"] == "2026-11-24T11:00:00+08:00"
    assert held["held_until"] == (clock.now() + timedelta(minutes=30)).isoformat()
    assert sorted(states()) == ["free", "held"] and wang.row.state == "held"
    assert wang.confirm(payment="P20261123-0001") == "booked"
    assert wang.row.state == "booked" and wang.row.payment == "P20261123-0001" and wang.the_slot.held_until is None
    clock.forward(days=1, hours=1)
    assert wang.call("check_in", slot=wang.slot, arrived=True) == {"visit_kind": "first"}
    assert wang.row.state == "checked_in" and wang.the_slot.state == "used"
    the_sums_agree()


@pytest.mark.req("W-100")
def test_who_does_not_come_is_a_no_show_and_the_first_word_stands(centre: Centre):
    centre.schedule()
    wang = centre.case()
    wang.book()
    wang.call("check_in", slot=wang.slot, arrived=False)
    wang.call("check_in", slot=wang.slot, arrived=True)
    assert wang.row.state == "no_show" and wang.the_slot.state == "used"


@pytest.mark.req("W-69")
def test_the_last_place_gone_is_full_and_nothing_is_half_done(centre: Centre):
    centre.schedule(per_hour=1)
    centre.case().book()
    late = centre.case()
    refused = late.hold()
    assert (refused["outcome"], refused["field"], refused["reason"], refused["slot"]) == ("full", "hour", "full", "")
    assert states() == ["booked"] and late.row.slot is None and late.row.state == "asked"


BAD = [
    ({"doctor": "nobody"}, "off", "doctor", "unknown"),
    ({"clinic": "nowhere"}, "off", "clinic", "unknown"),
    ({"department": "heart"}, "off", "department", "unknown"),
    ({"doctor": "sun"}, "off", "doctor", "not_here"),
    ({"doctor": "qian"}, "off", "date", "no_schedule"),
    ({"hour": 15}, "off", "date", "no_schedule"),
    ({"day": TUESDAY - timedelta(days=1), "hour": 8}, "past", "hour", "past"),
    ({"day": TUESDAY - timedelta(days=7)}, "past", "date", "past"),
]


@pytest.mark.req("W-65", "W-66", "W-67")
@pytest.mark.parametrize(("wish", "outcome", "field", "reason"), BAD)
def test_a_wish_that_cannot_be_is_refused_with_field_and_reason(centre: Centre, wish, outcome, field, reason):
    centre.schedule()
    case = centre.case()
    said = case.hold(**wish)
    assert (said["outcome"], said["field"], said["reason"]) == (outcome, field, reason)
    assert not Slot.objects.exclude(state=Slot.FREE).exists()
    assert not Job.objects.filter(topic="appointments.expire").exists()


def test_a_day_that_is_none_is_refused_not_crashed_on(centre: Centre):
    case = centre.case()
    params = {"clinic": "yuexiu", "department": "spleen", "doctor": "li", "hour": 10}
    said = case.call("hold", date="2026-02-30", **params)
    assert (said["outcome"], said["field"], said["reason"]) == ("off", "date", "bad_date")
    with pytest.raises(Exception, match="pattern"):
        case.call("hold", date="tomorrow", **params)


def test_a_doctor_who_moved_to_another_clinic_takes_nobody_here(centre: Centre):
    centre.schedule()
    centre.li_here.is_active = False
    centre.li_here.save()
    said = centre.case().hold()
    assert (said["outcome"], said["reason"]) == ("off", "not_here")


@pytest.mark.req("W-64")
def test_a_patient_is_in_one_place_at_a_time_but_his_family_may_come_too(centre: Centre):
    centre.schedule()
    centre.schedule(centre.zhao_here)
    wang = centre.customer("王小明")
    Case(wang, patient="王小明").book("li", 10)
    again = Case(wang, patient="王小明")
    assert again.hold("zhao", 10)["outcome"] == "double"
    assert states("zhao") == ["free", "free"]
    assert again.hold("zhao", 11)["outcome"] == "held"
    son = Case(wang, patient="王大宝")
    assert son.hold("zhao", 10)["outcome"] == "held"
    assert son.row.patient_masked == "王*" and son.row.patient_token != again.row.patient_token
    the_sums_agree()


def test_the_patients_name_stands_nowhere_in_the_clear(centre: Centre, django_db_blocker):
    from django.db import connection

    centre.schedule()
    wang = Case(centre.customer("王小明"), patient="欧阳若兰")
    wang.hold()
    assert wang.row.patient_name == "欧阳若兰"
    with connection.cursor() as cursor:
        for table in ("appointments_appointment", "appointments_slot", "common_audit", "jobs_job"):
            cursor.execute(f"SELECT * FROM {table}")
            assert "欧阳若兰" not in str(cursor.fetchall())


@pytest.mark.req("S-35")
def test_a_number_on_the_blacklist_gets_no_place(centre: Centre):
    centre.schedule()
    boss = centre.staff_of(centre.yuexiu, "1071", "supervisor")
    routing.block_number("+8619900009999", reason="harassment", acting_user=boss)
    said = centre.case(caller="+8619900009999").hold()
    assert (said["outcome"], said["reason"]) == ("blocked", "blocked")
    assert states() == ["free", "free"]


def test_the_same_wish_again_is_the_same_hold_with_the_same_deadline(centre: Centre, clock):
    centre.schedule()
    wang = centre.case()
    first = wang.hold()
    clock.forward(minutes=5)
    assert wang.hold() == first
    assert sorted(states()) == ["free", "held"]


def test_another_wish_gives_the_former_hold_back(centre: Centre):
    centre.schedule()
    wang = centre.case()
    wang.hold("li", 10)
    wang.hold("li", 11)
    assert states("li", 10) == ["free", "free"] and sorted(states("li", 11)) == ["free", "held"]
    the_sums_agree()


@pytest.mark.req("P-12")
def test_an_unpaid_hold_is_free_again_within_a_minute(centre: Centre, clock):
    centre.schedule(per_hour=1)
    wang = centre.case()
    wang.hold()
    clock.forward(minutes=30)
    centre.sweep()
    assert states() == ["held"]  # the flow asks the provider first
    clock.forward(seconds=50)
    centre.sweep()
    assert states() == ["free"] and wang.row.state == "cancelled" and wang.row.reason == "unpaid"
    assert centre.case().hold()["outcome"] == "held"


@pytest.mark.req("P-12")
def test_paid_at_29_59_counts(centre: Centre, clock):
    centre.schedule(per_hour=1)
    wang = centre.case()
    wang.hold()
    clock.forward(minutes=29, seconds=59)
    assert wang.confirm() == "booked"
    clock.forward(minutes=5)
    centre.sweep()
    assert states() == ["booked"]


@pytest.mark.req("P-12")
def test_a_late_payment_takes_the_place_again_while_it_is_free(centre: Centre, clock):
    centre.schedule(per_hour=1)
    wang = centre.case()
    wang.hold()
    clock.forward(minutes=31)
    centre.sweep()
    assert states() == ["free"]
    assert wang.confirm() == "booked" and wang.row.state == "booked" and wang.row.reason is None
    the_sums_agree()


@pytest.mark.req("P-12")
def test_a_late_payment_whose_place_is_gone_is_told_so(centre: Centre, clock):
    centre.schedule(per_hour=1)
    wang, lin = centre.case(), centre.case()
    wang.hold()
    clock.forward(minutes=31)
    centre.sweep()
    lin.book()
    assert wang.confirm() == "gone" and lin.the_slot.appointment == lin.row
    assert centre.case().call("hold", clinic="yuexiu", department="spleen", doctor="li", date=TUESDAY.isoformat(), hour=10)["outcome"] == "full"  # fmt: skip


def test_the_sweep_waits_for_no_single_job(centre: Centre, clock):
    """A hold whose own job was lost is found by the next look."""
    centre.schedule()
    wang, lin = centre.case(), centre.case()
    wang.hold("li", 10)
    Job.objects.filter(topic="appointments.expire").delete()
    lin.hold("li", 11)
    clock.forward(minutes=31)
    centre.sweep()
    assert states("li", 10) == ["free", "free"] == states("li", 11)


def test_a_place_given_back_is_free_at_once_whatever_the_reason(centre: Centre):
    centre.schedule(per_hour=1)
    for reason, state in (("unpaid", "cancelled"), ("cancelled", "cancelled"), ("failed", "failed")):
        case = centre.case()
        case.book()
        case.release(reason)
        case.release(reason)
        assert states() == ["free"] and case.row.state == state and case.row.slot is None


def test_nobody_gives_back_what_another_has(centre: Centre):
    centre.schedule(per_hour=1)
    wang, lin = centre.case(), centre.case()
    wang.book()
    lin.hold("li", 11)
    lin.release("cancelled", wang.slot)
    assert states() == ["booked"] and wang.row.state == "booked"
    assert lin.confirm(wang.slot) == "gone"


def test_a_move_keeps_the_old_place_until_the_new_one_is_booked(centre: Centre):
    centre.schedule()
    wang = centre.case()
    old = wang.book("li", 10)
    held = wang.move("li", 11)
    assert held["outcome"] == "held" and Slot.objects.get(pk=old.pk).state == "booked"
    assert wang.confirm() == "booked"
    wang.release("moved", str(old.pk))
    assert states("li", 10) == ["free", "free"] and sorted(states("li", 11)) == ["booked", "free"]
    assert wang.row.state == "booked" and wang.row.hour == 11
    the_sums_agree()


def test_a_move_that_is_not_paid_leaves_him_where_he_was(centre: Centre):
    centre.schedule()
    wang = centre.case()
    old = wang.book("li", 10)
    wang.move("li", 11)
    assert wang.row.hour == 11 and wang.row.state == "booked"
    wang.release("moved")
    assert wang.row.slot == old and wang.row.hour == 10 and wang.row.state == "booked"
    wang.move("li", 11)
    assert wang.confirm(str(old.pk)) == "booked" and wang.row.slot == old
    the_sums_agree()


def test_who_loses_his_place_with_the_doctors_day_asks_anew(centre: Centre, clock):
    centre.schedule()
    centre.schedule(centre.zhao_here)
    wang = centre.case()
    old = wang.book("li", 10)
    wang.release("moved", str(old.pk))
    assert wang.row.state == "asked" and wang.row.slot is None
    wang.hold("zhao", 10)
    assert wang.row.state == "held"
    clock.forward(minutes=31)
    centre.sweep()
    assert wang.row.state == "cancelled" and wang.row.reason == "unpaid"


def test_a_move_to_a_full_hour_leaves_everything_as_it_was(centre: Centre):
    centre.schedule(per_hour=1)
    wang = centre.case()
    old = wang.book("li", 10)
    centre.case().book("li", 11)
    assert wang.move("li", 11)["outcome"] == "full"
    assert wang.row.state == "booked" and wang.row.slot_id == old.pk and wang.row.hour == 10


def test_a_move_to_another_doctor_in_the_same_hour_is_no_double_booking(centre: Centre):
    centre.schedule()
    centre.schedule(centre.zhao_here)
    wang = Case(centre.customer(), patient="王小明")
    old = wang.book("li", 10)
    assert wang.move("zhao", 10)["outcome"] == "held"
    wang.release("unpaid")  # he does not want it after all
    assert Slot.objects.get(pk=old.pk).taken_key is not None
    assert Case(wang.ticket.customer, patient="王小明").hold("zhao", 10)["outcome"] == "double"


def test_a_full_day_in_the_move_of_one_who_never_had_a_place_is_a_plain_hold(centre: Centre):
    centre.schedule()
    wang = centre.case()
    assert wang.move("li", 11)["outcome"] == "held"


@pytest.mark.req("W-50")
def test_own_experts_are_free_for_members_with_that_benefit(centre: Centre):
    centre.schedule()
    held = Case(centre.member("free_expert")).hold("li", 10)
    assert not held["prepay"] and held["fee_fen"] == 0
    ordinary = Case(centre.member("queue_priority")).hold("li", 10)
    assert ordinary["prepay"] and ordinary["fee_fen"] == 30000


@pytest.mark.req("W-36")
def test_a_known_patient_with_another_doctor_is_a_return_of_its_own_kind(centre: Centre, clock):
    centre.schedule(hours=(9, 12))
    centre.schedule(centre.zhao_here, hours=(14, 17))
    wang = centre.customer("王小明")
    first = Case(wang, patient="王小明")
    first.book("li", 9)
    assert first.row.visit_kind == "first"
    first.call("check_in", slot=first.slot, arrived=True)
    same, other, child = Case(wang, patient="王小明"), Case(wang, patient="王小明"), Case(wang, patient="王大宝")
    same.hold("li", 11)
    other.hold("zhao", 14)
    child.hold("zhao", 15)
    assert (same.row.visit_kind, other.row.visit_kind, child.row.visit_kind) == ("return", "other_doctor", "first")


@pytest.mark.req("W-70", "W-71", "W-72")
def test_what_was_recommended_stays_on_record(centre: Centre):
    centre.schedule(per_hour=1)
    centre.schedule(centre.zhao_here)
    centre.case().book("li", 10)
    wang, lin = centre.case(), centre.case()
    assert wang.hold("li", 10)["outcome"] == "full"
    assert wang.hold("zhao", 11)["outcome"] == "held"
    row = wang.row
    assert row.wanted_doctor == centre.li and row.recommended_doctor == centre.zhao
    assert (row.recommended_date, row.recommended_hour, row.recommended_state) == (TUESDAY, 11, "success")
    lin.hold("li", 10)
    lin.call("fail", reason="refused")
    assert lin.row.state == "failed" and lin.row.reason == "refused" and lin.row.recommended_doctor is None


@pytest.mark.req("W-73")
def test_a_recommendation_nobody_wanted_names_doctor_clinic_and_hour(centre: Centre):
    from types import SimpleNamespace

    from web.appointments import services

    centre.schedule(per_hour=1)
    centre.case().book("li", 10)
    wang = centre.case()
    wang.hold("li", 10)
    said = SimpleNamespace(data={"doctor": "sun", "clinic": "haizhu", "date": TUESDAY.isoformat(), "hour": 9})
    services.fail(wang.row, reason="too_far", answers=said.data, now=wang.row.created_at)
    row = wang.row
    assert (row.recommended_doctor, row.recommended_clinic, row.recommended_hour) == (centre.sun, centre.haizhu, 9)
    assert row.recommended_state == "failed" and row.state == Appointment.FAILED


def test_a_flow_ended_by_hand_leaves_no_place_behind(centre: Centre):
    from web.config.wiring import ROUTES
    from web.tickets import services as tickets
    from web.tickets.events import TicketChanged

    centre.schedule(hours=(9, 11), per_hour=1)
    wang, lin = centre.case(), centre.case()
    wang.book("li", 9)
    lin.book("li", 10)
    tickets.close_ticket(wang.ticket, outcome="cancelled")
    tickets.close_ticket(lin.ticket, outcome="completed")
    for hearer in ROUTES[TicketChanged]:
        hearer(TicketChanged(wang.ticket.pk))
    centre.sweep()
    assert states("li", 9) == ["free"] and wang.row.state == "cancelled"
    assert states("li", 10) == ["booked"] and lin.row.state == "booked"
    the_sums_agree()


def test_every_act_is_audited(centre: Centre):
    centre.schedule()
    wang = centre.case()
    wang.book()
    wang.release("cancelled")
    acts = AuditRow.objects.filter(subject=f"appointment:{wang.row.pk}").order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["appointment.held", "appointment.booked", "appointment.cancelled"]


def test_a_verb_about_a_case_without_an_appointment_fails_loudly(centre: Centre):
    with pytest.raises(VerbFailed):
        centre.case().call("confirm", slot="1", payment="")
