"""Who is really calling, how long a session lives, and what a locked-out account is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import http_date

from web.common import audit, clock

Handler = Callable[[HttpRequest], HttpResponse]

SIGNED_IN_AT = "signed_in_at"
SEEN_AT = "seen_at"


def real_address(peer: str, forwarded: str, trusted: list[str]) -> str:
    """The client's address: the last hop of X-Forwarded-For that no trusted proxy wrote.

    peer is the TCP peer; forwarded the header as received (client, proxy1, proxy2); trusted are networks.
    A header from anyone but a trusted proxy is ignored, as everybody can write one.
    """
    networks = [ip_network(entry, strict=False) for entry in trusted]

    def is_trusted(address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in networks)
        except ValueError:
            return False

    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    address = peer
    while is_trusted(address) and hops:
        address = hops.pop()
    return address


class RealAddress:
    """REMOTE_ADDR becomes the client's own address, so every log, lockout and rate limit sees the same one."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = request.META.get("REMOTE_ADDR", "")
        if settings.TRUSTED_PROXIES and peer:
            forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
            request.META["REMOTE_ADDR"] = real_address(peer, forwarded, settings.TRUSTED_PROXIES)
        audit.address.set(request.META.get("REMOTE_ADDR", ""))  # every act of this request is audited with it
        return self.get_response(request)


class TrialTime:
    """An installation with a hand-turned clock says that clock's time: browsers count down by the Date of the answers."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Date"] = http_date(clock.now().timestamp())
        return response


class SessionLife:
    """A session ends after SESSION_COOKIE_AGE without a request, and SESSION_ABSOLUTE_AGE after sign-in anyway.

    Its row is rewritten at most once a minute: on SQLite every write takes the one write lock.
    """

    REWRITE_AFTER = 60

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        session = request.session
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not session.is_empty():
            now = int(time.time())
            signed_in_at = session.setdefault(SIGNED_IN_AT, now)
            if now - signed_in_at > settings.SESSION_ABSOLUTE_AGE:
                session.flush()
            elif now - session.get(SEEN_AT, 0) >= self.REWRITE_AFTER:
                session[SEEN_AT] = now
        return self.get_response(request)


class NoStore:
    """What the API says about people is in no cache, neither the browser's nor a proxy's."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/api/") and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        return response


def login_name(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str | None:
    """The account an attempt to sign in was for, as django-axes counts failures."""
    credentials = credentials or {}
    return credentials.get(get_user_model().USERNAME_FIELD) or credentials.get("username")


def locked_out(request: HttpRequest, credentials: dict[str, Any] | None, *_: Any, **__: Any) -> HttpResponse:
    """The answer to a sign-in that comes after too many failures, right password or not."""
    from structlog.contextvars import get_contextvars

    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    trace = get_contextvars().get("trace", "")
    return JsonResponse({"code": "locked_out", "minutes": minutes, "trace": trace}, status=403)
