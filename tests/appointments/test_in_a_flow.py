"""The verbs in a running flow: names stay out of its data, messages find it, timers and sweeps agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.appointments.cast import TUESDAY, Centre, states, the_sums_agree
from tests.support.cast import a_group, a_user
from tests.support.http import as_user
from web.appointments import services
from web.appointments.models import Appointment
from web.jobs import services as jobs
from web.tickets import services as tickets
from web.workflow import services as workflow
from web.workflow.models import UserTask
from web.workflow.services.publishing import forget_parsed

NAME = "欧阳若兰"


@pytest.fixture
def alice(centre: Centre):
    a_group("booking")
    yield a_user("1023", "agent", "booking")
    forget_parsed()


@pytest.fixture
def visit(centre: Centre, alice):
    """Ask for a place; pay or lose it; come, or hear that the doctor does not. Full: another wish, or the waiting list."""
    done = workflow.deploy_folder(Path(__file__).parent / "flows")
    assert done.refused == {}, done.refused
    return lambda customer=None: tickets.open_ticket(
        acting_user=alice, kind="visit", customer=customer or centre.customer()
    )


def wish(**other) -> dict:
    place = {"clinic": "yuexiu", "department": "spleen", "doctor": "li", "date": TUESDAY.isoformat(), "hour": 10}
    return {"patient_name": NAME, "relation": "family", **place, **other}


def answer(ticket, element: str, data: dict) -> None:
    task = UserTask.objects.get(instance=ticket.instance, element=element, state=UserTask.OPEN)
    workflow.complete(task, task.assignee, data, wait=False)
    ticket.instance.refresh_from_db()


def pay(ticket) -> None:
    jobs.receive("visit.paid", message_id=f"paid:{ticket.pk}", business_key=ticket.key)
    jobs.sweep()
    ticket.instance.refresh_from_db()


def row(ticket) -> Appointment:
    return Appointment.objects.get(ticket=ticket)


@pytest.mark.req("W-63", "W-64")
def test_booked_paid_and_seen_and_the_name_never_enters_the_flow(centre: Centre, visit, clock):
    centre.schedule(per_hour=1)
    desk = centre.staff_of(centre.yuexiu, "1071")
    ticket = visit()
    answer(ticket, "ask", wish())
    assert states() == ["held"] and row(ticket).patient_name == NAME and row(ticket).relation == "family"
    assert NAME not in str(ticket.instance.data)
    pay(ticket)
    assert row(ticket).state == "booked" and row(ticket).payment == "P1"
    said = as_user(desk).post(f"/api/appointments/{ticket.number}/check-in", {"arrived": True}, format="json")
    assert said.status_code == 202
    jobs.sweep()
    ticket.instance.refresh_from_db()
    assert ticket.instance.ends == ["end_seen"] and row(ticket).state == "checked_in"
    assert states() == ["used"]


@pytest.mark.req("P-12")
def test_the_flows_own_timer_frees_an_unpaid_place(centre: Centre, visit, clock):
    centre.schedule(per_hour=1)
    ticket = visit()
    answer(ticket, "ask", wish())
    clock.forward(minutes=30, seconds=1)
    jobs.sweep()
    ticket.instance.refresh_from_db()
    assert ticket.instance.ends == ["end_unpaid"] and states() == ["free"] and row(ticket).reason == "unpaid"


@pytest.mark.req("W-70", "W-64")
def test_the_second_wish_is_for_the_same_patient(centre: Centre, visit):
    """The form of the second recommendation asks for no name: it stands in the first one."""
    centre.schedule(per_hour=1)
    centre.schedule(centre.zhao_here)
    centre.fill("li", 10)
    ticket = visit()
    answer(ticket, "ask", wish())
    assert row(ticket).wanted_doctor == centre.li
    answer(ticket, "other", {"queue": False, "doctor": "zhao", "hour": 11})
    found = row(ticket)
    assert found.state == "held" and found.patient_name == NAME and found.recommended_doctor == centre.zhao
    assert workflow.answer_of(ticket.key, "patient_name") == NAME
    assert workflow.answer_of(ticket.key, "doctor") == "zhao"
    assert workflow.answer_of(ticket.key, "doctor", element="ask") == "li"
    assert workflow.answer_of(ticket.key, "nothing") is None and workflow.answer_of("ticket:T0", "doctor") is None


@pytest.mark.req("W-48", "W-74")
def test_who_waits_hears_of_a_place_and_takes_it(centre: Centre, visit):
    centre.schedule(per_hour=1, hours=(10, 11))
    (taken,) = centre.fill("li", 10)
    ticket, other = visit(), visit()
    for one in (ticket, other):
        answer(one, "ask", wish(patient_name=f"客人{one.pk}"))
        answer(one, "other", {"queue": True})
    taken.release("cancelled")
    jobs.sweep()
    assert row(ticket).state == "held" and row(other).state == "waiting"
    pay(ticket)
    assert row(ticket).state == "booked"
    the_sums_agree()


@pytest.mark.req("W-100")
def test_when_the_doctor_is_ill_each_flow_goes_its_own_way(centre: Centre, visit):
    schedule = centre.schedule(per_hour=2)
    desk = centre.staff_of(centre.yuexiu, "1071")
    booked = [visit(), visit()]
    for number, ticket in enumerate(booked):
        answer(ticket, "ask", wish(patient_name=f"客人{number}"))
        pay(ticket)
    assert services.suspend(schedule, reason="illness", acting_user=desk) == 2
    jobs.sweep()
    for ticket in booked:
        ticket.instance.refresh_from_db()
        assert ticket.instance.ends == ["end_off"] and row(ticket).reason == "suspended"
    assert states() == ["off", "off"]


def test_a_flow_ended_by_hand_gives_its_place_back(centre: Centre, visit):
    centre.schedule(per_hour=1)
    ticket = visit()
    answer(ticket, "ask", wish())
    pay(ticket)
    workflow.cancel_instance(ticket.instance, None, "by mistake")
    services.look_soon()
    jobs.sweep()
    assert states() == ["free"] and row(ticket).state == "cancelled"
