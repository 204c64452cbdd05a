"""The drawn appointment with the real verbs, a real clock turned by hand and a provider whose ledger tells what happened to the money
(REQUIREMENTS 9.1)."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings as django_settings
from django.db import connections

from engine.definitions import read_folder
from integrations.fakes.payment_provider import Ledger
from tests.appointments.cast import TUESDAY, Centre, states, the_sums_agree
from tests.payments.cast import FEE, SECRET, Gateway, event, post, refund_tickets
from tests.support.cast import a_customer, a_group, a_user, the_role
from tests.support.http import as_user
from web.accounts.models import Notification
from web.appointments.models import Appointment, Waiting
from web.common import clock as product_clock
from web.common.errors import NotAllowed
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.membership import services as membership
from web.messaging.models import OutboundMessage, Template
from web.payments.models import PaymentRequest, Refund
from web.routing import services as routing
from web.tickets import services as tickets
from web.tickets.models import Ticket
from web.workflow import services as workflow
from web.workflow.models import UserTask
from web.workflow.services.errors import TaskTaken
from web.workflow.services.publishing import deploy

pytestmark = pytest.mark.django_db

WANG = "+8619900000812"
NAME = "欧阳若兰"
THURSDAY = TUESDAY + timedelta(days=2)
PLACE = {"clinic": "yuexiu", "department": "spleen", "doctor": "li", "date": TUESDAY.isoformat(), "hour": 10}
WISH = {"patient_name": "王小明", "relation": "self", **PLACE}
ZHAO = {**PLACE, "doctor": "zhao", "hour": 11}
SMS = (
    "appointment_booked", "appointment_moved", "appointment_cancelled", "appointment_reminder", "payment_received",
    "pay_link", "pay_reminder", "refund_done", "waiting_offered", "waiting_expired",
)  # fmt: skip


def the_cast(centre: Centre, clock, settings, monkeypatch) -> SimpleNamespace:
    settings.PAYMENT_URL, settings.PAYMENT_SECRET = "https://pay.example", SECRET
    settings.SMS_URL = "http://127.0.0.1:9/never"
    ledger = Ledger(now=product_clock.now)
    gateway = Gateway(ledger)
    monkeypatch.setattr("web.payments.services.sending.open_port", lambda *_, **__: gateway)
    for group, parent in (("booking", "centre"), ("finance", "centre")):
        a_group(group, parent)
    for key in SMS:
        Template.objects.get_or_create(key=key, defaults={"body": f"{key} {{{{ ticket }}}} {{{{ visit_time }}}}"})
    for flow in ("appointment", "refund"):
        deploy(read_folder(Path(django_settings.FLOWS_DIR), flow))
    return SimpleNamespace(
        centre=centre,
        clock=clock,
        ledger=ledger,
        anna=a_user("1023", "agent", "booking"),
        ben=a_user("1024", "agent", "booking"),
        sue=a_user("1011", "supervisor", "centre", leads=True),
        fay=a_user("1061", "finance", "finance"),
        fred=a_user("1062", "finance", "finance"),
        desk=centre.staff_of(centre.yuexiu, "1071"),
        there=centre.staff_of(centre.haizhu, "1081"),
    )


@pytest.fixture
def cast(centre: Centre, clock, settings, monkeypatch) -> SimpleNamespace:
    return the_cast(centre, clock, settings, monkeypatch)


def want(cast, customer=None, **more) -> Ticket:
    given = {"acting_user": cast.anna, "kind": "appointment", "number": WANG, **more}
    return tickets.open_ticket(customer=customer or a_customer(f"+86199{Ticket.objects.count():08d}"), **given)


def opened(ticket: Ticket, element: str = "") -> list[UserTask]:
    rows = UserTask.objects.filter(instance__ticket=ticket, state=UserTask.OPEN).order_by("pk")
    return list(rows.filter(element=element) if element else rows)


def elements(ticket: Ticket) -> list[str]:
    return sorted(task.element for task in opened(ticket))


def do(ticket: Ticket, element: str, user, **data) -> None:
    [task] = opened(ticket, element)
    if task.assignee_id is None:
        task = workflow.claim(task, user)
    workflow.complete(task, user, data, wait=False)
    sweep()


def sweep(times: int = 8) -> None:
    for _ in range(times):
        if not jobs.sweep():
            return


def fresh(ticket: Ticket) -> Ticket:
    return Ticket.objects.select_related("instance").get(pk=ticket.pk)


def row(ticket: Ticket) -> Appointment:
    return Appointment.objects.get(ticket=ticket)


def request_of(ticket: Ticket) -> PaymentRequest:
    return PaymentRequest.objects.filter(business_key=ticket.key).latest("pk")


def sent(ticket: Ticket) -> list[str]:
    return list(
        OutboundMessage.objects.filter(business_key=ticket.key).order_by("pk").values_list("template", flat=True)
    )


def reached(ticket: Ticket) -> None:
    """Every message of this case came to the patient's phone."""
    for message in OutboundMessage.objects.filter(business_key=ticket.key):
        key = f"receipt:{message.pk}"
        if not InboundMessage.objects.filter(message_id=key).exists():
            found = {"keys": {"message": message.key}, "payload": {"status": "delivered"}}
            jobs.receive("message.receipt", message_id=key, business_key=ticket.key, **found)
    sweep()


