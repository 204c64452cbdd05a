"""Scenarios: the language, its errors, and the plays that come with the simulator."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cti import events as e
from cti.clock import HandClock, settle
from cti.drivers.simulator import (
    ScenarioError,
    SimulatorSwitch,
    load_scenario,
    parse_scenario,
    play,
    scenario_names,
    scenario_titles,
)
from cti.fold import fold
from cti.model import Cause

NUMBERS = {
    "known": ["outside-k1", "outside-k2", "outside-k3"],
    "unknown": ["outside-u1", "outside-u2"],
    "blacklisted": "outside-b1",
    "hotline": "hotline-1",
}


class Stage:
    def __init__(self):
        self.clock = HandClock()
        self.switch = SimulatorSwitch(clock=self.clock, seed=3)
        self.events = []

    async def open(self):
        await self.switch.connect(self.events.append)
        return self

    def play(self, scenario, numbers=NUMBERS, **options):
        if isinstance(scenario, str):
            scenario = parse_scenario(scenario, "play.yaml") if "\n" in scenario else load_scenario(scenario)
        return play(self.switch, scenario, numbers, seed=5, **options)

    @property
    def arrivals(self):
        start = HandClock().now()
        return [
            ((one.at - start).total_seconds(), one.calling, one.called)
            for one in self.events
            if isinstance(one, e.RouteRequested)
        ]

    def calls(self):
        ids = dict.fromkeys(one.call_id for one in self.events if one.call_id)
        return [fold([one for one in self.events if one.call_id == call_id]) for call_id in ids]


@pytest.fixture
async def stage():
    return await Stage().open()


async def test_lines_come_at_their_times_and_others_follow_with_the_gap(stage):
    playing = stage.play(
        """
every: 10s
lines:
  - {call: $blacklisted, at: 5s}
  - {call: $blacklisted}
  - {call: $blacklisted, at: 60s}
