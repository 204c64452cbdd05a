"""The product's own appointment flow over real rows: what it draws, these rows follow."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.appointments.cast import TUESDAY, Centre, states, the_sums_agree
from tests.support.cast import a_group, a_user
from tests.support.http import as_user
from web.appointments.models import Appointment
from web.jobs import services as jobs
from web.tickets import services as tickets
from web.workflow import services as workflow
from web.workflow.models import UserTask
from web.workflow.services.publishing import forget_parsed


@pytest.fixture
def book(centre: Centre):
    """Open an appointment ticket and answer its first form for 10 o'clock on Tuesday with the doctor named."""
    a_group("booking")
    alice = a_user("1023", "agent", "booking")
    done = workflow.deploy_folder(settings.FLOWS_DIR)
    assert "appointment" not in done.refused, done.refused

    def book(doctor: str):
        ticket = tickets.open_ticket(acting_user=alice, kind="appointment", customer=centre.customer())
        task = UserTask.objects.get(instance=ticket.instance, state=UserTask.OPEN)
        wish = {"clinic": "yuexiu", "department": "spleen", "doctor": doctor, "date": TUESDAY.isoformat(), "hour": 10}
        answers = {"patient_name": "欧阳若兰", "relation": "self", "pay_way": "link", **wish}
        workflow.complete(task, task.assignee or alice, answers, wait=False)
        jobs.sweep()
        return ticket

    yield book
    forget_parsed()


def row(ticket) -> Appointment:
    return Appointment.objects.get(ticket=ticket)


@pytest.mark.req("W-63", "W-69", "W-100")
def test_a_booking_without_prepayment_until_the_patient_has_come(centre: Centre, book):
    centre.schedule(centre.zhao_here)
    desk = centre.staff_of(centre.yuexiu, "1071")
    ticket = book("zhao")
    assert row(ticket).state == "booked" and sorted(states("zhao")) == ["booked", "free"]
    said = as_user(desk).post(f"/api/appointments/{ticket.number}/check-in", {"arrived": True}, format="json")
    assert said.status_code == 202, said.json()
    jobs.sweep()
    ticket.refresh_from_db()
    assert row(ticket).state == "checked_in" and "used" in states("zhao") and ticket.closed_at
    the_sums_agree()


@pytest.mark.req("W-70", "W-75")
def test_a_full_hour_leads_to_the_second_recommendation(centre: Centre, book):
    centre.schedule(per_hour=1)
    centre.schedule(centre.zhao_here)
    centre.fill("li", 10)
    ticket = book("li")
    alice = UserTask.objects.get(instance=ticket.instance, state=UserTask.OPEN).assignee
    rows = as_user(alice).get("/api/appointments/suggestions", {"ticket": ticket.number}).json()
    assert {one["doctor"]["key"] for one in rows} == {"li", "zhao"} and row(ticket).state == "asked"
