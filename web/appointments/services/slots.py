"""Places with doctors: held, booked, given back. Each taking is one conditional update of the slot's row, so that of any number who
want it one gets it; a patient's `taken_key` is unique, so that he is in one place at a time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from web.appointments.events import AppointmentChanged
from web.appointments.models import Appointment, Schedule, Slot, Waiting, starts_at
from web.clinics import services as clinics
from web.clinics.models import Department, Doctor, Post
from web.common.audit import audit
from web.common.publishing import publish
from web.jobs import services as jobs
from web.membership import services as membership
from web.places.models import Clinic

from . import people

HOLD = timedelta(minutes=30)
"""P-12: how long a place is kept for a payment, from the hold."""

GRACE = timedelta(seconds=40)
"""The flow's own timer comes first and may still ask the provider; then the sweep frees what is overdue, within the minute."""

REMIND = timedelta(days=1)

EXPIRE, OFFER = "appointments.expire", "appointments.offer"
MOST_ROUNDS = 20
ENDED_AS = {
    "unpaid": Appointment.CANCELLED,
    "cancelled": Appointment.CANCELLED,
    "suspended": Appointment.CANCELLED,
    "failed": Appointment.FAILED,
}
MOVED = "moved"
WISH = [
    *("clinic", "department", "doctor", "date", "hour"),
    *("wanted_clinic", "wanted_department", "wanted_doctor", "wanted_date", "wanted_hour"),
    *("recommended_clinic", "recommended_doctor", "recommended_date", "recommended_hour", "recommended_state"),
]


@dataclass(frozen=True, slots=True)
class Held:
    """What became of a wish. outcome: held, full, off, double, past, blocked; `field` and `reason` say why it was refused. `remind_at` = a
    day before the visit."""

    outcome: str
    slot: str = ""
    held_until: str = ""
    prepay: bool = False
    fee_fen: int = 0
    visit_at: str = ""
    visit_end: str = ""
    clinic_group: str = ""
    remind_at: str = ""
    field: str = ""
    reason: str = ""

    def as_result(self) -> dict[str, Any]:
        return asdict(self)


class Elsewhere(Exception):
    """The patient has another place at this hour."""


def key_for(appointment: Appointment, day: date, hour: int) -> str:
    return f"{appointment.patient_token}:{day:%Y%m%d}:{hour:02d}"


# --- taking ------------------------------------------------------------------------------------------------------
@transaction.atomic
def hold(
    appointment: Appointment, *, clinic: str, department: str, doctor: str, date: str, hour: int, now: datetime
) -> Held:
    """Keep a place for this appointment for HOLD. A place it holds already elsewhere goes back once the new one is taken; one that is
    booked stays until it is released (`moved`). Keys of clinic, department and doctor; `date` YYYY-MM-DD and `hour` at the centre."""
    post, day, refused = _find(clinic, department, doctor, date)
    if post is not None:
        _remember_wish(appointment, post, day, hour)
    if refused is None:
        refused = _refusal(appointment, post, day, hour, now)
    if refused is None:
        same = _held_already(appointment, post, day, hour)
        if same is not None and same.held_until > now:
            return _held(
                appointment, same, post
            )  # asked twice: the time for the payment still runs from the first hold
        try:
            slot = _take_one(appointment, post, day, hour, now + HOLD)
        except Elsewhere:
            refused = Held("double", field="hour", reason="double")
        else:
            if slot is not None:
                _give_back_other_holds(appointment, slot)
                return _has_place(appointment, slot, post, now)
            refused = Held("full", field="hour", reason="full")
    appointment.save(update_fields=WISH)
    audit("appointment.refused", appointment.subject, outcome=refused.outcome, reason=refused.reason)
    return refused


