"""Payments over HTTP: the provider's notices, and what finance looks at."""

from __future__ import annotations

import json
import time
from datetime import date
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.payment.http_gateway import instant
from integrations.signing import HEADER, TIMESTAMP, is_genuine
from web.accounts import services as accounts
from web.accounts.api import PersonOut
from web.accounts.models import User
from web.common.errors import BadInput, DomainError, NotAllowed, NotFound
from web.common.idempotency import Idempotent
from web.common.paging import keyset
from web.common.scope import scope

from . import services
from .models import PaymentNotice, PaymentRequest, Refund
from .services.statements import bounds

MOST_FEN = 10**12


class WrongAmount(DomainError):
    """The notice names another amount than was asked for; nothing was booked."""

    code, status = "wrong_amount", 409


class PaymentHook(APIView):
    """Notices of the payment provider. The signature is the only credential."""

    authentication_classes: list = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def post(self, request):
        body = request.body
        # The clock on the wall, which the other side signed by, not the product's, which a trial may turn.
        genuine = is_genuine(
            settings.PAYMENT_SECRET, body, timestamp=request.headers.get(TIMESTAMP, ""),
            signature=request.headers.get(HEADER, ""), now=int(time.time()),
        )  # fmt: skip
        if not genuine:
            services.note_forgery(_kind_of(body))
            raise NotAllowed("bad_signature")
        verdict = services.take_notice(read_notice(body))
        if verdict == PaymentNotice.WRONG_AMOUNT:
            raise WrongAmount(fields={"amount_fen": [{"code": "differs"}]})
        return Response({"verdict": verdict})


def _kind_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["kind"])[:20]
    except (ValueError, KeyError, TypeError):
        return ""


def read_notice(body: bytes) -> services.Notice:
    """BadInput(bad_notice) naming the field that says nothing."""
    try:
        told = json.loads(body)
    except ValueError as error:
        raise BadInput("bad_notice") from error
    if not isinstance(told, dict):
        raise BadInput("bad_notice")
    wrong = {}
    for name, most in (("id", 80), ("key", 120), ("kind", 20)):
        if not isinstance(told.get(name), str) or not 0 < len(told[name]) <= most:
            wrong[name] = [{"code": "invalid"}]
    if "kind" not in wrong and told["kind"] not in services.KINDS:
        wrong["kind"] = [{"code": "unknown"}]
    amount = told.get("amount_fen")
    if type(amount) is not int or not 0 < amount < MOST_FEN:
        wrong["amount_fen"] = [{"code": "invalid"}]
    charge, code = told.get("charge") or "", told.get("code") or ""
    is_short = isinstance(charge, str) and len(charge) <= 80
    if not is_short or (not charge and told.get("kind") == "payment.paid"):
        wrong["charge"] = [{"code": "invalid"}]
    try:
        at = instant(told.get("at") or "")
    except (TypeError, ValueError):
        wrong["at"] = [{"code": "invalid"}]
    if wrong:
        raise BadInput("bad_notice", fields=wrong)
    return services.Notice(told["id"], told["kind"], told["key"], charge, amount, at, str(code)[:40])


# --- what finance sees -----------------------------------------------------------------------------------------------
class PaymentRow(serializers.Serializer):
    number = serializers.CharField()
    ticket = serializers.CharField(allow_null=True)
    purpose = serializers.CharField()
    clinic = serializers.CharField(allow_null=True)
    customer = serializers.CharField(allow_null=True, help_text="masked name")
    customer_id = serializers.CharField(allow_null=True)
    amount_fen = serializers.IntegerField()
    received_fen = serializers.IntegerField()
    refund_fen = serializers.IntegerField(help_text="held by refunds or given back")
    way = serializers.ChoiceField(PaymentRequest.WAYS)
    state = serializers.ChoiceField(PaymentRequest.STATES)
    code = serializers.CharField(allow_null=True)
    asked_at = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField(allow_null=True)
    paid_at = serializers.DateTimeField(allow_null=True)


