"""Any order of acts: each place is in one state, nobody sits in two, and the sums agree (Hypothesis state machine)."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from engine.verbs import VerbRefused
from tests.appointments.cast import TUESDAY, Case, Centre, the_sums_agree
from tests.support.clock import HandClock
from web.appointments import services
from web.appointments.models import Appointment, Schedule, Slot, Waiting
from web.common import clock as product_clock

HOURS = st.sampled_from([9, 10])
DOCTORS = st.sampled_from(["li", "zhao"])
WHO = st.integers(min_value=0, max_value=5)
PEOPLE = ("王一", "王一", "林二", "林三", "周四", "周五")  # the first two are one patient


class Booking(RuleBasedStateMachine):
    """Six cases of five patients, two doctors with three places in all."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.clock = HandClock()
        product_clock.use(self.clock)
        self.centre = Centre()
        self.desk = self.centre.staff_of(self.centre.yuexiu, "1071")
        self.li = self.centre.schedule(self.centre.li_here, hours=(9, 11), per_hour=1)
        self.zhao = self.centre.schedule(self.centre.zhao_here, hours=(9, 10), per_hour=1)
        family = self.centre.customer("王一")
        self.cases = [Case(family if name == "王一" else self.centre.customer(name), patient=name) for name in PEOPLE]
        self.places = Slot.objects.count()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)
        product_clock.use(product_clock.system_now)

    @rule(who=WHO, doctor=DOCTORS, hour=HOURS)
    def holds(self, who, doctor, hour):
        case = self.cases[who]
        free = Slot.objects.filter(doctor__key=doctor, hour=hour, state=Slot.FREE).count()
        outcome = case.hold(doctor, hour)["outcome"]
        assert outcome in ("held", "full", "off", "double")
        if outcome == "full":
            assert not free

    @rule(who=WHO)
    def pays(self, who):
        case = self.cases[who]
        if case.slot:
            outcome = case.confirm()
            assert (outcome == "booked") == (
                case.the_slot.state == Slot.BOOKED and case.the_slot.appointment == case.row
            )

    @rule(who=WHO, reason=st.sampled_from(["unpaid", "cancelled", "suspended", "failed"]))
    def gives_back(self, who, reason):
        if self.cases[who].slot:
            self.cases[who].release(reason)
            assert not Slot.objects.filter(
                pk=self.cases[who].slot, appointment__business_key=self.cases[who].key
            ).exclude(state=Slot.USED)

    @rule(who=WHO, doctor=DOCTORS, hour=HOURS)
    def moves(self, who, doctor, hour):
        case = self.cases[who]
        row = Appointment.objects.filter(business_key=case.key, state=Appointment.BOOKED).first()
        if row is None:
            return
        old = str(Slot.objects.get(appointment=row, state=Slot.BOOKED).pk)
        case.slot = old
        if case.move(doctor, hour)["outcome"] == "held" and case.slot != old:
            if case.confirm() == "booked":
                case.release("moved", old)
            else:
                case.release("unpaid")
                case.slot = old

    @rule(who=WHO, doctor=st.sampled_from(["li", "zhao", ""]))
    def waits(self, who, doctor):
        row = Appointment.objects.filter(business_key=self.cases[who].key).first()
        if row is None or row.state in (Appointment.ASKED, Appointment.CANCELLED, Appointment.FAILED):
            self.cases[who].wait(doctor)

    @rule(who=WHO, answer=st.sampled_from(["take_offer", "refuse_offer", "stay", "leave"]))
    def answers(self, who, answer):
        case = self.cases[who]
        if not case.waiting:
            return
        before = case.place_in_line.state
        if answer == "take_offer":
            assert (case.call("take_offer", waiting=case.waiting)["outcome"] == "held") == (before == Waiting.OFFERED)
        elif answer == "leave":
            case.call("leave_waiting", waiting=case.waiting, reason="cancelled")
        else:
            case.call("refuse_offer", waiting=case.waiting, stay=answer == "stay")

    @rule(who=WHO)
    def comes(self, who):
        case = self.cases[who]
        row = Appointment.objects.filter(business_key=case.key, state=Appointment.BOOKED).first()
        if row is not None:
            case.call("check_in", slot=str(row.slot_id), arrived=True)

    @rule()
    @precondition(lambda self: Schedule.objects.filter(pk=self.li.pk, state=Schedule.OPEN).exists())
    def the_doctor_is_ill(self):
        services.suspend(self.li, reason="illness", acting_user=self.desk)

    @rule()
    def the_doctor_is_well(self):
        services.reopen(self.li, acting_user=self.desk)

    @rule(minutes=st.sampled_from([1, 16, 31]))
    def time_goes_by(self, minutes):
        if self.clock.now() < product_clock.system_now().replace(year=2026, month=11, day=23, hour=20):
            self.clock.forward(minutes=minutes)
        self.works()

    @rule()
    def works(self):
        services.lapse(product_clock.now())
        services.expire_overdue(product_clock.now())
        for slot in Slot.objects.filter(state=Slot.FREE).select_related("schedule"):
            services.offer(slot, now=product_clock.now())

    @rule()
    def a_stranger_answers(self):
        waiting = Waiting.objects.filter(state=Waiting.OFFERED).select_related("appointment").first()
        if waiting is not None:
            stranger = next(case for case in self.cases if case.key != waiting.appointment.business_key)
            with pytest.raises(VerbRefused):
                stranger.call("take_offer", waiting=str(waiting.pk))

    @invariant()
    def the_sums(self):
        the_sums_agree()
        assert Slot.objects.count() == self.places
        assert not Slot.objects.filter(date=TUESDAY, state=Slot.FREE, schedule__state=Schedule.SUSPENDED).exists()


@pytest.mark.req("W-69", "W-74")
def test_places_holds_and_the_waiting_list_agree_in_any_order(db):
    run_state_machine_as_test(
        Booking,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