def pays(cast, client, ticket: Ticket, **given) -> None:
    charge = cast.ledger.pay(request_of(ticket).key, **given)
    assert post(client, cast.ledger.paid_event(charge)).json() == {"verdict": "taken"}
    sweep()


def booked(cast, client, **more) -> Ticket:
    """Anna books Li at ten for a customer, who pays."""
    ticket = want(cast, **more)
    do(ticket, "A1_form", cast.anna, **WISH)
    pays(cast, client, ticket)
    assert row(ticket).state == "booked"
    return ticket


def queued(cast, customer=None) -> Ticket:
    """Li is full at ten, nothing else suits: the patient waits for Li."""
    ticket = want(cast, customer)
    do(ticket, "A1_form", cast.anna, **{**WISH, "patient_name": f"客人{ticket.pk}"})
    do(ticket, "A6_recommend", cast.anna, doctor="zhao", recommend_status="failed", queue="yes", queue_for="doctor")
    assert row(ticket).state == "waiting"
    return ticket


def says(cast, ticket: Ticket, act: str, user=None, **data) -> int:
    made = as_user(user or cast.anna).post(f"/api/appointments/{ticket.number}/{act}", data, format="json")
    sweep()
    return made.status_code


class TestFromTheCallToTheVisit:
    @pytest.mark.req("W-63", "M-05", "M-06")
    def test_booked_paid_at_the_last_second_told_once_reminded_and_seen(self, cast, client):
        cast.centre.schedule(day=THURSDAY)
        ticket = want(cast)
        [first] = opened(ticket)
        assert (first.element, first.assignee) == ("A1_form", cast.anna)
        do(ticket, "A1_form", cast.anna, **{**WISH, "date": THURSDAY.isoformat()})
        assert sorted(states(day=THURSDAY)) == ["free", "held"]
        assert sent(ticket) == ["pay_link"]
        reached(ticket)
        cast.clock.forward(minutes=29, seconds=59)
        sweep()
        pays(cast, client, ticket)
        reached(ticket)
        assert row(ticket).state == "booked"
        assert sent(ticket) == ["pay_link", "pay_reminder", "payment_received", "appointment_booked"]
        cast.clock.set(row(ticket).slot.starts_at - timedelta(days=1, seconds=1))
        sweep()
        assert "appointment_reminder" not in sent(ticket)
        cast.clock.forward(seconds=1)
        sweep()
        assert sent(ticket)[-1] == "appointment_reminder"
        assert says(cast, ticket, "check-in", cast.desk, arrived=True) == 202
        assert (fresh(ticket).outcome, fresh(ticket).instance.ends[-1]) == ("visited", "E_visited")
        assert row(ticket).state == "checked_in" and "used" in states(day=THURSDAY)

    @pytest.mark.req("W-65", "W-66", "W-67")
    def test_the_form_needs_patient_clinic_department_doctor_day_and_hour(self, cast):
        ticket = want(cast)
        [task] = opened(ticket)
        for field in WISH:
            if field == "relation":
                continue
            with pytest.raises(Exception) as refused:
                workflow.complete(task, cast.anna, {k: v for k, v in WISH.items() if k != field}, wait=False)
            assert list(refused.value.facts["fields"]) == [field]
        assert elements(ticket) == ["A1_form"] and not Appointment.objects.exists()

    @pytest.mark.req("W-64", "W-68")
    def test_for_somebody_else_his_name_is_kept_sealed_and_never_in_the_process_data(self, cast):
        cast.centre.schedule()
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **{**WISH, "patient_name": NAME, "relation": "family"})
        assert (row(ticket).patient_name, row(ticket).relation) == (NAME, "family")
        assert NAME not in str(fresh(ticket).instance.state) + str(fresh(ticket).instance.data)

    @pytest.mark.req("W-50")
    def test_a_member_with_free_experts_is_booked_without_paying(self, cast):
        cast.centre.schedule()
        ticket = want(cast, cast.centre.member("free_expert"))
        do(ticket, "A1_form", cast.anna, **WISH)
        assert row(ticket).state == "booked" and not PaymentRequest.objects.exists()
        assert sent(ticket) == ["appointment_booked"]

    @pytest.mark.req("W-52", "W-53")
    def test_from_his_fund_it_is_paid_at_once_and_too_little_there_is_asked_by_link(self, cast):
        cast.centre.schedule()
        rich, poor = a_customer("+8619900000001"), a_customer("+8619900000002")
        membership.move_fund(rich, FEE, reason="top_up", key="top-up")
        for customer, state in ((rich, "booked"), (poor, "held")):
            ticket = want(cast, customer)
            do(ticket, "A1_form", cast.anna, **WISH, pay_way="fund")
            assert row(ticket).state == state
        assert membership.account(rich)["fund_fen"] == 0
        assert (request_of(ticket).way, request_of(ticket).state) == ("link", "asked")

    @pytest.mark.req("M-05")
    def test_an_sms_that_cannot_be_sent_leaves_the_booking_as_it_is(self, cast, settings):
        cast.centre.schedule(cast.centre.zhao_here)
        settings.SMS_URL = ""
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **{**WISH, "doctor": "zhao"})
        assert row(ticket).state == "booked" and opened(ticket) == []


