"""The drawn complaint with the real verbs: from the call to the settled case (REQUIREMENTS 9.2)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings

from engine.definitions import read_folder
from tests.clinics.cast import the_organisation
from tests.support.cast import a_customer, a_group, a_user
from tests.tickets.conftest import STRANGER
from web.accounts.models import Notification
from web.calendars import services as calendars
from web.clinics.models import ClinicContact
from web.common import clock as product_clock
from web.common import seals
from web.common.errors import BadInput, NotAllowed
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.messaging.models import OutboundMessage, Template
from web.places.models import Clinic
from web.routing import services as routing
from web.routing.models import BlockEntry
from web.tickets import services
from web.tickets.models import Ticket, TicketCall
from web.workflow import services as workflow
from web.workflow.models import Submission, UserTask
from web.workflow.services.errors import CannotTake, TaskTaken
from web.workflow.services.publishing import deploy

pytestmark = pytest.mark.django_db

DONGHU, LUOHU = "guangzhou-donghu", "shenzhen-luohu"
WRONG = {"complaint_type": "service", "clinic": DONGHU, "description": "态度不好", "demand": "道歉"}
DONE = {"handling_result": "done", "result_text": "已致歉", "contacted": "yes", "contact_log": "电话致歉"}
HAPPY = {"visit_result": "reached", "visit_record": "表示满意", "satisfied": "satisfied"}
UNHAPPY = {**HAPPY, "satisfied": "unsatisfied", "visit_record": "仍不满意"}


def a_centre(clock) -> SimpleNamespace:
    """People of a centre, its clinics and its shared departments, with the complaint published."""
    the_organisation()
    a_group("booking", "centre")
    people = {
        "anna": a_user("1023", "agent", "booking"),
        "ben": a_user("1024", "agent", "booking"),
        "lena": a_user("1021", "team_leader", "booking", leads=True),
        "sue": a_user("1011", "supervisor", "centre", leads=True),
        "max": a_user("1002", "manager", "centre"),
        "cora": a_user("1071", "clinic", f"clinic-{DONGHU}", leads=True),
        "carl": a_user("1072", "clinic", f"clinic-{DONGHU}"),
        "luo": a_user("1081", "clinic", f"clinic-{LUOHU}"),
        "phil": a_user("1051", "pharmacy", f"pharmacy-{DONGHU}"),
        "fay": a_user("1061", "finance", "finance"),
    }
    for user, clinic, kind in (("cora", DONGHU, "contact"), ("luo", LUOHU, "contact"), ("phil", DONGHU, "pharmacy")):
        place = Clinic.objects.get(key=clinic)
        ClinicContact.objects.get_or_create(clinic=place, user=people[user], kind=kind)
    for key in ("complaint_accepted", "complaint_closed"):
        Template.objects.get_or_create(key=key, defaults={"body": f"{key} {{{{ ticket }}}}"})
    deploy(read_folder(Path(settings.FLOWS_DIR), "complaint"))
    return SimpleNamespace(**people, clock=clock, wang=a_customer("+8619900000812", owner=people["anna"]))


@pytest.fixture
def cast(db, clock) -> SimpleNamespace:
    return a_centre(clock)


def complain(cast, **more) -> Ticket:
    given = {"customer": cast.wang, "number": "+8619900000812", **more}
    return services.open_ticket(acting_user=cast.anna, kind="complaint", **given)


def opened(ticket: Ticket, element: str = "") -> list[UserTask]:
    rows = UserTask.objects.filter(instance__ticket=ticket, state=UserTask.OPEN).order_by("pk")
    return list(rows.filter(element=element) if element else rows)


def elements(ticket: Ticket) -> list[str]:
    return sorted(task.element for task in opened(ticket))


def do(ticket: Ticket, element: str, user, of: str = "", **data) -> None:
    """Take the open task (of the department with that number) when nobody has it, and answer its form."""
    task = next(one for one in opened(ticket, element) if not of or one.reference == f"{element}:{of}")
    if task.assignee_id is None:
        task = workflow.claim(task, user)
    workflow.complete(task, user, data, wait=False)


def sweep(times: int = 6) -> None:
    for _ in range(times):
        if not jobs.sweep():
            return


def arrived(ticket: Ticket) -> None:
    """Every message of this case reached the customer's phone."""
    sweep()
    for message in OutboundMessage.objects.filter(business_key=ticket.key):
        key = f"receipt:{message.pk}"
        if not InboundMessage.objects.filter(message_id=key).exists():
            keys = {"message": message.key}
            jobs.receive(
                "message.receipt", message_id=key, business_key=ticket.key, keys=keys, payload={"status": "delivered"}
            )
    sweep()


