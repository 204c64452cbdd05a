"""When doctors are where (W-100): schedules and their slots, kept by the clinic's own people; suspension (停诊)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from web.accounts import services as accounts
from web.appointments.models import Schedule, Slot, starts_at
from web.clinics import services as clinics
from web.clinics.models import Post
from web.common import clock
from web.common.audit import audit
from web.common.errors import NotAllowed
from web.jobs import services as jobs

from . import slots
from .errors import ScheduleTaken, bad

PERMISSION = "appointments.schedule"
FURTHEST = timedelta(days=180)
MOST_PER_HOUR = 60


def require_clinic(user: Any, clinic_id: int) -> None:
    """NotAllowed unless the user keeps schedules and works for this clinic."""
    accounts.require(user, PERMISSION)
    if not clinics.clinics_of(user).filter(pk=clinic_id).exists():
        raise NotAllowed(needs="clinic_staff")


@transaction.atomic
def add(post: Post, *, day: date, start_hour: int, end_hour: int, per_hour: int, acting_user: Any) -> Schedule:
    """A new schedule with its slots. BadInput names the field and why: past, too_far, bad_hours, capacity, off (doctor, post or clinic
    not active), overlaps (the doctor is somewhere at these hours, also where he is suspended; facts clinic, start_hour, end_hour)."""
    if acting_user is not None:
        require_clinic(acting_user, post.clinic_id)
    _check(post, day, start_hour, end_hour, per_hour)
    try:
        with transaction.atomic():
            schedule = Schedule.objects.create(
                post=post,
                date=day,
                start_hour=start_hour,
                end_hour=end_hour,
                per_hour=per_hour,
                created_by=getattr(acting_user, "number", None),
            )
            _make_slots(schedule, range(start_hour, end_hour), range(1, per_hour + 1))
    except IntegrityError:  # two people put the doctor into the same hours at once
        raise bad("start_hour", "overlaps") from None
    audit("schedule.added", f"schedule:{schedule.pk}", actor=acting_user, date=day, post=post.pk, per_hour=per_hour)
    _offer(schedule)
    return schedule


@dataclass(frozen=True, slots=True)
class Plan:
    """One line of a plan: `post` from `start_hour` to `end_hour` on `day`, `per_hour` patients an hour."""

    post: Post
    day: date
    start_hour: int
    end_hour: int
    per_hour: int


@transaction.atomic
def lay_out(plans: Iterable[Plan], *, by: str = "") -> int:
    """Many schedules at once, from another system or for a demonstration. A line whose doctor is somewhere at these hours already, also by a
    line before it, is left out. How many were added."""
    plans = list(plans)
    days = [plan.day for plan in plans]
    taken: dict[tuple[int, date], list[tuple[int, int]]] = {}
    known = Schedule.objects.filter(date__gte=min(days), date__lte=max(days)) if days else Schedule.objects.none()
    for doctor, day, first, last in known.values_list("post__doctor", "date", "start_hour", "end_hour"):
        taken.setdefault((doctor, day), []).append((first, last))
    new = []
    for plan in plans:
        there = taken.setdefault((plan.post.doctor_id, plan.day), [])
        if any(first < plan.end_hour and plan.start_hour < last for first, last in there):
            continue
        there.append((plan.start_hour, plan.end_hour))
        hours = {"start_hour": plan.start_hour, "end_hour": plan.end_hour, "per_hour": plan.per_hour}
        new.append(Schedule(post=plan.post, date=plan.day, created_by=by or None, **hours))
    Schedule.objects.bulk_create(new, batch_size=500)
    rows = (
        slot
        for schedule in new
        for slot in _slots(schedule, range(schedule.start_hour, schedule.end_hour), range(1, schedule.per_hour + 1))
    )
    Slot.objects.bulk_create(rows, batch_size=500)
    return len(new)


def _check(post: Post, day: date, start_hour: int, end_hour: int, per_hour: int) -> None:
    now = clock.now()
    if not (post.is_active and post.doctor.is_active and post.clinic.is_active):
        raise bad("post", "off")
    if not (0 <= start_hour < end_hour <= 24):
        raise bad("end_hour", "bad_hours")
    if not 0 < per_hour <= MOST_PER_HOUR:
        raise bad("per_hour", "capacity", most=MOST_PER_HOUR)
    if starts_at(day, start_hour) <= now:
        raise bad("date", "past")
    if starts_at(day, 0) > now + FURTHEST:
        raise bad("date", "too_far")
    _refuse_overlap(post, day, start_hour, end_hour)


def _refuse_overlap(post: Post, day: date, start_hour: int, end_hour: int, *, but: int | None = None) -> None:
    there = Schedule.objects.filter(
        post__doctor=post.doctor_id, date=day, start_hour__lt=end_hour, end_hour__gt=start_hour
    ).exclude(pk=but)
    other = there.select_related("post__clinic").first()
    if other is not None:
        where = {"clinic": other.post.clinic.key, "start_hour": other.start_hour, "end_hour": other.end_hour}
        raise bad("start_hour", "overlaps", schedule=other.pk, state=other.state, **where)


def _make_slots(schedule: Schedule, hours: range, places: range) -> None:
    known = set(schedule.slots.values_list("hour", "seq"))
    wanted = _slots(schedule, hours, places)
    Slot.objects.bulk_create(slot for slot in wanted if (slot.hour, slot.seq) not in known)


def _slots(schedule: Schedule, hours: range, places: range) -> Iterator[Slot]:
    post, state = schedule.post, Slot.FREE if schedule.state == Schedule.OPEN else Slot.OFF
    where = {"doctor_id": post.doctor_id, "clinic_id": post.clinic_id, "department_id": post.department_id}
    for hour in hours:
        for seq in places:
            yield Slot(schedule=schedule, date=schedule.date, hour=hour, seq=seq, state=state, **where)


@transaction.atomic
def change(
    schedule: Schedule,
    *,
    start_hour: int | None = None,
    end_hour: int | None = None,
    per_hour: int | None = None,
    acting_user: Any,
) -> Schedule:
    """Other hours or another number of patients. ScheduleTaken when places that patients have would go; BadInput as `add`."""
    require_clinic(acting_user, schedule.post.clinic_id)
    first = schedule.start_hour if start_hour is None else start_hour
    last = schedule.end_hour if end_hour is None else end_hour
    places = schedule.per_hour if per_hour is None else per_hour
    if not (0 <= first < last <= 24):
        raise bad("end_hour", "bad_hours")
    if not 0 < places <= MOST_PER_HOUR:
        raise bad("per_hour", "capacity", most=MOST_PER_HOUR)
    if starts_at(schedule.date, schedule.end_hour - 1) <= clock.now():
        raise bad("date", "past")
    _refuse_overlap(schedule.post, schedule.date, first, last, but=schedule.pk)
    before = {"start_hour": schedule.start_hour, "end_hour": schedule.end_hour, "per_hour": schedule.per_hour}
    unwanted = schedule.slots.exclude(hour__gte=first, hour__lt=last, seq__lte=places)
    # Off first: a place somebody takes in this moment stays, is counted below, and then nothing changes at all.
    unwanted.filter(state__in=(Slot.FREE, Slot.OFF)).update(state=Slot.OFF)
    unwanted.filter(state=Slot.OFF).delete()
    taken = unwanted.count()
    if taken:
        raise ScheduleTaken(taken=taken)
    schedule.start_hour, schedule.end_hour, schedule.per_hour = first, last, places
    schedule.save(update_fields=["start_hour", "end_hour", "per_hour"])
    try:
        with transaction.atomic():
            _make_slots(schedule, range(first, last), range(1, places + 1))
    except IntegrityError:
        raise bad("start_hour", "overlaps") from None
    audit("schedule.changed", f"schedule:{schedule.pk}", actor=acting_user, before=before)
    _offer(schedule)
    return schedule


@transaction.atomic
def suspend(schedule: Schedule, *, reason: str, acting_user: Any) -> int:
    """停诊: the doctor does not come. Free places go off at once; every appointment with a place there hears `appointment.suspended` and
    its flow decides (another place, refund, waiting). Answers how many were told. Suspending twice tells nobody again."""
    require_clinic(acting_user, schedule.post.clinic_id)
    if not Schedule.objects.filter(pk=schedule.pk, state=Schedule.OPEN).update(state=Schedule.SUSPENDED):
        return 0
    Slot.objects.filter(schedule=schedule, state=Slot.FREE).update(state=Slot.OFF)
    told = 0
    for slot in Slot.objects.filter(schedule=schedule, state__in=(Slot.HELD, Slot.BOOKED)).select_related(
        "appointment"
    ):
        jobs.receive(
            "appointment.suspended",
            message_id=f"appointment.suspended:{schedule.pk}:{slot.pk}:{clock.now().isoformat()}",
            business_key=slot.appointment.business_key,
            payload={"by": getattr(acting_user, "number", ""), "reason": reason, "slot": str(slot.pk)},
            ttl=max(slot.ends_at - clock.now(), timedelta(minutes=1)),  # his flow may be waiting for a form just now
        )
        told += 1
    audit("schedule.suspended", f"schedule:{schedule.pk}", actor=acting_user, reason=reason, told=told)
    return told


@transaction.atomic
def reopen(schedule: Schedule, *, acting_user: Any) -> Schedule:
    """The doctor comes after all: places nobody has are free again."""
    require_clinic(acting_user, schedule.post.clinic_id)
    if Schedule.objects.filter(pk=schedule.pk, state=Schedule.SUSPENDED).update(state=Schedule.OPEN):
        Slot.objects.filter(schedule=schedule, state=Slot.OFF).update(state=Slot.FREE)
        audit("schedule.reopened", f"schedule:{schedule.pk}", actor=acting_user)
        schedule.refresh_from_db()
        _offer(schedule)
    return schedule


def _offer(schedule: Schedule) -> None:
    jobs.enqueue(slots.OFFER, key=f"offer-schedule:{schedule.pk}", payload={"schedule": schedule.pk})


def tomorrow(now: datetime) -> date:
    """The day after, as the centre counts."""
    return local_day(now) + timedelta(days=1)


def local_day(now: datetime) -> date:
    return now.astimezone(starts_at(now.date(), 0).tzinfo).date()
