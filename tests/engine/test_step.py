"""What a running flow does: people, time, messages, refusals, loops."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.calendars import AlwaysOpen
from engine.definitions import parse
from engine.exceptions import StateError, StepFailed, StimulusRefused, VerbRefused
from engine.step import Cancel, Complete, Deliver, Due, Reschedule, Run, Skip, start, step
from engine.testing import MONDAY, after, bundle, diagram, flows, play, properties
from engine.verbs import Registry, verb

ANY = {"type": "object", "additionalProperties": True}


def registry(**functions):
    """Verbs by name; ``room__verb`` is room.verb."""
    made = Registry()
    for name, function in functions.items():
        made.register(name.replace("__", "."), function, params=ANY, result=ANY)
    return made


def service(identifier, operator, result="", **parameters):
    inner = "".join(f'<spiffworkflow:parameter id="{name}" value="{value}"/>' for name, value in parameters.items())
    return (
        f'<serviceTask id="{identifier}"><extensionElements><spiffworkflow:serviceTaskOperator id="{operator}" '
        f'resultVariable="{result}"><spiffworkflow:parameters>{inner}</spiffworkflow:parameters>'
        "</spiffworkflow:serviceTaskOperator></extensionElements></serviceTask>"
    )


def user(identifier, **values):
    return f'<userTask id="{identifier}" name="{identifier}">{properties(**values) if values else ""}</userTask>'


def timer(identifier, on, text, interrupting=False, kind="timeDuration", **values):
    return (
        f'<boundaryEvent id="{identifier}" attachedToRef="{on}" cancelActivity="{str(interrupting).lower()}">'
        f"{properties(**values) if values else ''}<timerEventDefinition><{kind}>{text}</{kind}></timerEventDefinition>"
        "</boundaryEvent>"
    )


def caught(identifier, message, variable="", on=None, interrupting=True, **values):
    extension = properties(**values).replace("</extensionElements>", "") if values else "<extensionElements>"
    if variable:
        extension += f"<spiffworkflow:messageVariable>{variable}</spiffworkflow:messageVariable>"
    extension += "</extensionElements>"
    inner = f'{extension}<messageEventDefinition messageRef="{message.replace(".", "_")}"/>'
    if on is None:
        return f'<intermediateCatchEvent id="{identifier}">{inner}</intermediateCatchEvent>'
    flag = str(interrupting).lower()
    return f'<boundaryEvent id="{identifier}" attachedToRef="{on}" cancelActivity="{flag}">{inner}</boundaryEvent>'


def sent(identifier, message, payload="", **values):
    extension = properties(**values).replace("</extensionElements>", "") if values else "<extensionElements>"
    if payload:
        extension += f"<spiffworkflow:messagePayload>{payload}</spiffworkflow:messagePayload>"
    return (
        f'<intermediateThrowEvent id="{identifier}">{extension}</extensionElements>'
        f'<messageEventDefinition messageRef="{message.replace(".", "_")}"/></intermediateThrowEvent>'
    )


def nodes(tag, *identifiers):
    return "".join(f'<{tag} id="{one}"/>' for one in identifiers)


def script(identifier, text):
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    return f'<scriptTask id="{identifier}"><script>{text}</script></scriptTask>'


ENDS = '<startEvent id="s"/><endEvent id="e"/>'

# -- people -----------------------------------------------------------------------------------------------------------


def owners(kind, *sources):
    return "".join(
        f"<{kind}><resourceAssignmentExpression><formalExpression>{one}</formalExpression>"
        f"</resourceAssignmentExpression></{kind}>"
        for one in sources
    )


def asked(*owned, lanes=None, **values):
    body = ENDS + f'<userTask id="ask" name="问">{properties(**values) if values else ""}{"".join(owned)}</userTask>'
    return bundle("f", body + flows("s -> ask -> e"), lanes=lanes)


def test_a_task_without_owners_is_offered_to_the_role_of_its_lane():
    task = play(asked(lanes={"agent": ["ask"]})).task("ask")
    assert (task.assignee, task.candidates, task.lane, task.priority) == (None, ["role:agent"], "agent", 3)


@pytest.mark.parametrize(
    ("expression", "assignee"),
    [("opened_by", "1001"), ('"user:" + opened_by', "1001"), ('""', None), ("None", None), ('["user:1001"]', "1001")],
)
def test_a_performer_is_one_user_or_nobody(expression, assignee):
    made = asked(owners("humanPerformer", expression))
    assert play(made, data={"opened_by": "1001"}).task("ask").assignee == assignee


def test_a_group_is_no_performer():
    with pytest.raises(StepFailed) as failure:
        play(asked(owners("humanPerformer", '"group:night"')))
    assert (failure.value.element, failure.value.retryable) == ("ask", False)


def test_owners_deadlines_and_title_are_computed_once_when_the_task_opens():
    made = asked(
        owners("potentialOwner", '"group:" + group', '["role:supervisor", "leader:" + group]'),
        dueDate="clock_time(4)",
        remindAt='clock_time("PT3H")',
        priority="1 if urgent else 3",
        exclude="opened_by",
        title="{{ ticket }} · {{ group }}",
        about='"answer"',
    )
    data = {"group": "g7", "urgent": True, "opened_by": "1001", "ticket": "T9"}
    one = play(made, data=data)
    first = one.task("ask")
    assert first.candidates == ["group:g7", "role:supervisor", "leader:g7"]
    assert (first.due_at, first.remind_at) == (after("PT4H"), after("PT3H"))
    assert (first.priority, first.exclude, first.title, first.about) == (1, ["1001"], "T9 · g7", "answer")
    one.now = after("PT2H")
    one.give(Run())
    assert one.task("ask") == first


def test_a_deadline_in_working_hours_asks_the_calendar():
    class NightClosed(AlwaysOpen):
        def add_business(self, start, hours):
            return start + timedelta(hours=hours + 12)

    one = play(asked(dueDate="business_time(4)"), calendar=NightClosed())
    assert one.task("ask").due_at == after("PT16H")


def test_only_the_forms_flow_fields_enter_the_process_data():
    schema = {"type": "object", "properties": {"ok": {"type": "boolean", "x-flow": True}, "phone": {"type": "string"}}}
    body = ENDS + user("ask", formJsonSchemaFilename="f.ask.json") + flows("s -> ask -> e")
    one = play(bundle("f", body, forms={"f.ask": schema}))
    assert one.complete("ask", ok=True, phone="13800000000").data == {"ok": True}
    assert b"138" not in one.outcome.state


def test_a_task_can_be_completed_once():
    one = play(bundle("f", ENDS + user("a") + user("b") + flows("s -> a -> b -> e")))
    first = one.task("a").id
    one.complete("a")
    with pytest.raises(StimulusRefused) as refusal:
        one.give(Complete(first))
    assert refusal.value.code == "not_open"
    assert one.open == ["b"]


# -- time -------------------------------------------------------------------------------------------------------------


def reminded(text="PT2H", interrupting=False, kind="timeDuration", **values):
    body = ENDS + user("ask") + user("chase") + timer("late", "ask", text, interrupting, kind, **values)
    return bundle("f", body + nodes("endEvent", "e2") + flows("s -> ask -> e", "late -> chase -> e2"))


def test_a_timer_fires_at_its_moment_and_not_before():
    one = play(reminded())
    [due] = one.outcome.timers
    assert due.due_at == after("PT2H")
    assert due.attached_to == one.task("ask").id
    one.now = due.due_at - timedelta(microseconds=1)
    with pytest.raises(StimulusRefused) as refusal:
        one.give(Due(due.id))
    assert refusal.value.code == "not_due"
    one.now = due.due_at
    one.give(Due(due.id))
    assert one.open == ["ask", "chase"]
    with pytest.raises(StimulusRefused):
        one.give(Due(due.id))


def test_an_interrupting_timer_takes_the_task_away():
    one = play(reminded(interrupting=True))
    gone = one.task("ask").id
    one.forward("PT2H")
    assert one.open == ["chase"]
    assert [s.task_id for s in one.trail if s.action == "cancelled"] == [gone]
    with pytest.raises(StimulusRefused):
        one.give(Complete(gone))


def test_completing_the_task_stops_its_timer():
    one = play(reminded())
    one.complete("ask")
    assert (one.outcome.status, one.outcome.timers, one.ends) == ("completed", [], ["e"])


def test_the_side_branch_outlives_the_task_it_began_at():
    one = play(reminded())
    one.forward("PT2H")
    one.complete("ask")
    assert (one.outcome.status, one.open) == ("running", ["chase"])
    one.complete("chase")
    assert one.outcome.status == "completed"


@pytest.mark.parametrize("text", ["clock_time(2)", '"2026-11-23T19:00:00+08:00"', "2026-11-23T11:00:00Z"])
def test_a_date_timer_is_an_instant_with_offset(text):
    assert play(reminded(text, kind="timeDate")).outcome.timers[0].due_at == after("PT2H")


@pytest.mark.parametrize("text", ['""', "None", "get(deadlines, 'x')"])
def test_a_date_timer_without_a_date_never_fires(text):
    one = play(reminded(text, kind="timeDate"))
    assert one.outcome.timers == []
    one.complete("ask")
    assert one.outcome.status == "completed"


@pytest.mark.parametrize("text", ['"2026-11-23T19:00:00"', "5", "-3", '"tomorrow"'])
def test_a_date_without_offset_is_an_error_at_its_element(text):
    with pytest.raises(StepFailed) as failure:
        play(reminded(text, kind="timeDate"))
    assert failure.value.element == "late"


def test_a_cycle_fires_as_often_as_it_says_and_its_branches_stay():
    one = play(reminded("R3/PT4H", kind="timeCycle"))
    for round_ in (1, 2, 3):
        one.forward("PT4H")
        assert one.open == ["ask"] + ["chase"] * round_
    assert one.outcome.timers == []
    one.forward("P2D")
    one.complete("ask")
    assert one.open == ["chase"] * 3


def test_a_cycle_that_slept_does_not_fire_all_its_rounds_at_once():
    one = play(reminded("R3/PT4H", kind="timeCycle"))
    one.now = after("PT13H")
    one.give(Run())
    assert one.open == ["ask", "chase"]
    assert one.outcome.timers[0].due_at == after("PT17H")


def test_a_cycle_a_little_late_keeps_its_rhythm():
    one = play(reminded("R3/PT4H", kind="timeCycle"))
    one.now = after("PT4H3M")
    one.give(Run())
    assert one.outcome.timers[0].due_at == after("PT8H")


@pytest.mark.req("X-12")
def test_a_duration_may_count_working_hours():
    class Slow(AlwaysOpen):
        def add_business(self, start, hours):
            return start + timedelta(hours=10 * hours)

    assert play(reminded(time="business"), calendar=Slow()).outcome.timers[0].due_at == after("PT20H")


@pytest.mark.req("X-12")
def test_a_moved_timer_fires_at_the_new_moment_and_takes_the_deadline_along():
    body = (
        ENDS
        + user("ask", dueDate="clock_time(2)")
        + user("chase")
        + timer("late", "ask", "clock_time(2)", kind="timeDate")
    )
    one = play(bundle("f", body + nodes("endEvent", "e2") + flows("s -> ask -> e", "late -> chase -> e2")))
    one.reschedule("late", after("PT6H"))
    assert one.outcome.timers[0].due_at == after("PT6H") == one.task("ask").due_at
    assert "rescheduled" in [s.action for s in one.trail]
    one.forward("PT5H")
    assert one.open == ["ask"]
    one.forward("PT1H")
    assert one.open == ["ask", "chase"]


def test_a_timer_cannot_be_moved_to_a_moment_without_offset():
    one = play(reminded())
    with pytest.raises(ValueError):
        one.give(Reschedule(one.outcome.timers[0].id, MONDAY.replace(tzinfo=None)))


@pytest.mark.req("X-25")
def test_a_step_refuses_a_clock_without_offset():
    with pytest.raises(ValueError):
        play(reminded(), now=MONDAY.replace(tzinfo=None))


# -- messages ---------------------------------------------------------------------------------------------------------


def paid(**values):
    body = ENDS + caught("paid", "payment.done", "payment", **values) + flows("s -> paid -> e")
    return bundle("f", body, messages=["payment.done"])


@pytest.mark.req("X-13")
def test_a_message_reaches_only_the_catch_it_is_addressed_to():
    one = play(paid(key__request="request", key__kind="'deposit'"), data={"request": "R1"})
    [waiting] = one.outcome.awaited
    assert (waiting.name, waiting.keys, waiting.subject) == ("payment.done", {"request": "R1", "kind": "deposit"}, None)
    assert not one.deliver("payment.done", key="R1")
    assert not one.deliver("payment.done", request="R2", kind="deposit")
    assert not one.deliver("payment.done", request="R1")
    assert not one.deliver("payment.done", business_key="ticket:T2", request="R1", kind="deposit")
    assert one.outcome.status == "running"
    assert one.deliver("payment.done", {"amount": 5}, request="R1", kind="deposit")
    assert (one.outcome.status, one.outcome.data["payment"]) == ("completed", {"amount": 5})


def test_another_messages_name_is_refused_at_the_door():
    one = play(paid())
    with pytest.raises(StimulusRefused) as refusal:
        one.give(Deliver(one.outcome.awaited[0].id, "payment.failed"))
    assert refusal.value.code == "not_addressed"


@pytest.mark.req("X-13")
def test_an_early_message_finds_nobody_and_a_second_one_comes_too_late():
    body = ENDS + user("ask") + caught("paid", "payment.done") + flows("s -> ask -> paid -> e")
    one = play(bundle("f", body, messages=["payment.done"]))
    assert not one.deliver("payment.done")
    one.complete("ask")
    identifier = one.outcome.awaited[0].id
    assert one.deliver("payment.done")
    with pytest.raises(StimulusRefused) as refusal:
        one.give(Deliver(identifier, "payment.done"))
    assert refusal.value.code == "ended"


def test_a_subject_wait_is_told_with_its_subject_and_an_empty_one_is_nobodys():
    made = paid(subject="'customer:' + customer")
    assert play(made, data={"customer": "812"}).outcome.awaited[0].subject == "customer:812"
    assert play(made, data={"customer": ""}).outcome.awaited == []


def test_keys_are_fixed_when_the_wait_begins():
    body = ENDS + nodes("parallelGateway", "p", "j") + caught("paid", "payment.done", key__r="r") + user("ask")
    body += script("change", "r = 'R2'") + flows("s -> p -> paid -> j -> e", "p -> ask -> change -> j")
    one = play(bundle("f", body, messages=["payment.done"]), data={"r": "R1"})
    one.complete("ask")
    assert one.outcome.awaited[0].keys == {"r": "R1"}


def test_a_message_inside_the_instance_never_leaves_it():
    body = ENDS + nodes("parallelGateway", "p", "j") + caught("got", "note", "note", key__who="'bob'")
    body += sent("say", "note", "{'text': 'hi'}", key__who="'bob'") + flows("s -> p -> got -> j -> e", "p -> say -> j")
    one = play(bundle("f", body, messages=["note"]))
    assert (one.outcome.status, one.thrown, one.outcome.data["note"]) == ("completed", [], {"text": "hi"})


def test_a_message_for_somebody_else_goes_out_with_its_address():
    body = ENDS + nodes("parallelGateway", "p", "j") + caught("got", "note", key__who="'bob'")
    body += sent("say", "note", "{'n': 1}", key__who="'eve'") + flows("s -> p -> got -> j -> e", "p -> say -> j")
    one = play(bundle("f", body, messages=["note"]))
    [thrown] = one.thrown
    assert (thrown.name, thrown.keys, thrown.payload, thrown.business_key) == (
        "note",
        {"who": "eve"},
        {"n": 1},
        "ticket:T1",
    )
    assert one.waiting == ["got"]


def test_a_message_for_another_ticket_is_not_kept():
    body = ENDS + nodes("parallelGateway", "p", "j") + caught("got", "note")
    body += sent("say", "note", businessKey="'ticket:T2'") + flows("s -> p -> got -> j -> e", "p -> say -> j")
    one = play(bundle("f", body, messages=["note"]))
    assert one.thrown[0].business_key == "ticket:T2"
    assert one.waiting == ["got"]


def test_a_non_interrupting_message_is_taken_each_time_it_comes():
    body = ENDS + user("ask") + caught("again", "outbound.again", "call", "ask", False) + script("count", "n = n + 1")
    body += nodes("endEvent", "e2") + flows("s -> ask -> e", "again -> count -> e2")
    one = play(bundle("f", body, messages=["outbound.again"]), data={"n": 0})
    for n in (1, 2, 3):
        assert one.deliver("outbound.again", {"n": n})
        assert (one.outcome.data["n"], one.outcome.data["call"], one.open) == (n, {"n": n}, ["ask"])
    one.complete("ask")
    assert (one.outcome.status, one.outcome.awaited) == ("completed", [])


def test_an_interrupting_message_brings_the_task_back_under_a_new_owner():
    body = ENDS + f'<userTask id="x">{owners("humanPerformer", "assignee")}</userTask>'
    body += caught("moved", "task.reassigned", "to", "x", True, key__element="'x'") + script(
        "set", "assignee = to['assignee']"
    )
    one = play(
        bundle("f", body + flows("s -> x -> e", "moved -> set -> x"), messages=["task.reassigned"]),
        data={"assignee": "1"},
    )
    former = one.task("x").id
    assert one.deliver("task.reassigned", {"assignee": "2"}, element="x")
    assert (one.task("x").assignee, one.open) == ("2", ["x"])
    assert one.task("x").id != former
    assert one.deliver("task.reassigned", {"assignee": "3"}, element="x")
    assert one.task("x").assignee == "3"
    one.complete("x")
    assert one.outcome.status == "completed"


GATE = ENDS + nodes("eventBasedGateway", "g") + caught("paid", "payment.done", "payment", key__r="'1'")
GATE += caught("dropped", "payment.dropped") + nodes("endEvent", "e2", "e3")
GATE += '<intermediateCatchEvent id="late"><timerEventDefinition><timeDuration>PT30M</timeDuration></timerEventDefinition></intermediateCatchEvent>'
GATE += flows("s -> g -> paid -> e", "g -> dropped -> e2", "g -> late -> e3")


@pytest.mark.parametrize(
    ("act", "end"),
    [
        (lambda one: one.deliver("payment.done", {"n": 1}, r="1"), "e"),
        (lambda one: one.deliver("payment.dropped"), "e2"),
        (lambda one: one.forward("PT30M"), "e3"),
    ],
)
def test_behind_an_event_gateway_the_first_event_wins(act, end):
    one = play(bundle("f", GATE, messages=["payment.done", "payment.dropped"]))
    assert one.waiting == ["dropped", "late", "paid"]
    assert len({a.id for a in one.outcome.awaited} | {t.id for t in one.outcome.timers}) == 1
    act(one)
    assert (one.outcome.status, one.ends, one.outcome.awaited, one.outcome.timers) == ("completed", [end], [], [])
    assert one.outcome.data == ({"payment": {"n": 1}} if end == "e" else {})


# -- gateways, loops, data --------------------------------------------------------------------------------------------


def test_an_exclusive_gateway_takes_one_way_and_none_is_an_error_at_the_gateway():
    body = (
        ENDS
        + nodes("exclusiveGateway", "g")
        + nodes("endEvent", "big")
        + flows("s -> g -> e [n < 10]", "g -> big [n > 100]")
    )
    made = bundle("f", body)
    assert play(made, data={"n": 500}).ends == ["big"]
    with pytest.raises(StepFailed) as failure:
        play(made, data={"n": 50})
    assert failure.value.element == "g"


def test_branches_see_each_others_writes_and_a_join_loses_none():
    body = ENDS + nodes("parallelGateway", "p", "j") + script("one", "x = x + 1") + user("b") + user("c")
    body += script("seen", "saw = x")
    one = play(bundle("f", body + flows("s -> p -> one -> c -> j -> seen -> e", "p -> b -> j")), data={"x": 1})
    one.complete("c", x=7)
    one.complete("b")
    assert one.outcome.data["saw"] == 7


@pytest.mark.parametrize("order", [["a", "b", "b", "a"], ["b", "a", "a", "b"], ["a", "b", "a", "b"]])
def test_a_parallel_join_in_a_loop_waits_for_both_branches_in_every_round(order):
    """The library joins early in round two when the branches arrive in the other order."""
    body = ENDS + nodes("exclusiveGateway", "m") + nodes("parallelGateway", "p", "j") + user("a") + user("b")
    body += script("count", "n = n + 1") + '<exclusiveGateway id="more" default="more_e"/>'
    body += flows("s -> m -> p -> a -> j -> count -> more -> e", "p -> b -> j", "more -> m [n < 2]")
    one = play(bundle("f", body), data={"n": 0})
    for index, element in enumerate(order):
        assert one.outcome.data["n"] == index // 2
        one.complete(element)
    assert (one.outcome.status, one.outcome.data["n"]) == ("completed", 2)


def test_a_parallel_join_counts_tokens_per_flow():
    """Two tokens on one way and one on the other are one round and a half."""
    body = ENDS + nodes("parallelGateway", "p", "j") + nodes("exclusiveGateway", "ma", "mb")
    body += user("a1") + user("a2") + user("b1") + user("b2") + script("count", "n = n + 1")
    one = play(
        bundle(
            "f",
            body
            + flows("s -> p -> a1 -> ma -> j -> count -> e", "p -> a2 -> ma", "p -> b1 -> mb -> j", "p -> b2 -> mb"),
        ),
        data={"n": 0},
    )
    for element, rounds in (("a1", 0), ("a2", 0), ("b1", 1), ("b2", 2)):
        one.complete(element)
        assert one.outcome.data["n"] == rounds
    assert one.outcome.status == "completed"


def test_an_inclusive_join_waits_only_for_the_branches_that_were_taken():
    body = (
        ENDS
        + '<inclusiveGateway id="o" default="o_c"/>'
        + nodes("inclusiveGateway", "j")
        + user("a")
        + user("b")
        + user("c")
    )
    body += user("z") + flows(
        "s -> o -> a [x > 0] ", "o -> b [x > 1]", "o -> c", "a -> j -> z -> e", "b -> j", "c -> j"
    )
    made = bundle("f", body)
    one = play(made, data={"x": 2})
    assert one.open == ["a", "b"]
    one.complete("b")
    assert one.open == ["a"]
    one.complete("a")
    assert one.open == ["z"]
    one = play(made, data={"x": 0})
    one.complete("c")
    assert one.open == ["z"]


def test_a_terminate_end_closes_everything_open():
    body = ENDS + nodes("parallelGateway", "p") + user("a") + user("b")
    body += '<endEvent id="t"><terminateEventDefinition/></endEvent>' + flows("s -> p -> a -> t", "p -> b -> e")
    one = play(bundle("f", body))
    one.complete("a")
    assert (one.outcome.status, one.open, one.ends) == ("completed", [], ["t"])
    assert one.did("cancelled") == ["b"]


def test_a_long_loop_costs_no_more_at_its_end_than_at_its_beginning():
    body = ENDS + nodes("exclusiveGateway", "m") + user("a") + script("count", "n = n + 1")
    body += '<exclusiveGateway id="g" default="g_m"/>' + flows("s -> m -> a -> count -> g -> m", "g -> e [n >= 300]")
    one = play(bundle("f", body), data={"n": 0})
    sizes = []
    while one.outcome.status == "running":
        one.complete("a")
        sizes.append(len(one.outcome.state))
    assert one.outcome.data["n"] == 300
    assert max(sizes) - sizes[3] < 64


def test_an_endless_loop_stops_at_the_budget():
    body = (
        ENDS
        + nodes("exclusiveGateway", "m")
        + script("count", "n = n + 1")
        + '<exclusiveGateway id="g" default="g_m"/>'
    )
    with pytest.raises(StepFailed, match="endless loop"):
        play(bundle("f", body + flows("s -> m -> count -> g -> m", "g -> e [n < 0]")), data={"n": 0})


def test_process_data_cannot_grow_without_bound():
    body = (
        ENDS
        + nodes("exclusiveGateway", "m")
        + script("grow", "x = [x, x]")
        + '<exclusiveGateway id="g" default="g_m"/>'
    )
    with pytest.raises(StepFailed, match="too big"):
        play(bundle("f", body + flows("s -> m -> grow -> g -> m", "g -> e [x == 0]")), data={"x": 1})


# -- calls and sub-processes ------------------------------------------------------------------------------------------

CALLEE = ENDS + user("look") + script("say", "answer = question + '!'\nlocal = 1") + flows("s -> look -> say -> e")


def test_a_called_flow_sees_a_copy_and_brings_back_what_it_wrote():
    body = ENDS + '<callActivity id="c" calledElement="sub"/>' + user("then") + flows("s -> c -> then -> e")
    one = play(
        bundle("f", body, calls={"sub": diagram("sub", CALLEE, lanes={"clinic": ["look"]})}), data={"question": "q"}
    )
    assert (one.task("look").process, one.task("look").lane) == ("sub", "clinic")
    one.complete("look")
    assert one.open == ["then"]
    assert one.outcome.data == {"question": "q", "answer": "q!", "local": 1}
    assert "c" in one.did("entered")


def test_a_called_flow_does_not_undo_what_the_caller_wrote_meanwhile():
    body = ENDS + nodes("parallelGateway", "p", "j") + '<callActivity id="c" calledElement="sub"/>' + user("b")
    made = bundle("f", body + flows("s -> p -> c -> j -> e", "p -> b -> j"), calls={"sub": diagram("sub", CALLEE)})
    one = play(made, data={"question": "q", "x": 1})
    one.complete("b", x=2)
    one.complete("look")
    assert (one.outcome.data["x"], one.outcome.data["answer"]) == (2, "q!")


def test_an_interrupted_call_takes_its_open_tasks_with_it():
    body = (
        ENDS + '<callActivity id="c" calledElement="sub"/>' + timer("late", "c", "PT1H", True) + nodes("endEvent", "e2")
    )
    made = bundle("f", body + flows("s -> c -> e", "late -> e2"), calls={"sub": diagram("sub", CALLEE)})
    one = play(made, data={"question": "q"})
    one.forward("PT1H")
    assert (one.outcome.status, one.open, one.ends) == ("completed", [], ["e2"])
    assert sorted(one.did("cancelled")) == ["c", "look"]


def test_a_message_on_the_sub_process_ends_whatever_is_open_inside():
    inner = (
        '<subProcess id="sub"><startEvent id="ss"/><endEvent id="se"/>'
        + user("a")
        + user("b")
        + flows("ss -> a -> b -> se")
        + "</subProcess>"
    )
    body = (
        ENDS
        + inner
        + caught("wish", "withdrawn", "", "sub")
        + nodes("endEvent", "e2")
        + flows("s -> sub -> e", "wish -> e2")
    )
    one = play(bundle("f", body, messages=["withdrawn"]))
    one.complete("a")
    assert one.deliver("withdrawn")
    assert (one.outcome.status, one.ends) == ("completed", ["e2"])


def test_an_error_end_inside_is_caught_at_the_border_once():
    inner = (
        '<subProcess id="sub"><startEvent id="ss"/>'
        + user("a")
        + '<endEvent id="bad"><errorEventDefinition errorRef="broke"/></endEvent>'
    )
    inner += flows("ss -> a -> bad") + "</subProcess>"
    body = ENDS + inner + user("repair") + user("normal")
    body += '<boundaryEvent id="caught" attachedToRef="sub"><errorEventDefinition errorRef="broke"/></boundaryEvent>'
    one = play(bundle("f", body + flows("s -> sub -> normal -> e", "caught -> repair -> e"), errors=["broke"]))
    one.complete("a")
    assert one.open == ["repair"]
    one.complete("repair")
    assert one.ends == ["bad", "e"]


def test_an_error_of_a_called_flow_comes_out_at_the_call():
    callee = (
        '<startEvent id="s"/>'
        + user("a")
        + '<endEvent id="bad"><errorEventDefinition errorRef="broke"/></endEvent>'
        + flows("s -> a -> bad")
    )
    body = ENDS + '<callActivity id="c" calledElement="sub"/>' + user("repair")
    body += '<boundaryEvent id="caught" attachedToRef="c"><errorEventDefinition/></boundaryEvent>'
    made = bundle(
        "f",
        body + flows("s -> c -> e", "caught -> repair -> e"),
        calls={"sub": diagram("sub", callee, errors=["broke"])},
    )
    one = play(made)
    one.complete("a")
    assert one.open == ["repair"]


def test_each_reviewer_answers_once_and_the_answers_come_together():
    loop = (
        "<multiInstanceLoopCharacteristics{}><loopDataInputRef>reviewers</loopDataInputRef>"
        '<loopDataOutputRef>votes</loopDataOutputRef><inputDataItem id="reviewer"/><outputDataItem id="vote"/>'
        "</multiInstanceLoopCharacteristics>"
    )
    for mode, expected in (("", ["review"] * 3), (' isSequential="true"', ["review"])):
        task = f'<userTask id="review">{owners("humanPerformer", "reviewer")}{loop.format(mode)}</userTask>'
        one = play(
            bundle("f", ENDS + task + flows("s -> review -> e")), data={"reviewers": ["1", "2", "3"], "votes": ["old"]}
        )
        assert one.open == expected
        for vote in (True, False, True):
            one.complete("review", vote=vote)
        assert (one.outcome.status, one.outcome.data["votes"]) == ("completed", [True, False, True])
        assert "reviewer" not in one.outcome.data


def test_nobody_to_ask_is_an_empty_answer():
    loop = (
        "<multiInstanceLoopCharacteristics><loopDataInputRef>r</loopDataInputRef><loopDataOutputRef>votes"
        '</loopDataOutputRef><inputDataItem id="x"/><outputDataItem id="vote"/></multiInstanceLoopCharacteristics>'
    )
    body = ENDS + f'<userTask id="review">{loop}</userTask>' + flows("s -> review -> e")
    one = play(bundle("f", body), data={"r": []})
    assert (one.outcome.status, one.outcome.data["votes"]) == ("completed", [])


# -- verbs ------------------------------------------------------------------------------------------------------------


def test_a_verb_gets_its_parameters_and_knows_who_calls():
    seen = []
    made = Registry()

    @verb(
        "tickets.close",
        params={"properties": {"outcome": {"type": "string"}}, "required": ["outcome"]},
        result={"properties": {"closed": {"type": "boolean"}}},
        registry=made,
    )
    def close(context, *, outcome):
        seen.append((outcome, context.element, context.business_key, context.now, context.submission, context.actor))
        return {"closed": True}

    body = ENDS + service("close", "tickets.close", "result", outcome="'done'") + flows("s -> close -> e")
    one = play(bundle("f", body), made, context={"submission": "S", "actor": "alice"})
    assert one.outcome.data["result"] == {"closed": True}
    assert seen == [("done", "close", "ticket:T1", MONDAY, "S", "alice")]


def refusing(code):
    def refuse(context):
        raise VerbRefused(code)

    return refuse


FALLBACK = (
    ENDS
    + service("send", "messaging.send")
    + user("call")
    + '<boundaryEvent id="no" attachedToRef="send"><errorEventDefinition errorRef="gone"/></boundaryEvent>'
)
FALLBACK += flows("s -> send -> e", "no -> call -> e")


def test_a_refusal_is_caught_where_it_is_drawn():
    one = play(bundle("f", FALLBACK, errors=["gone"]), registry(messaging__send=refusing("gone")))
    assert one.open == ["call"]
    one.complete("call")
    assert one.outcome.status == "completed"


def test_a_refusal_nobody_drew_stops_the_step():
    with pytest.raises(StepFailed) as failure:
        play(bundle("f", FALLBACK, errors=["gone"]), registry(messaging__send=refusing("other")))
    assert (failure.value.element, failure.value.retryable) == ("send", False)
    assert failure.value.cause.code == "other"


def test_a_refusal_is_not_caught_by_a_neighbour():
    body = ENDS + nodes("parallelGateway", "p", "j") + user("a") + user("b")
    body += (
        '<subProcess id="sub"><startEvent id="ss"/><endEvent id="se"/>'
        + user("in")
        + flows("ss -> in -> se")
        + "</subProcess>"
    )
    body += '<boundaryEvent id="no" attachedToRef="sub"><errorEventDefinition errorRef="gone"/></boundaryEvent>'
    body += service("send", "messaging.send") + flows("s -> p -> sub -> j -> e", "p -> b -> send -> j", "no -> a -> e")
    one = play(bundle("f", body, errors=["gone"]), registry(messaging__send=refusing("gone")))
    with pytest.raises(StepFailed):
        one.complete("b")


def failing(context):
    raise ConnectionError("busy")


STEPS = ENDS + user("ask") + service("first", "a.one", "one") + service("second", "a.two", "two")
STEPS += user("then") + flows("s -> ask -> first -> second -> then -> e")


@pytest.mark.req("X-14")
def test_the_checkpoint_keeps_the_answer_when_a_verb_fails_and_run_goes_on_later():
    definition = parse(bundle("f", STEPS))
    good, bad = (
        registry(a__one=lambda c: {"n": 1}, a__two=lambda c: {}),
        registry(a__one=lambda c: {"n": 1}, a__two=failing),
    )
    one = play(definition, good)
    answer = Complete(one.task("ask").id, {"ok": True})
    with pytest.raises(StepFailed) as failure:
        step(definition, one.outcome.state, answer, MONDAY, bad)
    assert (failure.value.element, failure.value.retryable) == ("second", True)
    checkpoint = step(definition, one.outcome.state, answer, MONDAY, bad, run=False)
    assert (checkpoint.tasks, checkpoint.data, checkpoint.status) == ([], {"ok": True}, "running")
    with pytest.raises(StepFailed) as again:
        step(definition, checkpoint.state, Run(), MONDAY, bad)
    assert again.value.task_id == failure.value.task_id
    outcome = step(definition, checkpoint.state, Run(), MONDAY, good)
    assert [task.element for task in outcome.tasks] == ["then"]
    with pytest.raises(StimulusRefused):
        step(definition, checkpoint.state, answer, MONDAY, good)


@pytest.mark.req("X-14")
def test_a_failing_verb_can_be_skipped_with_a_result_in_its_place():
    definition = parse(bundle("f", STEPS))
    bad = registry(a__one=lambda c: {"n": 1}, a__two=failing)
    one = play(definition, bad)
    checkpoint = step(definition, one.outcome.state, Complete(one.task("ask").id), MONDAY, bad, run=False)
    with pytest.raises(StepFailed) as failure:
        step(definition, checkpoint.state, Run(), MONDAY, bad)
    outcome = step(definition, checkpoint.state, Skip(failure.value.task_id, {"two": {"ok": False}}), MONDAY, bad)
    assert ([t.element for t in outcome.tasks], outcome.data["two"]) == (["then"], {"ok": False})
    assert [s.element for s in outcome.trail if s.action == "skipped"] == ["second"]


def test_a_person_or_a_stranger_cannot_be_skipped():
    one = play(bundle("f", STEPS), registry())
    for identifier in (one.task("ask").id, "nobody"):
        with pytest.raises(StimulusRefused) as refusal:
            one.give(Skip(identifier))
        assert refusal.value.code == "not_skippable"


def test_run_false_evaluates_nothing_that_follows():
    """A broken timer right behind the task must not cost the agent the form."""
    body = (
        ENDS
        + user("ask")
        + '<intermediateCatchEvent id="w"><timerEventDefinition><timeDate>nowhere</timeDate></timerEventDefinition></intermediateCatchEvent>'
    )
    definition = parse(bundle("f", body + flows("s -> ask -> w -> e")))
    one = play(definition)
    checkpoint = step(
        definition, one.outcome.state, Complete(one.task("ask").id, {"n": 1}), MONDAY, registry(), run=False
    )
    assert checkpoint.data == {"n": 1}
    with pytest.raises(StepFailed) as failure:
        step(definition, checkpoint.state, Run(), MONDAY, registry())
    assert failure.value.element == "w"


@pytest.mark.parametrize("stimulus", ["due", "deliver"])
def test_timers_and_messages_have_a_checkpoint_too(stimulus):
    definition = parse(bundle("f", GATE, messages=["payment.done", "payment.dropped"]))
    one = play(definition)
    now = after("PT30M")
    identifier = one.outcome.timers[0].id
    given = Due(identifier) if stimulus == "due" else Deliver(identifier, "payment.done", {"n": 2})
    checkpoint = step(definition, one.outcome.state, given, now, registry(), run=False)
    assert checkpoint.status == "running"
    outcome = step(definition, checkpoint.state, Run(), MONDAY if stimulus == "deliver" else now, registry())
    assert outcome.ends == ["e3" if stimulus == "due" else "e"]


def test_an_interrupting_message_in_the_checkpoint_closes_the_task_to_its_owner():
    body = ENDS + '<subProcess id="sub"><startEvent id="ss"/><endEvent id="se"/>' + user("a") + flows("ss -> a -> se")
    body += "</subProcess>" + caught("wish", "withdrawn", "", "sub") + service("tell", "a.one")
    made = bundle("f", body + flows("s -> sub -> e", "wish -> tell -> e"), messages=["withdrawn"])
    one = play(made, registry(a__one=failing))
    task = one.task("a").id
    with pytest.raises(StepFailed):
        one.deliver("withdrawn")
    assert one.open == []
    with pytest.raises(StimulusRefused):
        one.give(Complete(task))
    one.verbs = registry(a__one=lambda context: {})
    one.give(Run())
    assert (one.outcome.status, one.ends) == ("completed", ["e"])


@pytest.mark.parametrize("number", ["1000000000", "-1", "'abc'", "2.5", "True", "None"])
def test_a_multi_instance_activity_has_a_bearable_number_of_instances(number):
    loop = f"<multiInstanceLoopCharacteristics><loopCardinality>{number}</loopCardinality></multiInstanceLoopCharacteristics>"
    with pytest.raises(StepFailed) as failure:
        play(bundle("f", ENDS + f'<userTask id="r">{loop}</userTask>' + flows("s -> r -> e")))
    assert failure.value.element == "r"


def test_a_text_is_no_list_to_go_through():
    loop = (
        "<multiInstanceLoopCharacteristics><loopDataInputRef>who</loopDataInputRef></multiInstanceLoopCharacteristics>"
    )
    with pytest.raises(StepFailed):
        play(bundle("f", ENDS + f'<userTask id="r">{loop}</userTask>' + flows("s -> r -> e")), data={"who": "abc"})


def test_a_start_has_a_checkpoint():
    definition = parse(bundle("f", ENDS + service("first", "a.one") + flows("s -> first -> e")))
    with pytest.raises(StepFailed):
        start(definition, data={}, now=MONDAY, verbs=registry(a__one=failing), business_key="k")
    kept = start(definition, data={}, now=MONDAY, verbs=registry(a__one=failing), business_key="k", run=False)
    assert step(definition, kept.state, Run(), MONDAY, registry(a__one=lambda c: {})).status == "completed"


@pytest.mark.parametrize("result", [{"n": "one"}, {"other": 1}, [1], {"n": 1, "m": 2}])
def test_a_result_outside_the_declared_schema_is_no_result(result):
    made = Registry()
    made.register("a.one", lambda context: result, result={"properties": {"n": {"type": "integer"}}, "required": ["n"]})
    with pytest.raises(StepFailed) as failure:
        play(bundle("f", ENDS + service("first", "a.one") + flows("s -> first -> e")), made)
    assert not failure.value.retryable


TABLE = """
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d">
<decision id="rank"><decisionTable id="t" hitPolicy="{policy}">
  <input id="i1"><inputExpression id="x1"><text>amount</text></inputExpression></input>
  <input id="i2"><inputExpression id="x2"><text>kind</text></inputExpression></input>
  <output id="o" name="level"/>
  <rule id="r1">
    <inputEntry id="a1"><text>&gt; 1000</text></inputEntry><inputEntry id="a2"><text>"x", "y"</text></inputEntry>
    <outputEntry id="a3"><text>"high"</text></outputEntry></rule>
  <rule id="r2">
    <inputEntry id="b1"><text>10 &lt;= ? &lt; 100</text></inputEntry><inputEntry id="b2"><text>-</text></inputEntry>
    <outputEntry id="b3"><text>"mid"</text></outputEntry></rule>
  <rule id="r3">
    <inputEntry id="c1"><text></text></inputEntry><inputEntry id="c2"><text>"x"</text></inputEntry>
    <outputEntry id="c3"><text>"low"</text></outputEntry></rule>