class TestThirtyMinutes:
    @pytest.fixture
    def held(self, cast) -> Ticket:
        cast.centre.schedule(per_hour=1)
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **WISH)
        return ticket

    @pytest.mark.req("P-12")
    def test_unpaid_the_place_is_free_within_the_minute_and_patient_and_agent_know(self, cast, held):
        cast.clock.forward(minutes=29, seconds=59)
        sweep()
        assert states() == ["held"]
        cast.clock.forward(seconds=1)
        sweep()
        cast.clock.forward(seconds=21)
        sweep()
        assert states() == ["free"] and row(held).reason == "unpaid"
        assert sent(held)[-1] == "appointment_cancelled"
        assert Notification.objects.filter(user=cast.anna).exists()
        reached(held)
        assert fresh(held).outcome == "unpaid" and cast.ledger.charges == []

    @pytest.mark.req("P-12")
    def test_paid_at_29_59_and_nobody_told_us_counts_because_the_provider_is_asked(self, cast, held):
        request = request_of(held)
        cast.ledger.pay(request.key, at=(request.deadline_at - timedelta(seconds=1)).isoformat())
        cast.clock.forward(minutes=30)
        sweep()
        assert row(held).state == "booked" and states() == ["booked"] and len(cast.ledger.charges) == 1

    @pytest.mark.req("P-12")
    def test_after_an_outage_over_the_deadline_the_time_stamp_decides(self, cast, held):
        request = request_of(held)
        cast.ledger.pay(request.key, at=(request.deadline_at - timedelta(seconds=1)).isoformat())
        cast.clock.forward(hours=2)
        sweep(20)
        assert row(held).state == "booked" and states() == ["booked"] and refund_tickets() == []

    @pytest.mark.req("P-12", "W-53")
    def test_money_that_comes_after_the_end_goes_back_once_however_often_it_is_told(self, cast, client, held):
        request = request_of(held)
        cast.clock.forward(minutes=30)
        sweep()
        cast.clock.forward(seconds=21)
        sweep()
        assert states() == ["free"]
        for _ in range(3):
            post(client, event(request))
        sweep()
        assert len(refund_tickets()) == 1 and row(held).state == "cancelled" and states() == ["free"]

    @pytest.mark.req("P-12", "W-53")
    def test_the_same_notice_twice_books_and_tells_once(self, cast, client, held):
        charge = cast.ledger.pay(request_of(held).key)
        told = cast.ledger.paid_event(charge)
        assert [post(client, told).json()["verdict"] for _ in range(3)] == ["taken", "duplicate", "duplicate"]
        sweep()
        assert row(held).state == "booked" and sent(held).count("appointment_booked") == 1
        assert sent(held).count("payment_received") == 1 and refund_tickets() == []

    @pytest.mark.req("P-12")
    def test_a_cancelled_wait_takes_no_more_money_and_gives_the_place_back(self, cast, held):
        assert says(cast, held, "cancel", reason="time") == 202
        assert cast.ledger.query(request_of(held).key)["state"] == "cancelled"
        do(held, "A11_cancel", cast.anna, decision="cancel", cancel_reason="time", refund_wish="yes")
        reached(held)
        assert states() == ["free"] and fresh(held).outcome == "cancelled" and not Refund.objects.exists()

    @pytest.mark.req("P-12")
    def test_who_keeps_it_after_all_pays_for_the_same_place_by_the_same_deadline(self, cast, client, held):
        first = request_of(held)
        cast.clock.forward(minutes=10)
        says(cast, held, "cancel", reason="time")
        do(held, "A11_cancel", cast.anna, decision="keep")
        second = request_of(held)
        assert second.pk != first.pk and second.deadline_at == first.deadline_at
        pays(cast, client, held)
        assert row(held).state == "booked" and len(cast.ledger.charges) == 1


