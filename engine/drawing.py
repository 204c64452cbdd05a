"""What a diagram says, read from its XML into plain values: elements, sequence flows, lanes, properties."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lxml import etree

from engine.exceptions import DefinitionError, Problem
from engine.forms import Form
from engine.xml import find, read, tag, text

Files = Mapping[str, bytes]
ACTIVITIES = frozenset(
    [
        "userTask",
        "serviceTask",
        "scriptTask",
        "sendTask",
        "receiveTask",
        "businessRuleTask",
        "callActivity",
        "subProcess",
    ]
)
GATEWAYS = frozenset(["exclusiveGateway", "parallelGateway", "inclusiveGateway", "eventBasedGateway"])
EVENTS = frozenset(["startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"])
SUPPORTED = ACTIVITIES | GATEWAYS | EVENTS
# Parts of a diagram that carry no behaviour.
SILENT = frozenset(
    [
        "sequenceFlow",
        "laneSet",
        "textAnnotation",
        "association",
        "group",
        "documentation",
        "extensionElements",
        "incoming",
        "outgoing",
        "multiInstanceLoopCharacteristics",
        "potentialOwner",
        "humanPerformer",
    ]
)
_ROLE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer as drawn: ``kind`` is timeDate, timeDuration or timeCycle."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class MultiInstance:
    """A multi-instance marker; names are process data, ``cardinality`` and ``condition`` are expressions."""

    sequential: bool
    cardinality: str | None
    data_input: str | None
    input_item: str | None
    data_output: str | None
    output_item: str | None
    condition: str | None


@dataclass(frozen=True, slots=True)
class Element:
    """One drawn node. ``kind`` is the BPMN tag, ``process`` the flow it stands in, ``scope`` its sub-process."""

    id: str
    kind: str
    name: str
    lane: str | None
    process: str
    scope: str
    form_key: str | None = None
    attached_to: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()  # timer, message, error, terminate, signal ...
    interrupting: bool = True
    timer: Timer | None = None
    message: str | None = None
    message_variable: str | None = None
    message_payload: str | None = None
    error_code: str | None = None
    called: str | None = None
    operator: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    result_variable: str | None = None
    script: str | None = None
    decision: str | None = None
    default: str | None = None
    performer: str | None = None
    owners: tuple[str, ...] = ()
    loop: MultiInstance | None = None
    documentation: str = ""
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SequenceFlow:
    id: str
    name: str
    source: str
    target: str
    condition: str | None
    process: str
    scope: str


@dataclass
class Process:
    """One flow's diagram."""

    key: str
    name: str
    file: str
    executable: bool
    documentation: str
    root: etree._Element
    elements: dict[str, Element] = field(default_factory=dict)
    flows: dict[str, SequenceFlow] = field(default_factory=dict)
    lane_ids: dict[str, str] = field(default_factory=dict)  # role -> id of its lane
    scopes: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def outgoing(self, element: str) -> list[SequenceFlow]:
        return [flow for flow in self.flows.values() if flow.source == element]

    def incoming(self, element: str) -> list[SequenceFlow]:
        return [flow for flow in self.flows.values() if flow.target == element]


@dataclass
class Drawing:
    """Everything in a bundle, read but not judged; ``problems`` are only what could not be read."""

    key: str
    processes: dict[str, Process]
    forms: dict[str, Form]
    decisions: dict[str, etree._Element]
    locales: dict[str, dict[str, dict[str, str]]]
    problems: list[Problem]

    def elements(self) -> Iterator[Element]:
        for process in self.processes.values():
            yield from process.elements.values()


def read_drawing(key: str, files: Files) -> Drawing:
    """Read all files of a bundle; what cannot be read becomes a problem, not an exception."""
    drawing = Drawing(key, {}, {}, {}, {}, [])
    for name, content in sorted(files.items()):
        try:
            if name.endswith(".bpmn"):
                _read_bpmn(drawing, name, content)
            elif name.endswith(".dmn"):
                _read_dmn(drawing, name, content)
            elif name.endswith(".json") and "/forms/" in name:
                _read_form(drawing, name, content)
            elif name.endswith(".json") and "/locales/" in name:
                flow, _, language = name.removesuffix(".json").partition("/locales/")
                drawing.locales.setdefault(flow.rsplit("/", 1)[-1], {})[language] = dict(json.loads(content))
        except DefinitionError as error:
            drawing.problems.extend(error.problems)
        except (ValueError, TypeError, RecursionError) as error:
            drawing.problems.append(Problem(name, "not_json", f"cannot be read as JSON: {error}"))
    if key not in drawing.processes and not drawing.problems:
        drawing.problems.append(Problem(key, "no_process", f"no diagram holds a process with the id {key}"))
    return drawing


