"""Customers: registered once, found by any of their numbers, owned by one agent (REQUIREMENTS W-11…W-35)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, QuerySet

from web.accounts import services as accounts
from web.accounts.models import User
from web.common import clock, seals
from web.common.audit import audit
from web.common.errors import BadInput, DomainError, InvalidForm, NotAllowed
from web.common.masking import mask_name, mask_number
from web.common.publishing import publish
from web.common.scope import scope

from . import hooks
from .events import CustomerChanged, CustomerRegistered
from .models import IDENTITIES, POPULATIONS, RELATIONS, Customer, OwnershipChange, PhoneNumber
from .numbers import area_of, normalise, token

__all__ = ["area_of", "card", "find_by_number", "normalise", "register", "token"]

KINDS = ("mobile", "second", "other")
SEXES = ("male", "female")
# What somebody with the card in front of him may write (W-21). Points, fund, level, number and owner have their own ways.
EDITABLE = (
    "name", "nickname", "sex", "id_number", "birth_date", "population", "identity", "occupation", "income", "qq", "wechat",
    "email", "address", "home_address", "office_address", "province", "city", "source", "source_detail", "history_codes",
    "history_note", "allergies", "preferences", "insurance", "importance", "importance_colour",
)  # fmt: skip
REVEALABLE = ("name", "id_number", "qq", "wechat", "email", "address", "home_address", "office_address", "insurance")
PHONE_FIELDS = {"number": 0, "other_number": 1, "third_number": 2}
REVEALS_PER_HOUR = 60
CHOICES: Mapping[str, tuple[str, ...]] = {"identity": IDENTITIES, "population": POPULATIONS, "sex": SEXES}


class ChangedMeanwhile(DomainError):
    """Somebody else saved the record since it was read. Facts: version = the one that stands."""

    code, status = "changed_meanwhile", 409


class SharedNumber(DomainError):
    """Several customers have this number and none has this name. Facts: candidates = their cards."""

    code, status = "number_shared", 409


class TooManyReveals(DomainError):
    code, status = "too_many_reveals", 429


# --- finding ---------------------------------------------------------------------------------------------------
def find_by_number(e164: str | None) -> list[Customer]:
    """Everybody who has this number: families share one (Q9). Longest known first."""
    if not e164:
        return []
    found = Customer.objects.filter(phones__token=token(e164)).select_related("owner", *hooks.beside)
    return list(found.order_by("pk"))


def main_number(customer: Customer) -> str | None:
    """The E.164 number to dial: the mobile, else what there is."""
    phones = _phones(customer)
    return phones[0].value if phones else None


def _phones(customer: Customer) -> list[PhoneNumber]:
    """As the card shows them: the mobile first."""
    return sorted(customer.phones.all(), key=lambda phone: (KINDS.index(phone.kind), phone.pk))


def find_in_call(text: str, user: User) -> list[Customer]:
    """W-30: during a call an agent finds any customer by the exact number; he sees the card as long as the call lasts. Logged."""
    call, e164 = hooks.current_call(user), normalise(text)
    if call is None or e164 is None:
        return []
    found = find_by_number(e164)
    with transaction.atomic():
        audit("customers.searched", f"call:{call}", actor=user, number=mask_number(e164), found=[c.pk for c in found])
        for customer in found:
            accounts.grant(user, "customer", customer.pk, "exact_number", f"call:{call}")
    return found


def may_change(customer: Customer, user: User) -> bool:
    """His own customers, those of agents he leads, those of nobody for who assigns them, and those his present work is about."""
    if customer.owner_id == user.pk:
        return True
    if accounts.open_grants(user, "customer").filter(subject_id=customer.pk).exists():
        return True
    if customer.owner_id is None:
        return accounts.has_permission(user, "customers.assign")
    return accounts.groups_led(user).filter(memberships__user=customer.owner_id).exists()


# --- registering and changing ----------------------------------------------------------------------------------
@transaction.atomic
def register(
    *,
    acting_user: User,
    number: str,
    name: str,
    identity: str = "potential",
    relation: str = "self",
    separate: bool = False,
    call: Any = None,
    owner: User | None = None,
    **fields: Any,
) -> tuple[Customer, bool]:
    """(customer, whether it is new). A number that is known opens the record it belongs to (W-18), unless `separate` says this is
    another person on the same phone. The agent of the first call becomes the own agent (W-31).

    `number` as typed or E.164; `call` = the call in which it happens: it gets its customer.
    InvalidForm names each wrong field; SharedNumber when it is not clear who of several is meant.
    """
    fields = {"name": name, "identity": identity, **fields}
    problems = _problems(fields)
    e164 = normalise(number)
    if e164 is None:
        problems["number"] = [{"code": "required" if not number else "invalid"}]
    if relation not in RELATIONS:
        problems["relation"] = [{"code": "unknown"}]
    if problems:
        raise InvalidForm(problems)
    try:
        with transaction.atomic():
            return _open_or_create(acting_user, e164, relation, separate, call, owner, fields)
    except IntegrityError:  # somebody else registered this number in the same moment: his record is the one
        return _open_or_create(acting_user, e164, relation, separate, call, owner, fields)


def _open_or_create(
    acting_user: User,
    e164: str,
    relation: str,
    separate: bool,
    call: Any,
    owner: User | None,
    fields: dict[str, Any],
) -> tuple[Customer, bool]:
    name = fields["name"]
    known = find_by_number(e164)
    same_name = [customer for customer in known if customer.name_index == name_index(name)]
    if known and (same_name or not separate):
        if len(known) > 1 and not same_name:
            raise SharedNumber(candidates=[card(customer, acting_user) for customer in known])
        customer = (same_name or known)[0]
        _belongs_to(call, customer, acting_user)
        return customer, False
    customer = Customer(number=f"new-{secrets.token_hex(10)}", **_columns(fields))
    own = owner or (acting_user if accounts.has_role(acting_user, "agent") else None)
    customer.owner = own
    area = area_of(e164)
    customer.province = customer.province or area["province"] or None
    customer.city = customer.city or area["city"] or None
    customer.registered_at = clock.now()
    customer.save()
    customer.number = f"{customer.pk:08d}"  # 患者编号 = 诊疗卡号 (W-37); a store's prefix comes before it (W-38)
    Customer.objects.filter(pk=customer.pk).update(number=customer.number)
    _set_number(customer, "mobile", e164)
    audit("customers.registered", customer.subject, actor=acting_user, person=customer.subject, relation=relation)
    if own:
        _log_owner(customer, None, own, acting_user, "first_call")
    _belongs_to(call, customer, acting_user)
    publish(CustomerRegistered(customer.pk))
    return customer, True


def _belongs_to(call: Any, customer: Customer, user: User) -> None:
    """The call now has its customer, and who registered him in it sees him as long as it lasts."""
    if call is not None:
        hooks.attach_to_call(call, customer, user)
        accounts.grant(user, "customer", customer.pk, "registered", f"call:{call}")


@transaction.atomic
def change(
    customer: Customer, *, acting_user: User, version: int, numbers: Mapping[str, str] | None = None, **fields: Any
) -> Customer:
    """Write fields of the card (W-21) as read at `version`; `numbers` = {kind: number as typed, "" removes it}.

    ChangedMeanwhile when it was saved by somebody else since; InvalidForm names each wrong field. Old and new values of each field
    are in the audit row, sealed with the customer's own key (W-20).
    """
    if not may_change(customer, acting_user):
        raise NotAllowed(needs="own_customer", who_grants=["team_leader", "supervisor"])
    unknown = sorted(set(fields) - set(EDITABLE))
    problems = {name: [{"code": "not_writable"}] for name in unknown} | _problems(fields, whole=False)
    typed = {kind: (text, normalise(text)) for kind, text in (numbers or {}).items()}
    for kind, (text, e164) in typed.items():
        if kind not in KINDS:
            problems[f"numbers.{kind}"] = [{"code": "unknown"}]
        elif text and e164 is None:
            problems[f"numbers.{kind}"] = [{"code": "invalid"}]
        elif not text and kind == "mobile":
            problems["numbers.mobile"] = [{"code": "required"}]
    if problems:
        raise InvalidForm(problems)
    if not Customer.objects.filter(pk=customer.pk, version=version).update(version=F("version") + 1):
        standing = Customer.objects.only("version").get(pk=customer.pk).version
        raise ChangedMeanwhile(version=standing)
    customer.refresh_from_db()
    columns = _columns(fields)
    before = {name: getattr(customer, name) for name in columns}
    for name, value in columns.items():
        setattr(customer, name, value)
    customer.save(update_fields=list(columns) or ["version"])
    changed = {name: [before[name], value] for name, value in columns.items() if before[name] != value}
    for kind, (_, e164) in typed.items():
        old = _set_number(customer, kind, e164)
        if old != e164:
            changed[f"numbers.{kind}"] = [old, e164]
    audit("customers.changed", customer.subject, actor=acting_user, person=customer.subject, fields=changed)
    publish(CustomerChanged(customer.pk))
    return customer


@transaction.atomic
def add_number(customer: Customer, kind: str, number: str) -> None:
    """Another number of the customer, found on calls like the first (W-21.03, W-21.15). InvalidForm when it is none."""
    e164 = normalise(number)
    if e164 is None or kind not in KINDS:
        raise InvalidForm({f"numbers.{kind}": [{"code": "invalid" if kind in KINDS else "unknown"}]})
    _set_number(customer, kind, e164)


def name_index(name: str) -> str:
    return seals.blind(name.strip(), kind="name")


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Database columns for the given card fields, with what follows from them."""
    columns = {name: (None if value == "" else value) for name, value in fields.items()}
    if "name" in columns:
        name = columns["name"].strip()
        columns |= {"name": name, "name_masked": mask_name(name), "name_index": name_index(name)}
    if columns.get("id_number"):
        id_number = columns["id_number"].upper()
        born = date(int(id_number[6:10]), int(id_number[10:12]), int(id_number[12:14]))
        columns |= {"id_number": id_number, "id_number_index": seals.blind(id_number, kind="id"), "birth_date": born}
        columns.setdefault("sex", "male" if int(id_number[16]) % 2 else "female")
    elif "id_number" in columns:
        columns["id_number_index"] = None
    if columns.get("birth_date") and not columns.get("population"):
        columns["population"] = _population(columns["birth_date"])
    return columns


