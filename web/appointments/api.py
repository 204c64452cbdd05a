"""Free places, schedules and appointments over HTTP. What follows from an act is drawn in the appointment's flow."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.clinics.models import Post
from web.common import clock
from web.common.errors import BadInput, NotFound
from web.common.idempotency import Idempotent
from web.common.paging import keyset
from web.common.scope import scope
from web.tickets.models import Ticket

from . import services
from .models import Appointment, Schedule
from .services.schedules import require_clinic
from .views import (
    AppointmentPage,
    AppointmentRow,
    FreeRow,
    ScheduleRow,
    SuggestionRow,
    appointment_row,
    appointment_rows,
    schedule_rows,
)

MOST_DAYS = 31
TEXT = str


class FreeIn(serializers.Serializer):
    clinic = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    department = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    doctor = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    since = serializers.DateField(required=False, allow_null=True, default=None)
    days = serializers.IntegerField(required=False, min_value=1, max_value=MOST_DAYS, default=7)


class AppointmentListIn(serializers.Serializer):
    clinic = serializers.CharField(max_length=40, required=False, allow_blank=True)
    date = serializers.DateField(required=False)
    state = serializers.CharField(max_length=120, required=False, allow_blank=True)
    cursor = serializers.CharField(max_length=200, required=False, allow_blank=True)


class ScheduleListIn(serializers.Serializer):
    clinic = serializers.CharField(max_length=40, required=False, allow_blank=True)
    doctor = serializers.CharField(max_length=40, required=False, allow_blank=True)
    since = serializers.DateField(required=False)
    days = serializers.IntegerField(required=False, min_value=1, max_value=MOST_DAYS, default=14)


class ScheduleIn(serializers.Serializer):
    post = serializers.IntegerField()
    date = serializers.DateField()
    start_hour = serializers.IntegerField()
    end_hour = serializers.IntegerField()
    per_hour = serializers.IntegerField()


class ScheduleChangeIn(serializers.Serializer):
    start_hour = serializers.IntegerField(required=False)
    end_hour = serializers.IntegerField(required=False)
    per_hour = serializers.IntegerField(required=False)
    state = serializers.ChoiceField([Schedule.OPEN], required=False, help_text="open: the doctor comes after all")


class SuspendIn(serializers.Serializer):
    reason = serializers.SlugField(max_length=40, help_text="a code: illness, leave, meeting, other")


class SuspendedOut(serializers.Serializer):
    told = serializers.IntegerField(help_text="appointments whose flow was told")


class CheckInIn(serializers.Serializer):
    arrived = serializers.BooleanField(default=True)


class AppointmentReasonIn(serializers.Serializer):
    reason = serializers.SlugField(max_length=40, default="other", help_text="a code, never a text about the patient")


def _read(kind: type[serializers.Serializer], data) -> dict:
    asked = kind(data=data)
    asked.is_valid(raise_exception=True)
    return asked.validated_data


class Free(APIView):
    @extend_schema(
        parameters=[
            *(OpenApiParameter(name, TEXT) for name in ("clinic", "department", "doctor")),
            OpenApiParameter("from", TEXT, description="YYYY-MM-DD; today when absent"),
            OpenApiParameter("days", int),
        ],
        responses=FreeRow(many=True),
        operation_id="appointments_free",
    )
    def get(self, request):
        """Live counts by doctor, day and hour; at least a clinic or a doctor must be named. Full hours are there with free 0."""
        given = {name: request.query_params[name] for name in request.query_params if name != "from"}
        asked = _read(FreeIn, {**given, "since": request.query_params.get("from") or None})
        if not (asked["clinic"] or asked["doctor"]):
            raise BadInput(fields={"clinic": [{"code": "required"}]})
        return Response(FreeRow(services.search(**asked, now=clock.now()), many=True).data)


class Suggestions(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("ticket", TEXT, required=True)],
        responses=SuggestionRow(many=True),
        operation_id="appointments_suggestions",
    )
    def get(self, request):
        """The second recommendation (W-70…W-75): at most 20 hours with a free place, in the order in which they are offered."""
        number = request.query_params.get("ticket", "")
        ticket = scope(Ticket.objects.filter(number=number), request.user).first()
        if ticket is None:
            raise NotFound(what="ticket")
        appointment = Appointment.objects.filter(ticket=ticket).select_related(
            "wanted_clinic", "wanted_department", "wanted_doctor"
        )
        found = appointment.first()
        rows = services.suggestions(found, clock.now()) if found else []
        return Response(SuggestionRow(rows, many=True).data)


class Appointments(APIView):
    @extend_schema(
        parameters=[OpenApiParameter(name, TEXT) for name in ("clinic", "date", "state", "cursor")],
        responses=AppointmentPage,
        operation_id="appointments_list",
    )
    def get(self, request):
        """Clinic staff see their clinics', doctors their own, agents those of their tickets; `state` may be several, comma separated."""
        asked = _read(AppointmentListIn, request.query_params)
        rows = scope(Appointment.objects.all(), request.user)
        if asked.get("clinic"):
            rows = rows.filter(clinic__key=asked["clinic"])
        if asked.get("date"):
            rows = rows.filter(date=asked["date"])
        if states := [one for one in (asked.get("state") or "").split(",") if one]:
            rows = rows.filter(state__in=states)
        rows = rows.select_related("clinic", "department", "doctor", "ticket", "customer")
        page, following = keyset(rows, by="created_at", cursor=asked.get("cursor") or None, descending=True)
        return Response({"results": appointment_rows(page, request.user), "next": following})


def _appointment(request, number: str) -> Appointment:
    """By the number of its ticket; the same answer for «not there» and «not yours»."""
    rows = scope(Appointment.objects.filter(ticket__number=number), request.user)
    found = rows.select_related("clinic", "department", "doctor", "ticket", "customer").first()
    if found is None:
        raise NotFound(what="appointment")
    return found


