"""Two clinics, four doctors, and people who want to see them. A case is a ticket without a flow: the tests call the verbs a flow calls."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from engine.verbs import REGISTRY, Context
from tests.support.cast import a_customer, a_group, a_user
from web.accounts.models import Membership
from web.appointments import services
from web.appointments.models import Appointment, Schedule, Slot, Waiting
from web.clinics import services as clinics
from web.clinics.models import Department, Doctor, Post
from web.common import clock, seals
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.membership.models import Card
from web.places.models import Clinic
from web.tickets.models import Ticket

_numbers = itertools.count(1)
TUESDAY = date(2026, 11, 24)  # the day after the clock's Monday


class Case:
    """One appointment ticket and what its flow says."""

    def __init__(self, customer=None, *, patient: str = "", opened_by=None, caller: str | None = None) -> None:
        number = f"T20261123-{next(_numbers):04d}"
        token = seals.blind(caller, kind="number") if caller else None
        self.ticket = Ticket.objects.create(
            number=number,
            kind="appointment",
            customer=customer,
            opened_by=opened_by,
            owner=opened_by,
            caller_token=token,
        )
        self.key, self.patient = self.ticket.key, patient
        self.slot = self.waiting = ""

    def call(self, name: str, **params: Any) -> dict[str, Any]:
        """A verb, checked against its schemas both ways."""
        return self.call_at(clock.now(), name, **params)

    def call_at(self, now: datetime, name: str, **params: Any) -> dict[str, Any]:
        answers = {"patient_name": self.patient, "relation": "self"} if self.patient else {}
        submission = SimpleNamespace(data=answers) if answers else None
        context = Context(
            instance_key="instance:1", business_key=self.key, now=now, element="x", task_id="1", submission=submission
        )
        result = REGISTRY.call(f"appointments.{name}", context, params)
        if result.get("slot"):
            self.slot = result["slot"]
        if result.get("waiting"):
            self.waiting = result["waiting"]
        return result

    def hold(
        self, doctor: str = "li", hour: int = 10, day: date = TUESDAY, *, clinic: str = "yuexiu", **more: Any
    ) -> dict:
        department = more.pop("department", None) or DEPARTMENT_OF.get(doctor, "spleen")
        return self.call(
            "hold", clinic=clinic, department=department, doctor=doctor, date=day.isoformat(), hour=hour, **more
        )

    def move(self, doctor: str = "li", hour: int = 10, day: date = TUESDAY, *, clinic: str = "yuexiu") -> dict:
        department = DEPARTMENT_OF.get(doctor, "spleen")
        return self.call(
            "move", slot=self.slot, clinic=clinic, department=department, doctor=doctor, date=day.isoformat(), hour=hour
        )

    def confirm(self, slot: str | None = None, payment: str = "") -> str:
        return self.call("confirm", slot=slot or self.slot, payment=payment)["outcome"]

    def book(self, doctor: str = "li", hour: int = 10, day: date = TUESDAY, **more: Any) -> Slot:
        held = self.hold(doctor, hour, day, **more)
        assert held["outcome"] == "held", held
        assert self.confirm() == "booked"
        return self.the_slot

    def release(self, reason: str, slot: str | None = None) -> None:
        self.call("release", slot=slot or self.slot, reason=reason)

    def wait(
        self, doctor: str = "li", day: date = TUESDAY, *, clinic: str = "yuexiu", department: str = "spleen"
    ) -> dict:
        return self.call("join_waiting", clinic=clinic, department=department, doctor=doctor, date=day.isoformat())

    @property
    def row(self) -> Appointment:
        return Appointment.objects.get(business_key=self.key)

    @property
    def the_slot(self) -> Slot:
        return Slot.objects.get(pk=self.slot)

    @property
    def place_in_line(self) -> Waiting:
        return Waiting.objects.select_related("offered_slot").get(pk=self.waiting)

    def told(self, name: str) -> list[dict]:
        """Payloads of the messages thrown at this case."""
        return [row.payload for row in InboundMessage.objects.filter(name=name, business_key=self.key).order_by("pk")]


DEPARTMENT_OF = {"li": "spleen", "zhao": "spleen", "qian": "bones", "sun": "spleen"}


class Centre:
    """yuexiu: Li (prepay, own expert), Zhao, both spleen; Qian bones. haizhu: Li too, and Sun, spleen."""

    def __init__(self) -> None:
        self.yuexiu = Clinic.objects.create(key="yuexiu", name="越秀馆", address="中山五路 1 号")
        self.haizhu = Clinic.objects.create(key="haizhu", name="海珠馆")
        spleen = Department.objects.create(key="spleen", name="脾胃科")
        bones = Department.objects.create(key="bones", name="骨伤科")
        self.li = Doctor.objects.create(key="li", name="李时中", title="chief", is_own_expert=True)
        self.zhao = Doctor.objects.create(key="zhao", name="赵启元", title="attending")
        self.qian = Doctor.objects.create(key="qian", name="钱守义", title="attending")
        self.sun = Doctor.objects.create(key="sun", name="孙思明", title="chief")
        new = Post.objects.create
        self.li_here = new(doctor=self.li, clinic=self.yuexiu, department=spleen, prepay=True, fee_fen=30000)
        self.zhao_here = new(doctor=self.zhao, clinic=self.yuexiu, department=spleen, fee_fen=5000)
        self.qian_here = new(doctor=self.qian, clinic=self.yuexiu, department=bones, fee_fen=5000)
        self.li_there = new(doctor=self.li, clinic=self.haizhu, department=spleen, prepay=True, fee_fen=30000)
        self.sun_there = new(doctor=self.sun, clinic=self.haizhu, department=spleen, fee_fen=8000)

    def schedule(
        self, post: Post | None = None, day: date = TUESDAY, hours: tuple[int, int] = (9, 12), per_hour: int = 2
    ) -> Schedule:
        post = post or self.li_here
        return services.add(post, day=day, start_hour=hours[0], end_hour=hours[1], per_hour=per_hour, acting_user=None)

    def staff_of(self, clinic: Clinic, number: str, role: str = "clinic"):
        """Somebody at this clinic's desk."""
        a_group("clinics", "centre")
        group = clinics.organise(clinic)
        user = a_user(number, role)
        Membership.objects.create(user=user, group=group)
        return user

    def customer(self, name: str = "王小明", **fields: Any):
        return a_customer(f"+86199000{next(_numbers):05d}", name=name, **fields)

    def member(self, *benefits: str, name: str = "王小明"):
        customer = self.customer(name)
        Card.objects.create(
            number=f"V{customer.pk}",
            customer=customer,
            card_class="benefit",
            starts_on=TUESDAY - timedelta(days=30),
            benefits=list(benefits),
        )
        return customer

    def case(self, name: str = "", **more: Any) -> Case:
        """A new caller with a wish of his own."""
        return Case(self.customer(name or f"客人{next(_numbers)}"), **more)

    def fill(self, doctor: str = "li", hour: int = 10, day: date = TUESDAY, **more: Any) -> list[Case]:
        """Book every free place of an hour."""
        booked = []
        while True:
            case = self.case()
            if case.hold(doctor, hour, day, **more)["outcome"] == "full":
                return booked
            assert case.confirm() == "booked"
            booked.append(case)

    def sweep(self) -> None:
        """What workers do within a second."""
        jobs.sweep()


