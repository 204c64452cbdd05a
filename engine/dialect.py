"""Our dialect on SpiffWorkflow: the only module (with codec and step) that touches the library's classes.

Where it departs from the library, and why:

* Process data live once per process (``workflow.data``), not in every task: the library's parallel joins lose updates.
  Only the instances of a multi-instance activity have data of their own.
* Joins remember their arrivals instead of searching the past, so finished tasks can be forgotten and a parallel join
  in a loop waits for both branches in every round.
* Timers ask the step's clock, never the machine's, and fire at ``due <= now``.
* A message is handed to one waiting task by its id; the library would give it to everyone who knows its name.
* A non-interrupting boundary event completes and leaves a fresh one waiting, so its branch outlives the activity.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from SpiffWorkflow.bpmn.parser.BpmnParser import full_tag
from SpiffWorkflow.bpmn.parser.event_parsers import EventBasedGatewayParser
from SpiffWorkflow.bpmn.parser.ProcessParser import ProcessParser
from SpiffWorkflow.bpmn.parser.task_parsers import ConditionalGatewayParser, GatewayParser
from SpiffWorkflow.bpmn.specs.bpmn_process_spec import BpmnProcessSpec
from SpiffWorkflow.bpmn.specs.control import BoundaryEventSplit, SimpleBpmnTask, _EndJoin
from SpiffWorkflow.bpmn.specs.defaults import BoundaryEvent as LibraryBoundaryEvent
from SpiffWorkflow.bpmn.specs.defaults import EndEvent as LibraryEndEvent
from SpiffWorkflow.bpmn.specs.defaults import EventBasedGateway as LibraryEventBasedGateway
from SpiffWorkflow.bpmn.specs.defaults import ExclusiveGateway as LibraryExclusiveGateway
from SpiffWorkflow.bpmn.specs.defaults import InclusiveGateway as LibraryInclusiveGateway
from SpiffWorkflow.bpmn.specs.defaults import IntermediateCatchEvent, IntermediateThrowEvent, StartEvent
from SpiffWorkflow.bpmn.specs.defaults import ParallelGateway as LibraryParallelGateway
from SpiffWorkflow.bpmn.specs.event_definitions import MultipleEventDefinition, NoneEventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.base import EventDefinition
from SpiffWorkflow.bpmn.specs.mixins.multiinstance_task import LoopTask
from SpiffWorkflow.spiff.parser.event_parsers import (
    SpiffBoundaryEventParser,
    SpiffEndEventParser,
    SpiffIntermediateCatchEventParser,
    SpiffIntermediateThrowEventParser,
    SpiffReceiveTaskParser,
    SpiffSendTaskParser,
    SpiffStartEventParser,
)
from SpiffWorkflow.spiff.parser.process import SpiffBpmnParser
from SpiffWorkflow.spiff.parser.task_spec import CallActivityParser as LibraryCallActivityParser
from SpiffWorkflow.spiff.parser.task_spec import SpiffTaskParser
from SpiffWorkflow.spiff.parser.task_spec import SubWorkflowParser as LibrarySubWorkflowParser
from SpiffWorkflow.spiff.specs import defaults as spiff
from SpiffWorkflow.spiff.specs.spiff_task import SpiffBpmnTask
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.decisions import Decision
from engine.drawing import Drawing, Element
from engine.durations import parse_cycle, parse_duration, parse_instant
from engine.exceptions import VerbRefused

LIVE = TaskState.WAITING | TaskState.READY | TaskState.STARTED
OPEN = TaskState.WAITING | TaskState.STARTED
MOST_INSTANCES = 200

# -- process data -----------------------------------------------------------------------------------------------------


def is_instance(task: Task) -> bool:
    """Is this one of the instances of a multi-instance activity?"""
    return bool(task.triggered) and task.parent is not None and isinstance(task.parent.task_spec, LoopTask)


def has_own_data(task: Task) -> bool:
    return isinstance(task.task_spec, LoopTask) or is_instance(task)


def names(task: Task) -> dict[str, Any]:
    """The data an expression at this task sees."""
    return task.data if has_own_data(task) else task.workflow.data


def write(task: Task, changes: dict[str, Any]) -> None:
    """Put values into the process data (or into the instance's own, which its activity collects)."""
    if has_own_data(task):
        task.data.update(changes)
        wrote = task.internal_data.setdefault("wrote", [])
        wrote += [key for key in changes if key not in wrote]
    else:
        task.workflow.data.update(changes)
        task.workflow.written.update(changes)


# -- errors in the diagram --------------------------------------------------------------------------------------------


def raise_error(task: Task | None, code: str) -> bool:
    """Give the error to the nearest boundary event with this code, from ``task`` outwards; False when nobody has one.

    The library offers an error to every waiting event of the process, also to one at a neighbouring activity.
    """
    while task is not None:
        host = task.parent if is_instance(task) else task
        split = host.parent
        if split is not None and isinstance(split.task_spec, BoundaryEventSplit):
            waiting = [t for t in split.children if _catches_error(t, code)]
            if waiting:
                # An event drawn for this very code comes before one that takes any.
                chosen = min(waiting, key=lambda t: t.task_spec.event_definition.code is None)
                chosen.task_spec.event_definition.fire(chosen, None)
                chosen.task_spec._update(chosen)
                engine_of(chosen).urgent.append(chosen)
                return True
        parent = task.workflow.parent_task_id
        task = task.workflow.top_workflow.get_task_from_id(parent) if parent is not None else None
    return False


def _catches_error(task: Task, code: str) -> bool:
    definition = getattr(task.task_spec, "event_definition", None)
    return isinstance(definition, Error) and task.has_state(TaskState.WAITING) and definition.code in (None, code)


def engine_of(task: Task) -> Any:
    """The step's engine: clock, calendar, verbs, trail (see engine.step)."""
    return task.workflow.top_workflow.script_engine


# -- event definitions ------------------------------------------------------------------------------------------------


class Event(EventDefinition):
    """Keeps what it waits for in the task's internal data, under the drawn element's id."""

    def __init__(self, element: Element) -> None:
        super().__init__(element.message or element.name or element.id)
        self.element = element

    def slot(self, task: Task) -> dict[str, Any]:
        return task.internal_data.setdefault(self.element.id, {})

    def fire(self, task: Task, payload: Any) -> None:
        self.slot(task).update(fired=True, payload=payload)

    def arm(self, task: Task) -> None:
        """Compute once, when the wait begins, what is waited for."""

    def has_fired(self, task: Task) -> bool:
        return bool(self.slot(task).get("fired"))

    def update_task(self, task: Task) -> None:
        self.arm(task)

    def next_round(self, task: Task) -> dict[str, Any] | None:
        """What a non-interrupting boundary event waits for after it fired; None = no more."""
        return None

    def catches(self, task: Task, event: Any) -> bool:
        return False  # nothing is ever broadcast

    def reset(self, task: Task) -> None:
        task.internal_data.pop(self.element.id, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.element.id == other.element.id

    __hash__ = None  # type: ignore[assignment]


class Timer(Event):
    """timeDate, timeDuration or timeCycle; ``due`` is an ISO instant, kept as computed, None = never."""

    def arm(self, task: Task) -> None:
        slot = self.slot(task)
        if "due" in slot:
            return
        engine, drawn = engine_of(task), self.element.timer
        value = engine.timer_value(task, self.element)
        try:
            if drawn.kind == "timeDate":
                slot["due"] = parse_instant(value).isoformat() if value not in (None, "") else None
            elif drawn.kind == "timeDuration":
                slot["due"] = self._after(engine, engine.now, parse_duration(value)).isoformat()
            else:
                slot["left"], span = parse_cycle(value)
                slot["span"] = span.total_seconds()
                slot["due"] = self._after(engine, engine.now, span).isoformat()
        except ValueError as error:
            engine.fail(task, error)

    def _after(self, engine: Any, start: Any, span: Any) -> Any:
        if self.element.properties.get("time") == "business":
            return engine.calendar.add_business(start, span.total_seconds() / 3600)
        return start + span

    def has_fired(self, task: Task) -> bool:
        self.arm(task)
        slot = self.slot(task)
        if slot.get("fired"):
            return True
        return slot["due"] is not None and parse_instant(slot["due"]) <= engine_of(task).now

    def next_round(self, task: Task) -> dict[str, Any] | None:
        slot = self.slot(task)
        if slot.get("left", 1) <= 1:
            return None
        engine, span = engine_of(task), parse_duration(f"PT{slot['span']:.0f}S")
        due = self._after(engine, parse_instant(slot["due"]), span) if slot["due"] else engine.now
        if due <= engine.now:
            # After a long sleep the missed rounds are not fired all at once: each keeps its distance from now.
            due = self._after(engine, engine.now, span)
        return {"due": due.isoformat(), "left": slot["left"] - 1, "span": slot["span"]}


class Message(Event):
    """Thrown or caught; a catch is addressed by keys (all must match) or by a subject."""

    def arm(self, task: Task) -> None:
        slot = self.slot(task)
        if "keys" not in slot:
            slot["keys"], slot["subjects"] = engine_of(task).address(task, self.element)

    def update_task_data(self, task: Task) -> None:
        if self.element.message_variable:
            write(task, {self.element.message_variable: self.slot(task).get("payload")})

    def next_round(self, task: Task) -> dict[str, Any] | None:
        return {}

    def throw(self, task: Task) -> None:
        engine_of(task).throw(task, self.element)


class Error(Event):
    def __init__(self, element: Element) -> None:
        super().__init__(element)
        self.code = element.error_code

    def throw(self, task: Task) -> None:
        parent = task.workflow.parent_task_id
        code = self.code or ""
        outer = task.workflow.top_workflow.get_task_from_id(parent) if parent is not None else None
        if not raise_error(outer, code):
            raise VerbRefused(code, f"nobody catches the error {code}")


class Choice(MultipleEventDefinition):
    """The events behind an event-based gateway: the first one wins."""

    def has_fired(self, task: Task) -> bool:
        for definition in self.event_definitions:
            if definition.has_fired(task):
                task.internal_data.setdefault("chosen", definition.element.id)
                return True
        return False

    def update_task(self, task: Task) -> None:
        for definition in self.event_definitions:
            definition.arm(task)

    def catches(self, task: Task, event: Any = None) -> bool:
        return False

    def reset(self, task: Task) -> None:
        for definition in self.event_definitions:
            definition.reset(task)


def events_of(task: Task) -> list[Event]:
    """The timers and messages a waiting task waits for."""
    definition = getattr(task.task_spec, "event_definition", None)
    if isinstance(definition, Choice):
        return list(definition.event_definitions)
    return [definition] if isinstance(definition, Event) else []


# -- task specs -------------------------------------------------------------------------------------------------------


class UserTask(spiff.UserTask):
    pass


class Automatic(SpiffBpmnTask):
    """Work without a person; ``skip`` lets it pass without being done."""

    def _run_hook(self, my_task: Task) -> bool | None:
        if engine_of(my_task).is_skipped(my_task):
            return True
        return self.act(my_task)

    def act(self, my_task: Task) -> bool | None:
        raise NotImplementedError


class ScriptTask(Automatic):
    def __init__(self, wf_spec: Any, name: str, script: str | None = None, **kwargs: Any) -> None:
        super().__init__(wf_spec, name, **kwargs)
        self.script = script

    def act(self, my_task: Task) -> bool:
        write(my_task, engine_of(my_task).script(my_task, self.script or ""))
        return True


class ServiceTask(Automatic):
    def __init__(self, wf_spec: Any, name: str, element: Element | None = None, **kwargs: Any) -> None:
        super().__init__(wf_spec, name, **kwargs)
        self.element = element

    def act(self, my_task: Task) -> bool | None:
        try:
            result = engine_of(my_task).call_verb(my_task, self.element)
        except VerbRefused as refusal:
            if not raise_error(my_task, refusal.code):
                raise
            return None  # stays started until the boundary event, which runs next, cancels it
        if self.element.result_variable:
            write(my_task, {self.element.result_variable: result})
        return True


class DecisionTask(Automatic):
    def __init__(self, wf_spec: Any, name: str, decision: Decision | None = None, **kwargs: Any) -> None:
        super().__init__(wf_spec, name, **kwargs)
        self.decision = decision

    def act(self, my_task: Task) -> bool:
        write(my_task, engine_of(my_task).decide(my_task, self.decision))
        return True


class _Throwing:
    def _run_hook(self, my_task: Task) -> bool:
        return True if engine_of(my_task).is_skipped(my_task) else super()._run_hook(my_task)  # type: ignore[misc]


class SendTask(_Throwing, spiff.SendTask):
    pass


class ThrowEvent(_Throwing, IntermediateThrowEvent):
    pass


class EndEvent(_Throwing, LibraryEndEvent):
    pass


class BoundaryEvent(LibraryBoundaryEvent):
    def _run_hook(self, my_task: Task) -> bool:
        following = None if self.cancel_activity else self.event_definition.next_round(my_task)
        split = my_task.parent
        result = super()._run_hook(my_task)
        host_is_open = any(
            child.has_state(TaskState.NOT_FINISHED_MASK)
            for child in split.children
            if not isinstance(child.task_spec, LibraryBoundaryEvent)
        )
        if following is not None and host_is_open:
            twin = split._add_child(self, TaskState.WAITING)
            if following:
                self.event_definition.slot(twin).update(following)
            self._predict(twin, mask=TaskState.NOT_FINISHED_MASK)
            self._update(twin)
        return result


class EventBasedGateway(LibraryEventBasedGateway):
    def _run_hook(self, my_task: Task) -> bool:
        chosen = my_task.internal_data.get("chosen")
        definition = next(d for d in self.event_definition.event_definitions if d.element.id == chosen)
        definition.update_task_data(my_task)
        my_task._sync_children([s for s in self.outputs if s.bpmn_id == chosen], TaskState.FUTURE)
        for child in my_task.children:
            child.task_spec._predict(child, mask=TaskState.FUTURE | TaskState.PREDICTED_MASK)
        return True


class _Calls:
    """Sub-processes and called flows: a copy of the data goes in, what was written there comes back."""

    def copy_data(self, my_task: Task, subworkflow: Any) -> None:
        subworkflow.data.update(deepcopy(names(my_task)))
        subworkflow.written = set()
        engine_of(my_task).entered(my_task)

    def update_data(self, my_task: Task, subworkflow: Any) -> None:
        write(my_task, {key: deepcopy(subworkflow.data[key]) for key in sorted(subworkflow.written)})


class SubProcess(_Calls, spiff.SubWorkflowTask):
    pass


class CallActivity(_Calls, spiff.CallActivity):
    pass


class _Multiplies:
    """Multi-instance activities work on their own copy of the data and write back what the instances wrote."""

    def _update_hook(self, my_task: Task) -> bool | None:
        my_task.data = dict(my_task.workflow.data)
        self._check_number(my_task)
        if self.data_output is not None and (self.data_input is None or self._output() != self.data_input.bpmn_id):
            my_task.data.pop(self._output(), None)
        return super()._update_hook(my_task)  # type: ignore[misc]

    def _check_number(self, my_task: Task) -> None:
        engine = engine_of(my_task)
        if self.data_input is not None:
            items = my_task.data.get(self.data_input.bpmn_id)
            number = len(items) if isinstance(items, list | dict) else None
        else:
            number = engine.evaluate(my_task, self.cardinality)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MOST_INSTANCES:
            engine.fail(
                my_task, ValueError(f"a multi-instance activity needs a list or a number, up to {MOST_INSTANCES}")
            )

    def _output(self) -> str:
        return self.data_output.bpmn_id

    def merge_child(self, workflow: Any, child: Task) -> None:
        super().merge_child(workflow, child)  # type: ignore[misc]
        wrote = child.parent.internal_data.setdefault("wrote", [])
        collects = self.data_output is not None and self.output_item is not None
        keys = [self._output()] if collects else child.internal_data.get("wrote", [])
        wrote += [key for key in keys if key not in wrote]

    def _run_hook(self, my_task: Task) -> bool:
        keys = list(my_task.internal_data.get("wrote", []))
        if self.data_output is not None and self._output() not in keys:
            keys.append(self._output())  # nothing to do at all still answers an empty list
        changes = {key: my_task.data[key] for key in keys if key in my_task.data}
        my_task.workflow.data.update(changes)
        my_task.workflow.written.update(changes)
        my_task.data = {}
        return super()._run_hook(my_task)  # type: ignore[misc]


class ParallelMultiInstance(_Multiplies, spiff.ParallelMultiInstanceTask):
    pass


class SequentialMultiInstance(_Multiplies, spiff.SequentialMultiInstanceTask):
    pass


# -- joins ------------------------------------------------------------------------------------------------------------


class _Gathers:
    """A join whose waiting task carries the arrivals so far; a later arrival takes them over."""

    def _update_hook(self, my_task: Task) -> bool:
        arrived = my_task.internal_data.get("arrived")
        if arrived is None:
            arrived = my_task.internal_data["arrived"] = [my_task.parent.task_spec.name]
            for other in self.partners(my_task):
                arrived += other.internal_data["arrived"]
                other.cancel()
        if self.is_complete(my_task, arrived):
            return True
        my_task._set_state(TaskState.WAITING)
        return False

    def waiting(self, my_task: Task) -> Iterator[Task]:
        for task in list(my_task.workflow.tasks.values()):
            if task.task_spec is self and task is not my_task and task.has_state(TaskState.WAITING):
                yield task

    def partners(self, my_task: Task) -> list[Task]:
        return list(self.waiting(my_task))

    def is_complete(self, my_task: Task, arrived: list[str]) -> bool:
        raise NotImplementedError

    def live(self, my_task: Task) -> Iterator[Task]:
        for task in my_task.workflow.tasks.values():
            if task.has_state(LIVE) and task.task_spec is not self:
                yield task

    def _run_hook(self, my_task: Task) -> bool:
        return True


class ParallelGateway(_Gathers, LibraryParallelGateway):
    """One token from every incoming flow, counted per flow: an early second token waits for its own round."""

    def partners(self, my_task: Task) -> list[Task]:
        mine = set(my_task.internal_data["arrived"])
        return [t for t in self.waiting(my_task) if not mine & set(t.internal_data["arrived"])][:1]

    def is_complete(self, my_task: Task, arrived: list[str]) -> bool:
        return set(arrived) >= {spec.name for spec in self.inputs}


class InclusiveGateway(_Gathers, LibraryInclusiveGateway):
    """Waits while some other token can still come here without passing through here."""

    def partners(self, my_task: Task) -> list[Task]:
        return [] if len(self.inputs) == 1 else super().partners(my_task)

    def is_complete(self, my_task: Task, arrived: list[str]) -> bool:
        return len(self.inputs) == 1 or not any(task.task_spec.name in self._before for task in self.live(my_task))

    @property
    def _before(self) -> set[str]:
        found = self.__dict__.get("_before_names")
        if found is None:
            found, waiting = set(), list(self.inputs)
            while waiting:
                spec = waiting.pop()
                if spec.name not in found and spec is not self:
                    found.add(spec.name)
                    waiting.extend(spec.inputs)
            self.__dict__["_before_names"] = found
        return found

    def _run_hook(self, my_task: Task) -> bool:
        matches, defaults = self._get_matching_outputs(my_task)
        if not matches and not defaults:
            engine_of(my_task).fail(my_task, ValueError("no condition holds and there is no default flow"))
        my_task._sync_children(matches or defaults, TaskState.FUTURE)
        for child in my_task.children:
            child.task_spec._predict(child, mask=TaskState.FUTURE | TaskState.PREDICTED_MASK)
        return True


class ExclusiveGateway(LibraryExclusiveGateway):
    def _run_hook(self, my_task: Task) -> bool:
        chosen = next(
            (name for condition, name in self.cond_task_specs if condition and condition._matches(my_task)), None
        )
        chosen = chosen or self.default_task_spec
        if chosen is None:
            engine_of(my_task).fail(my_task, ValueError("no condition holds and there is no default flow"))
        my_task._sync_children([self._wf_spec.task_specs[chosen]], TaskState.FUTURE)
        for child in my_task.children:
            child.task_spec._predict(child, mask=TaskState.FUTURE | TaskState.PREDICTED_MASK)
        return True


class EndJoin(_Gathers, _EndJoin):
    """The process ends when no token is left in it."""

    def is_complete(self, my_task: Task, arrived: list[str]) -> bool:
        return not any(True for _ in self.live(my_task))


class ProcessSpec(BpmnProcessSpec):
    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        del self.task_specs[self.end.name], self.task_specs["End"]
        self.end = EndJoin(self, f"{self.name}.EndJoin")
        self.end.connect(SimpleBpmnTask(self, "End"))


# -- parser -----------------------------------------------------------------------------------------------------------


class _Ours:
    """What all our task parsers share: the drawn element, and no scripts hidden in extensions."""

    PARALLEL_MI_CLASS = ParallelMultiInstance
    SEQUENTIAL_MI_CLASS = SequentialMultiInstance

    @property
    def element(self) -> Element:
        # parser.drawing is set by read_specs; ids are unique within one process only
        return self.process_parser.parser.element(self.process_parser, self.bpmn_id)

    def parse_extensions(self, node: Any = None) -> dict[str, Any]:
        return {}


class _Tasks(_Ours, SpiffTaskParser):
    pass


class _ScriptParser(_Ours, SpiffTaskParser):
    def create_task(self) -> Any:
        return self.spec_class(self.spec, self.bpmn_id, script=self.element.script, **self.bpmn_attributes)


class _ServiceParser(_Ours, SpiffTaskParser):
    def create_task(self) -> Any:
        return self.spec_class(self.spec, self.bpmn_id, element=self.element, **self.bpmn_attributes)


class _DecisionParser(_Ours, SpiffTaskParser):
    def create_task(self) -> Any:
        decision = self.process_parser.parser.tables.get(self.element.decision)
        return self.spec_class(self.spec, self.bpmn_id, decision=decision, **self.bpmn_attributes)


class _SubProcessParser(_Ours, LibrarySubWorkflowParser):
    pass


class _CallParser(_Ours, LibraryCallActivityParser):
    pass


class _Gateways(_Ours, GatewayParser):
    pass


class _ConditionalGateways(_Ours, ConditionalGatewayParser):
    pass


class _Events(_Ours):
    def parse_timer_event(self, event: Any) -> Timer:
        return Timer(self.element)

    def parse_message_event(self, event: Any) -> Message:
        return Message(self.element)

    def parse_error_event(self, event: Any) -> Error:
        return Error(self.element)


class _StartParser(_Events, SpiffStartEventParser):
    def create_task(self) -> Any:
        # Which message starts an instance is the caller's business; once started, it has begun.
        task = self._create_task(NoneEventDefinition())
        self.spec.start.connect(task)
        return task


class _EndParser(_Events, SpiffEndEventParser):
    pass


class _CatchParser(_Events, SpiffIntermediateCatchEventParser):
    pass


class _ThrowParser(_Events, SpiffIntermediateThrowEventParser):
    pass


class _BoundaryParser(_Events, SpiffBoundaryEventParser):
    pass


class _SendParser(_Events, SpiffSendTaskParser):
    pass


class _ReceiveParser(_Events, SpiffReceiveTaskParser):
    pass


class _EventGatewayParser(_Ours, EventBasedGatewayParser):
    def create_task(self) -> Any:
        return self._create_task(Choice())


class _ProcessParser(ProcessParser):
    def create_spec(self) -> ProcessSpec:
        return ProcessSpec(name=self.bpmn_id, description=self.get_name(), filename=self.filename)


class Parser(SpiffBpmnParser):
    """Reads our dialect, and nothing else: other tags have no parser."""

    PROCESS_PARSER_CLASS = _ProcessParser
    PARSER_CLASSES: dict[str, Any] = {}
    OVERRIDE_PARSER_CLASSES = {
        full_tag("userTask"): (_Tasks, UserTask),
        full_tag("scriptTask"): (_ScriptParser, ScriptTask),
        full_tag("serviceTask"): (_ServiceParser, ServiceTask),
        full_tag("businessRuleTask"): (_DecisionParser, DecisionTask),
        full_tag("sendTask"): (_SendParser, SendTask),
        full_tag("receiveTask"): (_ReceiveParser, spiff.ReceiveTask),
        full_tag("subProcess"): (_SubProcessParser, SubProcess),
        full_tag("callActivity"): (_CallParser, CallActivity),
        full_tag("startEvent"): (_StartParser, StartEvent),
        full_tag("endEvent"): (_EndParser, EndEvent),
        full_tag("intermediateCatchEvent"): (_CatchParser, IntermediateCatchEvent),
        full_tag("intermediateThrowEvent"): (_ThrowParser, ThrowEvent),
        full_tag("boundaryEvent"): (_BoundaryParser, BoundaryEvent),
        full_tag("exclusiveGateway"): (_ConditionalGateways, ExclusiveGateway),
        full_tag("inclusiveGateway"): (_ConditionalGateways, InclusiveGateway),
        full_tag("parallelGateway"): (_Gateways, ParallelGateway),
        full_tag("eventBasedGateway"): (_EventGatewayParser, EventBasedGateway),
    }

    def __init__(self, drawing: Drawing, tables: dict[str, Decision]) -> None:
        super().__init__()
        self.drawing, self.tables = drawing, tables
        for process in drawing.processes.values():
            self.add_bpmn_xml(process.root, process.file)

    def _find_dependencies(self, process: Any) -> None:
        """The bundle holds every called flow; nothing is looked up elsewhere."""

    def element(self, process_parser: Any, identifier: str) -> Element:
        while process_parser.parent is not None:
            process_parser = process_parser.parent
        return self.drawing.processes[process_parser.bpmn_id].elements[identifier]


def read_specs(drawing: Drawing, tables: dict[str, Decision]) -> tuple[Any, dict[str, Any]]:
    """The library's specs for a bundle: (the flow itself, every called flow and sub-process by name)."""
    parser = Parser(drawing, tables)
    spec, called = parser.get_spec(drawing.key), parser.get_subprocess_specs(drawing.key)
    for one in (spec, *called.values()):
        for task_spec in one.task_specs.values():
            if isinstance(task_spec, LoopTask):
                # The library connects these at run time; a state read by another process would never hear of it.
                child = one.task_specs[task_spec.task_spec]
                child.completed_event.connect(task_spec.merge_child)
    return spec, called


def waiting_events(workflow: Any) -> list[Task]:
    """The tasks of the instance that wait for a timer or message, oldest first."""
    return [t for t in workflow.event_manager.tasks.values() if t.has_state(TaskState.WAITING)]
