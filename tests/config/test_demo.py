"""`manage.py demo`: an invented centre, the same again when run again, and never beside real people."""

from __future__ import annotations

import json
import stat

import pytest
from django.core.management import CommandError, call_command

from web.accounts.models import Role, User
from web.agents.models import AgentProfile, Extension
from web.announcements.models import Announcement
from web.calls.models import Purpose
from web.clinics import services as clinics
from web.clinics.models import Doctor, Product, Promotion, Stock
from web.common.models import AuditRow
from web.config import demo
from web.customers import services as customers
from web.customers.models import Customer
from web.membership.models import Account, Card, Level
from web.places.models import Clinic
from web.routing import services as routing
from web.routing.models import Queue, ServiceNumber


@pytest.fixture
def folder(tmp_path, settings, db):
    settings.DEMO_MARK, settings.TOKEN_FILE = tmp_path / "demo", tmp_path / "scenario.token"
    return tmp_path


def test_the_demo_has_one_account_per_role_and_says_its_password(folder, capsys):
    call_command("demo")
    said, laid = capsys.readouterr().out, json.loads((folder / "demo").read_text())
    assert laid["password"] in said and all(account["number"] in said for account in laid["accounts"])
    roles = set(Role.objects.exclude(key="system").values_list("key", flat=True))
    assert {account["role"] for account in laid["accounts"]} == roles
    agents = [account for account in laid["accounts"] if account["role"] == "agent"]
    assert len(agents) == 8 and agents[0]["number"] == "1023"
    assert all(Extension.objects.filter(number=account["extension"]).exists() for account in agents)
    assert len({account["extension"] for account in agents}) == 8
    assert all(account["extension"] is None for account in laid["accounts"] if account["role"] != "agent")
    anna = User.objects.get(number="1023")
    assert anna.is_demo and anna.check_password(laid["password"])
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "demo": 0o600,
        "scenario.token": 0o600,
    }


def test_running_it_again_changes_nothing_and_keeps_the_password(folder):
    call_command("demo", verbosity=0)
    before, token = json.loads((folder / "demo").read_text()), (folder / "scenario.token").read_text()
    rows = {
        model: list(model.objects.order_by("pk").values_list("pk", flat=True))
        for model in (User, Customer, Announcement, Purpose, Queue, Doctor, Stock, Promotion, Account, Card, AuditRow)
    }
    rich = Customer.objects.get(name_index=customers.name_index("王建国"))
    Account.objects.filter(customer=rich).update(points=1)
    call_command("demo", verbosity=0)
    assert json.loads((folder / "demo").read_text()) == before and (folder / "scenario.token").read_text() == token
    for model, pks in rows.items():
        if model is not AuditRow:
            assert list(model.objects.order_by("pk").values_list("pk", flat=True)) == pks, model
    assert Account.objects.get(customer=rich).points == 1


def test_each_installation_has_its_own_password_and_a_lost_one_is_renewed(folder):
    call_command("demo", verbosity=0)
    first = json.loads((folder / "demo").read_text())["password"]
    (folder / "demo").unlink()
    call_command("demo", verbosity=0)
    second = json.loads((folder / "demo").read_text())["password"]
    assert first != second and len(second) >= 12
    admin = User.objects.get(number="1091")
    assert admin.check_password(second) and not admin.check_password(first)


def test_demo_data_stay_out_of_production_and_of_a_database_with_real_people(folder, settings):
    User.objects.create_user("1", "a real persons password", name="Real")
    with pytest.raises(CommandError, match="real accounts"):
        call_command("demo")
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        call_command("demo")
    assert User.objects.count() == 1 and not list(folder.iterdir())


def test_the_numbers_of_scenarios_are_whom_they_are_called(folder):
    call_command("demo", verbosity=0)
    numbers = demo.numbers()
    assert all(
        customers.normalise(number) == number
        for kind in ("known", "unknown", "blacklisted")
        for number in numbers[kind]
    )
    assert len(numbers["known"]) >= 30 and all(customers.find_by_number(number) for number in numbers["known"])
    assert not any(customers.find_by_number(number) for number in numbers["unknown"] + numbers["blacklisted"])
    assert all(routing.is_blocked(customers.token(number)) for number in numbers["blacklisted"])
    assert not any(routing.is_blocked(customers.token(number)) for number in numbers["known"] + numbers["unknown"])
    assert {*numbers["hotline"]} == set(ServiceNumber.objects.values_list("number", flat=True))
    assert not any(
        Customer.objects.get(pk=c.pk).do_not_call
        for number in numbers["known"]
        for c in customers.find_by_number(number)
    )


def test_two_families_share_a_telephone_and_some_customers_have_several(folder):
    call_command("demo", verbosity=0)
    sharing = [number for number in demo.numbers()["known"] if len(customers.find_by_number(number)) == 2]
    assert len(sharing) == 2
    assert sum(customer.phones.count() > 1 for customer in Customer.objects.all()) >= 8
    assert Customer.objects.count() == 40 and Account.objects.filter(level__scheme=Level.VIP).count() == 6
    assert Customer.objects.filter(owner=None).exists()


def test_every_queue_has_agents_with_its_skills(folder):
    call_command("demo", verbosity=0)
    for queue in Queue.objects.all():
        able = [
            profile
            for profile in AgentProfile.objects.filter(skill_groups=queue.skill_group)
            if set(queue.skills) <= set(profile.skills.values_list("key", flat=True))
        ]
        assert len(able) >= 2, queue.key


@pytest.mark.req("W-56")
def test_every_clinic_has_doctors_somebody_who_answers_and_a_pharmacy_behind_it(folder):
    call_command("demo", verbosity=0)
    assert Clinic.objects.count() == 13
    for clinic in Clinic.objects.all():
        for kind in ("contact", "assistant"):
            person = clinics.contact_of(clinic, kind)
            assert person.roles.filter(key="clinic").exists() and clinics.clinics_of(person).get() == clinic
            assert clinics.group_of(clinic, kind) == f"clinic-{clinic.key}"
        assert len(clinics.doctors(clinic.key)) >= 1, clinic.key
        assert clinics.responsible_of(clinic, "pharmacy") and clinics.decoction_centre_of(clinic), clinic.key
        assert clinics.group_of(clinic, "finance") == "finance" and clinic.address
    assert set(clinics.clinics_of(User.objects.get(number="1071"))) == set(Clinic.objects.all())
    assert Doctor.objects.count() >= 20 and Doctor.objects.filter(is_own_expert=True).count() >= 3
    assert all(post.fee_fen > 0 for doctor in Doctor.objects.all() for post in doctor.posts.filter(prepay=True))
    assert User.objects.filter(roles__key="finance").count() >= 2, "who asks, who approves and who pays are not one"
    assert Product.objects.count() >= 15 and not Product.objects.filter(stock=None).exists()


def test_every_account_of_the_demo_is_the_sum_of_its_ledgers(folder):
    call_command("demo", verbosity=0)
    assert Account.objects.count() >= 38 and Card.objects.count() == 9
    for account in Account.objects.all():
        points = sum(account.customer.points_log.values_list("change", flat=True))
        fund = sum(account.customer.fund_log.values_list("change", flat=True))
        assert (account.points, account.fund_fen) == (points, fund)
