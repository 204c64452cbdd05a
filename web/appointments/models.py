from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import Case, CheckConstraint, F, Q, UniqueConstraint, When

from web.common import clock
from web.common.fields import SealedTextField


def starts_at(date, hour: int) -> datetime:
    """The instant at which an hour of a day at the centre begins."""
    return datetime(date.year, date.month, date.day, hour, tzinfo=ZoneInfo(settings.TIME_ZONE))


class Schedule(models.Model):
    """A doctor is at a clinic on a day from `start_hour` to `end_hour` and takes `per_hour` patients an hour (W-100)."""

    OPEN, SUSPENDED = "open", "suspended"
    STATES = [(s, s) for s in (OPEN, SUSPENDED)]

    post = models.ForeignKey("clinics.Post", on_delete=models.PROTECT, related_name="schedules")
    date = models.DateField()
    start_hour = models.IntegerField()
    end_hour = models.IntegerField(help_text="the first hour that is over: 9 to 12 are three hours")
    per_hour = models.IntegerField()
    state = models.CharField(max_length=10, choices=STATES, default=OPEN)
    created_by = models.CharField(max_length=20, blank=True, null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "appointments_schedule"
        indexes = [models.Index(fields=["date", "post"], name="appointments_sched_date_ix")]
        constraints = [
            CheckConstraint(
                condition=Q(start_hour__gte=0, end_hour__lte=24, end_hour__gt=F("start_hour"), per_hour__gt=0),
                name="appointments_sched_ck",
            )
        ]


class Slot(models.Model):
    """One patient's place in one hour of a doctor. Whoever changes `state` by a conditional update owns it; `taken_key` (patient, day and
    hour) is unique, so that nobody sits with two doctors at once."""

    FREE, HELD, BOOKED, USED, OFF = "free", "held", "booked", "used", "off"
    STATES = [(s, s) for s in (FREE, HELD, BOOKED, USED, OFF)]
    TAKEN = (HELD, BOOKED, USED)

    schedule = models.ForeignKey(Schedule, on_delete=models.PROTECT, related_name="slots")
    doctor = models.ForeignKey("clinics.Doctor", on_delete=models.PROTECT, related_name="slots")
    clinic = models.ForeignKey("places.Clinic", on_delete=models.PROTECT, related_name="slots")
    department = models.ForeignKey("clinics.Department", on_delete=models.PROTECT, related_name="slots")
    date = models.DateField()
    hour = models.IntegerField()
    seq = models.IntegerField()
    state = models.CharField(max_length=10, choices=STATES, default=FREE)
    appointment = models.ForeignKey(
        "Appointment", null=True, blank=True, on_delete=models.PROTECT, related_name="slots"
    )
    held_until = models.DateTimeField(null=True, blank=True)
    is_returned = models.BooleanField(default=False, help_text="free again after it was booked (W-48)")
    taken_key = models.CharField(max_length=60, null=True, blank=True, unique=True)

    class Meta:
        db_table = "appointments_slot"
        indexes = [
            models.Index(fields=["state", "held_until"], name="appointments_slot_held_ix"),
            models.Index(fields=["clinic", "date", "department"], name="appointments_slot_clinic_ix"),
        ]
        constraints = [
            UniqueConstraint(fields=["doctor", "date", "hour", "seq"], name="appointments_slot_uq"),
            CheckConstraint(
                condition=Q(state__in=("free", "off"), appointment__isnull=True)
                | Q(state__in=("held", "booked", "used"), appointment__isnull=False),
                name="appointments_slot_ck",
            ),
        ]

    @property
    def starts_at(self) -> datetime:
        return starts_at(self.date, self.hour)

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(hours=1)


class Appointment(models.Model):
    """One wish to see a doctor: the row behind an appointment ticket. `clinic` … `hour` are where it stands now (or stood last),
    `wanted_*` what was asked for first, `recommended_*` the second recommendation and how it went (W-70…W-73)."""

    ASKED, HELD, BOOKED, WAITING = "asked", "held", "booked", "waiting"
    CHECKED_IN, NO_SHOW, CANCELLED, FAILED = "checked_in", "no_show", "cancelled", "failed"
    STATES = [(s, s) for s in (ASKED, HELD, BOOKED, WAITING, CHECKED_IN, NO_SHOW, CANCELLED, FAILED)]
    FIRST, RETURN, OTHER_DOCTOR = "first", "return", "other_doctor"
    KINDS = [(s, s) for s in (FIRST, RETURN, OTHER_DOCTOR)]

    business_key = models.CharField(max_length=80, unique=True)
    ticket = models.OneToOneField(
        "tickets.Ticket", null=True, blank=True, on_delete=models.PROTECT, related_name="appointment"
    )
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="appointments"
    )
    patient_name = SealedTextField(blank=True, null=True, help_text="who comes; may be another than who called (W-64)")
    patient_masked = models.CharField(max_length=40, blank=True, null=True)
    patient_token = models.CharField(max_length=32, help_text="the same for the same patient")
    relation = models.CharField(max_length=20, blank=True, null=True)
    visit_kind = models.CharField(max_length=12, choices=KINDS, default=FIRST)
    state = models.CharField(max_length=12, choices=STATES, default=ASKED)
    reason = models.CharField(max_length=40, blank=True, null=True, help_text="why it ended as it did: a code")
    slot = models.ForeignKey(Slot, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    clinic = models.ForeignKey("places.Clinic", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    department = models.ForeignKey(
        "clinics.Department", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    doctor = models.ForeignKey(
        "clinics.Doctor", null=True, blank=True, on_delete=models.PROTECT, related_name="appointments"
    )
    date = models.DateField(null=True, blank=True)
    hour = models.IntegerField(null=True, blank=True)
    prepay = models.BooleanField(default=False)
    fee_fen = models.BigIntegerField(default=0)
    payment = models.CharField(max_length=30, blank=True, null=True)
    wanted_clinic = models.ForeignKey(
        "places.Clinic", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    wanted_department = models.ForeignKey(
        "clinics.Department", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    wanted_doctor = models.ForeignKey(
        "clinics.Doctor", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    wanted_date = models.DateField(null=True, blank=True)
    wanted_hour = models.IntegerField(null=True, blank=True)
    recommended_clinic = models.ForeignKey(
        "places.Clinic", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    recommended_doctor = models.ForeignKey(
        "clinics.Doctor", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    recommended_date = models.DateField(null=True, blank=True)
    recommended_hour = models.IntegerField(null=True, blank=True)
    recommended_state = models.CharField(max_length=10, blank=True, null=True, help_text="success, failed")
    created_at = models.DateTimeField(default=clock.now)
    booked_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True, help_text="when the clinic said whether the patient came")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "appointments_appointment"
        indexes = [
            models.Index(fields=["clinic", "date", "state"], name="appointments_app_clinic_ix"),
            models.Index(fields=["customer", "created_at"], name="appointments_app_cust_ix"),
            models.Index(fields=["patient_token", "state"], name="appointments_app_pat_ix"),
        ]

    @property
    def subject(self) -> str:
        return f"appointment:{self.pk}"


class Waiting(models.Model):
    """A patient waits for a place with a doctor, or (no doctor) with any expert of the department in the clinic (W-74), on one day."""

    WAITING, OFFERED, TAKEN, REFUSED, EXPIRED, LEFT = "waiting", "offered", "taken", "refused", "expired", "left"
    STATES = [(s, s) for s in (WAITING, OFFERED, TAKEN, REFUSED, EXPIRED, LEFT)]
    OPEN = (WAITING, OFFERED)

    appointment = models.ForeignKey(Appointment, on_delete=models.PROTECT, related_name="waitings")
    doctor = models.ForeignKey("clinics.Doctor", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    clinic = models.ForeignKey("places.Clinic", on_delete=models.PROTECT, related_name="+")
    department = models.ForeignKey("clinics.Department", on_delete=models.PROTECT, related_name="+")
    date = models.DateField()
    rank = models.IntegerField(default=0, help_text="of the member's level; higher is served first (W-49)")
    refund_priority = models.BooleanField(default=False, help_text="first for slots that come back (W-48)")
    passed = models.IntegerField(default=0, help_text="offers that went by without an answer")
    joined_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=STATES, default=WAITING)
    offered_slot = models.ForeignKey(Slot, null=True, blank=True, on_delete=models.SET_NULL, related_name="offers")
    offered_until = models.DateTimeField(null=True, blank=True)
    offers = models.IntegerField(default=0)

    class Meta:
        db_table = "appointments_waiting"
        indexes = [models.Index(fields=["clinic", "date", "state"], name="appointments_wait_ix")]
        constraints = [
            UniqueConstraint(
                Case(When(Q(state="waiting") | Q(state="offered"), then=F("appointment"))), name="appointments_wait_uq"
            ),
            UniqueConstraint(Case(When(state="offered", then=F("offered_slot"))), name="appointments_wait_offer_uq"),
        ]
