from __future__ import annotations

import pytest
from django.conf import settings

from web.accounts.models import Group, Membership, Role, User
from web.calls.models import Call, Purpose
from web.common import seals
from web.common.masking import mask_name, mask_number
from web.customers.models import Customer, PhoneNumber
from web.workflow import services as workflow

WANG = "+8619900000812"
STRANGER = "+8619900000999"


@pytest.fixture
def flows(db):
    """The product's own diagrams, published."""
    workflow.deploy_folder(settings.FLOWS_DIR)
    Purpose.objects.update_or_create(
        key="consult", defaults={"name": "咨询", "name_en": "Consultation", "flow": "consult"}
    )
    Purpose.objects.update_or_create(
        key="appointment", defaults={"name": "预约", "name_en": "Appointment", "flow": "appointment"}
    )


@pytest.fixture
def service_group(db):
    return Group.objects.create(key="service", name="服务组", name_en="Service", path="/service/")


@pytest.fixture
def person(service_group):
    def make(number: str, role: str, *, leads: bool = False) -> User:
        user = User.objects.create_user(number, "a long enough passphrase", name=f"员工{number}")
        user.roles.add(Role.objects.get(key=role))
        Membership.objects.create(user=user, group=service_group, leads=leads)
        return user

    return make


@pytest.fixture
def alice(person):
    return person("1023", "agent")


@pytest.fixture
def bob(person):
    return person("1031", "agent")


@pytest.fixture
def lena(person):
    return person("2001", "team_leader", leads=True)


@pytest.fixture
def sue(person):
    return person("3001", "supervisor", leads=True)


@pytest.fixture
def wang(db):
    customer = Customer.objects.create(
        number="HZ-1", name="王小明", name_masked=mask_name("王小明"), name_index=seals.blind("王小明", kind="name")
    )
    PhoneNumber.objects.create(
        customer=customer, value=WANG, token=seals.blind(WANG, kind="number"), masked=mask_number(WANG)
    )
    return customer


@pytest.fixture
def a_call(db, clock):
    def make(number: str = WANG, *, customer=None, call_id: str = "c1", outcome: str | None = None) -> Call:
        from web.common.clock import now, slot

        return Call.objects.create(
            call_id=call_id, pbx_id=f"pbx-{call_id}", slot=slot(now()), started_at=now(), number=number,
            number_token=seals.blind(number, kind="number"), number_masked=mask_number(number), customer=customer, outcome=outcome,
        )  # fmt: skip

    return make
