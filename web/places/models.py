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

    CATEGORIES = ("branch", "university", "partner")

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80, blank=True, null=True)
    category = models.CharField(
        max_length=20, choices=[(c, c) for c in CATEGORIES], default="branch", help_text="医馆分类"
    )
    address = models.CharField(max_length=200, blank=True, null=True, help_text="what the location guide tells (W-93)")
    region = models.ForeignKey(Region, null=True, blank=True, on_delete=models.PROTECT, related_name="clinics")
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "places_clinic"