def _find(clinic: str, department: str, doctor: str, day: str) -> tuple[Post | None, date | None, Held | None]:
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        return None, None, Held("off", field="date", reason="bad_date")
    post = (
        Post.objects.filter(clinic__key=clinic, department__key=department, doctor__key=doctor)
        .select_related("doctor", "clinic", "department")
        .first()
    )
    if post is not None and all(row.is_active for row in (post, post.doctor, post.clinic, post.department)):
        return post, wanted, None
    known = {
        "clinic": Clinic.objects.filter(key=clinic, is_active=True),
        "department": Department.objects.filter(key=department, is_active=True),
        "doctor": Doctor.objects.filter(key=doctor, is_active=True),
    }
    field = next((field for field, rows in known.items() if not rows.exists()), None)
    return post, wanted, Held("off", field=field or "doctor", reason="unknown" if field else "not_here")


def _refusal(appointment: Appointment, post: Post, day: date, hour: int, now: datetime) -> Held | None:
    if not 0 <= hour <= 23:
        return Held("off", field="hour", reason="bad_hour")
    if starts_at(day, hour) <= now:
        return Held("past", field="date" if starts_at(day, 23) <= now else "hour", reason="past")
    if people.is_blocked(appointment):
        return Held("blocked", field="clinic", reason="blocked")
    here = Schedule.objects.filter(post=post, date=day, start_hour__lte=hour, end_hour__gt=hour)
    states = set(here.values_list("state", flat=True))
    if Schedule.OPEN not in states:
        return Held("off", field="date", reason="suspended" if states else "no_schedule")
    return None


def _remember_wish(appointment: Appointment, post: Post, day: date, hour: int) -> None:
    """The first wish is what was wanted; any later one, until he has a place, is a recommendation (W-70…W-73)."""
    found = {"clinic": post.clinic, "doctor": post.doctor, "date": day, "hour": hour}
    if appointment.wanted_date is None:
        for name, value in {**found, "department": post.department}.items():
            setattr(appointment, f"wanted_{name}", value)
            setattr(appointment, name, value)
        return
    wanted = (
        appointment.wanted_clinic_id,
        appointment.wanted_doctor_id,
        appointment.wanted_date,
        appointment.wanted_hour,
    )
    if appointment.booked_at is None and wanted != (post.clinic_id, post.doctor_id, day, hour):
        for name, value in found.items():
            setattr(appointment, f"recommended_{name}", value)
        appointment.recommended_state = "failed"


def _held_already(appointment: Appointment, post: Post, day: date, hour: int) -> Slot | None:
    if appointment.slot_id is None:
        return None
    return Slot.objects.filter(
        appointment=appointment, state=Slot.HELD, doctor=post.doctor_id, clinic=post.clinic_id, date=day, hour=hour
    ).first()


def _take_one(appointment: Appointment, post: Post, day: date, hour: int, until: datetime) -> Slot | None:
    """Any free place of this hour, or None when the last one is gone. Elsewhere when the patient sits somewhere else then."""
    free = Slot.objects.filter(
        doctor=post.doctor_id,
        clinic=post.clinic_id,
        department=post.department_id,
        date=day,
        hour=hour,
        state=Slot.FREE,
        schedule__state=Schedule.OPEN,
    ).order_by("seq")
    for _ in range(MOST_ROUNDS):
        places = list(free.values_list("pk", flat=True))
        if not places:
            return None
        # Everybody begins at another place: who wants the same hour in the same moment need not wait in one line.
        begin = appointment.pk % len(places)
        for pk in places[begin:] + places[:begin]:
            if take(pk, appointment, day, hour, state=Slot.HELD, until=until):
                return Slot.objects.select_related("clinic", "doctor", "department").get(pk=pk)
    return None


def take(pk: int, appointment: Appointment, day: date, hour: int, *, state: str, until: datetime | None) -> bool:
    """Make a free slot this appointment's; False when it is not free. Elsewhere when the patient has another place at this hour.

    A place of the same appointment at the same hour does not count: it is being exchanged.
    """
    key = key_for(appointment, day, hour)
    try:
        with transaction.atomic():
            Slot.objects.filter(appointment=appointment, taken_key=key).update(taken_key=None)
            taken = Slot.objects.filter(pk=pk, state=Slot.FREE).update(
                state=state, appointment=appointment, held_until=until, taken_key=key
            )
            if not taken:
                transaction.set_rollback(True)
    except IntegrityError:
        raise Elsewhere from None
    return bool(taken)


