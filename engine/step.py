"""One step of one instance: (definition, state, stimulus, now) -> new state and everything that is now due or open.

Pure: the same arguments give the same outcome, nothing outside is read or written, and a step that fails leaves the
caller's state as it was. Verbs are the caller's functions and run inside the caller's transaction.

With ``run=False`` only the stimulus itself is recorded; nothing is evaluated and nothing automatic runs. That state is
the checkpoint to keep when the automatic work after it fails: ``Run()`` continues from it. New user tasks, timers and
messages appear in the outcome of the run, not of the checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn
from uuid import uuid4

from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine import dialect
from engine.calendars import AlwaysOpen, Calendar
from engine.codec import Ids, Instance, decode, encode, numbering
from engine.decisions import Decision
from engine.definitions import Definition
from engine.dialect import Message
from engine.dialect import Timer as TimerEvent
from engine.drawing import Element
from engine.durations import parse_cycle, parse_duration, parse_instant
from engine.exceptions import (
    ExpressionError,
    StepFailed,
    StimulusRefused,
    VerbContractBroken,
    VerbFailed,
    VerbRefused,
)
from engine.expressions import bounded, evaluate, run_script
from engine.verbs import Context, Verbs

MOST_STEPS = 1_000
BIGGEST_DATA = 64 * 1024
_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)

# -- stimuli ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Complete:
    """A person finished a user task. Of ``data`` only the form's x-flow fields enter the process data."""

    task_id: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Due:
    """A timer's moment has come."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message for exactly this waiting task; the caller has matched its address."""

    task_id: str
    name: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """Continue with the automatic work."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Pass the automatic task that failed without doing it; ``data`` stands in for what it would have written.

    With ``run=False`` it is only noted: the checkpoint to keep when something behind it fails as well.
    """

    task_id: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the instance now."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reschedule:
    """Move a waiting timer. A deadline or reminder of its user task that stood at the old moment moves along."""

    task_id: str
    due_at: datetime


Stimulus = Complete | Due | Deliver | Run | Skip | Cancel | Reschedule

# -- outcome ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A user task somebody has to do. ``assignee`` and ``exclude`` are plain staff numbers, ``candidates`` prefixed."""

    id: str
    element: str
    name: str
    lane: str | None
    form_key: str | None
    assignee: str | None
    candidates: list[str]
    exclude: list[str]
    due_at: datetime | None
    remind_at: datetime | None
    priority: int
    title: str
    about: str | None
    subject: str | None
    data: dict[str, Any]
    process: str


@dataclass(frozen=True, slots=True)
class Timer:
    id: str
    element: str
    due_at: datetime
    attached_to: str | None
    process: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """A waiting message catch. ``subject`` like "customer:812" for subject addressing, else name + ``keys``.

    A catch with several subjects, like an event-based gateway, stands here once for each, with the same ``id``.
    """

    id: str
    element: str
    name: str
    keys: dict[str, str]
    subject: str | None
    attached_to: str | None
    process: str


@dataclass(frozen=True, slots=True)
class Thrown:
    """A message nobody in this instance waited for."""

    name: str
    business_key: str
    keys: dict[str, str]
    payload: dict[str, Any]
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class TrailStep:
    """One thing that happened. ``action``: entered, completed, fired, cancelled, taken, end, skipped, rescheduled."""

    element: str
    kind: str
    name: str
    task_id: str
    action: str
    at: datetime
    flow: str | None = None
    process: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    state: bytes
    status: str
    ends: list[str]
    data: dict[str, Any]
    tasks: list[OpenTask]
    timers: list[Timer]
    awaited: list[Awaited]
    thrown: list[Thrown]
    trail: list[TrailStep]


# -- doors ------------------------------------------------------------------------------------------------------------


def start(
    definition: Definition,
    *,
    data: Mapping[str, Any],
    now: datetime,
    verbs: Verbs,
    business_key: str,
    calendar: Calendar | None = None,
    run: bool = True,
    context: Mapping[str, Any] | None = None,
) -> Outcome:
    """A new instance. ``context`` may carry instance_key, submission and actor for the verbs' Context.

    StepFailed when automatic work fails (keep the outcome of ``run=False`` to continue from).
    """
    engine = _Engine(definition, now, verbs, calendar, context, business_key)
    with engine.guard(definition.key):
        bounded(dict(data))
    instance = Instance(definition, None, Ids(uuid4()), business_key)
    with numbering(instance.ids):
        spec, called = definition.specs
        workflow = BpmnWorkflow(spec, called, script_engine=engine)
        workflow.data, workflow.written = dict(data), set()
        instance.workflow = workflow
        engine.take(instance)
        if run:
            engine.run()
        return engine.outcome(complete=run)


