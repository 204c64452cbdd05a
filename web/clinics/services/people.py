"""Clinics, their departments and doctors, and who answers for what there (W-55…W-57).

Groups of the organisation: `clinic-<key>` below `clinics`, `pharmacy-<key>` below `pharmacy`, `decoction-<centre>` below `decoction`,
one `finance` for all. Where a clinic has no people of its own for something, the group above takes it.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Prefetch, Q, QuerySet

from web.accounts import services as accounts
from web.accounts.models import Group, Membership, User
from web.clinics.models import ClinicContact, DecoctionCentre, Department, Doctor, Post
from web.common.audit import audit
from web.common.errors import BadInput, NotAllowed
from web.places.models import Clinic, Region

ROOTS = {
    "contact": "clinics",
    "assistant": "clinics",
    "pharmacy": "pharmacy",
    "decoction": "decoction",
    "finance": "finance",
}
STAFF = {"clinics": "clinic-", "pharmacy": "pharmacy-"}  # group of a clinic's own people = prefix + clinic key
MOST_FEN = 1_000_000_00


# --- looking up ------------------------------------------------------------------------------------------------
def clinic_by_key(key: str) -> Clinic | None:
    return Clinic.objects.filter(key=key, is_active=True).first()


def department_by_key(key: str) -> Department | None:
    return Department.objects.filter(key=key, is_active=True).first()


def doctor_by_key(key: str) -> Doctor | None:
    return Doctor.objects.filter(key=key, is_active=True).first()


def post_of(doctor: Doctor, clinic: Clinic, department: Department) -> Post | None:
    """Where he works now, or None: a post that was given up counts no more."""
    return Post.objects.filter(doctor=doctor, clinic=clinic, department=department, is_active=True).first()


def _posts() -> QuerySet[Post]:
    return Post.objects.filter(
        is_active=True, doctor__is_active=True, clinic__is_active=True, department__is_active=True
    )


def departments(clinic: str | None = None) -> QuerySet[Department]:
    """Those in which somebody works, in the clinic with this key or in any."""
    posts = _posts().filter(clinic__key=clinic) if clinic else _posts()
    return Department.objects.filter(pk__in=posts.values("department")).order_by("pk")


def doctors(clinic: str | None = None, department: str | None = None) -> QuerySet[Doctor]:
    """With their `present_posts`, which are those asked for."""
    posts = _posts()
    if clinic:
        posts = posts.filter(clinic__key=clinic)
    if department:
        posts = posts.filter(department__key=department)
    shown = posts.select_related("clinic", "department").order_by("pk")
    rows = Doctor.objects.filter(pk__in=posts.values("doctor")).order_by("pk")
    return rows.prefetch_related(Prefetch("posts", queryset=shown, to_attr="present_posts"))


# --- who answers -----------------------------------------------------------------------------------------------
def group_of(clinic: Clinic | None, kind: str) -> str:
    """Key of the group that does work of `kind` (ClinicContact.KINDS) for the clinic: its own when somebody is in it, else the one
    above; "" when there is neither."""
    root = ROOTS[kind]
    own = None
    if kind == "decoction":
        centre = decoction_centre_of(clinic)
        own = f"decoction-{centre.key}" if centre else None
    elif clinic is not None and root in STAFF:
        own = f"{STAFF[root]}{clinic.key}"
    staffed = Membership.objects.filter(group__key=own, user__is_active=True)
    if own and staffed.exists():
        return own
    return root if Group.objects.filter(key=root).exists() else ""


def contact_of(clinic: Clinic | None, kind: str) -> User | None:
    """The first active person named for it at the clinic."""
    if clinic is None:
        return None
    named = ClinicContact.objects.filter(clinic=clinic, kind=kind, user__is_active=True)
    row = named.select_related("user").order_by("position", "pk").first()
    return row.user if row else None


def responsible_of(clinic: Clinic | None, kind: str) -> User | None:
    """Who is named, else who leads the group that does it; None when nobody does."""
    named = contact_of(clinic, kind)
    if named is not None:
        return named
    group = group_of(clinic, kind)
    leaders = accounts.leaders_of(group) if group else []
    return leaders[0] if leaders else None


def decoction_centre_of(clinic: Clinic | None) -> DecoctionCentre | None:
    """The centre of the clinic's city, else of its province, else any."""
    centres = DecoctionCentre.objects.filter(is_active=True).order_by("pk")
    region: Region | None = clinic.region if clinic else None
    while region is not None:
        near = centres.filter(Q(region=region) | Q(region__parent=region)).first()
        if near is not None:
            return near
        region = region.parent
    return centres.first()