def _give_back_other_holds(appointment: Appointment, slot: Slot) -> None:
    for other in Slot.objects.filter(appointment=appointment, state=Slot.HELD).exclude(pk=slot.pk):
        _free(other, Q(state=Slot.HELD))


def _has_place(appointment: Appointment, slot: Slot, post: Post, now: datetime) -> Held:
    benefits = membership.benefits(appointment.customer)
    is_free = post.doctor.is_own_expert and bool(benefits.get("free_expert"))
    appointment.fee_fen, appointment.prepay = (
        (0, False) if is_free else (post.fee_fen, post.prepay and post.fee_fen > 0)
    )
    appointment.visit_kind = people.visit_kind(appointment, post.doctor_id)
    if appointment.recommended_state:
        appointment.recommended_state = "success"
    Waiting.objects.filter(appointment=appointment, state__in=Waiting.OPEN).update(state=Waiting.TAKEN)
    moving = Slot.objects.filter(appointment=appointment, state=Slot.BOOKED).exists()
    _stand_at(appointment, slot, Appointment.BOOKED if moving else Appointment.HELD)
    jobs.enqueue(EXPIRE, key=f"hold:{slot.pk}", payload={"slot": slot.pk}, due_at=slot.held_until + GRACE)
    audit("appointment.held", appointment.subject, person=_person(appointment), slot=slot.pk)
    publish(AppointmentChanged(appointment.pk))
    return _held(appointment, slot, post)


def _stand_at(appointment: Appointment, slot: Slot, state: str) -> None:
    appointment.slot, appointment.state, appointment.reason, appointment.ended_at = slot, state, None, None
    appointment.clinic_id, appointment.department_id = slot.clinic_id, slot.department_id
    appointment.doctor_id, appointment.date, appointment.hour = slot.doctor_id, slot.date, slot.hour
    appointment.save()


def _held(appointment: Appointment, slot: Slot, post: Post) -> Held:
    return Held(
        "held",
        slot=str(slot.pk),
        held_until=slot.held_until.isoformat(),
        prepay=appointment.prepay,
        fee_fen=appointment.fee_fen,
        visit_at=slot.starts_at.isoformat(),
        visit_end=slot.ends_at.isoformat(),
        remind_at=(slot.starts_at - REMIND).isoformat(),
        clinic_group=clinics.group_of(post.clinic, "contact"),
    )


def post_of(slot: Slot) -> Post:
    """What the doctor takes there, also when the post has ended meanwhile."""
    return Post.objects.select_related("doctor", "clinic", "department").get(
        doctor=slot.doctor_id, clinic=slot.clinic_id, department=slot.department_id
    )


@transaction.atomic
def keep_offered(appointment: Appointment, slot: Slot, now: datetime) -> Held | None:
    """The waiting patient said yes: his offered place is held like any other from now on; None when it is not his any more."""
    until = now + HOLD
    mine = Slot.objects.filter(pk=slot.pk, appointment=appointment, state=Slot.HELD)
    if Schedule.objects.filter(pk=slot.schedule_id, state=Schedule.SUSPENDED).exists() or not mine.update(
        held_until=until
    ):
        return None
    slot.refresh_from_db()
    return _has_place(appointment, slot, post_of(slot), now)


