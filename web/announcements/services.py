"""Announcements: published to everybody or to groups, changed, withdrawn; each act is in the audit (A-20…A-26, A-36)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from web.accounts import services as accounts
from web.accounts.models import Group, User
from web.common import clock
from web.common.audit import audit
from web.common.errors import BadInput
from web.common.publishing import publish as tell

from .events import AnnouncementsChanged
from .models import Announcement

LEVELS = ("urgent", "normal")


@transaction.atomic
def publish(
    *,
    title: str,
    body: str = "",
    level: str = "normal",
    groups: Iterable[str] = (),
    title_en: str | None = None,
    published_at: datetime | None = None,
    acting_user: User,
) -> Announcement:
    """Publish to the members of `groups` and everything below them, or to everybody. BadInput names what is wrong."""
    accounts.require(acting_user, "announcements.publish")
    _check(title=title, level=level)
    receivers = _groups(groups)
    item = Announcement.objects.create(
        title=title.strip(), title_en=title_en, body=body, level=level, by=acting_user.number,
        published_at=published_at or clock.now(),
    )  # fmt: skip
    item.groups.set(receivers)
    audit("announcements.published", f"announcement:{item.pk}", actor=acting_user, **_content(item))
    tell(AnnouncementsChanged(item.pk))
    return item


@transaction.atomic
def change(
    item: Announcement, *, acting_user: User, groups: Iterable[str] | None = None, **fields: Any
) -> Announcement:
    """Change title, body, level or audience; the audit keeps what it said before (A-22)."""
    accounts.require(acting_user, "announcements.publish")
    _check(**fields)
    before = _content(item)
    for name, value in fields.items():
        setattr(item, name, value)
    item.save(update_fields=list(fields) or ["title"])
    if groups is not None:
        item.groups.set(_groups(groups))
    audit("announcements.changed", f"announcement:{item.pk}", actor=acting_user, before=before, after=_content(item))
    tell(AnnouncementsChanged(item.pk))
    return item


@transaction.atomic
def withdraw(item: Announcement, *, acting_user: User) -> None:
    """It disappears for all readers; the row and its audit stay (A-23). Withdrawing twice is one act."""
    accounts.require(acting_user, "announcements.publish")
    if Announcement.objects.filter(pk=item.pk, withdrawn_at=None).update(withdrawn_at=clock.now()):
        audit("announcements.withdrawn", f"announcement:{item.pk}", actor=acting_user, **_content(item))
        tell(AnnouncementsChanged(item.pk))


def _check(**fields: Any) -> None:
    problems = {}
    if "title" in fields and not str(fields["title"] or "").strip():
        problems["title"] = [{"code": "required"}]
    if len(str(fields.get("title") or "")) > 120:
        problems["title"] = [{"code": "too_long"}]
    if "level" in fields and fields["level"] not in LEVELS:
        problems["level"] = [{"code": "unknown"}]
    if problems:
        raise BadInput(fields=problems)


def _groups(keys: Iterable[str]) -> list[Group]:
    wanted = set(keys)
    found = list(Group.objects.filter(key__in=wanted))
    if len(found) != len(wanted):
        raise BadInput(fields={"groups": [{"code": "unknown", "keys": sorted(wanted - {g.key for g in found})}]})
    return found


def _content(item: Announcement) -> dict[str, Any]:
    return {
        "title": item.title,
        "body": item.body,
        "level": item.level,
        "groups": sorted(g.key for g in item.groups.all()),
    }
