"""Adapters by port and name: a new one is a folder, a line here, its settings and its test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .payment.http_gateway import HttpGateway as PaymentHttpGateway
from .sms.http_gateway import HttpGateway

ADAPTERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("sms", "http"): HttpGateway,
    ("payment", "http"): PaymentHttpGateway,
}


def open_port(port: str, name: str, **options: Any) -> Any:
    """The adapter `name` of `port`; LookupError when there is none."""
    try:
        return ADAPTERS[port, name](**options)
    except KeyError:
        raise LookupError(f"no adapter {name!r} for {port}") from None
