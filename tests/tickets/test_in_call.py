"""While the customer is on the line: flows hear of his call, and whoever has him may do what is open for him."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.tickets.conftest import STRANGER, WANG
from web.accounts.models import AccessGrant, Notification, Role
from web.agents.models import AgentProfile
from web.calls.models import CallLeg
from web.common import clock
from web.common.errors import NotAllowed
from web.common.models import AuditRow
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.membership import services as membership
from web.routing.models import BlockEntry
from web.tickets import services
from web.tickets.models import TicketCall
from web.workflow import services as workflow
from web.workflow.models import Draft, History, ProcessInstance, UserTask

pytestmark = pytest.mark.django_db


def sweep(times: int = 5):
    for _ in range(times):
        jobs.sweep()


def task_of(ticket) -> UserTask:
    return UserTask.objects.get(instance__ticket=ticket, state=UserTask.OPEN)


@pytest.fixture
def rings_at(a_call):
    """A call that rings at somebody's phone now; its job is written as the switch's event would write it."""
    seen: dict = {}

    def make(user, number: str = WANG, *, customer=None, call_id: str = "ring"):
        agent = AgentProfile.objects.filter(user=user).first()
        agent = agent or AgentProfile.objects.create(user=user, extension=f"8{user.number[1:]}", state="busy")
        call = a_call(number, customer=customer, call_id=call_id)
        seen["leg"] = CallLeg.objects.create(
            call=call, seq=1, connection=f"{call_id}/1", agent=agent, device=agent.extension or "", slot=call.slot,
            offered_at=clock.now(),
        )  # fmt: skip
        payload = {"call": call.pk, "agent": user.number}
        jobs.enqueue("call.delivered", key=f"call.delivered:{call.pk}:1", payload=payload)
        return call

    make.ends = lambda: CallLeg.objects.filter(pk=seen["leg"].pk).update(ended_at=clock.now())
    return make


@pytest.fixture
def as_(client):
    def log_in(user):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return log_in


def post(client, path: str, data: dict | None = None):
    return client.post(path, data or {}, content_type="application/json")


@pytest.mark.req("S-46")
def test_the_open_task_learns_that_its_customer_rings(flows, alice, wang, rings_at):
    ticket = services.want_outbound(source="missed_call", number=WANG, customer=wang)
    call = rings_at(alice, customer=wang)
    sweep()
    assert TicketCall.objects.get(ticket=ticket, call=call).role == "called_in"
    assert History.objects.filter(instance=ticket.instance, element="O4_link", action="completed").count() == 1


def test_a_call_that_no_flow_waits_for_leaves_no_message(flows, alice, rings_at):
    call = rings_at(alice, STRANGER)
    jobs.enqueue("call.ended", key="call.ended:1", payload={"call": call.pk})
    sweep()
    assert not InboundMessage.objects.exists()


@pytest.mark.req("S-46", "X-10")
def test_who_has_the_customer_on_the_line_takes_the_task_of_a_colleague(flows, alice, bob, wang, rings_at):
    task = task_of(services.want_outbound(source="missed_call", number=WANG, customer=wang))
    UserTask.objects.filter(pk=task.pk).update(assignee=bob, claimed_at=clock.now())
    workflow.save_draft(task, bob, {"note": "half a sentence"})
    call = rings_at(alice, customer=wang)
    taken = workflow.take_over_in_call(task, alice, str(call.pk))
    assert taken.assignee == alice
    assert workflow.task_detail(taken, alice)["former_draft"]["data"] == {"note": "half a sentence"}
    entry = History.objects.get(task=task, action="taken_in_call")
    assert (entry.actor, entry.facts["former"]) == ("1023", "1031")
    assert "taken_in_call" in [row["action"] for row in workflow.timeline(taken.instance)]
    assert bob.notifications.filter(kind="task_taken_away").count() == 1
    workflow.complete(taken, alice, {"result": "called_in"}, wait=False)
    ticket = taken.instance.ticket
    ticket.refresh_from_db()
    assert (ticket.outcome, ticket.closed_at is not None) == ("called_in", True)


@pytest.mark.req("X-10")
@pytest.mark.parametrize("when", ["no call", "his call is over", "the call of somebody else", "at a colleague's phone"])
def test_without_that_call_at_his_phone_nobody_takes_it(when, flows, alice, bob, wang, rings_at):
    task = task_of(services.want_outbound(source="missed_call", number=WANG, customer=wang))
    UserTask.objects.filter(pk=task.pk).update(assignee=bob)
    call = "999"
    if when == "his call is over":
        call = str(rings_at(alice, customer=wang).pk)
        rings_at.ends()
    elif when == "the call of somebody else":
        call = str(rings_at(alice, STRANGER).pk)
    elif when == "at a colleague's phone":
        call = str(rings_at(bob, customer=wang).pk)
    with pytest.raises(NotAllowed):
        workflow.take_over_in_call(task, alice, call)
    task.refresh_from_db()
    assert task.assignee == bob


def test_a_call_gives_no_right_to_an_approval(flows, alice, lena, wang, a_call, rings_at, as_):
    call = rings_at(alice, customer=wang)
    ticket = services.open_ticket(acting_user=alice, kind="blacklist", call=call, customer=wang)
    apply(ticket, alice)
    approval = task_of(ticket)
    assert approval.element == "B3_leader"
    assert post(as_(alice), f"/api/tasks/{approval.pk}/claim", {"call": call.pk}).status_code == 403
    assert post(as_(alice), f"/api/tasks/{approval.pk}/claim").status_code == 403
    assert post(as_(alice), "/api/tasks/999999/claim", {"call": call.pk}).status_code == 403
    assert approval.pk in [int(row["id"]) for row in workflow.page(lena, "pool")[0]]


def apply(ticket, user) -> None:
    answers = {
        "action": "submit",
        "reason": "harassment",
        "description": "rings all day",
        "term": "7",
    }
    workflow.complete(task_of(ticket), user, answers, wait=False)


@pytest.mark.req("S-35")
@pytest.mark.parametrize("ends", ["withdrawn", "cancelled"])
def test_an_application_that_comes_to_nothing_leaves_the_number_free(flows, alice, wang, a_call, person, ends):
    def wish(call_id):
        call = a_call(customer=wang, call_id=call_id)
        ticket = services.open_ticket(acting_user=alice, kind="blacklist", call=call, customer=wang, source="call")
        apply(ticket, alice)
        return ticket

    first = wish("c1")
    assert BlockEntry.objects.get().state == "pending"
    if ends == "withdrawn":
        services.withdraw(first, acting_user=alice)
        jobs.sweep()
    else:
        workflow.cancel_instance(first.instance, person("3002", "supervisor"), "twice")
    assert BlockEntry.objects.get().state == "refused"
    wish("c2")
    assert BlockEntry.objects.filter(state="pending").count() == 1


@pytest.mark.req("S-35")
@pytest.mark.parametrize("who", ["vip", "member", "open_ticket", ""])
def test_a_number_of_somebody_we_care_for_is_for_the_supervisor(flows, alice, person, wang, a_call, who):
    call = a_call(customer=wang)
    if who in ("vip", "member"):
        scheme = "vip" if who == "vip" else "ordinary"
        membership.set_level(wang, scheme, "gold", "a regular guest", acting_user=person("3003", "supervisor"))
    if who == "open_ticket":
        services.open_ticket(acting_user=alice, purpose="consult", call=call, customer=wang)
    ticket = services.open_ticket(acting_user=alice, kind="blacklist", call=call, customer=wang, source="call")
    apply(ticket, alice)
    open_ = UserTask.objects.get(instance__ticket=ticket, state="open")
    assert open_.element == ("B4_supervisor" if who else "B3_leader")


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Neither the tasks nor anything that taking one over leaves behind."""

    def everything() -> list[list[dict]]:
        tables = (UserTask, ProcessInstance, History, AccessGrant, Notification, Draft, TicketCall, AuditRow)
        return [list(model.objects.order_by("pk").values()) for model in tables]

    before = everything()
    yield
    assert everything() == before


