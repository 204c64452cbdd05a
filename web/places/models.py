from __future__ import annotations

from django.db import models


class Region(models.Model):
    """Province or city (W-54)."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60, blank=True, null=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        db_table = "places_region"


class Clinic(models.Model):
    """医馆 (W-55, W-56)."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    region = models.ForeignKey(Region, null=True, blank=True, on_delete=models.PROTECT, related_name="clinics")
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "places_clinic"
