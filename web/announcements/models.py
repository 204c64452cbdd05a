from __future__ import annotations

from django.db import models

from web.common import clock


class Announcement(models.Model):
    """公告 (A-20, A-36): title and text, urgent or normal, while it is published."""

    title = models.CharField(max_length=120)
    title_en = models.CharField(max_length=120, blank=True, null=True)
    body = models.TextField(blank=True, null=True)
    level = models.CharField(max_length=10, choices=[("urgent", "urgent"), ("normal", "normal")], default="normal")
    groups = models.ManyToManyField(
        "accounts.Group",
        blank=True,
        related_name="announcements",
        db_table="announcements_group",
        help_text="none = everybody",
    )
    published_at = models.DateTimeField(default=clock.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    by = models.CharField(max_length=20, blank=True, null=True)

    class Meta:
        db_table = "announcements_item"
        indexes = [models.Index(fields=["withdrawn_at", "published_at"], name="announcements_item_ix")]