class TestNoPlace:
    @pytest.fixture
    def full(self, cast) -> list:
        cast.centre.schedule(per_hour=1, hours=(10, 11))
        cast.centre.schedule(cast.centre.zhao_here)
        return cast.centre.fill("li", 10)

    @pytest.mark.req("W-70", "W-71", "W-75")
    def test_the_second_recommendation_is_offered_from_free_places_and_held(self, cast, full):
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **WISH)
        assert elements(ticket) == ["A6_recommend"]
        offered = as_user(cast.anna).get(f"/api/appointments/suggestions?ticket={ticket.number}").json()
        assert {one["doctor"]["key"] for one in offered} == {"zhao"}
        do(ticket, "A6_recommend", cast.anna, recommend_status="success", **ZHAO)
        found = row(ticket)
        assert (found.state, found.doctor, found.recommended_state) == ("booked", cast.centre.zhao, "success")
        assert (found.wanted_doctor, found.patient_name) == (cast.centre.li, "王小明")

    @pytest.mark.req("W-72", "W-73")
    def test_somebody_was_quicker_the_list_comes_again_and_declined_it_stays_on_record(self, cast, full):
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **WISH)
        cast.centre.fill("zhao", 11)
        do(ticket, "A6_recommend", cast.anna, recommend_status="success", **ZHAO)
        assert elements(ticket) == ["A6_recommend"]
        do(ticket, "A6_recommend", cast.anna, recommend_status="failed", queue="no", **{**ZHAO, "hour": 9})
        found = row(ticket)
        assert (fresh(ticket).outcome, found.state, found.recommended_state) == ("failed", "failed", "failed")
        assert (found.recommended_doctor, found.recommended_hour) == (cast.centre.zhao, 9)
        assert (found.recommended_clinic, found.recommended_date) == (cast.centre.yuexiu, TUESDAY)

    @pytest.mark.req("W-69")
    def test_one_who_is_elsewhere_then_is_asked_for_another_hour(self, cast, client):
        cast.centre.schedule()
        cast.centre.schedule(cast.centre.zhao_here)
        wang = a_customer("+8619900000001")
        booked(cast, client, customer=wang)
        second = want(cast, wang)
        do(second, "A1_form", cast.anna, **{**WISH, "doctor": "zhao"})
        assert elements(second) == ["A1_form"]
        do(second, "A1_form", cast.anna, **{**WISH, "doctor": "zhao", "hour": 11})
        assert row(second).state == "booked"

    def test_a_day_on_which_the_clinic_is_closed_is_recommended_away(self, cast):
        cast.centre.schedule()
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **{**WISH, "date": (TUESDAY + timedelta(days=1)).isoformat()})
        assert elements(ticket) == ["A6_recommend"]

    def test_a_blacklisted_number_booking_by_wechat_gets_no_place(self, cast):
        cast.centre.schedule()
        wang = a_customer(WANG)
        routing.block_number(WANG, reason="harassment", acting_user=cast.sue)
        ticket = tickets.open_ticket(
            acting_user=None, kind="appointment", customer=wang, number=WANG, source="wechat", data=dict(PLACE)
        )
        sweep()
        assert (fresh(ticket).outcome, row(ticket).reason) == ("failed", "blocked") and states() == ["free", "free"]


