"""What the clinics have and sell (W-54…W-62). The clinics themselves are places."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint

from web.common import clock


class Department(models.Model):
    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60, blank=True, null=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "clinics_department"


class Doctor(models.Model):
    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=40)
    name_en = models.CharField(max_length=60, blank=True, null=True)
    title = models.CharField(max_length=40, blank=True, null=True, help_text="as it stands at his door")
    is_own_expert = models.BooleanField(default=False, help_text="自有专家: free for members with that benefit (W-50)")
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="doctor"
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "clinics_doctor"


class Post(models.Model):
    """A doctor sees patients in this department of this clinic, for this fee."""

    doctor = models.ForeignKey(Doctor, on_delete=models.PROTECT, related_name="posts")
    clinic = models.ForeignKey("places.Clinic", on_delete=models.PROTECT, related_name="posts")
    department = models.ForeignKey(Department, on_delete=models.PROTECT, related_name="posts")
    prepay = models.BooleanField(default=False, help_text="the fee is paid before the appointment counts (P-12)")
    fee_fen = models.IntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "clinics_post"
        constraints = [
            UniqueConstraint(fields=["doctor", "clinic", "department"], name="clinics_post_uq"),
            CheckConstraint(condition=Q(fee_fen__gte=0), name="clinics_post_fee_ck"),
        ]


class ClinicContact(models.Model):
    """Who answers for a clinic when something of this kind comes up."""

    KINDS = ("contact", "assistant", "pharmacy", "decoction", "finance")

    clinic = models.ForeignKey("places.Clinic", on_delete=models.CASCADE, related_name="contacts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="clinic_posts")
    kind = models.CharField(max_length=20, choices=[(kind, kind) for kind in KINDS])
    position = models.SmallIntegerField(default=0, help_text="the lowest is asked first")

    class Meta:
        db_table = "clinics_contact"
        constraints = [UniqueConstraint(fields=["clinic", "user", "kind"], name="clinics_contact_uq")]


class DecoctionCentre(models.Model):
    """代煎中心 (W-57): boils what the pharmacies of its region hand over."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    name_en = models.CharField(max_length=60, blank=True, null=True)
    region = models.ForeignKey("places.Region", null=True, on_delete=models.PROTECT, related_name="decoction_centres")
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "clinics_decoction"


class Product(models.Model):
    """W-58. `price_fen` for one `unit`."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80, blank=True, null=True)
    category = models.CharField(max_length=40)
    attribute = models.CharField(max_length=80, blank=True, null=True)
    unit = models.CharField(max_length=20)
    price_fen = models.IntegerField()
    prescription_only = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "clinics_product"
        constraints = [CheckConstraint(condition=Q(price_fen__gt=0), name="clinics_product_price_ck")]


class Stock(models.Model):
    """What a clinic has of a product: `reserved` of `quantity` is promised to somebody."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="stock")
    clinic = models.ForeignKey("places.Clinic", on_delete=models.PROTECT, related_name="stock")
    quantity = models.IntegerField(default=0)
    reserved = models.IntegerField(default=0)

    class Meta:
        db_table = "clinics_stock"
        constraints = [
            UniqueConstraint(fields=["product", "clinic"], name="clinics_stock_uq"),
            CheckConstraint(condition=Q(reserved__gte=0, quantity__gte=F("reserved")), name="clinics_stock_ck"),
        ]

    @property
    def available(self) -> int:
        return self.quantity - self.reserved


class StockReservation(models.Model):
    """One promise, known by `key`: held → taken (sold) → perhaps returned, or held → released. Never held again."""

    HELD, TAKEN, RELEASED, RETURNED = "held", "taken", "released", "returned"

    key = models.CharField(max_length=80, unique=True)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="reservations")
    clinic = models.ForeignKey("places.Clinic", on_delete=models.PROTECT, related_name="reservations")
    quantity = models.IntegerField()
    until = models.DateTimeField(null=True, blank=True, help_text="released by a job then; empty: by nobody")
    state = models.CharField(max_length=10, default=HELD)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        db_table = "clinics_reservation"
        constraints = [CheckConstraint(condition=Q(quantity__gt=0), name="clinics_reservation_ck")]


class CatalogueEntry(models.Model):
    """症状, 诊断结果, 治疗方案 (W-59…W-61)."""

    KINDS = ("symptom", "diagnosis", "treatment")

    kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in KINDS])
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80, blank=True, null=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "clinics_catalogue"
        constraints = [UniqueConstraint(fields=["kind", "key"], name="clinics_catalogue_uq")]


class Promotion(models.Model):
    """W-62: from `starts_on` to `ends_on`, both days included, `discount_percent` off; without products it is for all of them."""

    key = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80, blank=True, null=True)
    starts_on = models.DateField()
    ends_on = models.DateField()
    discount_percent = models.SmallIntegerField()
    products = models.ManyToManyField(Product, related_name="promotions", db_table="clinics_promo_product")
    is_active = models.BooleanField(default=True)

    class Meta:
        db_table = "clinics_promotion"
        constraints = [
            CheckConstraint(condition=Q(ends_on__gte=F("starts_on")), name="clinics_promo_term_ck"),
            CheckConstraint(
                condition=Q(discount_percent__gt=0, discount_percent__lt=100), name="clinics_promo_percent_ck"
            ),
        ]
