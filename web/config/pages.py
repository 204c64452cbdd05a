"""The single page of the UI, and what is said when its form token is missing or something broke around the API."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

# Vite lays its own scripts and styles into the page; each must carry the nonce of this very answer.
_NEEDS_NONCE = re.compile(r"<(script|style|link)\b(?![^>]*\bnonce=)")
_PLACEHOLDER = "__CSP_NONCE__"


@lru_cache(maxsize=2)
def _page(path: Path, changed_at: int) -> str:
    html = path.read_text(encoding="utf-8")
    return _NEEDS_NONCE.sub(rf'<\1 nonce="{_PLACEHOLDER}"', html)


@require_safe
@never_cache
def index(request: HttpRequest, path: str = "") -> HttpResponse:
    """web/ui/dist/index.html for every address the browser's router owns; 503 until the UI has been built."""
    page = settings.UI_DIST / "index.html"
    try:
        html = _page(page, page.stat().st_mtime_ns)
    except OSError:
        return HttpResponse("The UI has not been built yet: python3 dev.py ui", status=503, content_type="text/plain")
    return HttpResponse(html.replace(_PLACEHOLDER, str(request.csp_nonce)))  # type: ignore[attr-defined]


def no_such_address(request: HttpRequest, path: str = "") -> JsonResponse:
    """An unknown address below /api/ answers in the API's own shape, never with the page."""
    return JsonResponse({"code": "not_found", "trace": getattr(request, "trace", "")}, status=404)


def csrf_failed(request: HttpRequest, reason: str = "") -> JsonResponse:
    """The form token is missing or stale: the browser fetches a new one and repeats the request."""
    return JsonResponse({"code": "csrf_failed", "trace": getattr(request, "trace", "")}, status=403)


def failed(request: HttpRequest) -> JsonResponse:
    """An error outside of the API's views, as when the session cannot be written: in the API's own shape all the same."""
    is_database = isinstance(sys.exc_info()[1], DatabaseError)
    code, status = ("database_unavailable", 503) if is_database else ("server_error", 500)
    return JsonResponse({"code": code, "trace": getattr(request, "trace", "")}, status=status)
