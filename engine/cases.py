"""``cases.yaml``: what a flow must do, played without a database and with a clock turned by hand.

::

    now: "2026-11-23T09:00:00+08:00"     # where the clock stands, optional
    start: {opened_by: "1001", group: g1}  # data every case starts with, optional
    verbs:                               # answers every case begins from, optional
      tickets.set_state: {}
    cases:
      - name: 当场解答
        start: {customer: "812"}         # on top of the common data
        verbs:
          tickets.count_repeat: {repeats: 2}                 # the answer, each time
          tickets.check_outbound: [{verdict: ok}, {verdict: blocked}]   # one after the other, the last one stays
          messaging.send: {refuse: channel_unavailable}      # VerbRefused with this code
          tickets.close: [{fail: database busy}, {}]         # VerbFailed first, then done
        steps:
          - expect: {tasks: [answer], timers: [answer_overdue], assignee: {answer: "1001"}}
          - complete: answer             # the element; with several open ones also `index: 1`
            as: "1001"                   # refused when the task is somebody else's or excludes them
            data: {result: solved}       # the whole form, checked against its schema
          - complete: answer
            data: {}
            refused: [result]            # the form says no to these fields; nothing happens
          - after: PT4H                  # turn the clock; timers fire one by one on the way
          - at: "2026-11-23T18:00:00+08:00"
          - message: message.receipt     # with the keys or the subject it is addressed by
            keys: {message: M1}
            payload: {status: delivered}
          - message: call.delivered
            subject: "customer:812"
            nobody: true                 # nobody waits for it
          - reschedule: answer_overdue
            to: "2026-11-24T09:00:00+08:00"
          - complete: send
            fails: notify                # the automatic element that fails; the answer is kept
          - run: true                    # try again
          - skip: {two: {ok: false}}     # or pass the failed element, with this data in its place
          - cancel: wrong ticket
          - expect: {status: completed, ends: [done], data: {repeats: 2}, thrown: [note],
                     called: {tickets.close: {outcome: solved}}}

``expect`` may stand beside an act or alone. ``tasks``, ``timers`` and ``awaited`` are all elements of their kind, in any
order; ``ends`` all ends reached so far; ``thrown`` all messages sent out so far; ``data`` some of the process data;
``called`` verbs that were called, with some of the last call's parameters (``null``: it was never called);
``assignee``, ``candidates``, ``title``, ``priority``, ``due`` of open tasks by element.

A verb needs an answer when its declared result does; each answer is checked against the verb's schema, and a verb nobody
registered is an error. After every step the state is written, read and written again. The report names every sequence
flow, boundary event and message catch of the flow (not of those it calls) that no case went through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import yaml

from engine.calendars import Calendar
from engine.codec import recode
from engine.definitions import Bundle, Definition, parse
from engine.durations import parse_instant
from engine.exceptions import (
    CasesError,
    EngineError,
    StepFailed,
    UnknownVerb,
    VerbContractBroken,
    VerbFailed,
    VerbRefused,
)
from engine.step import Complete, OpenTask, Run, Skip
from engine.testing import Play
from engine.verbs import REGISTRY, Context, Registry
from engine.xml import BIGGEST

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=8)))
MOST_CASES = 200
ACTS = ("complete", "after", "at", "message", "reschedule", "run", "skip", "cancel")
BESIDE = {
    "complete": {"as", "data", "index", "refused", "fails"},
    "message": {"keys", "subject", "payload", "business_key", "nobody", "fails"},
    "reschedule": {"to"},
    "after": {"fails"},
    "at": {"fails"},
    "run": {"fails"},
    "skip": {"fails"},
}
EXPECTED = frozenset(
    [
        "tasks",
        "timers",
        "awaited",
        "ends",
        "status",
        "data",
        "thrown",
        "called",
        "assignee",
        "candidates",
        "title",
        "priority",
        "due",
    ]
)


@dataclass(frozen=True)
class Case:
    name: str
    start: dict[str, Any]
    verbs: dict[str, Any]
    steps: list[dict[str, Any]]
    now: datetime = MONDAY


@dataclass
class CaseResult:
    """``problems`` are sentences; empty when the case holds."""

    name: str
    problems: list[str] = field(default_factory=list)
    steps: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Coverage:
    """Ids gone through, of all there are."""

    covered: frozenset[str]
    total: frozenset[str]

    @property
    def missing(self) -> list[str]:
        return sorted(self.total - self.covered)

    @property
    def share(self) -> float:
        return len(self.covered) / len(self.total) if self.total else 1.0


@dataclass(frozen=True)
class Report:
    """What the cases of one flow say. ``coverage`` has the keys flows, boundary_events and messages."""

    key: str
    cases: list[CaseResult]
    coverage: dict[str, Coverage]

    @property
    def missing(self) -> list[str]:
        """Everything no case went through."""
        return sorted({one for part in self.coverage.values() for one in part.missing})

    @property
    def problems(self) -> list[str]:
        return [f"{case.name}: {problem}" for case in self.cases for problem in case.problems]

    @property
    def ok(self) -> bool:
        return not self.problems and not self.missing


# -- reading ----------------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Plain values only: no aliases (they multiply), no dates, and yes/no/on/off stay words."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


for _first, _pattern in (("tT", "true|True"), ("fF", "false|False")):
    _Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(f"^(?:{_pattern})$"), list(_first))


def load(text: str | bytes) -> list[Case]:
    """The cases of a file; CasesError says which case or step cannot be understood."""
    if len(text) > BIGGEST:
        raise CasesError("the file is larger than 5 MB")
    try:
        whole = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a narrowed SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CasesError(f"cannot be read as YAML: {error}") from None
    _keys("the file", whole, {"now", "start", "verbs", "cases"})
    found = whole.get("cases")
    if not isinstance(found, list) or not found or len(found) > MOST_CASES:
        raise CasesError(f"cases is a list of 1 to {MOST_CASES}")
    cases = [_case(number, one, whole) for number, one in enumerate(found, 1)]
    names = [case.name for case in cases]
    if len(names) != len(set(names)):
        raise CasesError("two cases have the same name")
    return cases


def _case(number: int, one: Any, whole: dict[str, Any]) -> Case:
    where = f"case {number}"
    _keys(where, one, {"name", "start", "verbs", "steps", "now"})
    where = f"{where} ({one.get('name')})"
    steps = one.get("steps") or []
    if not isinstance(one.get("name"), str) or not isinstance(steps, list):
        raise CasesError(f"{where}: a case has a name and a list of steps")
    for index, step in enumerate(steps, 1):
        _check_step(f"{where}, step {index}", step)
    try:
        now = parse_instant(one.get("now") or whole.get("now") or MONDAY)
    except ValueError as error:
        raise CasesError(f"{where}: {error}") from None
    start = {**_mapping(where, whole, "start"), **_mapping(where, one, "start")}
    verbs = {**_mapping(where, whole, "verbs"), **_mapping(where, one, "verbs")}
    return Case(one["name"], start, verbs, steps, now)


def _check_step(where: str, step: Any) -> None:
    acts = [act for act in ACTS if isinstance(step, dict) and act in step]
    if len(acts) > 1:
        raise CasesError(f"{where}: one act a step, not {' and '.join(acts)}")
    act = acts[0] if acts else ""
    _keys(where, step, {act, "expect"} | BESIDE.get(act, set()) if act else {"expect"})
    if not step:
        raise CasesError(f"{where}: says nothing")
    if "expect" in step:
        _keys(f"{where}, expect", step["expect"], set(EXPECTED))


def _keys(where: str, one: Any, allowed: set[str]) -> None:
    if not isinstance(one, dict):
        raise CasesError(f"{where}: names and values are needed")
    unknown = sorted(str(key) for key in one if key not in allowed)
    if unknown:
        raise CasesError(f"{where}: does not know {', '.join(unknown)}")


def _mapping(where: str, one: dict[str, Any], name: str) -> dict[str, Any]:
    value = one.get(name) or {}
    if not isinstance(value, dict):
        raise CasesError(f"{where}: {name} is a list of names and values")
    return value


# -- verbs as stated --------------------------------------------------------------------------------------------------


class StatedVerbs:
    """Answers verb calls with what the case states. Schemas come from ``registry``; None = no schemas are checked."""

    def __init__(self, stated: Mapping[str, Any], registry: Registry | None) -> None:
        self.registry, self.calls = registry, []
        self.answers = {name: list(one) if isinstance(one, list) else [one] for name, one in stated.items()}
        self.problems: list[str] = []

    def call(self, name: str, context: Context, params: Mapping[str, Any]) -> dict[str, Any]:
        known = self.registry.get(name) if self.registry is not None else None
        if known is not None:
            known.check_params(params)
        self.calls.append((name, dict(params)))
        answers = self.answers.get(name, [{}])
        answer = answers.pop(0) if len(answers) > 1 else answers[0] if answers else {}
        answer = {} if answer is None else answer
        if isinstance(answer, dict) and set(answer) == {"refuse"}:
            raise VerbRefused(str(answer["refuse"]))
        if isinstance(answer, dict) and set(answer) == {"fail"}:
            raise VerbFailed(context.element, RuntimeError(str(answer["fail"])))
        if known is not None:
            known.check_result(answer)
        if not isinstance(answer, dict):
            raise VerbContractBroken(f"{name}: an answer is names and values")
        return answer

    def check(self) -> list[str]:
        """What is wrong with the stated answers even before they are given."""
        found = []
        for name, answers in self.answers.items():
            try:
                known = self.registry.get(name) if self.registry is not None else None
                for answer in answers:
                    plain = not (isinstance(answer, dict) and set(answer) in ({"refuse"}, {"fail"}))
                    if known is not None and plain:
                        known.check_result({} if answer is None else answer)
            except UnknownVerb:
                found.append(f"nobody lends the verb {name}")
            except VerbContractBroken as error:
                found.append(str(error))
        return found


# -- playing ----------------------------------------------------------------------------------------------------------


def run_cases(
    flow: Bundle | Definition,
    verbs_schema: Registry | None = REGISTRY,
    *,
    cases: list[Case] | None = None,
    calendar: Calendar | None = None,
) -> Report:
    """Play every case of a flow. A bundle brings its cases.yaml; for a definition pass ``cases``.

    CasesError when there are none or they cannot be read; what does not hold is in the report.
    """
    definition = parse(flow) if isinstance(flow, Bundle) else flow
    if cases is None:
        content = flow.files.get(f"{flow.key}/cases.yaml") if isinstance(flow, Bundle) else None
        if content is None:
            raise CasesError(f"{flow.key} has no cases.yaml")
        cases = load(content)
    seen: set[str] = set()
    results = [_Player(definition, case, verbs_schema, calendar, seen).play() for case in cases]
    elements = definition.processes[definition.key]
    catches = {
        e.id
        for e in elements.values()
        if e.message and (e.kind in ("boundaryEvent", "receiveTask", "intermediateCatchEvent"))
    }
    wanted = {
        "flows": set(definition.flows[definition.key]),
        "boundary_events": {e.id for e in elements.values() if e.kind == "boundaryEvent"},
        "messages": catches,
    }
    return Report(
        definition.key,
        results,
        {name: Coverage(frozenset(ids & seen), frozenset(ids)) for name, ids in wanted.items()},
    )


class _Player:
    def __init__(
        self,
        definition: Definition,
        case: Case,
        registry: Registry | None,
        calendar: Calendar | None,
        seen: set[str],
    ) -> None:
        self.definition, self.case, self.calendar, self.seen = definition, case, calendar, seen
        self.verbs = StatedVerbs(case.verbs, registry)
        self.result = CaseResult(case.name, self.verbs.check())

    def play(self) -> CaseResult:
        if self.result.problems:
            return self.result
        try:
            self.one = Play(
                self.definition, self.verbs, self.case.start, self.case.now, "ticket:case", calendar=self.calendar
            )
        except EngineError as error:
            self.result.problems.append(f"start: {error}")
            return self.result
        self._reload("start")
        for number, step in enumerate(self.case.steps, 1):
            where = f"step {number}"
            try:
                self._step(where, step)
            except StepFailed as error:
                self._problem(where, f"{error.element} failed: {error.cause}")
            except (EngineError, ValueError, TypeError, LookupError) as error:
                self._problem(where, str(error) or type(error).__name__)
            self.result.steps = number
            if self.result.problems:
                break  # what follows would only repeat it
            self._reload(where)
        for taken in self.one.trail:
            if taken.process == self.definition.key:
                if taken.flow:
                    self.seen.add(taken.flow)
                elif taken.action in ("fired", "completed"):
                    self.seen.add(taken.element)
        return self.result

    def _problem(self, where: str, text: str) -> None:
        self.result.problems.append(f"{where}: {text}")

    def _reload(self, where: str) -> None:
        state = self.one.outcome.state
        if recode(state, self.definition) != state:
            self._problem(where, "the state is not the same after it was stored and read")

    def _step(self, where: str, step: dict[str, Any]) -> None:
        act = next((name for name in ACTS if name in step), None)
        if act is not None:
            expected, failed = step.get("fails"), None
            try:
                getattr(self, f"_{act}")(where, step)
            except StepFailed as error:
                failed = error.element
                if failed != expected:
                    raise
            if failed != expected:
                self._problem(where, f"{expected} did not fail")
        for name, value in step.get("expect", {}).items():
            self._expect(where, name, value)

    # The acts.

    def _complete(self, where: str, step: dict[str, Any]) -> None:
        task = self._task(step["complete"], step.get("index", 0))
        actor, data = step.get("as"), step.get("data") or {}
        if actor is not None and task.assignee not in (None, str(actor)):
            raise CasesError(f"{task.element} belongs to {task.assignee}, not to {actor}")
        if actor is not None and str(actor) in task.exclude:
            raise CasesError(f"{task.element} may not be done by {actor}")
        form = self.definition.forms.get(task.form_key or "")
        errors = form.validate(data) if form is not None else []
        refused, told = sorted(step.get("refused") or []), sorted({error.field for error in errors})
        if refused or told:
            if refused != told:
                raise CasesError(f"the form refuses {told}, expected {refused}")
            return
        self.one.give(Complete(task.id, data))

    def _after(self, where: str, step: dict[str, Any]) -> None:
        self.one.forward(step["after"])

    def _at(self, where: str, step: dict[str, Any]) -> None:
        moment = parse_instant(step["at"])
        if moment < self.one.now:
            raise CasesError(f"{step['at']} is past")
        self.one.until(moment)

    def _message(self, where: str, step: dict[str, Any]) -> None:
        keys = {str(name): str(value) for name, value in (step.get("keys") or {}).items()}
        found = self.one.deliver(
            step["message"],
            step.get("payload") or {},
            business_key=step.get("business_key"),
            subject=step.get("subject"),
            **keys,
        )
        if found == bool(step.get("nobody", False)):
            told = "somebody" if found else "nobody"
            raise CasesError(f"{told} waited for {step['message']}")

    def _reschedule(self, where: str, step: dict[str, Any]) -> None:
        if step["reschedule"] not in {timer.element for timer in self.one.outcome.timers}:
            raise CasesError(f"no timer {step['reschedule']} is waiting")
        self.one.reschedule(step["reschedule"], parse_instant(step["to"]))

    def _run(self, where: str, step: dict[str, Any]) -> None:
        self.one.give(Run())

    def _skip(self, where: str, step: dict[str, Any]) -> None:
        if self.one.failed is None:
            raise CasesError("nothing failed that could be skipped")
        data = step["skip"] if isinstance(step["skip"], dict) else {}
        self.one.give(Skip(self.one.failed.task_id, data))

    def _cancel(self, where: str, step: dict[str, Any]) -> None:
        self.one.cancel(str(step["cancel"]))

    def _task(self, element: str, index: int) -> OpenTask:
        found = [task for task in self.one.outcome.tasks if task.element == element]
        if index >= len(found):
            raise CasesError(f"no task {element} is open; open are {self.one.open}")
        return found[index]

    # What is expected.

    def _expect(self, where: str, name: str, value: Any) -> None:
        look: Callable[[str, Any], None] = getattr(self, f"_expect_{name}", None) or (
            lambda at, wanted: self._expect_of_tasks(at, name, wanted)
        )
        look(where, value)

    def _same(self, where: str, what: str, found: Any, wanted: Any) -> None:
        if found != wanted:
            self._problem(where, f"{what}: {found!r}, expected {wanted!r}")

    def _expect_tasks(self, where: str, value: list[str]) -> None:
        self._same(where, "tasks", self.one.open, sorted(value))

    def _expect_timers(self, where: str, value: list[str]) -> None:
        self._same(where, "timers", sorted(t.element for t in self.one.outcome.timers), sorted(value))

    def _expect_awaited(self, where: str, value: list[str]) -> None:
        self._same(where, "awaited", sorted({a.element for a in self.one.outcome.awaited}), sorted(value))

    def _expect_ends(self, where: str, value: list[str]) -> None:
        own = [one.element for one in self.one.trail if one.action == "end" and one.process == self.definition.key]
        self._same(where, "ends", sorted(own), sorted(value))

    def _expect_status(self, where: str, value: str) -> None:
        self._same(where, "status", self.one.outcome.status, value)

    def _expect_thrown(self, where: str, value: list[str]) -> None:
        self._same(where, "thrown", sorted(one.name for one in self.one.thrown), sorted(value))

    def _expect_data(self, where: str, value: dict[str, Any]) -> None:
        for name, wanted in value.items():
            self._same(where, f"data {name}", self.one.outcome.data.get(name), wanted)

    def _expect_called(self, where: str, value: dict[str, Any]) -> None:
        for name, wanted in value.items():
            calls = [params for verb, params in self.verbs.calls if verb == name]
            if wanted is None or not calls:
                self._same(where, f"calls of {name}", len(calls) > 0, wanted is not None)
                continue
            found = {key: calls[-1].get(key) for key in wanted}
            self._same(where, f"last call of {name}", found, wanted)

    def _expect_of_tasks(self, where: str, name: str, value: dict[str, Any]) -> None:
        for element, wanted in value.items():
            task = self._task(element, 0)
            found = task.due_at if name == "due" else getattr(task, name)
            if isinstance(found, datetime) and wanted is not None:
                wanted = parse_instant(wanted)
            self._same(where, f"{name} of {element}", found, wanted)