class PaymentPage(serializers.Serializer):
    results = PaymentRow(many=True)
    next = serializers.CharField(allow_null=True)


class NoticeRow(serializers.Serializer):
    kind = serializers.CharField()
    verdict = serializers.ChoiceField(PaymentNotice.VERDICTS)
    amount_fen = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField()
    repeats = serializers.IntegerField()


class RefundRow(serializers.Serializer):
    number = serializers.CharField()
    payment = serializers.CharField()
    ticket = serializers.CharField(allow_null=True)
    amount_fen = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(Refund.STATES)
    code = serializers.CharField(allow_null=True)
    asked_by = PersonOut(allow_null=True)
    approved_by = PersonOut(allow_null=True)
    executed_by = PersonOut(allow_null=True)
    asked_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)


class RefundPage(serializers.Serializer):
    results = RefundRow(many=True)
    next = serializers.CharField(allow_null=True)


class PaymentDetail(PaymentRow):
    asked_by = PersonOut(allow_null=True)
    confirmed_by = PersonOut(allow_null=True)
    desk_way = serializers.CharField(allow_null=True)
    desk_reference = serializers.CharField(allow_null=True)
    notices = NoticeRow(many=True)
    refunds = RefundRow(many=True)


class ReconciliationRow(serializers.Serializer):
    clinic = serializers.CharField(allow_blank=True)
    paid_fen = serializers.IntegerField()
    refunded_fen = serializers.IntegerField()
    desk_fen = serializers.IntegerField()
    fund_fen = serializers.IntegerField()
    provider_paid_fen = serializers.IntegerField(allow_null=True)
    provider_refunded_fen = serializers.IntegerField(allow_null=True)
    difference_fen = serializers.IntegerField(allow_null=True)


class StatementStranger(serializers.Serializer):
    kind = serializers.CharField()
    amount_fen = serializers.IntegerField()
    id = serializers.CharField()


class ReconciliationOut(serializers.Serializer):
    day = serializers.DateField()
    fetched_at = serializers.DateTimeField(allow_null=True)
    agrees = serializers.BooleanField(allow_null=True)
    rows = ReconciliationRow(many=True)
    strangers = StatementStranger(many=True)


class StatementDay(serializers.Serializer):
    day = serializers.DateField()


def _ticket(key: str) -> str | None:
    return key.partition(":")[2] if key.startswith("ticket:") else None


def _person(user: User | None) -> dict[str, str] | None:
    return {"number": user.number, "name": user.name} if user else None


def payment_row(request: PaymentRequest) -> dict[str, Any]:
    plain = ("number", "purpose", "clinic", "amount_fen", "received_fen", "refund_fen", "way", "state", "code")
    moments = ("asked_at", "deadline_at", "paid_at")
    return {
        **{name: getattr(request, name) for name in (*plain, *moments)},
        "ticket": _ticket(request.business_key),
        "customer": request.customer.name_masked if request.customer_id else None,
        "customer_id": str(request.customer_id) if request.customer_id else None,
    }


def refund_row(refund: Refund) -> dict[str, Any]:
    plain = ("number", "amount_fen", "reason", "state", "code", "asked_at", "done_at")
    return {
        **{name: getattr(refund, name) for name in plain},
        **{name: _person(getattr(refund, name)) for name in ("asked_by", "approved_by", "executed_by")},
        "payment": refund.request.number,
        "ticket": _ticket(refund.business_key),
    }


def _day(text: str | None) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError as error:
        raise BadInput("bad_day", fields={"day": [{"code": "invalid"}]}) from error


def _states(asked: Any) -> list[str]:
    return [one for value in asked.getlist("state") for one in value.split(",") if one]


FILTERS = [OpenApiParameter("state", str, many=True), OpenApiParameter("cursor", str)]


