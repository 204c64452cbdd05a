"""cases.yaml: how a flow's promises are written down and played."""

from __future__ import annotations

import pytest

from engine.cases import load, run_cases
from engine.exceptions import CasesError
from engine.testing import bundle, flows, properties
from engine.verbs import Registry

FORM = {
    "type": "object",
    "required": ["result"],
    "properties": {"result": {"type": "string", "x-flow": True}, "note": {"type": "string"}},
}
BODY = (
    '<startEvent id="s"/><endEvent id="done"/><endEvent id="asked"/><endEvent id="gone"/>'
    f'<userTask id="answer" name="答">{properties(formJsonSchemaFilename="f.answer.json", dueDate="clock_time(4)", exclude="opened_by")}'
    "<humanPerformer><resourceAssignmentExpression><formalExpression>owner</formalExpression>"
    "</resourceAssignmentExpression></humanPerformer></userTask>"
    '<boundaryEvent id="late" attachedToRef="answer" cancelActivity="false"><timerEventDefinition><timeDuration>PT4H'
    "</timeDuration></timerEventDefinition></boundaryEvent>"
    '<boundaryEvent id="wish" attachedToRef="answer"><extensionElements><spiffworkflow:properties>'
    """<spiffworkflow:property name="subject" value="'customer:' + customer"/></spiffworkflow:properties>"""
    '</extensionElements><messageEventDefinition messageRef="call_ended"/></boundaryEvent>'
    '<serviceTask id="count"><extensionElements><spiffworkflow:serviceTaskOperator id="tickets.count" resultVariable="n">'
    '<spiffworkflow:parameters><spiffworkflow:parameter id="how" value="result"/></spiffworkflow:parameters>'
    "</spiffworkflow:serviceTaskOperator></extensionElements></serviceTask>"
    '<exclusiveGateway id="many" default="many_done"/><userTask id="check" name="查"/>'
    + flows(
        "s -> answer -> count -> many -> done",
        "many -> check [n['repeats'] > 1]",
        "check -> done",
        "late -> asked",
        "wish -> gone",
    )
)


def registry():
    made = Registry()
    repeats = {"properties": {"repeats": {"type": "integer"}}, "required": ["repeats"]}
    made.register("tickets.count", None, params={"properties": {"how": {"type": "string"}}}, result=repeats)
    return made


def played(text, verbs=None):
    made = bundle("f", BODY, messages=["call.ended"], forms={"f.answer": FORM}, files={"f/cases.yaml": text.encode()})
    return run_cases(made, verbs if verbs is not None else registry())


HEAD = """
start: {owner: "1001", customer: "812", opened_by: "1002"}
verbs: {tickets.count: {repeats: 1}}
cases:
"""
WHOLE = (
    HEAD
    + """
  - name: solved at once
    steps:
      - expect: {tasks: [answer], timers: [late], awaited: [wish], assignee: {answer: "1001"},
                 due: {answer: "2026-11-23T13:00:00+08:00"}, priority: {answer: 3}}
      - {complete: answer, data: {}, refused: [result]}
      - {complete: answer, as: "1001", data: {result: solved, note: 张三}}
      - expect: {status: completed, ends: [done], data: {result: solved, note: null},
                 called: {tickets.count: {how: solved}}, thrown: []}
  - name: overdue, then a second time
    verbs: {tickets.count: {repeats: 2}}
    steps:
      - {after: PT3H}
      - expect: {ends: []}
      - {at: "2026-11-23T13:00:00+08:00", expect: {ends: [asked], timers: []}}
      - {complete: answer, data: {result: x}, expect: {tasks: [check]}}
      - {complete: check}
  - name: the caller is gone
    steps:
      - {message: call.ended, subject: "customer:999", nobody: true}
      - {message: call.ended, subject: "customer:812", expect: {ends: [gone], called: {tickets.count: null}}}
  - name: the database was busy
    verbs: {tickets.count: [{fail: busy}, {fail: busy}, {repeats: 1}]}
    steps:
      - {complete: answer, data: {result: x}, fails: count}
      - {run: true, fails: count}
      - {run: true, expect: {status: completed}}
  - name: passed over
    verbs: {tickets.count: {fail: broken}}
    steps:
      - {complete: answer, data: {result: x}, fails: count}
      - {skip: {n: {repeats: 7}}, expect: {tasks: [check]}}
      - {cancel: enough, expect: {status: cancelled, tasks: []}}
  - name: moved
    steps:
      - {reschedule: late, to: "2026-11-24T09:00:00+08:00"}
      - {after: PT5H, expect: {ends: [], due: {answer: "2026-11-24T09:00:00+08:00"}}}
"""
)


def test_cases_that_hold_cover_every_way():
    report = played(WHOLE)
    assert report.problems == []
    assert report.missing == []
    assert report.ok
    assert report.coverage["flows"].share == 1.0
    assert [case.name for case in report.cases][:2] == ["solved at once", "overdue, then a second time"]