class OneAppointment(APIView):
    @extend_schema(responses=AppointmentRow, operation_id="appointments_read")
    def get(self, request, number: str):
        return Response(appointment_row(_appointment(request, number), request.user))


class CheckIn(Idempotent, APIView):
    @extend_schema(request=CheckInIn, responses={202: AppointmentRow}, operation_id="appointments_check_in")
    def post(self, request, number: str):
        """The clinic says whether the patient came."""
        asked, appointment = _read(CheckInIn, request.data), _appointment(request, number)
        reason = "arrived" if asked["arrived"] else "no_show"
        services.tell(
            appointment, services.CHECKED_IN, reason=reason, acting_user=request.user, arrived=asked["arrived"]
        )
        return Response(appointment_row(appointment, request.user), status=202)


class _Tell(Idempotent, APIView):
    message = ""

    def tell(self, request, number: str) -> Response:
        asked, appointment = _read(AppointmentReasonIn, request.data), _appointment(request, number)
        services.tell(appointment, self.message, reason=asked["reason"], acting_user=request.user)
        return Response(appointment_row(appointment, request.user), status=202)


class Cancel(_Tell):
    message = services.CANCEL

    @extend_schema(request=AppointmentReasonIn, responses={202: AppointmentRow}, operation_id="appointments_cancel")
    def post(self, request, number: str):
        """The patient does not come; the flow asks for the reason and whether money goes back."""
        return self.tell(request, number)


class Reschedule(_Tell):
    message = services.RESCHEDULE

    @extend_schema(request=AppointmentReasonIn, responses={202: AppointmentRow}, operation_id="appointments_reschedule")
    def post(self, request, number: str):
        """Another time is wanted; the flow asks for it and keeps the old place until the new one is held."""
        return self.tell(request, number)


class Schedules(Idempotent, APIView):
    @extend_schema(
        parameters=[
            *(OpenApiParameter(name, TEXT) for name in ("clinic", "doctor")),
            OpenApiParameter("from", TEXT),
            OpenApiParameter("days", int),
        ],
        responses=ScheduleRow(many=True),
        operation_id="schedules_list",
    )
    def get(self, request):
        given = {name: request.query_params[name] for name in request.query_params if name != "from"}
        if request.query_params.get("from"):
            given["since"] = request.query_params["from"]
        asked = _read(ScheduleListIn, given)
        rows = scope(Schedule.objects.all(), request.user)
        if asked.get("clinic"):
            rows = rows.filter(post__clinic__key=asked["clinic"])
        if asked.get("doctor"):
            rows = rows.filter(post__doctor__key=asked["doctor"])
        first = asked.get("since") or services.local_day(clock.now())
        return Response(schedule_rows(rows, first, asked["days"]))

    @extend_schema(request=ScheduleIn, responses={201: ScheduleRow}, operation_id="schedules_add")
    def post(self, request):
        """A new schedule with its places (W-100)."""
        asked = _read(ScheduleIn, request.data)
        post = Post.objects.select_related("doctor", "clinic", "department").filter(pk=asked["post"]).first()
        if post is None:
            raise BadInput("schedule_refused", fields={"post": [{"code": "unknown"}]})
        schedule = services.add(
            post,
            day=asked["date"],
            start_hour=asked["start_hour"],
            end_hour=asked["end_hour"],
            per_hour=asked["per_hour"],
            acting_user=request.user,
        )
        return Response(_one(schedule), status=201)


def _schedule(request, pk: int) -> Schedule:
    schedule = scope(Schedule.objects.filter(pk=pk), request.user).select_related("post").first()
    if schedule is None:
        raise NotFound(what="schedule")
    require_clinic(request.user, schedule.post.clinic_id)
    return schedule


def _one(schedule: Schedule) -> dict:
    return schedule_rows(Schedule.objects.filter(pk=schedule.pk), schedule.date, 1)[0]


class OneSchedule(APIView):
    @extend_schema(request=ScheduleChangeIn, responses=ScheduleRow, operation_id="schedules_change")
    def patch(self, request, pk: int):
        """Other hours, another number of patients an hour, or open again after a suspension."""
        asked, schedule = dict(_read(ScheduleChangeIn, request.data)), _schedule(request, pk)
        if asked.pop("state", None):
            schedule = services.reopen(schedule, acting_user=request.user)
        if asked:
            schedule = services.change(schedule, **asked, acting_user=request.user)
        return Response(_one(schedule))


class Suspend(Idempotent, APIView):
    @extend_schema(request=SuspendIn, responses={200: SuspendedOut}, operation_id="schedules_suspend")
    def post(self, request, pk: int):
        """停诊: free places go off, everybody with an appointment is cared for by his flow."""
        asked, schedule = _read(SuspendIn, request.data), _schedule(request, pk)
        told = services.suspend(schedule, reason=asked["reason"], acting_user=request.user)
        return Response({"told": told})


urlpatterns = [
    path("appointments", Appointments.as_view()),
    path("appointments/free", Free.as_view()),
    path("appointments/suggestions", Suggestions.as_view()),
    path("appointments/schedules", Schedules.as_view()),
    path("appointments/schedules/<int:pk>", OneSchedule.as_view()),
    path("appointments/schedules/<int:pk>/suspend", Suspend.as_view()),
    path("appointments/<str:number>", OneAppointment.as_view()),
    path("appointments/<str:number>/check-in", CheckIn.as_view()),
    path("appointments/<str:number>/cancel", Cancel.as_view()),
    path("appointments/<str:number>/reschedule", Reschedule.as_view()),
]
