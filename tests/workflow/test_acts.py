"""Claim, return, delegate, complete, undo: the row decides, nothing typed is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.exceptions import VerbFailed
from tests.workflow.cast import again, start, task
from web.accounts.models import AccessGrant, Notification
from web.common.errors import InvalidForm, NotAllowed
from web.jobs import services as jobs
from web.jobs.models import Incident, Job
from web.workflow import services as workflow
from web.workflow.models import Draft, History, ProcessInstance, Submission, UserTask
from web.workflow.services import hooks
from web.workflow.services.errors import CannotTake, TaskDone, TaskGone, TaskNotClaimed, TaskTaken, TooLate

pytestmark = pytest.mark.django_db
ANSWER = {"result": "solved", "note": "likes tea"}


def actions(instance: ProcessInstance, kind: str = "userTask") -> list[tuple[str, str | None]]:
    rows = History.objects.filter(instance=instance, kind=kind).exclude(action="taken").order_by("seq")
    return [(row.action, row.actor) for row in rows]


# -- completing --------------------------------------------------------------------------------------------------------
@pytest.mark.req("X-10", "X-11")
def test_answers_are_stored_at_once_and_move_the_flow_after_ten_seconds(cast, clock) -> None:
    instance = start("errand", cast.ann)
    todo = task(instance, "do")
    workflow.complete(todo, cast.ann, ANSWER)
    todo = again(todo)
    assert (todo.state, todo.ended_by, todo.undo_until) == (
        UserTask.DONE,
        cast.ann,
        clock.now() + timedelta(seconds=10),
    )
    assert Submission.objects.get(task=todo).data == ANSWER
    assert again(instance).status == ProcessInstance.RUNNING and cast.probe.calls == []
    clock.forward(seconds=9)
    jobs.sweep()
    assert cast.probe.calls == []
    clock.forward(seconds=1)
    jobs.sweep()
    instance = again(instance)
    assert (instance.status, instance.ends, again(todo).undo_until) == (ProcessInstance.COMPLETED, ["done"], None)
    assert instance.data["result"] == "solved" and "note" not in instance.data
    assert cast.probe.calls[0]["submission"].data == ANSWER and cast.probe.calls[0]["actor"] == cast.ann
    assert not Job.objects.filter(state__in=(Job.QUEUED, Job.RUNNING)).exists()


def test_without_waiting_the_flow_moves_now(cast) -> None:
    instance = start("errand", cast.ann)
    workflow.complete(task(instance, "do"), cast.ann, ANSWER, wait=False)
    assert again(instance).status == ProcessInstance.COMPLETED


def test_undo_within_ten_seconds_gives_the_task_and_the_typed_answers_back(cast, clock) -> None:
    instance = start("errand", cast.ann)
    todo = task(instance, "do")
    workflow.complete(todo, cast.ann, ANSWER)
    clock.forward(seconds=5)
    back = workflow.undo(todo, cast.ann)
    assert (back.state, back.assignee, back.undo_until, back.ended_by) == (UserTask.OPEN, cast.ann, None, None)
    assert Draft.objects.get(task=todo, user=cast.ann).data == ANSWER
    clock.forward(minutes=1)
    jobs.sweep()
    assert again(instance).status == ProcessInstance.RUNNING and again(todo).state == UserTask.OPEN
    workflow.complete(todo, cast.ann, {"result": "again"})
    assert Submission.objects.get(task=todo, is_undone=False).data == {"result": "again"}


def test_undo_is_too_late_after_ten_seconds_and_nobody_elses(cast, clock) -> None:
    todo = task(start("errand", cast.ann), "do")
    workflow.complete(todo, cast.ann, ANSWER)
    with pytest.raises(TooLate):
        workflow.undo(todo, cast.bob)
    clock.forward(seconds=10)
    with pytest.raises(TooLate):
        workflow.undo(todo, cast.ann)


def test_the_next_act_of_the_user_in_the_flow_runs_pending_answers_now(cast) -> None:
    instance = start("pair", cast.ann)
    left, right = task(instance, "left"), task(instance, "right")
    workflow.claim(left, cast.ann)
    workflow.claim(right, cast.ann)
    workflow.complete(left, cast.ann, {"a": 1})
    assert again(left).undo_until is not None
    workflow.complete(right, cast.ann, {"b": 2})
    assert again(left).undo_until is None and again(right).undo_until is not None
    assert workflow.flush_undo(cast.ann) == 1
    assert again(instance).data | {} == again(instance).data and again(instance).status == ProcessInstance.COMPLETED
    assert (again(instance).data["a"], again(instance).data["b"]) == (1, 2)


@pytest.mark.req("X-11")
def test_a_form_that_fails_its_schema_names_every_field_and_keeps_what_was_typed(cast) -> None:
    todo = task(start("errand", cast.ann), "do")
    with pytest.raises(InvalidForm) as refused:
        workflow.complete(todo, cast.ann, {"result": "", "note": 7, "more": 1})
    fields = refused.value.facts["fields"]
    assert fields["result"] == [{"code": "required"}] and fields["note"] == [{"code": "type"}] and "more" in fields
    assert Draft.objects.get(task=todo, user=cast.ann).data == {"result": "", "note": 7, "more": 1}
    assert again(todo).state == UserTask.OPEN and not Submission.objects.exists()


def test_answers_too_big_for_a_flow_are_refused_before_they_are_stored(cast) -> None:
    todo = task(start("errand", cast.ann), "do")
    with pytest.raises(InvalidForm):
        workflow.complete(todo, cast.ann, {"result": "x" * 200_000})
    assert again(todo).state == UserTask.OPEN


def test_completing_twice_says_who_was_first_and_keeps_the_draft(cast, clock) -> None:
    todo = task(start("errand", cast.ann), "do")
    workflow.complete(todo, cast.ann, ANSWER, wait=False)
    with pytest.raises(TaskDone) as refused:
        workflow.complete(todo, cast.ann, {"result": "other"})
    assert refused.value.facts == {"by": {"number": "1001", "name": "name 1001"}, "at": clock.now()}
    assert Draft.objects.get(task=todo, user=cast.ann).data == {"result": "other"}
    assert Submission.objects.filter(task=todo).count() == 1


def test_completing_what_was_taken_away_names_who_has_it(cast) -> None:
    todo = task(start("vote", cast.ann, group="booking"), "judge")
    workflow.claim(todo, cast.lea)
    workflow.reassign([todo], cast.sue, assignee="1002", reason="absent")
    with pytest.raises(TaskTaken) as refused:
        workflow.complete(todo, cast.lea, {"verdict": "yes"})
    assert refused.value.facts["by"]["number"] == "1002"
    assert Draft.objects.get(task=todo, user=cast.lea).data == {"verdict": "yes"}


def test_an_unclaimed_task_and_one_the_flow_ended_cannot_be_completed(cast) -> None:
    instance = start("vote", cast.ann)
    todo = task(instance, "judge")
    with pytest.raises(TaskNotClaimed):
        workflow.complete(todo, cast.lea, {"verdict": "yes"})
    workflow.claim(todo, cast.lea)
    workflow.cancel_instance(instance, None, "wrong")
    with pytest.raises(TaskGone):
        workflow.complete(todo, cast.lea, {"verdict": "yes"})
    assert again(instance).status == ProcessInstance.CANCELLED


def test_a_strangers_wrong_completion_leaves_no_draft(cast) -> None:
    todo = task(start("errand", cast.ann), "do")
    with pytest.raises(TaskTaken):
        workflow.complete(todo, cast.zoe, ANSWER)
    assert not Draft.objects.exists()


@pytest.mark.req("X-14")
def test_a_failing_verb_never_costs_the_form(cast, clock) -> None:
    cast.probe.answers = [RuntimeError("13812345678 is busy"), {"n": 2}]
    instance = start("errand", cast.ann)
    todo = task(instance, "do")
    workflow.complete(todo, cast.ann, ANSWER, wait=False)
    assert again(todo).state == UserTask.DONE and Submission.objects.get(task=todo).data == ANSWER
    incident = Incident.objects.get()
    assert (incident.state, incident.element, incident.subject) == (Incident.OPEN, "work", f"instance:{instance.pk}")
    assert "13812345678" not in incident.cause + (incident.detail or "") and "RuntimeError" in incident.cause
    assert again(instance).is_stuck and again(instance).data["result"] == "solved"
    clock.forward(seconds=13)
    jobs.sweep()
    assert again(instance).status == ProcessInstance.COMPLETED and not again(instance).is_stuck
    assert again(incident).state == Incident.RETRIED
    assert cast.probe.calls[1]["submission"].data == ANSWER and cast.probe.calls[1]["actor"] == cast.ann


def test_verbs_that_wrote_before_failing_leave_nothing(cast) -> None:
    def half(context, **params):
        Notification.objects.create(user=cast.bob, kind="half")
        raise VerbFailed("work", RuntimeError())

    cast.probe.work = half
    instance = start("errand", cast.ann)
    workflow.complete(task(instance, "do"), cast.ann, ANSWER, wait=False)
    assert not Notification.objects.filter(kind="half").exists() and Incident.objects.exists()


# -- taking and giving -------------------------------------------------------------------------------------------------
def test_claiming_asks_for_a_candidate_and_refuses_the_excluded(cast) -> None:
    todo = task(start("vote", cast.lea, group="booking"), "judge")
    with pytest.raises(NotAllowed):
        workflow.claim(todo, cast.zoe)
    with pytest.raises(NotAllowed) as refused:
        workflow.claim(todo, cast.lea)
    assert refused.value.facts["why"] == "excluded"
    assert workflow.claim(todo, cast.ann).assignee == cast.ann
    assert workflow.claim(todo, cast.ann).version == again(todo).version
    with pytest.raises(TaskTaken) as lost:
        workflow.claim(todo, cast.bob)
    assert lost.value.facts["by"] == {"number": "1001", "name": "name 1001"}


def test_returning_gives_the_task_back_and_the_next_one_sees_what_was_typed(cast) -> None:
    instance = start("vote", cast.bob, group="booking")
    todo = workflow.claim(task(instance, "judge"), cast.ann)
    workflow.save_draft(todo, cast.ann, {"verdict": "no"})
    workflow.return_task(todo, cast.ann, "not my field")
    assert again(todo).assignee is None
    workflow.claim(todo, cast.lea)
    detail = workflow.task_detail(again(todo), cast.lea)
    assert detail["draft"] is None
    assert detail["former_draft"]["data"] == {"verdict": "no"} and detail["former_draft"]["by"]["number"] == "1001"
    row = History.objects.get(instance=instance, action="returned")
    assert row.text == {"text": "not my field"} and "not my field" not in row.sealed_text


def test_delegating_needs_somebody_who_may_do_it(cast) -> None:
    todo = workflow.claim(task(start("vote", cast.bob, group="booking"), "judge"), cast.ann)
    for number, why in (("1002", "excluded"), ("1003", "not_a_candidate"), ("0000", "unknown_user")):
        with pytest.raises(CannotTake) as refused:
            workflow.delegate(todo, cast.ann, number)
        assert refused.value.facts["why"] == why
    workflow.delegate(todo, cast.ann, "2001", "on leave")
    assert again(todo).assignee == cast.lea
    assert Notification.objects.get(user=cast.lea).kind == "task_delegated"
    with pytest.raises(TaskTaken):
        workflow.return_task(todo, cast.ann)


@pytest.mark.req("X-10")
def test_access_comes_with_the_task_and_ends_with_it(cast, monkeypatch) -> None:
    monkeypatch.setitem(hooks._hooks, "subject_of", lambda instance: [("customer", 812)])
    todo = workflow.claim(task(start("vote", cast.bob, group="booking"), "judge"), cast.ann)

    def with_access() -> list[str]:
        return list(AccessGrant.objects.filter(ended_at=None).values_list("user__number", flat=True))

    assert with_access() == ["1001"]
    workflow.delegate(todo, cast.ann, "2001")
    assert with_access() == ["2001"]
    workflow.complete(todo, cast.lea, {"verdict": "yes"}, wait=False)
    assert with_access() == []
    assert set(AccessGrant.objects.values_list("source", flat=True)) == {f"task:{todo.pk}"}


def test_history_has_everything_once_without_gaps(cast) -> None:
    instance = start("vote", cast.bob, group="booking")
    todo = workflow.claim(task(instance, "judge"), cast.ann)
    workflow.complete(todo, cast.ann, {"verdict": "yes"})
    workflow.undo(todo, cast.ann)
    workflow.complete(todo, cast.ann, {"verdict": "no"}, wait=False)
    assert actions(instance) == [
        ("entered", None), ("claimed", "1001"), ("submitted", "1001"), ("undone", "1001"), ("submitted", "1001"),
        ("completed", "1001"),
    ]  # fmt: skip
    numbers = list(History.objects.filter(instance=instance).order_by("seq").values_list("seq", flat=True))
    assert numbers == list(range(1, len(numbers) + 1)) and again(instance).last_seq == numbers[-1]


def test_two_windows_of_one_user_share_one_draft(cast) -> None:
    todo = task(start("errand", cast.ann), "do")
    workflow.save_draft(todo, cast.ann, {"result": "a"})
    workflow.save_draft(todo, cast.ann, {"result": "b"})
    assert [draft.data for draft in Draft.objects.filter(task=todo)] == [{"result": "b"}]
