"""One folder per PBX; drivers do not know each other. A new driver adds its line here and its contract test class."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cti.switch import Switch

DRIVERS = {
    "simulator": ("cti.drivers.simulator", "SimulatorSwitch"),
}


def open_switch(name: str, **options: Any) -> Switch:
    """The driver of that name, made with its own options. Raises LookupError naming the known drivers."""
    if name not in DRIVERS:
        raise LookupError(f"no PBX driver {name!r}; known: {', '.join(sorted(DRIVERS))}")
    module, attribute = DRIVERS[name]
    return getattr(import_module(module), attribute)(**options)