def fresh(ticket: Ticket) -> Ticket:
    return Ticket.objects.select_related("instance").get(pk=ticket.pk)


def handled(cast, **form) -> Ticket:
    """A complaint that the clinic has dealt with: the return visit is next."""
    ticket = complain(cast)
    do(ticket, "C1_register", cast.anna, **{**WRONG, **form})
    arrived(ticket)
    do(ticket, "C3_handle", cast.cora, **DONE)
    return ticket


class TestFromTheCallToTheEnd:
    @pytest.mark.req("W-76", "W-81", "W-83")
    def test_the_clinics_own_person_handles_it_and_the_satisfied_customer_ends_it(self, cast, settings):
        settings.SMS_URL = "http://127.0.0.1:9/never"
        ticket = complain(cast)
        [first] = opened(ticket)
        assert (first.element, first.assignee) == ("C1_register", cast.anna)
        do(ticket, "C1_register", cast.anna, **WRONG)
        [task] = opened(ticket)
        assert (task.element, task.assignee) == ("C3_handle", cast.cora)
        assert [row.template for row in OutboundMessage.objects.filter(business_key=ticket.key)] == [
            "complaint_accepted"
        ]
        arrived(ticket)
        do(ticket, "C3_handle", cast.cora, **DONE)
        do(ticket, "C6_visit", cast.ben, **HAPPY)
        arrived(ticket)
        ticket = fresh(ticket)
        assert (ticket.outcome, ticket.instance.ends[-1]) == ("satisfied", "E_satisfied")
        assert ticket.closed_at is not None
        assert OutboundMessage.objects.filter(business_key=ticket.key, template="complaint_closed").count() == 1

    @pytest.mark.req("W-77", "W-78", "W-79")
    def test_what_happened_is_kept_sealed_and_never_in_the_process_data(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG)
        saved = Submission.objects.get(task__instance__ticket=ticket)
        assert saved.data["description"] == "态度不好"
        assert "态度不好" not in saved.sealed_data
        assert "态度不好" not in str(fresh(ticket).instance.data)

    @pytest.mark.req("W-80", "W-82")
    @pytest.mark.parametrize(
        ("kind", "hours", "who"),
        [("service", 24, "cora"), ("medicine", 4, "phil"), ("price", 24, None), ("treatment", 48, None)],
    )
    def test_type_and_clinic_decide_who_and_until_when(self, cast, kind, hours, who):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **{**WRONG, "complaint_type": kind})
        [task] = opened(ticket)
        assert task.assignee == (getattr(cast, who) if who else None)
        assert task.due_at == calendars.add_business(product_clock.now(), hours)

    @pytest.mark.req("W-85", "W-86", "W-87")
    def test_a_visit_has_its_record_and_another_can_be_added(self, cast):
        ticket = handled(cast)
        do(ticket, "C6_visit", cast.ben, **HAPPY, more="yes")
        assert elements(ticket) == ["C6_visit"]
        do(ticket, "C6_visit", cast.ben, **{**HAPPY, "visit_record": "补充一条"})
        records = Submission.objects.filter(task__instance__ticket=ticket, task__element="C6_visit").order_by("pk")
        assert [row.data["visit_record"] for row in records] == ["表示满意", "补充一条"]

    @pytest.mark.req("W-85")
    def test_nobody_visits_whom_he_handled_himself(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG, responsible="1024")
        arrived(ticket)
        do(ticket, "C3_handle", cast.ben, **DONE)
        with pytest.raises(NotAllowed):
            workflow.claim(opened(ticket, "C6_visit")[0], cast.ben)
        do(ticket, "C6_visit", cast.anna, **HAPPY)


