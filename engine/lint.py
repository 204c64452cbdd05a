"""What is wrong with a bundle, element by element, before anybody runs it.

``structure`` finds what keeps a diagram from running (parse() refuses it), ``check`` adds what keeps it from being
published: forms, verbs, roles, values that can be judged without data.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

import jsonschema

from engine.decisions import read_decision
from engine.drawing import ACTIVITIES, GATEWAYS, SUPPORTED, Drawing, Element, Process, read_drawing
from engine.durations import parse_cycle, parse_duration, parse_instant
from engine.exceptions import DefinitionError, ExpressionError, Problem
from engine.expressions import FUNCTIONS, check_script, evaluate
from engine.expressions import check as check_expression
from engine.forms import Form
from engine.verbs import Registry
from engine.xml import find

if TYPE_CHECKING:
    from engine.definitions import Bundle

__all__ = ["Problem", "check", "structure"]

EVENTS_OF = {
    "startEvent": {"message"},
    "endEvent": {"message", "error", "terminate"},
    "intermediateCatchEvent": {"timer", "message"},
    "intermediateThrowEvent": {"message"},
    "boundaryEvent": {"timer", "message", "error"},
}
PLAIN = frozenset({"formJsonSchemaFilename", "title", "time"})
_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SPAN = re.compile(r"[-+]?P(\d|T\d)")
_CYCLE = re.compile(r"R\d*/")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d")
_UNKNOWN = object()
Found = Iterator[Problem]


def check(bundle: Bundle, verb_names: Collection[str] | Registry, roles: Collection[str]) -> list[Problem]:
    """Every problem of a bundle. Publish when none has severity "error".

    ``verb_names`` are the verbs on loan; given a Registry, parameters are checked against the verbs' schemas too.
    """
    drawing = read_drawing(bundle.key, bundle.files)
    found = structure(drawing)
    for process in drawing.processes.values():
        for element in process.elements.values():
            found += _default(element, process)
            found += _verbs(element, verb_names)
            found += _people(element, set(roles))
            found += _values(element, drawing)
            found += _task_form(element, drawing)
        found += _shapes(process)
        for role, lane in process.lane_ids.items():
            if role not in roles:
                found.append(Problem(lane, "unknown_role", f"no role {role}"))
    for form in drawing.forms.values():
        found += _form(form)
    found += _unused(drawing)
    return list(dict.fromkeys(found))


def structure(drawing: Drawing) -> list[Problem]:
    """What keeps the diagrams from running."""
    found = list(drawing.problems)
    for process in drawing.processes.values():
        found += process.problems
        for rule in (_process, _scopes, _sequence_flows, _reachable):
            found += rule(process)
        for element in process.elements.values():
            for look in ELEMENT_RULES:
                found += look(element, process)
            found += _links(element, drawing)
    found += _unique_tasks(drawing)
    found += _circles(drawing)
    for node in drawing.decisions.values():
        try:
            read_decision(node)
        except DefinitionError as error:
            found += error.problems
    return list(dict.fromkeys(found))


# -- processes --------------------------------------------------------------------------------------------------------


def _process(process: Process) -> Found:
    folder, _, file = process.file.rpartition("/")
    if not process.executable:
        yield Problem(process.key, "not_executable", 'the process needs isExecutable="true"')
    if file != f"{process.key}.bpmn" or folder.rsplit("/", 1)[-1] != process.key:
        yield Problem(process.key, "wrong_name", f"{process.file}: folder, file and process id are the same word")
    for tag in ("dataObject", "dataStoreReference", "dataObjectReference"):
        for node in find(process.root, f"//bpmn:{tag}"):
            yield Problem(node.get("id") or process.key, "unsupported", f"{tag} is not supported")


def _scopes(process: Process) -> Found:
    for scope in process.scopes:
        inside = [e for e in process.elements.values() if e.scope == scope]
        starts = [e for e in inside if e.kind == "startEvent"]
        if len(starts) != 1:
            yield Problem(scope, "one_start", f"{scope} needs exactly one start event, it has {len(starts)}")
        if not any(e.kind == "endEvent" for e in inside):
            yield Problem(scope, "no_end", f"{scope} has no end event")
        if scope != process.key:
            for start in starts:
                if start.events:
                    yield Problem(start.id, "start_event", "a sub-process starts without an event")


def _sequence_flows(process: Process) -> Found:
    pairs: dict[tuple[str, str], str] = {}
    for flow in process.flows.values():
        source, target = process.elements.get(flow.source), process.elements.get(flow.target)
        if source is None or target is None:
            yield Problem(flow.id, "loose_flow", "the sequence flow does not join two elements")
            continue
        if source.scope != target.scope:
            yield Problem(flow.id, "crosses_border", "a sequence flow cannot cross a sub-process border")
        if (flow.source, flow.target) in pairs:
            yield Problem(flow.id, "same_ends", f"joins the same elements as {pairs[flow.source, flow.target]}")
        pairs[flow.source, flow.target] = flow.id
        if flow.condition is None:
            continue
        if source.kind not in ("exclusiveGateway", "inclusiveGateway"):
            yield Problem(
                flow.id, "condition_ignored", "only flows of exclusive and inclusive gateways are conditional"
            )
        yield from _expression(flow.id, flow.condition)


def _reachable(process: Process) -> Found:
    after: dict[str, list[str]] = {}
    for flow in process.flows.values():
        after.setdefault(flow.source, []).append(flow.target)
    for element in process.elements.values():
        if element.attached_to:
            after.setdefault(element.attached_to, []).append(element.id)
        if element.kind == "startEvent" and element.scope != process.key:
            after.setdefault(element.scope, []).append(element.id)
    waiting = [e.id for e in process.elements.values() if e.kind == "startEvent" and e.scope == process.key]
    seen = set()
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += after.get(one, [])
    for element in process.elements.values():
        if element.id not in seen and element.kind in SUPPORTED:
            yield Problem(element.id, "never_reached", "no way leads here", "warning")


# -- elements ---------------------------------------------------------------------------------------------------------


def _supported(element: Element, process: Process) -> Found:
    if element.kind not in SUPPORTED:
        yield Problem(element.id, "unsupported", f"{element.kind} is not supported")
    for name in element.unsupported:
        what = "an event sub-process" if name == "triggeredByEvent" else name
        yield Problem(element.id, "unsupported", f"{what} is not supported")
    allowed = EVENTS_OF.get(element.kind, set())
    for event in element.events:
        if event not in allowed:
            yield Problem(element.id, "unsupported", f"a {event} event is not supported here")
    if element.kind in ("intermediateCatchEvent", "boundaryEvent") and not element.events:
        yield Problem(element.id, "no_event", "waits for nothing: draw a timer or message")
    if len(element.events) > 1:
        yield Problem(element.id, "many_events", "an event has one meaning")


def _ways(element: Element, process: Process) -> Found:
    out, into = process.outgoing(element.id), process.incoming(element.id)
    if element.kind == "endEvent":
        if out:
            yield Problem(element.id, "way_after_end", "nothing follows an end event")
    elif not out and element.kind in SUPPORTED:
        yield Problem(element.id, "dead_end", "no sequence flow leads on; draw an end event")
    if len(out) > 1 and element.kind not in GATEWAYS:
        yield Problem(element.id, "implicit_split", "several ways out: draw a parallel or exclusive gateway")
    if element.kind in ("startEvent", "boundaryEvent") and into:
        yield Problem(element.id, "way_into_start", "no sequence flow leads to this event")


def _gateway(element: Element, process: Process) -> Found:
    out = process.outgoing(element.id)
    if element.default and element.default not in {flow.id for flow in out}:
        yield Problem(element.id, "wrong_default", "the default flow does not begin here")
    if element.kind not in ("exclusiveGateway", "inclusiveGateway") or len(out) < 2:
        return
    for flow in out:
        if flow.id != element.default and flow.condition is None:
            yield Problem(flow.id, "no_condition", "needs a condition, or is the default flow")


def _event_gateway(element: Element, process: Process) -> Found:
    if element.kind != "eventBasedGateway":
        return
    targets = [process.elements[f.target] for f in process.outgoing(element.id) if f.target in process.elements]
    if sum("timer" in target.events for target in targets) > 1:
        yield Problem(element.id, "two_timers", "an event-based gateway has at most one timer")
    if len(targets) < 2:
        yield Problem(element.id, "one_event", "an event-based gateway offers at least two events")
    for target in targets:
        catches = target.kind == "receiveTask" or (target.kind == "intermediateCatchEvent" and target.events)
        if not catches or len(process.incoming(target.id)) > 1:
            yield Problem(target.id, "not_an_event", "behind an event-based gateway stand events of its own")
    names = [target.message for target in targets if target.message]
    if len(names) != len(set(names)):
        yield Problem(element.id, "same_message", "two events wait for the same message")


def _boundary(element: Element, process: Process) -> Found:
    if element.kind != "boundaryEvent":
        return
    host = process.elements.get(element.attached_to or "")
    if host is None or host.kind not in ACTIVITIES or host.scope != element.scope:
        yield Problem(element.id, "not_attached", "a boundary event hangs on an activity")
        return
    if "error" in element.events:
        if not element.interrupting:
            yield Problem(element.id, "error_interrupts", "an error event always interrupts")
        if host.kind not in ("serviceTask", "subProcess", "callActivity"):
            yield Problem(element.id, "error_never", f"a {host.kind} raises no error")
    if process.incoming(host.id) and any(
        process.elements[f.source].kind == "eventBasedGateway"
        for f in process.incoming(host.id)
        if f.source in process.elements
    ):
        yield Problem(element.id, "not_attached", "an event behind an event-based gateway has no boundary events")


def _timer(element: Element, process: Process) -> Found:
    if "timer" not in element.events:
        return
    if element.timer is None or not element.timer.text:
        yield Problem(element.id, "no_time", "the timer says no time")
        return
    if element.timer.kind == "timeCycle" and (element.kind != "boundaryEvent" or element.interrupting):
        yield Problem(element.id, "cycle_here", "a cycle belongs on a non-interrupting boundary event")
    text = element.timer.text
    if not (_SPAN.match(text) or _CYCLE.match(text) or _INSTANT.match(text)):
        yield from _expression(element.id, text)
    if element.properties.get("time", "business") not in ("business", "clock"):
        yield Problem(element.id, "time_property", 'the property time is "business" or "clock"')


def _message(element: Element, process: Process) -> Found:
    if ("message" in element.events or element.kind in ("sendTask", "receiveTask")) and not element.message:
        yield Problem(element.id, "no_message", "refers to no message with a name")
    if element.message_payload:
        yield from _expression(element.id, element.message_payload)
    if element.message_variable and not _is_data_name(element.message_variable):
        yield Problem(element.id, "data_name", f"{element.message_variable} cannot be a name of process data")


def _work(element: Element, process: Process) -> Found:
    if element.kind == "scriptTask":
        if not element.script:
            yield Problem(element.id, "no_script", "the script is empty")
        yield from (_at(element.id, error) for error in check_script(element.script or ""))
    if element.kind == "serviceTask" and not element.operator:
        yield Problem(element.id, "no_verb", "names no verb")
    if element.result_variable and not _is_data_name(element.result_variable):
        yield Problem(element.id, "data_name", f"{element.result_variable} cannot be a name of process data")
    for source in element.parameters.values():
        yield from _expression(element.id, source)


def _properties(element: Element, process: Process) -> Found:
    for name, source in element.properties.items():
        if name == "title":
            for place in _PLACE.findall(source):
                yield from _expression(element.id, place)
        elif name not in PLAIN and source:
            yield from _expression(element.id, source)
    for source in (element.performer, *element.owners):
        if source:
            yield from _expression(element.id, source)


def _loop(element: Element, process: Process) -> Found:
    loop = element.loop
    if loop is None:
        return
    if element.kind not in ACTIVITIES or bool(loop.cardinality) == bool(loop.data_input):
        yield Problem(element.id, "loop", "a multi-instance activity has a cardinality or a list, one of them")
    if bool(loop.data_output) != bool(loop.output_item):
        yield Problem(element.id, "loop", "loopDataOutputRef and outputDataItem come together")
    for name in (loop.data_input, loop.input_item, loop.data_output, loop.output_item):
        if name and not _is_data_name(name):
            yield Problem(element.id, "data_name", f"{name} cannot be a name of process data")
    for source in (loop.cardinality, loop.condition):
        if source:
            yield from _expression(element.id, source)


ELEMENT_RULES: tuple[Callable[[Element, Process], Found], ...] = (
    _supported,
    _ways,
    _gateway,
    _event_gateway,
    _boundary,
    _timer,
    _message,
    _work,
    _properties,
    _loop,
)


def _links(element: Element, drawing: Drawing) -> Found:
    if element.kind == "callActivity" and element.called not in drawing.processes:
        yield Problem(element.id, "unknown_flow", f"calls {element.called or 'nothing'}, which is not in the bundle")
    if element.kind == "businessRuleTask" and element.decision not in drawing.decisions:
        yield Problem(element.id, "unknown_table", f"no decision table {element.decision or ''}")


def _unique_tasks(drawing: Drawing) -> Found:
    seen: dict[str, str] = {}
    for element in drawing.elements():
        if element.kind == "userTask":
            other = seen.setdefault(element.id, element.process)
            if other != element.process:
                yield Problem(element.id, "task_id_twice", f"user task in {other} and in {element.process}")


def _circles(drawing: Drawing) -> Found:
    calls = {
        key: {e.called for e in process.elements.values() if e.called in drawing.processes}
        for key, process in drawing.processes.items()
    }
    for key in calls:
        waiting, seen = list(calls[key]), set()
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += calls[one]
        if key in seen:
            yield Problem(key, "calls_itself", f"{key} calls itself, directly or through others")


# -- what publishing asks beyond running ------------------------------------------------------------------------------


def _default(element: Element, process: Process) -> Found:
    branches = element.kind in ("exclusiveGateway", "inclusiveGateway") and len(process.outgoing(element.id)) > 1
    if branches and not element.default:
        yield Problem(element.id, "no_default", "draw the flow that is taken when no condition holds (default)")


def _verbs(element: Element, verbs: Collection[str] | Registry) -> Found:
    if not element.operator:
        return
    if element.operator not in verbs:
        yield Problem(element.id, "unknown_verb", f"nobody lends the verb {element.operator}")
    elif isinstance(verbs, Registry):
        schema = verbs.get(element.operator).params_schema
        for name in schema.get("required", []):
            if name not in element.parameters:
                yield Problem(element.id, "parameter_missing", f"{element.operator} needs the parameter {name}")
        for name in element.parameters:
            if name not in schema["properties"] and schema.get("additionalProperties") is False:
                yield Problem(element.id, "unknown_parameter", f"{element.operator} knows no parameter {name}")


def _people(element: Element, roles: set[str]) -> Found:
    if element.kind != "userTask":
        return
    if element.lane and element.lane not in roles:
        yield Problem(element.id, "unknown_role", f"no role {element.lane}")
    if not element.lane and not element.owners:
        yield Problem(element.id, "no_owner", "stands in no lane and has no potential owner")
    for source in element.owners:
        value = _constant(source)
        for owner in value if isinstance(value, list) else [value]:
            if owner is _UNKNOWN:
                continue
            kind, _, name = owner.partition(":") if isinstance(owner, str) else ("", "", "")
            if kind not in ("user", "group", "role", "leader") or not name:
                yield Problem(element.id, "owner", f"{owner!r} is not user:, group:, role: or leader:")
            elif kind == "role" and name not in roles:
                yield Problem(element.id, "unknown_role", f"no role {name}")


def _values(element: Element, drawing: Drawing) -> Found:
    """Values that need no data to be judged."""
    if element.timer is not None and element.timer.text:
        text, reads = element.timer.text, {"timeDate": parse_instant, "timeDuration": parse_duration}
        literal = _SPAN.match(text) or _CYCLE.match(text) or _INSTANT.match(text)
        value = text if literal else _constant(text)
        if value is not _UNKNOWN and not (value in (None, "") and element.timer.kind == "timeDate"):
            try:
                reads.get(element.timer.kind, parse_cycle)(value)
            except ValueError as error:
                unbounded = isinstance(value, str) and re.match(r"R0*/", value)
                yield Problem(element.id, "unbounded_cycle" if unbounded else "time", str(error))
    known = {one.id for one in drawing.elements()}
    for name in ("key.element", "about"):
        value = _constant(element.properties.get(name, ""))
        if isinstance(value, str) and value not in known:
            yield Problem(element.id, "unknown_element", f"{name} names no element: {value}", "warning")
    priority = _constant(element.properties.get("priority", ""))
    if priority is not _UNKNOWN and priority not in (1, 2, 3, 4):
        yield Problem(element.id, "priority", "priority is 1 (urgent) to 4")
    if element.kind in ("userTask", "serviceTask") and not element.name:
        yield Problem(element.id, "no_name", "has no name to show", "warning")


def _task_form(element: Element, drawing: Drawing) -> Found:
    if element.kind != "userTask":
        return
    if not element.form_key:
        yield Problem(element.id, "no_form", "has no form (formJsonSchemaFilename)")
    elif element.form_key not in drawing.forms:
        yield Problem(element.id, "form_missing", f"no file forms/{element.form_key}.json")
    elif not element.form_key.startswith(f"{element.process}."):
        yield Problem(element.id, "form_name", f"a form is named {element.process}.<task>.json")


def _form(form: Form) -> Found:
    try:
        jsonschema.Draft202012Validator.check_schema(form.schema)
    except jsonschema.SchemaError as error:
        yield Problem(form.key, "form_invalid", f"not a JSON Schema: {'/'.join(map(str, error.path))}: {error.message}")
        return
    if form.schema.get("type") != "object":
        yield Problem(form.key, "form_invalid", "a form is an object")
    for part in _schemas(form.schema):
        reference = part.get("$ref", "#")
        if (not isinstance(reference, str) or not reference.startswith("#/$defs/")) and "$ref" in part:
            yield Problem(form.key, "form_reference", "a form refers only to its own $defs")
        pattern = part.get("pattern")
        if isinstance(pattern, str):
            yield from _pattern(form.key, pattern)
    both = form.flow_fields() & form.personal_fields()
    for name in sorted(both):
        yield Problem(form.key, "personal_in_flow", f"{name}: personal values do not enter process data")
    for name in sorted(form.flow_fields()):
        if not _is_data_name(name.split(".")[0]):
            yield Problem(form.key, "data_name", f"{name} cannot be a name of process data")


def _pattern(key: str, pattern: str) -> Found:
    try:
        re.compile(pattern)
    except re.error as error:
        yield Problem(key, "form_pattern", f"not a regular expression: {error}")
        return
    # A repetition of a repetition can take longer than the universe on a text that almost fits.
    if len(pattern) > 200 or re.search(r"[+*}]\)*[+*{]", pattern) or re.search(r"\\\d", pattern):
        yield Problem(key, "form_pattern", "the pattern repeats a repetition, refers back or is too long")


def _schemas(part: Any, depth: int = 0) -> Iterator[dict]:
    if depth > 40:
        return
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from _schemas(value, depth + 1)
    elif isinstance(part, list):
        for value in part:
            yield from _schemas(value, depth + 1)


def _unused(drawing: Drawing) -> Found:
    used = {element.form_key for element in drawing.elements()}
    for key in drawing.forms:
        if key not in used:
            yield Problem(key, "form_unused", "no user task shows this form", "warning")
    tables = {element.decision for element in drawing.elements()}
    for key in drawing.decisions:
        if key not in tables:
            yield Problem(key, "table_unused", "no task asks this table", "warning")


def _shapes(process: Process) -> Found:
    drawn = set(process.root.xpath("//@bpmnElement"))
    for identifier in (*process.elements, *process.flows):
        if identifier not in drawn:
            yield Problem(identifier, "no_shape", "is not on the picture (no BPMN DI)", "warning")


# -- help -------------------------------------------------------------------------------------------------------------


def _expression(element: str, source: str) -> Found:
    return (_at(element, error) for error in check_expression(source))


def _at(element: str, error: ExpressionError) -> Problem:
    return Problem(element, "expression", f"{error.message} (at {error.position})")


def _constant(source: str) -> Any:
    """The value of an expression that needs neither data nor clock, else _UNKNOWN."""
    try:
        return evaluate(source, {}) if source else _UNKNOWN
    except ExpressionError:
        return _UNKNOWN


def _is_data_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name not in FUNCTIONS and not keyword.iskeyword(name)
