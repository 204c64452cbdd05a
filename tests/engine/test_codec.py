"""Storing an instance changes nothing: against the library as it is, against keeping everything, against old states."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lxml import etree
from SpiffWorkflow.bpmn import BpmnEvent, BpmnWorkflow
from SpiffWorkflow.bpmn.serializer.workflow import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.specs.event_definitions import MessageEventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.timer import TimerEventDefinition
from SpiffWorkflow.spiff.parser import SpiffBpmnParser
from SpiffWorkflow.spiff.serializer.config import SPIFF_CONFIG
from SpiffWorkflow.util.task import TaskState

from engine import codec, definitions
from engine.codec import recode
from engine.definitions import Bundle, parse
from engine.step import Complete, Deliver, Due, Run, step
from engine.testing import MONDAY, bundle, diagram, flows, play
from engine.verbs import Registry

GOLDEN = Path(__file__).parent / "golden"


def users(*names):
    return "".join(f'<userTask id="{name}" name="{name}"/>' for name in names)


def ends(*names):
    return '<startEvent id="s"/>' + "".join(f'<endEvent id="{name}"/>' for name in names)


def timer(identifier, on, interrupting):
    flag = str(interrupting).lower()
    return (
        f'<boundaryEvent id="{identifier}" attachedToRef="{on}" cancelActivity="{flag}"><timerEventDefinition>'
        "<timeDuration>'PT1H'</timeDuration></timerEventDefinition></boundaryEvent>"
    )


def message(identifier, name, on=None):
    inner = (
        f"<messageEventDefinition messageRef='{name}'><extensionElements><spiffworkflow:messageVariable>{identifier}_in"
        "</spiffworkflow:messageVariable></extensionElements></messageEventDefinition>"
    )
    if on is None:
        return f'<intermediateCatchEvent id="{identifier}">{inner}</intermediateCatchEvent>'
    return f'<boundaryEvent id="{identifier}" attachedToRef="{on}">{inner}</boundaryEvent>'


LOOP = (
    ends("e")
    + users("a", "b")
    + '<exclusiveGateway id="m"/><scriptTask id="c"><script>n = n + 1</script></scriptTask>'
    + '<exclusiveGateway id="g" default="g_m"/>'
    + flows("s -> m -> a -> b -> c -> g -> m", "g -> e [n > 3]")
)
BRANCHES = (
    ends("e", "e2", "e3")
    + users("a", "b", "chase", "late_one", "last")
    + '<parallelGateway id="p"/><parallelGateway id="j"/>'
    + timer("remind", "a", False)
    + timer("stop", "b", True)
    + message("got", "reply")
    + flows(
        "s -> p -> a -> j -> last -> e",
        "p -> b -> j",
        "p -> got -> j",
        "remind -> chase -> e2",
        "stop -> late_one -> e3",
    )
)
INSIDE = (
    ends("e", "e2")
    + '<subProcess id="sub"><startEvent id="ss"/><endEvent id="se"/>'
    + users("x", "y")
    + flows("ss -> x -> y -> se")
    + "</subProcess>"
    + '<callActivity id="call" calledElement="other"/>'
    + users("after", "out")
    + message("wish", "wish", "sub")
    + timer("slow", "call", True)
    + flows("s -> sub -> call -> after -> e", "wish -> out -> e2", "slow -> out")
)
OTHER = diagram(
    "other",
    ends("e") + users("z") + '<scriptTask id="w"><script>w = n + 1</script></scriptTask>' + flows("s -> z -> w -> e"),
)
MANY = (
    ends("e", "e2")
    + '<userTask id="r" name="r"><multiInstanceLoopCharacteristics{}><loopDataInputRef>people</loopDataInputRef>'
    + '<loopDataOutputRef>votes</loopDataOutputRef><inputDataItem id="who"/><outputDataItem id="k_r"/>'
    + "</multiInstanceLoopCharacteristics></userTask>"
    + users("after")
    + timer("stop", "r", True)
    + flows("s -> r -> after -> e", "stop -> e2")
)
CHOICES = (
    ends("e")
    + users("a", "b", "c", "d")
    + '<inclusiveGateway id="o" default="o_c"/><inclusiveGateway id="j"/>'
    + flows("s -> o -> a [n > 0]", "o -> b [n > 1]", "o -> c", "a -> j -> d -> e", "b -> j", "c -> j")
)
MODELS = {
    "loop": bundle("f", LOOP),
    "branches": bundle("f", BRANCHES, messages=["reply"]),
    "inside": bundle("f", INSIDE, messages=["wish"], calls={"other": OTHER}),
    "many at once": bundle("f", MANY.format("")),
    "many in turn": bundle("f", MANY.format(' isSequential="true"')),
    "choices": bundle("f", CHOICES),
}


class Library:
    """The same diagram in SpiffWorkflow as it comes, serialised by its own serializer after every act."""

    serializer = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(SPIFF_CONFIG))

    def __init__(self, made: Bundle, data):
        parser = SpiffBpmnParser()
        for content in made.files.values():
            parser.add_bpmn_xml(etree.fromstring(content))
        self.workflow = BpmnWorkflow(parser.get_spec("f"), parser.get_subprocess_specs("f"))
        self.workflow.task_tree.data.update(data)
        self._settle()

    def _settle(self):
        for _ in range(4):
            self.workflow.do_engine_steps()
        self.workflow = self.serializer.deserialize_json(self.serializer.serialize_json(self.workflow))

    def _tasks(self, name, state):
        found = self.workflow.get_tasks(state=state)
        return [t for t in found if t.task_spec.name.removesuffix(" [child]") == name]

    def open(self):
        ready = self.workflow.get_tasks(state=TaskState.READY, manual=True)
        return sorted(t.task_spec.name.removesuffix(" [child]") for t in ready)

    def waiting(self):
        kinds = (TimerEventDefinition, MessageEventDefinition)
        waiting = self.workflow.get_tasks(state=TaskState.WAITING)
        return sorted(
            t.task_spec.name for t in waiting if isinstance(getattr(t.task_spec, "event_definition", None), kinds)
        )

    def complete(self, name, data):
        task = self._tasks(name, TaskState.READY)[0]
        task.data.update(data)
        task.run()
        self._settle()

    def fire(self, name, payload):
        [task] = self._tasks(name, TaskState.WAITING)
        definition = task.task_spec.event_definition
        if isinstance(definition, TimerEventDefinition):
            task.internal_data["event_value"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        else:
            self.workflow.send_event(BpmnEvent(definition, payload=payload))
        self._settle()

    def result(self):
        return dict(self.workflow.data) if self.workflow.is_completed() else None


class Ours:
    def __init__(self, made: Bundle, data):
        self.one = play(made, data=data)

    def open(self):
        return self.one.open

    def waiting(self):
        return self.one.waiting

    def complete(self, name, data):
        self.one.complete(name, **data)
        assert recode(self.one.outcome.state, self.one.definition) == self.one.outcome.state

    def fire(self, name, payload):
        for timer_ in self.one.outcome.timers:
            if timer_.element == name:
                self.one.now = max(self.one.now, timer_.due_at)
                # Only this timer, whatever else is due by now: the walk moves one at a time.
                self.one.give(Due(timer_.id))
                return
        waiting = next(a for a in self.one.outcome.awaited if a.element == name)
        self.one.give(Deliver(waiting.id, waiting.name, payload))

    def result(self):
        return self.one.outcome.data if self.one.outcome.status == "completed" else None


def walk(arms, seed, most=25):
    """The same random acts in every arm; after each act they must show the same."""
    rnd, shown = random.Random(seed), []
    for number in range(most):
        views = [(arm.open(), arm.waiting(), arm.result()) for arm in arms]
        assert all(view[:2] == views[0][:2] for view in views), (number, shown, views)
        assert all((view[2] is None) == (views[0][2] is None) for view in views), (number, shown, views)
        if views[0][2] is not None:
            return [view[2] for view in views]
        acts = [("complete", name) for name in views[0][0]] * 2 + [("fire", name) for name in views[0][1]]
        if not acts:
            return []
        act, name = rnd.choice(acts)
        shown.append((act, name))
        for arm in arms:
            getattr(arm, act)(name, {f"k_{name}": number})
    return []


@pytest.mark.parametrize("name", [name for name in MODELS if name != "branches"])
def test_random_walks_go_as_in_the_library(name):
    for seed in range(12):
        data = {"n": seed % 3, "people": ["1", "2", "3"]}
        results = walk([Library(MODELS[name], data), Ours(MODELS[name], data)], seed)
        if results:
            theirs, ours = results
            assert {k: v for k, v in theirs.items() if k in ours} == ours


def test_random_walks_with_timers_go_as_in_the_library():
    """All timers of the model stand at the same moment: the clock is set back before the act, so only one fires."""

    class OneTimer(Ours):
        def fire(self, name, payload):
            for timer_ in self.one.outcome.timers:
                if timer_.element == name:
                    self.one.reschedule(name, self.one.now - timedelta(seconds=1))
                    return
            super().fire(name, payload)

    for seed in range(12):
        walk([Library(MODELS["branches"], {"n": 0}), OneTimer(MODELS["branches"], {"n": 0})], seed)


def everything(workflow):
    return [(task, task.parent) for task in workflow.tasks.values()]


@pytest.mark.parametrize("name", MODELS)
def test_forgetting_finished_work_changes_nothing(name, monkeypatch):
    class Whole(Ours):
        """Keeps every finished task."""

        def __getattribute__(self, attribute):
            if attribute in ("complete", "fire"):
                monkeypatch.setattr(codec, "kept", everything)
            return super().__getattribute__(attribute)

    class Short(Ours):
        def __getattribute__(self, attribute):
            if attribute in ("complete", "fire"):
                monkeypatch.undo()
            return super().__getattribute__(attribute)

    for seed in range(8):
        data = {"n": seed % 3, "people": ["1", "2", "3"]}
        whole, short = Whole(MODELS[name], data), Short(MODELS[name], data)
        results = walk([whole, short], seed)
        assert results == [] or results[0] == results[1]
        facts = [[(s.element, s.action, s.flow) for s in arm.one.trail] for arm in (whole, short)]
        assert facts[0] == facts[1]


@pytest.mark.parametrize("name", MODELS)
def test_each_step_may_run_in_another_process(name):
    class Wandering(Ours):
        """Reads the diagram anew for each act: nothing is remembered but the state."""

        def complete(self, element, data):
            self._move()
            super().complete(element, data)

        def fire(self, element, payload):
            self._move()
            super().fire(element, payload)

        def _move(self):
            definitions._parsed.clear()
            self.one.definition = parse(MODELS[name])

    for seed in range(5):
        data = {"n": seed % 3, "people": ["1", "2", "3"]}
        results = walk([Ours(MODELS[name], data), Wandering(MODELS[name], data)], seed)
        assert results == [] or results[0] == results[1]


def test_two_instances_of_one_definition_do_not_know_each_other():
    definition = parse(MODELS["inside"])
    first, second = play(definition, data={"n": 1}), play(definition, data={"n": 2})
    first.complete("x")
    second.complete("x")
    second.complete("y")
    assert (first.open, second.open) == (["y"], ["z"])
    assert not {t.id for t in first.outcome.tasks} & {t.id for t in second.outcome.tasks}


def test_a_state_stays_small():
    one = play(MODELS["branches"], data={"n": 0})
    assert len(one.outcome.state) < 1_600


def golden(name, made, acts):
    """Writes a golden file; run by hand when the codec's version changes, never to make a test pass."""
    arm = Ours(made, {"n": 1, "people": ["1", "2"]})
    for act, element in acts:
        getattr(arm, act)(element, {"k": 1, "k_r": 1})
    files = {path: base64.b64encode(content).decode() for path, content in made.files.items()}
    record = {"files": files, "state": arm.one.outcome.state.decode(), "open": arm.open(), "waiting": arm.waiting()}
    GOLDEN.joinpath(f"{codec.VERSION}-{name}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_states_of_earlier_releases_are_read_and_go_on(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    made = Bundle("f", {name: base64.b64decode(content) for name, content in record["files"].items()})
    definitions._parsed.clear()  # as in a process that has never run this flow
    definition = parse(made)
    outcome = step(definition, record["state"].encode(), Run(), MONDAY, Registry())
    assert sorted(task.element for task in outcome.tasks) == record["open"]
    assert sorted([t.element for t in outcome.timers] + [a.element for a in outcome.awaited]) == record["waiting"]
    for _ in range(20):
        if outcome.status != "running":
            break
        if outcome.tasks:
            given = Complete(outcome.tasks[0].id, {"n": 9, "k_r": 1})
        else:
            given = Deliver(outcome.awaited[0].id, outcome.awaited[0].name)
        outcome = step(definition, outcome.state, given, MONDAY, Registry())
    assert outcome.status == "completed"
