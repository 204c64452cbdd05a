"""The phone bar over HTTP: wishes go in here, effects come back on the socket. What the phone shows is read in `web.desk.api`."""

from __future__ import annotations

import hmac
from typing import Any

from django.conf import settings
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.calls.models import Command
from web.common.errors import NotFound
from web.common.idempotency import Idempotent
from web.common.names import BilingualName

from . import scenarios, services


class Sent(serializers.Serializer):
    command = serializers.CharField()


class CommandOut(serializers.Serializer):
    id = serializers.CharField()
    state = serializers.ChoiceField(choices=["sent", "done", "refused", "silent"])
    code = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)


class SignInIn(serializers.Serializer):
    groups = serializers.ListField(child=serializers.CharField(max_length=40), max_length=50)
    skills = serializers.ListField(child=serializers.CharField(max_length=40), max_length=50, default=list)


class StateIn(serializers.Serializer):
    state = serializers.ChoiceField(choices=["ready", "not_ready", "rest"])
    reason = serializers.CharField(max_length=40, default="", allow_blank=True)
    minutes = serializers.IntegerField(min_value=1, max_value=480, required=False, allow_null=True)


class WrapUpIn(serializers.Serializer):
    action = serializers.ChoiceField(choices=["start", "extend", "end"])


class DialIn(serializers.Serializer):
    to = serializers.CharField(max_length=60, default="", allow_blank=True)
    customer = serializers.IntegerField(required=False, allow_null=True)
    ticket = serializers.CharField(max_length=30, default="", allow_blank=True, allow_null=True)
    task = serializers.IntegerField(required=False, allow_null=True)


class DemoCallIn(serializers.Serializer):
    what = serializers.ChoiceField(choices=list(scenarios.CALLS))


class ScenarioIn(serializers.Serializer):
    name = serializers.CharField(max_length=40, allow_blank=True)


class ScenarioOut(serializers.Serializer):
    name = serializers.CharField()
    title = BilingualName()


class DemoOut(serializers.Serializer):
    scenarios = ScenarioOut(many=True)
    running = serializers.CharField(allow_null=True)


def sent(command: Command) -> Response:
    return Response({"command": str(command.pk)}, status=202)


def read(shape: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    wish = shape(data=request.data)
    wish.is_valid(raise_exception=True)
    return wish.validated_data


class PhoneView(Idempotent, APIView):
    """A wish about the phone; the answer names the command whose end can be asked for."""


class SignIn(PhoneView):
    @extend_schema(request=SignInIn, responses={202: Sent})
    def post(self, request: Request) -> Response:
        """Sign in to skill groups with skills; signed in already: change them."""
        return sent(services.sign_in(request.user, **read(SignInIn, request)))


class SignOut(PhoneView):
    @extend_schema(request=None, responses={202: Sent})
    def post(self, request: Request) -> Response:
        """Leave all queues; refused during a call."""
        return sent(services.sign_out(request.user))


class State(PhoneView):
    @extend_schema(request=StateIn, responses={202: Sent})
    def post(self, request: Request) -> Response:
        """Ready, not ready or rest; during a call it is what comes after it."""
        return sent(services.set_state(request.user, **read(StateIn, request)))


class WrapUp(PhoneView):
    @extend_schema(request=WrapUpIn, responses={202: Sent})
    def post(self, request: Request) -> Response:
        """Start, extend once, or end the wrap-up."""
        return sent(services.wrap_up(request.user, **read(WrapUpIn, request)))


class Dial(PhoneView):
    @extend_schema(request=DialIn, responses={202: Sent}, operation_id="telephony_dial")
    def post(self, request: Request) -> Response:
        """Call a number, a colleague, a customer, or the party of a ticket or task."""
        wish = read(DialIn, request)
        return sent(
            services.dial(
                request.user,
                to=wish["to"],
                customer=wish.get("customer"),
                ticket=wish["ticket"] or "",
                task=wish.get("task"),
            )
        )


class Click(PhoneView):
    @extend_schema(
        request=None,
        responses={202: Sent},
        parameters=[OpenApiParameter("verb", str, OpenApiParameter.PATH, enum=list(services.VERBS))],
    )
    def post(self, request: Request, id: int, verb: str) -> Response:
        """Answer, hang up, hold, retrieve, mute, unmute: one's own part of a call."""
        if verb not in services.VERBS:
            raise NotFound()
        return sent(services.click(request.user, id, verb))


class CommandState(APIView):
    @extend_schema(responses=CommandOut)
    def get(self, request: Request, id: int) -> Response:
        """What became of a command of one's own."""
        row = Command.objects.filter(pk=id, agent__user=request.user).first()
        if row is None:
            raise NotFound()
        return Response({"id": str(row.pk), "state": row.state, "code": row.code, "reason": row.reason})


class MayPlay(BasePermission):
    """Permission telephony.demo, or the token from the data folder (`make scenario`)."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if has_demo_token(request):
            return True
        if request.user.is_authenticated:
            accounts.require(request.user, "telephony.demo")
        return bool(request.user.is_authenticated)


def has_demo_token(request: Request) -> bool:
    given = request.headers.get("X-Demo-Token", "")
    try:
        known = settings.TOKEN_FILE.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return bool(known and given) and hmac.compare_digest(given.encode(), known.encode())


class Demo(APIView):
    permission_classes = [MayPlay]

    @extend_schema(responses=DemoOut)
    def get(self, request: Request) -> Response:
        """Scenarios to play, and the one that is playing. 404 while a real PBX is connected."""
        if not scenarios.is_possible():
            raise NotFound()
        return Response({"scenarios": scenarios.names(), "running": scenarios.running()})


class DemoCall(Idempotent, APIView):
    permission_classes = [MayPlay]

    @extend_schema(request=DemoCallIn, responses={202: Sent})
    def post(self, request: Request) -> Response:
        """Somebody rings in on the simulator."""
        return sent(services.demo_call(read(DemoCallIn, request)["what"]))


class DemoScenario(Idempotent, APIView):
    permission_classes = [MayPlay]

    @extend_schema(request=ScenarioIn, responses={202: Sent, 404: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Play a scenario from its beginning; an empty name ends the one that is playing."""
        return sent(services.demo_scenario(read(ScenarioIn, request)["name"]))


urlpatterns = [
    path("telephony/me/sign-in", SignIn.as_view()),
    path("telephony/me/sign-out", SignOut.as_view()),
    path("telephony/me/state", State.as_view()),
    path("telephony/me/wrap-up", WrapUp.as_view()),
    path("telephony/calls", Dial.as_view()),
    path("telephony/calls/<int:id>/<slug:verb>", Click.as_view()),
    path("telephony/commands/<int:id>", CommandState.as_view()),
    path("telephony/demo", Demo.as_view()),
    path("telephony/demo/calls", DemoCall.as_view()),
    path("telephony/demo/scenario", DemoScenario.as_view()),
]
