"""Live topics as browsers name them, as we send them, and who may listen."""

from __future__ import annotations

from typing import Any

import orjson
from django.core.cache import cache

from web.accounts import services as accounts
from web.agents.models import AgentProfile
from web.common import live
from web.common.scope import scope
from web.tickets.models import Ticket
from web.workflow import services as workflow
from web.workflow.models import ProcessInstance

PERSONAL = ("phone", "inbox", "notifications")
"""Everybody's own: `inbox` in the browser of user 7 is `inbox:7` here."""

HEARD_FOR = 60
"""Seconds after its last sign of life that a listener still counts as listening: longer than any reconnect."""


def inner(name: str, user: Any) -> str:
    """Our name of a topic the browser asks for."""
    return f"{name}:{user.pk}" if name in PERSONAL else name


def refusal(name: str, user: Any) -> str:
    """Why the user may not listen to it: a code, "" when he may."""
    kind, _, key = name.partition(":")
    if name in ("inbox", "notifications", "announcements"):
        return ""
    if name in ("phone", "queue"):
        may = AgentProfile.objects.filter(user=user).exists()
        return "" if may or (name == "queue" and accounts.has_permission(user, "telephony.floor")) else "no_permission"
    if name == "floor":
        return "" if accounts.has_permission(user, "telephony.floor") else "no_permission"
    if kind == "ticket" and key:
        return "" if scope(Ticket.objects.filter(number=key), user).exists() else "no_permission"
    if kind == "task" and key.isdecimal():
        return "" if workflow.may_read(int(key), user) else "no_permission"
    if kind == "instance" and key.isdecimal():
        return "" if scope(ProcessInstance.objects.filter(pk=int(key)), user).exists() else "no_permission"
    return "unknown_topic"


def note_listener(topics: list[str]) -> None:
    """Somebody listens to these (our names)."""
    cache.set_many({f"heard:{topic}": 1 for topic in topics}, HEARD_FOR)


def is_heard(topic: str) -> bool:
    """Whether anybody has listened lately; if not, whoever comes reads a snapshot, and nothing need be made for him."""
    return cache.get(f"heard:{topic}") is not None


def heard(topics: list[str]) -> set[str]:
    found = cache.get_many([f"heard:{topic}" for topic in topics])
    return {key.removeprefix("heard:") for key in found}


def plain(data: Any) -> Any:
    """Values as they stand in JSON: instants in ISO 8601 with Z."""
    return orjson.loads(orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS))


def send(topic: str, event: str, data: Any) -> None:
    live.send(topic, event, plain(data))


def pairs(user: Any, *names: str) -> dict[str, str]:
    """`live` of a snapshot: read it before the rows."""
    return {name: live.pair(inner(name, user)) for name in names}