class TestGoingBack:
    @pytest.mark.req("W-84")
    def test_both_ways_back_are_counted_and_after_two_rounds_the_supervisor_decides(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG)
        arrived(ticket)
        do(ticket, "C3_handle", cast.cora, handling_result="returned", return_reason="missing", note="缺日期")
        [task] = opened(ticket)
        assert (task.element, task.assignee) == ("C4_supplement", cast.anna)
        do(ticket, "C4_supplement", cast.anna, supplement_act="complete", supplement="11-20")
        do(ticket, "C3_handle", cast.cora, **DONE)
        back = {"return_act": "return", "to_do": "再致歉", "back_kind": "contact", "to_user": "1072"}
        for _ in range(2):
            do(ticket, "C6_visit", cast.ben, **UNHAPPY)
            until = (product_clock.now() + timedelta(days=2)).isoformat()
            do(ticket, "C7_return", cast.lena, **back, follow_up_at=until)
            do(ticket, "C3_handle", cast.carl, of="1", **DONE)
        assert {"1071", "1072"} <= set(opened(ticket, "C6_visit")[0].excluded)
        do(ticket, "C6_visit", cast.ben, **UNHAPPY)
        assert elements(ticket) == ["C7_decide"]
        assert fresh(ticket).returns == 3
        do(ticket, "C7_decide", cast.sue, final_act="close", reason="已尽力")
        arrived(ticket)
        assert fresh(ticket).outcome == "unsatisfied"

    @pytest.mark.req("W-82", "X-05")
    def test_a_late_department_is_reminded_marked_and_loses_the_task_to_another(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **{**WRONG, "complaint_type": "medicine"})
        [task] = opened(ticket)
        cast.clock.set(task.remind_at)
        sweep()
        assert Notification.objects.filter(user=cast.phil, kind="task_reminder").count() == 1
        cast.clock.set(task.due_at)
        sweep()
        assert elements(ticket) == ["C3_handle", "R1_reassign"]
        assert UserTask.objects.get(pk=task.pk).overdue_at is not None
        assert opened(ticket, "R1_reassign")[0].about_id == task.pk
        [done] = workflow.reassign([task], cast.sue, assignee="1072", due_at=task.due_at + timedelta(days=1), reason="absent")
        assert done["ok"]
        [task] = opened(ticket)
        assert (task.element, task.assignee) == ("C3_handle", cast.carl)
        do(ticket, "C3_handle", cast.carl, **DONE)
        assert elements(ticket) == ["C6_visit"]


class TestSeveralDepartments:
    @pytest.mark.req("W-81")
    def test_they_work_side_by_side_and_all_must_finish(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG, kind_2="pharmacy", kind_3="contact", clinic_3=LUOHU)
        assert {task.assignee for task in opened(ticket, "C3_handle")} == {cast.cora, cast.phil, cast.luo}
        arrived(ticket)
        for number, user in (("2", cast.phil), ("3", cast.luo)):
            do(ticket, "C3_handle", user, of=number, **DONE)
            assert "C6_visit" not in elements(ticket)
        do(ticket, "C3_handle", cast.cora, of="1", **DONE)
        assert elements(ticket) == ["C6_visit"]
        assert set(opened(ticket)[0].excluded) >= {"1071", "1051", "1081"}

    @pytest.mark.req("W-82", "X-05")
    def test_each_ones_deadline_reminds_escalates_and_moves_only_its_own_task(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG, kind_2="pharmacy")
        mine = {task.reference: task for task in opened(ticket, "C3_handle")}
        cast.clock.set(mine["C3_handle:1"].due_at)
        sweep(10)
        supervising = opened(ticket, "R1_reassign")
        assert {task.about_id for task in supervising} == {task.pk for task in mine.values()}
        assert UserTask.objects.filter(pk__in=[t.pk for t in mine.values()], overdue_at=None).count() == 0
        later = mine["C3_handle:1"].due_at + timedelta(days=1)
        [done] = workflow.reassign([mine["C3_handle:2"]], cast.sue, group=f"pharmacy-{DONGHU}", due_at=later, reason="skill")
        assert done["ok"]
        tasks = {task.reference: task for task in opened(ticket, "C3_handle")}
        assert tasks["C3_handle:1"].pk == mine["C3_handle:1"].pk
        assert tasks["C3_handle:1"].assignee == cast.cora
        assert (tasks["C3_handle:2"].assignee, tasks["C3_handle:2"].due_at) == (None, later)
        [left] = opened(ticket, "R1_reassign")
        assert left.about_id == mine["C3_handle:1"].pk
        do(ticket, "C3_handle", cast.cora, of="1", **DONE)
        assert elements(ticket) == ["C3_handle"]


