"""What is free: live counts for the form, and the second recommendation (W-70…W-75) from real free places."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet

from web.appointments.models import Appointment, Schedule, Slot, starts_at
from web.clinics.models import Post
from web.places.models import Clinic

MOST = 20
MOST_OF_A_KIND = 5
AHEAD = timedelta(days=14)


def counts(slots: QuerySet[Slot], now: datetime) -> list[dict[str, Any]]:
    """Rows {date, hour, doctor {key, name, name_en, title}, clinic, department, free, total, prepay, fee_fen} of hours that have not begun,
    by day and hour; an hour whose places are all gone is there with free 0."""
    today = _local(now).date()
    grouped = (
        slots.filter(schedule__state=Schedule.OPEN, date__gte=today)
        .values("doctor", "clinic", "department", "date", "hour")
        .annotate(free=Count("pk", filter=Q(state=Slot.FREE)), total=Count("pk"))
        .order_by("date", "hour", "doctor", "clinic")
    )
    found = [row for row in grouped if starts_at(row["date"], row["hour"]) > now]
    posts = _posts({(row["doctor"], row["clinic"], row["department"]) for row in found})
    return [
        _row(row, post)
        for row in found
        if (post := posts.get((row["doctor"], row["clinic"], row["department"]))) is not None
    ]


def _posts(keys: Iterable[tuple[int, int, int]]) -> dict[tuple[int, int, int], Post]:
    """Only of doctors who work there now: one who moved takes nobody any more."""
    doctors = {doctor for doctor, _, _ in keys}
    rows = Post.objects.filter(doctor__in=doctors, is_active=True, doctor__is_active=True, clinic__is_active=True)
    return {
        (post.doctor_id, post.clinic_id, post.department_id): post
        for post in rows.select_related("doctor", "clinic", "department")
    }


def _row(row: dict[str, Any], post: Post) -> dict[str, Any]:
    return {
        "date": row["date"],
        "hour": row["hour"],
        "doctor": {
            "key": post.doctor.key,
            "name": post.doctor.name,
            "name_en": post.doctor.name_en,
            "title": post.doctor.title,
        },
        "clinic": _named(post.clinic),
        "department": _named(post.department),
        "free": row["free"],
        "total": row["total"],
        "prepay": post.prepay,
        "fee_fen": post.fee_fen,
    }


def _named(row: Any) -> dict[str, Any]:
    return {"key": row.key, "name": row.name, "name_en": row.name_en}


def _local(at: datetime) -> datetime:
    return at.astimezone(starts_at(at.date(), 0).tzinfo)


def search(
    *, clinic: str = "", department: str = "", doctor: str = "", since: date | None = None, days: int = 7, now: datetime
) -> list[dict[str, Any]]:
    """Live counts of a clinic, department or doctor from a day on."""
    first = since or _local(now).date()
    rows = Slot.objects.filter(date__gte=first, date__lt=first + timedelta(days=days))
    for name, key in (("clinic", clinic), ("department", department), ("doctor", doctor)):
        rows = rows.filter(**{f"{name}__key": key}) if key else rows
    return counts(rows, now)


def suggestions(appointment: Appointment, now: datetime) -> list[dict[str, Any]]:
    """At most MOST rows with a free place, each with `kind`, in the order of A6: the same doctor later, the same department in the clinic,
    in another clinic, the same doctor in another clinic. Clinics of the same city first, then what is nearest to the wish. No kind takes
    more than MOST_OF_A_KIND while others have something to offer."""
    clinic, department, doctor = (
        appointment.wanted_clinic_id,
        appointment.wanted_department_id,
        appointment.wanted_doctor_id,
    )
    if not (clinic and department and appointment.wanted_date):
        return []
    first = max(appointment.wanted_date, _local(now).date())
    wish = (appointment.wanted_date, appointment.wanted_hour or 0)
    near = Q(department=department) | Q(doctor=doctor) if doctor else Q(department=department)
    rows = Slot.objects.filter(near, date__gte=first, date__lte=first + AHEAD)
    kinds: dict[str, list[dict[str, Any]]] = {
        "same_doctor_later": [],
        "same_department_here": [],
        "same_department_elsewhere": [],
        "same_doctor_elsewhere": [],
    }
    wanted = appointment.wanted_doctor.key if doctor else None
    here, section = appointment.wanted_clinic.key, appointment.wanted_department.key
    for row in counts(rows, now):
        if not row["free"]:
            continue
        is_doctor, is_here = row["doctor"]["key"] == wanted, row["clinic"]["key"] == here
        if is_doctor and is_here:
            if (row["date"], row["hour"]) > wish:
                kinds["same_doctor_later"].append(row)
        elif is_doctor:
            kinds["same_doctor_elsewhere"].append(row)
        elif row["department"]["key"] == section:
            kinds["same_department_here" if is_here else "same_department_elsewhere"].append(row)
    city = set(Clinic.objects.filter(region=appointment.wanted_clinic.region_id).values_list("key", flat=True))

    def distance(row: dict[str, Any]) -> tuple:
        return (
            row["clinic"]["key"] not in city,
            row["date"],
            abs(row["hour"] - wish[1]),
            row["hour"],
            row["doctor"]["key"],
        )

    for found in kinds.values():
        found.sort(key=distance)
    quota = {kind: min(len(found), MOST_OF_A_KIND) for kind, found in kinds.items()}
    for kind, found in kinds.items():
        quota[kind] += min(MOST - sum(quota.values()), len(found) - quota[kind])
    return [{"kind": kind, **row} for kind, found in kinds.items() for row in found[: quota[kind]]]