def states(doctor: str = "li", hour: int = 10, day: date = TUESDAY) -> list[str]:
    rows = Slot.objects.filter(doctor__key=doctor, date=day, hour=hour).order_by("seq")
    return list(rows.values_list("state", flat=True))


def the_sums_agree() -> None:
    """Each place is in one state with what belongs to it; nobody has two places at one time; offers and holds match."""
    for slot in Slot.objects.select_related("appointment"):
        assert (slot.appointment_id is not None) == (slot.state in Slot.TAKEN), slot.state
        assert (slot.held_until is not None) == (slot.state == Slot.HELD), slot.state
        assert slot.taken_key is None or slot.state in Slot.TAKEN
    taken = list(Slot.objects.filter(state__in=Slot.TAKEN).values_list("appointment__patient_token", "date", "hour"))
    moving = Slot.objects.filter(state=Slot.BOOKED, taken_key=None).count()
    assert len(taken) - moving <= len(set(taken))
    for appointment in Appointment.objects.all():
        held = Slot.objects.filter(appointment=appointment, state=Slot.HELD).count()
        booked = Slot.objects.filter(appointment=appointment, state=Slot.BOOKED).count()
        assert held <= 1 and booked <= 1, (held, booked)
        if appointment.state == Appointment.HELD:
            assert held == 1 or booked == 1
        if appointment.state == Appointment.BOOKED:
            assert booked == 1
    for waiting in Waiting.objects.filter(state=Waiting.OFFERED).select_related("offered_slot"):
        assert waiting.offered_slot.state == Slot.HELD
        assert waiting.offered_slot.appointment_id == waiting.appointment_id
