"""Whatever people, clocks and messages do, and in whatever order: rows and engine agree, nothing ends twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.step import Run, step
from engine.verbs import REGISTRY
from tests.workflow.cast import Cast, start
from web.common import clock as product_clock
from web.common.errors import DomainError
from web.jobs import services as jobs
from web.jobs.models import InboundMessage, Incident
from web.workflow import services as workflow
from web.workflow.models import History, ProcessInstance, Submission, UserTask
from web.workflow.services.publishing import definition_of

ANSWERS = {
    "do": {"result": "x"},
    "judge": {"verdict": "yes"},
    "left": {"a": 1},
    "right": {"b": 2},
    "unpack": {"fine": True},
    "wait": {"fine": True},
}
WHO, WHICH = st.integers(0, 3), st.integers(0, 30)
ACTS = st.one_of(
    st.tuples(st.sampled_from(["claim", "return", "complete", "now", "undo", "draft"]), WHO, WHICH),
    st.tuples(st.just("reassign"), WHO, WHICH),
    st.tuples(st.just("pass"), st.sampled_from([5, 10, 3600, 4 * 3600]), WHICH),
    st.tuples(st.just("message"), st.sampled_from(["call", "parcel", "other"]), st.integers(0, 3)),
    st.tuples(st.just("flush"), WHO, WHICH),
)


class World:
    """Five running flows, four people and a clock."""

    def __init__(self, cast: Cast, clock) -> None:
        self.clock, self.people = clock, [cast.ann, cast.bob, cast.lea, cast.sue]
        self.supervisor = cast.sue
        for number, flow in enumerate(("errand", "vote", "pair", "parcel", "listen")):
            start(flow, cast.ann, key=f"ticket:P{number}", group="booking", parcel="1", number="n", customer="8")

    def act(self, name: str, who, which: int) -> None:
        tasks = list(UserTask.objects.order_by("pk"))
        task = tasks[which % len(tasks)]
        try:
            with transaction.atomic():
                self._act(name, who, which, task)
        except DomainError:
            pass

    def _act(self, name: str, who, which: int, task: UserTask) -> None:
        if name == "pass":
            self.clock.forward(seconds=who)
            jobs.sweep()
        elif name == "message":
            self._message(who, which)
        elif name == "reassign":
            due = product_clock.now() + timedelta(hours=2)
            to = self.people[who].number
            workflow.reassign([task], self.supervisor, assignee=to, due_at=due, reason="absent")
        elif name == "flush":
            workflow.flush_undo(self.people[who])
        elif name == "complete" or name == "now":
            workflow.complete(task, self.people[who], ANSWERS.get(task.element, {}), wait=name == "complete")
        elif name == "draft":
            workflow.save_draft(task, self.people[who], {"typed": which})
        else:
            act = {"claim": workflow.claim, "return": workflow.return_task, "undo": workflow.undo}[name]
            act(task, self.people[who])

    @staticmethod
    def _message(what: str, number: int) -> None:
        if what == "call":
            jobs.receive("call.ended", message_id=f"call:{number}", subject="number:n", payload={})
        else:
            key = "ticket:P3" if what == "parcel" else "ticket:none"
            more = {"business_key": key, "keys": {"parcel": "1"}, "payload": {}}
            jobs.receive("parcel.arrived", message_id=f"{what}:{number}", **more)
        jobs.sweep()

    def check(self) -> None:
        for instance in ProcessInstance.objects.all():
            numbers = list(History.objects.filter(instance=instance).order_by("seq").values_list("seq", flat=True))
            assert numbers == list(range(1, len(numbers) + 1)) and instance.last_seq == len(numbers)
            rows = UserTask.objects.filter(instance=instance)
            pending = rows.filter(state=UserTask.DONE).exclude(undo_until=None)
            shown = {*rows.filter(state=UserTask.OPEN).values_list("engine_id", flat=True)}
            shown |= {*pending.values_list("engine_id", flat=True)}
            if instance.status == ProcessInstance.RUNNING:
                state, past = bytes(instance.state), instance.started_at
                outcome = step(definition_of(instance.version_id), state, Run(), past, REGISTRY)
                assert shown == {task.id for task in outcome.tasks}
            else:
                assert shown == set()
        for task in UserTask.objects.all():
            standing = Submission.objects.filter(task=task, is_undone=False).count()
            assert standing == (1 if task.state == UserTask.DONE else 0)
            assert History.objects.filter(task=task, action="completed", kind="userTask").count() <= 1
        assert not Incident.objects.exists()
        taken = InboundMessage.objects.filter(state=InboundMessage.CONSUMED, subject=None)
        assert all(message.deliveries == 1 for message in taken)


@pytest.mark.req("X-10", "X-13")
@pytest.mark.django_db
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(acts=st.lists(ACTS, min_size=3, max_size=14))
def test_any_order_of_acts_leaves_rows_and_engine_in_agreement(cast, clock, acts) -> None:
    begun = clock.now()
    try:
        with transaction.atomic():
            world = World(cast, clock)
            for act in acts:
                world.act(*act)
            world.check()
            transaction.set_rollback(True)
    finally:
        clock.set(begun)
