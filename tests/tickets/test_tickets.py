"""A purpose opens a ticket, the ticket starts its flow, and the flow's first form is already the agent's (ARCHITECTURE 4)."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from tests.tickets.conftest import STRANGER, WANG
from web.accounts import services as accounts
from web.calls.models import Purpose
from web.common.audit import facts
from web.common.models import AuditRow
from web.customers import services as customers
from web.jobs import services as jobs
from web.jobs.models import Job
from web.tickets import services
from web.tickets.models import Ticket, TicketCall
from web.workflow import services as workflow
from web.workflow.models import Submission, UserTask

pytestmark = pytest.mark.django_db


def open_tasks(ticket):
    return list(UserTask.objects.filter(instance__ticket=ticket, state="open").order_by("pk"))


def sweep(times: int = 4):
    for _ in range(times):
        jobs.sweep()


@pytest.mark.req("W-15", "W-17")
def test_choosing_the_purpose_opens_a_ticket_whose_first_form_is_already_the_agents(flows, alice, wang, a_call):
    call = a_call(customer=wang)
    ticket = services.open_ticket(acting_user=alice, purpose="consult", call=call, customer=wang)
    [task] = open_tasks(ticket)
    assert (task.assignee, task.form_key) == (alice, "consult.register")
    assert ticket.number.startswith("T2026")
    call.refresh_from_db()
    assert call.purpose == "consult"

    second = services.open_ticket(acting_user=alice, purpose="consult", call=call, customer=wang)
    assert second.number != ticket.number
    assert Ticket.objects.filter(call=call).count() == 2


def test_who_called_with_a_shared_number_is_kept_with_the_call_when_his_ticket_is_opened(flows, alice, wang, a_call):
    call = a_call(WANG)
    services.open_ticket(acting_user=alice, purpose="consult", call=call, customer=wang)
    call.refresh_from_db()
    assert call.customer == wang


def test_a_purpose_nobody_has_drawn_a_flow_for_is_refused_and_leaves_nothing(flows, alice, wang):
    Purpose.objects.create(key="repair", name="报修", name_en="Repair", flow="repair")
    with pytest.raises(services.FlowNotDeployed):
        services.open_ticket(acting_user=alice, purpose="repair", customer=wang)
    assert not Ticket.objects.exists()


@pytest.mark.req("S-46")
def test_a_missed_call_becomes_one_task_and_the_second_adds_to_it(flows, alice, wang, a_call):
    for number in ("c1", "c2"):
        jobs.enqueue("call.missed", key=f"call:{number}", payload={"call": a_call(customer=wang, call_id=number).pk})
        sweep()
    ticket = Ticket.objects.get()
    assert (ticket.kind, ticket.source, ticket.repeats) == ("outbound_task", "missed_call", 2)
    assert TicketCall.objects.filter(ticket=ticket).count() == 2
    assert len(open_tasks(ticket)) == 1


def test_the_same_missed_call_told_twice_counts_once(flows, wang, a_call):
    call = a_call(customer=wang)
    first = services.want_outbound(source="missed_call", number=WANG, call=call)
    again = services.want_outbound(source="missed_call", number=WANG, call=call)
    sweep()
    first.refresh_from_db()
    assert again == first
    assert first.repeats == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.req("S-46")
def test_ten_missed_calls_of_one_number_at_once_make_one_task(flows):
    ready = threading.Barrier(10)
    failures = []

    def miss():
        try:
            ready.wait()
            services.want_outbound(source="missed_call", number=STRANGER)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=miss) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    sweep(12)
    ticket = Ticket.objects.get()
    assert ticket.repeats == 10


def test_a_withheld_number_leaves_nothing_to_call_back(flows, a_call):
    call = a_call(customer=None)
    call.number = call.number_token = None
    call.save()
    jobs.enqueue("call.missed", key="call:withheld", payload={"call": call.pk})
    sweep()
    assert not Ticket.objects.exists()
    assert Job.objects.get(key="call:withheld").state == Job.DONE
    with pytest.raises(services.NoNumber):
        services.want_outbound(source="missed_call", number=None)


@pytest.mark.req("S-14")
def test_an_agent_plans_a_call_to_his_own_customer(flows, alice, wang):
    wang.owner = alice
    wang.save()
    ticket = services.want_outbound(source="own", number=customers.main_number(wang), customer=wang, acting_user=alice)
    [task] = open_tasks(ticket)
    assert (task.assignee, task.form_key) == (alice, "outbound_task.plan")


@pytest.mark.req("S-14", "S-21")
def test_who_calls_sees_what_the_call_was_planned_for(flows, client, alice, bob, person, wang):
    ticket = services.want_outbound(source="own", number=WANG, customer=wang, acting_user=alice)
    [plan] = open_tasks(ticket)
    planned = {"entry_point": "复诊提醒", "questionnaire": "follow_up", "note": "下午方便", "hours": 4}
    workflow.complete(plan, alice, planned, wait=False)
    [call] = open_tasks(ticket)
    assert call.element == "O4_call"

    def shown(reader):
        client.force_login(reader, backend="django.contrib.auth.backends.ModelBackend")
        return client.get(f"/api/tasks/{call.pk}").json()["brief"]

    assert shown(bob) == [
        {"name": "entry_point", "title": {"zh": "切入点", "en": "Entry point"}, "value": {"zh": "复诊提醒", "en": "复诊提醒"}},
        {"name": "questionnaire", "title": {"zh": "问卷", "en": "Questionnaire"}, "value": {"zh": "复诊回访", "en": "Follow-up visit"}},
        {"name": "note", "title": {"zh": "说明", "en": "Note"}, "value": {"zh": "下午方便", "en": "下午方便"}},
    ]  # fmt: skip
    eve = person("9001", "analyst")
    eve.memberships.all().delete()
    assert shown(eve) == []  # she repairs flows, and reads nothing of what is in them
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/api/tasks/{plan.pk}").json()["brief"] == []  # nothing came before it


def test_numbers_run_on_each_day_and_are_never_given_twice(db, clock):
    given = {services.next_number() for _ in range(50)}
    assert len(given) == 50
    clock.forward(days=1)
    assert services.next_number().endswith("-0001")


@pytest.mark.req("X-15")
def test_opening_is_audited_without_personal_values(flows, alice, wang):
    ticket = services.open_ticket(acting_user=alice, purpose="consult", customer=wang, number=WANG)
    row = AuditRow.objects.get(action="ticket.opened")
    assert (row.actor, row.subject, row.person) == ("1023", f"ticket:{ticket.pk}", f"customer:{wang.pk}")
    assert facts(row) == {"kind": "consult"}
    assert WANG not in str(ticket.instance.data)


class TestOverHttp:
    @pytest.fixture
    def as_alice(self, client, alice):
        client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
        return client

    def post(self, client, path, data, **headers):
        return client.post(path, data, content_type="application/json", headers=headers)

    def test_the_first_form_solves_the_consultation_on_the_call(self, flows, as_alice, alice, wang, a_call):
        call = a_call(customer=wang)
        accounts.grant(alice, "call", call.pk, reason="ring", source=f"call:{call.pk}")
        accounts.grant(alice, "customer", wang.pk, reason="ring", source=f"call:{call.pk}")
        answer = self.post(
            as_alice,
            "/api/tickets",
            {"purpose": "consult", "call": call.pk, "relation": "self", "identity": "first_visit"},
        )
        assert answer.status_code == 201, answer.content
        ticket = answer.json()
        form = as_alice.get(f"/api/tasks/{ticket['task']}").json()["form"]["schema"]
        wrong = self.post(as_alice, f"/api/tasks/{ticket['task']}/complete", {"data": {}})
        assert wrong.status_code == 422
        assert set(wrong.json()["fields"]) == set(form["required"])
        assert not Submission.objects.exists()

    def test_the_page_of_a_task_says_where_its_ticket_came_from(self, flows, as_alice, alice, wang):
        accounts.grant(alice, "customer", wang.pk, reason="ring", source="call:1")
        ticket = self.post(as_alice, "/api/tickets/outbound", {"customer": wang.pk}).json()
        task = as_alice.get(f"/api/tasks/{ticket['task']}").json()
        assert (task["source"], task["repeats"], task["ticket"]) == ("own", 1, ticket["number"])

    def test_a_flow_started_without_a_call_names_its_first_task_as_the_ticket_does(self, flows, as_alice):
        started = self.post(as_alice, "/api/flows/consult/start", {}).json()
        ticket = as_alice.get(f"/api/tickets/{started['ticket']}").json()
        assert (ticket["instance"], ticket["task"]) == (started["instance"], started["task"])
        assert [task["id"] for task in ticket["tasks"]] == [started["task"]]

    def test_the_same_request_sent_twice_opens_one_ticket(self, flows, as_alice):
        first = self.post(as_alice, "/api/tickets", {"purpose": "consult"}, **{"Idempotency-Key": "k-1"})
        second = self.post(as_alice, "/api/tickets", {"purpose": "consult"}, **{"Idempotency-Key": "k-1"})
        other = self.post(as_alice, "/api/tickets", {"purpose": "appointment"}, **{"Idempotency-Key": "k-1"})
        assert first.json()["number"] == second.json()["number"]
        assert other.status_code == 422
        assert Ticket.objects.count() == 1

    def test_a_stranger_to_the_ticket_is_told_it_is_not_there(self, flows, client, alice, person):
        ticket = services.open_ticket(acting_user=alice, purpose="consult")
        eve = person("1099", "pharmacy")
        client.force_login(eve, backend="django.contrib.auth.backends.ModelBackend")
        assert client.get(f"/api/tickets/{ticket.number}").status_code == 404
        assert client.get("/api/tickets").json()["results"] == []
        assert self.post(client, "/api/tickets", {"purpose": "consult"}).status_code == 403

    def test_somebody_elses_call_cannot_be_used(self, flows, as_alice, a_call):
        call = a_call(number=STRANGER)
        answer = self.post(as_alice, "/api/tickets", {"purpose": "consult", "call": call.pk})
        assert (answer.status_code, answer.json()["what"]) == (404, "call")

    def test_unknown_purposes_and_fields_are_named(self, flows, as_alice):
        assert self.post(as_alice, "/api/tickets", {}).json()["fields"] == {"purpose": [{"code": "required"}]}
        answer = self.post(as_alice, "/api/tickets", {"purpose": "lottery"})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_purpose")

    def test_a_list_asks_the_database_no_more_for_more_rows(
        self, flows, as_alice, alice, django_assert_max_num_queries
    ):
        for _ in range(6):
            services.open_ticket(acting_user=alice, purpose="consult")
        with django_assert_max_num_queries(8):
            assert len(as_alice.get("/api/tickets?kind=consult&status=open").json()["results"]) == 6


def test_the_diagram_is_named_as_it_is_drawn_in_both_languages(flows, alice, wang):
    ticket = services.open_ticket(acting_user=alice, purpose="consult", customer=wang)
    names = workflow.instance_view(ticket.instance)["names"]
    assert names["C1_register"] == {"zh": "登记咨询", "en": "Register the question"}
    assert names["F_G1_solved__C9_close"] == {"zh": "是", "en": "Yes"}
    assert "C1_reminded" not in names  # drawn without a name: its id is not for readers