def _population(born: date) -> str:
    years = age(born) or 0
    return "child" if years < 12 else "teenager" if years < 18 else "adult" if years < 60 else "elderly"


def age(born: date | None) -> int | None:
    """Whole years at the centre's own date."""
    if born is None:
        return None
    today = clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_id_number(text: str) -> bool:
    """18 digits of GB 11643-1999: a real birth date and the right check digit."""
    text = text.upper()
    if not re.fullmatch(r"\d{17}[\dX]", text, re.ASCII):
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], _ID_WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == text[17]


def _problems(fields: Mapping[str, Any], *, whole: bool = True) -> dict[str, list[dict]]:
    """{field: [{"code"}]} of what cannot be saved; `whole` = the record is new, so mandatory fields must be there (W-11)."""
    found: dict[str, list[dict]] = {}
    for name in ("name", "identity"):
        if (whole or name in fields) and not str(fields.get(name) or "").strip():
            found[name] = [{"code": "required"}]
    for name, allowed in CHOICES.items():
        if fields.get(name) and fields[name] not in allowed:
            found[name] = [{"code": "unknown"}]
    if fields.get("id_number") and not is_id_number(str(fields["id_number"])):
        found["id_number"] = [{"code": "invalid"}]
    if fields.get("email"):
        try:
            validate_email(fields["email"])
        except ValidationError:
            found["email"] = [{"code": "invalid"}]
    for name, value in fields.items():
        column = next((f for f in Customer._meta.fields if f.name == name), None)
        longest = getattr(column, "max_length", None) or (40 if name == "name" else 500)
        if isinstance(value, str) and len(value) > longest:
            found[name] = [{"code": "too_long"}]
    return found


