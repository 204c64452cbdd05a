"""A number of two patients: who works the ticket says whose it is (REQUIREMENTS 9.4)."""

from __future__ import annotations

import pytest

from tests.tickets.conftest import STRANGER, WANG
from web.accounts.models import Group, Membership
from web.common import seals
from web.common.masking import mask_name, mask_number
from web.common.models import AuditRow
from web.customers import services as customers
from web.customers.models import Customer, PhoneNumber
from web.tickets import services
from web.workflow import services as workflow
from web.workflow.models import UserTask

pytestmark = [pytest.mark.django_db, pytest.mark.req("W-18")]


def somebody(name: str, card: str, phone: str) -> Customer:
    customer = Customer.objects.create(
        number=card, name=name, name_masked=mask_name(name), name_index=seals.blind(name, kind="name")
    )
    token, masked = seals.blind(phone, kind="number"), mask_number(phone)
    PhoneNumber.objects.create(customer=customer, value=phone, token=token, masked=masked)
    return customer


@pytest.fixture
def wife(wang):
    return somebody("李芳", "HZ-2", WANG)


@pytest.fixture
def missed(flows, service_group, wang, wife, alice, a_call):
    """A missed call of the shared number; Alice has taken its task."""
    call = a_call(WANG, outcome="abandoned")
    ticket = services.want_outbound(source="missed_call", number=WANG, call=call, group=service_group)
    workflow.claim(UserTask.objects.get(instance__ticket=ticket, state="open"), alice)
    return ticket


@pytest.fixture
def seen_by(client):
    def sign_in(user):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


def say(client, ticket, customer):
    path = f"/api/tickets/{ticket.number}/customer"
    return client.post(path, {"customer": customer}, content_type="application/json")


def test_who_calls_back_chooses_among_masked_names(missed, seen_by, alice, wang, wife):
    shown = seen_by(alice).get(f"/api/tickets/{missed.number}/customer").json()
    assert [(one["id"], one["name"]) for one in shown] == [
        (str(wang.pk), mask_name("王小明")),
        (str(wife.pk), mask_name("李芳")),
    ]
    answer = say(seen_by(alice), missed, wife.pk)
    assert answer.status_code == 200, answer.content
    assert answer.json()["customer"]["card_no"] == "HZ-2"
    assert customers.visible(alice).filter(pk=wife.pk).exists()  # her work is about this customer now
    assert not customers.visible(alice).filter(pk=wang.pk).exists()
    missed.call.refresh_from_db()
    assert missed.call.customer == wife
    row = AuditRow.objects.get(action="ticket.customer_set")
    assert (row.actor, row.person) == ("1023", wife.subject)
    assert seen_by(alice).get(f"/api/tickets/{missed.number}/customer").json() == []


def test_whoever_says_it_second_is_told_and_the_same_again_changes_nothing(missed, seen_by, alice, wang, wife):
    assert say(seen_by(alice), missed, wife.pk).status_code == 200
    assert say(seen_by(alice), missed, wife.pk).status_code == 200
    late = say(seen_by(alice), missed, wang.pk)
    assert (late.status_code, late.json()["code"]) == (409, "ticket_has_customer")
    assert AuditRow.objects.filter(action="ticket.customer_set").count() == 1


def test_nobody_without_the_number_can_be_chosen(missed, seen_by, alice):
    stranger = somebody("张三", "HZ-3", STRANGER)
    for wrong in (stranger.pk, 987654):
        answer = say(seen_by(alice), missed, wrong)
        assert (answer.status_code, answer.json()["fields"]) == (400, {"customer": [{"code": "unknown"}]})
    assert say(seen_by(alice), missed, "x").status_code == 400


def test_only_who_may_work_the_ticket_sees_the_names_and_says_whose_it_is(missed, seen_by, bob, person, wife):
    elsewhere = Group.objects.create(key="other", name="别组", path="/other/")
    far = person("1099", "agent")
    Membership.objects.filter(user=far).update(group=elsewhere)
    assert seen_by(far).get(f"/api/tickets/{missed.number}/customer").status_code == 404
    assert say(seen_by(far), missed, wife.pk).status_code == 404
    boss = person("5001", "director")  # sees every ticket, works none of them
    assert seen_by(boss).get(f"/api/tickets/{missed.number}/customer").json() == []
    refused = say(seen_by(boss), missed, wife.pk)
    assert (refused.status_code, refused.json()["needs"]) == (403, "task")
    missed.refresh_from_db()
    assert missed.customer is None
