"""What a bundle is, what is refused before it runs, and what the linter says about each element."""

from __future__ import annotations

import pytest

from engine import lint
from engine.definitions import Bundle, parse, read_folder
from engine.exceptions import DefinitionError
from engine.forms import Form
from engine.testing import bundle, diagram, flows, play, properties
from engine.verbs import Registry

ROLES = {"agent", "supervisor"}
FORM = {"type": "object", "properties": {"ok": {"type": "boolean", "x-flow": True}}}
ASK = f'<userTask id="ask" name="问">{properties(formJsonSchemaFilename="f.ask.json")}</userTask>'
ENDS = '<startEvent id="s"/><endEvent id="e"/>'


def codes(made, verbs=(), severity="error"):
    return {(p.element_id, p.code) for p in lint.check(made, verbs, ROLES) if p.severity == severity}


def drawn(body, **more):
    return bundle("f", ENDS + body, **more)


def simple(inner, *lines, **more):
    """s -> x -> e around one element x."""
    return drawn(inner + flows(*(lines or ("s -> x -> e",))), **more)


# -- bundles ----------------------------------------------------------------------------------------------------------


def folder(root, name, body, **files):
    (root / name / "forms").mkdir(parents=True)
    (root / name / f"{name}.bpmn").write_bytes(diagram(name, body))
    for path, text in files.items():
        (root / name / path.replace("__", "/").replace("_dot_", ".")).write_text(text, encoding="utf-8")


def test_a_folder_is_read_with_the_flows_it_calls_and_theirs(tmp_path):
    call = '<callActivity id="c" calledElement="{}"/>' + flows("s -> c -> e")
    folder(tmp_path, "one", ENDS + call.format("two"), cases_dot_yaml="cases: []", README_dot_md="x")
    folder(tmp_path, "two", ENDS + call.format("three"), cases_dot_yaml="cases: []", forms__two_dot_a_dot_json="{}")
    folder(tmp_path, "three", ENDS + flows("s -> e"))
    folder(tmp_path, "four", ENDS + flows("s -> e"))
    made = read_folder(tmp_path, "one")
    assert set(made.files) == {
        "one/one.bpmn",
        "one/cases.yaml",
        "one/README.md",
        "two/two.bpmn",
        "two/forms/two.a.json",
        "three/three.bpmn",
    }
    assert play(made).outcome.status == "completed"


@pytest.mark.parametrize("called", ["nowhere", "../../etc", "a/b", "Two", ""])
def test_a_missing_flow_and_a_wandering_name_are_refused(tmp_path, called):
    folder(tmp_path, "one", ENDS + f'<callActivity id="c" calledElement="{called}"/>' + flows("s -> c -> e"))
    with pytest.raises(DefinitionError) as error:
        parse(read_folder(tmp_path, "one"))
    assert error.value.problems[0].code == "unknown_flow"


def test_a_bundle_is_known_by_all_its_contents():
    first = drawn(ASK + flows("s -> ask -> e"), forms={"f.ask": FORM})
    same = Bundle("f", dict(reversed(first.files.items())))
    other = Bundle("f", {**first.files, "f/forms/f.ask.json": b"{}"})
    assert first.digest == same.digest != other.digest
    assert Bundle("f", {"a": b"bc"}).digest != Bundle("f", {"ab": b"c"}).digest
    assert parse(first) is parse(same)


def test_a_definition_tells_what_is_drawn():
    body = (
        '<startEvent id="s"><messageEventDefinition messageRef="wanted"/></startEvent><endEvent id="e"/>'
        '<subProcess id="sub"><startEvent id="ss"/><endEvent id="se"/>'
        + ASK
        + flows("ss -> ask -> se")
        + "</subProcess>"
        '<boundaryEvent id="late" attachedToRef="sub"><timerEventDefinition><timeDuration>PT1H</timeDuration>'
        "</timerEventDefinition></boundaryEvent>" + flows("s -> sub -> e", "late -> e")
    )
    made = bundle(
        "f",
        body,
        messages=["wanted"],
        forms={"f.ask": FORM},
        lanes={"agent": ["sub"]},
        files={"f/locales/en.json": b'{"ask": "Ask"}'},
    )
    definition = parse(made)
    task = definition.elements["ask"]
    assert (definition.key, definition.start_message, definition.lanes) == ("f", "wanted", {"agent"})
    assert (task.kind, task.name, task.lane, task.process, task.scope, task.form_key) == (
        "userTask",
        "问",
        "agent",
        "f",
        "sub",
        "f.ask",
    )
    assert definition.first_user_task == task
    assert definition.forms == {"f.ask": Form("f.ask", FORM)}
    assert definition.elements["late"].attached_to == "sub"
    assert definition.element_name(task, "en") == "Ask"
    assert definition.element_name(task) == "问"
    assert definition.flow_between("f", "s", "sub") == "s_sub"


