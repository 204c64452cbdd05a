from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.common import live
from web.common.errors import NotAllowed, NotFound
from web.common.idempotency import Idempotent
from web.common.paging import keyset
from web.jobs.models import InboundMessage, Incident
from web.workflow import schemas
from web.workflow import services as workflow
from web.workflow.models import ProcessInstance, UserTask
from web.workflow.services import inbox, incidents, publishing, views

XML = "application/xml; charset=utf-8"


def asked(serializer: type, data: Any) -> dict[str, Any]:
    checked = serializer(data=data)
    checked.is_valid(raise_exception=True)
    return checked.validated_data


class _Task(Idempotent, APIView):
    def task(self, pk: int) -> UserTask:
        return inbox.find(pk, self.request.user)

    def row(self, task: UserTask) -> Response:
        return Response(workflow.task_row(task, self.request.user))


class Tasks(APIView):
    @extend_schema(parameters=[schemas.BoxQuery], responses=schemas.TaskPage, operation_id="tasks_list")
    def get(self, request):
        """One box of the inbox. `live` is read before the rows."""
        query = asked(schemas.BoxQuery, request.query_params)
        box, cursor = query.pop("box"), query.pop("cursor") or None
        pair = {"inbox": live.pair(f"inbox:{request.user.pk}")}
        rows, after = workflow.page(request.user, box, cursor=cursor, **query)
        return Response({"results": rows, "next": after, "counts": workflow.counts(request.user), "live": pair})


class OneTask(_Task):
    @extend_schema(responses=schemas.TaskDetail, operation_id="tasks_read")
    def get(self, request, pk: int):
        return Response(workflow.task_detail(self.task(pk), request.user))


class Claim(_Task):
    @extend_schema(request=schemas.ClaimIn, responses=schemas.TaskRow, operation_id="tasks_claim")
    def post(self, request, pk: int):
        """Take a task from the pool; with `call`, one that the caller on the line is waited for in, whoever has it."""
        call = asked(schemas.ClaimIn, request.data).get("call")
        if call is None:
            return self.row(workflow.claim(self.task(pk), request.user))
        task = UserTask.objects.filter(pk=pk).first()
        if task is None:
            raise NotAllowed(needs="call_with_customer")
        return self.row(workflow.take_over_in_call(task, request.user, str(call)))


class Return(_Task):
    @extend_schema(request=schemas.ReasonIn, responses=schemas.TaskRow, operation_id="tasks_return")
    def post(self, request, pk: int):
        return self.row(
            workflow.return_task(self.task(pk), request.user, asked(schemas.ReasonIn, request.data)["reason"])
        )


class Delegate(_Task):
    @extend_schema(request=schemas.DelegateIn, responses=schemas.TaskRow, operation_id="tasks_delegate")
    def post(self, request, pk: int):
        given = asked(schemas.DelegateIn, request.data)
        return self.row(workflow.delegate(self.task(pk), request.user, given["to"], given["reason"]))


class Complete(_Task):
    @extend_schema(
        request=schemas.CompleteIn,
        responses={
            200: schemas.TaskCompleted,
            409: OpenApiResponse(description="task_done, task_taken, task_gone, task_not_claimed"),
            422: OpenApiResponse(description="invalid_form with fields"),
        },
        operation_id="tasks_complete",
    )
    def post(self, request, pk: int):
        """Answer the form. Until `undo_until` it can be undone; with `now` the flow moves at once and `next` holds what it opened."""
        given = asked(schemas.CompleteIn, request.data)
        task = inbox.find_held(pk, request.user)
        workflow.complete(task, request.user, given["data"], wait=not given["now"])
        row = workflow.task_row(task, request.user)
        following = UserTask.objects.filter(
            instance=task.instance_id, assignee=request.user, state=UserTask.OPEN
        ).order_by("pk")
        return Response(
            {"task": row, "undo_until": row["undo_until"], "next": workflow.rows_of(following, request.user)}
        )


class Undo(_Task):
    @extend_schema(request=None, responses=schemas.TaskRow, operation_id="tasks_undo")
    def post(self, request, pk: int):
        return self.row(workflow.undo(self.task(pk), request.user))


class Draft(_Task):
    @extend_schema(
        request=schemas.DataIn,
        responses={200: schemas.DraftSaved, 409: OpenApiResponse(description="as tasks_complete; the draft is kept")},
        operation_id="tasks_draft",
    )
    def put(self, request, pk: int):
        """What was typed so far. Kept for one who has, had or may take the task; who lost it and all sight of it is told who has it."""
        task = inbox.find_held(pk, request.user)
        draft = workflow.keep_draft(task, request.user, asked(schemas.DataIn, request.data)["data"])
        return Response({"at": draft.at})


class Reassign(Idempotent, APIView):
    @extend_schema(request=schemas.ReassignIn, responses=schemas.ReassignResults, operation_id="tasks_reassign")
    def post(self, request):
        """One or many; each stands or falls alone."""
        given = asked(schemas.ReassignIn, request.data)
        ids = given.pop("ids")
        results = workflow.reassign(ids, request.user, **given)
        for result in results:
            result |= {name: str(result[name]) for name in ("id", "task") if name in result}
        return Response({"results": results})


class Load(APIView):
    @extend_schema(parameters=[schemas.LoadQuery], responses=schemas.LoadRow(many=True), operation_id="tasks_load")
    def get(self, request):
        """How much the people have on their hands whom the caller may give tasks to; with `tasks` only those who can do all of them."""
        accounts.require(request.user, "tasks.reassign")
        return Response(inbox.load(request.user, asked(schemas.LoadQuery, request.query_params)["tasks"]))