def _read_form(drawing: Drawing, name: str, content: bytes) -> None:
    key = name.rsplit("/", 1)[-1].removesuffix(".json")
    schema = json.loads(content)
    if not isinstance(schema, dict):
        raise DefinitionError([Problem(name, "form_invalid", "a form is a JSON Schema object")])
    drawing.forms[key] = Form(key, schema)


def _read_dmn(drawing: Drawing, name: str, content: bytes) -> None:
    decisions = [
        node for node in read(name, content).iter() if isinstance(node.tag, str) and _local(node) == "decision"
    ]
    if not decisions:
        raise DefinitionError([Problem(name, "no_decision", "no decision in this file")])
    for node in decisions:
        drawing.decisions[node.get("id") or ""] = node


def _read_bpmn(drawing: Drawing, name: str, content: bytes) -> None:
    root = read(name, content)
    found = find(root, "/bpmn:definitions/bpmn:process")
    if len(found) != 1:
        raise DefinitionError([Problem(name, "one_process", "a diagram holds exactly one process")])
    node = found[0]
    key = node.get("id") or ""
    if key in drawing.processes:
        raise DefinitionError([Problem(key, "duplicate_process", f"process {key} is drawn twice")])
    process = Process(
        key=key,
        name=node.get("name") or key,
        file=name,
        executable=node.get("isExecutable") == "true",
        documentation=text(next(iter(find(node, "./bpmn:documentation")), None)),
        root=root,
    )
    drawing.processes[key] = process
    _Reader(process, root).walk(node, key, None)


class _Reader:
    def __init__(self, process: Process, root: etree._Element) -> None:
        self.process = process
        self.messages = {n.get("id"): n.get("name") or "" for n in find(root, "//bpmn:message")}
        self.errors = {n.get("id"): n.get("errorCode") or "" for n in find(root, "//bpmn:error")}
        self.lane_of: dict[str, str] = {}
        for lane in find(root, "//bpmn:lane"):
            role = role_of(lane.get("name") or "", lane.get("id") or "")
            process.lane_ids.setdefault(role, lane.get("id") or role)
            for ref in find(lane, "./bpmn:flowNodeRef"):
                self.lane_of[text(ref)] = role

    def walk(self, container: etree._Element, scope: str, lane: str | None) -> None:
        self.process.scopes.add(scope)
        for node in container:
            kind = tag(node)
            if not kind or kind in SILENT - {"sequenceFlow"} or kind == "ioSpecification":
                continue
            if not node.get("id"):
                where = node.get("name") or scope
                self.process.problems.append(Problem(where, "id_missing", f"a {kind} in {scope} has no id"))
                continue
            if node.get("id") in self.process.elements or node.get("id") in self.process.flows:
                self.process.problems.append(Problem(node.get("id"), "id_twice", "the id is used twice"))
                continue
            if kind == "sequenceFlow":
                self.flow(node, scope)
                continue
            element = self.element(node, kind, scope, lane)
            self.process.elements[element.id] = element
            if kind in ("subProcess", "transaction", "adHocSubProcess"):
                self.walk(node, element.id, element.lane)

    def flow(self, node: etree._Element, scope: str) -> None:
        condition = next(iter(find(node, "./bpmn:conditionExpression")), None)
        self.process.flows[node.get("id")] = SequenceFlow(
            id=node.get("id"),
            name=node.get("name") or "",
            source=node.get("sourceRef") or "",
            target=node.get("targetRef") or "",
            condition=text(condition) or None if condition is not None else None,
            process=self.process.key,
            scope=scope,
        )

    def element(self, node: etree._Element, kind: str, scope: str, lane: str | None) -> Element:
        properties = properties_of(node)
        form = properties.get("formJsonSchemaFilename", "")
        definitions = [n for n in node if tag(n).endswith("EventDefinition")]
        events = tuple(tag(n).removesuffix("EventDefinition") for n in definitions)
        event = definitions[0] if definitions else node
        message = event.get("messageRef") or node.get("messageRef")
        operator = next(iter(find(node, "./bpmn:extensionElements/spiff:serviceTaskOperator")), None)
        parameters = find(operator, "./spiff:parameters/spiff:parameter") if operator is not None else []
        return Element(
            id=node.get("id"),
            kind=kind,
            name=node.get("name") or "",
            lane=self.lane_of.get(node.get("id"), lane),
            process=self.process.key,
            scope=scope,
            form_key=form.removesuffix(".json") or None,
            attached_to=node.get("attachedToRef"),
            properties=MappingProxyType(properties),
            events=events,
            interrupting=(node.get("cancelActivity") or "true").lower() == "true",
            timer=self.timer(definitions),
            message=self.messages.get(message) if message else None,
            message_variable=_extension(node, "messageVariable"),
            message_payload=_extension(node, "messagePayload"),
            error_code=self.errors.get(event.get("errorRef") or "") or None,
            called=node.get("calledElement"),
            operator=operator.get("id") if operator is not None else None,
            parameters=MappingProxyType({p.get("id") or "": p.get("value") or "" for p in parameters}),
            result_variable=(operator.get("resultVariable") or None) if operator is not None else None,
            script=text(next(iter(find(node, "./bpmn:script")), None)) if kind == "scriptTask" else None,
            decision=_extension(node, "calledDecisionId"),
            default=node.get("default"),
            performer=next(iter(_assignments(node, "humanPerformer")), None),
            owners=tuple(_assignments(node, "potentialOwner")),
            loop=_loop(node),
            documentation=text(next(iter(find(node, "./bpmn:documentation")), None)),
            unsupported=tuple(_unsupported(node)),
        )

    @staticmethod
    def timer(definitions: list[etree._Element]) -> Timer | None:
        for definition in definitions:
            for node in definition:
                if tag(node) in ("timeDate", "timeDuration", "timeCycle"):
                    return Timer(tag(node), text(node))
        return None


