"""What rooms above lend to flows without flows knowing them. Registered once, when the apps are ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from web.workflow.models import ProcessInstance

_hooks: dict[str, Callable[..., Any]] = {}


def register(
    *,
    subject_of: Callable[[ProcessInstance], list[tuple[str, int]]] | None = None,
    decorate: Callable[[list[dict[str, Any]]], None] | None = None,
    on_ended: Callable[[ProcessInstance], None] | None = None,
    caller_at: Callable[[Any, str], list[str]] | None = None,
    viewers: Callable[[int, Any], list[dict[str, Any]]] | None = None,
) -> None:
    """`subject_of(instance)`: what working on it gives access to, as (kind, id) of AccessGrants. `decorate(rows)`: put `ticket`,
    `customer` (masked) and `vip` into inbox rows that carry `business_key`. `on_ended(instance)`: the flow is over, same transaction.
    `caller_at(user, call)`: subjects of messages about the one whose call is at the user's phone now; none when it is not.
    `viewers(task, user)`: the others who look at the task now, as {number, name, since}."""
    given = {
        "subject_of": subject_of,
        "decorate": decorate,
        "on_ended": on_ended,
        "caller_at": caller_at,
        "viewers": viewers,
    }
    _hooks.update({name: function for name, function in given.items() if function is not None})


def subject_of(instance: ProcessInstance) -> list[tuple[str, int]]:
    found = _hooks.get("subject_of")
    return list(found(instance)) if found else []


def decorate(rows: list[dict[str, Any]]) -> None:
    found = _hooks.get("decorate")
    if found and rows:
        found(rows)


def on_ended(instance: ProcessInstance) -> None:
    found = _hooks.get("on_ended")
    if found:
        found(instance)


def caller_at(user: Any, call: str) -> list[str]:
    found = _hooks.get("caller_at")
    return list(found(user, call)) if found else []


def viewers(task: int, user: Any) -> list[dict[str, Any]]:
    found = _hooks.get("viewers")
    return list(found(task, user)) if found else []
