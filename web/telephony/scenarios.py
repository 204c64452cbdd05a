"""Single demo calls and whole scenarios, while the driver is the simulator.

Numbers never stand in a scenario; an upper room that knows demo people lends them with `numbers_from`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import structlog
from django.conf import settings
from django.core.cache import cache

from cti.drivers.simulator import (
    Caller,
    Playing,
    ScenarioError,
    SimulatorSwitch,
    load_scenario,
    play,
    scenario_names,
    scenario_titles,
)

log = structlog.get_logger(__name__)

Numbers = Mapping[str, Sequence[str]]

CALLS: dict[str, tuple[str, Caller]] = {
    "known": ("known", Caller(patience=300)),
    "unknown": ("unknown", Caller(patience=300)),
    "blacklisted": ("blacklisted", Caller(hangs_up_after=60)),
    "hangs_up": ("known", Caller(hangs_up_after=12)),
    "missed": ("known", Caller(hangs_up_after=7)),  # more than five seconds: less is not a missed call
    "again": ("last", Caller(patience=300)),
}
"""What the demo panel can place: whose number, and what that person does."""

_PLAYING = "telephony:playing"
_numbers: Callable[[], Numbers] = dict


def numbers_from(lookup: Callable[[], Numbers]) -> Callable[[], Numbers]:
    """Say which numbers a scenario's names stand for: lookup() -> {"known": […], "unknown": […], "blacklisted": […], "hotline": […]}."""
    global _numbers
    _numbers = lookup
    return lookup


def numbers() -> Numbers:
    """What the lender says now; reads the database."""
    return _numbers()


def is_possible() -> bool:
    return settings.CTI_DRIVER == "simulator"


def file_name(name: str) -> str:
    return name.replace("-", "_")


def public_name(name: str) -> str:
    return name.replace("_", "-")


def names() -> list[dict[str, object]]:
    """Scenarios to choose from: {name, title: {zh, en}}."""
    titles = scenario_titles()
    return [
        {
            "name": public_name(name),
            "title": {"zh": titles[name].get("zh-CN", name), "en": titles[name].get("en", name)},
        }
        for name in scenario_names()
    ]


def exists(name: str) -> bool:
    return file_name(name) in scenario_names()


def fault(name: str) -> str:
    """The line that says why this scenario cannot be played; "" when it can."""
    try:
        load_scenario(file_name(name))
    except ScenarioError as error:
        return str(error)
    return ""


def running() -> str | None:
    """The scenario that is being played, as the playing process says."""
    return cache.get(_PLAYING)


class Stage:
    """Plays on one simulated switch, in its event loop."""

    def __init__(self, switch: SimulatorSwitch) -> None:
        self.switch = switch
        self.playing: Playing | None = None
        self.random = random.Random()  # noqa: S311 - chance for a play

    def start(self, name: str, given: Numbers) -> None:
        """Play a scenario from its beginning; the one before it ends. ScenarioError when it cannot be played."""
        scenario = load_scenario(file_name(name))
        self.stop()
        self.playing = play(self.switch, scenario, given)
        cache.set(_PLAYING, public_name(scenario.name), None)

    def stop(self) -> None:
        if self.playing is not None:
            self.playing.stop()
        self.playing = None
        cache.delete(_PLAYING)

    def look(self) -> None:
        """Note when a scenario has come to its end."""
        if self.playing is not None and self.playing.is_over:
            self.stop()

    def call(self, what: str, given: Numbers) -> None:
        """Place one call of `CALLS`; `last` is who rang before. ScenarioError when nobody has lent a number for it."""
        whose, caller = CALLS[what]
        last = self.switch.last_caller()
        known = {"last": [last] if last else [], **given}
        choice, hotlines = list(known.get(whose, ())), list(given.get("hotline", ()))
        if not choice or not hotlines:
            raise ScenarioError(what, 0, f"no number is known for {whose if not choice else 'hotline'}")
        quiet = [number for number in choice if not self.switch.is_calling(number)]
        self.switch.customer_calls(self.random.choice(quiet or choice), hotlines[0], caller)
