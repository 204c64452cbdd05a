"""Over HTTP: who sees and may do what, what is refused and how."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.appointments.cast import TUESDAY, Case, Centre, states
from tests.support.cast import a_user
from tests.support.http import as_user, browser
from web.accounts import services as accounts
from web.appointments.events import AppointmentChanged
from web.appointments.models import Appointment, Schedule
from web.appointments.services import CANCEL, CHECKED_IN, RESCHEDULE
from web.config.wiring import ROUTES
from web.jobs.models import InboundMessage
from web.messaging import hooks as messaging
from web.workflow.models import Awaited, FlowDefinition, FlowVersion, ProcessInstance

TOMORROW = TUESDAY.isoformat()


@pytest.fixture
def desk(centre: Centre):
    return centre.staff_of(centre.yuexiu, "1071")


@pytest.fixture
def there(centre: Centre):
    """The front desk of the other clinic."""
    return centre.staff_of(centre.haizhu, "1072")


@pytest.fixture
def alice(centre: Centre):
    return a_user("1023", "agent")


def hears(case: Case, *names: str) -> None:
    """The case's flow waits for these messages now."""
    definition, _ = FlowDefinition.objects.get_or_create(key="appointment", defaults={"name": "预约"})
    version, _ = FlowVersion.objects.get_or_create(definition=definition, number=1, digest="x")
    instance = ProcessInstance.objects.create(version=version, business_key=case.key)
    for name in names:
        Awaited.objects.create(instance=instance, engine_id=name, element="w1", name=name, business_key=case.key)


def numbers(user, **asked) -> set[str]:
    answer = as_user(user).get("/api/appointments", asked)
    assert answer.status_code == 200
    return {row["number"] for row in answer.json()["results"]}


@pytest.mark.req("W-100", "W-53")
def test_everybody_sees_the_appointments_that_are_his_business(centre: Centre, desk, there, alice):
    centre.schedule(centre.zhao_here)
    centre.schedule(centre.sun_there)
    wang, lin = Case(centre.customer(), opened_by=alice), centre.case()
    wang.book("zhao", 10)
    lin.book("sun", 10, clinic="haizhu")
    mine, other = wang.ticket.number, lin.ticket.number
    doctor = a_user("1081", "doctor")
    centre.sun.user = doctor
    centre.sun.save()
    assert numbers(alice) == {mine}
    assert numbers(a_user("1024", "agent")) == set()
    assert numbers(desk) == {mine} and numbers(there) == {other} == numbers(doctor)
    assert numbers(a_user("1002", "manager")) == {mine, other}
    assert numbers(centre.staff_of(centre.yuexiu, "1055", "pharmacy")) == set()
    bob = a_user("1025", "agent")
    accounts.grant(bob, "ticket", wang.ticket.pk, "claimed", "task:1")
    assert numbers(bob) == {mine}
    accounts.end_grants("task:1")
    assert numbers(bob) == set()
    for user, number, status in ((alice, mine, 200), (alice, other, 404), (there, mine, 404), (desk, mine, 200)):
        assert as_user(user).get(f"/api/appointments/{number}").status_code == status
    assert browser().get("/api/appointments").status_code in (401, 403)


@pytest.mark.req("W-37")
def test_a_row_shows_the_patient_masked_and_his_card_number(centre: Centre, desk):
    centre.schedule(centre.zhao_here)
    customer = centre.customer("王小明")
    Case(customer, patient="欧阳若兰").book("zhao", 10)
    body = as_user(desk).get("/api/appointments").json()["results"][0]
    assert body["patient"] == "欧*" and body["patient_number"] == customer.number
    assert (body["state"], body["date"], body["hour"], body["doctor"]["key"]) == ("booked", TOMORROW, 10, "zhao")
    assert body["visit_at"] == "2026-11-24T10:00:00+08:00"
    assert "欧阳若兰" not in str(body)


def test_the_list_is_narrowed_by_clinic_day_and_state(centre: Centre, desk):
    centre.schedule(centre.zhao_here)
    centre.schedule(centre.zhao_here, TUESDAY + timedelta(days=1))
    wang, lin, zhou = centre.case(), centre.case(), centre.case()
    wang.book("zhao", 10)
    lin.book("zhao", 10, TUESDAY + timedelta(days=1))
    zhou.hold("zhao", 11)
    assert numbers(desk, date=TOMORROW) == {wang.ticket.number, zhou.ticket.number}
    assert numbers(desk, state="booked") == {wang.ticket.number, lin.ticket.number}
    assert numbers(desk, state="held,cancelled") == {zhou.ticket.number}
    assert numbers(desk, clinic="haizhu") == set()
    answer = as_user(desk).get("/api/appointments", {"date": "tomorrow"})
    assert answer.status_code == 400 and "date" in answer.json()["fields"]


