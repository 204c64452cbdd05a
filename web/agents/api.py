"""The session (工号 + 分机号 + password) and the words of the phone bar: skills, groups, reasons."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import sessions
from web.accounts.models import User
from web.common.errors import DomainError
from web.common.names import BilingualName, Named, named
from web.common.scope import scope

from . import services
from .models import AgentProfile, PauseReason, Skill, SkillGroup


class LedGroupOut(Named):
    leads = serializers.BooleanField()


class SessionUserOut(serializers.Serializer):
    id = serializers.CharField()
    number = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())
    permissions = serializers.ListField(child=serializers.CharField())
    groups = LedGroupOut(many=True)
    locale = serializers.CharField(allow_null=True)


class AgentOut(serializers.Serializer):
    extension = serializers.CharField(allow_blank=True)
    groups = Named(many=True)
    skills = Named(many=True)


class CentreOut(serializers.Serializer):
    title = serializers.CharField()
    demo = serializers.BooleanField()
    simulator = serializers.BooleanField()


class SessionOut(serializers.Serializer):
    user = SessionUserOut()
    agent = AgentOut(allow_null=True)
    centre = CentreOut()
    draft_key = serializers.CharField(help_text="base64 of 32 bytes: seals the drafts kept in this browser")


class SessionIn(serializers.Serializer):
    number = serializers.CharField(max_length=40)
    password = serializers.CharField(max_length=200, trim_whitespace=False, style={"input_type": "password"})
    extension = serializers.CharField(max_length=20, required=False, allow_blank=True)
    takeover = serializers.BooleanField(default=False)


class LocaleIn(serializers.Serializer):
    locale = serializers.ChoiceField(choices=["zh-CN", "en"])


class ReasonOut(serializers.Serializer):
    key = serializers.CharField()
    kind = serializers.ChoiceField(choices=["not_ready", "rest"])
    title = BilingualName()
    minutes = serializers.IntegerField()


def session_out(user: User) -> dict:
    return {
        "user": sessions.session_user(user),
        "agent": services.agent_view(services.profile_of(user)),
        "centre": {
            "title": settings.CENTRE_TITLE,
            "demo": settings.DEMO,
            "simulator": settings.CTI_DRIVER == "simulator",
        },
        "draft_key": sessions.draft_key(user),
    }


class Session(APIView):
    def get_permissions(self):
        return [AllowAny()] if self.request.method in ("POST", "DELETE") else super().get_permissions()

    @extend_schema(responses=SessionOut, operation_id="session_read")
    def get(self, request):
        return Response(session_out(request.user))

    # Log-in comes before there is a session whose token REST framework would check.
    @method_decorator(csrf_protect)
    @method_decorator(sensitive_variables())
    def dispatch(self, request, *args, **kwargs):
        return super().dispatch(request, *args, **kwargs)

    @extend_schema(request=SessionIn, responses=SessionOut, operation_id="session_open")
    def post(self, request):
        """Log in. An extension is asked only of users with an agent profile; `takeover` ends the session that holds seat or 工号."""
        asked = SessionIn(data=request.data)
        asked.is_valid(raise_exception=True)
        number, wanted = asked.validated_data["number"], asked.validated_data.get("extension", "")
        takeover, plain = asked.validated_data["takeover"], request._request
        user = sessions.identify(plain, number, asked.validated_data["password"])
        try:
            with transaction.atomic():
                extension = services.check_extension(user, wanted)
                sessions.refuse_second_session(plain, user, takeover=takeover)
                if extension:
                    services.take_seat(user, extension, takeover=takeover)
                sessions.log_in(plain, user, extension=extension)
        except DomainError as refusal:
            sessions.note(plain, number, refusal.code, wanted)
            raise
        return Response(session_out(user))

    @extend_schema(request=LocaleIn, responses=SessionOut, operation_id="session_change")
    def patch(self, request):
        """The language this user reads, kept for his next sign-in."""
        asked = LocaleIn(data=request.data)
        asked.is_valid(raise_exception=True)
        User.objects.filter(pk=request.user.pk).update(locale=asked.validated_data["locale"])
        request.user.locale = asked.validated_data["locale"]
        return Response(session_out(request.user))

    @extend_schema(responses={204: None}, operation_id="session_close")
    def delete(self, request):
        """Log out: the seat is free, the phone signs out. Nobody logged in: nothing to do."""
        with transaction.atomic():
            profile = services.profile_of(request.user) if request.user.is_authenticated else None
            if profile is not None:
                services.leave_seat(profile)
            sessions.log_out(request._request)
        return Response(status=204, headers={"Clear-Site-Data": '"cache"'})


class Reasons(APIView):
    @extend_schema(responses=ReasonOut(many=True), operation_id="reasons_list")
    def get(self, request):
        rows = scope(services.reasons(), request.user)
        return Response([reason_out(row) for row in rows])


def reason_out(row: PauseReason) -> dict:
    title = {"zh": row.name, "en": row.name_en}
    return {"key": row.key, "kind": row.kind, "title": title, "minutes": row.max_minutes}


class SkillGroups(APIView):
    @extend_schema(responses=Named(many=True), operation_id="skill_groups_list")
    def get(self, request):
        rows = scope(SkillGroup.objects.order_by("pk"), request.user)
        return Response([named(row) for row in rows])


class Skills(APIView):
    @extend_schema(responses=Named(many=True), operation_id="skills_list")
    def get(self, request):
        rows = scope(Skill.objects.order_by("pk"), request.user)
        return Response([named(row) for row in rows])


class AgentRow(serializers.Serializer):
    number = serializers.CharField()
    name = serializers.CharField()
    extension = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    skill_groups = Named(many=True)
    skills = Named(many=True)


class Agents(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("skill_group", str)], responses=AgentRow(many=True), operation_id="agents_list"
    )
    def get(self, request):
        """Oneself and the agents one leads, with seat and skills."""
        rows = scope(AgentProfile.objects.filter(user__is_active=True), request.user)
        if request.query_params.get("skill_group"):
            chosen = SkillGroup.objects.filter(key=request.query_params["skill_group"])
            rows = rows.filter(skill_groups__in=chosen)
        rows = rows.select_related("user").prefetch_related("skill_groups", "skills").order_by("user__number")
        return Response([_agent_row(row) for row in rows])


def _agent_row(row: AgentProfile) -> dict:
    return {
        "number": row.user.number,
        "name": row.user.name,
        "extension": row.extension,
        "state": row.state,
        "skill_groups": [named(one) for one in row.skill_groups.all()],
        "skills": [named(one) for one in row.skills.all()],
    }


urlpatterns = [
    path("session", Session.as_view()),
    path("agents", Agents.as_view()),
    path("skill-groups", SkillGroups.as_view()),
    path("skills", Skills.as_view()),
    path("reasons", Reasons.as_view()),
]
