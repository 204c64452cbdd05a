from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.common import clock
from web.common.errors import NotFound
from web.common.idempotency import Idempotent
from web.common.scope import scope

from . import services
from .models import Announcement

MOST = 100


class AnnouncementOut(serializers.Serializer):
    id = serializers.CharField()
    title = serializers.CharField()
    title_en = serializers.CharField(allow_null=True)
    body = serializers.CharField(allow_blank=True)
    level = serializers.ChoiceField(choices=services.LEVELS)
    published_at = serializers.DateTimeField()


class PublishIn(serializers.Serializer):
    title = serializers.CharField(max_length=120)
    title_en = serializers.CharField(max_length=120, required=False, allow_null=True)
    body = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    level = serializers.ChoiceField(choices=services.LEVELS, default="normal")
    groups = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="group keys; none = everybody"
    )


def announcement_out(row: Announcement) -> dict:
    return {
        "id": str(row.pk), "title": row.title, "title_en": row.title_en, "body": row.body or "", "level": row.level,
        "published_at": row.published_at,
    }  # fmt: skip


class Announcements(Idempotent, APIView):
    @extend_schema(responses=AnnouncementOut(many=True), operation_id="announcements_list")
    def get(self, request):
        """What stands now for this reader, newest first, at most 100."""
        rows = scope(Announcement.objects.filter(withdrawn_at=None, published_at__lte=clock.now()), request.user)
        return Response([announcement_out(row) for row in rows.order_by("-published_at", "-pk")[:MOST]])

    @extend_schema(request=PublishIn, responses={201: AnnouncementOut}, operation_id="announcements_publish")
    def post(self, request):
        accounts.require(request.user, "announcements.publish")
        asked = PublishIn(data=request.data)
        asked.is_valid(raise_exception=True)
        item = services.publish(acting_user=request.user, **asked.validated_data)
        return Response(announcement_out(item), status=201)


class OneAnnouncement(APIView):
    def _find(self, request, pk: int) -> Announcement:
        accounts.require(request.user, "announcements.publish")
        item = scope(Announcement.objects.filter(pk=pk, withdrawn_at=None), request.user).first()
        if item is None:
            raise NotFound(what="announcement")
        return item

    @extend_schema(request=PublishIn, responses=AnnouncementOut, operation_id="announcements_change")
    def patch(self, request, pk: int):
        item = self._find(request, pk)
        asked = PublishIn(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        return Response(announcement_out(services.change(item, acting_user=request.user, **asked.validated_data)))

    @extend_schema(responses={204: None}, operation_id="announcements_withdraw")
    def delete(self, request, pk: int):
        services.withdraw(self._find(request, pk), acting_user=request.user)
        return Response(status=204)


urlpatterns = [
    path("announcements", Announcements.as_view()),
    path("announcements/<int:pk>", OneAnnouncement.as_view()),
]
