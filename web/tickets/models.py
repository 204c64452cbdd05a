from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Case, F, UniqueConstraint, When

from web.common import clock
from web.common.fields import SealedTextField


class TicketQuerySet(models.QuerySet):
    def open(self):
        return self.filter(closed_at=None)


class Ticket(models.Model):
    """One business case: number, kind, customer, call, owner, status, due, flow. One call may open several (W-17)."""

    number = models.CharField(max_length=30, unique=True)
    kind = models.CharField(max_length=40, help_text="key of the flow it runs")
    purpose = models.CharField(max_length=40, blank=True, null=True)
    source = models.CharField(max_length=30, blank=True, null=True, help_text="REQUIREMENTS 6.2 outbound source")
    summary = SealedTextField(blank=True, null=True)
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets"
    )
    call = models.ForeignKey("calls.Call", null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets")
    caller = SealedTextField(blank=True, null=True, help_text="the other party's number, E.164")
    caller_token = models.CharField(max_length=32, blank=True, null=True)
    caller_masked = models.CharField(max_length=20, blank=True, null=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets"
    )
    group = models.ForeignKey(
        "accounts.Group", null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets"
    )
    instance = models.OneToOneField(
        "workflow.ProcessInstance", null=True, blank=True, on_delete=models.PROTECT, related_name="ticket"
    )
    state = models.CharField(max_length=30, default="open")
    outcome = models.CharField(max_length=40, blank=True, null=True)
    repeats = models.IntegerField(default=1, help_text="missed calls gathered in this ticket (S-46)")
    returns = models.IntegerField(default=0, help_text="times the case went back to who had handled it (W-84)")
    urges = models.IntegerField(default=0, help_text="times the customer asked how long it takes")
    former = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="reopened_as",
        help_text="the settled case this one takes up again",
    )  # fmt: skip
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged")
    last_repeat_at = models.DateTimeField(null=True, blank=True)
    gather_key = models.CharField(
        max_length=80, blank=True, null=True, help_text="source:number token; one open ticket each"
    )
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    opened_at = models.DateTimeField(default=clock.now)
    due_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        db_table = "tickets_ticket"
        indexes = [
            models.Index(fields=["kind", "opened_at"], name="tickets_kind_ix"),
            models.Index(fields=["caller_token", "closed_at"], name="tickets_caller_ix"),
            models.Index(fields=["customer", "opened_at"], name="tickets_customer_ix"),
        ]
        constraints = [UniqueConstraint(Case(When(closed_at=None, then=F("gather_key"))), name="tickets_gather_uq")]

    @property
    def key(self) -> str:
        """The business key its flow knows it by."""
        return f"ticket:{self.number}"


class TicketCall(models.Model):
    """Every call of a ticket: the one that opened it, missed ones gathered in it, calls made for it."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="call_links")
    call = models.ForeignKey("calls.Call", on_delete=models.CASCADE, related_name="ticket_links")
    role = models.CharField(max_length=12)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "tickets_call"
        constraints = [UniqueConstraint(fields=["ticket", "call"], name="tickets_call_uq")]


class TicketSequence(models.Model):
    """Next ticket number of a day, taken by conditional update."""

    day = models.CharField(max_length=8, unique=True)
    next = models.IntegerField(default=1)

    class Meta:
        db_table = "tickets_sequence"
