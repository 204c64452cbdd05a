from __future__ import annotations

from django.db import models
from django.db.models import Case, F, Q, UniqueConstraint, When

from web.common import clock
from web.common.fields import SealedTextField


class Queue(models.Model):
    """Where callers wait: rings a skill group's agents who have the skills (P-05)."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60, blank=True, null=True)
    skill_group = models.ForeignKey("agents.SkillGroup", on_delete=models.PROTECT, related_name="queues")
    skills = models.JSONField(default=list)
    priority = models.IntegerField(default=5, help_text="1 is served first")
    ring_seconds = models.IntegerField(default=20)
    wait_for_owner_seconds = models.IntegerField(default=15)
    target_seconds = models.IntegerField(default=20, help_text="service level T")
    version = models.IntegerField(default=0)

    class Meta:
        db_table = "routing_queue"


class ServiceNumber(models.Model):
    """A number that customers dial (400…) and the queue it leads to (P-06)."""

    number = models.CharField(max_length=30, unique=True)
    name = models.CharField(max_length=60, blank=True, null=True)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="numbers")
    priority = models.IntegerField(default=5)

    class Meta:
        db_table = "routing_number"


class BlockEntry(models.Model):
    """A number refused before answer (S-35…37, S-68). `pending` = applied for; one open entry per number."""

    PENDING, ACTIVE, LIFTED, EXPIRED, REFUSED = "pending", "active", "lifted", "expired", "refused"
    STATES = [(s, s) for s in (PENDING, ACTIVE, LIFTED, EXPIRED, REFUSED)]

    value = SealedTextField()
    token = models.CharField(max_length=32, db_index=True)
    masked = models.CharField(max_length=20)
    reason = models.CharField(max_length=40)
    channels = models.JSONField(default=list)
    term_days = models.IntegerField(null=True, blank=True, help_text="empty = permanent")
    is_temporary = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=STATES, default=PENDING)
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    decide_by = models.DateTimeField(
        null=True, blank=True, help_text="undecided by then = refused; empty: never by itself"
    )
    attempts = models.IntegerField(default=0)
    review_after = models.IntegerField(
        null=True, blank=True, help_text="refused calls after which somebody should look"
    )
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    business_key = models.CharField(max_length=80, blank=True, null=True)
    applied_by = models.CharField(max_length=20)
    approved_by = models.CharField(max_length=20, blank=True, null=True)
    lifted_by = models.CharField(max_length=20, blank=True, null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "routing_block"
        constraints = [
            UniqueConstraint(
                Case(When(Q(state="pending") | Q(state="active"), then=F("token"))), name="routing_block_open_uq"
            )
        ]
        indexes = [models.Index(fields=["state", "until"], name="routing_block_state_ix")]


class AllowEntry(models.Model):
    """White list: own, internal, emergency and partner numbers are never listed or refused; a VIP's only by a supervisor (S-68, 9.5 B2)."""

    token = models.CharField(max_length=32, unique=True)
    value = SealedTextField()
    kind = models.CharField(max_length=20, choices=[(k, k) for k in ("own", "internal", "emergency", "partner", "vip")])

    class Meta:
        db_table = "routing_allow"