class TestWaiting:
    @pytest.mark.req("W-48", "W-74")
    def test_a_place_that_comes_back_goes_to_the_member_with_that_benefit_first(self, cast, client):
        cast.centre.schedule(per_hour=1, hours=(10, 11))
        mine = booked(cast, client)
        first, member = queued(cast), queued(cast, cast.centre.member("refund_priority", name="贵宾"))
        says(cast, mine, "cancel", reason="time")
        do(mine, "A11_cancel", cast.anna, decision="cancel", cancel_reason="time", refund_wish="no")
        assert elements(member) == ["A8_offer"] and elements(first) == []
        assert "waiting_offered" in sent(member)
        do(member, "A8_offer", cast.ben, offer_answer="accept")
        pays(cast, client, member)
        assert row(member).state == "booked" and row(first).state == "waiting"
        the_sums_agree()

    @pytest.mark.req("W-49", "W-74")
    def test_not_reached_twice_the_next_in_line_is_asked_and_he_waits_on(self, cast, client):
        cast.centre.schedule(per_hour=1, hours=(10, 11))
        mine = booked(cast, client)
        first, second = queued(cast), queued(cast)
        says(cast, mine, "cancel", reason="time")
        do(mine, "A11_cancel", cast.anna, decision="cancel", cancel_reason="time", refund_wish="no")
        for _ in range(2):
            do(first, "A8_offer", cast.ben, offer_answer="no_answer")
        assert elements(first) == [] and elements(second) == ["A8_offer"]
        assert row(first).state == "waiting"

    @pytest.mark.req("W-74")
    def test_an_offer_nobody_acts_on_goes_to_the_next_after_fifteen_minutes(self, cast, client):
        cast.centre.schedule(per_hour=1, hours=(10, 11))
        mine = booked(cast, client)
        first, second = queued(cast), queued(cast)
        says(cast, mine, "cancel", reason="time")
        do(mine, "A11_cancel", cast.anna, decision="cancel", cancel_reason="time", refund_wish="no")
        cast.clock.forward(minutes=14, seconds=59)
        sweep()
        assert elements(first) == ["A8_offer"]
        cast.clock.forward(seconds=1)
        sweep()
        assert elements(first) == [] and elements(second) == ["A8_offer"]
        the_sums_agree()

    def test_who_wants_to_leave_the_line_and_stays_keeps_his_place_in_it(self, cast):
        cast.centre.schedule(per_hour=1, hours=(10, 11))
        cast.centre.fill("li", 10)
        ticket = queued(cast)
        waiting = Waiting.objects.get(appointment=row(ticket))
        says(cast, ticket, "cancel", reason="time")
        do(ticket, "A11_cancel", cast.anna, decision="keep")
        assert Waiting.objects.get(appointment=row(ticket)) == waiting and row(ticket).state == "waiting"
        cast.clock.forward(minutes=1)
        says(cast, ticket, "cancel", reason="time")
        do(ticket, "A11_cancel", cast.anna, decision="cancel", cancel_reason="time", refund_wish="yes")
        reached(ticket)
        assert (fresh(ticket).outcome, row(ticket).state) == ("cancelled", "cancelled")
        assert Waiting.objects.get(pk=waiting.pk).state == "left"

    def test_cancelled_before_anything_was_said_nobody_is_written_to(self, cast):
        ticket = want(cast)
        jobs.receive("appointment.cancel", message_id="c-1", business_key=ticket.key, payload={"by": "", "reason": "x"})
        sweep()
        do(ticket, "A11_cancel", cast.anna, decision="cancel", cancel_reason="other", refund_wish="yes")
        assert fresh(ticket).outcome == "cancelled" and sent(ticket) == []

    @pytest.mark.req("W-74")
    def test_who_waited_in_vain_is_told_two_hours_before_the_day_begins(self, cast):
        cast.centre.schedule(per_hour=1, hours=(10, 11))
        cast.centre.fill("li", 10)
        ticket = queued(cast)
        waiting = Waiting.objects.get(appointment=row(ticket))
        cast.clock.set(waiting.expires_at)
        sweep()
        reached(ticket)
        assert fresh(ticket).outcome == "expired" and sent(ticket) == ["waiting_expired"]


