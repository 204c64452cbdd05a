"""Orders over HTTP. What follows from an act is drawn in the purchase's flow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from web.accounts.models import User
from web.common.errors import BadInput, NotFound
from web.common.idempotency import Idempotent
from web.common.paging import keyset
from web.common.scope import scope

from . import services
from .models import Order, OrderLine
from .services.acts import ACTS

KINDS = [OrderLine.PROMOTION, OrderLine.LEVEL, OrderLine.PHYSIO]
FILTERS = ("state", "clinic", "customer", "ticket", "day", "cursor")


class OrderNamed(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField(allow_null=True)


class OrderPerson(serializers.Serializer):
    number = serializers.CharField()
    name = serializers.CharField()


class OrderLineOut(serializers.Serializer):
    product = OrderNamed()
    unit = serializers.CharField()
    quantity = serializers.IntegerField()
    delivered = serializers.IntegerField()
    price_fen = serializers.IntegerField()
    discount_percent = serializers.IntegerField(help_text="percent off")
    discount_kind = serializers.ChoiceField(KINDS, allow_null=True)
    amount_fen = serializers.IntegerField()


class OrderRow(serializers.Serializer):
    number = serializers.CharField()
    ticket = serializers.CharField(allow_null=True)
    customer = serializers.CharField(allow_null=True, help_text="masked name")
    customer_id = serializers.CharField(allow_null=True)
    clinic = OrderNamed()
    state = serializers.ChoiceField(Order.STATES)
    reason = serializers.CharField(allow_null=True)
    list_fen = serializers.IntegerField()
    amount_fen = serializers.IntegerField()
    refunded_fen = serializers.IntegerField()
    payment = serializers.CharField(allow_null=True)
    delivery = serializers.ChoiceField(Order.WAYS)
    is_short = serializers.BooleanField()
    reserved_until = serializers.DateTimeField(allow_null=True)
    placed_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    ready_at = serializers.DateTimeField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)
    can = serializers.ListField(child=serializers.ChoiceField(list(ACTS)))


class OrderPage(serializers.Serializer):
    results = OrderRow(many=True)
    next = serializers.CharField(allow_null=True)


class OrderDetail(OrderRow):
    level = serializers.CharField(allow_null=True)
    points = serializers.IntegerField()
    courier_no = serializers.CharField(allow_null=True)
    lot = serializers.CharField(allow_null=True)
    bags = serializers.IntegerField(allow_null=True)
    dispensed_at = serializers.DateTimeField(allow_null=True)
    handed_at = serializers.DateTimeField(allow_null=True)
    sold_by = OrderPerson(allow_null=True)
    placed_by = OrderPerson(allow_null=True)
    lines = OrderLineOut(many=True)


class OrderActIn(serializers.Serializer):
    reason = serializers.SlugField(max_length=40, default="other", help_text="a code, never a text about the customer")


def _named(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("key", "name", "name_en")}


def _person(user: User | None) -> dict[str, str] | None:
    return {"number": user.number, "name": user.name} if user else None


def order_rows(rows: Iterable[Order], user: Any) -> list[dict[str, Any]]:
    rows = list(rows)
    can = services.possible(rows, user)
    return [_row(row, can[row.pk]) for row in rows]


def _row(row: Order, can: list[str]) -> dict[str, Any]:
    plain = ("number", "state", "reason", "list_fen", "amount_fen", "refunded_fen", "payment", "delivery", "is_short")
    moments = ("reserved_until", "placed_at", "paid_at", "ready_at", "done_at")
    return {
        **{name: getattr(row, name) for name in (*plain, *moments)},
        "ticket": row.ticket.number if row.ticket_id else None,
        "customer": row.customer.name_masked if row.customer_id else None,
        "customer_id": str(row.customer_id) if row.customer_id else None,
        "clinic": _named(row.clinic),
        "can": can,
    }


def order_detail(row: Order, user: Any) -> dict[str, Any]:
    plain = ("level", "points", "courier_no", "lot", "bags", "dispensed_at", "handed_at")
    columns = ("quantity", "delivered", "price_fen", "discount_percent", "discount_kind", "amount_fen")
    lines = row.lines.select_related("product").order_by("pk")
    return {
        **order_rows([row], user)[0],
        **{name: getattr(row, name) for name in plain},
        "sold_by": _person(row.sold_by),
        "placed_by": _person(row.placed_by),
        "lines": [
            {
                "product": _named(line.product),
                "unit": line.product.unit,
                **{name: getattr(line, name) for name in columns},
            }
            for line in lines
        ],
    }


def _bounds(text: str) -> tuple[datetime, datetime]:
    """The local day's begin and end."""
    try:
        begin = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(settings.TIME_ZONE))
    except ValueError as error:
        raise BadInput("bad_day", fields={"day": [{"code": "invalid"}]}) from error
    return begin, begin + timedelta(days=1)


