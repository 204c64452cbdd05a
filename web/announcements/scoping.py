from __future__ import annotations

from django.db.models import Q

from web.accounts.models import User
from web.common.scope import scoped

from .models import Announcement


@scoped(Announcement)
def announcements(user: User) -> Q | None:
    """What is said to everybody, to one's groups, and to the groups above them; whoever wrote it sees it too."""
    keys: set[str] = set()
    for path in user.memberships.values_list("group__path", flat=True):
        keys |= set(path.strip("/").split("/"))
    through = Announcement.groups.through
    addressed = through.objects.values("announcement")
    mine = through.objects.filter(group__key__in=keys).values("announcement")
    return ~Q(pk__in=addressed) | Q(pk__in=mine) | Q(by=user.number)
