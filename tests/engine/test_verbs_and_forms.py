"""What goes into and comes out of a verb, and what a form lets through."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.durations import parse_cycle, parse_duration, parse_instant
from engine.exceptions import UnknownVerb, VerbContractBroken, VerbFailed, VerbRefused
from engine.forms import Form
from engine.testing import MONDAY
from engine.verbs import Context, Registry, verb

CONTEXT = Context("instance", "ticket:T1", MONDAY, "element", "task")
DAYS = {"type": "object", "properties": {"days": {"type": "integer", "minimum": 1}}, "required": ["days"]}


def lent(function, **schemas):
    made = Registry()
    made.register("routing.block", function, **schemas)
    return made


def test_a_verb_is_called_by_name_with_checked_parameters():
    made = lent(lambda context, *, days: {"days": days}, params=DAYS, result=DAYS)
    assert made.call("routing.block", CONTEXT, {"days": 3}) == {"days": 3}
    for params in ({}, {"days": 0}, {"days": "3"}, {"days": 3, "more": 1}):
        with pytest.raises(VerbContractBroken):
            made.call("routing.block", CONTEXT, params)


def test_a_broken_contract_does_not_repeat_the_value():
    made = lent(lambda context, *, days: {}, params=DAYS)
    with pytest.raises(VerbContractBroken) as error:
        made.call("routing.block", CONTEXT, {"days": "13800001111"})
    assert "13800001111" not in str(error.value)
    assert "days: type" in str(error.value)


@pytest.mark.parametrize("result", [None, {}])
def test_a_verb_without_an_answer_answers_nothing(result):
    assert lent(lambda context: result).call("routing.block", CONTEXT, {}) == {}


def test_a_refusal_passes_and_any_other_error_is_a_failure():
    def refuse(context):
        raise VerbRefused("no_slot")

    def break_down(context):
        raise KeyError("x")

    with pytest.raises(VerbRefused) as refusal:
        lent(refuse).call("routing.block", CONTEXT, {})
    assert refusal.value.code == "no_slot"
    with pytest.raises(VerbFailed) as failure:
        lent(break_down).call("routing.block", CONTEXT, {})
    assert isinstance(failure.value.cause, KeyError)


def test_nobody_lends_an_unknown_verb():
    with pytest.raises(UnknownVerb):
        Registry().call("routing.block", CONTEXT, {})


def test_a_name_is_given_once_but_a_module_may_be_loaded_again():
    made = Registry()

    def block(context):
        return {}

    verb("routing.block", registry=made)(block)
    verb("routing.block", registry=made)(block)
    with pytest.raises(ValueError, match="twice"):
        verb("routing.block", registry=made)(lambda context: {})
    assert made.names() == {"routing.block"}


@pytest.mark.parametrize("name", ["block", "Routing.block", "routing.", "a.b.c", "routing.block number"])
def test_a_verb_is_named_room_dot_verb(name):
    with pytest.raises(ValueError, match=r"room\.verb"):
        Registry().register(name, None)


@pytest.mark.parametrize(
    "schema", [{"days": {"type": "integer"}}, {"type": "array"}, {"type": "object", "required": 1}]
)
def test_a_schema_describes_an_object(schema):
    with pytest.raises(ValueError):
        Registry().register("a.b", None, params=schema)


SCHEMA = {
    "type": "object",
    "title": "登记",
    "required": ["result", "note"],
    "properties": {
        "result": {"type": "string", "enum": ["solved", "later"], "x-flow": True},
        "note": {"type": "string", "minLength": 1, "maxLength": 20, "x-personal": True},
        "at": {"type": "string", "format": "date-time", "x-flow": True},
        "born": {"type": "string", "format": "date"},
        "mail": {"type": "string", "format": "email"},
        "address": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "city": {"type": "string", "x-flow": True},
                "street": {"type": "string", "x-personal": True},
            },
        },
        "drugs": {"type": "array", "items": {"properties": {"name": {"x-personal": True}}}},
    },
    "allOf": [
        {
            "if": {"required": ["result"], "properties": {"result": {"const": "later"}}},
            "then": {"required": ["again_at"], "properties": {"again_at": {"type": "string", "x-flow": True}}},
        }
    ],
}
FORM = Form("consult.answer", SCHEMA)


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        ({"result": "solved", "note": "ok"}, set()),
        ({}, {("result", "required"), ("note", "required")}),
        ({"result": "solved", "note": ""}, {("note", "required")}),
        ({"result": "maybe", "note": "x" * 30}, {("result", "enum"), ("note", "maxLength")}),
        ({"result": "later", "note": "x"}, {("again_at", "required")}),
        ({"result": "solved", "note": "x", "address": {}}, {("address.city", "required")}),
        ({"result": "solved", "note": "x", "at": "2026-11-23T09:00:00"}, {("at", "format")}),
        ({"result": "solved", "note": "x", "at": "2026-11-23T09:00:00+08:00"}, set()),
        ({"result": "solved", "note": "x", "born": "23.11.2026"}, {("born", "format")}),
        ({"result": "solved", "note": "x", "mail": "a@b"}, {("mail", "format")}),
        ({"result": 5, "note": "x"}, {("result", "type"), ("result", "enum")}),
        ([], {("", "type")}),
    ],
)
@pytest.mark.req("X-11")
def test_a_form_names_every_wrong_field(data, errors):
    assert {(error.field, error.code) for error in FORM.validate(data)} == errors


def test_an_error_does_not_repeat_what_was_typed():
    assert all("13800001111" not in error.message for error in FORM.validate({"result": "13800001111", "note": ""}))


def test_unknown_fields_are_told_when_the_form_closes_its_list():
    form = Form("a.b", {"type": "object", "properties": {"x": {}}, "additionalProperties": False})
    assert [(e.field, e.code) for e in form.validate({"x": 1, "y": 2})] == [("y", "additionalProperties")]


def test_only_marked_fields_enter_the_flow():
    data = {
        "result": "later",
        "note": "张三",
        "again_at": "x",
        "address": {"city": "沪", "street": "南京路"},
        "other": 1,
    }
    assert FORM.flow_data(data) == {"result": "later", "again_at": "x", "address": {"city": "沪"}}
    assert FORM.flow_fields() == {"result", "at", "address.city", "again_at"}
    assert FORM.personal_fields() == {"note", "address.street", "drugs.name"}


def test_a_form_never_fetches_a_schema_from_anywhere():
    form = Form("a.b", {"type": "object", "properties": {"x": {"$ref": "http://localhost:9/evil.json"}}})
    with pytest.raises(Exception, match="evil"):
        form.validate({"x": 1})


def test_a_form_that_refers_to_itself_without_end_refuses_everything():
    form = Form("a.b", {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})
    assert [error.code for error in form.validate({})] == ["schema"]


def test_a_form_is_known_by_its_content():
    assert Form("a", {"x": 1, "y": 2}).digest == Form("b", {"y": 2, "x": 1}).digest != Form("a", {"x": 2}).digest


@pytest.mark.parametrize(
    ("text", "span"),
    [("PT90M", 90), ("P1DT2H", 1560), ("P2W", 20160), ("PT0.5H", 30), ("PT1H30M", 90), ("P0D", 0)],
)
def test_durations(text, span):
    assert parse_duration(text) == timedelta(minutes=span)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1Y", "P1M", "-PT5M", "PT5", "5M", "P1DT", "PT1H\n", "P9999D", "pt1h", None, 5]
)
def test_what_is_no_duration(text):
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize(
    "text", ["R/PT4H", "R0/PT4H", "R101/PT1H", "R3/PT0S", "R3", "PT4H", "R3/2026-01-01/PT1H", "0 0 * * *", None]
)
def test_a_cycle_is_counted(text):
    with pytest.raises(ValueError):
        parse_cycle(text)
    assert parse_cycle("R3/PT4H") == (3, timedelta(hours=4))


@pytest.mark.parametrize("text", ["2026-11-23T09:00:00", "2026-11-23", "soon", "", None, 5])
@pytest.mark.req("X-25")
def test_an_instant_has_an_offset(text):
    with pytest.raises(ValueError):
        parse_instant(text)
