"""Who somebody is, what he may do, and what he was given access to (ARCHITECTURE 3.4, REQUIREMENTS 6.3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q, QuerySet

from web.common import clock
from web.common.audit import audit
from web.common.errors import BadInput, NotAllowed, NotFound
from web.common.names import both
from web.common.publishing import publish

from .events import Notified, SessionsEnded
from .models import AccessGrant, Group, Membership, Notification, Role, RolePermission, User

PERMISSIONS = (
    "tickets.open",
    "tickets.view_all",
    "tasks.reassign",
    "tasks.view_all",
    "customers.register",
    "customers.assign",
    "customers.reveal",
    "customers.view_all",
    "routing.approve",
    "routing.lift",
    "telephony.dial",
    "telephony.extend_wrap_up",
    "telephony.floor",
    "telephony.demo",
    "reports.view",
    "reports.export",
    "workflow.incidents",
    "workflow.deploy",
    "announcements.publish",
    "clinics.maintain",
    "membership.maintain",
    "appointments.schedule",
    "payments.view",
    "payments.approve",
    "payments.handle",
)


# --- permissions -----------------------------------------------------------------------------------------------
def roles_of(user: User) -> frozenset[str]:
    """Keys of the user's roles. Read once per user object, that is once per request."""
    if "_role_keys" not in user.__dict__:
        user.__dict__["_role_keys"] = frozenset(user.roles.values_list("key", flat=True))
    return user.__dict__["_role_keys"]


def permissions_of(user: User) -> frozenset[str]:
    """Codes of all roles of the user together. Read once per user object, that is once per request."""
    if "_permission_codes" not in user.__dict__:
        codes = RolePermission.objects.filter(role__users=user).values_list("code", flat=True)
        user.__dict__["_permission_codes"] = frozenset(codes)
    return user.__dict__["_permission_codes"]


def has_permission(user: Any, code: str) -> bool:
    """Nobody, a stranger and a switched-off account may do nothing."""
    return bool(user and user.is_authenticated and user.is_active and code in permissions_of(user))


def require(user: Any, code: str) -> None:
    """NotAllowed naming the permission and the roles that could grant it by doing the act themselves."""
    if not has_permission(user, code):
        holders = Role.objects.filter(permissions__code=code).order_by("pk").values_list("key", flat=True)
        raise NotAllowed(needs=code, who_grants=list(holders))


def has_role(user: Any, *keys: str) -> bool:
    return bool(user and user.is_authenticated and not roles_of(user).isdisjoint(keys))


# --- the organisation's tree -----------------------------------------------------------------------------------
def path_of(parent: Group | None, key: str) -> str:
    return f"{parent.path if parent else '/'}{key}/"


@transaction.atomic
def set_group(key: str, name: str, *, parent: Group | None = None, name_en: str | None = None) -> Group:
    """Make or move a group; what hangs below moves along."""
    group = Group.objects.filter(key=key).first()
    path = path_of(parent, key)
    if parent and f"/{key}/" in parent.path:
        raise ValueError(f"{key} cannot hang below itself")
    if group is None:
        return Group.objects.create(key=key, name=name, name_en=name_en, parent=parent, path=path)
    old = group.path
    group.name, group.name_en, group.parent, group.path = name, name_en, parent, path
    group.save(update_fields=["name", "name_en", "parent", "path"])
    if old != path:
        for below in Group.objects.filter(path__startswith=old).exclude(pk=group.pk):
            Group.objects.filter(pk=below.pk).update(path=path + below.path.removeprefix(old))
    return group


def _below(paths: Iterable[str]) -> Q:
    """The groups at these paths and all below them."""
    found = Q(pk__in=[])
    for path in paths:
        found |= Q(path__startswith=path)
    return found


def groups_of(user: User) -> QuerySet[Group]:
    """The groups the user belongs to, as member, leader or deputy."""
    return Group.objects.filter(memberships__user=user).order_by("path")


def groups_led(user: User) -> QuerySet[Group]:
    """The groups the user leads or stands in for, and everything below them (S-50…S-52)."""
    led = user.memberships.filter(Q(leads=True) | Q(deputy=True)).values_list("group__path", flat=True)
    return Group.objects.filter(_below(list(led))).order_by("path")


def leaders_of(group_key: str, *, excluding: Iterable[str] = ()) -> list[User]:
    """Active leaders of the group, else its deputies, else the same one level up. `excluding` = 工号 that do not count
    (who applies does not approve). Empty when nobody is left up to the root, or the group is unknown."""
    group, excluded = Group.objects.select_related("parent").filter(key=group_key).first(), list(excluding)
    while group is not None:
        for place in ({"leads": True}, {"deputy": True}):
            seats = Membership.objects.filter(group=group, user__is_active=True, **place).select_related("user")
            leaders = [seat.user for seat in seats.order_by("pk") if seat.user.number not in excluded]
            if leaders:
                return leaders
        group = group.parent
    return []


