from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Case, F, UniqueConstraint, When

from web.common import clock
from web.common.fields import SealedTextField

IDENTITIES = (
    "potential",
    "first_visit",
    "return_visit",
    "partner_doctor",
    "staff",
    "industry",
    "government_media",
    "other",
)
RELATIONS = ("self", "family", "other")
POPULATIONS = ("child", "elderly", "teenager", "adult")


class Customer(models.Model):
    """Customer or patient (W-21). Names in lists are masked; numbers, ID and medical notes are sealed columns."""

    number = models.CharField(max_length=30, unique=True, help_text="患者编号 = 诊疗卡号 (W-37)")
    name = SealedTextField()
    name_masked = models.CharField(max_length=40)
    name_index = models.CharField(max_length=32, db_index=True)
    nickname = models.CharField(max_length=40, blank=True, null=True)
    sex = models.CharField(max_length=10, blank=True, null=True)
    id_number = SealedTextField(blank=True, null=True)
    id_number_index = models.CharField(max_length=32, blank=True, null=True, db_index=True)
    birth_date = models.DateField(null=True, blank=True)
    population = models.CharField(max_length=12, blank=True, null=True)
    identity = models.CharField(max_length=20, default="potential")
    occupation = models.CharField(max_length=40, blank=True, null=True)
    income = models.CharField(max_length=40, blank=True, null=True)
    qq = SealedTextField(blank=True, null=True)
    wechat = SealedTextField(blank=True, null=True)
    email = SealedTextField(blank=True, null=True)
    address = SealedTextField(blank=True, null=True)
    home_address = SealedTextField(blank=True, null=True)
    office_address = SealedTextField(blank=True, null=True)
    province = models.CharField(max_length=40, blank=True, null=True)
    city = models.CharField(max_length=40, blank=True, null=True)
    source = models.CharField(max_length=40, blank=True, null=True)
    source_detail = models.CharField(max_length=80, blank=True, null=True)
    history_codes = models.JSONField(default=list)
    history_note = SealedTextField(blank=True, null=True)
    allergies = SealedTextField(blank=True, null=True, help_text="comma separated, shown in red")
    preferences = SealedTextField(blank=True, null=True)
    insurance = SealedTextField(blank=True, null=True)
    importance = models.CharField(max_length=20, blank=True, null=True)
    importance_colour = models.CharField(max_length=12, blank=True, null=True)
    do_not_call = models.BooleanField(default=False)
    wrong_number = models.BooleanField(default=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="customers"
    )
    last_visit = models.CharField(max_length=80, blank=True, null=True)
    registered_at = models.DateTimeField(default=clock.now)
    version = models.IntegerField(default=0)

    class Meta:
        db_table = "customers_customer"
        indexes = [models.Index(fields=["owner"], name="customers_owner_ix")]

    @property
    def subject(self) -> str:
        return f"customer:{self.pk}"


class PhoneNumber(models.Model):
    """A number of a customer, found by its token: the blind index of the E.164 form (X-23)."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="phones")
    kind = models.CharField(
        max_length=10, choices=[("mobile", "mobile"), ("second", "second"), ("other", "other")], default="mobile"
    )
    value = SealedTextField()
    token = models.CharField(max_length=32, db_index=True)
    masked = models.CharField(max_length=20)
    is_holder = models.BooleanField(default=False, help_text="a number has one holder; others share his (W-18, family)")

    class Meta:
        db_table = "customers_phone"
        constraints = [
            UniqueConstraint(fields=["customer", "token"], name="customers_phone_uq"),
            UniqueConstraint(Case(When(is_holder=True, then=F("token"))), name="customers_phone_holder_uq"),
        ]


class OwnershipChange(models.Model):
    """变动日志 (W-35): old, new, who, when, why."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="ownership_changes")
    old_owner = models.CharField(max_length=20, blank=True, null=True)
    new_owner = models.CharField(max_length=20, blank=True, null=True)
    by = models.CharField(max_length=20)
    at = models.DateTimeField(default=clock.now)
    reason = models.CharField(max_length=120, blank=True, null=True)

    class Meta:
        db_table = "customers_owner_log"
