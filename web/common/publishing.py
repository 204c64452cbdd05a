"""Tell upwards (ARCHITECTURE 3.2): `publish(TicketOpened(id))` runs after commit through one table and never raises.

What is told may be missed. What must not be missed is a row written in the transaction of the act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)
_routes: dict[type, list[Callable[[Any], None]]] = {}


def wire(routes: Mapping[type, Iterable[Callable[[Any], None]]]) -> None:
    """Replace the table; called once by web.config.wiring when the apps are ready."""
    _routes.clear()
    _routes.update({kind: list(hearers) for kind, hearers in routes.items()})


def publish(event: Any) -> None:
    """Tell `event` (a frozen dataclass in the past tense) to its hearers after the transaction commits."""
    transaction.on_commit(partial(_tell, event), robust=True)


def _tell(event: Any) -> None:
    for hearer in _routes.get(type(event), ()):
        try:
            hearer(event)
        except Exception:
            log.exception(
                "hearer failed", told=type(event).__name__, hearer=getattr(hearer, "__qualname__", str(hearer))
            )