def step(
    definition: Definition,
    state: bytes,
    stimulus: Stimulus,
    now: datetime,
    verbs: Verbs,
    *,
    calendar: Calendar | None = None,
    run: bool = True,
    context: Mapping[str, Any] | None = None,
) -> Outcome:
    """Apply a stimulus and, with ``run``, everything automatic that follows, until people, time or messages are needed.

    StimulusRefused when it does not fit (task not open, timer not due, ended ...), StepFailed when automatic work
    fails, StateError when the state is not this definition's.
    """
    engine = _Engine(definition, now, verbs, calendar, context, "")
    instance = decode(state, definition, engine)
    if instance.workflow is None:
        raise StimulusRefused("ended")
    with numbering(instance.ids):
        engine.take(instance)
        engine.apply(stimulus)
        if run:
            engine.run()
            if isinstance(stimulus, Skip) and stimulus.task_id not in engine.skipped:
                raise StimulusRefused("not_skippable", stimulus.task_id)
        return engine.outcome(complete=run)


# -- the engine of one step -------------------------------------------------------------------------------------------


class _Engine:
    """Everything a step needs; the library sees it as its script engine."""

    def __init__(
        self,
        definition: Definition,
        now: datetime,
        verbs: Verbs,
        calendar: Calendar | None,
        context: Mapping[str, Any] | None,
        business_key: str,
    ) -> None:
        self.definition, self.verbs, self.business_key = definition, verbs, business_key
        self.now = parse_instant(now)
        self.calendar = calendar or AlwaysOpen()
        self.context = dict(context or {})
        self.trail: list[TrailStep] = []
        self.ends: list[str] = []
        self.thrown: list[Thrown] = []
        self.urgent: list[Task] = []
        self.skipped: set[str] = set()
        self.steps = 0
        self.instance: Instance
        self.workflow: BpmnWorkflow
        self.before: dict[str, Task] = {}
        self.done: set[str] = set()

    def take(self, instance: Instance) -> None:
        self.instance, self.workflow, self.business_key = instance, instance.workflow, instance.business_key
        self.workflow.task_removed_event.connect(self._removed)
        self.before = {str(task.id): task for task in self._visible()}

    # What the library asks of a script engine.

    def evaluate(self, task: Task, expression: str, external_context: Any = None) -> Any:
        with self.guard_task(task):
            return evaluate(expression, dialect.names(task), now=self.now, calendar=self.calendar)

    # What the dialect's specs ask.

    def script(self, task: Task, source: str) -> dict[str, Any]:
        with self.guard_task(task):
            return run_script(source, dialect.names(task), now=self.now, calendar=self.calendar)

    def decide(self, task: Task, decision: Decision) -> dict[str, Any]:
        def value(source: str, extra: dict[str, Any]) -> Any:
            return evaluate(source, {**dialect.names(task), **extra}, now=self.now, calendar=self.calendar)

        with self.guard_task(task):
            return decision.decide(value)

    def call_verb(self, task: Task, element: Element) -> dict[str, Any]:
        params = {name: self.evaluate(task, source) for name, source in element.parameters.items()}
        context = Context(
            instance_key=str(self.context.get("instance_key", "")),
            business_key=self.business_key,
            now=self.now,
            element=element.id,
            task_id=str(task.id),
            submission=self.context.get("submission"),
            actor=self.context.get("actor"),
        )
        try:
            return bounded(self.verbs.call(element.operator or "", context, params))
        except (VerbRefused, VerbFailed, VerbContractBroken):
            raise
        except ExpressionError as error:
            raise VerbContractBroken(f"{element.operator}: the result is not plain data: {error.message}") from None

    def timer_value(self, task: Task, element: Element) -> Any:
        """A timer's text may be a plain duration, cycle or instant; anything else is an expression."""
        source = element.timer.text
        for literal in (parse_duration, parse_cycle, parse_instant):
            try:
                literal(source)
            except ValueError:
                continue
            return source
        return self.evaluate(task, source)

    def address(self, task: Task, element: Element) -> tuple[dict[str, str], list[str] | None]:
        """Keys and subjects of a message element; None = addressed by keys. An empty subject is nobody's address."""
        keys = {
            name.removeprefix("key."): _as_text(self.evaluate(task, source))
            for name, source in element.properties.items()
            if name.startswith("key.")
        }
        source = element.properties.get("subject")
        if source is None:
            return keys, None
        subjects = [one for one in _as_list(self.evaluate(task, source)) if one and not one.endswith(":")]
        return keys, list(dict.fromkeys(subjects))

    def throw(self, task: Task, element: Element) -> None:
        payload = self.evaluate(task, element.message_payload) if element.message_payload else {}
        keys, subjects = self.address(task, element)
        other = element.properties.get("businessKey")
        business_key = _as_text(self.evaluate(task, other)) if other else self.business_key
        payload = payload if isinstance(payload, dict) else {"value": payload}
        for subject in [None] if subjects is None else subjects:
            self.thrown.append(Thrown(element.message or "", business_key, keys, payload, subject))

    def is_skipped(self, task: Task) -> bool:
        identifier = str(task.id)
        if identifier in self.instance.skips:
            dialect.write(task, self.instance.skips[identifier])
            self.skipped.add(identifier)
            self.note(task, "skipped")
            return True
        return False

    def entered(self, task: Task) -> None:
        self.note(task, "entered")

    def fail(self, task: Task, error: BaseException) -> NoReturn:
        raise StepFailed(self._element_id(task), str(task.id), error, _is_retryable(error)) from error

    # Guards: every error leaves with the element it belongs to.

    def guard_task(self, task: Task) -> _Guard:
        return _Guard(self._element_id(task), str(task.id))

    def guard(self, element: str) -> _Guard:
        return _Guard(element, "")

    # The stimulus.

    def apply(self, stimulus: Stimulus) -> None:
        {
            Complete: self._complete,
            Due: self._due,
            Deliver: self._deliver,
            Run: lambda one: None,
            Skip: self._skip,
            Cancel: self._cancel,
            Reschedule: self._reschedule,
        }[type(stimulus)](stimulus)

    def _find(self, task_id: str) -> Task:
        for task in self._all():
            if str(task.id) == task_id:
                return task
        raise StimulusRefused("not_open", task_id)

    def _complete(self, stimulus: Complete) -> None:
        task = self._find(stimulus.task_id)
        if not _is_open(task) or self._is_interrupted(task):
            raise StimulusRefused("not_open", stimulus.task_id)
        element = self._element(task)
        form = self.definition.forms.get(element.form_key or "") if element else None
        data = dict(stimulus.data)
        changes = form.flow_data(data) if form else data
        self._bounded(changes, stimulus.task_id)
        dialect.write(task, changes)
        task.internal_data["answered"] = True

    def _due(self, stimulus: Due) -> None:
        task = self._find(stimulus.task_id)
        for event in self._timers(task):
            due = event.slot(task).get("due")
            if due is not None and parse_instant(due) <= self.now:
                event.fire(task, None)
                return
        raise StimulusRefused("not_due" if self._timers(task) else "not_open", stimulus.task_id)

    def _deliver(self, stimulus: Deliver) -> None:
        task = self._find(stimulus.task_id)
        waiting = dialect.events_of(task) if task.has_state(TaskState.WAITING) else []
        if any(event.slot(task).get("fired") for event in waiting):
            raise StimulusRefused("not_open", stimulus.task_id)
        for event in waiting:
            if isinstance(event, Message) and event.element.message == stimulus.name:
                payload = dict(stimulus.payload)
                self._bounded(payload, stimulus.task_id)
                event.fire(task, payload)
                return
        raise StimulusRefused("not_addressed" if waiting else "not_open", stimulus.task_id)

    def _skip(self, stimulus: Skip) -> None:
        data = dict(stimulus.data)
        self._bounded(data, stimulus.task_id)
        self.instance.skips[stimulus.task_id] = data

    def _cancel(self, stimulus: Cancel) -> None:
        for task in self._visible():
            self.note(task, "cancelled")
            self.done.add(str(task.id))
        self.instance.data = self.workflow.data
        self.instance.workflow, self.instance.status = None, "cancelled"

    def _reschedule(self, stimulus: Reschedule) -> None:
        task = self._find(stimulus.task_id)
        due = parse_instant(stimulus.due_at).isoformat()
        for event in self._timers(task):
            slot = event.slot(task)
            before, slot["due"] = slot.get("due"), due
            slot.pop("fired", None)
            host = _host(task)
            opened = host.internal_data.get("open") if host is not None else None
            for name in ("due_at", "remind_at"):
                if opened and before is not None and opened.get(name) and _same_instant(opened[name], before):
                    opened[name] = due
            self.note(task, "rescheduled")
            return
        raise StimulusRefused("not_open", stimulus.task_id)

    def _timers(self, task: Task) -> list[TimerEvent]:
        if not task.has_state(TaskState.WAITING):
            return []
        return [event for event in dialect.events_of(task) if isinstance(event, TimerEvent)]

    def _bounded(self, data: dict[str, Any], task_id: str) -> None:
        try:
            bounded(data)
        except ExpressionError:
            raise StimulusRefused("data_refused", task_id) from None

    # The automatic work.

    def run(self) -> None:
        """Until nothing changes: ready tasks, then due timers and delivered messages, then messages to ourselves."""
        if self.instance.workflow is None:
            return
        while self._drain() or self._wake() or self._post():
            pass
        self.instance.skips = {}
        if self.workflow.completed:
            self.instance.data = self.workflow.data
            self.instance.workflow, self.instance.status = None, "completed"
            return
        for task in self._all():
            if _is_open(task) and "open" not in task.internal_data:
                task.internal_data["open"] = self._opening(task)
                self.entered(task)
        if len(repr(self.workflow.data)) > BIGGEST_DATA:
            raise StepFailed(self.definition.key, "", "the process data are too big", False)

    def _drain(self) -> bool:
        moved = False
        while True:
            ready = [task for task in self._all() if self._is_ready(task)]
            if not ready:
                return moved
            for task in ready:
                if self._is_ready(task) and self._is_present(task):
                    self._perform(task)
                    moved = True
                while self.urgent:
                    urgent = self.urgent.pop(0)
                    if urgent.has_state(TaskState.READY):
                        self._perform(urgent)

    @staticmethod
    def _is_ready(task: Task) -> bool:
        return task.has_state(TaskState.READY) and (not task.task_spec.manual or "answered" in task.internal_data)

    def _is_present(self, task: Task) -> bool:
        if task.id not in task.workflow.tasks:
            return False
        parent = task.workflow.parent_task_id
        return parent is None or parent in self.workflow.subprocesses

    def _perform(self, task: Task) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise StepFailed(self._element_id(task), str(task.id), "endless loop", False)
        with self.guard_task(task):
            task.run()
        if task.has_state(TaskState.COMPLETED):
            self._completed(task)

    def _completed(self, task: Task) -> None:
        element = self._element(task)
        if element is None:
            return
        identifier = str(task.id)
        if not isinstance(task.task_spec, LoopTask):
            action = "completed"
            if element.kind == "endEvent":
                action = "end"
                self.ends.append(element.id)
            elif element.kind in ("boundaryEvent", "intermediateCatchEvent"):
                action = "fired"
            self.note(task, action)
        self.done.add(identifier)
        for child in task.children:
            if child.triggered:
                continue
            target = child.task_spec.name.removesuffix(".BoundaryEventSplit")
            flow = self.definition.flow_between(element.process, element.id, target)
            if flow is not None:
                self.note(task, "taken", flow)

    def _wake(self) -> bool:
        """Let waiting events look at the clock and at what was delivered to them."""
        woken = False
        for task in dialect.waiting_events(self.workflow):
            if task.has_state(TaskState.WAITING) and self._is_present(task):
                with self.guard_task(task):
                    task.task_spec._update(task)
                woken = woken or task.has_state(TaskState.READY)
        return woken

    def _post(self) -> bool:
        """Messages thrown here for whom a catch of this instance waits: the first such catch takes it."""
        for message in list(self.thrown):
            if message.subject is not None or message.business_key != self.business_key:
                continue
            for task, event in self._catches():
                slot = event.slot(task)
                fits = all(message.keys.get(name) == value for name, value in slot["keys"].items())
                if event.element.message == message.name and slot["subjects"] is None and fits:
                    self.thrown.remove(message)
                    event.fire(task, message.payload)
                    return self._wake()
        return False

    def _catches(self) -> Iterator[tuple[Task, Message]]:
        for task in dialect.waiting_events(self.workflow):
            for event in dialect.events_of(task):
                if isinstance(event, Message) and "keys" in event.slot(task) and not event.has_fired(task):
                    yield task, event

    def _removed(self, workflow: Any, task: Task) -> None:
        """The library drops a branch's tasks without telling what they had opened."""
        self.workflow.event_manager.remove_task(task)
        called = self.workflow.subprocesses.pop(task.id, None)
        if called is not None:
            for inner in list(called.tasks.values()):
                self._removed(called, inner)

    # User tasks.

    def _opening(self, task: Task) -> dict[str, Any]:
        """Who may do it and until when: computed once, when the task opens, and kept."""
        element = self._drawn(task)
        with self.guard_task(task):
            properties = element.properties
            owners = [one for source in element.owners for one in _as_list(self.evaluate(task, source))]
            candidates = [one for one in dict.fromkeys(owners) if one and not one.endswith(":")]
            if not candidates and element.lane:
                candidates = [f"role:{element.lane}"]
            return {
                "assignee": self._assignee(task, element),
                "candidates": candidates,
                "exclude": [_staff(one) for one in self._property(task, properties, "exclude", _as_list) or [] if one],
                "due_at": self._property(task, properties, "dueDate", _as_instant),
                "remind_at": self._property(task, properties, "remindAt", _as_instant),
                "priority": min(max(self._property(task, properties, "priority", int) or 3, 1), 4),
                "title": self._title(task, element),
                "about": self._property(task, properties, "about", _as_text) or None,
                "subject": self._property(task, properties, "subject", _as_text) or None,
            }

    def _assignee(self, task: Task, element: Element) -> str | None:
        if not element.performer:
            return None
        value = _as_list(self.evaluate(task, element.performer))
        if len(value) > 1 or any(":" in one and not one.startswith("user:") for one in value):
            raise ValueError("a human performer is one user")
        return _staff(value[0]) or None if value else None

    def _property(self, task: Task, properties: Mapping[str, str], name: str, read: Callable[[Any], Any]) -> Any:
        source = properties.get(name)
        if not source:
            return None
        value = self.evaluate(task, source)
        return None if value is None or value == "" else read(value)

    def _title(self, task: Task, element: Element) -> str:
        template = element.properties.get("title") or element.name or element.id

        def put(found: re.Match[str]) -> str:
            return _as_text(evaluate(found.group(1), dialect.names(task), now=self.now, calendar=self.calendar))

        return _PLACE.sub(put, template)[:500]

    # The outcome.

    def outcome(self, complete: bool) -> Outcome:
        instance = self.instance
        if instance.workflow is None:
            self._note_cancelled({})
            data = instance.data
            return Outcome(
                encode(instance), instance.status, self.ends, dict(data), [], [], [], self.thrown, self.trail
            )
        after = {str(task.id): task for task in self._visible()}
        self._note_cancelled(after)
        opened = [t for t in self._all() if _is_open(t) and "open" in t.internal_data and not self._is_interrupted(t)]
        tasks = [self._open_task(task) for task in opened]
        timers, awaited = self._waits()
        data = dict(self.workflow.data)
        return Outcome(encode(instance), "running", self.ends, data, tasks, timers, awaited, self.thrown, self.trail)

    def _note_cancelled(self, after: Mapping[str, Task]) -> None:
        for identifier, task in self.before.items():
            if identifier not in after and identifier not in self.done and not task.has_state(TaskState.COMPLETED):
                self.note(task, "cancelled")

    def _open_task(self, task: Task) -> OpenTask:
        element, opened = self._drawn(task), task.internal_data["open"]
        return OpenTask(
            id=str(task.id),
            element=element.id,
            name=element.name,
            lane=element.lane,
            form_key=element.form_key,
            assignee=opened["assignee"],
            candidates=list(opened["candidates"]),
            exclude=list(opened["exclude"]),
            due_at=_instant(opened["due_at"]),
            remind_at=_instant(opened["remind_at"]),
            priority=opened["priority"],
            title=opened["title"],
            about=opened["about"],
            subject=opened["subject"],
            data=dict(dialect.names(task)),
            process=element.process,
        )

    def _waits(self) -> tuple[list[Timer], list[Awaited]]:
        timers, awaited = [], []
        for task in dialect.waiting_events(self.workflow):
            host = _host(task)
            attached = str(host.id) if host is not None else None
            for event in dialect.events_of(task):
                slot, element = event.slot(task), event.element
                if slot.get("fired"):
                    continue
                if isinstance(event, TimerEvent) and slot.get("due"):
                    due = parse_instant(slot["due"])
                    timers.append(Timer(str(task.id), element.id, due, attached, element.process))
                elif isinstance(event, Message) and "keys" in slot:
                    for subject in [None] if slot["subjects"] is None else slot["subjects"]:
                        keys, name = dict(slot["keys"]), element.message or ""
                        awaited.append(
                            Awaited(str(task.id), element.id, name, keys, subject, attached, element.process)
                        )
        return timers, awaited

    def _is_interrupted(self, task: Task) -> bool:
        """An interrupting event has come for it (or for what it is part of), though the run that follows has not."""
        inner: Task | None = task
        while inner is not None:
            host = inner.parent if dialect.is_instance(inner) else inner
            for sibling in host.parent.children if host.parent is not None else ():
                spec = sibling.task_spec
                waits = isinstance(spec, dialect.BoundaryEvent) and sibling.has_state(dialect.OPEN)
                if (
                    waits
                    and spec.cancel_activity
                    and any(e.slot(sibling).get("fired") for e in dialect.events_of(sibling))
                ):
                    return True
            caller = inner.workflow.parent_task_id
            inner = self.workflow.get_task_from_id(caller) if caller is not None else None
        return False

    # Looking around.

    def _all(self) -> list[Task]:
        """Every task of the instance; called flows first, so that what is inside ends before what follows it."""
        called = [task for one in reversed(self.workflow.subprocesses.values()) for task in one.tasks.values()]
        return called + list(self.workflow.tasks.values())

    def _visible(self) -> list[Task]:
        """Drawn elements where something is going on: open user tasks, events that wait, activities that run."""
        return [t for t in self._all() if self._element(t) is not None and (_is_open(t) or t.has_state(dialect.OPEN))]

    def _element(self, task: Task) -> Element | None:
        identifier = getattr(task.task_spec, "bpmn_id", None)
        return self.definition.element(task.workflow.spec.name, identifier) if identifier else None

    def _drawn(self, task: Task) -> Element:
        element = self._element(task)
        if element is None:
            raise LookupError(f"{task.task_spec.name} is not drawn")
        return element

    def _element_id(self, task: Task) -> str:
        element = self._element(task)
        return element.id if element is not None else task.task_spec.name.split(".")[0]

    def note(self, task: Task, action: str, flow: str | None = None) -> None:
        element = self._element(task)
        if element is not None:
            self.trail.append(
                TrailStep(element.id, element.kind, element.name, str(task.id), action, self.now, flow, element.process)
            )


