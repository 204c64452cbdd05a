"""The black list over HTTP."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.accounts.api import PersonOut
from web.accounts.models import User
from web.common.idempotency import Idempotent
from web.common.paging import keyset
from web.common.scope import scope

from . import services
from .models import BlockEntry


class BlockRow(serializers.Serializer):
    id = serializers.CharField()
    number = serializers.CharField(help_text="masked")
    reason = serializers.CharField()
    term_days = serializers.IntegerField(allow_null=True)
    channels = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(choices=[state for state, _ in BlockEntry.STATES])
    until = serializers.DateTimeField(allow_null=True)
    attempts = serializers.IntegerField()
    applied_by = PersonOut(allow_null=True)
    approved_by = PersonOut(allow_null=True)
    ticket = serializers.CharField(allow_null=True)


class BlockPage(serializers.Serializer):
    results = BlockRow(many=True)
    next = serializers.CharField(allow_null=True)


class LiftWish(serializers.Serializer):
    reason = serializers.CharField(max_length=500)


def block_row(entry: BlockEntry, names: dict[str, str]) -> dict:
    def person(number: str | None) -> dict | None:
        return {"number": number, "name": names.get(number, number)} if number else None

    key = entry.business_key or ""
    return {
        "id": str(entry.pk),
        "number": entry.masked,
        "reason": entry.reason,
        "term_days": entry.term_days,
        "channels": entry.channels,
        "state": entry.state,
        "until": entry.until,
        "attempts": entry.attempts,
        "applied_by": person(entry.applied_by),
        "approved_by": person(entry.approved_by),
        "ticket": key.removeprefix("ticket:") if key.startswith("ticket:") else None,
    }


def _rows(entries: list[BlockEntry]) -> list[dict]:
    numbers = {number for entry in entries for number in (entry.applied_by, entry.approved_by) if number}
    names = dict(User.objects.filter(number__in=numbers).values_list("number", "name"))
    return [block_row(entry, names) for entry in entries]


class BlockList(APIView):
    @extend_schema(
        responses=BlockPage,
        parameters=[OpenApiParameter("state", str, many=True), OpenApiParameter("cursor", str)],
    )
    def get(self, request: Request) -> Response:
        """Entries the user may see, newest first; `state` may be given several times or comma separated."""
        entries = scope(BlockEntry.objects.all(), request.user)
        states = [one for value in request.query_params.getlist("state") for one in value.split(",") if one]
        if states:
            entries = entries.filter(state__in=states)
        rows, following = keyset(entries, by="created_at", cursor=request.query_params.get("cursor"), descending=True)
        return Response({"results": _rows(rows), "next": following})


class BlockLiftWish(Idempotent, APIView):
    @extend_schema(request=LiftWish, responses={202: BlockRow})
    def post(self, request: Request, id: int) -> Response:
        """Ask to take the number off the list; the flow of the entry decides."""
        accounts.require(request.user, "tickets.open")
        wish = LiftWish(data=request.data)
        wish.is_valid(raise_exception=True)
        entry = get_object_or_404(scope(BlockEntry.objects.all(), request.user), pk=id)
        entry = services.wish_to_lift(entry, reason=wish.validated_data["reason"], acting_user=request.user)
        return Response(_rows([entry])[0], status=202)


urlpatterns = [
    path("block-list", BlockList.as_view()),
    path("block-list/<int:id>/lift-wish", BlockLiftWish.as_view()),
]