class TestPeople:
    @pytest.mark.req("W-81")
    def test_whoever_the_complaint_is_about_gets_none_of_it(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG, subject_person="1071")
        [task] = opened(ticket)
        assert task.assignee is None
        with pytest.raises(NotAllowed):
            workflow.claim(task, cast.cora)
        [refused] = workflow.reassign([task], cast.sue, assignee="1071", reason="skill")
        assert (refused["ok"], refused["code"]) == (False, CannotTake.code)
        do(ticket, "C3_handle", cast.carl, **DONE)

    def test_he_who_left_leaves_it_to_his_departments_pool(self, cast):
        cast.cora.is_active = False
        cast.cora.save()
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG, responsible="1071")
        assert opened(ticket)[0].assignee is None
        do(ticket, "C3_handle", cast.carl, **DONE)
        assert "C6_visit" in elements(ticket)

    @pytest.mark.req("X-18")
    def test_of_two_who_claim_at_once_one_gets_it(self, cast):
        ticket = handled(cast)
        [task] = opened(ticket)
        workflow.claim(task, cast.ben)
        with pytest.raises(TaskTaken):
            workflow.claim(task, cast.anna)

    @pytest.mark.parametrize("who", ["carl", "phil", "fay", "ben"])
    def test_nobody_but_the_leaders_sends_a_complaint_back(self, cast, who):
        ticket = handled(cast)
        do(ticket, "C6_visit", cast.ben, **UNHAPPY)
        [task] = opened(ticket, "C7_return")
        with pytest.raises(NotAllowed):
            workflow.claim(task, getattr(cast, who))
        assert workflow.claim(task, cast.lena).assignee == cast.lena

    def test_who_proposes_a_compensation_does_not_approve_it(self, cast):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG, responsible="1061")
        do(ticket, "C3_handle", cast.fay, **DONE, compensation_fen=60000)
        [task] = opened(ticket)
        assert task.element == "C9_approve"
        with pytest.raises(NotAllowed):
            workflow.claim(task, cast.fay)
        do(ticket, "C9_approve", cast.max, approval="approve", comment="同意")
        assert elements(ticket) == ["C6_visit"]


class TestWhoComplains:
    def test_an_anonymous_caller_is_neither_written_to_nor_visited(self, cast):
        ticket = complain(cast, customer=None, number=None)
        do(ticket, "C1_register", cast.anna, **WRONG)
        do(ticket, "C3_handle", cast.cora, handling_result="done", result_text="已整改", contacted="no")
        assert fresh(ticket).outcome == "unreached"
        assert not OutboundMessage.objects.exists()

    @pytest.mark.parametrize(("days", "known"), [(6, True), (8, False)])
    def test_the_same_customer_within_seven_days_takes_the_case_up_again(self, cast, days, known):
        first = handled(cast)
        do(first, "C6_visit", cast.ben, **HAPPY)
        arrived(first)
        cast.clock.forward(days=days)
        second = complain(cast)
        assert fresh(second).former_id == (first.pk if known else None)
        assert opened(second)[0].priority == (1 if known else 2)

    def test_what_was_withdrawn_is_no_case_to_take_up_again(self, cast):
        first = complain(cast)
        services.withdraw(first, acting_user=cast.anna)
        sweep()
        assert fresh(first).outcome == "withdrawn"
        assert fresh(complain(cast)).former_id is None

    @pytest.mark.req("P-33")
    @pytest.mark.parametrize(("rating", "cases"), [(1, 0), (2, 0), (3, 1), (None, 0)])
    def test_the_worst_rating_of_a_call_becomes_a_complaint_once(self, cast, a_call, rating, cases):
        call = a_call(customer=cast.wang)
        call.rating = rating
        call.save()
        for time in range(2):
            jobs.enqueue("call.rated", key=f"rated:{time}", payload={"call": call.pk})
            sweep()
        assert Ticket.objects.filter(kind="complaint", source="low_rating").count() == cases
        if cases:
            [task] = opened(Ticket.objects.get(kind="complaint"))
            assert task.assignee is None
            assert workflow.claim(task, cast.ben).assignee == cast.ben

    def test_a_blocked_number_may_still_complain_in_writing(self, cast):
        token = seals.blind(STRANGER, kind="number")
        blocked = {"value": STRANGER, "token": token, "masked": "199****0999", "reason": "abuse", "applied_by": "1023"}
        BlockEntry.objects.create(**blocked, channels=["voice"], state=BlockEntry.ACTIVE, since=product_clock.now())
        assert routing.is_blocked(token)
        ticket = services.complain(source="website", number=STRANGER)
        assert (ticket.caller_token, elements(ticket)) == (token, ["C1_register"])
        with pytest.raises(BadInput):
            services.complain(source="rumour", number=STRANGER)


