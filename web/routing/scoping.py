"""Standing rule of the black list: one's own applications; all for those who approve or lift."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from web.accounts import services as accounts
from web.common.scope import everything, scoped

from .models import BlockEntry


@scoped(BlockEntry)
def entries(user: Any) -> Q | None:
    if accounts.has_permission(user, "routing.approve") or accounts.has_permission(user, "routing.lift"):
        return everything()
    return Q(applied_by=user.number)