class TestChanges:
    @pytest.mark.req("W-48", "W-99")
    def test_cancelled_after_paying_the_money_goes_back_by_three_people_and_the_place_at_once(self, cast, client):
        cast.centre.schedule(per_hour=1)
        ticket = booked(cast, client)
        assert says(cast, ticket, "cancel", cast.desk, reason="time") == 202
        [task] = opened(ticket)
        assert (task.element, task.assignee) == ("A11_cancel", cast.desk)
        do(ticket, "A11_cancel", cast.desk, decision="cancel", cancel_reason="time", refund_wish="yes")
        assert states() == ["free"] and elements(ticket) == ["R1_approve"] and fresh(ticket).closed_at is None
        do(ticket, "R1_approve", cast.sue, refund_decision="approve", comment="同意")
        do(ticket, "R2_execute", cast.fay, refund_act="execute")
        [(key, refund)] = cast.ledger.refunds.items()
        assert refund["amount_fen"] == FEE and Refund.objects.get().state == "executing"
        cast.ledger.finish_refund(key)
        cast.clock.forward(days=1)
        sweep()
        reached(ticket)
        assert fresh(ticket).outcome == "cancelled" and sent(ticket).count("appointment_cancelled") == 1

    @pytest.mark.req("W-100")
    def test_a_move_keeps_the_old_place_until_the_new_one_is_booked_and_costs_nothing_more(self, cast, client):
        cast.centre.schedule(per_hour=1)
        ticket = booked(cast, client)
        says(cast, ticket, "reschedule", reason="time")
        assert states(hour=10) == ["booked"]
        do(ticket, "A12_move", cast.anna, decision="move", **{**PLACE, "hour": 11})
        assert (states(hour=10), states(hour=11)) == (["free"], ["booked"])
        assert sent(ticket)[-1] == "appointment_moved" and len(cast.ledger.charges) == 1
        the_sums_agree()

    def test_a_move_for_which_there_is_no_place_leaves_the_old_one(self, cast, client):
        cast.centre.schedule(per_hour=1)
        ticket = booked(cast, client)
        cast.centre.fill("li", 11)
        says(cast, ticket, "reschedule", reason="time")
        do(ticket, "A12_move", cast.anna, decision="move", **{**PLACE, "hour": 11})
        do(ticket, "A6_recommend", cast.anna, doctor="zhao", recommend_status="failed", queue="no")
        assert states(hour=10) == ["booked"] and (row(ticket).state, row(ticket).hour) == ("booked", 10)
        assert says(cast, ticket, "check-in", cast.desk, arrived=False) == 202
        assert fresh(ticket).outcome == "no_show"

    @pytest.mark.req("P-12")
    def test_a_move_to_a_doctor_to_be_paid_first_and_not_paid_leaves_the_old_place(self, cast):
        cast.centre.schedule(per_hour=1)
        cast.centre.schedule(cast.centre.zhao_here)
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **{**WISH, **ZHAO})
        says(cast, ticket, "reschedule", reason="time")
        do(ticket, "A12_move", cast.anna, decision="move", **PLACE)
        assert states("li", 10) == ["held"] and "booked" in states("zhao", 11)
        cast.clock.forward(minutes=30)
        sweep()
        cast.clock.forward(seconds=21)
        sweep()
        assert states("li", 10) == ["free"] and "booked" in states("zhao", 11)
        assert (row(ticket).state, row(ticket).doctor) == ("booked", cast.centre.zhao)
        the_sums_agree()

    @pytest.mark.req("W-100")
    def test_when_the_doctor_is_ill_each_patient_chooses_another_place_or_his_money(self, cast, client):
        schedule = cast.centre.schedule(per_hour=2, hours=(10, 11))
        cast.centre.schedule(cast.centre.li_there, hours=(14, 15))
        one, two = booked(cast, client), booked(cast, client)
        path = f"/api/appointments/schedules/{schedule.pk}/suspend"
        assert as_user(cast.desk).post(path, {"reason": "illness"}, format="json").json() == {"told": 2}
        sweep()
        assert elements(one) == elements(two) == ["A13_suspended"]
        elsewhere = {**PLACE, "clinic": "haizhu", "hour": 14}
        do(one, "A13_suspended", cast.ben, decision="new", **elsewhere)
        do(two, "A13_suspended", cast.ben, decision="refund")
        assert (row(one).state, row(one).clinic) == ("booked", cast.centre.haizhu)
        assert elements(two) == ["R1_approve"] and row(two).state == "cancelled"
        assert states() == ["off", "off"] and len(cast.ledger.charges) == 2

    def test_a_suspension_of_a_place_he_left_changes_nothing(self, cast, client):
        schedule = cast.centre.schedule(per_hour=1)
        ticket = booked(cast, client)
        payload = {"by": "1071", "reason": "illness", "slot": "999999"}
        jobs.receive("appointment.suspended", message_id="s-1", business_key=ticket.key, payload=payload)
        sweep()
        assert opened(ticket) == [] and states() == ["booked"] and schedule.state == "open"
        assert says(cast, ticket, "check-in", cast.desk, arrived=True) == 202
        assert fresh(ticket).outcome == "visited"


