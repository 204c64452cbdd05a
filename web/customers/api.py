"""Customers over HTTP: masked unless revealed, found only within one's own reach (W-11…W-35, X-16)."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.accounts.api import PersonOut
from web.common.errors import BadInput, NotFound
from web.common.idempotency import Idempotent
from web.common.paging import keyset
from web.common.scope import scope

from . import hooks, services
from .models import IDENTITIES, POPULATIONS, RELATIONS, Customer, OwnershipChange


class AreaOut(serializers.Serializer):
    province = serializers.CharField(allow_blank=True)
    city = serializers.CharField(allow_blank=True)
    carrier = serializers.CharField(allow_blank=True)


class ImportanceOut(serializers.Serializer):
    text = serializers.CharField()
    colour = serializers.CharField(allow_blank=True)


class CardOut(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField(help_text="masked")
    sex = serializers.CharField(allow_blank=True)
    age = serializers.IntegerField(allow_null=True)
    number = serializers.CharField(allow_blank=True, help_text="masked")
    other_number = serializers.CharField(allow_null=True, help_text="masked")
    area = AreaOut()
    identity = serializers.ChoiceField(choices=IDENTITIES)
    level = serializers.CharField(allow_null=True)
    vip = serializers.BooleanField()
    importance = ImportanceOut(allow_null=True)
    owner = PersonOut(allow_null=True)
    card_no = serializers.CharField()
    allergies = serializers.ListField(child=serializers.CharField())
    points = serializers.IntegerField()
    balance_fen = serializers.IntegerField()
    last_visit = serializers.CharField(allow_null=True)
    blocked = serializers.BooleanField()
    do_not_call = serializers.BooleanField()


class CustomerPhoneOut(serializers.Serializer):
    kind = serializers.ChoiceField(choices=services.KINDS)
    number = serializers.CharField(help_text="masked")


class CustomerOut(CardOut):
    """The card and the rest of the form; what is personal comes masked and is named in `masked`."""

    nickname = serializers.CharField(allow_null=True)
    id_number = serializers.CharField(allow_null=True)
    birth_date = serializers.DateField(allow_null=True)
    population = serializers.ChoiceField(choices=POPULATIONS, allow_null=True)
    occupation = serializers.CharField(allow_null=True)
    income = serializers.CharField(allow_null=True)
    qq = serializers.CharField(allow_null=True)
    wechat = serializers.CharField(allow_null=True)
    email = serializers.CharField(allow_null=True)
    address = serializers.CharField(allow_null=True)
    home_address = serializers.CharField(allow_null=True)
    office_address = serializers.CharField(allow_null=True)
    province = serializers.CharField(allow_null=True)
    city = serializers.CharField(allow_null=True)
    source = serializers.CharField(allow_null=True)
    source_detail = serializers.CharField(allow_null=True)
    history_codes = serializers.ListField(child=serializers.CharField())
    history_note = serializers.CharField(allow_null=True)
    preferences = serializers.CharField(allow_null=True)
    insurance = serializers.CharField(allow_null=True)
    importance_colour = serializers.CharField(allow_null=True)
    numbers = CustomerPhoneOut(many=True)
    wrong_number = serializers.BooleanField()
    registered_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    may_change = serializers.BooleanField()
    masked = serializers.ListField(child=serializers.CharField())


class CustomerPage(serializers.Serializer):
    results = CardOut(many=True)
    next = serializers.CharField(allow_null=True)


def _text(**options) -> serializers.CharField:
    return serializers.CharField(required=False, allow_blank=True, **options)


class CustomerFields(serializers.Serializer):
    nickname = _text()
    sex = serializers.ChoiceField(choices=services.SEXES, required=False, allow_blank=True)
    id_number = _text()
    birth_date = serializers.DateField(required=False, allow_null=True)
    population = serializers.ChoiceField(choices=POPULATIONS, required=False, allow_blank=True)
    occupation = _text()
    income = _text()
    qq = _text()
    wechat = _text()
    email = _text()
    address = _text()
    home_address = _text()
    office_address = _text()
    province = _text()
    city = _text()
    source = _text()
    source_detail = _text()
    history_codes = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=50)
    history_note = _text()
    allergies = _text(help_text="comma separated")
    preferences = _text()
    insurance = _text()
    importance = _text()
    importance_colour = _text()


class RegisterIn(CustomerFields):
    name = serializers.CharField(max_length=40)
    relation = serializers.ChoiceField(choices=RELATIONS)
    identity = serializers.ChoiceField(choices=IDENTITIES)
    call = serializers.CharField(required=False, help_text="the call whose number it is")
    number = serializers.CharField(required=False, max_length=60)
    separate = serializers.BooleanField(default=False, help_text="another person on a number that is known")


class ChangeIn(CustomerFields):
    version = serializers.IntegerField(help_text="as read; 409 changed_meanwhile when it has moved on")
    name = serializers.CharField(max_length=40, required=False)
    identity = serializers.ChoiceField(choices=IDENTITIES, required=False)
    numbers = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=60),
        required=False,
        help_text="kind → number as typed; empty removes it",
    )


class RevealIn(serializers.Serializer):
    field = serializers.ChoiceField(choices=[*services.PHONE_FIELDS, *services.REVEALABLE])
    reason = serializers.CharField(max_length=200)


class RevealOut(serializers.Serializer):
    value = serializers.CharField(allow_blank=True)


class HistoryRowOut(serializers.Serializer):
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=["call", "ticket", "message", "appointment", "order"])
    title = serializers.CharField(allow_blank=True)
    state = serializers.CharField(allow_blank=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    ref = serializers.CharField(allow_null=True)
    direction = serializers.ChoiceField(choices=["in", "out"], required=False)


class AssignIn(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField(), min_length=1, max_length=500)
    to = serializers.CharField(
        required=False, help_text="工号; or a group, whose agents with the fewest customers get them"
    )
    group = serializers.CharField(required=False)
    reason = serializers.CharField(max_length=120)


class GivenOut(serializers.Serializer):
    id = serializers.CharField()
    owner = serializers.CharField()


class AssignOut(serializers.Serializer):
    results = GivenOut(many=True)


class OwnershipChangeOut(serializers.Serializer):
    old_owner = serializers.CharField(allow_null=True)
    new_owner = serializers.CharField(allow_null=True)
    by = serializers.CharField()
    at = serializers.DateTimeField()
    reason = serializers.CharField(allow_null=True)


def _find(user, pk: int) -> Customer:
    """404 for what does not exist and for what is not to be seen: the answer does not tell them apart."""
    customer = services.visible(user).filter(pk=pk).first()
    if customer is None:
        raise NotFound(what="customer")
    return customer


class Customers(Idempotent, APIView):
    @extend_schema(
        parameters=[OpenApiParameter("search", str), OpenApiParameter("owner", str), OpenApiParameter("cursor", str)],
        responses=CustomerPage,
        operation_id="customers_list",
    )
    def get(self, request):
        """Own reach only, newest first. `search`: a number in any spelling, a whole name, or the customer's own number. An agent in a
        call also finds a foreign customer by the exact number; that is written down (W-30). `owner=none`: those of nobody."""
        asked, user = request.query_params, request.user
        rows = services.visible(user)
        text = (asked.get("search") or "").strip()
        if asked.get("owner") == "none":
            rows = rows.filter(owner=None)
        elif asked.get("owner"):
            rows = rows.filter(owner__number=asked["owner"])
        if text:
            services.find_in_call(text, user)
            rows = rows.filter(services.found_by(text))
        page, following = keyset(rows, by="registered_at", cursor=asked.get("cursor"), descending=True)
        return Response({"results": [services.card(customer, user) for customer in page], "next": following})

    @extend_schema(request=RegisterIn, responses={200: CardOut, 201: CardOut}, operation_id="customers_register")
    def post(self, request):
        """Register the caller (201), or open the record the number already has (200; W-18)."""
        user = request.user
        accounts.require(user, "customers.register")
        asked = RegisterIn(data=request.data)
        asked.is_valid(raise_exception=True)
        facts = dict(asked.validated_data)
        call, number = facts.pop("call", None), facts.pop("number", None)
        number = number or (hooks.number_of_call(call, user) if call else None)
        if not number:
            raise BadInput(fields={"number": [{"code": "required"}]})
        customer, is_new = services.register(acting_user=user, number=number, call=call, **facts)
        return Response(services.card(customer, user), status=201 if is_new else 200)


class OneCustomer(APIView):
    @extend_schema(responses=CustomerOut, operation_id="customers_read")
    def get(self, request, pk: int):
        return Response(services.detail(_find(request.user, pk), request.user))

    @extend_schema(request=ChangeIn, responses=CustomerOut, operation_id="customers_change")
    def patch(self, request, pk: int):
        customer = _find(request.user, pk)
        unknown = sorted(set(request.data) - set(ChangeIn().fields))
        if unknown:
            raise BadInput(fields={name: [{"code": "not_writable"}] for name in unknown})
        asked = ChangeIn(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        if "version" not in asked.validated_data:
            raise BadInput(fields={"version": [{"code": "required"}]})
        services.change(customer, acting_user=request.user, **asked.validated_data)
        return Response(services.detail(_find(request.user, pk), request.user))


class Reveal(Idempotent, APIView):
    @extend_schema(request=RevealIn, responses=RevealOut, operation_id="customers_reveal")
    def post(self, request, pk: int):
        customer = _find(request.user, pk)
        asked = RevealIn(data=request.data)
        asked.is_valid(raise_exception=True)
        value = services.reveal(customer, acting_user=request.user, **asked.validated_data)
        return Response({"value": value})


class History(APIView):
    @extend_schema(responses=HistoryRowOut(many=True), operation_id="customers_history")
    def get(self, request, pk: int):
        """Calls, tickets and messages, newest first, each as far as its room lets this user see it."""
        return Response(services.history(_find(request.user, pk), request.user))


class Ownership(APIView):
    @extend_schema(responses=OwnershipChangeOut(many=True), operation_id="customers_ownership")
    def get(self, request, pk: int):
        """变动日志 (W-35)."""
        customer = _find(request.user, pk)
        rows = scope(OwnershipChange.objects.filter(customer=customer), request.user).order_by("-at", "-pk")[:100]
        return Response(OwnershipChangeOut(rows, many=True).data)


class Assign(Idempotent, APIView):
    @extend_schema(request=AssignIn, responses=AssignOut, operation_id="customers_assign")
    def post(self, request):
        """Give customers to an agent or spread them over a group (W-32, W-34)."""
        accounts.require(request.user, "customers.assign")
        asked = AssignIn(data=request.data)
        asked.is_valid(raise_exception=True)
        facts = asked.validated_data
        rows = list(services.visible(request.user).filter(pk__in=facts["ids"]).order_by("pk"))
        if len(rows) != len(set(facts["ids"])):
            raise NotFound(what="customer")
        to = accounts.user_by_number(facts["to"]) if facts.get("to") else None
        given = services.assign(rows, acting_user=request.user, reason=facts["reason"], to=to, group=facts.get("group"))
        return Response({"results": [{"id": str(pk), "owner": number} for pk, number in given.items()]})


urlpatterns = [
    path("customers", Customers.as_view()),
    path("customers/assign", Assign.as_view()),
    path("customers/<int:pk>", OneCustomer.as_view()),
    path("customers/<int:pk>/reveal", Reveal.as_view()),
    path("customers/<int:pk>/history", History.as_view()),
    path("customers/<int:pk>/ownership", Ownership.as_view()),
]
