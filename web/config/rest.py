"""Two small answers REST framework leaves to the project: how JSON is written, and 401 for a lost session."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from django.conf import settings
from django.utils.encoding import force_str
from django.utils.functional import Promise
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication as _SessionAuthentication
from rest_framework.renderers import BaseRenderer


def _plain(value: Any) -> Any:
    if isinstance(value, Promise | Decimal):
        return force_str(value)
    if isinstance(value, set | frozenset | map | filter):
        return list(value)
    raise TypeError(f"not JSON: {type(value).__name__}")


class JSONRenderer(BaseRenderer):
    """orjson: instants in ISO 8601 with Z, keys of any plain type."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: dict | None = None) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)


class SessionAuthentication(_SessionAuthentication):
    """Without a session the answer is 401, as without this header REST framework says 403 to everybody."""

    def authenticate_header(self, request: Any) -> str:
        return "Session"


class SessionScheme(OpenApiAuthenticationExtension):
    """How the API's description names it."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