@transaction.atomic
def confirm(appointment: Appointment, slot_id: int, *, payment: str, now: datetime) -> str:
    """`booked`, or `gone`: the hold ran out and somebody else has the place, or the doctor does not come. A hold that ran out and whose
    place is still free is taken again; asking twice is booked once."""
    slot = Slot.objects.filter(pk=slot_id).select_related("schedule").first()
    if slot is None or slot.schedule.state != Schedule.OPEN:
        return "gone"
    mine = Slot.objects.filter(pk=slot.pk, appointment=appointment)
    taken = mine.filter(state=Slot.HELD).update(state=Slot.BOOKED, held_until=None, is_returned=False)
    if not taken and mine.filter(state=Slot.BOOKED).exists():
        if appointment.slot_id != slot.pk:  # a move came to nothing: the former place is where he goes
            _stand_at(appointment, slot, Appointment.BOOKED)
            publish(AppointmentChanged(appointment.pk))
        return "booked"
    if not taken:
        try:
            taken = take(slot.pk, appointment, slot.date, slot.hour, state=Slot.BOOKED, until=None)
        except Elsewhere:
            taken = False
    if not taken:
        audit("appointment.gone", appointment.subject, slot=slot.pk)
        return "gone"
    jobs.cancel(f"hold:{slot.pk}")
    slot.refresh_from_db()
    appointment.payment = payment or appointment.payment
    appointment.booked_at = now
    _stand_at(appointment, slot, Appointment.BOOKED)
    audit("appointment.booked", appointment.subject, person=_person(appointment), slot=slot.pk)
    publish(AppointmentChanged(appointment.pk))
    return "booked"


# --- giving back ---------------------------------------------------------------------------------------------------
@transaction.atomic
def release(appointment: Appointment, slot_id: int | None, *, reason: str, now: datetime) -> None:
    """Give a place back; it is free at once and the waiting list hears of it. A place that is not this appointment's any more changes
    nothing but the appointment's own state. `moved`: the appointment has another one."""
    slot = Slot.objects.filter(pk=slot_id, appointment=appointment).first() if slot_id else None
    if slot is not None:
        _free(slot, Q(state__in=(Slot.HELD, Slot.BOOKED), appointment=appointment))
    if reason == MOVED:
        _stand_where_booked(appointment, slot)
        return
    end(appointment, ENDED_AS.get(reason, Appointment.CANCELLED), reason, now)


def _stand_where_booked(appointment: Appointment, left: Slot | None) -> None:
    """After a move: at the place that is booked; without one (the doctor does not come) he asks anew."""
    booked = Slot.objects.filter(appointment=appointment, state=Slot.BOOKED).first()
    if booked is not None and (left is None or appointment.slot_id == left.pk):
        _stand_at(appointment, booked, Appointment.BOOKED)
    elif booked is None and left is not None and appointment.slot_id == left.pk:
        Appointment.objects.filter(pk=appointment.pk, state__in=(Appointment.HELD, Appointment.BOOKED)).update(
            state=Appointment.ASKED, slot=None
        )


def give_back(slot: Slot, appointment: Appointment) -> bool:
    """What was kept for this appointment and not taken."""
    slot.refresh_from_db()
    return _free(slot, Q(state=Slot.HELD, appointment=appointment))


def end(appointment: Appointment, state: str, reason: str, now: datetime) -> None:
    """The appointment stands as `state` for the code `reason`, without a place."""
    changed = Appointment.objects.filter(pk=appointment.pk).exclude(
        state__in=(Appointment.CHECKED_IN, Appointment.NO_SHOW)
    )
    if changed.update(state=state, reason=reason[:40], slot=None, ended_at=now):
        audit(f"appointment.{state}", appointment.subject, reason=reason)
        publish(AppointmentChanged(appointment.pk))


@transaction.atomic
def fail(appointment: Appointment, *, reason: str, answers: dict[str, Any] | None, now: datetime) -> None:
    """不成功, for the code `reason`. `answers` of the recommendation form say what was offered and not taken (W-70…W-73)."""
    for slot in Slot.objects.filter(appointment=appointment, state=Slot.HELD):
        _free(slot, Q(state=Slot.HELD, appointment=appointment))
    offered = answers or {}
    doctor = clinics.doctor_by_key(offered["doctor"]) if offered.get("doctor") else None
    if doctor is not None and appointment.wanted_date is not None:
        appointment.recommended_doctor = doctor
        appointment.recommended_clinic = clinics.clinic_by_key(offered.get("clinic") or "")
        with suppress(ValueError, TypeError):
            appointment.recommended_date = date.fromisoformat(offered.get("date") or "")
        hour = offered.get("hour")
        appointment.recommended_hour = hour if isinstance(hour, int) else None
        appointment.recommended_state = "failed"
        appointment.save()
    end(appointment, Appointment.FAILED, reason, now)


