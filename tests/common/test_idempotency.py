"""A POST that is sent again does nothing again (X-22)."""

from __future__ import annotations

import pytest

from tests.support.cast import a_user, an_agent
from tests.support.http import as_user
from web.common.models import IdempotentAnswer
from web.customers.models import Customer

BODY = {"name": "王小明", "relation": "self", "identity": "potential", "number": "13812341234", "separate": True}


def send(client, key: str = "k-1", **more):
    return client.post("/api/customers", {**BODY, **more}, format="json", headers={"Idempotency-Key": key})


@pytest.fixture
def anna():
    return an_agent("1023")


@pytest.mark.req("X-22")
def test_the_same_request_again_gets_the_same_answer_and_is_done_once(anna):
    client = as_user(anna)
    first = send(client)
    assert first.status_code == 201
    Customer.objects.all().delete()
    again = send(client)
    assert (again.status_code, again.json()) == (201, first.json())
    assert not Customer.objects.exists()


@pytest.mark.req("X-22")
def test_a_key_belongs_to_one_request_of_one_user(anna):
    client = as_user(anna)
    send(client)
    other_body = send(client, name="别人")
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    assert send(as_user(an_agent("1024")), name="别人").status_code == 201
    assert Customer.objects.count() == 2


def test_while_the_first_is_at_work_the_second_is_told_so(anna):
    client = as_user(anna)
    first = send(client)
    IdempotentAnswer.objects.update(status=None, sealed_body=None)
    waiting = send(client)
    assert first.status_code == 201 and (waiting.status_code, waiting.json()["code"]) == (409, "request_in_progress")


def test_a_refusal_for_lack_of_permission_is_not_kept(anna):
    clinic = a_user("1071", "clinic")
    assert send(as_user(clinic)).status_code == 403
    assert not IdempotentAnswer.objects.exists()


def test_the_kept_answer_holds_nothing_in_clear(anna):
    send(as_user(anna))
    assert "王" not in IdempotentAnswer.objects.get().sealed_body


def test_without_a_key_or_with_an_absurd_one_the_request_is_done_as_it_comes(anna):
    client = as_user(anna)
    client.post("/api/customers", BODY, format="json")
    send(client, key="k" * 81, name="李四")
    assert not IdempotentAnswer.objects.exists() and Customer.objects.count() == 2


def test_a_request_whose_process_was_killed_at_work_may_be_sent_again(anna, clock):
    client = as_user(anna)
    send(client)
    Customer.objects.all().delete()
    IdempotentAnswer.objects.update(status=None, sealed_body=None, created_at=clock.now())
    assert send(client).status_code == 409
    clock.forward(seconds=61)
    assert send(client).status_code == 201
    assert Customer.objects.count() == 1
