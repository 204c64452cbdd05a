"""The scenario language: who rings when, and what he does. One YAML file, one play.

    title: {zh-CN: 周一早晨, en: Monday morning}
    repeat: true                  # begin again after the last line (default: false)
    every: 25s..40s               # gap before a line that has no `at`
    max_waiting: 3                # such lines are passed over while so many calls wait unanswered
    lines:
      - call: $known              # somebody rings in; a name from the mapping that is handed to `play`
        to: $hotline              # the number he dials (default: $hotline)
        at: 5s                    # from the start of this round; lines without `at` follow the line before by `every`
        as: lily                  # the number chosen for this line can be used as $lily in the lines below
        patience: 30s..60s        # gives up when nobody has answered by then
        hangs_up: 20s             # puts the phone down then, answered or not
        talks: 60s..180s          # ends the talk after that long; without it the agent ends it
        presses: 12#              # keys, two seconds after he rang
        times: 3                  # the line is played so many times (needs `every` as gap)
      - dialled: $known           # not a call: what happens when an agent dials this number
        answers: 4s               # or busy, no_answer, rejects
        talks: 60s

Times are seconds ("20s", 20), minutes ("2m"), or a range ("25s..40s") from which the play's chance draws. Numbers are
never written into a file, only names with a dollar sign; a name may stand for several numbers, one of which is drawn,
if possible one that is not on a call. A scenario that cannot be understood raises ScenarioError: one line that says
where and why.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cti.clock import Timer
from cti.drivers.simulator.switch import Caller, FarEnd, SimulatorSwitch

FOLDER = Path(__file__).parent / "scenarios"
MAX_BYTES = 64 * 1024
MAX_SECONDS = 24 * 3600

SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m)?")
NAME = re.compile(r"\$[a-z][a-z0-9_]*")

Numbers = Mapping[str, str | Sequence[str]]


class ScenarioError(Exception):
    """`str` is one clear line; `line` is 1-based, 0 when the fault has no place in the file."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(f"{source}, line {line}: {reason}" if line else f"{source}: {reason}")
        self.source, self.line, self.reason = source, line, reason