def members_of(group_key: str) -> QuerySet[User]:
    """Active users in the group or below it."""
    group = Group.objects.filter(key=group_key).first()
    if group is None:
        return User.objects.none()
    seats = Membership.objects.filter(group__path__startswith=group.path).values("user")
    return User.objects.filter(pk__in=seats, is_active=True).order_by("number")


def users_with_role(key: str) -> QuerySet[User]:
    return User.objects.filter(roles__key=key, is_active=True).order_by("number")


def main_group(user: User) -> Group | None:
    """The group a user's own work belongs to: the first he was put into."""
    seat = user.memberships.select_related("group").order_by("pk").first()
    return seat.group if seat else None


def user_by_number(number: str) -> User:
    """NotFound when no active user has this 工号."""
    user = User.objects.filter(number=number, is_active=True).first()
    if user is None:
        raise NotFound("user_unknown", number=number)
    return user


@transaction.atomic
def add_user(
    number: str,
    name: str,
    password: str,
    *,
    roles: Iterable[str],
    group: str | None = None,
    leads: bool = False,
    actor: User | None = None,
) -> User:
    """A new account. BadInput names what is wrong: a number that is taken, an unknown role or group, a password against the policy (X-17)."""
    roles, problems = set(roles), {}
    user = User(number=number.strip(), name=name.strip())
    if not user.number or User.objects.filter(number=user.number).exists():
        problems["number"] = [{"code": "taken" if user.number else "required"}]
    if not user.name:
        problems["name"] = [{"code": "required"}]
    known = list(Role.objects.filter(key__in=roles))
    if not roles or len(known) != len(roles):
        problems["roles"] = [{"code": "unknown", "keys": sorted(roles - {role.key for role in known})}]
    place = Group.objects.filter(key=group).first() if group else None
    if group and place is None:
        problems["group"] = [{"code": "unknown"}]
    try:
        validate_password(password, user)
    except ValidationError as weak:
        problems["password"] = [{"code": error.code} for error in weak.error_list]
    if problems:
        raise BadInput(fields=problems)
    user.set_password(password)
    user.save()
    user.roles.set(known)
    if place is not None:
        Membership.objects.create(user=user, group=place, leads=leads)
    audit("accounts.user_added", f"user:{user.number}", actor=actor, roles=sorted(roles), group=group)
    return user


@transaction.atomic
def set_roles(user: User, roles: Iterable[str], *, actor: User | None = None) -> None:
    """Other roles: audited with before and after; the user's sessions end, so nothing of the old ones is left in them."""
    before, wanted = sorted(user.roles.values_list("key", flat=True)), sorted(set(roles))
    if before == wanted:
        return
    known = list(Role.objects.filter(key__in=wanted))
    if not wanted or len(known) != len(wanted):
        raise BadInput(fields={"roles": [{"code": "unknown"}]})
    user.roles.set(known)
    user.__dict__.pop("_role_keys", None)
    user.__dict__.pop("_permission_codes", None)
    audit("accounts.roles_changed", f"user:{user.number}", actor=actor, before=before, after=wanted)
    end_sessions(user, reason="roles_changed", actor=actor)


@transaction.atomic
def switch_off(user: User, *, actor: User | None = None) -> None:
    """The account stays with its history; nobody signs in with it, and its sessions and grants end."""
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        audit("accounts.switched_off", f"user:{user.number}", actor=actor)
        AccessGrant.objects.filter(user=user, ended_at=None).update(ended_at=clock.now())
        end_sessions(user, reason="switched_off", actor=actor)
    user.is_active = False


# --- candidates of a task --------------------------------------------------------------------------------------
def candidate_keys(user: User) -> set[str]:
    """How tasks may name this user: `user:`, `role:`, `group:` of his groups and those above, `leader:` of what he leads."""
    keys = {f"user:{user.number}"} | {f"role:{role}" for role in roles_of(user)}
    led = []
    for path, leads, deputy in user.memberships.values_list("group__path", "leads", "deputy"):
        keys |= {f"group:{key}" for key in path.strip("/").split("/")}
        led += [path] if leads or deputy else []
    below = Group.objects.filter(_below(led)).values_list("key", flat=True) if led else ()
    return keys | {f"leader:{key}" for key in below}