"""
    )
    await stage.clock.forward(4.9)
    assert stage.arrivals == []
    await stage.clock.forward(300)
    assert [second for second, _, _ in stage.arrivals] == [5, 15, 60]
    assert (playing.is_over, playing.calls) == (True, 3)
    assert stage.arrivals[0][1:] == ("outside-b1", "hotline-1")


async def test_a_repeated_scenario_begins_again_until_it_is_stopped(stage):
    playing = stage.play("repeat: true\nevery: 10s\nlines:\n  - {call: $blacklisted, hangs_up: 1s}\n")
    await stage.clock.forward(35)
    assert [second for second, _, _ in stage.arrivals] == [0, 10, 20, 30]
    playing.stop()
    await stage.clock.forward(100)
    assert len(stage.arrivals) == 4


async def test_a_number_chosen_once_can_ring_again_by_its_name(stage):
    stage.play("missed_then_again")
    await stage.clock.forward(60)
    callers = {calling for _, calling, _ in stage.arrivals}
    assert (len(stage.arrivals), len(callers)) == (3, 1)
    assert callers <= set(NUMBERS["known"])
    assert [state.cause for state in stage.calls()] == [Cause.abandoned, Cause.abandoned, None]


async def test_whoever_is_on_a_call_does_not_ring_a_second_time(stage):
    stage.play("every: 1s\nlines:\n  - {call: $known, times: 3}\n")
    await stage.clock.forward(5)
    assert {calling for _, calling, _ in stage.arrivals} == set(NUMBERS["known"])


async def test_while_too_many_wait_nobody_else_rings(stage):
    stage.play("max_waiting: 2\nevery: 1s\nlines:\n  - {call: $known, times: 9}\n")
    await stage.clock.forward(20)
    assert len(stage.arrivals) == 2


async def test_a_line_says_what_a_dialled_number_does(stage):
    stage.play("lines:\n  - {dialled: $unknown, answers: busy}\n  - {dialled: $known, answers: 2s, talks: 5s}\n")
    await stage.switch.register("8001", agent="1001")
    await stage.switch.make_call("8001", "outside-u1", "first")
    await stage.clock.forward(1)
    await stage.switch.make_call("8001", "outside-k1", "second")
    await stage.clock.forward(30)
    first, second = stage.calls()
    assert (first.cause, second.outcome, second.talk_ms) == (Cause.busy, "answered", 5_000)


async def test_whoever_plays_hears_of_each_call(stage):
    heard = []
    stage.play("known_customer", on_call=lambda call_id, name: heard.append((call_id, name)))
    await stage.clock.forward(1)
    assert heard == [(stage.events[0].call_id, "$known")]


async def test_a_name_without_a_number_is_reported_before_any_call(stage):
    with pytest.raises(ScenarioError) as error:
        stage.play("lines:\n  - {call: $known}\n  - {call: $stranger}\n")
    assert str(error.value) == (
        "play, line 3: no number is known for $stranger; known: $blacklisted, $hotline, $known, $unknown"
    )
    with pytest.raises(ScenarioError, match="line 2: no number is known for \\$later"):
        stage.play("lines:\n  - {call: $later}\n  - {call: $known, as: later}\n")
    with pytest.raises(ScenarioError, match=r"\$known"):
        stage.play("known_customer", {"known": [], "hotline": "hotline-1"})
    await stage.clock.forward(5)
    assert stage.events == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 0, "empty"),
        ("lines: [\n", 2, "not YAML"),
        ("- call: $known\n", 1, "key: value"),
        ("title: x\n", 1, "no lines"),
        ("lines: []\n", 1, "at least one"),
        ("lines:\n  - call: $known\n    patiense: 3s\n", 3, "no 'patiense'"),
        ("lines:\n  - call: $known\n    call: $known\n", 3, "twice"),
        ("lines:\n  - at: 3s\n", 2, "neither call nor dialled"),
        ("lines:\n  - call: known\n", 2, "numbers do not belong"),
        ("lines:\n  - call: $known\n    at: soon\n", 3, "not a time"),
        ("lines:\n  - call: $known\n    at: 40s..25s\n", 3, "backwards"),
        ("lines:\n  - call: $known\n    talks: 99999m\n", 3, "longer than a day"),
        ("lines:\n  - call: $known\n    at: -3s\n", 3, "not a time"),
        ("lines:\n  - call: [$known]\n", 2, "single value"),
        ("lines:\n  - call: $known\n    times: 0\n", 3, "not a number"),
        ("lines:\n  - call: $known\n    times: 2\n    at: 3s\n", 3, "exclude"),
        ("lines:\n  - call: $known\n    presses: abc\n", 3, "other keys"),
        ("lines:\n  - call: $known\n    as: Lily\n", 3, "not a name"),
        ("lines:\n  - dialled: $known\n    answers: perhaps\n", 3, "neither a time nor"),
        ("every: 0s\nlines:\n  - call: $known\n", 1, "more than 0s"),
        ("repeat: maybe\nlines:\n  - call: $known\n", 1, "neither true nor false"),
        ("repeat: true\nlines:\n  - dialled: $known\n", 1, "nothing to repeat"),
        ("title: {fr: Lundi}\nlines:\n  - call: $known\n", 1, "no 'fr'"),
        ("lines:\n  - just words\n", 2, "key: value"),
        ("a: &a [*a]\n", 1, "no 'a'"),
        ("lines:\n  - call: \x01\n", 0, "not YAML"),
        ("#" * 70_000, 0, "larger"),
    ],
)
def test_a_broken_scenario_is_one_clear_line(text, line, reason):
    with pytest.raises(ScenarioError) as error:
        parse_scenario(text, "broken.yaml")
    assert error.value.line == line
    assert reason in error.value.reason
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("broken.yaml")


def test_a_scenario_that_does_not_exist_or_cannot_be_read_is_one_clear_line(tmp_path):
    with pytest.raises(ScenarioError, match="no such scenario; known: blacklisted_number"):
        load_scenario("tuesday")
    with pytest.raises(ScenarioError, match="no such scenario"):
        load_scenario("../scenario")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path / "absent.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_scenario(tmp_path / "bytes.yaml")


def test_a_scenario_of_ones_own_is_read_from_a_file(tmp_path):
    (tmp_path / "mine.yaml").write_text("title: 我的\nlines:\n  - call: $known\n", encoding="utf-8")
    scenario = load_scenario(tmp_path / "mine.yaml")
    assert (scenario.name, scenario.title, scenario.names()) == ("mine", {"zh-CN": "我的"}, {"$known", "$hotline"})


# --- the plays that come with it --------------------------------------------------------------------------------------


@pytest.mark.req("X-30")
@pytest.mark.parametrize("name", scenario_names())
async def test_each_scenario_has_both_titles_and_plays_with_the_usual_numbers(stage, name):
    assert scenario_titles()[name].keys() == {"zh-CN", "en"}
    stage.play(name)
    await stage.clock.forward(600)
    assert stage.arrivals


def test_the_scenarios_that_the_product_promises_are_there():
    assert set(scenario_names()) >= {
        "monday_morning",
        "known_customer",
        "unknown_number",
        "blacklisted_number",
        "hangs_up_waiting",
        "missed_then_again",
        "rush",
    }


async def test_monday_morning_leaves_a_newcomer_time_and_goes_on_for_ever(stage):
    playing = stage.play("monday_morning")
    for _ in range(120):
        await stage.clock.forward(30)
        for call in await stage.switch.snapshot():  # everybody is answered at once
            if not call.agent_connections:
                await stage.switch.register("8001", agent="1001")
                await stage.switch.answer(await stage.switch.deliver(call.call_id, "8001"))
                await stage.switch.clear_call(call.call_id)
    seconds = [second for second, _, _ in stage.arrivals]
    gaps = [later - earlier for earlier, later in pairwise(seconds)]
    assert seconds[0] == 4
    assert 25 <= min(gaps) <= max(gaps) <= 45
    callers = {calling for _, calling, _ in stage.arrivals}
    assert {"outside-b1", *NUMBERS["known"], *NUMBERS["unknown"]} == callers
    assert not playing.is_over


async def test_on_monday_morning_nobody_waits_for_ever_when_nobody_answers(stage):
    stage.play("monday_morning")
    await stage.clock.forward(900)
    assert stage.switch.waiting <= 3
    assert {state.cause for state in stage.calls() if not state.is_open} == {Cause.abandoned}
    await settle()


async def test_the_one_who_hangs_up_waiting_is_a_missed_call(stage):
    stage.play("hangs_up_waiting")
    await stage.clock.forward(1)
    await stage.switch.queue(stage.events[0].call_id, "main")
    await stage.clock.forward(20)
    (state,) = stage.calls()
    assert (state.outcome, state.wait_ms) == ("abandoned", 11_000)
