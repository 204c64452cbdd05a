"""Clinics over HTTP: lists for pickers, read by everybody who works here, and their maintenance (W-54…W-62)."""

from __future__ import annotations

from datetime import date

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.common.errors import BadInput, NotFound
from web.common.idempotency import Idempotent
from web.places.models import Clinic

from . import services
from .models import CatalogueEntry, DecoctionCentre, Doctor, Post, Product, Promotion, Stock

MOST = 200


class KeyedOut(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField(allow_null=True)


class ClinicOut(KeyedOut):
    region = KeyedOut(allow_null=True)
    category = serializers.ChoiceField(choices=Clinic.CATEGORIES)
    address = serializers.CharField(allow_null=True)


class PostOut(serializers.Serializer):
    id = serializers.CharField()
    clinic = KeyedOut()
    department = KeyedOut()
    prepay = serializers.BooleanField()
    fee_fen = serializers.IntegerField()
    is_active = serializers.BooleanField()


class ClinicDoctorOut(KeyedOut):
    title = serializers.CharField(allow_null=True)
    own_expert = serializers.BooleanField()
    posts = PostOut(many=True)


class StockOut(serializers.Serializer):
    clinic = KeyedOut()
    quantity = serializers.IntegerField()
    available = serializers.IntegerField(help_text="quantity less what is reserved")


class ProductOut(KeyedOut):
    category = serializers.CharField()
    attribute = serializers.CharField(allow_null=True)
    unit = serializers.CharField()
    price_fen = serializers.IntegerField()
    prescription_only = serializers.BooleanField()
    is_active = serializers.BooleanField()
    stock = StockOut(many=True)


class PromotionOut(KeyedOut):
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    discount_percent = serializers.IntegerField(help_text="percent off")
    is_active = serializers.BooleanField()
    all_products = serializers.BooleanField()
    products = serializers.ListField(child=serializers.CharField(), help_text="their keys")


class CatalogueOut(KeyedOut):
    kind = serializers.ChoiceField(choices=CatalogueEntry.KINDS)


def _key(**options) -> serializers.RegexField:
    return serializers.RegexField(r"^[a-z0-9][a-z0-9-]{0,39}$", **options)


def _optional(longest: int = 80) -> serializers.CharField:
    return serializers.CharField(required=False, allow_null=True, max_length=longest)


class ClinicIn(serializers.Serializer):
    key = _key()
    name = serializers.CharField(max_length=80)
    name_en = _optional()
    region = serializers.CharField(required=False, allow_null=True)
    category = serializers.ChoiceField(choices=Clinic.CATEGORIES, default="branch")
    address = _optional(200)


class ProductChangeIn(serializers.Serializer):
    name = serializers.CharField(max_length=80, required=False)
    name_en = _optional()
    category = serializers.CharField(max_length=40, required=False)
    attribute = _optional()
    unit = serializers.CharField(max_length=20, required=False)
    price_fen = serializers.IntegerField(required=False)
    prescription_only = serializers.BooleanField(required=False)
    is_active = serializers.BooleanField(required=False)


class ProductIn(serializers.Serializer):
    key = _key()
    name = serializers.CharField(max_length=80)
    name_en = _optional()
    category = serializers.CharField(max_length=40)
    attribute = _optional()
    unit = serializers.CharField(max_length=20)
    price_fen = serializers.IntegerField()
    prescription_only = serializers.BooleanField(default=False)


class StockIn(serializers.Serializer):
    clinic = serializers.CharField()
    quantity = serializers.IntegerField()


class PromotionChangeIn(serializers.Serializer):
    name = serializers.CharField(max_length=80, required=False)
    name_en = _optional()
    starts_on = serializers.DateField(required=False)
    ends_on = serializers.DateField(required=False)
    discount_percent = serializers.IntegerField(required=False)
    is_active = serializers.BooleanField(required=False)
    products = serializers.ListField(child=serializers.CharField(), required=False, max_length=MOST)


class PromotionIn(serializers.Serializer):
    key = _key()
    name = serializers.CharField(max_length=80)
    name_en = _optional()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    discount_percent = serializers.IntegerField()
    products = serializers.ListField(
        child=serializers.CharField(), default=list, max_length=MOST, help_text="keys; none: for all products"
    )


class PostChangeIn(serializers.Serializer):
    prepay = serializers.BooleanField(required=False)
    fee_fen = serializers.IntegerField(required=False)
    is_active = serializers.BooleanField(required=False)


class PostIn(serializers.Serializer):
    doctor = serializers.CharField()
    clinic = serializers.CharField()
    department = serializers.CharField()
    prepay = serializers.BooleanField(default=False)
    fee_fen = serializers.IntegerField(default=0)


# --- rows ------------------------------------------------------------------------------------------------------
def _named(row) -> dict:
    return {"key": row.key, "name": row.name, "name_en": row.name_en}


def _clinic(clinic: Clinic) -> dict:
    region = _named(clinic.region) if clinic.region_id else None
    return {**_named(clinic), "region": region, "category": clinic.category, "address": clinic.address}


def _post(post: Post) -> dict:
    plain = {name: getattr(post, name) for name in ("prepay", "fee_fen", "is_active")}
    return {"id": str(post.pk), "clinic": _named(post.clinic), "department": _named(post.department), **plain}


def _doctor(doctor: Doctor) -> dict:
    facts = {"title": doctor.title, "own_expert": doctor.is_own_expert}
    return {**_named(doctor), **facts, "posts": [_post(post) for post in doctor.present_posts]}


def _stock(row: Stock) -> dict:
    return {"clinic": _named(row.clinic), "quantity": row.quantity, "available": row.available}


def _product(product: Product) -> dict:
    plain = ("category", "attribute", "unit", "price_fen", "prescription_only", "is_active")
    facts = {name: getattr(product, name) for name in plain}
    return {**_named(product), **facts, "stock": [_stock(row) for row in product.present_stock]}


def _promotion(promotion: Promotion) -> dict:
    plain = ("starts_on", "ends_on", "discount_percent", "is_active")
    keys = sorted(product.key for product in promotion.products.all())
    facts = {name: getattr(promotion, name) for name in plain}
    return {**_named(promotion), **facts, "all_products": not keys, "products": keys}


def _asked(serializer: type[serializers.Serializer], request) -> dict:
    """What the request says; fields that are not there by name are refused, not dropped."""
    unknown = sorted(set(request.data) - set(serializer().fields))
    if unknown:
        raise BadInput(fields={name: [{"code": "not_writable"}] for name in unknown})
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _find(model, what: str, **by):
    row = model.objects.filter(**by).first()
    if row is None:
        raise NotFound(what=what)
    return row


def _product_now(product: Product) -> dict:
    shown = Stock.objects.filter(product=product, clinic__is_active=True).select_related("clinic")
    product.present_stock = list(shown.order_by("clinic__pk"))
    return _product(product)


# --- views -----------------------------------------------------------------------------------------------------
class Clinics(Idempotent, APIView):
    @extend_schema(
        parameters=[OpenApiParameter("search", str)], responses=ClinicOut(many=True), operation_id="clinics_list"
    )
    def get(self, request):
        rows = Clinic.objects.filter(is_active=True).select_related("region").order_by("pk")
        text = (request.query_params.get("search") or "").strip()
        if text:
            rows = (rows.filter(name__icontains=text) | rows.filter(name_en__icontains=text)).order_by("pk")
        return Response([_clinic(clinic) for clinic in rows[:MOST]])

    @extend_schema(request=ClinicIn, responses={201: ClinicOut}, operation_id="clinics_add")
    def post(self, request):
        """A new clinic (W-56)."""
        clinic = services.add_clinic(**_asked(ClinicIn, request), acting_user=request.user)
        return Response(_clinic(clinic), status=201)


class Departments(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("clinic", str)],
        responses=KeyedOut(many=True),
        operation_id="clinics_departments",
    )
    def get(self, request):
        """Those with a doctor, in one clinic or in any."""
        rows = services.departments(request.query_params.get("clinic"))
        return Response([_named(row) for row in rows[:MOST]])


