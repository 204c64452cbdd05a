"""Every flow in bpmn/ does what its cases.yaml says, and its cases go everywhere the diagram leads."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from lxml import etree

from engine import lint
from engine.cases import Case, Report, StatedVerbs, load, run_cases
from engine.definitions import Bundle, DefinitionError, parse, read_folder
from engine.testing import Play
from engine.verbs import REGISTRY, Registry
from engine.xml import BPMN

ROOT = Path(__file__).resolve().parents[2] / "bpmn"
FLOWS = sorted(folder.name for folder in ROOT.iterdir() if (folder / f"{folder.name}.bpmn").is_file())
ROLES = {
    "agent", "team_leader", "supervisor", "manager", "director", "analyst",
    "clinic", "doctor", "pharmacy", "finance", "admin", "system",
}  # fmt: skip
TASKS = ("userTask", "serviceTask", "scriptTask", "businessRuleTask", "callActivity")
LEAST = {
    "appointment": 25, "complaint": 20, "purchase": 15, "outbound_task": 20, "blacklist": 12, "consult": 8, "notify": 6, "escalate": 6,
}  # fmt: skip
MOST_ROWS = 8


@cache
def bundle(key: str) -> Bundle:
    return read_folder(ROOT, key)


@cache
def cases_of(key: str) -> list[Case]:
    return load(bundle(key).files[f"{key}/cases.yaml"])


@cache
def played(key: str, registry: Registry | None = REGISTRY) -> Report:
    return run_cases(bundle(key), registry)


EVERY = [pytest.param(key, case.name, id=f"{key}: {case.name}") for key in FLOWS for case in cases_of(key)]


@pytest.mark.req("X-01")
@pytest.mark.parametrize(("key", "name"), EVERY)
def test_case(key: str, name: str):
    result = next(one for one in played(key).cases if one.name == name)
    assert result.problems == []


@pytest.mark.parametrize("key", FLOWS)
def test_the_cases_go_through_every_flow_timer_and_message(key: str):
    report = played(key)
    assert report.missing == []
    assert {part: len(found.total) > 0 for part, found in report.coverage.items()}["flows"]
    assert len(report.cases) >= LEAST.get(key, 1)


@pytest.mark.parametrize("key", FLOWS)
def test_a_flow_can_be_published_as_it_lies_in_the_repository(key: str):
    assert apps.ready
    assert [p for p in lint.check(bundle(key), REGISTRY, ROLES) if p.severity == "error"] == []


# -- the diagram is the product ---------------------------------------------------------------------------------------


def tasks_of(key: str) -> list[str]:
    root = etree.fromstring(bundle(key).files[f"{key}/{key}.bpmn"])
    return [node.get("id") for kind in TASKS for node in root.iter(f"{{{BPMN}}}{kind}")]


def without(key: str, task: str) -> Bundle:
    """The bundle with one task taken out: what led to it now leads to what came after it; its boundary events go."""
    root = etree.fromstring(bundle(key).files[f"{key}/{key}.bpmn"])
    every = {node.get("id"): node for node in root.iter() if isinstance(node.tag, str) and node.get("id")}
    flows = list(root.iter(f"{{{BPMN}}}sequenceFlow"))
    after = next(flow.get("targetRef") for flow in flows if flow.get("sourceRef") == task)
    gone = {task} | {i for i, n in every.items() if n.get("attachedToRef") == task}
    for flow in flows:
        if flow.get("sourceRef") in gone:
            flow.getparent().remove(flow)
        elif flow.get("targetRef") == task:
            flow.set("targetRef", after)
    for one in gone:
        every[one].getparent().remove(every[one])
    changed = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Bundle(key, {**bundle(key).files, f"{key}/{key}.bpmn": changed})


@cache
def ways(key: str) -> dict[str, frozenset[str]]:
    """The sequence flows each case takes in the diagram as drawn."""
    definition = parse(bundle(key))
    return {c.name: run_cases(definition, None, cases=[c]).coverage["flows"].covered for c in cases_of(key)}


def likeliest_first(key: str, task: str) -> list[Case]:
    flows = parse(bundle(key)).flows[key].values()
    at_it = {flow.id for flow in flows if task in (flow.source, flow.target)}
    return sorted(cases_of(key), key=lambda case: -len(at_it & ways(key)[case.name]))


def fails(made: Bundle, task: str = "") -> bool:
    try:
        definition = parse(made)
    except DefinitionError:
        return True  # what is left is no flow any more
    return any(run_cases(definition, None, cases=[case]).problems for case in likeliest_first(made.key, task))


@pytest.mark.req("X-01")
@pytest.mark.parametrize(("key", "task"), [pytest.param(k, t, id=f"{k}: {t}") for k in FLOWS for t in tasks_of(k)])
def test_a_task_taken_out_of_the_diagram_is_gone_from_the_product(key: str, task: str):
    assert fails(without(key, task), task), f"nobody would notice that {task} is missing"


def test_taking_nothing_out_leaves_the_cases_green():
    for key in FLOWS:
        assert not fails(bundle(key))


# -- who may, what is asked -------------------------------------------------------------------------------------------


def stated(key: str, name: str, **data) -> Play:
    """The instance of one case, standing at its start."""
    case = next(one for one in cases_of(key) if one.name == name)
    return Play(parse(bundle(key)), StatedVerbs(case.verbs, None), {**case.start, **data}, case.now)


@pytest.mark.req("S-36")
def test_nobody_approves_his_own_application_not_even_a_leader_or_who_took_it_over():
    play = stated("blacklist", "申请, 组长同意, 到期自动解除", opened_by="2001")
    form = {"action": "submit", "reason": "advert", "description": "广告", "term": "7"}
    play.deliver("task.reassigned", {"assignee": "2005", "due_at": "2026-11-23T18:00:00+08:00"}, element="B1_apply")
    play.complete("B1_apply", **form)
    assert play.task("B3_leader").exclude == ["2001", "2005"]
    play.forward("PT4H")
    assert play.task("B4_supervisor").exclude == ["2001", "2005"]


@pytest.mark.req("W-95", "S-35")
@pytest.mark.parametrize("key", ["appointment", "consult", "blacklist", "outbound_task"])
def test_the_form_in_the_popup_is_the_openers_and_fits_without_scrolling(key: str):
    definition = parse(bundle(key))
    first = definition.first_user_task
    assert first is not None
    data = {
        "customer": "812", "number": "tok", "call": "55", "opened_by": "1001", "group": "g1",
        "ticket": "T1", "source": "call", "kind": key,
    }  # fmt: skip
    verbs = Registry()
    for name in ("tickets.check_outbound",):
        verbs.register(
            name,
            lambda context: {"verdict": "ok", "owner": "", "group": "g1", "vip": False},
            result={"type": "object", "additionalProperties": True},
        )
    play = Play(definition, verbs, data)
    assert play.task(first.id).assignee == "1001"
    assert rows(definition.forms[first.form_key].schema) <= MOST_ROWS


def rows(schema: dict) -> int:
    """Form rows at 1007x640: two short fields share one, a text area takes a whole one; answers exclude each other."""
    wide = sum(field["x-ui"]["widget"] == "textarea" for field in schema["properties"].values())
    return wide + (len(schema["properties"]) - wide + 1) // 2


@pytest.mark.req("X-11")
@pytest.mark.parametrize("key", FLOWS)
def test_every_label_is_chinese_and_english_and_free_text_never_enters_process_data(key: str):
    for name, content in bundle(key).files.items():
        if not (name.startswith(f"{key}/forms/")):
            continue
        schema = json.loads(content)
        labels = [schema, *schema["properties"].values()]
        labels += [one for field in schema["properties"].values() for one in field.get("oneOf", [])]
        for label in labels:
            assert label["title"] and label["x-i18n"]["en"], name
        for field, rule in schema["properties"].items():
            assert "x-ui" in rule, f"{name}: {field}"
            assert not (rule.get("x-flow") and rule.get("x-personal")), f"{name}: {field}"
            free = rule["x-ui"]["widget"] == "textarea"
            assert not free or rule.get("x-personal"), f"{name}: {field} holds free text"


@pytest.mark.parametrize("key", FLOWS)
def test_every_name_in_the_diagram_has_an_english_one(key: str):
    names = json.loads((ROOT / key / "locales/en.json").read_text(encoding="utf-8"))
    root = etree.fromstring(bundle(key).files[f"{key}/{key}.bpmn"])
    process = next(root.iter(f"{{{BPMN}}}process"))
    named = {n.get("id") for n in process.iter() if isinstance(n.tag, str) and n.get("id") and n.get("name")}
    lanes = {n.get("id") for n in process.iter(f"{{{BPMN}}}lane")}
    assert named - lanes <= set(names)
    assert all(names.values()) and set(names) <= named
