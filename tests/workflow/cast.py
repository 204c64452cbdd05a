"""People, verbs and small flows for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.verbs import REGISTRY
from web.accounts.models import Group, Membership, Role, RolePermission, User
from web.jobs import services as jobs
from web.workflow import services
from web.workflow.models import ProcessInstance, UserTask
from web.workflow.services.publishing import forget_parsed

FLOWS = Path(__file__).parent / "flows"
ROLES = ("agent", "team_leader", "supervisor", "manager", "director", "admin", "system")
PERMISSIONS = {
    "supervisor": ["tasks.reassign"],
    "director": ["tasks.view_all"],
    "admin": ["workflow.incidents", "workflow.deploy"],
}


class Probe:
    """What the flows' verb `probe.work` does next: a list of errors or results, the last one stays."""

    def __init__(self) -> None:
        self.answers: list[Any] = [{"n": 1}]
        self.calls: list[dict[str, Any]] = []

    def work(self, context, **params: Any) -> dict[str, Any]:
        self.calls.append({"submission": context.submission, "actor": context.actor, **params})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send(self, context) -> dict[str, Any]:
        made = jobs.effect("probe.sms", key=f"{context.instance_key}:{context.task_id}", payload={"to": "somebody"})
        return {"message": made.key}


OPEN = {"type": "object", "additionalProperties": True}
_current: list[Probe] = []


def _work(context, **params: Any) -> dict[str, Any]:
    return _current[-1].work(context, **params)


def _send(context) -> dict[str, Any]:
    return _current[-1].send(context)


def lend(probe: Probe) -> None:
    """Lend the probe's verbs to flows of this process."""
    _current.append(probe)
    if "probe.work" not in REGISTRY:
        REGISTRY.register("probe.work", _work, params=OPEN, result=OPEN)
        REGISTRY.register("probe.send", _send, params=OPEN, result=OPEN)


def a_user(number: str, *roles: str, group: Group | None = None, leads: bool = False) -> User:
    user = User.objects.create(number=number, name=f"name {number}", password="!")
    user.roles.set(
        [Role.objects.get_or_create(key=role, defaults={"name": role, "name_en": role})[0] for role in roles]
    )
    if group:
        Membership.objects.create(user=user, group=group, leads=leads)
    return user


class Cast:
    """ann and bob answer calls in booking, led by lea; sue supervises, dan directs, adi keeps the system running; zoe is elsewhere."""

    def __init__(self) -> None:
        forget_parsed()
        RolePermission.objects.all().delete()
        for role in ROLES:
            row, _ = Role.objects.get_or_create(key=role, defaults={"name": role, "name_en": role})
            for code in PERMISSIONS.get(role, []):
                RolePermission.objects.get_or_create(role=row, code=code)
        centre = Group.objects.create(key="centre", name="centre", path="/centre/")
        booking = Group.objects.create(key="booking", name="booking", name_en="Booking", parent=centre, path="/centre/booking/")
        other = Group.objects.create(key="other", name="other", parent=centre, path="/centre/other/")
        self.ann = a_user("1001", "agent", group=booking)
        self.bob = a_user("1002", "agent", group=booking)
        self.zoe = a_user("1003", "agent", group=other)
        self.lea = a_user("2001", "agent", "team_leader", group=booking, leads=True)
        self.sue = a_user("3001", "supervisor", group=centre, leads=True)
        self.dan = a_user("4001", "director", group=centre)
        self.adi = a_user("9001", "admin")
        self.probe = Probe()
        lend(self.probe)
        done = services.deploy_folder(FLOWS)
        assert done.refused == {}, done.refused


def start(flow: str, user: User | None = None, key: str = "ticket:T1", **data: Any) -> ProcessInstance:
    return services.start(flow, key=key, data=data, acting_user=user)


def task(instance: ProcessInstance, element: str) -> UserTask:
    """The open task at `element`."""
    return UserTask.objects.get(instance=instance, element=element, state=UserTask.OPEN)


def again(row):
    return type(row).objects.get(pk=row.pk)


@pytest.fixture
def cast(db: None, clock: Any) -> Iterator[Cast]:
    yield Cast()
    forget_parsed()
    _current.clear()
