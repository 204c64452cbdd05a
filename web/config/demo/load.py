"""Put the invented centre into the database. Doing it again changes nothing that is there already."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import transaction

from web.accounts import services as accounts
from web.accounts.models import Group, Membership, Role, User
from web.agents import services as agents
from web.agents.models import SkillGroup
from web.announcements import services as announcements
from web.announcements.models import Announcement
from web.calendars import services as calendars
from web.calls.models import Purpose, PurposeSubtype
from web.common import clock
from web.customers import services as customers
from web.customers.models import Customer
from web.messaging.models import Template
from web.routing import services as routing
from web.routing.models import AllowEntry, Queue, ServiceNumber

from . import read

_ID_AREA = "999999"  # an area code that GB/T 2260 gives to no place: such an ID number belongs to nobody


def load(password: str, *, renew: bool) -> list[dict[str, Any]]:
    """All of it; returns [{number, name, role, extension}]. `renew` gives `password` to accounts that exist already."""
    organisation()
    telephony()
    purposes()
    people = users(password, renew=renew)
    templates()
    calendars.set_up_default()
    news()
    patients()
    lists()
    return people


@transaction.atomic
def organisation() -> None:
    for row in read("organisation")["groups"]:
        if not Group.objects.filter(key=row["key"]).exists():
            parent = Group.objects.get(key=row["parent"]) if row["parent"] else None
            accounts.set_group(row["key"], row["name"], parent=parent, name_en=row["name_en"])


@transaction.atomic
def telephony() -> None:
    data = read("telephony")
    for row in data["skills"]:
        agents.set_skill(row["key"], row["name"], row["name_en"])
    for row in data["skill_groups"]:
        group = Group.objects.get(key=row["group"])
        agents.set_skill_group(row["key"], row["name"], group=group, name_en=row["name_en"])
    for number in data["extensions"]:
        agents.set_extension(number)
    for position, row in enumerate(data["reasons"]):
        agents.set_reason(**row, position=position)
    for row in data["queues"]:
        facts = {name: row[name] for name in ("name", "name_en", "skills", "priority")}
        facts["skill_group"] = SkillGroup.objects.get(key=row["skill_group"])
        Queue.objects.get_or_create(key=row["key"], defaults=facts)
    for row in data["service_numbers"]:
        facts = {"name": row["name"], "priority": row["priority"], "queue": Queue.objects.get(key=row["queue"])}
        ServiceNumber.objects.get_or_create(number=row["number"], defaults=facts)


@transaction.atomic
def purposes() -> None:
    for position, row in enumerate(read("purposes")):
        facts = {name: row[name] for name in ("name", "name_en", "flow")}
        purpose, _ = Purpose.objects.get_or_create(key=row["key"], defaults={**facts, "position": position})
        for place, (key, name, name_en) in enumerate(row["subtypes"]):
            words = {"name": name, "name_en": name_en, "position": place}
            PurposeSubtype.objects.get_or_create(purpose=purpose, key=key, defaults=words)


@transaction.atomic
def users(password: str, *, renew: bool) -> list[dict[str, Any]]:
    people = []
    for row in read("organisation")["users"]:
        user = User.objects.filter(number=row["number"]).first()
        if user is None:
            user = User.objects.create_user(row["number"], password, name=row["name"], is_demo=True)
        elif renew:
            user.set_password(password)
            user.save(update_fields=["password"])
        user.roles.add(Role.objects.get(key=row["role"]))
        place = {"leads": row.get("leads", False), "deputy": row.get("deputy", False)}
        Membership.objects.get_or_create(user=user, group=Group.objects.get(key=row["group"]), defaults=place)
        if row.get("extension") and agents.profile_of(user) is None:
            agents.set_agent(user, skill_groups=row["skill_groups"], skills=row["skills"])
        people.append({name: row.get(name) for name in ("number", "name", "role", "extension")})
    return people


@transaction.atomic
def templates() -> None:
    for row in read("templates"):
        texts = {"channel": row["channel"], "body": row["body"], "body_en": row["body_en"]}
        Template.objects.get_or_create(key=row["key"], defaults=texts)


@transaction.atomic
def news() -> None:
    for row in read("announcements"):
        if Announcement.objects.filter(title=row["title"]).exists():
            continue
        announcements.publish(
            title=row["title"], title_en=row["title_en"], body=row["body"], level=row["level"], groups=row.get("groups", ()),
            published_at=clock.now() - timedelta(minutes=row["minutes_ago"]), acting_user=User.objects.get(number=row["by"]),
        )  # fmt: skip


CARD = ("sex", "birth_date", "identity", "province", "city", "allergies", "importance", "importance_colour", "history_codes",
        "history_note", "preferences", "source")  # fmt: skip
ELSEWHERE = ("level", "is_vip", "points", "balance_fen", "last_visit", "do_not_call")


@transaction.atomic
def patients() -> None:
    supervisor = User.objects.get(number="1011")
    owners = {user.number: user for user in User.objects.filter(is_demo=True)}
    for place, row in enumerate(read("customers")):
        fields = {name: row[name] for name in CARD if name in row}
        fields["birth_date"] = date.fromisoformat(row["birth_date"])
        if row.get("with_id_number"):
            fields["id_number"] = _id_number(fields.pop("birth_date"), place, row["sex"])
        first, *further = row["numbers"]
        customer, is_new = customers.register(
            acting_user=supervisor, owner=owners.get(row["owner"]), number=first, name=row["name"],
            relation=row.get("relation", "self"), separate=row.get("separate", False), **fields,
        )  # fmt: skip
        if not is_new:
            continue
        for kind, number in zip(("second", "other"), further, strict=False):
            customers.add_number(customer, kind, number)
        facts = {name: row[name] for name in ELSEWHERE if name in row}
        facts["registered_at"] = clock.now() - timedelta(days=row["days_ago"])
        Customer.objects.filter(pk=customer.pk).update(**facts)


def _id_number(born, place: int, sex: str) -> str:
    body = f"{_ID_AREA}{born:%Y%m%d}{place % 10}{place // 10}{1 if sex == 'male' else 2}"
    return next(f"{body}{digit}" for digit in "0123456789X" if customers.is_id_number(f"{body}{digit}"))


@transaction.atomic
def lists() -> None:
    supervisor = User.objects.get(number="1011")
    for row in read("telephony")["allowed"]:
        number = customers.normalise(row["number"]) or row["number"]
        facts = {"value": number, "kind": row["kind"]}
        AllowEntry.objects.get_or_create(token=customers.token(number), defaults=facts)
    for row in read("telephony")["blacklisted"]:
        routing.block_number(row["number"], reason=row["reason"], acting_user=supervisor, days=row["days"])
