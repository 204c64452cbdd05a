"""Which flows a person may start without a call or a customer (流程中心)."""

from __future__ import annotations

import pytest

from tests.tickets.conftest import WANG
from web.tickets import services
from web.tickets.models import Ticket
from web.workflow.models import ProcessInstance, UserTask

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_alice(client, alice):
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    return client


def start(client, key: str, data: dict | None = None):
    return client.post(f"/api/flows/{key}/start", data or {}, content_type="application/json")


@pytest.mark.req("X-01")
@pytest.mark.parametrize(
    ("key", "why"),
    [("outbound_task", "message"), ("blacklist", "message"), ("notify", "called"), ("escalate", "called")],
)
def test_a_flow_that_something_else_starts_is_not_started_by_hand_and_leaves_no_dead_task(flows, as_alice, key, why):
    refused = start(as_alice, key)
    assert (refused.status_code, refused.json()["code"]) == (409, "flow_not_startable")
    assert refused.json()["why_not"] == why
    assert not (Ticket.objects.exists() or ProcessInstance.objects.exists() or UserTask.objects.exists())
    listed = {row["key"]: row for row in as_alice.get("/api/flows").json()}
    assert (listed[key]["startable"], listed[key]["why_not"]) == (False, why)


def test_a_flow_with_a_plain_start_is_started_by_hand(flows, as_alice):
    listed = {row["key"]: row for row in as_alice.get("/api/flows").json()}
    assert (listed["consult"]["startable"], listed["consult"]["why_not"]) == (True, None)
    assert start(as_alice, "consult").status_code == 201


def test_a_flow_nobody_has_published_is_told_apart(flows, as_alice):
    assert start(as_alice, "nothing").json()["code"] == "flow_not_deployed"


@pytest.mark.req("S-14")
def test_an_outbound_task_goes_on_to_be_opened_for_a_customer(flows, as_alice, alice, wang):
    wang.owner = alice
    wang.save()
    opened = as_alice.post("/api/tickets/outbound", {"customer": wang.pk}, content_type="application/json")
    assert opened.status_code == 201
    assert Ticket.objects.get(number=opened.json()["number"]).caller == WANG
    assert services.want_outbound(source="missed_call", number=WANG).kind == "outbound_task"
