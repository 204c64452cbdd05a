"""The peer of the inbox: what somebody writes who follows REST framework's tutorial, over the same rows and the same site.

ModelSerializers nested along the relations, a ModelViewSet, pages by number. It shows the columns our row shows, and computes what the
browser needs to know of a task (`mine`, `claimable`, `can`); it leaves out the candidates' names, the counts of the boxes and the live topics.
`naive` says nothing of joins; `joined` is the same with select_related and prefetch_related, as who knows Django writes it.
"""

from __future__ import annotations

from django.urls import path
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.viewsets import ModelViewSet

from web.accounts.models import User
from web.config.urls import urlpatterns as product
from web.workflow.models import FlowDefinition, FlowVersion, ProcessInstance, TaskCandidate, UserTask


class PersonSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["number", "name"]


class FlowSerializer(serializers.ModelSerializer):
    class Meta:
        model = FlowDefinition
        fields = ["key", "name", "name_en"]


class VersionSerializer(serializers.ModelSerializer):
    definition = FlowSerializer()

    class Meta:
        model = FlowVersion
        fields = ["number", "definition"]


class InstanceSerializer(serializers.ModelSerializer):
    version = VersionSerializer()
    ticket = serializers.CharField(source="ticket.number", default=None)
    customer = serializers.CharField(source="ticket.customer.name_masked", default=None)
    level = serializers.CharField(source="ticket.customer.member.level.scheme", default=None)
    source = serializers.CharField(source="ticket.source", default=None)
    repeats = serializers.IntegerField(source="ticket.repeats", default=1)

    class Meta:
        model = ProcessInstance
        fields = ["id", "business_key", "version", "ticket", "customer", "level", "source", "repeats"]


class CandidateSerializer(serializers.ModelSerializer):
    class Meta:
        model = TaskCandidate
        fields = ["key"]


class TaskSerializer(serializers.ModelSerializer):
    instance = InstanceSerializer()
    assignee = PersonSerializer()
    ended_by = PersonSerializer()
    candidates = CandidateSerializer(many=True)
    mine = serializers.SerializerMethodField()
    claimable = serializers.SerializerMethodField()
    can = serializers.SerializerMethodField()

    class Meta:
        model = UserTask
        fields = [
            "id", "element", "title", "instance", "priority", "created_at", "due_at", "remind_at", "overdue_at", "assignee",
            "candidates", "state", "mine", "claimable", "can", "undo_until", "ended_at", "ended_by", "about", "version",
        ]  # fmt: skip

    def get_mine(self, task: UserTask) -> bool:
        return task.assignee == self.context["request"].user

    def get_claimable(self, task: UserTask) -> bool:
        return task.state == "open" and task.assignee is None

    def get_can(self, task: UserTask) -> list[str]:
        if task.state != "open":
            return []
        return (
            ["return", "delegate", "complete"] if self.get_mine(task) else ["claim"] if self.get_claimable(task) else []
        )


class Pages(PageNumberPagination):
    page_size = 20


class NaiveTasks(ModelViewSet):
    serializer_class = TaskSerializer
    pagination_class = Pages
    queryset = UserTask.objects.all()

    def get_queryset(self):
        return super().get_queryset().filter(assignee=self.request.user, state="open").order_by("due_at")


class JoinedTasks(NaiveTasks):
    queryset = UserTask.objects.select_related(
        "assignee", "ended_by", "instance__version__definition", "instance__ticket__customer__member__level"
    ).prefetch_related("candidates")


urlpatterns = [
    path("api/bench/naive", NaiveTasks.as_view({"get": "list"})),
    path("api/bench/joined", JoinedTasks.as_view({"get": "list"})),
    *product,
]
