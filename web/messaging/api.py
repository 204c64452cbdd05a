from __future__ import annotations

import json
import time

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.signing import HEADER, TIMESTAMP, is_genuine
from web.common.errors import BadInput, NotAllowed

from . import services


class SmsHook(APIView):
    """Receipts of the SMS provider. The signature is the only credential."""

    authentication_classes: list = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def post(self, request):
        body = request.body
        # The clock on the wall, which the other side signed by, not the product's, which a trial may turn.
        genuine = is_genuine(
            settings.SMS_SECRET, body, timestamp=request.headers.get(TIMESTAMP, ""),
            signature=request.headers.get(HEADER, ""), now=int(time.time()),
        )  # fmt: skip
        if not genuine:
            raise NotAllowed("bad_signature")
        try:
            receipt = json.loads(body)
            provider_id, status, key = str(receipt["id"]), receipt["status"], receipt.get("key")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput("bad_receipt") from error
        if status not in ("delivered", "failed"):
            raise BadInput("bad_receipt", fields={"status": [{"code": "unknown"}]})
        if not isinstance(key, str | None):
            raise BadInput("bad_receipt", fields={"key": [{"code": "type"}]})
        return Response({"known": services.receive_receipt(provider_id, status, key=key)})


urlpatterns = [path("hooks/sms", SmsHook.as_view())]
