"""Logging in and out (A-08, A-09, X-17): every attempt leaves a row, a stranger and a wrong password look the same."""

from __future__ import annotations

import base64
from typing import Any

from django.contrib import auth
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from web.common import clock
from web.common.errors import BadInput, DomainError, NotAllowed
from web.common.names import named
from web.common.publishing import publish

from . import services
from .events import LoggedOut
from .models import LoginAttempt, Membership, User


class InvalidCredentials(BadInput):
    """Unknown 工号, wrong password or switched-off account: the answer does not say which."""

    code = "invalid_credentials"


class LockedOut(NotAllowed):
    """Too many failures. AxesMiddleware replaces this answer by its own with the minutes to wait."""

    code = "locked_out"


class SessionElsewhere(DomainError):
    """The user has a live session in another browser; taking over ends it. Facts: by = {number, name}."""

    code, status = "seat_taken", 409


def note(request: HttpRequest, number: str, result: str, extension: str | None = None) -> None:
    """One row per attempt, never changed afterwards."""
    LoginAttempt.objects.create(
        number=number[:40], at=clock.now(), address=request.META.get("REMOTE_ADDR") or None, result=result,
        extension=(extension or "")[:20] or None,
    )  # fmt: skip


def identify(request: HttpRequest, number: str, password: str) -> User:
    """The user behind 工号 and password. InvalidCredentials or LockedOut, both noted."""
    user: Any = auth.authenticate(request=request, number=number, password=password)
    if user is None:
        if getattr(request, "axes_locked_out", False):
            note(request, number, "locked_out")
            raise LockedOut()
        note(request, number, "invalid_credentials")
        raise InvalidCredentials()
    return user


def refuse_second_session(request: HttpRequest, user: User, *, takeover: bool) -> None:
    """One session per 工号: SessionElsewhere while another one lives, unless it is to be taken over; then it ends, audited."""
    if not user.session_key or user.session_key == request.session.session_key:
        return
    if not SessionStore().exists(user.session_key) or _is_dead(user.session_key):
        return
    if not takeover:
        raise SessionElsewhere(by={"number": user.number, "name": user.name})
    services.end_sessions(user, reason="taken_over", actor=user)


def _is_dead(session_key: str) -> bool:
    """Its row is still there but it ran out, or an earlier take-over ended it."""
    content = SessionStore(session_key).load()
    return auth.SESSION_KEY not in content


def log_in(request: HttpRequest, user: User, *, extension: str | None = None) -> None:
    """Open the session under a new key (no fixation) and remember it as the user's one."""
    former = user.session_key
    auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    if former and former != request.session.session_key:
        SessionStore().delete(former)
    request.session.save()
    User.objects.filter(pk=user.pk).update(session_key=request.session.session_key)
    note(request, user.number, "ok", extension)


@transaction.atomic
def log_out(request: HttpRequest) -> None:
    """End this session. Work that waits for a moment of regret is told to go on (LoggedOut)."""
    user = request.user
    if user.is_authenticated:
        User.objects.filter(pk=user.pk, session_key=request.session.session_key).update(session_key=None)
        publish(LoggedOut(user.pk))
    auth.logout(request)


def session_user(user: User) -> dict[str, Any]:
    """The `user` part of a Session."""
    seats = Membership.objects.filter(user=user).select_related("group").order_by("pk")
    return {
        "id": str(user.pk),
        "number": user.number,
        "name": user.name,
        "roles": sorted(services.roles_of(user)),
        "permissions": sorted(services.permissions_of(user)),
        "groups": [{**named(s.group), "leads": s.leads or s.deputy} for s in seats],
        "locale": user.locale,
    }


def draft_key(user: User) -> str:
    """Key under which this user's browser seals its drafts: the same on every sign-in, worthless to others. Base64 of 32 bytes."""
    return base64.b64encode(salted_hmac("web.accounts.drafts", str(user.pk), algorithm="sha256").digest()).decode()
