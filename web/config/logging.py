"""Logs as JSON lines (production) or coloured text, each request with a trace id, no personal values."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

# Phone and identity-card numbers never belong in a log; this is the net below everybody's care.
_PERSONAL = re.compile(r"(?<![\dA-Fa-f-])(?:(?:\+?86)?1[3-9]\d{9}|\d{17}[\dXx])(?![\dA-Fa-f])")


def without_numbers(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """structlog processor: phone and identity-card numbers become ***."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _PERSONAL.sub("***", value)
    return event


class Broken(logging.Filter):
    """A 503 is an answer as well; its cause has its own line."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", 500) != 503


_SHARED = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    without_numbers,
]


def configure(*, level: str, as_json: bool) -> dict[str, Any]:
    """Django's LOGGING. structlog's own loggers and the standard ones go through the same processors."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
            },
        },
        "filters": {"broken": {"()": Broken}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"level": level},
            "django.request": {"level": "ERROR", "filters": ["broken"]},  # a 404 or 409 is an answer, not news
            "axes": {"level": "ERROR"},  # accounts keeps the login log
            "celery": {"level": "WARNING"},
            "kombu": {"level": "ERROR"},
            "SpiffWorkflow": {"level": "WARNING"},
            "spiff": {"level": "WARNING"},
        },
    }


class Trace:
    """Each request carries a trace id: in its log lines, in error answers and in the X-Trace header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        trace = uuid.uuid4().hex[:16]
        request.trace = trace  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(trace=trace):
            response = self.get_response(request)
        response["X-Trace"] = trace
        return response