def _is_held(e164: str) -> bool:
    return PhoneNumber.objects.filter(token=token(e164), is_holder=True).exists()


def _set_number(customer: Customer, kind: str, e164: str | None) -> str | None:
    """Put `e164` in the place of the customer's number of this kind; returns what was there."""
    phone = customer.phones.filter(kind=kind).order_by("pk").first()
    old = phone.value if phone else None
    if e164 == old:
        return old
    if phone:
        phone.delete()
    if e164:
        customer.phones.filter(token=token(e164)).delete()
        PhoneNumber.objects.create(
            customer=customer,
            kind=kind,
            value=e164,
            token=token(e164),
            masked=mask_number(e164),
            is_holder=not _is_held(e164),
        )
    return old


# --- ownership (W-31…W-35) -------------------------------------------------------------------------------------
@transaction.atomic
def assign(
    customers: Iterable[Customer], *, acting_user: User, reason: str, to: User | None = None, group: str | None = None
) -> dict[int, str]:
    """Give customers to one agent, or spread them over a group: each goes to who has fewest. Returns {customer id: 工号}.

    NotAllowed without `customers.assign`; every change is in the change log with old, new, who, when and why.
    """
    accounts.require(acting_user, "customers.assign")
    if not reason.strip():
        raise InvalidForm({"reason": [{"code": "required"}]})
    if to is not None:
        receivers = [to]
    else:
        receivers = [user for user in accounts.members_of(group or "") if accounts.has_role(user, "agent")]
    if not receivers or not all(user.is_active and accounts.has_role(user, "agent") for user in receivers):
        raise InvalidForm({"to" if to is not None or not group else "group": [{"code": "not_an_agent"}]})
    load = dict.fromkeys([user.pk for user in receivers], 0)
    counted = (
        Customer.objects.filter(owner__in=receivers).values("owner").annotate(n=Count("pk")).values_list("owner", "n")
    )
    load |= dict(counted)
    given = {}
    for customer in customers:
        if not may_change(customer, acting_user):
            raise NotAllowed(needs="own_customer", who_grants=["supervisor"])
        new = min(receivers, key=lambda user: (load[user.pk], user.number))
        load[new.pk] += 1
        given[customer.pk] = new.number
        if customer.owner_id == new.pk:
            continue
        old, customer.owner = customer.owner, new
        Customer.objects.filter(pk=customer.pk).update(owner=new, version=F("version") + 1)
        _log_owner(customer, old, new, acting_user, reason)
        publish(CustomerChanged(customer.pk))
    return given