@pytest.mark.parametrize(("identifier", "name"), [("agent", "坐席"), ("lane_agent", "坐席"), ("L1", "agent")])
def test_a_lane_is_a_role_by_its_id_or_its_name(identifier, name):
    lane = f'<laneSet id="l"><lane id="{identifier}" name="{name}"><flowNodeRef>ask</flowNodeRef></lane></laneSet>'
    made = drawn(lane + ASK + flows("s -> ask -> e"), forms={"f.ask": FORM})
    assert parse(made).elements["ask"].lane == "agent"
    assert codes(made) == set()


# -- files that attack ------------------------------------------------------------------------------------------------

GOOD = diagram("f", ENDS + flows("s -> e"))
XML_ATTACKS = {
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + GOOD,
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % e SYSTEM "http://localhost:9/x">%e;]>' + GOOD,
    "laughs": b'<!DOCTYPE x [<!ENTITY a "' + b"ha" * 50 + b'"><!ENTITY b "&a;&a;&a;&a;">]>' + GOOD,
    "doctype in small letters": b"<!doctype x>" + GOOD,
    "doctype behind a comment": b"<!-- x --><!DOCTYPE x>" + GOOD,
    "doctype in utf-16": ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x []>' + GOOD.decode()).encode("utf-16"),
    "too big": GOOD + b" " * (5 * 1024 * 1024),
    "too deep": b"<a>" * 5_000 + b"</a>" * 5_000,
    "not xml": b"PK\x03\x04",
    "empty": b"",
    "cut": GOOD[:-40],
    "another vocabulary": b"<html/>",
    "no process": diagram("f", "").replace(b"process", b"other"),
}


@pytest.mark.parametrize("name", XML_ATTACKS)
def test_a_file_that_attacks_is_refused_as_a_problem(name):
    made = Bundle("f", {"f/f.bpmn": XML_ATTACKS[name]})
    with pytest.raises(DefinitionError) as error:
        parse(made)
    assert error.value.problems
    assert any(p.severity == "error" for p in lint.check(made, (), ROLES))
    assert "root:" not in str(error.value)


def test_doctypes_are_named_as_such():
    for name in ("external entity", "laughs", "doctype in small letters", "doctype in utf-16"):
        assert ("f/f.bpmn", "doctype") in codes(Bundle("f", {"f/f.bpmn": XML_ATTACKS[name]}))


def test_an_include_is_not_followed():
    include = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    made = Bundle("f", {"f/f.bpmn": GOOD.replace(b"<process", include + b"<process")})
    assert play(made).outcome.status == "completed"


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_form_that_is_no_schema_is_a_problem(content):
    made = drawn(ASK + flows("s -> ask -> e"), files={"f/forms/f.ask.json": content})
    with pytest.raises(DefinitionError):
        parse(made)


# -- the linter -------------------------------------------------------------------------------------------------------


def test_a_good_flow_has_no_errors():
    body = ASK + flows("s -> ask -> e")
    assert codes(drawn(body, forms={"f.ask": FORM}, lanes={"agent": ["ask"]})) == set()


def event(kind, definition, **attributes):
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<{kind} id="x"{given}>{definition}</{kind}>'


def timed(kind, text):
    return f"<timerEventDefinition><{kind}>{text}</{kind}></timerEventDefinition>"


SERVICE = '<serviceTask id="x"><extensionElements><spiffworkflow:serviceTaskOperator id="a.b"/></extensionElements></serviceTask>'


def boundary(definition, interrupting="false", host='<receiveTask id="h" messageRef="m"/>'):
    return host + event("boundaryEvent", definition, attachedToRef="h", cancelActivity=interrupting)


