"""An instance as a few hundred bytes and back. The diagram is not in it: a definition is parsed once, not per case.

Layout (version 1, JSON):
``[1, digest, status, business key, seed, counter, data, top, calls, skips]`` where ``top`` is a list of tasks, ``calls``
a list of ``[number of the calling task, spec name, completed, written names, data, tasks]`` and ``skips`` the failed
tasks to pass in the next run, with their stand-in data. A task is
``[number, row of its parent or -1, state, spec name, triggered, internal data, own data]``, trailing zeros left out.
A task's id is derived from the instance's seed and the task's number, so a step that is repeated gives the same ids.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
import SpiffWorkflow.task
from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.specs.mixins.events.event_types import CatchingEvent
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.compact import kept
from engine.definitions import Definition
from engine.dialect import has_own_data
from engine.exceptions import StateError

VERSION = 1
_OPTIONS = orjson.OPT_SORT_KEYS

for _name in ("spiff", "spiff.task", "spiff.workflow"):
    # The library tells every change of state, with the data in it; logs must not hold any.
    logging.getLogger(_name).setLevel(logging.ERROR)


@dataclass
class Ids:
    """The ids of an instance's tasks, in order of creation."""

    seed: UUID
    counter: int = 0
    numbers: dict[UUID, int] = field(default_factory=dict)

    def next(self) -> UUID:
        self.counter += 1
        return self.of(self.counter)

    def of(self, number: int) -> UUID:
        made = uuid5(self.seed, str(number))
        self.numbers[made] = number
        return made


_current: ContextVar[Ids | None] = ContextVar("engine_ids", default=None)


def _new_id() -> UUID:
    ids = _current.get()
    return ids.next() if ids is not None else uuid4()


# The library asks for a random id for each task; inside a step it gets the next one of its instance.
SpiffWorkflow.task.uuid4 = _new_id


@contextlib.contextmanager
def numbering(ids: Ids) -> Iterator[None]:
    token = _current.set(ids)
    try:
        yield
    finally:
        _current.reset(token)


@dataclass
class Instance:
    """A running instance in memory. ``workflow`` is None once it has ended."""

    definition: Definition
    workflow: BpmnWorkflow | None
    ids: Ids
    business_key: str
    status: str = "running"
    data: dict[str, Any] = field(default_factory=dict)
    skips: dict[str, dict[str, Any]] = field(default_factory=dict)


def encode(instance: Instance) -> bytes:
    head = [VERSION, instance.definition.digest[:16], instance.status, instance.business_key, instance.ids.seed.hex]
    workflow = instance.workflow
    if workflow is None:
        return orjson.dumps([*head, instance.ids.counter, instance.data, [], [], {}], option=_OPTIONS)
    numbers = instance.ids.numbers
    tasks = _rows(workflow, numbers)
    calls = [
        [
            numbers[parent],
            called.spec.name,
            called.completed,
            sorted(called.written),
            called.data,
            _rows(called, numbers),
        ]
        for parent, called in workflow.subprocesses.items()
        if not called.parent_workflow.tasks[parent].has_state(TaskState.FINISHED_MASK)
    ]
    return orjson.dumps([*head, instance.ids.counter, workflow.data, tasks, calls, instance.skips], option=_OPTIONS)


def decode(state: bytes, definition: Definition, engine: Any) -> Instance:
    """The instance behind ``state``; StateError when it was made by another codec or another definition."""
    try:
        version, digest, status, business_key, seed, counter, data, tasks, calls, skips = orjson.loads(state)
        ids = Ids(UUID(seed), counter)
    except (ValueError, TypeError) as error:
        raise StateError(f"not a state: {error}") from None
    if version != VERSION:
        raise StateError(f"codec version {version}, this is {VERSION}")
    if digest != definition.digest[:16]:
        raise StateError("the state belongs to another version of the definition")
    if status != "running":
        return Instance(definition, None, ids, business_key, status, data)
    spec, called_specs = definition.specs
    workflow = BpmnWorkflow(spec, called_specs, deserializing=True, script_engine=engine)
    workflow.data, workflow.written = data, set()
    try:
        _restore(workflow, tasks, ids)
        for number, name, completed, written, own, rows in calls:
            parent = _find(workflow, ids.of(number))
            called = BpmnSubWorkflow(called_specs[name], parent.id, workflow, deserializing=True)
            called.data, called.written, called.completed = own, set(written), completed
            _restore(called, rows, ids)
            workflow.subprocesses[parent.id] = called
            called.completed_event.connect(parent.task_spec._on_subworkflow_completed, parent)
    except (KeyError, IndexError, AttributeError) as error:
        raise StateError(f"the state does not fit the definition: {error!r}") from None
    return Instance(definition, workflow, ids, business_key, status, data, skips)


def recode(state: bytes, definition: Definition) -> bytes:
    """Read a state and write it again: the same bytes, if nothing is lost on the way."""
    instance = decode(state, definition, None)
    with numbering(instance.ids):
        return encode(instance)


def _rows(workflow: Any, numbers: dict[UUID, int]) -> list[list[Any]]:
    position: dict[UUID, int] = {}
    rows = []
    for task, parent in kept(workflow):
        position[task.id] = len(rows)
        row = [
            numbers[task.id],
            position[parent.id] if parent is not None else -1,
            int(task.state),
            task.task_spec.name,
            int(task.triggered),
            task.internal_data or 0,
            task.data if task.data and has_own_data(task) else 0,
        ]
        while row[-1] == 0:
            row.pop()
        rows.append(row)
    return rows


def _restore(workflow: Any, rows: list[list[Any]], ids: Ids) -> None:
    made: list[Task] = []
    for row in rows:
        number, parent, state, name, triggered, internal, own = row + [0] * (7 - len(row))
        task = Task.__new__(Task)
        task.id, task.workflow, task.thread_id = ids.of(number), workflow, 0
        task.task_spec = workflow.spec.task_specs[name]
        task.triggered, task.last_state_change = bool(triggered), 0.0
        task.internal_data, task.data = internal or {}, own or {}
        task._state, task._children, task._parent = state, [], None
        if parent >= 0:
            task._parent = made[parent].id
            made[parent]._children.append(task.id)
        workflow.tasks[task.id] = task
        made.append(task)
        if state == TaskState.WAITING and isinstance(task.task_spec, CatchingEvent):
            workflow.top_workflow.event_manager.add_task(task)
    workflow.task_tree = made[0]


def _find(workflow: Any, identifier: UUID) -> Task:
    for one in (workflow, *workflow.subprocesses.values()):
        if identifier in one.tasks:
            return one.tasks[identifier]
    raise KeyError(identifier)
