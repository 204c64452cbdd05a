"""Standing rules: who sees which flows and tasks, beside what grants open (ARCHITECTURE 3.4)."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from web.accounts import services as accounts
from web.accounts.models import Group, Membership
from web.common.scope import everything, scoped
from web.workflow.models import ProcessInstance, TaskCandidate, UserTask


def keys_of(user: Any) -> set[str]:
    """The user's candidate keys, read once per user object, that is once per request."""
    if "_candidate_keys" not in user.__dict__:
        user.__dict__["_candidate_keys"] = accounts.candidate_keys(user)
    return user.__dict__["_candidate_keys"]


def _led(user: Any) -> list[str]:
    return [key.removeprefix("leader:") for key in keys_of(user) if key.startswith("leader:")]


def ordinary(user: Any) -> Q:
    """Own tasks, those he may claim or has done, those of flows he started, and those of the people and groups he leads."""
    offered = TaskCandidate.objects.filter(key__in=keys_of(user)).values("task")
    rule = Q(assignee=user) | Q(ended_by=user) | Q(instance__started_by=user.number) | Q(pk__in=offered)
    led = _led(user)
    if led:
        members = Membership.objects.filter(group__in=Group.objects.filter(key__in=led).values("pk")).values("user")
        pools = TaskCandidate.objects.filter(key__in=[f"group:{key}" for key in led]).values("task")
        rule |= Q(assignee__in=members) | Q(pk__in=pools) | Q(about__assignee__in=members)
    return rule


def sees_all(user: Any) -> bool:
    return accounts.has_permission(user, "tasks.view_all")


def is_technical(user: Any) -> bool:
    """Sees where flows stand, to repair them; what people wrote in them is not for him."""
    return accounts.has_permission(user, "workflow.incidents") or accounts.has_role(user, "admin")


@scoped(UserTask)
def user_tasks(user: Any) -> Q | None:
    if not user.is_active:
        return None
    return everything() if sees_all(user) or is_technical(user) else ordinary(user)


@scoped(ProcessInstance, subject="instance")
def instances(user: Any) -> Q | None:
    if not user.is_active:
        return None
    if sees_all(user) or is_technical(user):
        return everything()
    return Q(started_by=user.number) | Q(pk__in=UserTask.objects.filter(ordinary(user)).values("instance"))