def test_what_no_case_went_through_is_named():
    report = played(HEAD + "  - {name: a, steps: [{complete: answer, data: {result: x}}]}")
    assert report.problems == []
    assert report.missing == ["check_done", "late", "late_asked", "many_check", "wish", "wish_gone"]
    assert report.coverage["boundary_events"].missing == ["late", "wish"]
    assert report.coverage["messages"].missing == ["wish"]
    assert not report.ok


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("[{complete: nobody}]", "no task nobody is open"),
        ("[{complete: answer, data: {}}]", "form refuses ['result']"),
        ("[{complete: answer, data: {result: x}, refused: [result]}]", "expected ['result']"),
        ('[{complete: answer, as: "1003", data: {result: x}}]', "belongs to 1001"),
        ('[{complete: answer, as: "1002", data: {result: x}}]', "belongs to 1001"),
        ("[{message: call.ended}]", "nobody waited"),
        ('[{message: call.ended, subject: "customer:812", nobody: true}]', "somebody waited"),
        ("[{complete: answer, data: {result: x}, fails: count}]", "count did not fail"),
        ("[{expect: {tasks: []}}]", "tasks: ['answer'], expected []"),
        ("[{expect: {timers: []}}]", "timers"),
        ("[{expect: {status: completed}}]", "status"),
        ("[{expect: {data: {owner: x}}}]", "data owner"),
        ("[{expect: {called: {tickets.count: {}}}}]", "calls of tickets.count"),
        ("[{expect: {title: {answer: x}}}]", "title of answer"),
        ('[{at: "2026-11-22T09:00:00+08:00"}]', "is past"),
        ('[{at: "2026-11-24T09:00:00"}]', "offset"),
        ("[{after: soon}]", "duration"),
        ('[{reschedule: nothing, to: "2026-11-24T09:00:00+08:00"}]', "no timer nothing"),
        ("[{skip: true}]", "nothing failed"),
        ("[{cancel: x}, {run: true}]", "ended"),
    ],
)
def test_a_case_that_does_not_hold_says_where_and_why(steps, said):
    report = played(HEAD + f"  - name: a\n    steps: {steps}")
    [problem] = report.problems
    assert problem.startswith("a: step ")
    assert said in problem


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("{tickets.count: {repeats: many}}", "do not match"),
        ("{tickets.count: {}}", "do not match"),
        ("{tickets.count: [{repeats: 1}, {more: 1}]}", "do not match"),
        ("{tickets.nobody: {}}", "nobody lends the verb tickets.nobody"),
    ],
)
def test_stated_answers_are_checked_against_the_verb(answer, said):
    report = played(HEAD + f"  - name: a\n    verbs: {answer}\n    steps: []")
    assert said in report.problems[0]


def test_a_verb_nobody_stated_must_be_able_to_say_nothing():
    text = 'start: {owner: "", customer: "", opened_by: ""}\ncases: [{name: a, steps: [{complete: answer, data: {result: x}}]}]'
    assert "count failed" in played(text).problems[0]


def test_parameters_are_checked_too():
    made = Registry()
    made.register("tickets.count", None, result={"additionalProperties": True, "properties": {}})
    report = played(HEAD + "  - {name: a, steps: [{complete: answer, data: {result: x}}]}", made)
    assert "parameters do not match" in report.problems[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names and values"),
        ("cases: []", "list of 1"),
        ("cases: [{name: a}]\nmore: 1", "does not know more"),
        ("cases: [{steps: []}]", "has a name"),
        ("cases: [{name: a, steps: [{jump: x}]}]", "case 1 (a), step 1: does not know jump"),
        ("cases: [{name: a, steps: [{complete: x, run: true}]}]", "one act a step"),
        ("cases: [{name: a, steps: [{complete: x, keys: {}}]}]", "does not know keys"),
        ("cases: [{name: a, steps: [{expect: {colour: red}}]}]", "does not know colour"),
        ("cases: [{name: a, steps: [{}]}]", "says nothing"),
        ("cases: [{name: a}, {name: a}]", "same name"),
        ("now: '2026-11-23T09:00:00'\ncases: [{name: a}]", "offset"),
        ("cases: [{name: a, start: 5}]", "start is a list"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("cases: [{name: !!python/object/apply:os.system [id]}]", "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_understood_says_where(text, said):
    with pytest.raises(CasesError) as error:
        load(text)
    assert said in str(error.value)


def test_words_and_dates_stay_what_they_are():
    [case] = load("cases: [{name: a, start: {on: yes, at: 2026-11-23, ok: true}}]")
    assert case.start == {"on": "yes", "at": "2026-11-23", "ok": True}


def test_a_flow_without_cases_says_so():
    with pytest.raises(CasesError, match=r"no cases\.yaml"):
        run_cases(bundle("f", BODY, messages=["call.ended"], forms={"f.answer": FORM}))
