"""Figures of the product, each measured beside a peer or a floor in the same run.

A module here is one family; its functions are decorated with `@figure`:

    @figure("engine.step_ms", unit="ms", better="lower", must=3.0, aim=1.5, method="one user task, median of 200")
    def step_ms() -> float: ...

A function may return one number or {suffix: number} for several figures of one measurement. Tests never assert
times; `make bench` prints them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Measured = float | int | dict[str, float | int] | None


@dataclass(frozen=True)
class Figure:
    """must: the value below (or above) which the product is not good enough; aim: what we are after."""

    name: str
    unit: str
    better: Literal["lower", "higher"]
    must: float | None
    aim: float | None
    method: str
    measure: Callable[[], Measured]


FIGURES: dict[str, Figure] = {}


def figure(
    name: str,
    *,
    unit: str,
    better: Literal["lower", "higher"],
    method: str,
    must: float | None = None,
    aim: float | None = None,
) -> Callable[[Callable[[], Measured]], Callable[[], Measured]]:
    """Register a measurement under `family.what_unit`. Raises ValueError for a name that is taken."""

    def register(measure: Callable[[], Measured]) -> Callable[[], Measured]:
        if name in FIGURES:
            raise ValueError(f"two figures are named {name}")
        FIGURES[name] = Figure(name, unit, better, must, aim, method, measure)
        return measure

    return register