@pytest.mark.req("W-100")
def test_the_clinic_says_that_the_patient_came(centre: Centre, desk, there, alice):
    centre.schedule(centre.zhao_here)
    wang = Case(centre.customer(), opened_by=alice)
    wang.book("zhao", 10)
    path = f"/api/appointments/{wang.ticket.number}/check-in"
    answer = as_user(desk).post(path, {"arrived": True}, format="json")
    assert answer.status_code == 409 and answer.json()["code"] == "appointment_not_waiting"
    assert not InboundMessage.objects.exists()
    hears(wang, CHECKED_IN, CANCEL, RESCHEDULE)
    assert as_user(there).post(path, {"arrived": True}, format="json").status_code == 404
    refused = as_user(alice).post(path, {"arrived": True}, format="json")
    assert refused.status_code == 403 and refused.json()["needs"] == "clinic_staff"
    assert as_user(desk).post(path, {"arrived": "perhaps"}, format="json").status_code == 400
    answer = as_user(desk).post(path, {"arrived": False}, format="json")
    assert answer.status_code == 202 and answer.json()["can"] == ["check-in", "cancel", "reschedule"]
    assert wang.told("appointment.checked_in") == [{"by": "1071", "reason": "no_show", "arrived": False}]
    assert as_user(alice).get(f"/api/appointments/{wang.ticket.number}").json()["can"] == ["cancel", "reschedule"]


@pytest.mark.parametrize("act", ["cancel", "reschedule"])
def test_the_agent_and_the_clinic_cancel_and_move(centre: Centre, desk, alice, act):
    centre.schedule(centre.zhao_here)
    wang = Case(centre.customer(), opened_by=alice)
    wang.book("zhao", 10)
    hears(wang, CANCEL, RESCHEDULE)
    path, name = f"/api/appointments/{wang.ticket.number}/{act}", f"appointment.{act}"
    stranger = a_user("1099", "agent")
    assert as_user(stranger).post(path, {"reason": "patient"}, format="json").status_code == 404
    assert as_user(alice).post(path, {"reason": "他有事"}, format="json").status_code == 400  # a code, no free text
    assert as_user(alice).post(path, {"reason": "patient"}, format="json").status_code == 202
    assert as_user(desk).post(path, {"reason": "clinic"}, format="json").status_code == 202
    assert [one["by"] for one in wang.told(name)] == ["1023", "1071"]
    assert wang.row.state == "booked"  # what follows is drawn


@pytest.mark.req("W-75")
def test_free_places_are_live_counts(centre: Centre, alice):
    centre.schedule(hours=(10, 12))
    get = as_user(alice).get
    assert [row["free"] for row in get("/api/appointments/free", {"doctor": "li"}).json()] == [2, 2]
    centre.case().hold("li", 10)
    rows = get("/api/appointments/free", {"clinic": "yuexiu", "from": TOMORROW, "days": 1}).json()
    assert [(row["hour"], row["free"]) for row in rows] == [(10, 1), (11, 2)]
    assert set(rows[0]) == {"date", "hour", "doctor", "clinic", "department", "free", "total", "prepay", "fee_fen"}
    assert rows[0]["doctor"] == {"key": "li", "name": "李时中", "name_en": None, "title": "chief"}


@pytest.mark.parametrize(("asked", "field"), [
    ({}, "clinic"), ({"clinic": "yuexiu", "from": "soon"}, "since"), ({"clinic": "yuexiu", "days": 400}, "days"),
    ({"clinic": "yuexiu", "days": 0}, "days"),
])  # fmt: skip
def test_a_question_for_free_places_that_makes_no_sense_names_its_field(centre: Centre, alice, asked, field):
    answer = as_user(alice).get("/api/appointments/free", asked)
    assert answer.status_code == 400 and list(answer.json()["fields"]) == [field]


@pytest.mark.req("W-70", "W-75")
def test_suggestions_of_a_ticket_one_may_see(centre: Centre, alice):
    centre.schedule(hours=(10, 11), per_hour=1)
    centre.fill("li", 10)
    centre.schedule(centre.zhao_here, hours=(10, 11))
    wang = Case(centre.customer(), opened_by=alice)
    assert as_user(alice).get("/api/appointments/suggestions", {"ticket": wang.ticket.number}).json() == []
    assert wang.hold("li", 10)["outcome"] == "full"
    rows = as_user(alice).get("/api/appointments/suggestions", {"ticket": wang.ticket.number}).json()
    assert [(row["kind"], row["doctor"]["key"], row["free"]) for row in rows] == [("same_department_here", "zhao", 2)]
    stranger = a_user("1099", "agent")
    for asked in ({"ticket": wang.ticket.number}, {}, {"ticket": "T1"}):
        assert as_user(stranger).get("/api/appointments/suggestions", asked).status_code == 404


def plan(centre: Centre, **other) -> dict:
    return {"post": centre.zhao_here.pk, "date": TOMORROW, "start_hour": 9, "end_hour": 12, "per_hour": 2, **other}


