"""What phone, queue and floor show, read from rows: snapshots with the position of their topics."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.accounts.api import PersonOut
from web.agents.api import ReasonOut
from web.calls.api import TagOut
from web.common.names import Named
from web.customers.api import AreaOut, CardOut, HistoryRowOut
from web.tickets.views import TicketRow
from web.workflow.schemas import TaskRow

from . import floor, pop


class CallViewOut(serializers.Serializer):
    id = serializers.CharField()
    direction = serializers.ChoiceField(choices=["in", "out", "internal"])
    state = serializers.ChoiceField(choices=["ringing", "talking", "held", "ended"])
    muted = serializers.BooleanField()
    number = serializers.CharField(help_text="masked")
    area = AreaOut(allow_null=True)
    queue = Named(allow_null=True)
    called = serializers.CharField()
    started_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    held_since = serializers.DateTimeField(allow_null=True)
    state_since = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    verified = serializers.BooleanField()
    card = CardOut(allow_null=True)
    candidates = CardOut(many=True, help_text="when several have the number")
    open_tasks = TaskRow(many=True)
    tickets = TicketRow(many=True)
    purpose = TagOut(allow_null=True)
    history = HistoryRowOut(many=True, allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="why it rang here")


class AfterCall(serializers.Serializer):
    state = serializers.CharField()
    reason = serializers.CharField(allow_null=True)


class PhoneOut(serializers.Serializer):
    state = serializers.ChoiceField(choices=["null", "not_ready", "ready", "busy", "acw"])
    reason = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField()
    planned_until = serializers.DateTimeField(allow_null=True)
    wrap_up_until = serializers.DateTimeField(allow_null=True)
    wrap_up_extended = serializers.BooleanField()
    after_call = AfterCall(allow_null=True, help_text="asked for during the call")
    signed_in = serializers.ListField(child=serializers.CharField())
    skills = serializers.ListField(child=serializers.CharField())
    reasons = ReasonOut(many=True)
    calls = CallViewOut(many=True)
    live = serializers.DictField(child=serializers.CharField())


class QueueRowOut(serializers.Serializer):
    call = serializers.CharField()
    number = serializers.CharField()
    area = AreaOut(allow_null=True)
    queue = Named()
    priority = serializers.IntegerField()
    waiting_since = serializers.DateTimeField()
    vip = serializers.BooleanField()


class QueueOut(serializers.Serializer):
    results = QueueRowOut(many=True)
    live = serializers.DictField(child=serializers.CharField())


class MissedOut(serializers.Serializer):
    call = serializers.CharField()
    number = serializers.CharField()
    area = AreaOut(allow_null=True)
    at = serializers.DateTimeField()
    queue = Named(allow_null=True)
    times = serializers.IntegerField()
    ticket = serializers.CharField(allow_null=True)
    task = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(choices=["open", "done"])


class Figures(serializers.Serializer):
    waiting = serializers.IntegerField()
    longest_wait_since = serializers.DateTimeField(allow_null=True)
    talking = serializers.IntegerField()
    ringing = serializers.IntegerField()
    ready = serializers.IntegerField()
    acw = serializers.IntegerField()
    rest = serializers.IntegerField()
    not_ready = serializers.IntegerField()
    offered_today = serializers.IntegerField()
    answered_today = serializers.IntegerField()
    abandoned_today = serializers.IntegerField()
    tasks_open = serializers.IntegerField()
    tasks_overdue = serializers.IntegerField()
    tasks_soon = serializers.IntegerField()


class FloorCall(serializers.Serializer):
    id = serializers.CharField()
    number = serializers.CharField()
    customer = serializers.CharField(allow_null=True)
    direction = serializers.CharField()
    state = serializers.ChoiceField(choices=["ringing", "talking", "held"])
    since = serializers.DateTimeField()


class FloorAgent(PersonOut):
    group = Named(allow_null=True)
    state = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField()
    planned_until = serializers.DateTimeField(allow_null=True)
    wrap_up_until = serializers.DateTimeField(allow_null=True)
    call = FloorCall(allow_null=True)


class FloorOut(serializers.Serializer):
    figures = Figures()
    agents = FloorAgent(many=True)
    queue = QueueRowOut(many=True)
    live = serializers.DictField(child=serializers.CharField())


class Phone(APIView):
    @extend_schema(responses=PhoneOut, operation_id="phone_read")
    def get(self, request: Request) -> Response:
        """The own phone with its calls and their cards: all a reload needs."""
        return Response(pop.phone(request.user))


class Queue(APIView):
    @extend_schema(responses=QueueOut, operation_id="queue_read")
    def get(self, request: Request) -> Response:
        """Who waits now, longest first."""
        return Response(floor.queue(request.user))


class Missed(APIView):
    @extend_schema(responses=MissedOut(many=True), operation_id="missed_list")
    def get(self, request: Request) -> Response:
        """Unanswered calls of the last seven days that the user may see, one row per number."""
        return Response(floor.missed(request.user))


class Floor(APIView):
    @extend_schema(responses=FloorOut, operation_id="floor_read")
    def get(self, request: Request) -> Response:
        """All agents, all waiting calls, the figures of the day. Needs telephony.floor."""
        accounts.require(request.user, "telephony.floor")
        return Response(floor.floor(request.user))


urlpatterns = [
    path("telephony/me", Phone.as_view()),
    path("telephony/queue", Queue.as_view()),
    path("telephony/missed", Missed.as_view()),
    path("telephony/floor", Floor.as_view()),
]
