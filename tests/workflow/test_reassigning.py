"""A supervisor gives work to somebody else (S-20)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.workflow.cast import a_user, again, start, task
from web.accounts.models import AccessGrant, Notification
from web.common.audit import facts
from web.common.errors import BadInput, InvalidForm, NotAllowed
from web.common.models import AuditRow
from web.common.publishing import _routes, wire
from web.jobs import services as jobs
from web.jobs.models import InboundMessage, Job
from web.workflow import services as workflow
from web.workflow.events import UserTaskGone
from web.workflow.models import History, Submission, UserTask
from web.workflow.services import acts, hooks, inbox
from web.workflow.services.errors import TaskTaken

pytestmark = pytest.mark.django_db


@pytest.fixture
def told():
    before, heard = dict(_routes), []
    wire({UserTaskGone: [heard.append]})
    yield heard
    wire(before)


@pytest.fixture(autouse=True)
def customer(monkeypatch):
    monkeypatch.setitem(hooks._hooks, "subject_of", lambda instance: [("customer", 812)])


@pytest.mark.req("S-20", "X-05")
def test_an_overdue_task_is_given_to_another_through_the_supervisors_own_task(
    cast, clock, told, django_capture_on_commit_callbacks
) -> None:
    instance = start("errand", cast.ann)
    late = task(instance, "do")
    workflow.save_draft(late, cast.ann, {"result": "half"})
    clock.forward(hours=4)
    jobs.sweep()
    decide = task(instance, "c_decide")
    assert again(late).overdue_at == clock.now() and decide.about == late
    assert [row["title"] for row in workflow.page(cast.sue, "overdue")[0]] == ["办理 T1"]
    due = clock.now() + timedelta(hours=2)
    with django_capture_on_commit_callbacks(execute=True):
        result = workflow.reassign([late.pk], cast.sue, assignee="1002", due_at=due, reason="absent", note="he is ill")
    new = task(instance, "do")
    assert result == [{"id": late.pk, "ok": True, "task": new.pk}]
    assert (new.assignee, new.replaces, new.due_at) == (cast.bob, late, due)
    assert (again(late).state, again(decide).state, again(decide).ended_by) == ("cancelled", "done", cast.sue)
    assert UserTaskGone(late.pk, cast.ann.pk, "3001", "reassigned") in told
    grants = AccessGrant.objects.filter(ended_at=None).values_list("user__number", "source")
    assert list(grants) == [("1002", f"task:{new.pk}")]
    former = workflow.task_detail(new, cast.bob)["former_draft"]
    assert former["data"] == {"result": "half"} and former["by"]["number"] == "1001"
    row = History.objects.get(instance=instance, action="reassigned")
    assert (row.actor, row.facts["former"], row.facts["to"]) == ("3001", "1001", "1002")
    assert row.facts["reason"] == "absent" and row.text == {"text": "he is ill"} and "ill" not in str(row.facts)
    audited = AuditRow.objects.get(action="tasks.reassigned")
    assert audited.actor == "3001" and (facts(audited)["reason"], facts(audited)["note"]) == ("absent", "he is ill")
    answered = Submission.objects.get(task=decide)
    assert (answered.data["reason"], answered.data["note"]) == ("absent", "he is ill")
    assert "ill" not in answered.sealed_data + str(again(instance).data) and again(instance).data["reason"] == "absent"
    assert Notification.objects.filter(user=cast.ann, kind="task_taken_away").exists()
    with pytest.raises(TaskTaken) as refused:
        workflow.complete(late, cast.ann, {"result": "x"})
    assert refused.value.facts["by"]["number"] == "1002"


def test_before_the_deadline_the_message_goes_straight_to_the_catch(cast, clock) -> None:
    instance = start("errand", cast.ann)
    todo = task(instance, "do")
    due = clock.now() + timedelta(hours=9)
    workflow.reassign([todo], cast.sue, group="booking", due_at=due, reason="overloaded", note="busy with Mr Wang")
    new = task(instance, "do")
    assert (new.assignee, new.replaces, new.due_at) == (None, todo, due)
    assert list(new.candidates.values_list("key", flat=True)) == ["group:booking"]
    message = InboundMessage.objects.get(name="task.reassigned")
    assert message.state == InboundMessage.CONSUMED and message.payload["reason"] == "overloaded"
    assert "note" not in message.payload and "busy" not in str(again(instance).data)
    timers = Job.objects.filter(topic="workflow.timer", state=Job.QUEUED).values_list("due_at", flat=True)
    assert list(timers) == [due]


def test_a_flow_that_waits_for_nothing_is_reassigned_by_its_row_and_its_timer_moves(cast, clock, told) -> None:
    instance = start("vote", cast.ann, group="booking")
    todo = workflow.claim(task(instance, "judge"), cast.lea)
    due = clock.now() + timedelta(hours=20)
    assert workflow.reassign([todo], cast.sue, assignee="1002", due_at=due, reason="other")[0]["ok"]
    todo = again(todo)
    assert (todo.assignee, todo.due_at, todo.state) == (cast.bob, due, UserTask.OPEN)
    assert Job.objects.get(topic="workflow.timer", state=Job.QUEUED).due_at == due
    clock.forward(hours=9)
    jobs.sweep()
    assert again(todo).overdue_at is None
    clock.forward(hours=11)
    jobs.sweep()
    assert again(todo).overdue_at == clock.now()


def test_fifty_at_once_stand_or_fall_alone(cast, clock) -> None:
    tasks = [task(start("errand", cast.ann, key=f"ticket:T{n}"), "do") for n in range(50)]
    workflow.complete(tasks[7], cast.ann, {"result": "done"}, wait=False)
    foreign = task(start("errand", cast.adi, key="ticket:X"), "do")
    ids = [*(one.pk for one in tasks), foreign.pk, 999_999]
    due = clock.now() + timedelta(hours=3)
    results = workflow.reassign(ids, cast.sue, assignee="1002", due_at=due, reason="overloaded")
    by_id = {result["id"]: result for result in results}
    assert [result["id"] for result in results] == ids
    assert by_id[tasks[7].pk]["code"] == "task_done" and by_id[999_999]["code"] == "not_found"
    assert by_id[foreign.pk]["code"] == "not_found"
    assert sum(result["ok"] for result in results) == 49
    assert UserTask.objects.filter(assignee=cast.bob, state=UserTask.OPEN).count() == 49


def test_only_with_the_permission_and_for_somebody_who_may(cast, clock) -> None:
    todo = task(start("vote", cast.ann, group="booking"), "judge")
    with pytest.raises(NotAllowed):
        workflow.reassign([todo], cast.lea, assignee="1002", reason="other")
    assert workflow.reassign([todo], cast.sue, assignee="1001", reason="other")[0]["code"] == "cannot_take"
    for wrong in (
        {"assignee": "1002", "group": "booking"},
        {},
        {"group": "nowhere"},
        {"assignee": "1002", "due_at": clock.now()},
        {"assignee": "1002", "reason": "overloaded: she is ill"},
    ):
        with pytest.raises(BadInput):
            workflow.reassign([todo], cast.sue, **{"reason": "other", **wrong})


@pytest.mark.req("S-20", "S-36")
def test_work_is_given_only_to_those_who_can_do_it_and_each_refusal_says_why(cast, clock) -> None:
    cast.lee = a_user("2002", "team_leader", group=cast.zoe.memberships.get().group, leads=True)
    approval = workflow.claim(task(start("vote", cast.bob, key="ticket:V"), "judge"), cast.lea)
    errand = task(start("errand", cast.ann, key="ticket:E"), "do")
    both, due = [approval.pk, errand.pk], clock.now() + timedelta(hours=2)
    to_agent = workflow.reassign(both, cast.sue, assignee="1003", due_at=due, reason="absent")
    assert [(one["ok"], one.get("code"), one.get("why")) for one in to_agent] == [
        (False, "cannot_take", "not_a_candidate"),
        (True, None, None),
    ]
    assert again(approval).assignee == cast.lea and not History.objects.filter(task=approval, action="reassigned")
    to_applicant = workflow.reassign([approval], cast.sue, assignee="1002", due_at=due, reason="absent")
    assert to_applicant[0]["why"] == "excluded"
    assert workflow.reassign([approval], cast.sue, assignee="2002", due_at=due, reason="absent")[0]["ok"]
    assert again(approval).assignee == cast.lee


def test_an_approval_is_not_opened_to_a_group_whose_members_may_not_give_it(cast, clock) -> None:
    approval = workflow.claim(task(start("vote", cast.adi, key="ticket:V"), "judge"), cast.lea)
    due = clock.now() + timedelta(hours=2)
    refused = workflow.reassign([approval], cast.sue, group="booking", due_at=due, reason="absent")
    assert (refused[0]["code"], refused[0]["why"]) == ("cannot_take", "group")
    assert again(approval).assignee == cast.lea
    assert acts.candidates_of(approval) == {"role:team_leader"}


def test_a_decision_about_anothers_task_names_only_somebody_who_can_do_it(cast, clock) -> None:
    a_user("5001", "pharmacy")
    instance = start("errand", cast.ann, group="booking")
    clock.forward(hours=4)
    jobs.sweep()
    decide = workflow.claim(task(instance, "c_decide"), cast.sue)
    answer = {"assignee": "5001", "reason": "absent", "due_at": (clock.now() + timedelta(hours=1)).isoformat()}
    with pytest.raises(InvalidForm) as refused:
        workflow.complete(decide, cast.sue, answer, wait=False)
    assert refused.value.facts["fields"] == {"assignee": [{"code": "cannot_take"}]}
    workflow.complete(decide, cast.sue, {**answer, "assignee": "1002"}, wait=False)
    assert task(instance, "do").assignee == cast.bob


@pytest.mark.req("S-20")
def test_the_load_is_shown_of_exactly_those_who_can_do_all_chosen_tasks(cast) -> None:
    a_user("2002", "team_leader", group=cast.zoe.memberships.get().group, leads=True)
    approval = workflow.claim(task(start("vote", cast.adi, key="ticket:V"), "judge"), cast.lea)
    errand = task(start("errand", cast.ann, key="ticket:E"), "do")

    def shown(*tasks) -> list[str]:
        return [row["number"] for row in inbox.load(cast.sue, [one.pk for one in tasks])]

    assert shown(approval) == ["2001", "2002"]
    assert shown(errand) == ["1001", "1002", "1003", "2001"]
    assert shown(approval, errand) == ["2001"]
    hidden = task(start("vote", cast.adi, key="ticket:W"), "judge")
    assert cast.lea.number in shown(errand, hidden) and shown(hidden) == []  # she may not see it, so it says nothing


def test_finishing_an_overdue_task_ends_the_supervisors_task_in_the_same_command(cast, clock) -> None:
    instance = start("errand", cast.ann)
    clock.forward(hours=4)
    jobs.sweep()
    decide = task(instance, "c_decide")
    workflow.complete(task(instance, "do"), cast.ann, {"result": "at last"}, wait=False)
    assert again(decide).state == UserTask.CANCELLED
    assert InboundMessage.objects.get(name="task.finished").state == InboundMessage.CONSUMED
    assert again(instance).status == "completed"


def test_a_reassignment_is_not_taken_for_the_end_of_the_task(cast, clock) -> None:
    instance = start("errand", cast.ann)
    clock.forward(hours=4)
    jobs.sweep()
    due = clock.now() + timedelta(hours=1)
    workflow.reassign([task(instance, "do")], cast.sue, assignee="1002", due_at=due, reason="absent")
    assert not InboundMessage.objects.filter(name="task.finished").exists()
    clock.forward(hours=1)
    jobs.sweep()
    assert task(instance, "c_decide").about == task(instance, "do")
