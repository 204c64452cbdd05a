"""Helpers for testing flows: bundles from a few lines, and a play of one instance with a clock turned by hand."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.calendars import Calendar
from engine.definitions import Bundle, Definition, parse
from engine.durations import parse_duration
from engine.exceptions import StepFailed
from engine.step import (
    Awaited,
    Cancel,
    Complete,
    Deliver,
    Due,
    OpenTask,
    Outcome,
    Reschedule,
    Stimulus,
    Thrown,
    TrailStep,
    start,
    step,
)
from engine.verbs import Registry, Verbs
from engine.xml import BPMN, SPIFF

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_FLOW = re.compile(r"\s*->\s*")


def flows(*lines: str) -> str:
    """Sequence flows: "a -> b -> c" makes a_b and b_c; "a -> b [x > 1]" puts a condition on the last one."""
    made = []
    for line in lines:
        path, _, condition = line.partition("[")
        names = _FLOW.split(path.strip())
        for index, (source, target) in enumerate(itertools.pairwise(names)):
            last = index == len(names) - 2 and condition
            inner = f"<conditionExpression>{_escape(condition.rstrip(' ]'))}</conditionExpression>" if last else ""
            made.append(
                f'<sequenceFlow id="{source}_{target}" sourceRef="{source}" targetRef="{target}">{inner}</sequenceFlow>'
            )
    return "".join(made)


def properties(**values: str) -> str:
    """A property element list; write dots as double underscores: ``key__element`` is key.element."""
    items = "".join(
        f'<spiffworkflow:property name="{_escape(name.replace("__", "."))}" value="{_escape(value)}"/>'
        for name, value in values.items()
    )
    return f"<extensionElements><spiffworkflow:properties>{items}</spiffworkflow:properties></extensionElements>"


def diagram(
    key: str,
    body: str,
    *,
    messages: Iterable[str] = (),
    errors: Iterable[str] = (),
    lanes: Mapping[str, Iterable[str]] | None = None,
) -> bytes:
    """A diagram around ``body``; a message or error has its own name as id (dots become underscores)."""
    lane_set = "".join(
        f'<lane id="lane_{role}" name="{role}">'
        + "".join(f"<flowNodeRef>{one}</flowNodeRef>" for one in members)
        + "</lane>"
        for role, members in (lanes or {}).items()
    )
    heads = "".join(f'<message id="{_id(one)}" name="{one}"/>' for one in messages)
    heads += "".join(f'<error id="{_id(one)}" name="{one}" errorCode="{one}"/>' for one in errors)
    inner = f'<laneSet id="{key}_lanes">{lane_set}</laneSet>{body}' if lane_set else body
    return (
        f'<definitions xmlns="{BPMN}" xmlns:spiffworkflow="{SPIFF}" id="{key}_file" targetNamespace="flows">{heads}'
        f'<process id="{key}" name="{key}" isExecutable="true">{inner}</process></definitions>'
    ).encode()


def bundle(
    key: str,
    body: str,
    *,
    forms: Mapping[str, dict] | None = None,
    calls: Mapping[str, bytes] | None = None,
    files: Mapping[str, bytes] | None = None,
    **drawn: Any,
) -> Bundle:
    """A bundle of one diagram, its forms ({"key": schema}) and the diagrams it calls ({"flow": diagram(...)})."""
    content = {f"{key}/{key}.bpmn": diagram(key, body, **drawn)}
    content |= {f"{key}/forms/{name}.json": json.dumps(schema).encode() for name, schema in (forms or {}).items()}
    content |= {f"{name}/{name}.bpmn": one for name, one in (calls or {}).items()}
    return Bundle(key, {**content, **(files or {})})


@dataclass
class Play:
    """One instance and its clock. Each act is a full step, so the state is stored and read again every time."""

    definition: Definition
    verbs: Verbs = field(default_factory=Registry)
    data: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = MONDAY
    business_key: str = "ticket:T1"
    calendar: Calendar | None = None
    context: Mapping[str, Any] | None = None

    outcome: Outcome = field(init=False)
    trail: list[TrailStep] = field(init=False, default_factory=list)
    thrown: list[Thrown] = field(init=False, default_factory=list)
    ends: list[str] = field(init=False, default_factory=list)
    failed: StepFailed | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._keep(
            start(
                self.definition,
                data=self.data,
                now=self.now,
                verbs=self.verbs,
                business_key=self.business_key,
                calendar=self.calendar,
                context=self.context,
            )
        )

    def give(self, stimulus: Stimulus) -> Outcome:
        """Any stimulus. When what follows it fails, its checkpoint is kept, as the product does, and StepFailed raised."""
        try:
            return self._keep(self._step(stimulus, True))
        except StepFailed as error:
            self.failed = error
            self._keep(self._step(stimulus, False))
            raise

    def _step(self, stimulus: Stimulus, run: bool) -> Outcome:
        return step(
            self.definition,
            self.outcome.state,
            stimulus,
            self.now,
            self.verbs,
            calendar=self.calendar,
            run=run,
            context=self.context,
        )

    def _keep(self, outcome: Outcome) -> Outcome:
        self.outcome = outcome
        self.trail += outcome.trail
        self.thrown += outcome.thrown
        self.ends += outcome.ends
        return outcome

    @property
    def open(self) -> list[str]:
        """The elements of the open user tasks, sorted."""
        return sorted(task.element for task in self.outcome.tasks)

    @property
    def waiting(self) -> list[str]:
        """The elements of the waiting timers and messages, sorted."""
        return sorted([t.element for t in self.outcome.timers] + [a.element for a in self.outcome.awaited])

    def task(self, element: str, index: int = 0) -> OpenTask:
        return [task for task in self.outcome.tasks if task.element == element][index]

    def complete(self, element: str, index: int = 0, **data: Any) -> Outcome:
        return self.give(Complete(self.task(element, index).id, data))

    def forward(self, span: str) -> None:
        """Turn the clock by an ISO duration; timers fire one by one at their moments."""
        self.until(self.now + parse_duration(span))

    def until(self, moment: datetime) -> None:
        while self.outcome.status == "running":
            due = [timer for timer in self.outcome.timers if timer.due_at <= moment]
            if not due:
                break
            first = min(due, key=lambda timer: timer.due_at)
            self.now = max(self.now, first.due_at)
            self.give(Due(first.id))
        self.now = max(self.now, moment)

    def matches(
        self, name: str, business_key: str | None = None, subject: str | None = None, **keys: str
    ) -> list[Awaited]:
        """The waiting catches a message is addressed to, as the caller's SQL would find them."""
        if subject is not None:
            return [a for a in self.outcome.awaited if a.name == name and a.subject == subject]
        if business_key not in (None, self.business_key):
            return []
        return [
            a
            for a in self.outcome.awaited
            if a.name == name and a.subject is None and all(keys.get(k) == v for k, v in a.keys.items())
        ]

    def deliver(
        self,
        name: str,
        payload: Mapping[str, Any] | None = None,
        *,
        business_key: str | None = None,
        subject: str | None = None,
        **keys: str,
    ) -> bool:
        """Give a message to the first catch it is addressed to; False when it finds nobody. Dots: ``key__x``."""
        keys = {name.replace("__", "."): value for name, value in keys.items()}
        found = self.matches(name, business_key, subject, **keys)
        for one in found[: None if subject is not None else 1]:
            self.give(Deliver(one.id, name, payload or {}))
        return bool(found)

    def cancel(self, reason: str = "") -> Outcome:
        return self.give(Cancel(reason))

    def reschedule(self, element: str, due_at: datetime) -> Outcome:
        timer = next(timer for timer in self.outcome.timers if timer.element == element)
        return self.give(Reschedule(timer.id, due_at))

    def taken(self) -> list[str]:
        """The ids of the sequence flows taken so far."""
        return [one.flow for one in self.trail if one.flow]

    def did(self, action: str) -> list[str]:
        return [one.element for one in self.trail if one.action == action]


def play(
    made: Bundle | Definition, verbs: Verbs | None = None, data: Mapping[str, Any] | None = None, **more: Any
) -> Play:
    """Start an instance of a bundle or definition."""
    definition = made if isinstance(made, Definition) else parse(made)
    return Play(definition, verbs if verbs is not None else Registry(), data or {}, **more)


def after(span: str, start_at: datetime = MONDAY) -> datetime:
    return start_at + parse_duration(span)


def _id(name: str) -> str:
    return name.replace(".", "_")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").strip()


__all__ = ["MONDAY", "Play", "after", "bundle", "diagram", "flows", "play", "properties", "timedelta"]