class Instances(APIView):
    @extend_schema(parameters=[schemas.InstanceQuery], responses=schemas.InstancePage, operation_id="instances_list")
    def get(self, request):
        query = asked(schemas.InstanceQuery, request.query_params)
        rows, after = views.instances(
            request.user, flow=query["flow"], status=query["status"], cursor=query["cursor"] or None
        )
        return Response({"results": rows, "next": after})


def _standing(instance: ProcessInstance) -> dict[str, Any]:
    """InstanceView; `live` is read before the rows."""
    topic = f"instance:{instance.pk}"
    pair = {topic: live.pair(topic)}
    return {**workflow.instance_view(instance), "live": pair}


class Instance(APIView):
    @extend_schema(responses=schemas.InstanceView, operation_id="instances_read")
    def get(self, request, pk: int):
        return Response(_standing(views.find_instance(pk, request.user)))


class Timeline(APIView):
    @extend_schema(responses=schemas.TimelineEntry(many=True), operation_id="instances_timeline")
    def get(self, request, pk: int):
        return Response(workflow.timeline(views.find_instance(pk, request.user)))


class InstanceDiagram(APIView):
    @extend_schema(responses={(200, "application/xml"): OpenApiTypes.STR}, operation_id="instances_diagram")
    def get(self, request, pk: int):
        return HttpResponse(publishing.diagram_of(views.find_instance(pk, request.user).version), content_type=XML)


class CancelInstance(Idempotent, APIView):
    @extend_schema(request=schemas.ReasonIn, responses=schemas.InstanceView, operation_id="instances_cancel")
    def post(self, request, pk: int):
        instance = views.find_instance(pk, request.user)
        workflow.cancel_instance(instance, request.user, asked(schemas.ReasonIn, request.data)["reason"])
        return Response(_standing(views.find_instance(pk, request.user)))


class Flows(APIView):
    @extend_schema(responses=schemas.FlowRow(many=True), operation_id="flows_list")
    def get(self, request):
        return Response(inbox.flows(request.user))


class FlowDiagram(APIView):
    @extend_schema(responses={(200, "application/xml"): OpenApiTypes.STR}, operation_id="flows_diagram")
    def get(self, request, key: str):
        return HttpResponse(publishing.diagram_of(publishing.current_version(key)), content_type=XML)


class Incidents(APIView):
    @extend_schema(parameters=[schemas.IncidentQuery], responses=schemas.IncidentPage, operation_id="incidents_list")
    def get(self, request):
        accounts.require(request.user, "workflow.incidents")
        query = asked(schemas.IncidentQuery, request.query_params)
        rows = Incident.objects.all() if query["state"] == "all" else Incident.objects.filter(state=query["state"])
        found, after = keyset(rows, by="opened_at", cursor=query["cursor"] or None, descending=True)
        return Response({"results": [views.incident_row(row) for row in found], "next": after})


class DecideIncident(Idempotent, APIView):
    @extend_schema(request=schemas.SkipIn, responses=schemas.IncidentDecided, operation_id="incidents_decide")
    def post(self, request, pk: int, action: str):
        """retry, skip or cancel."""
        accounts.require(request.user, "workflow.incidents")
        if action not in incidents.ACTIONS:
            raise NotFound()
        given = asked(schemas.SkipIn, request.data)
        more = {"data": given["data"]} if action == "skip" else {}
        went_on = incidents.ACTIONS[action](incidents.find(pk), request.user, given["reason"], **more)
        return Response({"ok": went_on, "incident": views.incident_row(incidents.find(pk))})


class Messages(APIView):
    @extend_schema(parameters=[schemas.MessageQuery], responses=schemas.MessagePage, operation_id="messages_list")
    def get(self, request):
        """Messages for flows as stored; `unmatched` shows what nobody waited for (also what waited in vain)."""
        accounts.require(request.user, "workflow.incidents")
        query = asked(schemas.MessageQuery, request.query_params)
        rows = InboundMessage.objects.all()
        if query["state"] == "unmatched":
            rows = rows.filter(state__in=(InboundMessage.UNMATCHED, InboundMessage.EXPIRED))
        elif query["state"] != "all":
            rows = rows.filter(state=query["state"])
        found, after = keyset(rows, by="received_at", cursor=query["cursor"] or None, descending=True)
        return Response({"results": [views.message_row(row) for row in found], "next": after})


urlpatterns = [
    path("tasks", Tasks.as_view()),
    path("tasks/reassign", Reassign.as_view()),
    path("tasks/load", Load.as_view()),
    path("tasks/<int:pk>", OneTask.as_view()),
    path("tasks/<int:pk>/claim", Claim.as_view()),
    path("tasks/<int:pk>/return", Return.as_view()),
    path("tasks/<int:pk>/delegate", Delegate.as_view()),
    path("tasks/<int:pk>/complete", Complete.as_view()),
    path("tasks/<int:pk>/undo", Undo.as_view()),
    path("tasks/<int:pk>/draft", Draft.as_view()),
    path("instances", Instances.as_view()),
    path("instances/<int:pk>", Instance.as_view()),
    path("instances/<int:pk>/timeline", Timeline.as_view()),
    path("instances/<int:pk>/diagram", InstanceDiagram.as_view()),
    path("instances/<int:pk>/cancel", CancelInstance.as_view()),
    path("flows", Flows.as_view()),
    path("flows/<str:key>/diagram", FlowDiagram.as_view()),
    path("incidents", Incidents.as_view()),
    path("incidents/<int:pk>/<str:action>", DecideIncident.as_view()),
    path("messages", Messages.as_view()),
]
