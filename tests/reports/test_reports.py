"""Reports show each reader his own rows, on the screen as in the file he takes away (P-31, S-20, X-28)."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from reports.catalog import REPORTS
from tests.support.cast import a_user, the_tree
from tests.support.http import as_user, browser
from web.calls.models import Call, CallLeg
from web.common import seals
from web.common.audit import facts
from web.common.clock import now, slot
from web.common.masking import mask_number
from web.common.models import AuditRow
from web.workflow.models import FlowDefinition, FlowVersion, ProcessInstance, UserTask

NUMBER = "+8619900000812"


@pytest.fixture
def people(db, clock):
    """anna and ben of booking under booking_leader, carl of service; a director over all of them."""
    return the_tree()


@pytest.fixture
def a_call(people):
    count = 0

    def make(agent=None, *, outcome="answered", **fields):
        nonlocal count
        count += 1
        at = fields.pop("at", now())
        call = Call.objects.create(
            call_id=f"c{count}", pbx_id=f"p{count}", slot=slot(at), started_at=at, outcome=outcome, number=NUMBER,
            number_token=seals.blind(NUMBER, kind="number"), number_masked=mask_number(NUMBER),
            answered_at=at if outcome == "answered" else None, **fields,
        )  # fmt: skip
        if agent:
            CallLeg.objects.create(
                call=call, seq=1, connection=f"c{count}/1", agent=agent.agent, device="8023", slot=slot(at),
                offered_at=at, answered_at=call.answered_at, talk_ms=61_500,
            )  # fmt: skip
        return call

    return make


@pytest.fixture
def an_overdue_task(people):
    flow = FlowDefinition.objects.create(key="errand", name="跑腿")
    version = FlowVersion.objects.create(definition=flow, number=1, digest="d")
    count = 0

    def make(owner, *, hours_late=2.0, **fields):
        nonlocal count
        count += 1
        due = now() - timedelta(hours=hours_late)
        instance = ProcessInstance.objects.create(version=version, business_key=f"ticket:T{count}")
        given = {"overdue_at": due, **fields}
        return UserTask.objects.create(
            instance=instance, engine_id=f"e{count}", element="do", name="回访", title="回访", assignee=owner,
            due_at=due, **given,
        )  # fmt: skip

    return make


def seen_by(user, name, column, **asked):
    """What stands in one column of a report for this reader."""
    report = REPORTS[name]
    index = [c.key for c in report.columns].index(column)
    return [row[index] for row in report.rows(report.check(asked), user)]


def table(user, name, **asked):
    return as_user(user).get(f"/api/reports/{name}", asked)


def taken(answer):
    return b"".join(answer.streaming_content)


def cells_of(xlsx: bytes) -> tuple[list[str], str]:
    """The texts in order, and the sheet's XML."""
    with zipfile.ZipFile(io.BytesIO(xlsx)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    tree = ElementTree.fromstring(sheet)
    return [node.text for node in tree.iter() if node.tag.endswith("}t")], sheet


class TestWhoSeesWhat:
    @pytest.mark.req("P-31")
    def test_calls_are_seen_by_who_took_them_who_leads_there_and_who_leads_all(self, people, a_call):
        for name in ("anna", "ben", "carl"):
            a_call(people[name])
        expected = {"anna": ["1023"], "booking_leader": ["1023", "1024"], "director": ["1023", "1024", "1031"]}
        for who, numbers in expected.items():
            assert seen_by(people[who], "call_detail", "agent") == numbers, who

    @pytest.mark.req("S-20")
    def test_overdue_tasks_are_seen_by_their_owner_his_leader_and_the_director(self, people, an_overdue_task):
        for name in ("anna", "ben", "carl"):
            an_overdue_task(people[name])
        an_overdue_task(people["anna"], overdue_at=None)  # due, but finished in time
        expected = {"anna": ["1023"], "booking_leader": ["1023", "1024"], "director": ["1023", "1024", "1031"]}
        for who, numbers in expected.items():
            assert seen_by(people[who], "overdue_tasks", "owner") == numbers, who

    def test_how_late_a_task_is_stops_growing_when_it_ends(self, people, an_overdue_task, clock):
        an_overdue_task(people["anna"], hours_late=2, state=UserTask.DONE, ended_at=now() - timedelta(hours=1))
        an_overdue_task(people["anna"], hours_late=1)
        clock.forward(hours=3)
        hour = 3_600_000
        assert seen_by(people["anna"], "overdue_tasks", "over_ms") == [1 * hour, 4 * hour]

    def test_the_former_owner_of_a_reassigned_task_stands_beside_the_new_one(self, people, an_overdue_task):
        old = an_overdue_task(people["anna"], state=UserTask.CANCELLED, ended_at=now())
        an_overdue_task(people["ben"], replaces=old)
        assert seen_by(people["director"], "overdue_tasks", "former") == [None, "1023"]

    def test_who_may_not_read_reports_is_told_what_is_missing(self, people):
        refused = table(people["anna"], "call_detail")
        assert (refused.status_code, refused.json()["needs"]) == (403, "reports.view")
        assert as_user(people["anna"]).get("/api/reports").json() == []
        assert browser().get("/api/reports/call_detail").status_code == 401

    def test_the_catalogue_says_what_can_be_asked(self, people):
        listed = {row["name"]: row for row in as_user(people["director"]).get("/api/reports").json()}
        assert set(listed) == {"call_detail", "overdue_tasks"}
        assert [p["name"] for p in listed["call_detail"]["params"]] == ["period", "direction", "outcome", "queue"]
        assert all({"zh", "en"} <= set(row["title"]) for row in listed.values())

    def test_an_unknown_report_is_not_there(self, people):
        assert table(people["director"], "salaries").status_code == 404


class TestParameters:
    def test_rows_are_those_of_whole_local_days(self, people, a_call, clock):
        evening = now().replace(hour=15, minute=59)  # 23:59 in Shanghai
        a_call(people["anna"], at=evening)
        a_call(people["ben"], at=evening + timedelta(minutes=1))
        monday = {"period_from": "2026-11-23", "period_to": "2026-11-23"}
        assert seen_by(people["director"], "call_detail", "agent", **monday) == ["1023"]
        assert seen_by(people["director"], "call_detail", "agent", **{**monday, "period_to": "2026-11-24"}) == [
            "1023",
            "1024",
        ]

    def test_choices_narrow_the_rows(self, people, a_call):
        a_call(people["anna"], last_queue="booking")
        a_call(outcome="abandoned", last_queue="service")
        director = people["director"]
        assert seen_by(director, "call_detail", "outcome", outcome="abandoned") == ["abandoned"]
        assert seen_by(director, "call_detail", "queue", queue="booking") == ["booking"]
        assert seen_by(director, "call_detail", "outcome", direction="out") == []

    @pytest.mark.parametrize(
        ("asked", "field", "code"),
        [
            ({"period_from": "tomorrow"}, "period", "not_a_date"),
            ({"period_from": "2026-11-24", "period_to": "2026-11-23"}, "period", "ends_before_it_begins"),
            ({"period_from": "2020-01-01"}, "period", "period_too_long"),
            ({"outcome": "explosion"}, "outcome", "not_a_choice"),
            ({"queue": "q" * 81}, "queue", "too_long"),
        ],
    )
    def test_a_wrong_parameter_is_refused_by_name(self, people, asked, field, code):
        refused = table(people["director"], "call_detail", **asked)
        assert refused.status_code == 400
        assert refused.json()["fields"] == {field: [{"code": code}]}

    def test_two_wrong_parameters_are_both_named(self, people):
        refused = table(people["director"], "call_detail", outcome="x", direction="y")
        assert set(refused.json()["fields"]) == {"outcome", "direction"}


class TestPaging:
    def test_pages_follow_each_other_without_gap_or_overlap(self, people, a_call):
        made = [a_call(outcome="abandoned", last_queue=f"q{n}").last_queue for n in range(105)]
        first = table(people["director"], "call_detail").json()
        second = table(people["director"], "call_detail", cursor=first["next"]).json()
        assert len(first["rows"]) == 100 and second["next"] is None
        assert [row[4] for row in first["rows"] + second["rows"]] == made

    @pytest.mark.parametrize("cursor", ["-1", "x", "99999999"])
    def test_a_cursor_from_elsewhere_is_refused(self, people, cursor):
        assert table(people["director"], "call_detail", cursor=cursor).json()["code"] == "bad_cursor"


class TestExport:
    def export(self, user, name="call_detail", **asked):
        return as_user(user).get(f"/api/reports/{name}/export", asked)

    @pytest.mark.req("X-28")
    def test_a_csv_carries_who_took_it_and_runs_no_formula(self, people, a_call):
        a_call(people["anna"], province='=HYPERLINK("http://evil")', last_queue="@sum", wait_ms=1500)
        file = taken(self.export(people["director"], lang="en"))
        assert file.startswith(b"\xef\xbb\xbf")
        mark, head, row = csv.reader(io.StringIO(file.decode("utf-8-sig")))
        assert mark == ["Call detail · 1001 · 2026-11-23 09:00:00"]
        assert head[:4] == ["Started", "Direction", "Number", "Area"]
        assert row[2:5] == ["199****0812", "'=HYPERLINK(\"http://evil\")", "'@sum"]
        assert (row[0], row[8]) == ("2026-11-23 09:00:00", "1.5")
        assert NUMBER[3:] not in file.decode()

    @pytest.mark.req("X-28")
    def test_a_spreadsheet_carries_the_same_and_holds_no_formula(self, people, a_call):
        a_call(people["anna"], province="=1+1", city="http://evil")
        answer = self.export(people["director"], type="xlsx")
        assert answer["Content-Disposition"] == 'attachment; filename="call_detail.xlsx"'
        texts, sheet = cells_of(taken(answer))
        assert texts[0] == "来电明细 · 1001 · 2026-11-23 09:00:00"
        assert {"199****0812", "'=1+1 http://evil"} <= set(texts)
        assert "<f>" not in sheet and "hyperlink" not in sheet
        assert NUMBER[3:] not in sheet

    def test_the_file_has_the_rows_of_the_screen_and_no_others(self, people, a_call):
        a_call(people["anna"])
        a_call(people["carl"])
        supervisor = a_user("1012", "supervisor", "booking", leads=True)
        lines = list(csv.reader(io.StringIO(taken(self.export(supervisor)).decode("utf-8-sig"))))
        assert [line[5] for line in lines[2:]] == ["1023"]

    @pytest.mark.req("X-15")
    def test_taking_a_file_is_audited(self, people, a_call):
        taken(self.export(people["director"], type="xlsx", outcome="answered"))
        row = AuditRow.objects.get(action="report.exported")
        assert (row.actor, row.subject) == ("1001", "report:call_detail")
        assert facts(row) == {"format": "xlsx", "asked": {"type": "xlsx", "outcome": "answered"}}

    def test_reading_on_the_screen_is_not_taking_away(self, people):
        refused = self.export(people["booking_leader"])
        assert table(people["booking_leader"], "call_detail").status_code == 200
        assert (refused.status_code, refused.json()["needs"]) == (403, "reports.export")
        assert not AuditRow.objects.filter(action="report.exported").exists()

    @pytest.mark.parametrize(("asked", "field"), [({"type": "pdf"}, "type"), ({"lang": "fr"}, "lang")])
    def test_an_unknown_kind_of_file_is_refused_by_name(self, people, asked, field):
        refused = self.export(people["director"], **asked)
        assert (refused.status_code, set(refused.json()["fields"])) == (400, {field})
        assert not AuditRow.objects.filter(action="report.exported").exists()