class TestPeople:
    @pytest.mark.req("X-18")
    def test_of_two_who_claim_the_recommendation_at_once_one_gets_it(self, cast):
        cast.centre.schedule(per_hour=1, hours=(10, 11))
        cast.centre.fill("li", 10)
        ticket = tickets.open_ticket(
            acting_user=None, kind="appointment", customer=a_customer(WANG), number=WANG, source="wechat",
            data=dict(PLACE), group=cast.anna.memberships.first().group,
        )  # fmt: skip
        [task] = opened(ticket, "A6_recommend")
        assert task.assignee is None
        workflow.claim(task, cast.ben)
        with pytest.raises(TaskTaken):
            workflow.claim(task, cast.anna)

    def test_an_agent_who_leaves_gives_the_form_back_to_his_group(self, cast):
        cast.centre.schedule()
        ticket = want(cast)
        [task] = opened(ticket)
        workflow.return_task(task, cast.anna)
        do(ticket, "A1_form", cast.ben, **WISH)
        assert row(ticket).state == "held"

    @pytest.mark.req("X-05")
    def test_a_form_left_open_is_reminded_escalated_and_reassigned(self, cast):
        ticket = want(cast)
        [task] = opened(ticket)
        cast.clock.forward(minutes=10)
        sweep()
        assert Notification.objects.filter(user=cast.anna, kind="task_reminder").count() == 1
        cast.clock.forward(minutes=20)
        sweep()
        assert elements(ticket) == ["A1_form", "R1_reassign"]
        due = product_clock.now() + timedelta(hours=1)
        [done] = workflow.reassign([task], cast.sue, assignee="1024", due_at=due)
        assert done["ok"]
        [task] = opened(ticket)
        assert (task.element, task.assignee, task.due_at) == ("A1_form", cast.ben, due)

    @pytest.mark.req("W-100")
    def test_only_the_clinics_own_people_check_in_and_only_agents_call_who_waits(self, cast, client):
        cast.centre.schedule(cast.centre.zhao_here)
        ticket = want(cast)
        do(ticket, "A1_form", cast.anna, **{**WISH, "doctor": "zhao"})
        assert says(cast, ticket, "check-in", cast.anna, arrived=True) == 403
        assert says(cast, ticket, "check-in", cast.there, arrived=True) == 404
        cast.clock.set(row(ticket).slot.ends_at + timedelta(hours=2))
        sweep()
        [task] = opened(ticket, "A10_visit")
        for stranger in (cast.anna, cast.there, cast.fay):
            with pytest.raises(NotAllowed):
                workflow.claim(task, stranger)
        do(ticket, "A10_visit", cast.desk, arrived="yes")
        assert fresh(ticket).outcome == "visited"

    def test_a_suspension_is_for_agents_and_a_refund_for_neither_agent_nor_clinic(self, cast, client):
        schedule = cast.centre.schedule(per_hour=1)
        ticket = booked(cast, client)
        as_user(cast.desk).post(
            f"/api/appointments/schedules/{schedule.pk}/suspend", {"reason": "leave"}, format="json"
        )
        sweep()
        [task] = opened(ticket)
        for stranger in (cast.desk, cast.fay):
            with pytest.raises(NotAllowed):
                workflow.claim(task, stranger)
        do(ticket, "A13_suspended", cast.anna, decision="refund")
        [task] = opened(ticket)
        for stranger in (cast.anna, cast.desk, cast.fay):
            with pytest.raises(NotAllowed):
                workflow.claim(task, stranger)