@dataclass(frozen=True, slots=True)
class Span:
    """A time or a range of times, in seconds."""

    least: float
    most: float

    def draw(self, chance: random.Random) -> float:
        return self.least if self.least == self.most else chance.uniform(self.least, self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    line: int
    call: str
    to: str
    at: Span | None
    name: str
    patience: Span | None
    hangs_up: Span | None
    talks: Span | None
    presses: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    line: int
    number: str
    answer: str
    after: Span
    talks: Span | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    title: Mapping[str, str]
    is_repeated: bool
    every: Span
    max_waiting: int
    lines: tuple[Line, ...]
    dialled: tuple[Dialled, ...] = field(default=())

    def names(self) -> set[str]:
        """Names (with their dollar signs) that `play` must be given numbers for."""
        bound: set[str] = set()
        needed = {far.number for far in self.dialled}
        for line in self.lines:
            needed |= {line.call, line.to} - bound
            bound |= {f"${line.name}"} if line.name else set()
        return needed


def scenario_names() -> list[str]:
    """The scenarios that come with the simulator."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_scenario(name: str | Path) -> Scenario:
    """A scenario by its name, or from a file of one's own (a path). Raises ScenarioError."""
    path = name if isinstance(name, Path) else FOLDER / f"{name}.yaml"
    if not isinstance(name, Path) and name not in scenario_names():
        raise ScenarioError(str(name), 0, f"there is no such scenario; known: {', '.join(scenario_names())}")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ScenarioError(path.name, 0, f"it cannot be read: {reason}") from error
    return parse_scenario(text, path.name)


def parse_scenario(text: str, source: str) -> Scenario:
    """A scenario from its text; `source` names it in errors and, without ".yaml", becomes its name."""
    return _Reader(source).scenario(text)


# --- reading ----------------------------------------------------------------------------------------------------------


class _Reader:
    """Walks YAML's nodes instead of values, because only nodes know their lines."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, node: yaml.Node | int, reason: str) -> ScenarioError:
        line = node if isinstance(node, int) else node.start_mark.line + 1
        return ScenarioError(self.source, line, reason)

    def scenario(self, text: str) -> Scenario:
        if len(text.encode()) > MAX_BYTES:
            raise self.fail(0, f"it is larger than {MAX_BYTES // 1024} KB")
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self.fail(mark.line + 1 if mark else 0, f"it is not YAML: {error.problem}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise self.fail(0, "it is not YAML") from error
        if root is None:
            raise self.fail(0, "it is empty")
        parts = self.mapping(root, {"title", "repeat", "every", "max_waiting", "lines"}, "the scenario")
        if "lines" not in parts:
            raise self.fail(root, "it has no lines")
        every = self.span(parts["every"], "every") if "every" in parts else Span(30, 30)
        if every.least <= 0:
            raise self.fail(parts["every"], "every must be more than 0s")
        if not isinstance(parts["lines"], yaml.SequenceNode) or not parts["lines"].value:
            raise self.fail(parts["lines"], "lines must be a list with at least one line")
        lines: list[Line] = []
        dialled: list[Dialled] = []
        for node in parts["lines"].value:
            keys = {key.value for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
            if "dialled" in keys:
                dialled.append(self.far_end(node))
            else:
                lines += self.call(node)
        is_repeated = self.flag(parts["repeat"], "repeat") if "repeat" in parts else False
        if is_repeated and not lines:
            raise self.fail(parts["repeat"], "nothing to repeat: there is no line with call")
        return Scenario(
            name=Path(self.source).stem,
            title=self.title(parts.get("title")),
            is_repeated=is_repeated,
            every=every,
            max_waiting=self.count(parts["max_waiting"], "max_waiting", 1000) if "max_waiting" in parts else 1000,
            lines=tuple(lines),
            dialled=tuple(dialled),
        )

    def call(self, node: yaml.Node) -> list[Line]:
        known = {"call", "to", "at", "as", "patience", "hangs_up", "talks", "presses", "times"}
        parts = self.mapping(node, known, "a line")
        if "call" not in parts:
            raise self.fail(node, "the line has neither call nor dialled")
        name = self.text(parts["as"], "as") if "as" in parts else ""
        if name and not NAME.fullmatch(f"${name}"):
            raise self.fail(parts["as"], f"as: {name!r} is not a name (small letters, digits and _)")
        times = self.count(parts["times"], "times", 500) if "times" in parts else 1
        if times > 1 and "at" in parts:
            raise self.fail(parts["times"], "times and at exclude each other")
        presses = self.text(parts["presses"], "presses") if "presses" in parts else ""
        if not re.fullmatch(r"[0-9*#]*", presses):
            raise self.fail(parts["presses"], f"presses: {presses!r} has other keys than 0-9 * #")
        line = Line(
            line=node.start_mark.line + 1,
            call=self.name(parts["call"], "call"),
            to=self.name(parts["to"], "to") if "to" in parts else "$hotline",
            name=name,
            presses=presses,
            **{key: self.span(parts[key], key) if key in parts else None for key in SPANS},
        )
        return [line] * times

    def far_end(self, node: yaml.Node) -> Dialled:
        parts = self.mapping(node, {"dialled", "answers", "talks"}, "a line with dialled")
        answer, after = "answers", Span(4, 4)
        if "answers" in parts:
            word = self.text(parts["answers"], "answers")
            if word in ("busy", "no_answer", "rejects"):
                answer, after = word, Span(30, 30) if word == "no_answer" else Span(3, 3)
            elif SPAN.match(word):
                after = self.span(parts["answers"], "answers")
            else:
                raise self.fail(parts["answers"], f"answers: {word!r} is neither a time nor busy, no_answer, rejects")
        return Dialled(
            line=node.start_mark.line + 1,
            number=self.name(parts["dialled"], "dialled"),
            answer=answer,
            after=after,
            talks=self.span(parts["talks"], "talks") if "talks" in parts else None,
        )

    def mapping(self, node: yaml.Node, known: set[str], what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, f"{what} must be written as key: value")
        parts: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value not in known:
                word = key.value if isinstance(key, yaml.ScalarNode) else "?"
                raise self.fail(key, f"{what} has no {word!r}; known: {', '.join(sorted(known))}")
            if key.value in parts:
                raise self.fail(key, f"{key.value} stands twice")
            parts[key.value] = value
        return parts

    def text(self, node: yaml.Node, key: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.fail(node, f"{key} must be a single value")
        return str(node.value).strip()

    def name(self, node: yaml.Node, key: str) -> str:
        word = self.text(node, key)
        if not NAME.fullmatch(word):
            raise self.fail(node, f"{key} must be a name such as $known: numbers do not belong into a scenario")
        return word

    def span(self, node: yaml.Node, key: str) -> Span:
        word = self.text(node, key)
        least, dots, most = word.partition("..")
        ends = [SPAN.fullmatch(end.strip()) for end in ((least, most) if dots else (least,))]
        if not all(ends):
            raise self.fail(node, f"{key}: {word!r} is not a time such as 20s, 2m or 25s..40s")
        seconds = [float(end[1]) * (60 if end[2] == "m" else 1) for end in ends if end]
        if max(seconds) > MAX_SECONDS:
            raise self.fail(node, f"{key}: {word!r} is longer than a day")
        if seconds[-1] < seconds[0]:
            raise self.fail(node, f"{key}: {word!r} runs backwards")
        return Span(seconds[0], seconds[-1])

    def count(self, node: yaml.Node, key: str, most: int) -> int:
        word = self.text(node, key)
        if not re.fullmatch(r"[0-9]{1,5}", word) or not 1 <= int(word) <= most:
            raise self.fail(node, f"{key}: {word!r} is not a number from 1 to {most}")
        return int(word)

    def flag(self, node: yaml.Node, key: str) -> bool:
        word = self.text(node, key)
        if word not in ("true", "false"):
            raise self.fail(node, f"{key}: {word!r} is neither true nor false")
        return word == "true"

    def title(self, node: yaml.Node | None) -> dict[str, str]:
        if node is None:
            return {}
        if isinstance(node, yaml.ScalarNode):
            return {"zh-CN": self.text(node, "title")}
        parts = self.mapping(node, {"zh-CN", "en"}, "title")
        return {language: self.text(part, "title") for language, part in parts.items()}


SPANS = ("at", "patience", "hangs_up", "talks")


# --- playing ----------------------------------------------------------------------------------------------------------


class Playing:
    """A scenario that is being played. `calls` counts the calls it has placed."""

    def __init__(
        self,
        switch: SimulatorSwitch,
        scenario: Scenario,
        numbers: Numbers,
        chance: random.Random,
        on_call: Callable[[str, str], None] | None,
    ) -> None:
        self.switch, self.scenario, self.chance, self.on_call = switch, scenario, chance, on_call
        self.numbers: dict[str, Sequence[str]] = {}
        self.bound: dict[str, str] = {}
        self.calls = 0
        self.is_over = False
        self._timer: Timer | None = None
        self._offset = 0.0
        for name, given in numbers.items():
            self.numbers[name if name.startswith("$") else f"${name}"] = [given] if isinstance(given, str) else given
        for line in (*scenario.dialled, *scenario.lines):
            self._check(line)

    def stop(self) -> None:
        """Place no more calls; those that are on the way go on."""
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def begin(self) -> None:
        for far in self.scenario.dialled:
            for number in self.numbers[far.number]:
                self.switch.far_ends[number] = FarEnd(
                    answer=far.answer,  # type: ignore[arg-type]
                    after=far.after.draw(self.chance),
                    talks=far.talks.draw(self.chance) if far.talks else None,
                )
        if self.scenario.lines:
            self._plan(0)
        else:
            self.is_over = True

    def _check(self, line: Line | Dialled) -> None:
        bound = {f"${earlier.name}" for earlier in self.scenario.lines if earlier.name and earlier.line < line.line}
        for name in (line.number,) if isinstance(line, Dialled) else (line.call, line.to):
            if name not in bound and not self.numbers.get(name):
                known = ", ".join(sorted({*self.numbers, *bound})) or "none"
                raise ScenarioError(self.scenario.name, line.line, f"no number is known for {name}; known: {known}")

    def _plan(self, index: int) -> None:
        line = self.scenario.lines[index]
        if line.at is not None:
            wait = max(0.0, line.at.draw(self.chance) - self._offset)
        else:
            wait = self.scenario.every.draw(self.chance) if (index or self.calls) else 0.0
        self._offset += wait
        self._timer = self.switch.clock.call_later(wait, lambda: self._play(index))

    def _play(self, index: int) -> None:
        if self.is_over:
            return
        line = self.scenario.lines[index]
        if line.at is not None or self.switch.waiting < self.scenario.max_waiting:
            self._place(line)
        index += 1
        if index == len(self.scenario.lines):
            if not self.scenario.is_repeated:
                self.is_over = True
                return
            index, self._offset = 0, -self.scenario.every.draw(self.chance)
        self._plan(index)

    def _place(self, line: Line) -> None:
        number = self._draw(line.call)
        if line.name:
            self.bound[f"${line.name}"] = number
        spans = {
            key: span.draw(self.chance) if span else None
            for key, span in (("hangs_up_after", line.hangs_up), ("patience", line.patience), ("talks", line.talks))
        }
        call_id = self.switch.customer_calls(number, self._draw(line.to), Caller(**spans, presses=line.presses))
        self.calls += 1
        if self.on_call is not None:
            self.on_call(call_id, line.call)

    def _draw(self, name: str) -> str:
        if name in self.bound:
            return self.bound[name]
        numbers = self.numbers[name]
        quiet = [number for number in numbers if not self.switch.is_calling(number)]
        return self.chance.choice(quiet or numbers)


def play(
    switch: SimulatorSwitch,
    scenario: Scenario,
    numbers: Numbers,
    *,
    seed: int | None = None,
    on_call: Callable[[str, str], None] | None = None,
) -> Playing:
    """Play `scenario` on `switch`, in the running loop and by the switch's clock.

    numbers: name ("known" or "$known") → a number or several. on_call hears (call id, name) of each call placed.
    Raises ScenarioError when a name has no number, before any call is placed.
    """
    playing = Playing(switch, scenario, numbers, random.Random(seed), on_call)  # noqa: S311 - chance for a play
    playing.begin()
    return playing


def scenario_titles() -> dict[str, Mapping[str, Any]]:
    """name → titles by language, of the scenarios that come with the simulator: for a list to choose from."""
    return {name: load_scenario(name).title for name in scenario_names()}
