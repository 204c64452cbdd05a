"""GET /healthz: can this installation do its work right now?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from web.common import clock

log = structlog.get_logger(__name__)

LATE = timedelta(seconds=60)  # a due job may wait this long before the installation counts as stuck


def database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM DUAL" if connection.vendor == "oracle" else "SELECT 1")
        cursor.fetchone()
    return "ok"


def broker() -> str:
    """ "memory" in the embedded default; else "ok" once the broker accepted a connection."""
    if settings.EMBEDDED:
        return "memory"
    from web.config.celery import app

    with app.connection_for_write() as link:
        link.ensure_connection(max_retries=0, timeout=2)
    return "ok"


def cti() -> str:
    """ "ok" while some telephony process holds the lease on the PBX."""
    lease = apps.get_model("jobs", "Lease").objects.filter(name="cti").first()
    return "ok" if lease and lease.until > clock.now() else "down"


def job_lag_ms() -> int:
    """How long the oldest due job has been waiting, in ms; 0 when none is."""
    now = clock.now()
    oldest = apps.get_model("jobs", "Job").objects.due(now).order_by("due_at").values_list("due_at", flat=True).first()
    return max(0, int((now - oldest).total_seconds() * 1000)) if oldest else 0


def _asked(part: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return part()
    except Exception as error:  # whatever breaks here is the very news this page exists for
        if isinstance(error, Error):
            connection.close_if_unusable_or_obsolete()
        log.warning("health", part=part.__name__, error=type(error).__name__)
        return otherwise


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 {status: "ok", database, broker, cti, job_lag_ms} when ready; else 503 and status "unavailable".

    job_lag_ms is null when the database cannot tell. Says nothing about people, so it needs no session.
    """
    answer = {
        "database": _asked(database, "down"),
        "broker": _asked(broker, "down"),
        "cti": _asked(cti, "down"),
        "job_lag_ms": _asked(job_lag_ms, None),
    }
    lag = answer["job_lag_ms"]
    ready = "down" not in answer.values() and lag is not None and lag < LATE.total_seconds() * 1000
    return JsonResponse({"status": "ok" if ready else "unavailable", **answer}, status=200 if ready else 503)