class Doctors(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("clinic", str), OpenApiParameter("department", str)],
        responses=ClinicDoctorOut(many=True),
        operation_id="clinics_doctors",
    )
    def get(self, request):
        """Doctors with their posts, as far as they were asked for."""
        rows = services.doctors(request.query_params.get("clinic"), request.query_params.get("department"))
        return Response([_doctor(row) for row in rows[:MOST]])


class Posts(Idempotent, APIView):
    @extend_schema(request=PostIn, responses={201: PostOut}, operation_id="clinics_set_post")
    def post(self, request):
        """A doctor begins to work in a department of a clinic."""
        post = services.set_post(**_asked(PostIn, request), acting_user=request.user)
        return Response(_post(post), status=201)


class OnePost(APIView):
    @extend_schema(request=PostChangeIn, responses=PostOut, operation_id="clinics_change_post")
    def patch(self, request, pk: int):
        post = _find(Post, "post", pk=pk)
        post = services.change_post(post, **_asked(PostChangeIn, request), acting_user=request.user)
        return Response(_post(post))


class Products(Idempotent, APIView):
    @extend_schema(
        parameters=[OpenApiParameter("search", str), OpenApiParameter("clinic", str)],
        responses=ProductOut(many=True),
        operation_id="clinics_products",
    )
    def get(self, request):
        """Price and stock per clinic; with `clinic` only what that clinic keeps."""
        asked = request.query_params
        rows = services.products((asked.get("search") or "").strip(), asked.get("clinic"))
        return Response([_product(row) for row in rows[:MOST]])

    @extend_schema(request=ProductIn, responses={201: ProductOut}, operation_id="clinics_add_product")
    def post(self, request):
        product = services.add_product(**_asked(ProductIn, request), acting_user=request.user)
        return Response(_product_now(product), status=201)


