"""What a customer was promised for a product, and what he bought (W-88…W-98)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from web.common import clock


class Quote(models.Model):
    """The price a customer was told for one product. It holds until `good_until`, the follow-up time (REQUIREMENTS 9.3, P1)."""

    business_key = models.CharField(max_length=80)
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="quotes"
    )
    product = models.ForeignKey("clinics.Product", on_delete=models.PROTECT, related_name="quotes")
    clinic = models.ForeignKey("places.Clinic", on_delete=models.PROTECT, related_name="quotes")
    quantity = models.IntegerField()
    price_fen = models.IntegerField()
    discount_percent = models.SmallIntegerField(default=0)
    discount_kind = models.CharField(max_length=10, blank=True, null=True)
    good_until = models.DateTimeField()
    reservation = models.CharField(
        max_length=80, blank=True, null=True, help_text="pieces kept before there is an order"
    )
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="who registered the purchase first: the sale is his (S-49)",
    )
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "orders_quote"
        constraints = [
            UniqueConstraint(fields=["business_key", "product"], name="orders_quote_uq"),
            CheckConstraint(condition=Q(quantity__gt=0, price_fen__gt=0), name="orders_quote_ck"),
        ]


class Order(models.Model):
    """W-97. A case has several when the first was cancelled or could not be delivered; all but the newest are over. Money in fen:
    `list_fen` before, `amount_fen` after discounts; `refunded_fen` of it went back."""

    DRAFT, AWAITING_PAYMENT, PAID = "draft", "awaiting_payment", "paid"
    DISPENSING, DECOCTING, READY, DELIVERING = "dispensing", "decocting", "ready", "delivering"
    DONE, CANCELLED, REFUNDED, PART_REFUNDED = "done", "cancelled", "refunded", "part_refunded"
    STATES = [
        (state, state)
        for state in (
            DRAFT,
            AWAITING_PAYMENT,
            PAID,
            DISPENSING,
            DECOCTING,
            READY,
            DELIVERING,
            DONE,
            CANCELLED,
            REFUNDED,
            PART_REFUNDED,
        )
    ]
    OPEN = (DRAFT, AWAITING_PAYMENT, PAID, DISPENSING, DECOCTING, READY, DELIVERING)
    IN_WORK = (PAID, DISPENSING, DECOCTING, READY, DELIVERING)
    PICKUP, COURIER = "pickup", "courier"
    WAYS = [(way, way) for way in (PICKUP, COURIER)]

    number = models.CharField(max_length=20, unique=True)
    key = models.CharField(max_length=100, unique=True, help_text="the step that placed it: once")
    business_key = models.CharField(max_length=80)
    ticket = models.ForeignKey("tickets.Ticket", null=True, blank=True, on_delete=models.PROTECT, related_name="orders")
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.PROTECT, related_name="orders"
    )
    clinic = models.ForeignKey("places.Clinic", on_delete=models.PROTECT, related_name="orders")
    state = models.CharField(max_length=20, choices=STATES, default=AWAITING_PAYMENT)
    list_fen = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField(default=0)
    level = models.CharField(max_length=40, blank=True, null=True, help_text="key of the member's level then")
    payment = models.CharField(max_length=20, blank=True, null=True, unique=True)
    delivery = models.CharField(max_length=10, choices=WAYS, default=PICKUP)
    courier_no = models.CharField(max_length=40, blank=True, null=True)
    is_short = models.BooleanField(default=False, help_text="the pharmacy sent it back")
    lot = models.CharField(max_length=60, blank=True, null=True)
    bags = models.IntegerField(null=True, blank=True, help_text="decocted")
    dose_days = models.IntegerField(default=0, help_text="days on which the customer is reminded to take it (M-07)")
    dose_times = models.JSONField(default=list, help_text='hours of the day, ["08:00", "20:00"]')
    doses_told = models.IntegerField(default=0)
    points = models.IntegerField(default=0, help_text="given when it was completed")
    sold_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="sales"
    )
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.CharField(max_length=40, blank=True, null=True, help_text="why it was cancelled or refunded")
    reserved_until = models.DateTimeField(null=True, blank=True)
    placed_at = models.DateTimeField(default=clock.now)
    paid_at = models.DateTimeField(null=True, blank=True)
    dispensed_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    handed_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="cancelled or refunded")

    class Meta:
        db_table = "orders_order"
        indexes = [
            models.Index(fields=["business_key"], name="orders_case_ix"),
            models.Index(fields=["state", "placed_at"], name="orders_state_ix"),
            models.Index(fields=["clinic", "placed_at"], name="orders_clinic_ix"),
        ]
        constraints = [
            CheckConstraint(condition=Q(amount_fen__gte=0, list_fen__gte=F("amount_fen")), name="orders_amount_ck"),
            CheckConstraint(
                condition=Q(refunded_fen__gte=0, refunded_fen__lte=F("amount_fen")), name="orders_refunded_ck"
            ),
        ]

    @property
    def subject(self) -> str:
        return f"order:{self.pk}"

    @property
    def person(self) -> str:
        return f"customer:{self.customer_id}" if self.customer_id else ""


class OrderLine(models.Model):
    """`amount_fen` = quantity × price less the discount, rounded half up once for the line. `reservation` = its pieces at the clinic."""

    PROMOTION, LEVEL, PHYSIO = "promotion", "level", "physio"

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey("clinics.Product", on_delete=models.PROTECT, related_name="order_lines")
    quantity = models.IntegerField()
    price_fen = models.IntegerField()
    discount_percent = models.SmallIntegerField(default=0)
    discount_kind = models.CharField(max_length=10, blank=True, null=True)
    amount_fen = models.BigIntegerField()
    delivered = models.IntegerField(default=0)
    reservation = models.CharField(max_length=80, unique=True)

    class Meta:
        db_table = "orders_line"
        constraints = [
            UniqueConstraint(fields=["order", "product"], name="orders_line_uq"),
            CheckConstraint(condition=Q(quantity__gt=0, price_fen__gt=0), name="orders_line_ck"),
            CheckConstraint(condition=Q(delivered__gte=0, delivered__lte=F("quantity")), name="orders_line_given_ck"),
            CheckConstraint(
                condition=Q(discount_percent__gte=0, discount_percent__lte=100), name="orders_line_percent_ck"
            ),
        ]


class OrderSequence(models.Model):
    """Next order number of a day, taken by conditional update."""

    day = models.CharField(max_length=8, unique=True)
    next = models.IntegerField(default=1)

    class Meta:
        db_table = "orders_sequence"
