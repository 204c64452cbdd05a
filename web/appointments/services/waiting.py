"""The waiting list (W-48, W-49, W-74): who waits, in which order, and who is offered a place that came free.

An offer is a hold of the slot for the waiting patient for OFFER_TIME. Taking, refusing and lapsing are one conditional update of the
waiting row each: of those who try at once one succeeds.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q

from web.appointments.events import AppointmentChanged
from web.appointments.models import Appointment, Schedule, Slot, Waiting, starts_at
from web.clinics.models import Department, Doctor
from web.common.audit import audit
from web.common.publishing import publish
from web.jobs import services as jobs
from web.membership import services as membership
from web.places.models import Clinic

from . import slots

OFFER_TIME = timedelta(minutes=15)
BEFORE_VISIT = timedelta(hours=2)
USUAL_START = 8
ENDED_AS = {"cancelled": Appointment.CANCELLED}


@transaction.atomic
def join(
    appointment: Appointment, *, clinic: str, department: str, doctor: str, date: str, now: datetime
) -> tuple[Waiting, int]:
    """Wait for this doctor, or (doctor "") for any expert of the department in the clinic, on this day. Answers the row and the
    position, 1 = next. LookupError for an unknown clinic, department, doctor or day: the form offers only known ones.

    One open row an appointment: joining again moves it, with its place in line when the wish is the same.
    """
    place, section = Clinic.objects.filter(key=clinic).first(), Department.objects.filter(key=department).first()
    expert = Doctor.objects.filter(key=doctor).first() if doctor else None
    if place is None or section is None or (doctor and expert is None):
        raise LookupError("no such clinic, department or doctor")
    day = _day(date)
    wish = {"clinic": place, "department": section, "doctor": expert, "date": day}
    waiting = Waiting.objects.filter(appointment=appointment, state__in=Waiting.OPEN).first()
    if waiting is not None and any(getattr(waiting, name) != value for name, value in wish.items()):
        leave(waiting, reason="moved", now=now)
        waiting = None
    if waiting is None:
        benefits = membership.benefits(appointment.customer)
        waiting = Waiting.objects.create(
            appointment=appointment,
            **wish,
            rank=benefits.get("queue_rank", 0),
            refund_priority=bool(benefits.get("refund_priority")),
            joined_at=now,
            expires_at=_opens(place, section, expert, day) - BEFORE_VISIT,
        )
        audit("appointment.waiting", appointment.subject, waiting=waiting.pk)
    Appointment.objects.filter(pk=appointment.pk).update(
        state=Appointment.WAITING, reason=None, ended_at=None, clinic=place, department=section, date=day
    )
    jobs.enqueue(slots.OFFER, key=f"offer-to:{waiting.pk}", payload={"waiting": waiting.pk})
    sweep_at = max(waiting.expires_at, now) + slots.GRACE
    jobs.enqueue(slots.EXPIRE, key=f"waiting:{waiting.pk}", payload={"waiting": waiting.pk}, due_at=sweep_at)
    publish(AppointmentChanged(appointment.pk))
    return waiting, position(waiting)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise LookupError("no such day") from None


def _opens(clinic: Clinic, department: Department, doctor: Doctor | None, day: date) -> datetime:
    """When the wanted day begins there."""
    rows = Schedule.objects.filter(post__clinic=clinic, post__department=department, date=day)
    if doctor is not None:
        rows = rows.filter(post__doctor=doctor)
    first = rows.order_by("start_hour").values_list("start_hour", flat=True).first()
    return starts_at(day, USUAL_START if first is None else first)


def position(waiting: Waiting) -> int:
    """1 = next of those who wait for the same places."""
    for place, row in enumerate(_in_order(_same_line(waiting), is_returned=False), start=1):
        if row.pk == waiting.pk:
            return place
    return 1


def _same_line(waiting: Waiting):
    rows = Waiting.objects.filter(
        clinic=waiting.clinic_id, department=waiting.department_id, date=waiting.date, state=Waiting.WAITING
    )
    return rows.filter(Q(doctor=waiting.doctor_id) | Q(doctor=None)) if waiting.doctor_id else rows


def _in_order(rows, *, is_returned: bool) -> list[Waiting]:
    """Members with the benefit first for a place that comes back, who let an offer go by later, then by class, then by time."""
    first = ["-refund_priority"] if is_returned else []
    return list(rows.order_by(*first, "passed", "-rank", "joined_at", "pk"))


# --- offering --------------------------------------------------------------------------------------------------------
@transaction.atomic
def offer(slot: Slot, *, now: datetime) -> Waiting | None:
    """Offer a free place to the first who waits for it; None when nobody does or it is not free any more. Returned places go to members
    with that benefit first (W-48)."""
    slot.refresh_from_db()
    if slot.state != Slot.FREE or slot.schedule.state != Schedule.OPEN or slot.starts_at <= now + OFFER_TIME:
        return None
    waiting = Waiting.objects.filter(
        Q(doctor=slot.doctor_id) | Q(doctor=None),
        clinic=slot.clinic_id,
        department=slot.department_id,
        date=slot.date,
        state=Waiting.WAITING,
        expires_at__gt=now,
    ).exclude(offered_slot=slot)  # it went by him already
    for row in _in_order(waiting.select_related("appointment"), is_returned=slot.is_returned):
        try:
            if _offer_to(row, slot, now):
                return row
        except _Gone:
            return None
    return None


class _Gone(Exception):
    """Somebody else has the place."""


def _offer_to(waiting: Waiting, slot: Slot, now: datetime) -> bool:
    """False when he cannot have it: he sits with another doctor then, or waits no longer. _Gone when the place is not free any more."""
    until, appointment, offers = now + OFFER_TIME, waiting.appointment, waiting.offers + 1
    try:
        with transaction.atomic():
            if not slots.take(slot.pk, appointment, slot.date, slot.hour, state=Slot.HELD, until=until):
                raise _Gone
            mine = Waiting.objects.filter(pk=waiting.pk, state=Waiting.WAITING)
            if not mine.update(state=Waiting.OFFERED, offered_slot=slot, offered_until=until, offers=offers):
                raise slots.Elsewhere
    except slots.Elsewhere:
        return False
    jobs.receive(
        "slot.offered",
        message_id=f"slot.offered:{waiting.pk}:{offers}",
        business_key=appointment.business_key,
        keys={"waiting": str(waiting.pk)},
        payload={"slot": str(slot.pk), "until": until.isoformat()},
        ttl=OFFER_TIME,
    )
    jobs.enqueue(slots.EXPIRE, key=f"hold:{slot.pk}", payload={"slot": slot.pk}, due_at=until + slots.GRACE)
    audit("appointment.offered", appointment.subject, slot=slot.pk, waiting=waiting.pk)
    return True


def offer_free_places(*, waiting: Waiting | None = None, schedule: Schedule | None = None, now: datetime) -> int:
    """Somebody has come to wait, or a schedule has new places: offer what is free now. How many offers were made."""
    free = Slot.objects.filter(state=Slot.FREE, schedule__state=Schedule.OPEN).order_by("date", "hour", "seq")
    if waiting is not None:
        free = free.filter(clinic=waiting.clinic_id, department=waiting.department_id, date=waiting.date)
        free = free.filter(doctor=waiting.doctor_id) if waiting.doctor_id else free
    if schedule is not None:
        free = free.filter(schedule=schedule)
    made = 0
    for slot in free.select_related("schedule")[:50]:
        if slot.starts_at <= now + OFFER_TIME:
            continue
        if offer(slot, now=now) is None:
            break
        made += 1
    return made


# --- answers -----------------------------------------------------------------------------------------------------------
@transaction.atomic
def take_offer(waiting: Waiting, *, now: datetime) -> slots.Held:
    """The patient accepts. outcome held, or gone: it lapsed, went back or the doctor does not come."""
    slot = waiting.offered_slot
    taken = slot is not None and Waiting.objects.filter(pk=waiting.pk, state=Waiting.OFFERED, offered_slot=slot).update(
        state=Waiting.TAKEN
    )
    held = slots.keep_offered(waiting.appointment, slot, now) if taken else None
    if held is None and taken:
        Waiting.objects.filter(pk=waiting.pk).update(state=Waiting.WAITING, offered_until=None)
    return held or slots.Held("gone")


@transaction.atomic
def refuse_offer(waiting: Waiting, *, stay: bool, now: datetime) -> None:
    """The patient does not want this place: the next one is asked. `stay`: he goes on waiting for another."""
    if stay:
        _pass_by(waiting)
        return
    if Waiting.objects.filter(pk=waiting.pk, state__in=Waiting.OPEN).update(state=Waiting.REFUSED):
        _give_back(waiting)
        slots.end(waiting.appointment, Appointment.FAILED, "refused", now)


@transaction.atomic
def leave(waiting: Waiting, *, reason: str, now: datetime) -> None:
    """He waits no longer: `expired`, `cancelled`, `refused` or another code. What he was offered goes to the next."""
    state = Waiting.EXPIRED if reason == "expired" else Waiting.LEFT
    if not Waiting.objects.filter(pk=waiting.pk, state__in=Waiting.OPEN).update(state=state):
        return
    jobs.cancel(f"waiting:{waiting.pk}")
    _give_back(waiting)
    if reason != slots.MOVED:
        slots.end(waiting.appointment, ENDED_AS.get(reason, Appointment.FAILED), reason, now)


def _give_back(waiting: Waiting) -> None:
    waiting.refresh_from_db()
    slot = waiting.offered_slot
    if slot is not None:
        slots.give_back(slot, waiting.appointment)


def _pass_by(waiting: Waiting) -> bool:
    """An offer went by: he waits on, behind those who have not been asked yet, and is not asked for this place again."""
    passed = Waiting.objects.filter(pk=waiting.pk, state=Waiting.OFFERED).update(
        state=Waiting.WAITING, offered_until=None, passed=waiting.passed + 1
    )
    if passed:
        _give_back(waiting)
    return bool(passed)


@transaction.atomic
def lapse(now: datetime, limit: int = 200) -> int:
    """Offers nobody answered in time go to the next in line; who waited past the day's beginning waits no more. How many."""
    changed = 0
    for waiting in Waiting.objects.filter(state=Waiting.OFFERED, offered_until__lte=now - slots.GRACE)[:limit]:
        changed += _pass_by(waiting)
    for waiting in Waiting.objects.filter(state__in=Waiting.OPEN, expires_at__lte=now - slots.GRACE)[:limit]:
        leave(waiting, reason="expired", now=now)
        changed += 1
    return changed


@transaction.atomic
def let_go_of_cancelled(now: datetime, limit: int = 200) -> int:
    """A flow that was ended by hand cannot give its place back itself. How many appointments were let go."""
    open_states = (Appointment.HELD, Appointment.BOOKED, Appointment.WAITING)
    lost = Appointment.objects.filter(
        state__in=open_states, ticket__closed_at__isnull=False, ticket__outcome="cancelled"
    )
    rows = list(lost.order_by("pk")[:limit])
    for appointment in rows:
        for waiting in Waiting.objects.filter(appointment=appointment, state__in=Waiting.OPEN):
            leave(waiting, reason="cancelled", now=now)
        for slot in Slot.objects.filter(appointment=appointment, state__in=(Slot.HELD, Slot.BOOKED)):
            slots.release(appointment, slot.pk, reason="cancelled", now=now)
        slots.end(appointment, Appointment.CANCELLED, "cancelled", now)
    return len(rows)