def _log_owner(customer: Customer, old: User | None, new: User | None, by: User, reason: str) -> None:
    change = {"old": old.number if old else None, "new": new.number if new else None}
    OwnershipChange.objects.create(
        customer=customer, old_owner=change["old"], new_owner=change["new"], by=by.number, at=clock.now(), reason=reason
    )
    audit("customers.owner_changed", customer.subject, actor=by, person=customer.subject, reason=reason, **change)


# --- flags set by flows ----------------------------------------------------------------------------------------
@transaction.atomic
def flag(customer: Customer, name: str, *, actor: Any = None) -> None:
    """Set `do_not_call` or `wrong_number`; once set, setting it again is nothing new."""
    if Customer.objects.filter(pk=customer.pk, **{name: False}).update(**{name: True}, version=F("version") + 1):
        audit(f"customers.{name}", customer.subject, actor=actor, person=customer.subject)
        publish(CustomerChanged(customer.pk))


# --- showing ---------------------------------------------------------------------------------------------------
def reveal(customer: Customer, field: str, reason: str, *, acting_user: User) -> str:
    """One value in plain, for a reason, audited before it is given (X-16). `field`: `number`, `other_number` as the
    card shows them, or another personal field. BadInput for any other field, TooManyReveals above 60 an hour."""
    accounts.require(acting_user, "customers.reveal")
    place = PHONE_FIELDS.get(field)
    if place is None and field not in REVEALABLE:
        raise BadInput(fields={"field": [{"code": "unknown"}]})
    if not reason.strip():
        raise InvalidForm({"reason": [{"code": "required"}]})
    _count_reveal(acting_user)
    audit(
        "customers.revealed", customer.subject, actor=acting_user, person=customer.subject, field=field, reason=reason
    )
    if place is None:
        return getattr(customer, field) or ""
    phones = _phones(customer)
    return phones[place].value if place < len(phones) else ""


