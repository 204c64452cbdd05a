from __future__ import annotations

from django.db import models


class Calendar(models.Model):
    """A set of working hours; `default` is the centre's own (S-62)."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    time_zone = models.CharField(max_length=40, default="Asia/Shanghai")

    class Meta:
        db_table = "calendars_calendar"


class WorkingHours(models.Model):
    """Regular hours of one weekday (0 = Monday); several rows make a lunch break."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="hours")
    weekday = models.IntegerField()
    opens = models.TimeField()
    closes = models.TimeField()

    class Meta:
        db_table = "calendars_hours"


class SpecialTime(models.Model):
    """A date with its own hours (S-63), or none at all (S-64: `opens` and `closes` empty)."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="special_times")
    day = models.DateField()
    opens = models.TimeField(null=True, blank=True)
    closes = models.TimeField(null=True, blank=True)
    name = models.CharField(max_length=60, blank=True, null=True)

    class Meta:
        db_table = "calendars_special"
        indexes = [models.Index(fields=["calendar", "day"], name="calendars_special_ix")]