def candidates(keys: Iterable[str]) -> list[User]:
    """The active users whom these candidate keys name; the inverse of `candidate_keys`, used to tell them."""
    found: dict[int, User] = {}
    for key in keys:
        kind, _, name = key.partition(":")
        if kind == "user":
            users: Iterable[User] = User.objects.filter(number=name, is_active=True)
        elif kind == "group":
            users = members_of(name)
        elif kind == "role":
            users = users_with_role(name)
        elif kind == "leader":
            users = _all_leaders(name)
        else:
            users = ()
        found |= {user.pk: user for user in users}
    return list(found.values())


def _all_leaders(group_key: str) -> QuerySet[User]:
    """Everybody who leads the group or one above it, deputies too."""
    group = Group.objects.filter(key=group_key).first()
    above = group.path.strip("/").split("/") if group else []
    seats = Membership.objects.filter(Q(leads=True) | Q(deputy=True), group__key__in=above).values("user")
    return User.objects.filter(pk__in=seats, is_active=True).order_by("number")


def candidate_name(key: str) -> dict[str, Any]:
    """{kind, key, name: {zh, en}} of one candidate key, for people to read."""
    kind, _, name = key.partition(":")
    model: Any = {"role": Role, "group": Group, "leader": Group}.get(kind)
    if model is not None:
        row = model.objects.filter(key=name).only("name", "name_en").first()
        title = both(row.name, row.name_en) if row else both(name)
    else:
        person = User.objects.filter(number=name).only("name").first()
        title = both(person.name if person else name)
    return {"kind": kind, "key": name, "name": title}


# --- access that follows work ----------------------------------------------------------------------------------
@transaction.atomic
def grant(
    to: User | Group, kind: str, subject_id: int, reason: str, source: str, until: datetime | None = None
) -> AccessGrant:
    """Let `to` see one subject (`kind` customer, id 812) for the time of some work; `source` names the work (`task:12`, `call:7`) and ends
    it. The same grant again is the one that is open. Audited."""
    who = {"group": to} if isinstance(to, Group) else {"user": to}
    subject = {"subject_kind": kind, "subject_id": int(subject_id), "source": source}
    now = clock.now()
    same = AccessGrant.objects.open(now).filter(**who, **subject).first()
    if same is not None:
        return same
    row = AccessGrant.objects.create(**who, **subject, reason=reason, until=until, granted_at=now)
    receiver = f"group:{to.key}" if isinstance(to, Group) else f"user:{to.number}"
    audit("access.granted", f"{kind}:{subject_id}", to=receiver, reason=reason, source=source)
    return row


@transaction.atomic
def end_grants(source: str, *, user: User | None = None) -> int:
    """The work is over or went to somebody else: end what it gave (to `user`, or to all). Returns how many; audited each."""
    now = clock.now()
    rows = AccessGrant.objects.filter(source=source, ended_at=None)
    ended = list(rows.filter(user=user) if user else rows)
    AccessGrant.objects.filter(pk__in=[row.pk for row in ended]).update(ended_at=now)
    for row in ended:
        audit("access.ended", f"{row.subject_kind}:{row.subject_id}", source=source, grant=row.pk)
    return len(ended)


def open_grants(user: User, kind: str) -> QuerySet:
    """Ids of the subjects of `kind` that are open to the user, to him alone or to one of his groups: what `scope` adds."""
    groups = Membership.objects.filter(user=user).values("group")
    rows = AccessGrant.objects.open(clock.now()).filter(Q(user=user) | Q(group__in=groups), subject_kind=kind)
    return rows.values("subject_id")


# --- notices ---------------------------------------------------------------------------------------------------
@transaction.atomic
def notify(user: User, kind: str, params: dict[str, Any] | None = None, ref: str | None = None) -> Notification:
    """Tell one user (X-29). `params` are keys, names and times for the text the browser makes from `kind`; no personal values of customers."""
    row = Notification.objects.create(user=user, kind=kind, params=params or {}, ref=ref)
    publish(Notified(row.pk, user.pk))
    return row


def mark_read(user: User, ids: Iterable[int]) -> int:
    """Only the user's own; others' ids change nothing."""
    return Notification.objects.filter(user=user, pk__in=list(ids), read_at=None).update(read_at=clock.now())


# --- sessions --------------------------------------------------------------------------------------------------
@transaction.atomic
def end_sessions(user: User, *, reason: str, actor: User | None = None) -> None:
    """Every session of the user is over at its next request; sockets are told."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])
    audit("session.ended_all", f"user:{user.number}", actor=actor, reason=reason)
    publish(SessionsEnded(user.pk, reason))
