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
from web.appointments import services as appointments
from web.appointments.models import Slot
from web.calendars import services as calendars
from web.calls.models import Purpose, PurposeSubtype
from web.clinics import services as clinics
from web.clinics.models import CatalogueEntry, DecoctionCentre, Department, Doctor, Post, Product, Promotion, Stock
from web.common import clock
from web.customers import services as customers
from web.customers.models import Customer
from web.membership import services as membership
from web.membership.models import Card, Level, Redeemable
from web.messaging.models import Template
from web.places.models import Clinic, Region
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
    clinics_at_work()
    goods()
    templates()
    calendars.set_up_default()
    news()
    patients()
    members()
    lists()
    doctors_at_work()
    full_tomorrow()
    return people


@transaction.atomic
def organisation() -> None:
    for row in read("organisation")["groups"]:
        if not Group.objects.filter(key=row["key"]).exists():
            parent = Group.objects.get(key=row["parent"]) if row["parent"] else None
            accounts.set_group(row["key"], row["name"], parent=parent, name_en=row["name_en"])
    for clinic in Clinic.objects.order_by("pk"):
        if not Group.objects.filter(key=f"clinic-{clinic.key}").exists():
            clinics.organise(clinic)


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
def clinics_at_work() -> None:
    """Who works there: departments, doctors and their posts, who answers for what."""
    data, places = read("clinics"), {clinic.key: clinic for clinic in Clinic.objects.all()}
    for key, address in data["addresses"].items():
        Clinic.objects.filter(key=key, address=None).update(address=address)
    for row in data["departments"]:
        Department.objects.get_or_create(key=row["key"], defaults={"name": row["name"], "name_en": row["name_en"]})
    for row in data["doctors"]:
        facts = {name: row[name] for name in ("name", "name_en", "title")}
        facts |= {"is_own_expert": row["own_expert"], "user": User.objects.filter(number=row["user"]).first()}
        doctor, _ = Doctor.objects.get_or_create(key=row["key"], defaults=facts)
        for post in row["posts"]:
            department = Department.objects.get(key=post["department"])
            terms = {"prepay": post["prepay"], "fee_fen": post["fee_fen"]}
            Post.objects.get_or_create(
                doctor=doctor, clinic=places[post["clinic"]], department=department, defaults=terms
            )
    for row in data["decoction_centres"]:
        facts = {"name": row["name"], "name_en": row["name_en"], "region": Region.objects.get(key=row["region"])}
        DecoctionCentre.objects.get_or_create(key=row["key"], defaults=facts)
    for row in read("organisation")["users"]:
        for kind in row.get("answers_for", ()):
            clinics.add_contact(places[row["clinic"]], User.objects.get(number=row["number"]), kind)


def doctors_at_work() -> None:
    """Where they are today and the next fourteen days: in the morning at their first post, in the afternoon at the other one; a day off a
    week for each, but for the one whom everybody wants."""
    today, plans = appointments.local_day(clock.now()), []
    posts: dict[int, list[Post]] = {}
    for post in Post.objects.filter(is_active=True).select_related("doctor").order_by("pk"):
        posts.setdefault(post.doctor_id, []).append(post)
    for number, (first, *others) in enumerate(posts.values()):
        hours = [(first, 9, 12), (others[0], 14, 17) if others else (first, 14, 16)]
        for day in (today + timedelta(days=ahead) for ahead in range(15)):
            if first.doctor.key == WANTED or (number + day.weekday()) % 7:
                plans += [appointments.Plan(post, day, *span, 2 if post.prepay else 3) for post, *span in hours]
    appointments.lay_out(plans, by="demo")


WANTED = "xie-zhongan"


@transaction.atomic
def full_tomorrow() -> None:
    """The doctor everybody wants has no place left tomorrow: the second recommendation can be shown."""
    now = clock.now()
    day, patients = appointments.tomorrow(now), list(Customer.objects.order_by("pk"))
    free = Slot.objects.filter(doctor__key=WANTED, date=day, state=Slot.FREE).order_by("hour", "seq")
    for customer, slot in zip(patients, free.select_related("clinic", "department"), strict=False):
        case = appointments.wish(f"demo:{day}:{slot.pk}", customer=customer)
        held = appointments.hold(
            case, clinic=slot.clinic.key, department=slot.department.key, doctor=WANTED, date=day.isoformat(), hour=slot.hour, now=now
        )  # fmt: skip
        if held.slot:
            appointments.confirm(case, int(held.slot), payment="", now=now)


@transaction.atomic
def goods() -> None:
    """What they sell: products with stock, promotions, and the catalogues of medicine."""
    data, places = read("clinics"), {clinic.key: clinic for clinic in Clinic.objects.all()}
    for row in data["products"]:
        facts = {name: value for name, value in row.items() if name != "key"}
        Product.objects.get_or_create(key=row["key"], defaults=facts)
    products = {product.key: product for product in Product.objects.all()}
    for row in data["stock"]:
        for clinic, quantity in row["clinics"].items():
            Stock.objects.get_or_create(
                product=products[row["product"]], clinic=places[clinic], defaults={"quantity": quantity}
            )
    for row in data["catalogue"]:
        words = {"name": row["name"], "name_en": row["name_en"]}
        CatalogueEntry.objects.get_or_create(kind=row["kind"], key=row["key"], defaults=words)
    manager = User.objects.get(number="1002")
    for row in data["promotions"]:
        if not Promotion.objects.filter(key=row["key"]).exists():
            words = {name: row[name] for name in ("key", "name", "name_en", "discount_percent", "products")}
            clinics.promote(**words, **_term(row), acting_user=manager)


def _term(row: dict[str, Any]) -> dict[str, date | None]:
    """From `days_from` to `days_to`, counted from today."""
    today, days = clock.now().date(), {"starts_on": row["days_from"], "ends_on": row["days_to"]}
    return {name: None if count is None else today + timedelta(days=count) for name, count in days.items()}


@transaction.atomic
def members() -> None:
    """Cards of some customers, and what points are good for."""
    data, manager = read("membership"), User.objects.get(number="1002")
    for row in data["cards"]:
        if Card.objects.filter(number=f"{row['store_prefix']}{row['number']}").exists():
            continue
        facts = {name: row[name] for name in ("number", "card_class", "store_prefix", "benefits", "physio_percent")}
        holder = customers.find_by_number(row["customer"])[0]
        membership.add_card(holder, **facts, **_term(row), level=_level(row["level"]), acting_user=manager)
    for row in data["redeemables"]:
        if not Redeemable.objects.filter(key=row["key"]).exists():
            membership.offer(**{**row, "level": _level(row["level"])}, acting_user=manager)


def _level(named: list[str] | None) -> Level | None:
    return Level.objects.get(scheme=named[0], key=named[1]) if named else None


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
ELSEWHERE = ("last_visit", "do_not_call")


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
        level = row["level"] or ("gold" if row["is_vip"] else None)
        if level:
            scheme = Level.VIP if row["is_vip"] else Level.ORDINARY
            membership.set_level(customer, scheme, level, "opening", acting_user=supervisor)
        membership.add_points(customer, row["points"], "opening", f"opening:{customer.pk}")
        membership.move_fund(customer, row["balance_fen"], "opening", f"opening:{customer.pk}", channel="opening")


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
