"""Standing rules of this room's models: everybody may look up colleagues; logs and notices are one's own."""

from __future__ import annotations

from django.db.models import Q

from web.common.scope import everything, scoped

from .models import Group, LoginAttempt, Notification, User
from .services import has_role


@scoped(User)
def users(user: User) -> Q | None:
    return everything() if user.is_active else None


@scoped(Group)
def groups(user: User) -> Q | None:
    return everything() if user.is_active else None


@scoped(Notification)
def notifications(user: User) -> Q | None:
    return Q(user=user)


@scoped(LoginAttempt)
def login_attempts(user: User) -> Q | None:
    return everything() if has_role(user, "admin", "director") else Q(number=user.number)
