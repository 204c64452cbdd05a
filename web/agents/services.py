"""Seats, skills and reasons. Who is ready, busy or wrapping up is written by telephony alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from web.accounts import services as accounts
from web.accounts.models import Group, User
from web.common.audit import audit
from web.common.errors import BadInput, DomainError
from web.common.names import named
from web.common.publishing import publish

from .events import SeatLeft, SeatTaken
from .models import AgentProfile, Extension, PauseReason, Skill, SkillGroup


class ExtensionRequired(BadInput):
    code = "extension_required"


class ExtensionUnknown(BadInput):
    code = "extension_unknown"


class SeatIsTaken(DomainError):
    """Somebody else sits there, or the same person in another session. Facts: by = {number, name}."""

    code, status = "seat_taken", 409


# --- seats -----------------------------------------------------------------------------------------------------
def profile_of(user: User) -> AgentProfile | None:
    """None for users without a phone."""
    return AgentProfile.objects.filter(user=user).first()


def check_extension(user: User, number: str) -> str | None:
    """The extension this user may ask for at log-in: None without an agent profile, else a known one (0.4)."""
    if profile_of(user) is None:
        return None
    number = (number or "").strip()
    if not number:
        raise ExtensionRequired(fields={"extension": [{"code": "required"}]})
    if not Extension.objects.filter(number=number, is_active=True).exists():
        raise ExtensionUnknown(fields={"extension": [{"code": "unknown"}]})
    return number


def who_sits_at(extension: str, *, other_than: User) -> AgentProfile | None:
    return AgentProfile.objects.filter(extension=extension).exclude(user=other_than).select_related("user").first()


@transaction.atomic
def take_seat(user: User, extension: str, *, takeover: bool = False) -> AgentProfile:
    """Sit down at an extension: one seat, one extension (X-17). Whoever sits there keeps it (SeatIsTaken) unless `takeover`: then his
    sessions end, his phone signs out, and both are audited."""
    profile = AgentProfile.objects.select_for_update().get(user=user)
    sitting = who_sits_at(extension, other_than=user)
    if sitting is not None:
        if not takeover:
            raise SeatIsTaken(by={"number": sitting.user.number, "name": sitting.user.name})
        leave_seat(sitting)
        accounts.end_sessions(sitting.user, reason="seat_taken_over", actor=user)
        audit("session.seat_taken_over", f"extension:{extension}", actor=user, former=sitting.user.number)
    if profile.extension and profile.extension != extension:
        publish(SeatLeft(profile.pk, profile.extension))
    try:
        with transaction.atomic():
            AgentProfile.objects.filter(pk=profile.pk).update(extension=extension, version=F("version") + 1)
    except IntegrityError:  # another sign-in at this seat was quicker
        raise SeatIsTaken(by=None) from None
    profile.refresh_from_db()
    publish(SeatTaken(profile.pk, extension))
    return profile


@transaction.atomic
def leave_seat(profile: AgentProfile) -> None:
    """Stand up. The state follows by telephony, which signs out who has no extension."""
    if profile.extension:
        publish(SeatLeft(profile.pk, profile.extension))
        AgentProfile.objects.filter(pk=profile.pk).update(extension=None, version=F("version") + 1)
        profile.refresh_from_db()


# --- basic information (A-03) ----------------------------------------------------------------------------------
@transaction.atomic
def set_agent(
    user: User,
    *,
    skill_groups: Iterable[str],
    skills: Iterable[str],
    wrap_up_seconds: int | None = None,
    acting_user: User | None = None,
) -> AgentProfile:
    """Make a user an agent or change what he may sign in to; it takes effect at his next sign-in and is logged.

    BadInput names unknown keys.
    """
    groups, known = (
        list(SkillGroup.objects.filter(key__in=list(skill_groups))),
        list(Skill.objects.filter(key__in=list(skills))),
    )
    missing = {
        name: [{"code": "unknown", "keys": sorted(absent)}]
        for name, absent in {
            "skill_groups": set(skill_groups) - {group.key for group in groups},
            "skills": set(skills) - {skill.key for skill in known},
        }.items()
        if absent
    }
    if missing:
        raise BadInput(fields=missing)
    profile, is_new = AgentProfile.objects.get_or_create(user=user)
    before = {} if is_new else _basics(profile)
    profile.skill_groups.set(groups)
    profile.skills.set(known)
    changed: dict[str, Any] = {"version": F("version") + 1}
    if wrap_up_seconds is not None:
        changed["wrap_up_seconds"] = wrap_up_seconds
    AgentProfile.objects.filter(pk=profile.pk).update(**changed)
    profile.refresh_from_db()
    after = _basics(profile)
    if before != after:
        audit("agents.changed", f"user:{user.number}", actor=acting_user, before=before, after=after)
    return profile


def _basics(profile: AgentProfile) -> dict[str, Any]:
    return {
        "skill_groups": sorted(profile.skill_groups.values_list("key", flat=True)),
        "skills": sorted(profile.skills.values_list("key", flat=True)),
        "wrap_up_seconds": profile.wrap_up_seconds,
    }


def set_skill(key: str, name: str, name_en: str | None = None) -> Skill:
    return Skill.objects.update_or_create(key=key, defaults={"name": name, "name_en": name_en})[0]


def set_skill_group(key: str, name: str, *, group: Group | None, name_en: str | None = None) -> SkillGroup:
    return SkillGroup.objects.update_or_create(key=key, defaults={"name": name, "name_en": name_en, "group": group})[0]


def set_extension(number: str, *, is_active: bool = True) -> Extension:
    return Extension.objects.update_or_create(number=number, defaults={"is_active": is_active})[0]


def set_reason(key: str, kind: str, name: str, name_en: str, *, max_minutes: int, position: int) -> PauseReason:
    facts = {"kind": kind, "name": name, "name_en": name_en, "max_minutes": max_minutes, "position": position}
    return PauseReason.objects.update_or_create(key=key, defaults=facts)[0]


# --- queries ---------------------------------------------------------------------------------------------------
def reasons() -> QuerySet[PauseReason]:
    return PauseReason.objects.filter(is_active=True).order_by("position", "pk")


def agent_view(profile: AgentProfile | None) -> dict[str, Any] | None:
    """What the session says of the agent: seat, and what he may sign in to."""
    if profile is None:
        return None
    return {
        "extension": profile.extension or "",
        "groups": [named(one) for one in profile.skill_groups.order_by("pk")],
        "skills": [named(one) for one in profile.skills.order_by("pk")],
    }