class _Guard:
    """Turns any error inside into StepFailed at its element, once."""

    def __init__(self, element: str, task_id: str) -> None:
        self.element, self.task_id = element, task_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, StepFailed):
            raise StepFailed(self.element, self.task_id, error, _is_retryable(error)) from error


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, VerbFailed)


def _is_open(task: Task) -> bool:
    return bool(task.has_state(TaskState.READY) and task.task_spec.manual and "answered" not in task.internal_data)


def _host(task: Task) -> Task | None:
    """The activity a boundary event hangs on, while it is open."""
    if not isinstance(task.task_spec, dialect.BoundaryEvent):
        return None
    for sibling in task.parent.children:
        if not isinstance(sibling.task_spec, dialect.BoundaryEvent) and sibling.has_state(TaskState.NOT_FINISHED_MASK):
            return sibling
    return None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int | float):
        return "" if value is None else str(value)
    raise ValueError("a single text is needed")


def _as_list(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [_as_text(one) for one in value] if isinstance(value, list | tuple) else [_as_text(value)]


def _as_instant(value: Any) -> str:
    return parse_instant(value).isoformat()


def _instant(value: str | None) -> datetime | None:
    return parse_instant(value) if value else None


def _same_instant(left: str, right: str) -> bool:
    return parse_instant(left) == parse_instant(right)


def _staff(value: str) -> str:
    return value.removeprefix("user:")


__all__ = [
    "Awaited",
    "Cancel",
    "Complete",
    "Deliver",
    "Due",
    "OpenTask",
    "Outcome",
    "Reschedule",
    "Run",
    "Skip",
    "Stimulus",
    "Thrown",
    "Timer",
    "TrailStep",
    "start",
    "step",
]
