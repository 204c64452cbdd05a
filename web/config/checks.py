"""What production refuses to start with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from web.config.env import SetupRefused


def _refused(number: int, reason: str, hint: str) -> Error:
    return Error(reason, hint=hint, id=f"zuoxi.E{number:03}")


def _demo_accounts_present() -> bool:
    try:
        return apps.get_model("accounts", "User").objects.filter(is_demo=True, is_active=True).exists()
    except DatabaseError:
        return False  # no tables yet: migrate comes first, and it leaves no accounts


def findings() -> Iterator[CheckMessage]:
    """Everything that must not be true of an installation with real people in it."""
    if settings.DEBUG:
        yield _refused(1, "DEBUG is on.", "Unset DEBUG: error pages would show data and settings.")
    if not settings.PUBLIC_HOSTS or "*" in settings.PUBLIC_HOSTS:
        yield _refused(2, "ALLOWED_HOSTS names no host.", "Set ALLOWED_HOSTS to the names browsers use.")
    if not settings.SECRET_KEY_IS_OWN or len(settings.SECRET_KEY) < 50:
        yield _refused(3, "SECRET_KEY is the one made for a trial.", "Set SECRET_KEY to 50 random characters or more.")
    if settings.CTI_DRIVER == "simulator":
        yield _refused(4, "The PBX is the simulator.", "Set CTI_DRIVER to the driver of your PBX.")
    if settings.DEMO or _demo_accounts_present():
        yield _refused(5, "Demo accounts are present.", "Start production on an empty database and data folder.")
    if settings.CLOCK_FILE:
        yield _refused(7, "The clock is turned by hand.", "Unset ZUOXI_CLOCK.")
    if not settings.HTTPS:
        yield _refused(6, "HTTPS is off.", "Serve through HTTPS: sessions would travel in the clear.")


@register(Tags.security, deploy=True)
def production_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Part of `manage.py check --deploy`."""
    return list(findings())


def may_start() -> None:
    """Every process that serves or works asks this first. SetupRefused with one line when production may not start."""
    wrong = refusal()
    if wrong:
        raise SetupRefused(f"production is refused: {wrong}")


def refusal() -> str:
    """One line naming everything wrong, or "" when this installation may start as it is."""
    if not settings.PRODUCTION:
        return ""
    return "; ".join(f"{finding.msg.rstrip('.')} ({finding.id})" for finding in findings())