ON_HOST = ("s -> h -> e", "x -> e")
WRONG = {
    "link": (simple(event("intermediateThrowEvent", '<linkEventDefinition name="a"/>')), "x", "unsupported"),
    "compensation": (simple(event("intermediateThrowEvent", "<compensateEventDefinition/>")), "x", "unsupported"),
    "signal": (simple(event("intermediateCatchEvent", "<signalEventDefinition/>")), "x", "unsupported"),
    "complex gateway": (simple('<complexGateway id="x"/>'), "x", "unsupported"),
    "plain task": (simple('<task id="x"/>'), "x", "unsupported"),
    "manual task": (simple('<manualTask id="x"/>'), "x", "unsupported"),
    "ad hoc": (simple('<adHocSubProcess id="x"/>'), "x", "unsupported"),
    "transaction": (simple('<transaction id="x"/>'), "x", "unsupported"),
    "data object": (simple('<dataObject id="x"/>', "s -> e"), "x", "unsupported"),
    "standard loop": (
        simple('<scriptTask id="x"><standardLoopCharacteristics/><script>a = 1</script></scriptTask>'),
        "x",
        "unsupported",
    ),
    "event sub-process": (
        drawn(
            '<subProcess id="x" triggeredByEvent="true"><startEvent id="a"/><endEvent id="b"/>'
            + flows("a -> b")
            + "</subProcess>"
            + flows("s -> e")
        ),
        "x",
        "unsupported",
    ),
    "pre-script": (
        simple(
            '<scriptTask id="x"><extensionElements><spiffworkflow:preScript>a=1</spiffworkflow:preScript></extensionElements>'
            "<script>a = 1</script></scriptTask>"
        ),
        "x",
        "unsupported",
    ),
    "implicit split": (
        simple('<scriptTask id="x"><script>a = 1</script></scriptTask><endEvent id="e2"/>', "s -> x -> e", "x -> e2"),
        "x",
        "implicit_split",
    ),
    "dead end": (simple('<scriptTask id="x"><script>a = 1</script></scriptTask>', "s -> x"), "x", "dead_end"),
    "no default": (
        simple('<exclusiveGateway id="x"/><endEvent id="e2"/>', "s -> x -> e [a > 1]", "x -> e2 [a < 1]"),
        "x",
        "no_default",
    ),
    "no condition": (
        simple('<exclusiveGateway id="x" default="x_e"/><endEvent id="e2"/>', "s -> x -> e", "x -> e2"),
        "x_e2",
        "no_condition",
    ),
    "foreign default": (simple('<exclusiveGateway id="x" default="s_x"/>'), "x", "wrong_default"),
    "idle condition": (simple("", "s -> e [a > 1]"), "s_e", "condition_ignored"),
    "condition": (
        simple('<exclusiveGateway id="x" default="x_e"/><endEvent id="e2"/>', "s -> x -> e", "x -> e2 [a.b > 1]"),
        "x_e2",
        "expression",
    ),
    "script": (simple('<scriptTask id="x"><script>import os</script></scriptTask>'), "x", "expression"),
    "empty script": (simple('<scriptTask id="x"><script/></scriptTask>'), "x", "no_script"),
    "unknown verb": (simple(SERVICE), "x", "unknown_verb"),
    "no verb": (simple('<serviceTask id="x"/>'), "x", "no_verb"),
    "timer expression": (simple(event("intermediateCatchEvent", timed("timeDate", "now().x"))), "x", "expression"),
    "empty timer": (simple(event("intermediateCatchEvent", "<timerEventDefinition/>")), "x", "no_time"),
    "negative duration": (simple(event("intermediateCatchEvent", timed("timeDuration", "-PT5M"))), "x", "time"),
    "monthly duration": (simple(event("intermediateCatchEvent", timed("timeDuration", "P1M"))), "x", "time"),
    "naive date": (simple(event("intermediateCatchEvent", timed("timeDate", "2026-11-23T09:00:00"))), "x", "time"),
    "naive date in quotes": (
        simple(event("intermediateCatchEvent", timed("timeDate", "'2026-11-23T09:00:00'"))),
        "x",
        "time",
    ),
    "cycle as a wait": (simple(event("intermediateCatchEvent", timed("timeCycle", "R3/PT1H"))), "x", "cycle_here"),
    "interrupting cycle": (
        simple(boundary(timed("timeCycle", "R3/PT1H"), "true"), *ON_HOST, messages=["m"]),
        "x",
        "cycle_here",
    ),
    "unbounded cycle": (
        simple(boundary(timed("timeCycle", "R/PT1H")), *ON_HOST, messages=["m"]),
        "x",
        "unbounded_cycle",
    ),
    "unbounded cycle in quotes": (
        simple(boundary(timed("timeCycle", "'R/PT1H'")), *ON_HOST, messages=["m"]),
        "x",
        "unbounded_cycle",
    ),
    "cron": (simple(boundary(timed("timeCycle", "'0 0 * * *'")), *ON_HOST, messages=["m"]), "x", "time"),
    "waits for nothing": (simple(event("intermediateCatchEvent", "")), "x", "no_event"),
    "unnamed message": (simple(event("intermediateCatchEvent", "<messageEventDefinition/>")), "x", "no_message"),
    "receive nothing": (simple('<receiveTask id="x"/>'), "x", "no_message"),
    "loose boundary": (
        simple(event("boundaryEvent", timed("timeDuration", "PT1H"), attachedToRef="no"), "s -> e", "x -> e"),
        "x",
        "not_attached",
    ),
    "soft error": (
        simple(boundary("<errorEventDefinition/>", host=SERVICE.replace('"x"', '"h"')), *ON_HOST),
        "x",
        "error_interrupts",
    ),
    "error on a wait": (
        simple(boundary("<errorEventDefinition/>", "true"), *ON_HOST, messages=["m"]),
        "x",
        "error_never",
    ),
    "two timers": (
        drawn(
            '<eventBasedGateway id="x"/>'
            + "".join(
                f'<intermediateCatchEvent id="{n}">{timed("timeDuration", "PT1H")}</intermediateCatchEvent>'
                for n in "ab"
            )
            + flows("s -> x -> a -> e", "x -> b -> e")
        ),
        "x",
        "two_timers",
    ),
    "no event behind": (
        simple('<eventBasedGateway id="x"/><endEvent id="e2"/>', "s -> x -> e", "x -> e2"),
        "e",
        "not_an_event",
    ),
    "unknown flow": (simple('<callActivity id="x" calledElement="nowhere"/>'), "x", "unknown_flow"),
    "unknown table": (simple('<businessRuleTask id="x"/>'), "x", "unknown_table"),
    "no form": (simple('<userTask id="x"/>'), "x", "no_form"),
    "missing form": (drawn(ASK + flows("s -> ask -> e")), "ask", "form_missing"),
    "another flow's form": (
        simple(f'<userTask id="x">{properties(formJsonSchemaFilename="g.x.json")}</userTask>', forms={"g.x": FORM}),
        "x",
        "form_name",
    ),
    "no owner": (drawn(ASK + flows("s -> ask -> e"), forms={"f.ask": FORM}), "ask", "no_owner"),
    "unknown role": (
        drawn(ASK + flows("s -> ask -> e"), forms={"f.ask": FORM}, lanes={"pirate": ["ask"]}),
        "ask",
        "unknown_role",
    ),
    "title": (simple(f'<userTask id="x">{properties(title="{{ a.b }}")}</userTask>'), "x", "expression"),
    "due date": (simple(f'<userTask id="x">{properties(dueDate="now(")}</userTask>'), "x", "expression"),
    "priority": (simple(f'<userTask id="x">{properties(priority="9")}</userTask>'), "x", "priority"),
    "key": (
        simple(
            event("intermediateCatchEvent", properties(key__a="b.c") + '<messageEventDefinition messageRef="m"/>'),
            messages=["m"],
        ),
        "x",
        "expression",
    ),
    "no id": (drawn("<scriptTask/>" + flows("s -> e")), "f", "id_missing"),
    "id twice": (drawn('<endEvent id="e"/>' + flows("s -> e")), "e", "id_twice"),
    "flow into nowhere": (simple("", "s -> e", "s -> gone"), "s_gone", "loose_flow"),
    "two starts": (simple('<startEvent id="x"/>', "s -> e", "x -> e"), "f", "one_start"),
    "no end": (
        bundle("f", '<startEvent id="s"/><scriptTask id="x"><script>a = 1</script></scriptTask>' + flows("s -> x")),
        "f",
        "no_end",
    ),
    "not executable": (Bundle("f", {"f/f.bpmn": GOOD.replace(b'isExecutable="true"', b"")}), "f", "not_executable"),
    "wrong name": (Bundle("f", {"g/g.bpmn": GOOD}), "f", "wrong_name"),
    "loop without end": (
        simple('<scriptTask id="x"><script>a = 1</script><multiInstanceLoopCharacteristics/></scriptTask>'),
        "x",
        "loop",
    ),
    "data name": (
        simple(
            '<scriptTask id="x"><script>a = 1</script><multiInstanceLoopCharacteristics>'
            "<loopDataInputRef>__x</loopDataInputRef></multiInstanceLoopCharacteristics></scriptTask>"
        ),
        "x",
        "data_name",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_linter_names_the_element_and_the_reason(name):
    made, element, code = WRONG[name]
    assert (element, code) in codes(made)


def owned(expression):
    inner = f"<resourceAssignmentExpression><formalExpression>{expression}</formalExpression></resourceAssignmentExpression>"
    owner = f"<potentialOwner>{inner}</potentialOwner>"
    return drawn(ASK.replace("</userTask>", owner + "</userTask>") + flows("s -> ask -> e"), forms={"f.ask": FORM})


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("'role:agent'", None),
        ("'role:' + kind", None),
        ("'role:pirate'", "unknown_role"),
        ("'bob'", "owner"),
        ("['role:agent', 'team:x']", "owner"),
        ("a.b", "expression"),
    ],
)
def test_owners_are_judged_where_that_needs_no_data(expression, code):
    assert codes(owned(expression)) == ({("ask", code)} if code else set())


