"""Errors carry a word for machines; people get it translated at the edge (the browser)."""

from __future__ import annotations

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import exception_handler
from structlog.contextvars import get_contextvars

log = structlog.get_logger(__name__)


class DomainError(Exception):
    """Refused for a reason the user understands. `facts` go into the answer beside the code."""

    code, status = "refused", 409

    def __init__(self, code: str | None = None, /, **facts: Any):
        self.code = code or self.code
        self.facts = facts
        super().__init__(self.code)


class NotAllowed(DomainError):
    """The user may not do this. Facts: needs = permission or role, who_grants = role."""

    code, status = "no_permission", 403


class NotFound(DomainError):
    code, status = "not_found", 404


class InvalidForm(DomainError):
    """The answers do not fit the form. fields: {name: [{"code": …}]}; nothing typed is lost."""

    code, status = "invalid_form", 422

    def __init__(self, fields: dict[str, list[dict]]):
        super().__init__(None, fields=fields)


class BadInput(DomainError):
    """A request that cannot be understood. fields as in InvalidForm."""

    code, status = "bad_request", 400


def _fields(detail: Any, path: str = "") -> dict[str, list[dict]]:
    if isinstance(detail, dict):
        found: dict[str, list[dict]] = {}
        for key, value in detail.items():
            found |= _fields(value, f"{path}.{key}" if path else str(key))
        return found
    codes = [{"code": getattr(item, "code", "invalid")} for item in (detail if isinstance(detail, list) else [detail])]
    return {path or "non_field": codes}


def handle(error: Exception, context: dict) -> Response | None:
    """REST framework's exception handler: every refusal in one shape {code, fields?, trace, …facts}."""
    trace = get_contextvars().get("trace", "")
    if isinstance(error, DomainError):
        return Response({"code": error.code, **error.facts, "trace": trace}, status=error.status)
    if isinstance(error, drf.ValidationError):
        return Response({"code": "bad_request", "fields": _fields(error.detail), "trace": trace}, status=400)
    if isinstance(error, Http404):
        return Response({"code": "not_found", "trace": trace}, status=404)
    if isinstance(error, PermissionDenied | drf.PermissionDenied) and not isinstance(error, drf.NotAuthenticated):
        code = "csrf_failed" if "CSRF" in str(error) else "no_permission"
        return Response({"code": code, "trace": trace}, status=403)
    if isinstance(error, DatabaseError):
        log.error("database away or busy", error=type(error).__name__)
        return Response({"code": "database_unavailable", "trace": trace}, status=503)
    answer = exception_handler(error, context)
    if answer is not None:
        code = getattr(getattr(error, "detail", None), "code", None) or "refused"
        answer.data = {"code": code, "trace": trace}
    return answer
