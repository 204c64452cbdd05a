"""The engine against the library it stands on, and against itself when a flow goes round and round."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from statistics import median

from benchmarks import figure

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
LOOP = b"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="http://zuoxi">
  <bpmn:process id="rounds" isExecutable="true">
    <bpmn:startEvent id="begin"/>
    <bpmn:sequenceFlow id="f1" sourceRef="begin" targetRef="join"/>
    <bpmn:exclusiveGateway id="join"/>
    <bpmn:sequenceFlow id="f2" sourceRef="join" targetRef="work"/>
    <bpmn:userTask id="work" name="work"/>
    <bpmn:sequenceFlow id="f3" sourceRef="work" targetRef="more"/>
    <bpmn:exclusiveGateway id="more" default="f4"/>
    <bpmn:sequenceFlow id="f4" sourceRef="more" targetRef="join"/>
    <bpmn:sequenceFlow id="f5" sourceRef="more" targetRef="end">
      <bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">False</bpmn:conditionExpression>
    </bpmn:sequenceFlow>
    <bpmn:endEvent id="end"/>
  </bpmn:process>
</bpmn:definitions>"""


@cache
def rounds():
    from engine.definitions import Bundle, parse

    return parse(Bundle(key="rounds", files={"rounds/rounds.bpmn": LOOP}))


def ours(state: bytes) -> bytes:
    """One command as web/workflow does it: stored state in, one user task done, state to store out."""
    from engine.step import Complete, step
    from engine.verbs import REGISTRY

    return step(rounds(), state, Complete(_open[state], {}), NOW, REGISTRY).state


_open: dict[bytes, str] = {}


def after(count: int) -> bytes:
    """Our state after `count` rounds."""
    from engine.step import Complete, start, step
    from engine.verbs import REGISTRY

    outcome = start(rounds(), data={}, now=NOW, verbs=REGISTRY, business_key="ticket:T1")
    for _ in range(count):
        outcome = step(rounds(), outcome.state, Complete(outcome.tasks[0].id, {}), NOW, REGISTRY)
    _open[outcome.state] = outcome.tasks[0].id
    return outcome.state


def library() -> tuple[Callable[[str], str], str]:
    """The same command with SpiffWorkflow's own parser and serializer, and its state at the first user task."""
    from io import BytesIO

    from lxml import etree
    from SpiffWorkflow.bpmn.parser import BpmnParser
    from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
    from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
    from SpiffWorkflow.util.task import TaskState

    parser = BpmnParser()
    parser.add_bpmn_xml(etree.parse(BytesIO(LOOP)))
    serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure())
    workflow = BpmnWorkflow(parser.get_spec("rounds"))
    workflow.do_engine_steps()

    def command(state: str) -> str:
        found = serializer.deserialize_json(state)
        found.get_tasks(state=TaskState.READY, manual=True)[0].run()
        found.do_engine_steps()
        return serializer.serialize_json(found)

    return command, serializer.serialize_json(workflow)


def interleaved(functions: list[Callable[[], object]], rounds_: int) -> list[float]:
    """Median seconds of each function, called in turns so that a busy moment of the machine meets all of them."""
    taken: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(rounds_):
        for times, function in zip(taken, functions, strict=True):
            begin = time.perf_counter()
            function()
            times.append(time.perf_counter() - begin)
    return [median(times) for times in taken]


@figure(
    "engine.step_vs_library",
    unit="ratio",
    better="lower",
    method="our load + complete one user task + save, divided by the same with SpiffWorkflow's own serializer; the same diagram after "
    "10 rounds of a loop, interleaved, medians of 150",
)
def step_vs_library() -> float:
    young, (command, state) = after(10), library()
    for _ in range(10):
        state = command(state)
    mine, theirs = interleaved([lambda: ours(young), lambda: command(state)], 150)
    return round(mine / theirs, 4)


@figure(
    "engine.loop_growth",
    unit="ratio",
    better="lower",
    method="load + complete one user task + save after 500 rounds of a loop, divided by the same after 10; interleaved, medians of 200",
)
def loop_growth() -> float:
    old, young = after(500), after(10)
    slow, fast = interleaved([lambda: ours(old), lambda: ours(young)], 200)
    return round(slow / fast, 3)