class TestTakingOverInTheCall:
    """POST /api/tasks/{id}/claim {call}. In each refusal one thing alone is wrong: put right, the same request succeeds."""

    REFUSED = (403, {"code": "no_permission", "needs": "call_with_customer"})

    @pytest.fixture
    def task(self, flows, bob, wang):
        """A call back to Wang that Bob has claimed and begun to fill in."""
        task = task_of(services.want_outbound(source="missed_call", number=WANG, customer=wang))
        UserTask.objects.filter(pk=task.pk).update(assignee=bob, claimed_at=clock.now())
        workflow.save_draft(task, bob, {"note": "half a sentence"})
        return task

    @pytest.fixture
    def takes(self, as_, task):
        def ask(user, call, of=None) -> tuple[int, dict]:
            answer = post(as_(user), f"/api/tasks/{(of or task).pk}/claim", {"call": call})
            said = answer.json()
            return answer.status_code, {name: said[name] for name in ("code", "needs", "by") if said.get(name)}

        return ask

    def succeeds(self, task, user) -> bool:
        task.refresh_from_db()
        return task.assignee == user and History.objects.filter(task=task, action="taken_in_call").count() == 1

    @pytest.mark.req("X-10")
    def test_who_is_no_part_of_the_call_is_refused_and_with_it_at_his_phone_is_not(
        self, task, takes, alice, bob, person, wang, rings_at
    ):
        carl = person("1032", "agent")
        call = rings_at(carl, customer=wang)
        AgentProfile.objects.create(user=alice, extension="8023", state="busy")
        with nothing_changes():
            assert takes(alice, call.pk) == self.REFUSED
        assert takes(carl, call.pk)[0] == 200
        assert self.succeeds(task, carl)

    @pytest.mark.req("X-10")
    def test_who_has_not_the_role_of_the_lane_is_refused_though_the_call_is_at_his_phone(
        self, task, takes, person, wang, rings_at
    ):
        rose = person("1061", "pharmacy")
        call = rings_at(rose, customer=wang)
        with nothing_changes():
            assert takes(rose, call.pk) == self.REFUSED
        rose.roles.add(Role.objects.get(key=task.lane))
        assert takes(rose, call.pk)[0] == 200
        assert self.succeeds(task, rose)

    @pytest.mark.req("X-10")
    def test_the_task_of_another_customer_is_not_taken_and_his_own_is(self, task, takes, alice, bob, wang, rings_at):
        other = task_of(services.want_outbound(source="missed_call", number=STRANGER))
        UserTask.objects.filter(pk=other.pk).update(assignee=bob, claimed_at=clock.now())
        call = rings_at(alice, STRANGER)
        with nothing_changes():
            assert takes(alice, call.pk) == self.REFUSED
        assert takes(alice, call.pk, of=other)[0] == 200
        assert self.succeeds(other, alice)
        task.refresh_from_db()
        assert task.assignee == bob

    @pytest.mark.req("X-10")
    def test_a_call_that_is_over_gives_nothing_until_he_rings_again(self, task, takes, alice, wang, rings_at):
        over = rings_at(alice, customer=wang)
        rings_at.ends()
        with nothing_changes():
            assert takes(alice, over.pk) == self.REFUSED
        again = rings_at(alice, customer=wang, call_id="again")
        with nothing_changes():
            assert takes(alice, over.pk) == self.REFUSED
        assert takes(alice, again.pk)[0] == 200
        assert self.succeeds(task, alice)

    @pytest.mark.req("X-10")
    def test_what_the_colleague_has_done_meanwhile_is_told_with_his_name(
        self, task, takes, alice, bob, wang, rings_at, clock
    ):
        call = rings_at(alice, customer=wang)
        workflow.complete(task, bob, {"result": "called_in"})
        with nothing_changes():
            assert takes(alice, call.pk) == (409, {"code": "task_done", "by": {"number": "1031", "name": bob.name}})
        # The ten seconds are over and the flow has ended: nobody is waited for any more.
        clock.forward(seconds=11)
        sweep()
        with nothing_changes():
            assert takes(alice, call.pk) == self.REFUSED

    @pytest.mark.parametrize("call", ["the hotline", -1.5, [7]])
    def test_what_is_no_call_is_named_as_a_wrong_field(self, call, task, alice, as_):
        with nothing_changes():
            answer = post(as_(alice), f"/api/tasks/{task.pk}/claim", {"call": call})
            assert (answer.status_code, list(answer.json()["fields"])) == (400, ["call"])

    def test_a_call_that_never_was_gives_nothing_and_who_is_not_signed_in_less(
        self, task, takes, alice, wang, rings_at, client
    ):
        call = rings_at(alice, customer=wang)
        with nothing_changes():
            assert post(client, f"/api/tasks/{task.pk}/claim", {"call": call.pk}).status_code == 401
            assert takes(alice, call.pk + 1000) == self.REFUSED