@pytest.mark.req("W-100")
def test_a_desk_keeps_the_schedules_of_its_doctors(centre: Centre, desk, there, alice):
    made = as_user(desk).post("/api/appointments/schedules", plan(centre), format="json")
    assert made.status_code == 201 and (made.json()["free"], made.json()["taken"]) == (6, 0)
    path = f"/api/appointments/schedules/{made.json()['id']}"
    changed = as_user(desk).patch(path, {"per_hour": 3}, format="json")
    assert changed.status_code == 200 and changed.json()["free"] == 9
    assert [row["id"] for row in as_user(desk).get("/api/appointments/schedules").json()] == [made.json()["id"]]
    assert as_user(there).get("/api/appointments/schedules").json() == []
    assert as_user(there).patch(path, {"per_hour": 1}, format="json").status_code == 404
    for user in (there, alice):
        answer = as_user(user).post(
            "/api/appointments/schedules", plan(centre, start_hour=14, end_hour=15), format="json"
        )
        assert answer.status_code == 403
    wang = centre.case()
    wang.book("zhao", 9)
    answer = as_user(desk).post(f"{path}/suspend", {"reason": "illness"}, format="json")
    assert answer.json() == {"told": 1} and wang.told("appointment.suspended") == [
        {"by": "1071", "reason": "illness", "slot": wang.slot}
    ]
    opened = as_user(desk).patch(path, {"state": "open"}, format="json").json()
    assert (opened["state"], opened["free"], opened["taken"]) == ("open", 8, 1)
    assert as_user(there).post(f"{path}/suspend", {"reason": "illness"}, format="json").status_code == 404


BAD = [
    ({"post": 0}, "post", "unknown"),
    ({"date": "2026-11-20"}, "date", "past"),
    ({"date": "soon"}, "date", "invalid"),
    ({"per_hour": 0}, "per_hour", "capacity"),
    ({"per_hour": "many"}, "per_hour", "invalid"),
    ({"start_hour": 12, "end_hour": 9}, "end_hour", "bad_hours"),
    ({"start_hour": 10, "end_hour": 11}, "start_hour", "overlaps"),
]


@pytest.mark.parametrize(("given", "field", "code"), BAD)
def test_a_schedule_that_cannot_be_is_answered_with_field_and_reason(centre: Centre, desk, given, field, code):
    centre.schedule(centre.zhao_here)
    answer = as_user(desk).post("/api/appointments/schedules", plan(centre, **given), format="json")
    assert answer.status_code == 400 and answer.json()["fields"][field][0]["code"] == code
    assert Schedule.objects.count() == 1 and len(states("zhao", 10)) == 2


def test_the_same_request_twice_makes_one_schedule(centre: Centre, desk):
    client = as_user(desk)
    answers = [
        client.post("/api/appointments/schedules", plan(centre), format="json", headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"] and Schedule.objects.count() == 1


def test_a_list_of_fifty_costs_no_more_questions_than_one_of_five(centre: Centre, desk, django_assert_max_num_queries):
    centre.schedule(centre.zhao_here, per_hour=20)
    for _ in range(5):
        centre.case().book("zhao", 10)
    client = as_user(desk)
    client.get("/api/appointments")
    with django_assert_max_num_queries(20) as few:
        client.get("/api/appointments")
    for _ in range(15):
        centre.case().book("zhao", 10)
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert len(client.get("/api/appointments").json()["results"]) == 20


def test_the_customers_page_and_messages_to_him_know_his_appointments(centre: Centre, alice):
    from web.customers import services as customers

    centre.schedule(centre.zhao_here)
    customer = centre.customer()
    wang = Case(customer, opened_by=alice)
    wang.book("zhao", 10)

    def shown(user) -> list[tuple]:
        rows = [row for row in customers.history(customer, user) if row["kind"] == "appointment"]
        return [(row["title"], row["state"], row["ref"]) for row in rows]

    assert shown(alice) == [("赵启元", "booked", wang.ticket.number)] and shown(a_user("1099", "agent")) == []
    names = messaging.names_of(wang.key)
    said = {name: names[name] for name in ("doctor", "clinic", "clinic_address", "visit_date", "visit_time")}
    assert said == {
        "doctor": "赵启元", "clinic": "越秀馆", "clinic_address": "中山五路 1 号", "visit_date": "11-24", "visit_time": "10:00-11:00"
    }  # fmt: skip
    assert messaging.names_of("ticket:T0").get("doctor") is None


def test_a_change_reaches_the_page_of_its_ticket(centre: Centre, monkeypatch):
    from web.desk import push

    sent = []
    monkeypatch.setattr(push, "push_ticket", lambda event: sent.append(event.ticket_id))
    centre.schedule(centre.zhao_here)
    wang = centre.case()
    wang.book("zhao", 10)
    for hearer in ROUTES[AppointmentChanged]:
        hearer(AppointmentChanged(wang.row.pk))
        hearer(AppointmentChanged(Appointment.objects.order_by("-pk").first().pk + 1))
    assert sent == [wang.ticket.pk]