class TestTheTicketsPage:
    def as_(self, client, user):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def post(self, client, user, ticket, act, **body):
        return self.as_(client, user).post(f"/api/tickets/{ticket.number}/{act}", body, "application/json")

    def test_urging_counts_hurries_and_tells_the_owner_and_the_third_time_the_supervisor(self, cast, client):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG)
        assert opened(ticket)[0].priority == 2
        for _ in range(3):
            assert self.post(client, cast.anna, ticket, "urge").status_code == 202
            cast.clock.forward(seconds=1)
            sweep()
        assert fresh(ticket).urges == 3
        assert opened(ticket)[0].priority == 1
        assert Notification.objects.filter(user=cast.cora, kind="task_reminder").count() == 3
        assert Notification.objects.filter(user=cast.sue, kind="case_needs_you").count() == 1

    def test_urging_needs_the_permission_and_a_flow_that_listens(self, cast, client):
        ticket = handled(cast)
        assert self.post(client, cast.fay, ticket, "urge").status_code in (403, 404)
        assert self.post(client, cast.luo, ticket, "urge").status_code == 404
        do(ticket, "C6_visit", cast.ben, **HAPPY)
        arrived(ticket)
        answer = self.post(client, cast.anna, ticket, "urge")
        assert (answer.status_code, answer.json()["code"]) == (409, "ticket_not_waiting")
        assert fresh(ticket).urges == 0

    def test_two_tickets_of_one_case_become_one(self, cast, client, a_call):
        kept = complain(cast)
        ticket = complain(cast, call=a_call(customer=cast.wang))
        do(ticket, "C1_register", cast.anna, **WRONG)
        assert self.post(client, cast.anna, ticket, "merge", into=kept.number).status_code == 403
        assert self.post(client, cast.sue, ticket, "merge", into=kept.number).status_code == 202
        sweep()
        ticket = fresh(ticket)
        assert (ticket.outcome, ticket.merged_into_id, ticket.instance.ends[-1]) == ("merged", kept.pk, "E_merged")
        assert opened(ticket) == []
        assert TicketCall.objects.filter(ticket=kept, call=ticket.call, role="merged").exists()
        page = self.as_(client, cast.sue).get(f"/api/tickets/{ticket.number}").json()
        assert (page["merged_into"], page["can"]) == (kept.number, [])
        assert self.as_(client, cast.sue).get(f"/api/tickets/{kept.number}").json()["can"] == ["urge", "merge"]

    @pytest.mark.parametrize("why", ["same", "other_customer", "closed", "merged"])
    def test_what_is_not_one_case_is_not_merged(self, cast, client, why):
        ticket, into = complain(cast), complain(cast)
        if why == "same":
            into = ticket
        if why == "other_customer":
            other = a_customer("+8619900000555", owner=cast.anna, name="李四")
            into = complain(cast, customer=other, number="+8619900000555")
        if why == "closed":
            services.withdraw(into, acting_user=cast.anna)
            sweep()
        if why == "merged":
            services.merge(ticket, into, acting_user=cast.sue)
            into = complain(cast)
        answer = self.post(client, cast.sue, ticket, "merge", into=into.number)
        assert (answer.status_code, answer.json()["code"], answer.json()["why"]) == (409, "cannot_merge", why)

    def test_two_merged_into_each_other_do_not_both_disappear(self, cast):
        one, two = complain(cast), complain(cast)
        services.merge(one, two, acting_user=cast.sue)
        with pytest.raises(services.CannotMerge):
            services.merge(two, one, acting_user=cast.sue)
        sweep()
        assert (fresh(one).outcome, fresh(two).closed_at) == ("merged", None)

    def test_withdrawing_ends_the_work_of_every_department(self, cast, client):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG, kind_2="pharmacy")
        assert len(opened(ticket, "C3_handle")) == 2
        assert self.post(client, cast.ben, ticket, "withdraw").status_code in (403, 404)
        assert self.post(client, cast.anna, ticket, "withdraw").status_code == 202
        sweep()
        assert opened(ticket) == []
        assert fresh(ticket).outcome == "withdrawn"
        assert self.post(client, cast.anna, ticket, "withdraw").status_code == 409

    def test_the_customer_calls_another_agent_who_notes_that_he_urges(self, cast, a_call):
        ticket = complain(cast)
        do(ticket, "C1_register", cast.anna, **WRONG)
        call = a_call(customer=cast.wang, call_id="again")
        jobs.enqueue("call.delivered", key="call.delivered:again", payload={"call": call.pk, "agent": "1024"})
        sweep()
        [task] = opened(ticket, "K1_contact")
        assert task.assignee == cast.ben
        assert TicketCall.objects.filter(ticket=ticket, call=call, role="called_in").exists()
        do(ticket, "K1_contact", cast.ben, contact_act="urge", contact_note="问什么时候有结果")
        sweep()
        assert fresh(ticket).urges == 1
        assert elements(ticket) == ["C3_handle"]