class Payments(APIView):
    @extend_schema(
        responses=PaymentPage,
        parameters=[*FILTERS, *(OpenApiParameter(name, str) for name in ("day", "clinic", "ticket", "customer"))],
        operation_id="payments_list",
    )
    def get(self, request):
        """Payments the user may see, newest first. day = local day on which they were asked for or paid."""
        asked = request.query_params
        rows = scope(PaymentRequest.objects.select_related("customer"), request.user)
        if states := _states(asked):
            rows = rows.filter(state__in=states)
        if asked.get("day"):
            begin, end = bounds(_day(asked["day"]))
            in_day = Q(asked_at__gte=begin, asked_at__lt=end) | Q(paid_at__gte=begin, paid_at__lt=end)
            rows = rows.filter(in_day)
        if asked.get("clinic"):
            rows = rows.filter(clinic=asked["clinic"])
        if asked.get("ticket"):
            rows = rows.filter(business_key=f"ticket:{asked['ticket']}")
        if asked.get("customer", "").isdigit():
            rows = rows.filter(customer=int(asked["customer"]))
        page, following = keyset(rows, by="asked_at", cursor=asked.get("cursor"), descending=True)
        return Response({"results": [payment_row(row) for row in page], "next": following})


class OnePayment(APIView):
    @extend_schema(responses=PaymentDetail, operation_id="payments_read")
    def get(self, request, number: str):
        rows = scope(PaymentRequest.objects.select_related("customer", "asked_by", "confirmed_by"), request.user)
        found = rows.filter(number=number).first()
        if found is None:
            raise NotFound(what="payment")
        refunds = found.refunds.select_related("request", "asked_by", "approved_by", "executed_by").order_by("pk")
        plain = ("kind", "verdict", "amount_fen", "at", "received_at", "repeats")
        return Response(
            {
                **payment_row(found),
                "asked_by": _person(found.asked_by),
                "confirmed_by": _person(found.confirmed_by),
                "desk_way": found.desk_way,
                "desk_reference": found.desk_reference,
                "notices": list(found.notices.order_by("pk").values(*plain)),
                "refunds": [refund_row(refund) for refund in refunds],
            }
        )


class Refunds(APIView):
    @extend_schema(responses=RefundPage, parameters=FILTERS, operation_id="refunds_list")
    def get(self, request):
        rows = Refund.objects.select_related("request", "asked_by", "approved_by", "executed_by")
        rows = scope(rows, request.user)
        if states := _states(request.query_params):
            rows = rows.filter(state__in=states)
        cursor = request.query_params.get("cursor")
        page, following = keyset(rows, by="asked_at", cursor=cursor, descending=True)
        return Response({"results": [refund_row(row) for row in page], "next": following})


class Reconciliation(Idempotent, APIView):
    @extend_schema(responses=ReconciliationOut, parameters=[OpenApiParameter("day", date, required=True)])
    def get(self, request):
        """Per clinic what we booked on that local day against the provider's statement."""
        accounts.require(request.user, "payments.view")
        return Response(services.reconciliation(_day(request.query_params.get("day"))))

    @extend_schema(request=StatementDay, responses={202: StatementDay})
    def post(self, request):
        """Have the provider's statement of that day fetched once more."""
        accounts.require(request.user, "payments.handle")
        asked = StatementDay(data=request.data)
        asked.is_valid(raise_exception=True)
        if asked.validated_data["day"] > services.today():
            raise BadInput("bad_day", fields={"day": [{"code": "in_future"}]})
        services.fetch(asked.validated_data["day"])
        return Response(asked.data, status=202)


urlpatterns = [
    path("hooks/payment", PaymentHook.as_view()),
    path("payments", Payments.as_view()),
    path("payments/reconciliation", Reconciliation.as_view()),
    path("payments/<str:number>", OnePayment.as_view()),
    path("refunds", Refunds.as_view()),
]
