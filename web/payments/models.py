from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, F, Q

from web.common import clock
from web.common.fields import SealedJSON


class PaymentRequest(models.Model):
    """Money asked for one case. `key` is what the provider knows it by and never changes. `received_fen` = money that really came;
    `refund_fen` = what refunds hold or have given back, never more than came. Fund and desk payments have no provider."""

    ASKED, IN_DOUBT, PAID, EXPIRED, CANCELLED, FAILED = "asked", "in_doubt", "paid", "expired", "cancelled", "failed"
    REFUNDED, PART_REFUNDED = "refunded", "part_refunded"
    STATES = [(s, s) for s in (ASKED, PAID, EXPIRED, CANCELLED, FAILED, IN_DOUBT, REFUNDED, PART_REFUNDED)]
    OPEN = (ASKED, IN_DOUBT)
    SETTLED = (PAID, PART_REFUNDED, REFUNDED)
    LINK, IVR, FUND, DESK = "link", "ivr", "fund", "desk"
    WAYS = [(w, w) for w in (LINK, IVR, FUND, DESK)]
    BY_PROVIDER = (LINK, IVR)

    number = models.CharField(max_length=20, unique=True)
    key = models.CharField(max_length=100, unique=True)
    business_key = models.CharField(max_length=80)
    purpose = models.CharField(max_length=40)
    clinic = models.CharField(max_length=40, blank=True, null=True, help_text="key of the clinic it is booked to")
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="payments"
    )
    amount_fen = models.BigIntegerField()
    received_fen = models.BigIntegerField(default=0)
    refund_fen = models.BigIntegerField(default=0)
    way = models.CharField(max_length=6, choices=WAYS)
    state = models.CharField(max_length=14, choices=STATES, default=ASKED)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField(default=clock.now)
    deadline_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True, help_text="by the provider's time stamp")
    closed_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True, help_text="when its case learned that it is paid")
    provider_id = models.CharField(max_length=80, blank=True, null=True)
    link = models.CharField(max_length=200, blank=True, null=True)
    desk_way = models.CharField(max_length=20, blank=True, null=True)
    desk_reference = models.CharField(max_length=60, blank=True, null=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    code = models.CharField(max_length=40, blank=True, null=True, help_text="why it failed")

    class Meta:
        db_table = "payments_request"
        indexes = [
            models.Index(fields=["business_key"], name="payments_req_case_ix"),
            models.Index(fields=["state", "asked_at"], name="payments_req_state_ix"),
            models.Index(fields=["paid_at"], name="payments_req_paid_ix"),
        ]
        constraints = [
            CheckConstraint(condition=Q(amount_fen__gt=0), name="payments_req_amount_ck"),
            CheckConstraint(
                condition=Q(refund_fen__gte=0, refund_fen__lte=F("received_fen")), name="payments_req_refund_ck"
            ),
        ]

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def person(self) -> str:
        return self.customer.subject if self.customer_id else ""


class PaymentNotice(models.Model):
    """What the provider told us, each event once, with what we made of it. `charge` is set where the event brought money: each charge
    counts once, however many events speak of it. A forgery has no event id, so it cannot stand in the way of the real one."""

    TAKEN, DUPLICATE, LATE, WRONG_AMOUNT = "taken", "duplicate", "late", "wrong_amount"
    UNKNOWN, FORGED = "unknown", "forged"
    VERDICTS = [(v, v) for v in (TAKEN, DUPLICATE, LATE, WRONG_AMOUNT, UNKNOWN, FORGED)]

    event_id = models.CharField(max_length=80, unique=True, null=True, blank=True)
    charge = models.CharField(max_length=80, unique=True, null=True, blank=True)
    request = models.ForeignKey(PaymentRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=20)
    amount_fen = models.BigIntegerField(null=True)
    at = models.DateTimeField(null=True, help_text="the provider's time stamp")
    received_at = models.DateTimeField(default=clock.now)
    verdict = models.CharField(max_length=14, choices=VERDICTS)
    repeats = models.IntegerField(default=0, help_text="how often the same event came again")
    person = models.CharField(max_length=60, blank=True, null=True)
    sealed_facts = models.TextField(blank=True, null=True)
    facts = SealedJSON("sealed_facts")

    class Meta:
        db_table = "payments_notice"
        indexes = [models.Index(fields=["verdict", "received_at"], name="payments_notice_word_ix")]


class Refund(models.Model):
    """Money to give back. Three people: who asks, who approves, who executes (W-99). `attempt` grows when the provider has definitely
    not done it and finance tries again; in doubt it never grows."""

    WANTED, APPROVED, REJECTED = "wanted", "approved", "rejected"
    EXECUTING, DONE, FAILED = "executing", "done", "failed"
    STATES = [(s, s) for s in (WANTED, APPROVED, REJECTED, EXECUTING, DONE, FAILED)]

    number = models.CharField(max_length=20, unique=True)
    key = models.CharField(max_length=100, unique=True)
    request = models.ForeignKey(PaymentRequest, on_delete=models.PROTECT, related_name="refunds")
    business_key = models.CharField(max_length=80)
    amount_fen = models.BigIntegerField()
    reason = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=STATES, default=WANTED)
    attempt = models.IntegerField(default=0)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    executed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(default=clock.now)
    decided_at = models.DateTimeField(null=True, blank=True)
    executed_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=80, blank=True, null=True)
    code = models.CharField(max_length=40, blank=True, null=True, help_text="why it failed")

    class Meta:
        db_table = "payments_refund"
        indexes = [
            models.Index(fields=["state", "asked_at"], name="payments_refund_state_ix"),
            models.Index(fields=["done_at"], name="payments_refund_done_ix"),
        ]
        constraints = [CheckConstraint(condition=Q(amount_fen__gt=0), name="payments_refund_amount_ck")]


class Statement(models.Model):
    """What the provider's own ledger says about one day: rows {key, kind, amount_fen, id}. Fetched by a job, compared by finance."""

    day = models.DateField(unique=True)
    rows = models.JSONField(default=list)
    fetched_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "payments_statement"


class PaymentSequence(models.Model):
    """Next number of a day and a kind (P = payment, R = refund), taken by conditional update."""

    prefix = models.CharField(max_length=9, unique=True)
    next = models.IntegerField(default=1)

    class Meta:
        db_table = "payments_sequence"