@pytest.mark.django_db(transaction=True)
@pytest.mark.req("P-12")
def test_ten_tickets_for_the_last_place_one_holds_it_nine_recommend(clock, settings, monkeypatch):
    the_role("agent")
    cast = the_cast(Centre(), clock, settings, monkeypatch)
    cast.centre.schedule(per_hour=1, hours=(10, 11))
    wanted = [want(cast) for _ in range(10)]
    ready, failures = threading.Barrier(10), []

    def book(ticket: Ticket) -> None:
        try:
            ready.wait()
            [task] = opened(ticket)
            workflow.complete(task, cast.anna, {**WISH, "patient_name": f"客人{ticket.pk}"}, wait=False)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=book, args=(ticket,)) for ticket in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sweep()
    assert failures == []
    assert sorted(elements(ticket) for ticket in wanted) == [[]] + [["A6_recommend"]] * 9
    assert states() == ["held"]
    the_sums_agree()


def test_the_demo_promises_every_template_the_flow_sends():
    import json

    rows = json.loads((django_settings.BASE_DIR / "web/config/demo/templates.json").read_text(encoding="utf-8"))
    known = {one["key"]: one for one in rows}
    for key in SMS:
        assert known[key]["body"] and known[key]["body_en"], key
    assert date.fromisoformat(PLACE["date"]) == TUESDAY
