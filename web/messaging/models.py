from __future__ import annotations

from django.db import models

from web.common import clock
from web.common.fields import SealedTextField


class Template(models.Model):
    """Text of an automatic message; `{{ name }}` placeholders from the flow's data and the customer's card."""

    key = models.CharField(max_length=60, unique=True)
    channel = models.CharField(max_length=10, default="sms")
    body = models.CharField(max_length=400)
    body_en = models.CharField(max_length=400, blank=True, null=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "messaging_template"


class OutboundMessage(models.Model):
    """A message to a customer: rendered once, sent once under `key`, its receipt comes back as `message.receipt`."""

    QUEUED, SENT, DELIVERED, FAILED, GIVEN_UP = "queued", "sent", "delivered", "failed", "given_up"
    STATES = [(s, s) for s in (QUEUED, SENT, DELIVERED, FAILED, GIVEN_UP)]

    key = models.CharField(max_length=120, unique=True)
    channel = models.CharField(max_length=10)
    template = models.CharField(max_length=60, blank=True, null=True)
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="messages"
    )
    recipient = SealedTextField()
    recipient_masked = models.CharField(max_length=20)
    body = SealedTextField()
    state = models.CharField(max_length=10, choices=STATES, default=QUEUED)
    business_key = models.CharField(max_length=80, blank=True, null=True)
    provider_id = models.CharField(max_length=120, blank=True, null=True, db_index=True)
    code = models.CharField(max_length=40, blank=True, null=True)
    created_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    receipt_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "messaging_outbound"
        indexes = [models.Index(fields=["business_key"], name="messaging_out_key_ix")]