def role_of(name: str, identifier: str) -> str:
    """A lane's role: its name when that is a role key, else its id without the word lane (``lane_agent`` -> agent)."""
    if _ROLE.fullmatch(name):
        return name
    return re.sub(r"^[Ll]ane_", "", identifier) or name


def properties_of(node: etree._Element) -> dict[str, str]:
    found = find(node, "./bpmn:extensionElements/spiff:properties/spiff:property")
    return {p.get("name") or "": p.get("value") or "" for p in found}


def _extension(node: etree._Element, name: str) -> str | None:
    # Either on the element or, as the Spiff editor writes it, inside the event definition.
    path = f"./bpmn:extensionElements/spiff:{name} | ./*/bpmn:extensionElements/spiff:{name}"
    return next((text(n) for n in find(node, path) if text(n)), None)


def _assignments(node: etree._Element, kind: str) -> list[str]:
    path = f"./bpmn:{kind}/bpmn:resourceAssignmentExpression/bpmn:formalExpression"
    return [text(n) for n in find(node, path) if text(n)]


def _loop(node: etree._Element) -> MultiInstance | None:
    found = next(iter(find(node, "./bpmn:multiInstanceLoopCharacteristics")), None)
    if found is None:
        return None

    def part(name: str, attribute: str | None = None) -> str | None:
        one = next(iter(find(found, f"./bpmn:{name}")), None)
        if one is None:
            return None
        return (one.get(attribute) if attribute else text(one)) or None

    return MultiInstance(
        sequential=found.get("isSequential") == "true",
        cardinality=part("loopCardinality"),
        data_input=part("loopDataInputRef"),
        input_item=part("inputDataItem", "id"),
        data_output=part("loopDataOutputRef"),
        output_item=part("outputDataItem", "id"),
        condition=part("completionCondition"),
    )


def _unsupported(node: etree._Element) -> Iterator[str]:
    if find(node, "./bpmn:standardLoopCharacteristics"):
        yield "standardLoopCharacteristics"
    if node.get("triggeredByEvent") == "true":
        yield "triggeredByEvent"
    for name in ("dataInputAssociation", "dataOutputAssociation", "ioSpecification"):
        if find(node, f"./bpmn:{name}"):
            yield name
    for name in ("preScript", "postScript"):
        if find(node, f"./bpmn:extensionElements/spiff:{name}"):
            yield name


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname
