"""The inbox and the flows over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.workflow.cast import again, start, task
from web.common import live
from web.jobs import services as jobs
from web.jobs.models import Incident
from web.workflow import services as workflow
from web.workflow.models import Draft, History, Submission, TaskCandidate, UserTask

pytestmark = pytest.mark.django_db


def browser(user) -> APIClient:
    client = APIClient()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(user, path: str, data: dict | None = None, **headers: str):
    return browser(user).post(f"/api/{path}", data or {}, format="json", headers=headers)


def test_without_a_session_nothing(cast) -> None:
    for path in ("tasks", "instances/1", "flows", "incidents", "messages", "tasks/load"):
        assert APIClient().get(f"/api/{path}").status_code == 401, path


@pytest.mark.req("X-02", "X-10")
def test_from_the_pool_to_done_and_back(cast, clock) -> None:
    todo = task(start("vote", cast.ann, group="booking"), "judge")
    pair = live.pair(f"inbox:{cast.bob.pk}")
    page = browser(cast.bob).get("/api/tasks?box=pool").json()
    assert page["live"] == {"inbox": pair} and page["next"] is None and page["counts"]["pool"] == 1
    row = page["results"][0]
    assert (row["id"], row["claimable"], row["flow"]["key"]) == (str(todo.pk), True, "vote")
    assert post(cast.bob, f"tasks/{todo.pk}/claim").json()["mine"] is True
    detail = browser(cast.bob).get(f"/api/tasks/{todo.pk}").json()
    assert detail["form"]["key"] == "vote.judge" and detail["form"]["schema"]["required"] == ["verdict"]
    saved = browser(cast.bob).put(f"/api/tasks/{todo.pk}/draft", {"data": {"verdict": "n"}}, format="json")
    assert saved.status_code == 200 and saved.json()["at"]
    assert browser(cast.bob).get(f"/api/tasks/{todo.pk}").json()["draft"]["data"] == {"verdict": "n"}
    answer = post(cast.bob, f"tasks/{todo.pk}/complete", {"data": {"verdict": "no"}}).json()
    assert answer["task"]["state"] == "done" and answer["undo_until"] and answer["next"] == []
    assert post(cast.bob, f"tasks/{todo.pk}/undo").json()["state"] == "open"
    answer = post(cast.bob, f"tasks/{todo.pk}/complete", {"data": {"verdict": "no"}, "now": True}).json()
    assert answer["undo_until"] is None and again(todo.instance).status == "completed"


def test_refusals_carry_code_fields_and_who_was_first(cast) -> None:
    todo = task(start("vote", cast.ann, group="booking"), "judge")
    assert post(cast.zoe, f"tasks/{todo.pk}/claim").status_code == 404
    refused = post(cast.ann, f"tasks/{todo.pk}/claim")
    assert (refused.status_code, refused.json()["code"], refused.json()["why"]) == (403, "no_permission", "excluded")
    workflow.claim(todo, cast.bob)
    refused = post(cast.lea, f"tasks/{todo.pk}/claim")
    assert (refused.status_code, refused.json()["code"]) == (409, "task_taken")
    assert refused.json()["by"] == {"number": "1002", "name": "name 1002"}
    refused = post(cast.bob, f"tasks/{todo.pk}/complete", {"data": {}})
    assert refused.status_code == 422 and refused.json()["fields"] == {"verdict": [{"code": "required"}]}
    assert post(cast.bob, f"tasks/{todo.pk}/complete", {"data": "no"}).status_code == 400
    post(cast.bob, f"tasks/{todo.pk}/complete", {"data": {"verdict": "yes"}})
    refused = post(cast.bob, f"tasks/{todo.pk}/complete", {"data": {"verdict": "no"}})
    assert (refused.status_code, refused.json()["code"], refused.json()["by"]["number"]) == (409, "task_done", "1002")
    assert post(cast.bob, "tasks/999999/claim").status_code == 404
    assert browser(cast.bob).get("/api/tasks?box=all").status_code == 400
    assert browser(cast.bob).get("/api/tasks?cursor=rubbish").json()["code"] == "bad_cursor"
    assert browser(cast.bob).get("/api/tasks?ordering=password").status_code == 400


@pytest.mark.req("X-10", "S-20")
def test_who_lost_the_task_and_all_sight_of_it_is_told_who_has_it_and_loses_nothing_typed(cast, clock) -> None:
    todo = workflow.claim(task(start("vote", cast.adi, group="booking"), "judge"), cast.bob)
    due = (clock.now() + timedelta(hours=2)).isoformat()
    given = {"ids": [todo.pk], "assignee": "2001", "due_at": due, "reason": "absent"}
    assert post(cast.sue, "tasks/reassign", given).json()["results"][0]["ok"]
    TaskCandidate.objects.filter(task=todo).exclude(key="role:team_leader").delete()
    assert browser(cast.bob).get(f"/api/tasks/{todo.pk}").status_code == 404

    refused = post(cast.bob, f"tasks/{todo.pk}/complete", {"data": {"verdict": "yes"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "task_taken")
    assert refused.json()["by"] == {"number": "2001", "name": "name 2001"}
    assert set(refused.json()) == {"code", "by", "at", "trace"}
    assert workflow.task_detail(again(todo), cast.lea)["former_draft"]["data"] == {"verdict": "yes"}

    refused = browser(cast.bob).put(f"/api/tasks/{todo.pk}/draft", {"data": {"verdict": "no"}}, format="json")
    assert (refused.status_code, refused.json()["code"], refused.json()["by"]["number"]) == (409, "task_taken", "2001")
    assert workflow.task_detail(again(todo), cast.lea)["former_draft"]["data"] == {"verdict": "no"}

    for act in ("claim", "return", "undo"):
        assert post(cast.bob, f"tasks/{todo.pk}/{act}").status_code == 404, act
    for stranger in (cast.zoe, cast.ann):
        assert post(stranger, f"tasks/{todo.pk}/complete", {"data": {}}).status_code == 404
        draft = browser(stranger).put(f"/api/tasks/{todo.pk}/draft", {"data": {}}, format="json")
        assert draft.status_code == 404 and not Draft.objects.filter(user=stranger).exists()


@pytest.mark.req("X-22")
def test_a_repeated_post_gets_the_same_answer_and_does_nothing_again(cast) -> None:
    todo = task(start("errand", cast.ann), "do")
    body, key = {"data": {"result": "x"}, "now": True}, {"Idempotency-Key": "k1"}
    first, second = (post(cast.ann, f"tasks/{todo.pk}/complete", body, **key) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.json()["task"]["id"] == second.json()["task"]["id"] and second.json()["task"]["state"] == "done"
    assert Submission.objects.filter(task=todo).count() == len(cast.probe.calls) == 1
    assert post(cast.ann, f"tasks/{todo.pk}/complete", {"data": {"result": "y"}}, **key).status_code == 422


def test_return_and_delegate(cast) -> None:
    todo = workflow.claim(task(start("vote", cast.bob, group="booking"), "judge"), cast.ann)
    refused = post(cast.ann, f"tasks/{todo.pk}/delegate", {"to": "1003", "reason": "r"})
    assert (refused.status_code, refused.json()["code"]) == (409, "cannot_take")
    assert post(cast.ann, f"tasks/{todo.pk}/delegate", {"to": "2001"}).json()["assignee"]["number"] == "2001"
    assert post(cast.lea, f"tasks/{todo.pk}/return", {"reason": "no time"}).json()["assignee"] is None


@pytest.mark.req("S-20", "X-05")
def test_bulk_reassignment_answers_for_each(cast, clock) -> None:
    tasks = [task(start("errand", cast.ann, key=f"ticket:T{n}"), "do") for n in range(3)]
    body = {
        "ids": [*(one.pk for one in tasks), 999_999],
        "assignee": "1002",
        "due_at": (clock.now() + timedelta(hours=2)).isoformat(),
        "reason": "overloaded",
        "note": "thirty calls waiting",
    }
    results = post(cast.sue, "tasks/reassign", body).json()["results"]
    assert [(one["id"], one["ok"]) for one in results] == [
        *((str(one.pk), True) for one in tasks),
        ("999999", False),
    ]
    assert {one["task"] for one in results if one["ok"]} == {
        str(pk) for pk in UserTask.objects.filter(assignee=cast.bob).values_list("pk", flat=True)
    }
    row = History.objects.filter(action="reassigned").first()
    assert (row.facts["reason"], row.text["text"]) == ("overloaded", "thirty calls waiting")
    for wrong in ("", "overloaded: thirty calls waiting"):
        assert post(cast.sue, "tasks/reassign", {**body, "reason": wrong}).status_code == 400
    assert post(cast.ann, "tasks/reassign", body).status_code == 403


def test_an_instance_shows_where_it_stands_in_both_languages(cast, clock) -> None:
    instance = start("errand", cast.ann)
    view = browser(cast.ann).get(f"/api/instances/{instance.pk}").json()
    assert [token["element"] for token in view["tokens"]] == ["do"] and view["tokens"][0]["who"]["number"] == "1001"
    assert view["done"] == ["begin", "plan"] and view["flows_taken"] == ["begin_plan", "plan_do"]
    assert {timer["element"] for timer in view["timers"]} == {"do_remind", "do_due"}
    assert view["awaited"] == [{"element": "do_moved", "name": "task.reassigned"}]
    assert view["names"]["do"] == {"zh": "办理", "en": "Do it"} and view["flow"]["name"]["en"] == "Errand"
    xml = browser(cast.ann).get(view["xml_url"])
    assert xml["Content-Type"].startswith("application/xml") and b'id="errand"' in xml.content
    assert browser(cast.zoe).get(f"/api/instances/{instance.pk}").status_code == 404
    clock.forward(hours=4)
    jobs.sweep()
    view = browser(cast.sue).get(f"/api/instances/{instance.pk}").json()
    assert {token["element"] for token in view["tokens"]} == {"do", "c_decide", "escalate_do"}
    workflow.complete(task(instance, "do"), cast.ann, {"result": "x"}, wait=False)
    view = browser(cast.ann).get(f"/api/instances/{instance.pk}").json()
    assert (view["status"], view["tokens"], view["timers"]) == ("completed", [], []) and "done" in view["ends"]


def test_the_timeline_says_who_did_what_and_what_will_come_by_itself(cast, clock) -> None:
    instance = start("errand", cast.ann)
    workflow.reassign(
        [task(instance, "do")],
        cast.sue,
        assignee="1002",
        due_at=clock.now() + timedelta(hours=2),
        reason="absent",
        note="ill",
    )
    rows = browser(cast.bob).get(f"/api/instances/{instance.pk}/timeline").json()
    moved = next(row for row in rows if row["action"] == "reassigned")
    assert moved["actor"]["number"] == "3001" and not moved["auto"]
    assert (moved["facts"]["reason"], moved["text"]) == ("absent", "ill")
    assert (moved["facts"]["former"], moved["facts"]["to_name"]) == ("1001", "name 1002")
    assert rows[-1]["action"] == "will_fire" and rows[-1]["auto"] and rows[-1]["rule"]["zh"] == "errand v1"
    assert all(row["name"] is None or set(row["name"]) == {"zh", "en"} for row in rows)


def test_lists_of_instances_and_flows(cast) -> None:
    start("errand", cast.ann)
    page = browser(cast.ann).get("/api/instances?flow=errand&status=running").json()
    assert [row["at"] for row in page["results"]] == [[{"element": "do", "name": "办理"}]]
    assert browser(cast.zoe).get("/api/instances").json()["results"] == []
    flows = {row["key"]: row for row in browser(cast.ann).get("/api/flows").json()}
    assert flows["errand"]["startable"] and not flows["chase"]["startable"] and flows["errand"]["version"] == 1
    assert browser(cast.ann).get("/api/flows/errand/diagram").status_code == 200
    assert browser(cast.ann).get("/api/flows/nothing/diagram").status_code == 404


def test_a_cancelled_flow_is_answered_as_it_is_read(cast) -> None:
    instance = start("errand", cast.ann)
    told = post(cast.adi, f"instances/{instance.pk}/cancel", {"reason": "r"})
    assert told.status_code == 200 and told.json()["status"] == "cancelled"
    read = browser(cast.adi).get(f"/api/instances/{instance.pk}").json()
    assert {**told.json(), "live": read["live"]} == read


def test_people_with_the_permission_decide_incidents_and_see_unmatched_messages(cast) -> None:
    cast.probe.answers = [RuntimeError()]
    instance = start("errand", cast.ann)
    workflow.complete(task(instance, "do"), cast.ann, {"result": "x"}, wait=False)
    assert browser(cast.ann).get("/api/incidents").status_code == 403
    row = browser(cast.adi).get("/api/incidents").json()["results"][0]
    assert (row["instance"], row["element"], row["state"]) == (str(instance.pk), "work", "open")
    assert post(cast.ann, f"incidents/{row['id']}/retry").status_code == 403
    assert post(cast.adi, f"incidents/{row['id']}/retry", {"reason": "r"}).json()["ok"] is False
    row = browser(cast.adi).get("/api/incidents?state=open").json()["results"][0]
    skipped = post(cast.adi, f"incidents/{row['id']}/skip", {"reason": "r", "data": {}})
    assert skipped.json()["ok"] is True and again(instance).status == "completed"
    assert post(cast.adi, f"incidents/{row['id']}/cancel").json()["code"] == "incident_closed"
    assert post(cast.adi, f"incidents/{row['id']}/explode").status_code == 404
    assert not Incident.objects.filter(state=Incident.OPEN).exists()
    jobs.receive("parcel.arrived", message_id="m", business_key="ticket:none", keys={"parcel": "1"}, payload={"a": "b"})
    jobs.sweep()
    messages = browser(cast.adi).get("/api/messages?state=unmatched").json()["results"]
    assert [one["message_id"] for one in messages] == ["m"] and "payload" not in messages[0]


def test_load_is_for_those_who_reassign(cast) -> None:
    assert browser(cast.ann).get("/api/tasks/load").status_code == 403
    rows = browser(cast.sue).get("/api/tasks/load").json()
    assert {"number", "name", "group", "open", "overdue", "state"} == set(rows[0])
    assert {"key": "booking", "name": {"zh": "booking", "en": "Booking"}} in [row["group"] for row in rows]


def test_only_who_can_do_all_chosen_tasks_is_offered_for_them(cast) -> None:
    errand = task(start("errand", cast.ann, key="ticket:E"), "do")
    approval = workflow.claim(task(start("vote", cast.adi, key="ticket:V"), "judge"), cast.lea)

    def offered(tasks: str) -> list[str]:
        return [row["number"] for row in browser(cast.sue).get(f"/api/tasks/load?tasks={tasks}").json()]

    assert offered(f"{errand.pk}") == ["1001", "1002", "1003", "2001"]
    assert offered(f"{errand.pk},{approval.pk}") == ["2001"]
    assert offered("999999") == []
    for wrong in ("1;2", "x", "1,,2", "٣"):
        assert browser(cast.sue).get(f"/api/tasks/load?tasks={wrong}").status_code == 400, wrong


def test_reasons_are_sealed_in_history(cast, clock) -> None:
    todo = workflow.claim(task(start("vote", cast.bob, group="booking"), "judge"), cast.ann)
    post(cast.ann, f"tasks/{todo.pk}/return", {"reason": "her mother is ill"})
    row = History.objects.get(action="returned")
    assert row.text["text"] == "her mother is ill" and "mother" not in row.sealed_text + str(row.facts)


def test_the_schema_describes_answers(cast) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    answer = schema["paths"]["/api/tasks/{id}/complete"]
    assert answer["post"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "/TaskCompleted"
    )
    row = schema["components"]["schemas"]["TaskRow"]
    assert {"id", "candidates", "can", "undo_until"} <= set(row["required"])
