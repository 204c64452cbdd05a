from __future__ import annotations

from django.db import models
from django.db.models import Case, F, Q, UniqueConstraint, When

from web.common import clock
from web.common.fields import SealedJSON


class JobQuerySet(models.QuerySet):
    def due(self, now):
        """Work that may be claimed: queued and due, or running under a lease that ran out."""
        return self.filter(Q(state=Job.QUEUED, due_at__lte=now) | Q(state=Job.RUNNING, lease_until__lt=now))


class Job(models.Model):
    """Work to be done at or after `due_at`, written in the transaction that caused it (ARCHITECTURE 5.3). Claimed by conditional update;
    `kills` is raised before each attempt, so a job that takes its worker with it is quarantined."""

    QUEUED, RUNNING, DONE, QUARANTINED, CANCELLED = "queued", "running", "done", "quarantined", "cancelled"
    STATES = [(s, s) for s in (QUEUED, RUNNING, DONE, QUARANTINED, CANCELLED)]

    topic = models.CharField(max_length=60)
    key = models.CharField(max_length=120, null=True, blank=True)
    subject = models.CharField(max_length=80, blank=True, null=True)
    payload = models.JSONField(default=dict)
    due_at = models.DateTimeField(default=clock.now)
    state = models.CharField(max_length=12, choices=STATES, default=QUEUED)
    owner = models.CharField(max_length=60, blank=True, null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    kills = models.IntegerField(default=0)
    last_error = models.CharField(max_length=400, blank=True, null=True)
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        db_table = "jobs_job"
        indexes = [
            models.Index(fields=["state", "due_at"], name="jobs_job_due_ix"),
            models.Index(fields=["subject", "state"], name="jobs_job_subject_ix"),
        ]
        constraints = [
            UniqueConstraint(
                Case(When(Q(state="queued") | Q(state="running"), then=F("key"))), name="jobs_job_open_key_uq"
            ),
        ]


class InboundMessage(models.Model):
    """A message for flows, stored before anything is done with it (X-13). *point*: name + business_key + keys, first taker, once.
    *subject*: name + subject, delivered once to every instance waiting now, never buffered."""

    NEW, CONSUMED, UNMATCHED, EXPIRED = "new", "consumed", "unmatched", "expired"
    STATES = [(s, s) for s in (NEW, CONSUMED, UNMATCHED, EXPIRED)]

    message_id = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=80)
    business_key = models.CharField(max_length=80, blank=True, null=True)
    subject = models.CharField(max_length=80, blank=True, null=True)
    keys = models.JSONField(default=dict)
    person = models.CharField(max_length=60, blank=True, null=True)
    sealed_payload = models.TextField(blank=True, null=True)
    state = models.CharField(max_length=10, choices=STATES, default=NEW)
    received_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(null=True)
    consumed_at = models.DateTimeField(null=True)
    consumed_by = models.CharField(max_length=80, blank=True, null=True)
    deliveries = models.IntegerField(default=0)
    payload = SealedJSON("sealed_payload")

    class Meta:
        db_table = "jobs_message"
        indexes = [models.Index(fields=["state", "name", "business_key"], name="jobs_message_match_ix")]


class OutboundEffect(models.Model):
    """Something the outside world shall do, with a key that never changes: sending it twice is sending it once."""

    PENDING, SENT, IN_DOUBT, DONE, FAILED = "pending", "sent", "in_doubt", "done", "failed"
    STATES = [(s, s) for s in (PENDING, SENT, IN_DOUBT, DONE, FAILED)]

    key = models.CharField(max_length=120, unique=True)
    topic = models.CharField(max_length=60)
    subject = models.CharField(max_length=80, blank=True, null=True)
    person = models.CharField(max_length=60, blank=True, null=True)
    sealed_payload = models.TextField(blank=True, null=True)
    state = models.CharField(max_length=10, choices=STATES, default=PENDING)
    attempts = models.IntegerField(default=0)
    reference = models.CharField(max_length=120, blank=True, null=True)
    last_error = models.CharField(max_length=400, blank=True, null=True)
    created_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True)
    payload = SealedJSON("sealed_payload")

    class Meta:
        db_table = "jobs_effect"
        indexes = [models.Index(fields=["state", "created_at"], name="jobs_effect_state_ix")]


class Incident(models.Model):
    """Something went wrong that a person must decide: retry, skip or cancel (ARCHITECTURE 5.7)."""

    OPEN, RETRIED, SKIPPED, CANCELLED = "open", "retried", "skipped", "cancelled"
    STATES = [(s, s) for s in (OPEN, RETRIED, SKIPPED, CANCELLED)]

    subject = models.CharField(max_length=80, db_index=True)
    topic = models.CharField(max_length=60)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    element = models.CharField(max_length=80, blank=True, null=True)
    cause = models.CharField(max_length=400)
    detail = models.TextField(blank=True, null=True)
    state = models.CharField(max_length=10, choices=STATES, default=OPEN, db_index=True)
    opened_at = models.DateTimeField(default=clock.now)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=40, blank=True, null=True)
    reason = models.CharField(max_length=200, blank=True, null=True)

    class Meta:
        db_table = "jobs_incident"
        constraints = [
            UniqueConstraint(
                Case(When(state="open", then=F("subject"))),
                Case(When(state="open", then=F("topic"))),
                name="jobs_incident_open_uq",
            )
        ]


class Lease(models.Model):
    """Who may do what only one may do (the CTI process of a PBX, the audit sealer). `fence` grows at each change of hands."""

    name = models.CharField(max_length=60, unique=True)
    owner = models.CharField(max_length=80, blank=True, null=True)
    until = models.DateTimeField()
    fence = models.IntegerField(default=0)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "jobs_lease"