def _count_reveal(user: User) -> None:
    """At most 60 an hour and person; the first one over the limit tells those who lead him."""
    hour = int(clock.now().timestamp()) // 3600
    key = f"reveals:{user.pk}:{hour}"
    cache.add(key, 0, 3600)
    count = cache.incr(key)
    if count <= REVEALS_PER_HOUR:
        return
    group = accounts.main_group(user)
    if count == REVEALS_PER_HOUR + 1 and group:
        for leader in accounts.leaders_of(group.key, excluding=[user.number]):
            accounts.notify(leader, "reveal_limit", {"number": user.number, "name": user.name})
    raise TooManyReveals(limit=REVEALS_PER_HOUR)


def card(customer: Customer, user: User) -> dict[str, Any]:
    """The masked card (contract: Card) as the pop-up, lists and tickets show it to `user`, who was given access before."""
    phones = _phones(customer)
    area = area_of(phones[0].value) if phones else {"province": "", "city": "", "carrier": ""}
    owner, account = customer.owner, hooks.account_of(customer)
    return {
        "id": str(customer.pk),
        "name": customer.name_masked,
        "sex": customer.sex or "",
        "age": age(customer.birth_date),
        "number": phones[0].masked if phones else "",
        "other_number": phones[1].masked if len(phones) > 1 else None,
        "area": {**area, "province": area["province"] or customer.province or "", "city": area["city"] or customer.city or ""},
        "identity": customer.identity,
        "level": account["level"],
        "vip": account["vip"],
        "importance": {"text": customer.importance, "colour": customer.importance_colour or ""} if customer.importance else None,
        "owner": {"number": owner.number, "name": owner.name} if owner else None,
        "card_no": customer.number,
        "allergies": [word for word in re.split(r"[,，、]\s*", customer.allergies or "") if word],
        "points": account["points"],
        "balance_fen": account["balance_fen"],
        "last_visit": customer.last_visit,
        "blocked": bool(phones) and hooks.is_blocked([phone.token for phone in phones]),
        "do_not_call": customer.do_not_call,
    }  # fmt: skip


def detail(customer: Customer, user: User) -> dict[str, Any]:
    """Card plus the other fields of the form (W-21); personal ones masked, told apart by being in `masked`."""
    plain = (
        "nickname", "population", "occupation", "income", "province", "city", "source", "source_detail", "history_codes",
        "history_note", "preferences", "importance_colour",
    )  # fmt: skip
    sealed = ("id_number", "qq", "wechat", "email", "address", "home_address", "office_address", "insurance")
    return {
        **card(customer, user),
        **{name: getattr(customer, name) for name in plain},
        **{name: _hint(name, getattr(customer, name)) for name in sealed},
        "birth_date": customer.birth_date,
        "numbers": [{"kind": phone.kind, "number": phone.masked} for phone in _phones(customer)],
        "wrong_number": customer.wrong_number,
        "registered_at": customer.registered_at,
        "version": customer.version,
        "may_change": may_change(customer, user),
        "masked": [name for name in sealed if getattr(customer, name)] + ["name", "numbers"],
    }


def _hint(name: str, value: str | None) -> str | None:
    """Enough to recognise a sealed value, too little to use it: 110***********1234, a***@…, the first two characters of an address."""
    if not value:
        return None
    if name == "id_number":
        return f"{value[:3]}{'*' * (len(value) - 7)}{value[-4:]}"
    if name == "email":
        return f"{value[0]}***@{value.rpartition('@')[2]}"
    return f"{value[:2]}***"


def history(customer: Customer, user: User, limit: int = 100) -> list[dict[str, Any]]:
    """What happened with this customer, newest first, as far as the rooms that know it let `user` see."""
    rows = [row for source in hooks.history_sources() for row in source(customer, user)]
    return sorted(rows, key=lambda row: row["at"], reverse=True)[:limit]


def found_by(text: str) -> Q:
    """A number in any spelling, a whole name, or the customer's own number: sealed columns are searched by their blind index."""
    found, e164 = Q(number=text) | Q(name_index=name_index(text)), normalise(text)
    if e164:
        owners = PhoneNumber.objects.filter(token=token(e164)).values("customer")
        found |= Q(pk__in=owners)
    return found


def visible(user: User) -> QuerySet[Customer]:
    """The customers `user` may see, ready for cards."""
    return scope(Customer.objects.all(), user).select_related("owner", *hooks.beside).prefetch_related("phones")
