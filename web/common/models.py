from __future__ import annotations

from django.db import models

from . import clock


class PersonKey(models.Model):
    """A person's own data key, sealed with the ring. Deleting the row erases everything sealed for that person."""

    person = models.CharField(max_length=60, unique=True)
    sealed_key = models.TextField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "common_person_key"


class Mark(models.Model):
    """«This slot changed»: written in the transaction that changes a fact, read and deleted by the roll-up sweep (DATA A5)."""

    slot = models.IntegerField(db_index=True)

    class Meta:
        db_table = "common_mark"

    @classmethod
    def slot_of(cls, at) -> Mark:
        return cls.objects.create(slot=clock.slot(at))


class AuditRow(models.Model):
    """Who did what to which subject, from where. Inserted with an id only, in the act's transaction; one leased sealer chains the
    rows in id order (`hash` over the sealed text and the row before), so no act waits for another (ARCHITECTURE 5.12)."""

    at = models.DateTimeField(default=clock.now)
    actor = models.CharField(max_length=40, blank=True, null=True)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=80)
    address = models.CharField(max_length=45, blank=True, null=True)
    person = models.CharField(max_length=60, blank=True, null=True)
    sealed_facts = models.TextField(blank=True, null=True)
    previous_hash = models.CharField(max_length=64, blank=True, null=True)
    hash = models.CharField(max_length=64, blank=True, null=True)

    class Meta:
        db_table = "common_audit"
        indexes = [
            models.Index(fields=["subject", "at"], name="common_audit_subject_ix"),
            models.Index(fields=["hash", "id"], name="common_audit_unsealed_ix"),
        ]


class AuditAnchor(models.Model):
    """The last hash of a day: what is printed, mailed or kept elsewhere to prove the chain later."""

    day = models.DateField(unique=True)
    row = models.BigIntegerField()
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "common_audit_anchor"


class IdempotentAnswer(models.Model):
    """The answer given to a POST with an Idempotency-Key: repeating the request repeats the answer, never the act (X-22)."""

    key = models.CharField(max_length=120, unique=True)
    request_hash = models.CharField(max_length=64)
    status = models.IntegerField(null=True)
    sealed_body = models.TextField(blank=True, null=True)
    created_at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        db_table = "common_answer"
