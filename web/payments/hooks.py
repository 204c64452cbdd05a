"""What rooms above lend us: whether money that came too late can still buy what it was meant for."""

from __future__ import annotations

from collections.abc import Callable

from .models import PaymentRequest


def _nobody(request: PaymentRequest) -> bool:
    return False


on_late: Callable[[PaymentRequest], bool] = _nobody


def register(*, on_late: Callable[[PaymentRequest], bool]) -> None:
    """on_late(request) -> True when the case took the money all the same (the slot was free and is held again): the request then
    counts as paid. It runs in a transaction that is rolled back when it raises. False: the money goes back through a refund."""
    globals()["on_late"] = on_late
