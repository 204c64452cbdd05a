"""People for tests: a small centre whose names can be asked for by 工号."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings

from web.accounts import services as accounts
from web.accounts.models import Group, Membership, Role, User
from web.agents import services as agents
from web.customers import services as customers
from web.customers.models import Customer

PASSWORD = "correct horse battery"


def the_role(key: str) -> Role:
    """A role with its permissions. A test with real transactions empties every table, the delivered rows of a migration too."""
    if not Role.objects.exists():
        import_module("web.accounts.migrations.0002_roles").seed(apps, None)
        for room in settings.ROOMS:
            for file in (settings.BASE_DIR / "web" / room / "migrations").glob("*_permissions.py"):
                import_module(f"web.{room}.migrations.{file.stem}").seed(apps, None)
    return Role.objects.get(key=key)


def a_group(key: str, parent: str | None = None) -> Group:
    found = Group.objects.filter(key=key).first()
    above = a_group(parent) if parent else None
    return found or accounts.set_group(key, key.title(), parent=above, name_en=f"{key.title()} group")


def a_user(
    number: str,
    role: str = "agent",
    group: str | None = None,
    *,
    leads: bool = False,
    deputy: bool = False,
    name: str = "",
) -> User:
    """A user with one role and one seat in the tree; his password is PASSWORD."""
    user = User.objects.create_user(number, PASSWORD, name=name or f"Person {number}")
    user.roles.add(the_role(role))
    if group:
        Membership.objects.create(user=user, group=a_group(group), leads=leads, deputy=deputy)
    return user


def an_agent(number: str, group: str | None = None, *, extension: str | None = None) -> User:
    """An agent with a phone; `extension` exists but is not taken yet."""
    user = a_user(number, "agent", group)
    agents.set_skill_group("booking", "预约组", group=None, name_en="Booking")
    agents.set_skill("booking", "预约", "Booking")
    agents.set_agent(user, skill_groups=["booking"], skills=["booking"])
    agents.set_extension(extension or f"8{number[1:]}")
    return user


def a_customer(
    number: str = "+8619900001001", *, owner: User | None = None, name: str = "王小明", **fields: Any
) -> Customer:
    """A registered customer; without an owner nobody's."""
    clerk = owner or User.objects.filter(number="clerk").first() or a_user("clerk", "supervisor")
    return customers.register(acting_user=clerk, owner=owner, number=number, name=name, separate=True, **fields)[0]


def the_tree() -> dict[str, User]:
    """centre → operations → booking, service; one leader at each node, two agents in each group. By 工号 and by short name."""
    a_group("centre")
    a_group("operations", "centre")
    a_group("booking", "operations")
    a_group("service", "operations")
    return {
        "director": a_user("1001", "director", "centre", leads=True),
        "supervisor": a_user("1011", "supervisor", "operations", leads=True),
        "booking_leader": a_user("1021", "team_leader", "booking", leads=True),
        "service_leader": a_user("1022", "team_leader", "service", leads=True),
        "anna": an_agent("1023", "booking"),
        "ben": an_agent("1024", "booking"),
        "carl": an_agent("1031", "service"),
        "dora": an_agent("1032", "service"),
        "clerk_of_clinic": a_user("1071", "clinic"),
        "admin": a_user("1091", "admin"),
    }
