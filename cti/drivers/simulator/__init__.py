"""A PBX without telephones: for the first run, for demonstrations and for every test above the switch."""

from __future__ import annotations

from cti.drivers.simulator.scenario import (
    Playing,
    Scenario,
    ScenarioError,
    load_scenario,
    parse_scenario,
    play,
    scenario_names,
    scenario_titles,
)
from cti.drivers.simulator.switch import Caller, FarEnd, Faults, SimulatorSwitch

__all__ = [
    "Caller",
    "FarEnd",
    "Faults",
    "Playing",
    "Scenario",
    "ScenarioError",
    "SimulatorSwitch",
    "load_scenario",
    "parse_scenario",
    "play",
    "scenario_names",
    "scenario_titles",
]