class Orders(APIView):
    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in FILTERS], responses=OrderPage, operation_id="orders_list"
    )
    def get(self, request):
        """Orders the user may see, newest first. `state` may be several, comma separated; `day` = local day on which they were placed."""
        asked = request.query_params
        rows = scope(Order.objects.select_related("customer", "clinic", "ticket"), request.user)
        if states := [one for one in asked.get("state", "").split(",") if one]:
            rows = rows.filter(state__in=states)
        if asked.get("clinic"):
            rows = rows.filter(clinic__key=asked["clinic"])
        if asked.get("ticket"):
            rows = rows.filter(business_key=f"ticket:{asked['ticket']}")
        if asked.get("customer"):
            rows = rows.filter(customer=int(asked["customer"])) if asked["customer"].isdigit() else rows.none()
        if asked.get("day"):
            begin, end = _bounds(asked["day"])
            rows = rows.filter(placed_at__gte=begin, placed_at__lt=end)
        page, following = keyset(rows, by="placed_at", cursor=asked.get("cursor") or None, descending=True)
        return Response({"results": order_rows(page, request.user), "next": following})


def _order(request, number: str) -> Order:
    """The same answer for «not there» and «not yours»."""
    columns = ("customer", "clinic", "ticket", "sold_by", "placed_by")
    found = scope(Order.objects.select_related(*columns), request.user).filter(number=number).first()
    if found is None:
        raise NotFound(what="order")
    return found


class OneOrder(APIView):
    @extend_schema(responses=OrderDetail, operation_id="orders_read")
    def get(self, request, number: str):
        return Response(order_detail(_order(request, number), request.user))


class _Tell(Idempotent, APIView):
    message = ""

    def tell(self, request, number: str) -> Response:
        asked = OrderActIn(data=request.data)
        asked.is_valid(raise_exception=True)
        order = _order(request, number)
        services.tell(order, self.message, reason=asked.validated_data["reason"], acting_user=request.user)
        return Response(order_detail(order, request.user), status=202)


class Delivered(_Tell):
    message = services.DELIVERED

    @extend_schema(request=OrderActIn, responses={202: OrderDetail}, operation_id="orders_delivered")
    def post(self, request, number: str):
        """The courier, or the clinic, says that the customer has it."""
        return self.tell(request, number)


class Return(_Tell):
    message = services.RETURN_WISH

    @extend_schema(request=OrderActIn, responses={202: OrderDetail}, operation_id="orders_return")
    def post(self, request, number: str):
        """The customer wants to give it back, within seven days."""
        return self.tell(request, number)


class Cancel(_Tell):
    message = services.CANCEL

    @extend_schema(request=OrderActIn, responses={202: OrderDetail}, operation_id="orders_cancel")
    def post(self, request, number: str):
        """The customer does not want it any more; what he paid goes back."""
        return self.tell(request, number)


urlpatterns = [
    path("orders", Orders.as_view()),
    path("orders/<str:number>", OneOrder.as_view()),
    path("orders/<str:number>/delivered", Delivered.as_view()),
    path("orders/<str:number>/return", Return.as_view()),
    path("orders/<str:number>/cancel", Cancel.as_view()),
]
