"""How appointments, schedules and free places are shown, with the types the API's schema names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from rest_framework import serializers

from . import services
from .models import Appointment, Schedule, Slot, starts_at


class PlaceNameOut(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField(allow_null=True)


class DoctorNameOut(PlaceNameOut):
    title = serializers.CharField(allow_null=True)


class FreeRow(serializers.Serializer):
    date = serializers.DateField()
    hour = serializers.IntegerField()
    doctor = DoctorNameOut()
    clinic = PlaceNameOut()
    department = PlaceNameOut()
    free = serializers.IntegerField()
    total = serializers.IntegerField()
    prepay = serializers.BooleanField()
    fee_fen = serializers.IntegerField()


class SuggestionRow(FreeRow):
    kind = serializers.ChoiceField(
        ["same_doctor_later", "same_department_here", "same_department_elsewhere", "same_doctor_elsewhere"]
    )


class AppointmentRow(serializers.Serializer):
    number = serializers.CharField(allow_null=True, help_text="of its ticket")
    state = serializers.ChoiceField([state for state, _ in Appointment.STATES])
    reason = serializers.CharField(allow_null=True)
    patient = serializers.CharField(allow_null=True, help_text="masked")
    patient_number = serializers.CharField(allow_null=True, help_text="患者编号 = 诊疗卡号 (W-37)")
    relation = serializers.CharField(allow_null=True)
    visit_kind = serializers.ChoiceField([kind for kind, _ in Appointment.KINDS])
    clinic = PlaceNameOut(allow_null=True)
    department = PlaceNameOut(allow_null=True)
    doctor = DoctorNameOut(allow_null=True)
    date = serializers.DateField(allow_null=True)
    hour = serializers.IntegerField(allow_null=True)
    visit_at = serializers.DateTimeField(allow_null=True)
    prepay = serializers.BooleanField()
    fee_fen = serializers.IntegerField()
    payment = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    booked_at = serializers.DateTimeField(allow_null=True)
    seen_at = serializers.DateTimeField(allow_null=True)
    can = serializers.ListField(child=serializers.ChoiceField(["check-in", "cancel", "reschedule"]))


class AppointmentPage(serializers.Serializer):
    results = AppointmentRow(many=True)
    next = serializers.CharField(allow_null=True)


class ScheduleRow(serializers.Serializer):
    id = serializers.IntegerField()
    post = serializers.IntegerField()
    doctor = DoctorNameOut()
    clinic = PlaceNameOut()
    department = PlaceNameOut()
    date = serializers.DateField()
    start_hour = serializers.IntegerField()
    end_hour = serializers.IntegerField()
    per_hour = serializers.IntegerField()
    state = serializers.ChoiceField([state for state, _ in Schedule.STATES])
    free = serializers.IntegerField()
    taken = serializers.IntegerField()


def _named(row: Any, *more: str) -> dict[str, Any] | None:
    return {name: getattr(row, name) for name in ("key", "name", "name_en", *more)} if row else None


def appointment_rows(rows: Iterable[Appointment], user: Any) -> list[dict[str, Any]]:
    can = services.possible(rows, user)
    return [_appointment(row, can[row.pk]) for row in rows]


def appointment_row(row: Appointment, user: Any) -> dict[str, Any]:
    return appointment_rows([row], user)[0]


def _appointment(row: Appointment, can: list[str]) -> dict[str, Any]:
    plain = ("state", "reason", "relation", "visit_kind", "date", "hour", "prepay", "fee_fen", "payment")
    shown = {
        "number": row.ticket.number if row.ticket_id else None,
        "patient": row.patient_masked,
        "patient_number": row.customer.number if row.customer_id else None,
        "clinic": _named(row.clinic),
        "department": _named(row.department),
        "doctor": _named(row.doctor, "title"),
        "visit_at": starts_at(row.date, row.hour) if row.date and row.hour is not None else None,
        "can": can,
        **{name: getattr(row, name) for name in (*plain, "created_at", "booked_at", "seen_at")},
    }
    return AppointmentRow(shown).data


def schedule_rows(rows: QuerySet[Schedule], first: date, days: int) -> list[dict[str, Any]]:
    found = list(
        rows.filter(date__gte=first, date__lt=first + timedelta(days=days))
        .select_related("post__doctor", "post__clinic", "post__department")
        .order_by("date", "start_hour", "pk")[:500]
    )
    counted = {
        row["schedule"]: row
        for row in Slot.objects.filter(schedule__in=[row.pk for row in found])
        .values("schedule")
        .annotate(free=Count("pk", filter=Q(state=Slot.FREE)), taken=Count("pk", filter=Q(state__in=Slot.TAKEN)))
        .order_by("schedule")
    }
    shown = [
        {
            "id": row.pk,
            "post": row.post_id,
            "doctor": _named(row.post.doctor, "title"),
            "clinic": _named(row.post.clinic),
            "department": _named(row.post.department),
            **{name: getattr(row, name) for name in ("date", "start_hour", "end_hour", "per_hour", "state")},
            "free": counted.get(row.pk, {}).get("free", 0),
            "taken": counted.get(row.pk, {}).get("taken", 0),
        }
        for row in found
    ]
    return list(ScheduleRow(shown, many=True).data)
