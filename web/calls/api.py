"""Calls over HTTP: purposes, tagging, the list."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts.api import PersonOut
from web.common import clock, seals
from web.common.errors import BadInput
from web.common.idempotency import Idempotent
from web.common.names import BilingualName
from web.common.paging import keyset
from web.common.scope import scope
from web.customers import services as customers
from web.customers.api import AreaOut

from . import services
from .models import Call, CallLeg


class SubtypeOut(serializers.Serializer):
    key = serializers.CharField()
    title = BilingualName()


class PurposeOut(serializers.Serializer):
    key = serializers.CharField()
    title = BilingualName()
    shortcut = serializers.IntegerField()
    flow = serializers.CharField(allow_null=True)
    enabled = serializers.BooleanField()
    why_not = serializers.CharField(allow_null=True)
    subtypes = SubtypeOut(many=True)


class TagIn(serializers.Serializer):
    purpose = serializers.CharField(max_length=40)
    subtype = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)


class TagOut(serializers.Serializer):
    key = serializers.CharField()
    subtype = serializers.CharField(allow_null=True)


class CallRow(serializers.Serializer):
    id = serializers.CharField()
    direction = serializers.ChoiceField(choices=["in", "out", "internal", "dialler"])
    number = serializers.CharField(help_text="masked")
    area = AreaOut(allow_null=True)
    called = serializers.CharField()
    queue = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    wait_ms = serializers.IntegerField()
    talk_ms = serializers.IntegerField()
    hold_ms = serializers.IntegerField()
    customer = serializers.CharField(allow_null=True, help_text="masked name")
    customer_id = serializers.CharField(allow_null=True)
    agents = PersonOut(many=True)
    purpose = TagOut(allow_null=True)


class CallPage(serializers.Serializer):
    results = CallRow(many=True)
    next = serializers.CharField(allow_null=True)


def call_row(call: Call) -> dict[str, Any]:
    agents = {leg.agent.user.number: leg.agent.user.name for leg in call.legs.all() if leg.agent}
    return {
        "id": str(call.pk),
        "direction": call.direction,
        "number": call.number_masked or "",
        "area": services.area_view(call),
        "called": call.called or "",
        "queue": call.last_queue,
        "outcome": call.outcome,
        "started_at": call.started_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "wait_ms": call.wait_ms,
        "talk_ms": call.talk_ms,
        "hold_ms": call.hold_ms,
        "customer": call.customer.name_masked if call.customer else None,
        "customer_id": str(call.customer_id) if call.customer_id else None,
        "agents": [{"number": number, "name": name} for number, name in agents.items()],
        "purpose": {"key": call.purpose, "subtype": call.subtype} if call.purpose else None,
    }


class Filters(serializers.Serializer):
    """What the list can be narrowed by; `number` is found exactly, through its token."""

    direction = serializers.ChoiceField(choices=["in", "out", "internal", "dialler"], required=False)
    outcome = serializers.CharField(max_length=12, required=False)
    queue = serializers.CharField(max_length=40, required=False)
    agent = serializers.CharField(max_length=20, required=False)
    purpose = serializers.CharField(max_length=40, required=False)
    customer = serializers.IntegerField(required=False)
    number = serializers.CharField(max_length=60, required=False)
    begin = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)

    def narrow(self, calls: QuerySet[Call]) -> QuerySet[Call]:
        wanted = self.validated_data
        plain = {"direction": "direction", "outcome": "outcome", "queue": "last_queue", "purpose": "purpose"}
        calls = calls.filter(**{column: wanted[name] for name, column in plain.items() if name in wanted})
        if "customer" in wanted:
            calls = calls.filter(customer_id=wanted["customer"])
        if "agent" in wanted:
            legs = CallLeg.objects.filter(agent__user__number=wanted["agent"])
            calls = calls.filter(pk__in=legs.values("call"))
        if "number" in wanted:
            number = customers.normalise(wanted["number"])
            if number is None:
                raise BadInput("bad_number", fields={"number": [{"code": "bad_number"}]})
            calls = calls.filter(number_token=seals.blind(number, kind="number"))
        if "begin" in wanted:
            calls = calls.filter(slot__gte=clock.slot(wanted["begin"]), started_at__gte=wanted["begin"])
        if "end" in wanted:
            calls = calls.filter(slot__lte=clock.slot(wanted["end"]), started_at__lt=wanted["end"])
        return calls


class Purposes(APIView):
    @extend_schema(responses=PurposeOut(many=True))
    def get(self, request: Request) -> Response:
        """Purposes of a call (来电类型) with their sub-types; one whose flow is not deployed is disabled and says why."""
        return Response(services.purposes())


class Tag(Idempotent, APIView):
    @extend_schema(request=TagIn, responses=TagOut)
    def post(self, request: Request, id: int) -> Response:
        """Give a call its purpose and sub-type."""
        wish = TagIn(data=request.data)
        wish.is_valid(raise_exception=True)
        call = get_object_or_404(scope(Call.objects.all(), request.user), pk=id)
        call = services.tag(call, acting_user=request.user, **wish.validated_data)
        return Response({"key": call.purpose, "subtype": call.subtype})


class Calls(APIView):
    @extend_schema(responses=CallPage, parameters=[Filters, OpenApiParameter("cursor", str)])
    def get(self, request: Request) -> Response:
        """Calls the user may see, newest first."""
        filters = Filters(data=request.query_params)
        filters.is_valid(raise_exception=True)
        calls = filters.narrow(scope(Call.objects.all(), request.user))
        calls = calls.select_related("customer").prefetch_related("legs__agent__user")
        rows, following = keyset(calls, by="slot", cursor=request.query_params.get("cursor"), descending=True)
        return Response({"results": [call_row(call) for call in rows], "next": following})


urlpatterns = [
    path("purposes", Purposes.as_view()),
    path("calls", Calls.as_view()),
    path("calls/<int:id>/tag", Tag.as_view()),
]
