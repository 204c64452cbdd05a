"""Standing rules: oneself and the agents one leads (S-50…S-53); skills and reasons are known to everybody."""

from __future__ import annotations

from django.db.models import Q

from web.accounts import services as accounts
from web.accounts.models import Membership, User
from web.common.scope import everything, scoped

from .models import AgentProfile, PauseReason, Skill, SkillGroup, StateSpan


def _led(user: User):
    return Membership.objects.filter(group__in=accounts.groups_led(user).values("pk")).values("user")


@scoped(AgentProfile)
def profiles(user: User) -> Q | None:
    return Q(user=user) | Q(user__in=_led(user))


@scoped(StateSpan)
def spans(user: User) -> Q | None:
    return Q(agent__user=user) | Q(agent__user__in=_led(user))


@scoped(Skill)
@scoped(SkillGroup)
@scoped(PauseReason)
def words(user: User) -> Q | None:
    return everything() if user.is_active else None
