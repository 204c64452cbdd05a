from __future__ import annotations

from django.db.models import OuterRef, Q, Subquery
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts import services as accounts
from web.calls.models import Call
from web.common import seals
from web.common.errors import BadInput, NotFound
from web.common.idempotency import Idempotent
from web.common.paging import keyset
from web.common.scope import scope
from web.customers import services as customers
from web.customers.models import IDENTITIES, RELATIONS, Customer
from web.membership import services as membership
from web.workflow import services as workflow
from web.workflow.models import UserTask

from . import services, views
from .models import Ticket


class OpenTicketIn(serializers.Serializer):
    purpose = serializers.CharField(max_length=40)
    call = serializers.IntegerField(required=False, allow_null=True)
    customer = serializers.IntegerField(required=False, allow_null=True)
    relation = serializers.ChoiceField(RELATIONS, required=False)
    identity = serializers.ChoiceField(IDENTITIES, required=False)
    summary = serializers.CharField(required=False, allow_blank=True, max_length=400)


class OutboundIn(serializers.Serializer):
    customer = serializers.IntegerField()


class WhoseIn(serializers.Serializer):
    customer = serializers.IntegerField()


class MayBeOut(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField(help_text="masked")
    card_no = serializers.CharField()
    vip = serializers.BooleanField()


class BlockIn(serializers.Serializer):
    call = serializers.IntegerField()


class StartFlowIn(serializers.Serializer):
    customer = serializers.IntegerField(required=False, allow_null=True)
    data = serializers.DictField(child=serializers.JSONField(), required=False)


class MergeIn(serializers.Serializer):
    into = serializers.CharField(max_length=30, help_text="number of the ticket that stays")


class StartedOut(serializers.Serializer):
    ticket = serializers.CharField()
    instance = serializers.CharField()
    task = serializers.CharField(allow_null=True)


def find(model, user, pk, *, called: str):
    """The row when the user may see it; the same answer for «not there» and «not yours»."""
    row = scope(model.objects.all(), user).filter(pk=pk).first()
    if row is None:
        raise NotFound(what=called)
    return row


def ticket_of(user, number: str) -> Ticket:
    """The ticket when the user may see it, else NotFound."""
    ticket = scope(Ticket.objects.filter(number=number), user).first()
    if ticket is None:
        raise NotFound(what="ticket")
    return ticket


class Tickets(Idempotent, APIView):
    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in ("kind", "status", "mine", "search", "cursor")],
        responses=views.TicketPage,
        operation_id="tickets_list",
    )
    def get(self, request):
        asked = request.query_params
        soonest = UserTask.objects.filter(instance=OuterRef("instance"), state=UserTask.OPEN).order_by("due_at")
        rows = scope(Ticket.objects.all(), request.user).annotate(task_due_at=Subquery(soonest.values("due_at")[:1]))
        if asked.get("kind"):
            rows = rows.filter(kind=asked["kind"])
        if asked.get("status") in ("open", "closed"):
            rows = rows.filter(closed_at__isnull=asked["status"] == "open")
        if asked.get("mine"):
            rows = rows.filter(Q(owner=request.user) | Q(opened_by=request.user))
        if asked.get("search"):
            rows = rows.filter(_found_by(asked["search"].strip()))
        rows = rows.select_related("customer__member__level", "owner", "group", "instance__version__definition").defer(
            "instance__state"
        )
        page, following = keyset(rows, by="opened_at", cursor=asked.get("cursor"), descending=True)
        return Response({"results": [views.row(ticket) for ticket in page], "next": following})

    @extend_schema(request=OpenTicketIn, responses={201: views.TicketDetail}, operation_id="tickets_open")
    def post(self, request):
        accounts.require(request.user, "tickets.open")
        asked = OpenTicketIn(data=request.data)
        asked.is_valid(raise_exception=True)
        call = (
            find(Call, request.user, asked.validated_data["call"], called="call")
            if asked.validated_data.get("call")
            else None
        )
        wanted = asked.validated_data.get("customer") or (call and call.customer_id)
        customer = find(Customer, request.user, wanted, called="customer") if wanted else None
        ticket = services.open_ticket(
            acting_user=request.user,
            purpose=asked.validated_data["purpose"],
            call=call,
            customer=customer,
            summary=asked.validated_data.get("summary", ""),
            relation=asked.validated_data.get("relation"),
            identity=asked.validated_data.get("identity"),
        )
        return Response(views.detail(ticket, request.user), status=201)


def _found_by(text: str) -> Q:
    """A ticket number, or a phone number or name exactly (sealed columns are searched by blind index)."""
    number = customers.normalise(text)
    found = Q(number__icontains=text) | Q(customer__name_index=seals.blind(text, kind="name"))
    return found | Q(caller_token=seals.blind(number, kind="number")) if number else found


class OneTicket(APIView):
    @extend_schema(responses=views.TicketDetail, operation_id="tickets_read")
    def get(self, request, number: str):
        return Response(views.detail(ticket_of(request.user, number), request.user))


