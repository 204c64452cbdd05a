"""A member over HTTP: seen as far as the customer is seen (W-26, W-40, W-45), and what the centre sets (W-28, W-42)."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.common.errors import BadInput, NotFound
from web.common.idempotency import Idempotent
from web.customers import services as customers
from web.customers.models import Customer

from . import services
from .models import Card, Level, Redeemable

SCHEMES = (Level.ORDINARY, Level.VIP)


class LevelOut(serializers.Serializer):
    key = serializers.CharField()
    scheme = serializers.ChoiceField(choices=SCHEMES)
    name = serializers.CharField()
    name_en = serializers.CharField(allow_null=True)
    discount_percent = serializers.IntegerField(help_text="percent off treatments")


class LevelTermsOut(LevelOut):
    id = serializers.CharField()
    threshold_fen = serializers.IntegerField(allow_null=True)
    threshold_orders = serializers.IntegerField(allow_null=True)
    rank = serializers.IntegerField()


class BenefitsOut(serializers.Serializer):
    level = serializers.CharField(allow_blank=True)
    discount_percent = serializers.IntegerField()
    queue_rank = serializers.IntegerField(help_text="0 = no priority; higher is served first")
    refund_priority = serializers.BooleanField()
    free_expert = serializers.BooleanField()
    physio_percent = serializers.IntegerField()


class MemberCardOut(serializers.Serializer):
    number = serializers.CharField()
    card_class = serializers.ChoiceField(choices=(Card.STORED_VALUE, Card.BENEFIT))
    level = LevelOut(allow_null=True)
    store_prefix = serializers.CharField(allow_null=True)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(allow_null=True)
    state = serializers.ChoiceField(choices=(Card.ACTIVE, Card.BLOCKED, Card.ENDED))
    benefits = serializers.ListField(child=serializers.ChoiceField(choices=Card.BENEFITS))
    physio_percent = serializers.IntegerField()
    valid = serializers.BooleanField(help_text="active, and today is in its term")


class EntryOut(serializers.Serializer):
    at = serializers.DateTimeField()
    change = serializers.IntegerField()
    balance = serializers.IntegerField()
    reason = serializers.CharField()
    reference = serializers.CharField(allow_null=True)
    operator = serializers.CharField(allow_null=True)


class FundEntryOut(EntryOut):
    channel = serializers.CharField()


class MembershipOut(serializers.Serializer):
    level = LevelOut(allow_null=True)
    vip = serializers.BooleanField()
    points = serializers.IntegerField()
    fund_fen = serializers.IntegerField()
    spent_fen = serializers.IntegerField()
    orders = serializers.IntegerField()
    benefits = BenefitsOut()
    cards = MemberCardOut(many=True)
    points_log = EntryOut(many=True)
    fund_log = FundEntryOut(many=True)


class SetLevelIn(serializers.Serializer):
    scheme = serializers.ChoiceField(choices=SCHEMES)
    level = serializers.CharField(max_length=40)
    reason = serializers.CharField(max_length=120)


class CardIn(serializers.Serializer):
    number = serializers.RegexField(r"^[A-Za-z0-9-]{1,30}$")
    card_class = serializers.ChoiceField(choices=(Card.STORED_VALUE, Card.BENEFIT))
    store_prefix = serializers.RegexField(r"^[A-Za-z0-9-]{1,10}$", required=False, allow_null=True)
    starts_on = serializers.DateField()
    ends_on = serializers.DateField(required=False, allow_null=True)
    scheme = serializers.ChoiceField(choices=SCHEMES, required=False, allow_null=True)
    level = serializers.CharField(max_length=40, required=False, allow_null=True)
    benefits = serializers.ListField(child=serializers.ChoiceField(choices=Card.BENEFITS), required=False)
    physio_percent = serializers.IntegerField(default=0)


class RedeemIn(serializers.Serializer):
    redeemable = serializers.CharField(max_length=40)
    key = serializers.CharField(max_length=60, help_text="made by the browser: the same again redeems nothing more")


class LevelChangeIn(serializers.Serializer):
    name = serializers.CharField(max_length=40, required=False)
    name_en = serializers.CharField(max_length=40, required=False, allow_null=True)
    discount_percent = serializers.IntegerField(required=False)
    threshold_fen = serializers.IntegerField(required=False, allow_null=True)
    threshold_orders = serializers.IntegerField(required=False, allow_null=True)


class RedeemableOut(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField(allow_null=True)
    level = LevelOut(allow_null=True)
    points = serializers.IntegerField()
    amount_fen = serializers.IntegerField(allow_null=True)
    product = serializers.CharField(allow_null=True)
    starts_on = serializers.DateField(allow_null=True)
    ends_on = serializers.DateField(allow_null=True)


class RedeemableIn(serializers.Serializer):
    key = serializers.RegexField(r"^[a-z0-9][a-z0-9-]{0,39}$")
    name = serializers.CharField(max_length=80)
    name_en = serializers.CharField(max_length=80, required=False, allow_null=True)
    points = serializers.IntegerField()
    amount_fen = serializers.IntegerField(required=False, allow_null=True)
    product = serializers.CharField(required=False, allow_null=True)
    scheme = serializers.ChoiceField(choices=SCHEMES, required=False, allow_null=True)
    level = serializers.CharField(required=False, allow_null=True)
    starts_on = serializers.DateField(required=False, allow_null=True)
    ends_on = serializers.DateField(required=False, allow_null=True)


def _asked(serializer: type[serializers.Serializer], request) -> dict:
    unknown = sorted(set(request.data) - set(serializer().fields))
    if unknown:
        raise BadInput(fields={name: [{"code": "not_writable"}] for name in unknown})
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _customer(user, pk: int) -> Customer:
    """404 for what does not exist and for what is not to be seen: the answer does not tell them apart."""
    customer = customers.visible(user).filter(pk=pk).first()
    if customer is None:
        raise NotFound(what="customer")
    return customer


def _level(facts: dict) -> Level | None:
    """Takes `scheme` and `level` out of the facts."""
    scheme, key = facts.pop("scheme", None), facts.pop("level", None)
    if not key:
        return None
    level = Level.objects.filter(scheme=scheme or Level.ORDINARY, key=key).first()
    if level is None:
        raise BadInput(fields={"level": [{"code": "unknown"}]})
    return level


def _terms(level: Level) -> dict:
    plain = ("key", "scheme", "name", "name_en", "discount_percent", "threshold_fen", "threshold_orders", "rank")
    return {"id": str(level.pk), **{name: getattr(level, name) for name in plain}}


def _redeemable(row: Redeemable) -> dict:
    plain = ("key", "name", "name_en", "points", "amount_fen", "starts_on", "ends_on")
    facts = {name: getattr(row, name) for name in plain}
    level = services.level_view(row.level) if row.level_id else None
    return {**facts, "level": level, "product": row.product.key if row.product_id else None}


class Member(APIView):
    @extend_schema(responses=MembershipOut, operation_id="membership_read")
    def get(self, request, pk: int):
        """Level, benefits, cards, and the newest lines of both ledgers."""
        return Response(services.view(_customer(request.user, pk)))


class MemberLevel(Idempotent, APIView):
    @extend_schema(request=SetLevelIn, responses=MembershipOut, operation_id="membership_set_level")
    def post(self, request, pk: int):
        customer, asked = _customer(request.user, pk), _asked(SetLevelIn, request)
        services.set_level(customer, asked["scheme"], asked["level"], asked["reason"], acting_user=request.user)
        return Response(services.view(customer))


class MemberCards(Idempotent, APIView):
    @extend_schema(request=CardIn, responses={201: MembershipOut}, operation_id="membership_add_card")
    def post(self, request, pk: int):
        """One more card (W-44)."""
        customer, asked = _customer(request.user, pk), _asked(CardIn, request)
        services.add_card(customer, level=_level(asked), **asked, acting_user=request.user)
        return Response(services.view(customer), status=201)


class Redeem(Idempotent, APIView):
    @extend_schema(request=RedeemIn, responses=MembershipOut, operation_id="membership_redeem")
    def post(self, request, pk: int):
        """Points for something that is offered today (W-42, W-46)."""
        accounts.require(request.user, "tickets.open")
        customer, asked = _customer(request.user, pk), _asked(RedeemIn, request)
        services.redeem(customer, asked["redeemable"], f"{customer.pk}:{asked['key']}", acting_user=request.user)
        return Response(services.view(customer))


class MemberRedeemables(APIView):
    @extend_schema(responses=RedeemableOut(many=True), operation_id="membership_redeemables_of")
    def get(self, request, pk: int):
        """What this member can have for points today."""
        rows = services.redeemables(_customer(request.user, pk))
        return Response([_redeemable(row) for row in rows[:200]])


class Levels(APIView):
    @extend_schema(responses=LevelTermsOut(many=True), operation_id="membership_levels")
    def get(self, request):
        return Response([_terms(level) for level in Level.objects.order_by("rank")])


class OneLevel(APIView):
    @extend_schema(request=LevelChangeIn, responses=LevelTermsOut, operation_id="membership_change_level")
    def patch(self, request, pk: int):
        level = Level.objects.filter(pk=pk).first()
        if level is None:
            raise NotFound(what="level")
        return Response(
            _terms(services.change_level(level, **_asked(LevelChangeIn, request), acting_user=request.user))
        )


class Redeemables(Idempotent, APIView):
    @extend_schema(responses=RedeemableOut(many=True), operation_id="membership_redeemables")
    def get(self, request):
        return Response([_redeemable(row) for row in services.redeemables()[:200]])

    @extend_schema(request=RedeemableIn, responses={201: RedeemableOut}, operation_id="membership_offer")
    def post(self, request):
        """Something to have for points: an amount or a product."""
        asked = _asked(RedeemableIn, request)
        return Response(_redeemable(services.offer(level=_level(asked), **asked, acting_user=request.user)), status=201)


urlpatterns = [
    path("customers/<int:pk>/membership", Member.as_view()),
    path("customers/<int:pk>/membership/level", MemberLevel.as_view()),
    path("customers/<int:pk>/membership/cards", MemberCards.as_view()),
    path("customers/<int:pk>/membership/redeem", Redeem.as_view()),
    path("customers/<int:pk>/membership/redeemables", MemberRedeemables.as_view()),
    path("membership/levels", Levels.as_view()),
    path("membership/levels/<int:pk>", OneLevel.as_view()),
    path("membership/redeemables", Redeemables.as_view()),
]
