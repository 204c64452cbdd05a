"""Colleagues, groups, notices and the form token. The session itself is in agents' API, as a seat has an extension."""

from __future__ import annotations

from django.db.models import Prefetch, Q
from django.http import HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import ensure_csrf_cookie
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from web.common import live
from web.common.idempotency import Idempotent
from web.common.names import Named, named
from web.common.paging import keyset
from web.common.scope import scope

from . import services
from .models import Group, Membership, Notification, User


class PersonOut(serializers.Serializer):
    number = serializers.CharField()
    name = serializers.CharField()


class ColleagueOut(PersonOut):
    group = serializers.CharField(allow_null=True, help_text="key of the first group")


class NotificationOut(serializers.Serializer):
    id = serializers.CharField()
    kind = serializers.CharField()
    text = serializers.CharField(help_text="key of the text; params go into it")
    params = serializers.DictField()
    ref = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()
    read = serializers.BooleanField()


class NotificationPage(serializers.Serializer):
    results = NotificationOut(many=True)
    next = serializers.CharField(allow_null=True)
    unread = serializers.IntegerField()
    live = serializers.DictField(child=serializers.CharField())


class ReadIn(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField(), max_length=200)


class ReadOut(serializers.Serializer):
    unread = serializers.IntegerField()


def notification_out(row: Notification) -> dict:
    """As shown in the centre and as pushed on the topic."""
    return {
        "id": str(row.pk), "kind": row.kind, "text": f"notice.{row.kind}", "params": row.params, "ref": row.ref,
        "at": row.at, "read": row.read_at is not None,
    }  # fmt: skip


@method_decorator(ensure_csrf_cookie, name="dispatch")
class Csrf(APIView):
    permission_classes = [AllowAny]

    @extend_schema(responses={204: None}, operation_id="session_csrf")
    def get(self, request):
        """Sets the cookie whose value goes into X-CSRFToken."""
        return HttpResponse(status=204)


MOST_PEOPLE = 200


class Users(APIView):
    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in ("role", "group", "search")],
        responses=ColleagueOut(many=True),
        operation_id="users_list",
    )
    def get(self, request):
        """Active colleagues, at most 200: for choosing whom to hand work to."""
        asked = request.query_params
        rows = scope(User.objects.filter(is_active=True), request.user)
        if asked.get("role"):
            rows = rows.filter(pk__in=services.users_with_role(asked["role"]).order_by().values("pk"))
        if asked.get("group"):
            rows = rows.filter(pk__in=services.members_of(asked["group"]).order_by().values("pk"))
        if asked.get("search"):
            text = asked["search"].strip()[:40]
            rows = rows.filter(Q(number__startswith=text) | Q(name__icontains=text))
        seats = Membership.objects.select_related("group").order_by("pk")
        rows = rows.prefetch_related(Prefetch("memberships", seats)).order_by("number")[:MOST_PEOPLE]
        return Response([{"number": row.number, "name": row.name, "group": _first_group(row)} for row in rows])


def _first_group(user: User) -> str | None:
    seats = list(user.memberships.all())
    return seats[0].group.key if seats else None


class Groups(APIView):
    @extend_schema(responses=Named(many=True), operation_id="groups_list")
    def get(self, request):
        rows = scope(Group.objects.order_by("path"), request.user)
        return Response([named(row) for row in rows])


def _unread(user: User) -> int:
    return scope(Notification.objects.filter(read_at=None), user).count()


class Notifications(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("cursor", str)], responses=NotificationPage, operation_id="notifications_list"
    )
    def get(self, request):
        topic = f"notifications:{request.user.pk}"
        pair = live.pair(topic)
        rows = scope(Notification.objects.all(), request.user)
        page, following = keyset(rows, by="at", cursor=request.query_params.get("cursor"), descending=True)
        results = [notification_out(row) for row in page]
        return Response(
            {"results": results, "next": following, "unread": _unread(request.user), "live": {"notifications": pair}}
        )


class ReadNotifications(Idempotent, APIView):
    @extend_schema(request=ReadIn, responses=ReadOut, operation_id="notifications_read")
    def post(self, request):
        asked = ReadIn(data=request.data)
        asked.is_valid(raise_exception=True)
        services.mark_read(request.user, asked.validated_data["ids"])
        return Response({"unread": _unread(request.user)})


urlpatterns = [
    path("session/csrf", Csrf.as_view()),
    path("users", Users.as_view()),
    path("groups", Groups.as_view()),
    path("notifications", Notifications.as_view()),
    path("notifications/read", ReadNotifications.as_view()),
]
