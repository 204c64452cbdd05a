"""A telephone number, an ID number and a name go through the product; afterwards nobody finds them anywhere in clear."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from tests.support.cast import an_agent, the_role
from tests.support.http import as_user
from web.common.audit import audit
from web.common.models import IdempotentAnswer
from web.customers import services as customers
from web.jobs import services as jobs
from web.jobs.models import OutboundEffect
from web.tickets import services as tickets
from web.workflow import services as workflow
from web.workflow.models import Draft, Submission

NUMBER, NAME, NOTE = "19900008642", "金丝雀先生", "对虾过敏-canary-note"
ID_NUMBER = next(
    body + digit for body in ["99999919661122864"] for digit in "0123456789X" if customers.is_id_number(body + digit)
)
CANARIES = (NUMBER, NAME, ID_NUMBER, NOTE)


def everything_stored() -> list[tuple[str, str, str]]:
    """(table, column, value as text) of every value in the database."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                found += [
                    (table, column, str(value)) for column, value in zip(columns, row, strict=True) if value is not None
                ]
    return found


def in_clear(stored: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Where a canary stands readable: as it is, or as JSON writes Chinese."""
    words = {*CANARIES, *(word.encode("unicode_escape").decode() for word in CANARIES)}
    return [(table, column) for table, column, value in stored if any(word in value for word in words)]


@pytest.mark.django_db
@pytest.mark.req("X-16")
def test_no_personal_value_stands_in_clear_in_tables_logs_or_cache(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    cache.clear()
    the_role("agent")
    anna = an_agent("1023", "booking")
    workflow.deploy_folder(settings.FLOWS_DIR)
    client = as_user(anna)

    body = {
        "name": NAME,
        "relation": "self",
        "identity": "potential",
        "number": NUMBER,
        "id_number": ID_NUMBER,
        "history_note": NOTE,
        "address": NOTE,
    }
    registered = client.post("/api/customers", body, format="json", headers={"Idempotency-Key": "canary"})
    assert registered.status_code == 201
    customer = customers.Customer.objects.get()
    change = {
        "version": 0,
        "name": f"{NAME}二世",
        "allergies": NOTE,
        "numbers": {"second": NUMBER.replace("8642", "8643")},
    }
    assert client.patch(f"/api/customers/{customer.pk}", change, format="json").status_code == 200
    for field in ("number", "id_number", "name"):
        client.post(f"/api/customers/{customer.pk}/reveal", {"field": field, "reason": "call"}, format="json")
    client.get("/api/customers", {"search": NUMBER})
    client.get("/api/customers", {"search": NAME})

    ticket = tickets.open_ticket(
        acting_user=anna, kind="consult", customer=customer, number=f"+86{NUMBER}", summary=f"{NAME} {NOTE}"
    )
    task = workflow.first_task_of(ticket.instance, anna)
    answers = {
        "question_class": "price",
        "content": f"{NAME} {NUMBER} {NOTE}",
        "solved": "yes",
        "answer": f"{ID_NUMBER} {NOTE}",
    }
    workflow.save_draft(task, anna, answers)
    assert Draft.objects.get().data == answers and in_clear(everything_stored()) == []
    workflow.complete(task, anna, answers, wait=False)
    audit("test.canary", ticket.key, actor=anna, person=customer.subject, name=NAME, number=NUMBER, id=ID_NUMBER)
    audit("test.canary", ticket.key, actor=anna, number=NUMBER)
    jobs.effect(
        "test.canary", key="canary", subject=ticket.key, person=customer.subject, payload={"to": NUMBER, "text": NAME}
    )
    jobs.receive(
        "test.canary", message_id="canary", business_key=ticket.key, person=customer.subject, payload={"from": NUMBER}
    )
    for row in ({"name": NAME}, {"name": NAME, "number": "x"}):  # refusals speak of fields, never of values
        client.post("/api/customers", {**body, **row, "number": "12", "id_number": f"{ID_NUMBER}0"}, format="json")

    # The values went through all these places, and can be read there by who has the keys.
    assert customer.phones.get(kind="mobile").value == f"+86{NUMBER}"
    assert Submission.objects.get().data["answer"].startswith(ID_NUMBER)
    assert OutboundEffect.objects.filter(key="canary").get().payload["to"] == NUMBER
    assert IdempotentAnswer.objects.exists()
    stored = everything_stored()
    assert len({table for table, _, _ in stored}) > 20
    assert in_clear(stored) == []
    said = capfd.readouterr()
    spoken = caplog.text + said.out + said.err
    assert not [word for word in CANARIES if word in spoken]
    kept = b" ".join(value if isinstance(value, bytes) else repr(value).encode() for value in cache._cache.values())
    assert not [word for word in CANARIES if word.encode() in kept or word.encode("unicode_escape") in kept]


@pytest.mark.django_db
def test_a_value_in_clear_is_found(db):
    anna = an_agent("1023")
    for name in (NUMBER, NAME, f"x{ID_NUMBER}"):
        anna.name = name
        anna.save()
        assert in_clear(everything_stored()) == [("accounts_user", "name")]