class OneProduct(APIView):
    @extend_schema(request=ProductChangeIn, responses=ProductOut, operation_id="clinics_change_product")
    def patch(self, request, key: str):
        """Name, price and the rest; a price is above zero."""
        product = _find(Product, "product", key=key)
        product = services.change_product(product, **_asked(ProductChangeIn, request), acting_user=request.user)
        return Response(_product_now(product))


class ProductStock(APIView):
    @extend_schema(request=StockIn, responses=StockOut, operation_id="clinics_set_stock")
    def put(self, request, key: str):
        """So many were counted in this clinic; never fewer than are reserved."""
        asked = _asked(StockIn, request)
        product, clinic = _find(Product, "product", key=key), services.clinic_by_key(asked["clinic"])
        if clinic is None:
            raise BadInput(fields={"clinic": [{"code": "unknown"}]})
        row = services.set_stock(product, clinic, asked["quantity"], acting_user=request.user)
        return Response(_stock(row))


class Promotions(Idempotent, APIView):
    @extend_schema(
        parameters=[OpenApiParameter("on", date, description="those that run on this day; without: all, newest first")],
        responses=PromotionOut(many=True),
        operation_id="clinics_promotions",
    )
    def get(self, request):
        rows = Promotion.objects.order_by("-starts_on", "-pk").prefetch_related("products")
        if request.query_params.get("on"):
            try:
                rows = services.promotions_on(date.fromisoformat(request.query_params["on"]))
            except ValueError:
                raise BadInput(fields={"on": [{"code": "invalid"}]}) from None
        return Response([_promotion(row) for row in rows[:MOST]])

    @extend_schema(request=PromotionIn, responses={201: PromotionOut}, operation_id="clinics_promote")
    def post(self, request):
        """A new promotion; two of one product never run on the same day."""
        promotion = services.promote(**_asked(PromotionIn, request), acting_user=request.user)
        return Response(_promotion(promotion), status=201)


class OnePromotion(APIView):
    @extend_schema(request=PromotionChangeIn, responses=PromotionOut, operation_id="clinics_change_promotion")
    def patch(self, request, key: str):
        promotion = _find(Promotion, "promotion", key=key)
        asked = _asked(PromotionChangeIn, request)
        return Response(_promotion(services.change_promotion(promotion, **asked, acting_user=request.user)))


class Catalogue(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, enum=CatalogueEntry.KINDS),
            OpenApiParameter("search", str),
        ],
        responses=CatalogueOut(many=True),
        operation_id="clinics_catalogue",
    )
    def get(self, request):
        """Symptoms, diagnoses and treatment plans (W-59…W-61)."""
        rows, asked = CatalogueEntry.objects.filter(is_active=True).order_by("kind", "pk"), request.query_params
        if asked.get("kind"):
            rows = rows.filter(kind=asked["kind"])
        if asked.get("search"):
            rows = rows.filter(name__icontains=asked["search"].strip())
        return Response([{**_named(row), "kind": row.kind} for row in rows[:MOST]])


class DecoctionCentres(APIView):
    @extend_schema(responses=KeyedOut(many=True), operation_id="clinics_decoction_centres")
    def get(self, request):
        rows = DecoctionCentre.objects.filter(is_active=True).order_by("pk")
        return Response([_named(row) for row in rows[:MOST]])


urlpatterns = [
    path("clinics", Clinics.as_view()),
    path("clinics/departments", Departments.as_view()),
    path("clinics/doctors", Doctors.as_view()),
    path("clinics/posts", Posts.as_view()),
    path("clinics/posts/<int:pk>", OnePost.as_view()),
    path("clinics/products", Products.as_view()),
    path("clinics/products/<str:key>", OneProduct.as_view()),
    path("clinics/products/<str:key>/stock", ProductStock.as_view()),
    path("clinics/promotions", Promotions.as_view()),
    path("clinics/promotions/<str:key>", OnePromotion.as_view()),
    path("clinics/catalogue", Catalogue.as_view()),
    path("clinics/decoction-centres", DecoctionCentres.as_view()),
]