def clinics_of(user: User) -> QuerySet[Clinic]:
    """The clinics he works for or whose people he leads: the rule for scopes of clinic staff and pharmacies."""
    mine = set(accounts.groups_of(user).values_list("key", flat=True))
    mine |= set(accounts.groups_led(user).values_list("key", flat=True))
    keys = [key.removeprefix(prefix) for key in mine for prefix in STAFF.values() if key.startswith(prefix)]
    named = ClinicContact.objects.filter(user=user).values("clinic")
    return Clinic.objects.filter(Q(key__in=keys) | Q(pk__in=named))


# --- maintaining -----------------------------------------------------------------------------------------------
@transaction.atomic
def organise(clinic: Clinic) -> Group | None:
    """The clinic's own group below `clinics`; None in an organisation without that."""
    above = Group.objects.filter(key="clinics").first()
    if above is None:
        return None
    return accounts.set_group(
        f"clinic-{clinic.key}", clinic.name[:60], parent=above, name_en=(clinic.name_en or "")[:60] or None
    )


@transaction.atomic
def add_clinic(*, key: str, name: str, region: str | None = None, acting_user: User, **fields: Any) -> Clinic:
    """A new clinic (W-56) with its group. BadInput names a key that is taken or a region that is not there."""
    accounts.require(acting_user, "clinics.maintain")
    problems = {}
    place = Region.objects.filter(key=region).first() if region else None
    if region and place is None:
        problems["region"] = [{"code": "unknown"}]
    if Clinic.objects.filter(key=key).exists():
        problems["key"] = [{"code": "taken"}]
    if problems:
        raise BadInput(fields=problems)
    clinic = Clinic.objects.create(key=key, name=name, region=place, **fields)
    organise(clinic)
    audit("clinics.clinic_added", f"clinic:{key}", actor=acting_user, name=name)
    return clinic


def add_contact(clinic: Clinic, user: User, kind: str, *, position: int = 0) -> ClinicContact:
    row, _ = ClinicContact.objects.get_or_create(clinic=clinic, user=user, kind=kind, defaults={"position": position})
    return row


def _may_keep_posts(user: User, clinic: Clinic) -> None:
    """`clinics.maintain` anywhere, the front desk in its own clinic (W-100)."""
    if accounts.has_permission(user, "clinics.maintain"):
        return
    if not (accounts.has_role(user, "clinic") and clinics_of(user).filter(pk=clinic.pk).exists()):
        raise NotAllowed(needs="clinics.maintain", who_grants=["clinic", "supervisor", "manager", "director"])


def _checked_fee(fee_fen: int | None) -> None:
    if fee_fen is not None and not 0 <= fee_fen <= MOST_FEN:
        raise BadInput(fields={"fee_fen": [{"code": "out_of_range", "least": 0, "most": MOST_FEN}]})


@transaction.atomic
def set_post(
    doctor: str, clinic: str, department: str, *, acting_user: User, prepay: bool = False, fee_fen: int = 0
) -> Post:
    """A doctor begins to work somewhere. BadInput names the key that is unknown, a fee below zero, a post that is there."""
    found = {
        "doctor": doctor_by_key(doctor),
        "clinic": clinic_by_key(clinic),
        "department": department_by_key(department),
    }
    problems = {name: [{"code": "unknown"}] for name, row in found.items() if row is None}
    if problems:
        raise BadInput(fields=problems)
    _may_keep_posts(acting_user, found["clinic"])
    _checked_fee(fee_fen)
    try:
        with transaction.atomic():
            post = Post.objects.create(**found, prepay=prepay, fee_fen=fee_fen)
    except IntegrityError:
        raise BadInput(fields={"doctor": [{"code": "has_post"}]}) from None
    facts = {"clinic": clinic, "department": department, "prepay": prepay, "fee_fen": fee_fen}
    audit("clinics.post_set", f"doctor:{doctor}", actor=acting_user, **facts)
    return post


@transaction.atomic
def change_post(post: Post, *, acting_user: User, **fields: Any) -> Post:
    """`prepay`, `fee_fen`, `is_active`; the rest of a post never changes."""
    _may_keep_posts(acting_user, post.clinic)
    _checked_fee(fields.get("fee_fen"))
    wrong = sorted(set(fields) - {"prepay", "fee_fen", "is_active"})
    if wrong:
        raise BadInput(fields={name: [{"code": "not_writable"}] for name in wrong})
    before = {name: getattr(post, name) for name in fields}
    for name, value in fields.items():
        setattr(post, name, value)
    post.save(update_fields=list(fields) or ["is_active"])
    facts = {"clinic": post.clinic.key, "before": before, "after": fields}
    audit("clinics.post_changed", f"doctor:{post.doctor.key}", actor=acting_user, **facts)
    return post
