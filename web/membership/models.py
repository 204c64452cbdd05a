"""Levels, cards and the two ledgers of a member (W-25…W-28, W-39…W-52)."""

from __future__ import annotations

from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from web.common import clock


class Level(models.Model):
    """A step of one scheme. `discount_percent` off treatments (W-25); reached by the sum OR the number of completed orders (W-27)."""

    ORDINARY, VIP = "ordinary", "vip"

    scheme = models.CharField(max_length=10, choices=[(s, s) for s in (ORDINARY, VIP)])
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=40)
    name_en = models.CharField(max_length=40, blank=True, null=True)
    discount_percent = models.SmallIntegerField(default=0)
    threshold_fen = models.BigIntegerField(null=True, blank=True, help_text="empty: not reached by the sum")
    threshold_orders = models.IntegerField(null=True, blank=True, help_text="empty: not reached by the number")
    rank = models.SmallIntegerField(help_text="higher is better, across both schemes")

    class Meta:
        db_table = "membership_level"
        constraints = [
            UniqueConstraint(fields=["scheme", "key"], name="membership_level_uq"),
            CheckConstraint(
                condition=Q(discount_percent__gte=0, discount_percent__lte=100), name="membership_level_percent_ck"
            ),
        ]


class Account(models.Model):
    """What a member has. `points` and `fund_fen` are always the sums of their ledgers; nothing else writes them."""

    customer = models.OneToOneField("customers.Customer", on_delete=models.PROTECT, related_name="member")
    level = models.ForeignKey(Level, null=True, blank=True, on_delete=models.PROTECT, related_name="accounts")
    points = models.IntegerField(default=0)
    fund_fen = models.BigIntegerField(default=0)
    spent_fen = models.BigIntegerField(default=0, help_text="completed orders less refunds")
    orders = models.IntegerField(default=0)

    class Meta:
        db_table = "membership_account"
        constraints = [
            CheckConstraint(condition=Q(points__gte=0), name="membership_points_ck"),
            CheckConstraint(condition=Q(fund_fen__gte=0), name="membership_fund_ck"),
            CheckConstraint(condition=Q(spent_fen__gte=0, orders__gte=0), name="membership_spent_ck"),
        ]


class Card(models.Model):
    """A member may own several at once (W-44). It counts from `starts_on` to `ends_on`, both included, while active."""

    STORED_VALUE, BENEFIT = "stored_value", "benefit"
    ACTIVE, BLOCKED, ENDED = "active", "blocked", "ended"
    BENEFITS = ("refund_priority", "queue_priority", "free_expert", "physio_discount")

    number = models.CharField(max_length=40, unique=True)
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="cards")
    card_class = models.CharField(max_length=15, choices=[(c, c) for c in (STORED_VALUE, BENEFIT)])
    level = models.ForeignKey(
        Level,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="cards",
        help_text="its holder has at least this one",
    )
    store_prefix = models.CharField(max_length=10, blank=True, null=True, help_text="门店编号 before the number (W-38)")
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=[(s, s) for s in (ACTIVE, BLOCKED, ENDED)], default=ACTIVE)
    benefits = models.JSONField(default=list, help_text="keys of BENEFITS (W-48…W-51)")
    physio_percent = models.SmallIntegerField(default=0, help_text="off physiotherapy with the benefit physio_discount")

    class Meta:
        db_table = "membership_card"
        constraints = [
            CheckConstraint(condition=Q(ends_on=None) | Q(ends_on__gte=F("starts_on")), name="membership_card_term_ck"),
            CheckConstraint(
                condition=Q(physio_percent__gte=0, physio_percent__lte=100), name="membership_card_physio_ck"
            ),
        ]


class Entry(models.Model):
    """A line of a ledger: insert only. `balance` = what there was after it; the same `key` is never written twice."""

    change = models.BigIntegerField()
    balance = models.BigIntegerField()
    reason = models.CharField(
        max_length=40, help_text="a key: order, refund, redeemed, payment, top_up, correction, opening"
    )
    key = models.CharField(max_length=100, unique=True)
    reference = models.CharField(max_length=80, blank=True, null=True, help_text="the order or payment it is about")
    operator = models.CharField(max_length=20, blank=True, null=True, help_text="工号; empty: the product itself")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        abstract = True


class PointsEntry(Entry):
    """积分变动日志 (W-40)."""

    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="points_log")

    class Meta:
        db_table = "membership_points"
        constraints = [CheckConstraint(condition=~Q(change=0), name="membership_points_change_ck")]


class FundEntry(Entry):
    """Debit below zero, credit above (W-52); `channel` names the other side."""

    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="fund_log")
    channel = models.CharField(max_length=20, default="centre", help_text="centre, desk, provider, opening")

    class Meta:
        db_table = "membership_fund"
        constraints = [CheckConstraint(condition=~Q(change=0), name="membership_fund_change_ck")]


class CountedOrder(models.Model):
    """An order that was completed counts once, and less what was refunded of it."""

    key = models.CharField(max_length=80, unique=True)
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="counted_orders")
    amount_fen = models.BigIntegerField()
    refunded_fen = models.BigIntegerField(default=0)
    points = models.IntegerField(default=0, help_text="given for it")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "membership_order"
        constraints = [
            CheckConstraint(
                condition=Q(refunded_fen__gte=0, amount_fen__gte=F("refunded_fen")), name="membership_order_refund_ck"
            )
        ]


class CountedRefund(models.Model):
    """A refund of a counted order is taken into account once."""

    key = models.CharField(max_length=80, unique=True)
    order = models.ForeignKey(CountedOrder, on_delete=models.PROTECT, related_name="refunds")
    amount_fen = models.BigIntegerField()
    points = models.IntegerField(default=0, help_text="taken back")
    short = models.IntegerField(default=0, help_text="due back but spent already")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "membership_refund"


class Redeemable(models.Model):
    """What points can be used for (W-42, W-46): an amount to the fund or a product, for one level or all, in a term or always."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80, blank=True, null=True)
    level = models.ForeignKey(Level, null=True, blank=True, on_delete=models.PROTECT, related_name="redeemables")
    points = models.IntegerField()
    amount_fen = models.IntegerField(null=True, blank=True)
    product = models.ForeignKey(
        "clinics.Product", null=True, blank=True, on_delete=models.PROTECT, related_name="redeemables"
    )
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "membership_redeemable"
        constraints = [CheckConstraint(condition=Q(points__gt=0), name="membership_redeem_points_ck")]