def _free(slot: Slot, as_seen: Q) -> bool:
    """Free (a returned place when it was booked), or off when the doctor does not come; then the list of those who wait is asked.
    False when it changed meanwhile."""
    stays_off = Schedule.objects.filter(pk=slot.schedule_id, state=Schedule.SUSPENDED).exists()
    values = {"appointment": None, "held_until": None, "taken_key": None}
    values["is_returned"] = slot.is_returned or slot.state == Slot.BOOKED
    freed = Slot.objects.filter(as_seen, pk=slot.pk).update(state=Slot.OFF if stays_off else Slot.FREE, **values)
    if freed:
        jobs.cancel(f"hold:{slot.pk}")
        Waiting.objects.filter(offered_slot=slot.pk, state=Waiting.OFFERED).update(
            state=Waiting.WAITING, offered_until=None
        )
        _sit_again(slot)
        if not stays_off:
            offer_later(slot)
    return bool(freed)


def _sit_again(slot: Slot) -> None:
    """A move within one hour that came to nothing: the booked place is the patient's only one again."""
    for former in Slot.objects.filter(appointment=slot.appointment_id, state=Slot.BOOKED, taken_key=None):
        key = key_for(slot.appointment, former.date, former.hour)
        with suppress(IntegrityError), transaction.atomic():
            Slot.objects.filter(pk=former.pk, state=Slot.BOOKED).update(taken_key=key)


def offer_later(slot: Slot) -> None:
    """A place is free: those who wait are asked by a job."""
    jobs.enqueue(OFFER, key=f"offer:{slot.pk}", payload={"slot": slot.pk})


def look_soon() -> None:
    """Have somebody look for what is overdue or was left behind, now."""
    jobs.enqueue(EXPIRE, key="appointments-look")


@transaction.atomic
def expire_overdue(now: datetime, limit: int = 200) -> int:
    """Free what was held and neither paid nor released in time: the belt beside the flow's own timer. How many were freed."""
    late = Slot.objects.filter(state=Slot.HELD, held_until__lte=now - GRACE).order_by("pk")[:limit]
    freed = 0
    for slot in late:
        appointment = slot.appointment
        is_offer = Waiting.objects.filter(offered_slot=slot, state=Waiting.OFFERED).exists()
        if is_offer:
            continue  # the waiting list lets its offers lapse itself
        if not _free(slot, Q(state=Slot.HELD, held_until=slot.held_until)):
            continue
        freed += 1
        lost = Appointment.objects.filter(pk=appointment.pk, state=Appointment.HELD, slot=slot)
        lost.update(state=Appointment.CANCELLED, reason="unpaid", slot=None, ended_at=now)
        Appointment.objects.filter(pk=appointment.pk, slot=slot).update(slot=None)
        audit("appointment.expired", appointment.subject, slot=slot.pk)
        publish(AppointmentChanged(appointment.pk))
    return freed


# --- the visit -------------------------------------------------------------------------------------------------------
@transaction.atomic
def check_in(appointment: Appointment, slot_id: int | None, *, arrived: bool, now: datetime) -> None:
    """The patient came, or did not: the place is used either way. Said twice, the first word stands."""
    state = Appointment.CHECKED_IN if arrived else Appointment.NO_SHOW
    said = Appointment.objects.filter(pk=appointment.pk).exclude(
        state__in=(Appointment.CHECKED_IN, Appointment.NO_SHOW)
    )
    if not said.update(state=state, reason=None, seen_at=now, ended_at=now):
        return
    Slot.objects.filter(pk=slot_id, appointment=appointment, state=Slot.BOOKED).update(state=Slot.USED)
    audit(f"appointment.{state}", appointment.subject, person=_person(appointment))
    publish(AppointmentChanged(appointment.pk))


def _person(appointment: Appointment) -> str:
    return f"customer:{appointment.customer_id}" if appointment.customer_id else ""
