"""Boxes, counts, rows: the right people see the right tasks, in a fixed number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.workflow.cast import again, start, task
from web.accounts.models import Group, Role
from web.common.scope import scope
from web.jobs import services as jobs
from web.workflow import services as workflow
from web.workflow.models import ProcessInstance, UserTask
from web.workflow.services import hooks, inbox

pytestmark = pytest.mark.django_db


def elements(user, box: str) -> list[str]:
    return [row["element"] for row in workflow.page(user, box)[0]]


@pytest.mark.req("X-02")
def test_a_task_is_in_the_right_boxes(cast, clock) -> None:
    instance = start("vote", cast.ann, group="booking")
    assert elements(cast.ann, "pool") == [] and elements(cast.ann, "started") == ["judge"]
    assert elements(cast.bob, "pool") == elements(cast.lea, "pool") == ["judge"]
    assert elements(cast.zoe, "pool") == []
    workflow.claim(task(instance, "judge"), cast.bob)
    assert elements(cast.bob, "mine") == ["judge"] and elements(cast.lea, "pool") == []
    workflow.complete(task(instance, "judge"), cast.bob, {"verdict": "yes"}, wait=False)
    assert elements(cast.bob, "done") == ["judge"] and elements(cast.bob, "mine") == elements(cast.ann, "started") == []
    assert workflow.counts(cast.bob) == {"mine": 0, "pool": 0, "started": 0, "done": 1, "overdue": 0}


def test_overdue_work_is_seen_by_those_who_lead_and_by_its_owner(cast, clock) -> None:
    start("errand", cast.ann)
    clock.forward(hours=4)
    jobs.sweep()
    for user, sees in ((cast.ann, True), (cast.lea, True), (cast.sue, True), (cast.dan, True), (cast.zoe, False)):
        assert ("do" in elements(user, "overdue")) is sees, user.number
    assert elements(cast.adi, "overdue") == []


@pytest.mark.req("X-02")
def test_scope_lets_each_one_see_what_concerns_him(cast) -> None:
    instance = start("vote", cast.ann, group="booking")
    for user, sees in (
        (cast.ann, True), (cast.bob, True), (cast.lea, True), (cast.sue, True), (cast.dan, True), (cast.adi, True),
        (cast.zoe, False),
    ):  # fmt: skip
        assert scope(UserTask.objects.all(), user).exists() is sees, user.number
        assert scope(ProcessInstance.objects.all(), user).exists() is sees, user.number
    cast.bob.is_active = False
    assert not scope(UserTask.objects.all(), cast.bob).exists()
    assert again(instance)


def test_one_who_repairs_flows_sees_tasks_but_not_what_people_wrote(cast) -> None:
    todo = task(start("errand", cast.ann), "do")
    workflow.complete(todo, cast.ann, {"result": "secret"}, wait=False)
    assert workflow.task_detail(again(todo), cast.ann)["submission"]["data"] == {"result": "secret"}
    assert workflow.task_detail(again(todo), cast.adi)["submission"] is None
    assert workflow.answers_of(todo.instance, cast.adi) == [] and len(workflow.answers_of(todo.instance, cast.ann)) == 1


def test_rows_tell_who_may_do_what(cast, clock) -> None:
    leader = Role.objects.get(key="team_leader")
    Group.objects.filter(key="booking").update(name="预约组", name_en="Booking")
    todo = task(start("vote", cast.ann, group="booking"), "judge")
    row = workflow.task_row(todo, cast.bob)
    assert (row["claimable"], row["mine"], row["can"], row["assignee"]) == (True, False, ["claim"], None)
    assert row["candidates"] == [
        {"kind": "role", "key": "team_leader", "name": {"zh": leader.name, "en": leader.name_en}},
        {"kind": "group", "key": "booking", "name": {"zh": "预约组", "en": "Booking"}},
    ]
    assert workflow.task_row(todo, cast.ann)["can"] == [] and workflow.task_row(todo, cast.sue)["can"] == ["reassign"]
    workflow.claim(todo, cast.bob)
    row = workflow.task_row(todo, cast.bob)
    assert row["can"] == ["return", "delegate", "complete"] and row["assignee"]["number"] == "1002"
    workflow.complete(todo, cast.bob, {"verdict": "no"})
    row = workflow.task_row(todo, cast.bob)
    assert row["can"] == ["undo"] and row["undo_until"] is not None and row["ended_by"]["number"] == "1002"
    clock.forward(seconds=10)
    assert workflow.task_row(todo, cast.bob)["can"] == []


def test_pages_follow_each_other_without_gap_or_repetition(cast) -> None:
    for n in range(12):
        start("vote", cast.ann, key=f"ticket:T{n}", group="booking")
    seen, cursor = [], None
    while True:
        rows, cursor = workflow.page(cast.bob, "pool", size=5, cursor=cursor)
        seen += [row["id"] for row in rows]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 12
    found, _ = workflow.page(cast.bob, "pool", search="T11")
    assert [row["business_key"] for row in found] == ["ticket:T11"]
    assert workflow.page(cast.bob, "pool", flow="errand")[0] == []


def test_the_number_of_queries_does_not_grow_with_the_rows(cast) -> None:
    def asked() -> int:
        cast.bob.__dict__.pop("_candidate_keys", None)
        with CaptureQueriesContext(connection) as queries:
            workflow.page(cast.bob, "pool")
        return len(queries)

    start("vote", cast.ann, group="booking")
    asked()
    one = asked()
    for n in range(30):
        start("vote", cast.ann, key=f"ticket:T{n}", group="booking")
    assert asked() == one <= 12


def test_the_room_above_decorates_rows_in_one_go(cast, monkeypatch) -> None:
    def decorate(rows) -> None:
        for row in rows:
            row["customer"] = f"masked of {row['business_key']}"

    monkeypatch.setitem(hooks._hooks, "decorate", decorate)
    start("errand", cast.ann)
    assert workflow.page(cast.ann, "mine")[0][0]["customer"] == "masked of ticket:T1"


def test_load_counts_open_and_overdue_work_of_those_the_caller_leads(cast, clock) -> None:
    start("errand", cast.ann)
    start("errand", cast.ann, key="ticket:T2")
    clock.forward(hours=4, minutes=1)
    rows = {row["number"]: row for row in inbox.load(cast.lea)}
    assert (rows["1001"]["open"], rows["1001"]["overdue"], rows["1001"]["group"]) == (
        2,
        2,
        {"key": "booking", "name": {"zh": "booking", "en": "Booking"}},
    )
    assert "1003" not in rows and "1003" in {row["number"] for row in inbox.load(cast.sue)}
