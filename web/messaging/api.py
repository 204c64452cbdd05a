from __future__ import annotations

import json

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.signing import HEADER, TIMESTAMP, is_genuine
from web.common import clock
from web.common.errors import BadInput, NotAllowed

from . import services


class SmsHook(APIView):
    """Receipts of the SMS provider. The signature is the only credential."""

    authentication_classes: list = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def post(self, request):
        body = request.body
        genuine = is_genuine(
            settings.SMS_SECRET, body, timestamp=request.headers.get(TIMESTAMP, ""),
            signature=request.headers.get(HEADER, ""), now=int(clock.now().timestamp()),
        )  # fmt: skip
        if not genuine:
            raise NotAllowed("bad_signature")
        try:
            receipt = json.loads(body)
            provider_id, status = str(receipt["id"]), receipt["status"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput("bad_receipt") from error
        if status not in ("delivered", "failed"):
            raise BadInput("bad_receipt", fields={"status": [{"code": "unknown"}]})
        return Response({"known": services.receive_receipt(provider_id, status)})


urlpatterns = [path("hooks/sms", SmsHook.as_view())]
