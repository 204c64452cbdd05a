"""The second missed call of a number whose task is just being finished: somebody still calls back (S-46)."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connections

from tests.tickets.conftest import STRANGER
from web.accounts.models import Group, Membership, Role, User
from web.common.errors import DomainError
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.tickets import services
from web.tickets.models import Ticket, TicketCall
from web.workflow import services as workflow
from web.workflow.models import UserTask
from web.workflow.services.publishing import forget_parsed

REACHED = {"result": "done", "note": "约好复诊"}


def missed(call=None):
    return services.want_outbound(source="missed_call", number=STRANGER, call=call)


def to_call(ticket) -> UserTask:
    return UserTask.objects.get(instance__ticket=ticket, state=UserTask.OPEN)


def sweep(times: int = 5):
    for _ in range(times):
        jobs.sweep()


@pytest.fixture
def first(flows, bob, a_call):
    ticket = missed(a_call(STRANGER, call_id="c1"))
    workflow.claim(to_call(ticket), bob)
    return ticket


@pytest.mark.django_db
@pytest.mark.req("S-46", "X-13")
def test_a_call_missed_while_the_completion_can_still_be_undone_becomes_a_task_of_its_own(first, bob, a_call):
    workflow.complete(to_call(first), bob, REACHED)
    second = missed(a_call(STRANGER, call_id="c2"))
    sweep()
    first.refresh_from_db()
    assert first.closed_at is not None and first.repeats == 1
    assert second != first and to_call(second).element == "O4_call"
    assert TicketCall.objects.get(call__call_id="c2").ticket == second
    assert not InboundMessage.objects.filter(name="outbound.again").exists()


@pytest.mark.django_db
@pytest.mark.req("S-46")
def test_a_call_missed_while_the_task_is_open_is_counted_in_the_same_transaction(first, a_call):
    assert missed(a_call(STRANGER, call_id="c2")) == first
    first.refresh_from_db()
    assert first.repeats == 2 and first.last_repeat_at is not None
    assert InboundMessage.objects.get(name="outbound.again").state == InboundMessage.CONSUMED


@pytest.mark.django_db
def test_an_answer_that_leaves_the_task_to_be_done_again_keeps_the_ticket(first, bob, a_call):
    workflow.complete(to_call(first), bob, {"result": "no_answer"})
    assert missed(a_call(STRANGER, call_id="c2")) == first
    first.refresh_from_db()
    assert first.closed_at is None and first.repeats == 2


# -- at the same moment --------------------------------------------------------------------------------------------


@contextmanager
def people():
    forget_parsed()
    workflow.deploy_folder(settings.FLOWS_DIR)
    group = Group.objects.create(key="service", name="服务组", name_en="Service", path="/service/")
    user = User.objects.create_user("1031", "a long enough passphrase", name="员工1031")
    user.roles.add(Role.objects.get_or_create(key="agent", defaults={"name": "坐席", "name_en": "Agent"})[0])
    Membership.objects.create(user=user, group=group)
    yield user
    forget_parsed()


def race(agent: User) -> None:
    """Each round: the agent finishes the task while the number is missed again. Whoever is first, a task to call back stands open or the
    call was counted before the task was finished; nothing waits for nobody."""
    for n in range(6):
        ticket = services.want_outbound(source="missed_call", number=f"+86199000010{n:02}")
        todo = workflow.claim(to_call(ticket), agent)
        ready, failures = threading.Barrier(2), []

        def together(act, ready=ready, failures=failures):
            ready.wait()
            try:
                act()
            except DomainError as error:
                failures.append(error)
            finally:
                connections.close_all()

        acts = (
            lambda todo=todo, n=n: workflow.complete(todo, agent, REACHED, wait=bool(n % 2)),
            lambda n=n: services.want_outbound(source="missed_call", number=f"+86199000010{n:02}"),
        )
        threads = [threading.Thread(target=together, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        ticket.refresh_from_db()
        others = Ticket.objects.filter(gather_key=ticket.gather_key).exclude(pk=ticket.pk)
        assert (ticket.repeats, others.open().count()) in ((2, 0), (1, 1)), n
        assert others.count() <= 1
    assert not InboundMessage.objects.exclude(state=InboundMessage.CONSUMED).exists()


@pytest.mark.django_db(transaction=True)
def test_finishing_and_missing_again_at_once_loses_no_call():
    with people() as agent:
        race(agent)


@pytest.mark.postgres
def test_finishing_and_missing_again_at_once_loses_no_call_on_postgresql(postgres_db):
    with people() as agent:
        race(agent)
