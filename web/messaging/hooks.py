"""What rooms above lend us: who is behind a flow's business key, and what messages about his case may say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _nobody(business_key: str) -> tuple[Any, str | None]:
    return None, None


recipient_of: Callable[[str], tuple[Any, str | None]] = _nobody


def register(*, recipient_of: Callable[[str], tuple[Any, str | None]]) -> None:
    """recipient_of(business key) -> (customer or None, number in E.164 or None)."""
    globals()["recipient_of"] = recipient_of


_names: list[Callable[[str], dict[str, str]]] = []


def names_from(source: Callable[[str], dict[str, str]]) -> None:
    """source(business key) -> further names templates may use (`{{ amount }}`); nothing a stranger who reads the message may not know."""
    if source not in _names:
        _names.append(source)


def names_of(business_key: str) -> dict[str, str]:
    """All names of all sources; ticket and centre are the caller's own."""
    return {name: text for source in _names for name, text in source(business_key).items()}
