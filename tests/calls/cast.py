"""People, queues and switch events for tests about calls."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from cti import events as e
from cti.model import OUTSIDE, Cause, Direction
from web.accounts.models import Group, Membership, Role, RolePermission, User
from web.agents.models import AgentProfile, PauseReason, Skill, SkillGroup
from web.customers import services as customers
from web.customers.models import Customer
from web.routing.models import Queue, ServiceNumber

HOTLINE = "4008001234"
LI = "+8613812341234"  # the number of 李, a known customer
STRANGER = "+8613999990000"

_ordinals = itertools.count(1)


def a_role(key: str, *permissions: str) -> Role:
    """A role of the cast's own, with these permissions and not those an installation begins with."""
    role, _ = Role.objects.get_or_create(key=f"cast_{key}", defaults={"name": key, "name_en": key})
    for code in permissions:
        RolePermission.objects.get_or_create(role=role, code=code)
    return role


def a_group(key: str = "booking") -> Group:
    return Group.objects.get_or_create(key=key, defaults={"name": key, "path": f"/{key}/"})[0]


def a_user(number: str, role: str = "agent", *permissions: str, group: str = "booking", leads: bool = False) -> User:
    user = User.objects.create(number=number, name=f"坐席{number}")
    user.roles.add(a_role(role, *permissions))
    Membership.objects.create(user=user, group=a_group(group), leads=leads)
    return user


def an_agent(
    number: str, *, extension: str = "", state: str = AgentProfile.NULL, group: str = "booking"
) -> AgentProfile:
    """An agent with his seat and his skill group; signed in when a state is given."""
    user = a_user(number, "agent", "telephony.dial", "tickets.open", group=group)
    profile = AgentProfile.objects.create(user=user, extension=extension or f"8{number[-3:]}", state=state)
    skill_group, _ = SkillGroup.objects.get_or_create(key=group, defaults={"name": group, "group": a_group(group)})
    skill, _ = Skill.objects.get_or_create(key="consult", defaults={"name": "咨询"})
    profile.skill_groups.add(skill_group)
    profile.skills.add(skill)
    if state != AgentProfile.NULL:
        profile.signed_in, profile.active_skills = [group], ["consult"]
        profile.save()
    return profile


def a_queue(key: str = "main", *, group: str = "booking", number: str = HOTLINE, **values: Any) -> Queue:
    skill_group, _ = SkillGroup.objects.get_or_create(key=group, defaults={"name": group, "group": a_group(group)})
    queue = Queue.objects.create(
        key=key, name="预约热线", name_en="Booking line", skill_group=skill_group, skills=["consult"], **values
    )
    ServiceNumber.objects.create(number=number, queue=queue)
    return queue


def reasons() -> None:
    rows = (("meeting", "not_ready", "会议", "Meeting", 60), ("meal", "rest", "用餐", "Meal", 30))
    for key, kind, name, name_en, minutes in rows:
        PauseReason.objects.create(key=key, kind=kind, name=name, name_en=name_en, max_minutes=minutes)


def a_customer(number: str = LI, *, owner: User | None = None, name: str = "李明") -> Customer:
    clerk = owner or User.objects.filter(number="clerk").first() or User.objects.create(number="clerk", name="登记员")
    customer, _ = customers.register(acting_user=clerk, number=number, name=name, separate=True)
    Customer.objects.filter(pk=customer.pk).update(owner=owner)
    customer.refresh_from_db()
    return customer


class Line:
    """Makes the switch's events of one call, at the instants a test says (seconds from its beginning)."""

    def __init__(self, at: datetime, *, calling: str = LI, called: str = HOTLINE) -> None:
        self.start, self.calling, self.called = at, calling, called
        self.id = f"call-{next(_ordinals)}"
        self._seq = itertools.count(1)

    def _event(self, kind: type[e.Event], after: float, **values: Any) -> e.Event:
        at = self.start + timedelta(seconds=after)
        return kind(call_id=self.id, pbx_id=f"pbx-{self.id}", at=at, seq=next(self._seq), **values)

    def _part(self, kind: type[e.Event], after: float, agent: AgentProfile, ordinal: int = 1, **values: Any) -> e.Event:
        device = agent.extension
        names = {"connection": f"{self.id}/{device}/{ordinal}", "device": device, "agent": agent.user.number}
        return self._event(kind, after, **names, **values)

    def arrives(self, after: float = 0) -> e.Event:
        return self._event(e.RouteRequested, after, calling=self.calling, called=self.called)

    def queued(self, after: float = 0, queue: str = "main") -> e.Event:
        return self._event(e.Queued, after, calling=self.calling, called=self.called, queue=queue)

    def rings(self, after: float, agent: AgentProfile, ordinal: int = 1) -> e.Event:
        return self._part(e.Delivered, after, agent, ordinal, calling=self.calling, called=self.called)

    def answered(self, after: float, agent: AgentProfile, ordinal: int = 1) -> e.Event:
        return self._part(e.Established, after, agent, ordinal)

    def held(self, after: float, agent: AgentProfile) -> e.Event:
        return self._part(e.Held, after, agent)

    def retrieved(self, after: float, agent: AgentProfile) -> e.Event:
        return self._part(e.Retrieved, after, agent)

    def withdrawn(self, after: float, agent: AgentProfile, ordinal: int = 1) -> e.Event:
        return self._part(e.Diverted, after, agent, ordinal, cause=Cause.rona)

    def left(self, after: float, agent: AgentProfile, cause: Cause = Cause.normal) -> e.Event:
        return self._part(e.ConnectionCleared, after, agent, cause=cause)

    def dialled(self, after: float, agent: AgentProfile, number: str) -> e.Event:
        numbers = {"calling": agent.extension, "called": number, "direction": Direction.outbound}
        return self._part(e.Originated, after, agent, **numbers)

    def far_end_left(self, after: float, cause: Cause = Cause.normal) -> e.Event:
        names = {"connection": f"{self.id}/{OUTSIDE}/1", "device": OUTSIDE, "agent": ""}
        return self._event(e.ConnectionCleared, after, **names, cause=cause)

    def ends(self, after: float, cause: Cause = Cause.normal, outcome: str = "answered") -> e.Event:
        return self._event(e.CallCleared, after, cause=cause, outcome=outcome)