class Whose(Idempotent, APIView):
    @extend_schema(responses=MayBeOut(many=True), operation_id="tickets_may_be")
    def get(self, request, number: str):
        """Whom to choose from while nobody has said whose ticket it is: those with its number. Empty for who has no work in it."""
        ticket = self._ticket(number)
        found = services.who_it_may_be(ticket) if workflow.first_task_of(ticket.instance, request.user) else []
        return Response(
            [{"id": str(one.pk), "name": one.name_masked, "card_no": one.number, "vip": membership.is_vip(one)} for one in found]
        )

    @extend_schema(request=WhoseIn, responses=views.TicketDetail, operation_id="tickets_customer")
    def post(self, request, number: str):
        """Say whose ticket it is: one of those with its number, by who has work in it or could take it."""
        ticket = self._ticket(number)
        asked = WhoseIn(data=request.data)
        asked.is_valid(raise_exception=True)
        customer = Customer.objects.filter(pk=asked.validated_data["customer"]).first()
        if customer is None:
            raise BadInput("unknown_customer", fields={"customer": [{"code": "unknown"}]})
        services.tag_customer(ticket, customer, acting_user=request.user)
        return Response(views.detail(ticket, request.user))

    def _ticket(self, number: str) -> Ticket:
        ticket = scope(Ticket.objects.filter(number=number), self.request.user).select_related("instance").first()
        if ticket is None:
            raise NotFound(what="ticket")
        return ticket


class Withdraw(Idempotent, APIView):
    @extend_schema(request=None, responses={202: None, 409: None}, operation_id="tickets_withdraw")
    def post(self, request, number: str):
        """Take one's own application back while it is being decided; the flow ends at once."""
        services.withdraw(ticket_of(request.user, number), acting_user=request.user)
        return Response(status=202)


class Urge(Idempotent, APIView):
    @extend_schema(request=None, responses={202: None, 409: None}, operation_id="tickets_urge")
    def post(self, request, number: str):
        """The customer asks how long it takes: counted, and the open work gets more urgent."""
        services.urge(ticket_of(request.user, number), acting_user=request.user)
        return Response(status=202)


class Merge(Idempotent, APIView):
    @extend_schema(request=MergeIn, responses={202: None, 409: None}, operation_id="tickets_merge")
    def post(self, request, number: str):
        """This ticket is the same case as `into`: it ends, its calls go over."""
        ticket = ticket_of(request.user, number)
        asked = MergeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        into = ticket_of(request.user, asked.validated_data["into"])
        services.merge(ticket, into, acting_user=request.user)
        return Response(status=202)


class Outbound(Idempotent, APIView):
    @extend_schema(request=OutboundIn, responses={201: views.TicketDetail}, operation_id="tickets_outbound")
    def post(self, request):
        """An outbound task for a customer of one's own (S-14): the flow's first task asks when and why."""
        accounts.require(request.user, "tickets.open")
        asked = OutboundIn(data=request.data)
        asked.is_valid(raise_exception=True)
        customer = find(Customer, request.user, asked.validated_data["customer"], called="customer")
        number = customers.main_number(customer)
        ticket = services.want_outbound(source="own", number=number, customer=customer, acting_user=request.user)
        return Response(views.detail(ticket, request.user), status=201)


class BlockWish(Idempotent, APIView):
    @extend_schema(request=BlockIn, responses={201: views.TicketDetail}, operation_id="tickets_block")
    def post(self, request):
        """Apply to put the number of a call on the blacklist (S-35); a withheld number cannot be listed."""
        accounts.require(request.user, "tickets.open")
        asked = BlockIn(data=request.data)
        asked.is_valid(raise_exception=True)
        call = find(Call, request.user, asked.validated_data["call"], called="call")
        if not call.number:
            raise services.NoNumber()
        ticket = services.open_ticket(
            acting_user=request.user, kind="blacklist", call=call, customer=call.customer, source="call"
        )
        return Response(views.detail(ticket, request.user), status=201)


class StartFlow(Idempotent, APIView):
    @extend_schema(request=StartFlowIn, responses={201: StartedOut}, operation_id="flows_start")
    def post(self, request, key: str):
        """Start a deployed flow without a call (X-01: a flow needs no code to be started), unless a message starts it."""
        accounts.require(request.user, "tickets.open")
        asked = StartFlowIn(data=request.data)
        asked.is_valid(raise_exception=True)
        workflow.check_startable(key)
        wanted = asked.validated_data.get("customer")
        customer = find(Customer, request.user, wanted, called="customer") if wanted else None
        ticket = services.open_ticket(
            acting_user=request.user,
            kind=key,
            customer=customer,
            data=asked.validated_data.get("data"),
            number=customers.main_number(customer) if customer else None,
        )
        task = workflow.first_task_of(ticket.instance, request.user)
        started = {"ticket": ticket.number, "instance": str(ticket.instance_id), "task": str(task.pk) if task else None}
        return Response(started, status=201)


urlpatterns = [
    path("tickets", Tickets.as_view()),
    path("tickets/outbound", Outbound.as_view()),
    path("tickets/block-wish", BlockWish.as_view()),
    path("tickets/<str:number>", OneTicket.as_view()),
    path("tickets/<str:number>/customer", Whose.as_view()),
    path("tickets/<str:number>/withdraw", Withdraw.as_view()),
    path("tickets/<str:number>/urge", Urge.as_view()),
    path("tickets/<str:number>/merge", Merge.as_view()),
    path("flows/<str:key>/start", StartFlow.as_view()),
]
