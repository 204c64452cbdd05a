"""What rooms above lend to this one; set once when the apps are ready. Without them nothing is known and nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import Customer

HistorySource = Callable[["Customer", Any], list[dict]]


def _nobody(*_: Any) -> None:
    return None


def _never(*_: Any) -> bool:
    return False


def _no_account(*_: Any) -> dict:
    return {"level": None, "vip": False, "points": 0, "balance_fen": 0}


customer_of: Callable[[str], Customer | None] = _nobody  # business key -> whose case it is (tickets)
is_blocked: Callable[[list[str]], bool] = _never  # number tokens -> any on the blacklist (routing)
number_of_call: Callable[[Any, Any], str | None] = _nobody  # call id, user -> E.164 of a call the user may see (calls)
attach_to_call: Callable[[Any, Any, Any], None] = _nobody  # call id, customer, user: this is who called (calls)
current_call: Callable[[Any], Any] = _nobody  # user -> id of the call he is in now, or None (calls)
account_of: Callable[[Customer], dict] = _no_account  # customer -> {level, vip, points, balance_fen} (membership)
beside: tuple[str, ...] = ()  # relations that a list of cards is read with in the same query (membership)
_history: list[HistorySource] = []


def register(**given: Any) -> None:
    """hooks.register(customer_of=…, is_blocked=…). NameError for a hook that does not exist."""
    for name, function in given.items():
        if name.startswith("_") or name not in globals():
            raise NameError(f"customers has no hook {name}")
        globals()[name] = function


def history_source(source: HistorySource) -> HistorySource:
    """Register rows for the customer's history: source(customer, user) -> [{at, kind, title, state, duration_ms, ref}], newest first."""
    if source not in _history:
        _history.append(source)
    return source


def history_sources() -> tuple[HistorySource, ...]:
    return tuple(_history)