</decisionTable></decision></definitions>"""
RANKED = (
    ENDS
    + '<businessRuleTask id="rank"><extensionElements><spiffworkflow:calledDecisionId>rank'
    + "</spiffworkflow:calledDecisionId></extensionElements></businessRuleTask>"
    + flows("s -> rank -> e")
)


def ranked(policy, amount, kind):
    made = bundle("f", RANKED, files={"f/rank.dmn": TABLE.replace("{policy}", policy).encode()})
    return play(made, data={"amount": amount, "kind": kind}).outcome.data


def test_a_decision_table_writes_its_outputs():
    assert ranked("FIRST", 5000, "y")["level"] == "high"
    assert ranked("FIRST", 5000, "x")["level"] == "high"
    assert ranked("FIRST", 50, "z")["level"] == "mid"
    assert ranked("FIRST", 100, "x")["level"] == "low"
    assert "level" not in ranked("FIRST", 5, "q")
    assert ranked("COLLECT", 5000, "x")["level"] == ["high", "low"]


def test_a_table_that_promises_one_hit_does_not_choose_between_two():
    assert ranked("UNIQUE", 50, "z")["level"] == "mid"
    with pytest.raises(StepFailed) as failure:
        ranked("UNIQUE", 5000, "x")
    assert failure.value.element == "rank"


# -- the instance -----------------------------------------------------------------------------------------------------


def test_a_cancelled_instance_has_nothing_open_and_takes_nothing_more():
    one = play(reminded())
    outcome = one.give(Cancel("wrong ticket"))
    assert (outcome.status, outcome.tasks, outcome.timers, outcome.awaited) == ("cancelled", [], [], [])
    assert sorted(one.did("cancelled")) == ["ask", "late"]
    with pytest.raises(StimulusRefused):
        one.give(Run())


def test_the_trail_tells_the_way_with_its_sequence_flows():
    body = (
        ENDS
        + user("a")
        + '<exclusiveGateway id="g" default="g_e"/>'
        + nodes("endEvent", "x")
        + flows("s -> a -> g -> e", "g -> x [n > 1]")
    )
    one = play(bundle("f", body))
    one.complete("a", n=2)
    assert one.taken() == ["s_a", "a_g", "g_x"]
    assert [(s.element, s.action) for s in one.outcome.trail if s.action != "taken"] == [
        ("a", "completed"),
        ("g", "completed"),
        ("x", "end"),
    ]
    assert {s.at for s in one.trail} == {MONDAY}


def test_the_same_step_twice_gives_the_same_outcome():
    definition = parse(bundle("f", STEPS))
    verbs = registry(a__one=lambda c: {"n": 1}, a__two=lambda c: {})
    one = play(definition, verbs)
    given = Complete(one.task("ask").id, {"ok": True})
    assert step(definition, one.outcome.state, given, MONDAY, verbs) == step(
        definition, one.outcome.state, given, MONDAY, verbs
    )


def test_a_state_is_read_only_by_the_definition_that_made_it():
    one = play(reminded())
    with pytest.raises(StateError):
        step(parse(bundle("f", STEPS)), one.outcome.state, Run(), MONDAY, registry())
    for broken in (b"", b"{}", b"[9]", b"[1,2,3]", one.outcome.state.replace(b"[1,", b"[2,", 1)):
        with pytest.raises(StateError):
            step(one.definition, broken, Run(), MONDAY, registry())


@pytest.mark.parametrize("data", [{"x": float("nan")}, {"x": object()}, {"x": "a" * 20_000}, {1: 2}, {"x": 1 << 200}])
def test_answers_that_are_not_small_plain_data_are_refused(data):
    one = play(bundle("f", ENDS + user("a") + flows("s -> a -> e")))
    with pytest.raises(StimulusRefused) as refusal:
        one.give(Complete(one.task("a").id, data))
    assert refusal.value.code == "data_refused"


def test_two_failures_behind_each_other_can_both_be_skipped():
    definition = parse(bundle("f", STEPS))
    one = play(definition, registry(a__one=failing, a__two=failing))
    for element in ("first", "second"):
        with pytest.raises(StepFailed) as failure:
            one.complete("ask") if element == "first" else one.give(Skip(one.failed.task_id))
        assert failure.value.element == element
    one.give(Skip(one.failed.task_id))
    assert one.open == ["then"]