class TestWithdrawing:
    @pytest.fixture
    def applied(self, flows, alice, wang, a_call):
        ticket = services.open_ticket(acting_user=alice, kind="blacklist", call=a_call(customer=wang), customer=wang)
        apply(ticket, alice)
        return ticket

    @pytest.mark.req("S-35")
    def test_the_applicant_takes_it_back_and_the_leader_has_nothing_to_decide(self, applied, alice, lena, as_):
        client = as_(alice)
        assert client.get(f"/api/tickets/{applied.number}").json()["can"] == ["withdraw"]
        assert post(client, f"/api/tickets/{applied.number}/withdraw").status_code == 202
        sweep()
        applied.refresh_from_db()
        assert (applied.outcome, workflow.page(lena, "pool")[0]) == ("withdrawn", [])
        late = post(client, f"/api/tickets/{applied.number}/withdraw")
        assert (late.status_code, late.json()["code"]) == (409, "nothing_to_withdraw")
        assert client.get(f"/api/tickets/{applied.number}").json()["can"] == []

    @pytest.mark.req("S-36")
    def test_nobody_else_takes_it_back(self, applied, bob, lena, as_):
        assert post(as_(lena), f"/api/tickets/{applied.number}/withdraw").status_code == 403
        assert as_(lena).get(f"/api/tickets/{applied.number}").json()["can"] == []
        assert post(as_(bob), f"/api/tickets/{applied.number}/withdraw").status_code == 404
        sweep()
        applied.refresh_from_db()
        assert applied.closed_at is None

    def test_a_case_without_that_message_cannot_be_withdrawn(self, flows, alice, as_):
        ticket = services.open_ticket(acting_user=alice, purpose="consult")
        assert post(as_(alice), f"/api/tickets/{ticket.number}/withdraw").json()["code"] == "nothing_to_withdraw"