FORMS = {
    "type": {"type": "array"},
    "schema": {"type": "object", "properties": {"a": {"type": "nothing"}}},
    "reference": {"type": "object", "properties": {"a": {"$ref": "https://elsewhere/x.json"}}},
    "circle": {"type": "object", "properties": {"a": {"$ref": "#"}}},
    "pattern": {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
    "broken pattern": {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}},
    "personal flow": {"type": "object", "properties": {"a": {"x-flow": True, "x-personal": True}}},
    "flow name": {"type": "object", "properties": {"a b": {"x-flow": True}}},
    "function name": {"type": "object", "properties": {"len": {"x-flow": True}}},
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_judged(name):
    made = drawn(ASK + flows("s -> ask -> e"), forms={"f.ask": FORMS[name]}, lanes={"agent": ["ask"]})
    assert {element for element, _ in codes(made)} == {"f.ask"}


def test_flows_that_call_each_other_in_a_circle_are_refused():
    call = ENDS + '<callActivity id="c" calledElement="{}"/>' + flows("s -> c -> e")
    made = bundle("f", call.format("g"), calls={"g": diagram("g", call.format("f"))})
    assert {("f", "calls_itself"), ("g", "calls_itself")} <= codes(made)


def test_the_same_user_task_id_in_a_called_flow_is_refused():
    called = diagram("g", ENDS + ASK + flows("s -> ask -> e"))
    made = drawn(ASK + '<callActivity id="c" calledElement="g"/>' + flows("s -> ask -> c -> e"), calls={"g": called})
    assert ("ask", "task_id_twice") in codes(made)


def test_with_the_registry_at_hand_parameters_are_judged_too():
    verbs = Registry()
    verbs.register("a.b", None, params={"properties": {"days": {"type": "integer"}}, "required": ["days"]})
    given = '<spiffworkflow:parameters><spiffworkflow:parameter id="hours" value="1"/></spiffworkflow:parameters>'
    made = simple(SERVICE.replace('id="a.b"/>', f'id="a.b">{given}</spiffworkflow:serviceTaskOperator>'))
    assert codes(made, verbs) == {("x", "parameter_missing"), ("x", "unknown_parameter")}


@pytest.mark.parametrize(
    ("cell", "policy", "code"),
    [("a.b", "FIRST", "expression"), ("> ", "FIRST", "expression"), ("1", "PRIORITY", "hit_policy")],
)
def test_decision_tables_are_judged_cell_by_cell(cell, policy, code):
    table = f"""<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"><decision id="rank">
    <decisionTable id="t" hitPolicy="{policy}"><input id="i"><inputExpression id="ie"><text>n</text></inputExpression></input>
    <output id="o" name="level"/><rule id="r"><inputEntry id="cell"><text><![CDATA[{cell}]]></text></inputEntry>
    <outputEntry id="out"><text>1</text></outputEntry></rule></decisionTable></decision></definitions>"""
    called = "<spiffworkflow:calledDecisionId>rank</spiffworkflow:calledDecisionId>"
    rule = f'<businessRuleTask id="x"><extensionElements>{called}</extensionElements></businessRuleTask>'
    assert ("t" if code == "hit_policy" else "cell", code) in codes(simple(rule, files={"f/rank.dmn": table.encode()}))


def test_what_only_looks_odd_is_a_warning():
    body = '<userTask id="x"/><scriptTask id="alone"><script>a = 1</script></scriptTask>' + flows(
        "s -> x -> e", "alone -> e"
    )
    found = codes(drawn(body, forms={"f.idle": FORM}), severity="warning")
    assert {("x", "no_name"), ("alone", "never_reached"), ("f.idle", "form_unused"), ("s_x", "no_shape")} <= found
