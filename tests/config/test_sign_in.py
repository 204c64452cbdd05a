"""Guessing a password: five failures of one account from one address lock that pair, nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

pytestmark = pytest.mark.django_db

RIGHT = "a long enough secret"


@pytest.fixture
def finance(db: None) -> Any:
    return get_user_model().objects.create_user("6001", RIGHT, name="finance")


def attempt(client: Client, password: str, number: str = "6001", address: str = "192.0.2.1") -> Any:
    given = {"number": number, "password": password, "takeover": True}
    return client.post("/api/session", given, content_type="application/json", REMOTE_ADDR=address)


@pytest.mark.req("X-17", "A-08")
def test_after_five_failures_even_the_right_password_is_refused_from_there(client: Client, finance: Any) -> None:
    for _ in range(4):
        assert attempt(client, "wrong").json()["code"] == "invalid_credentials"
    attempt(client, "wrong")
    answer = attempt(client, RIGHT)
    assert (answer.status_code, answer.json()["code"], answer.json()["minutes"]) == (403, "locked_out", 15)
    assert answer.json()["trace"] == answer["X-Trace"]


def test_the_account_is_still_open_from_elsewhere_and_others_from_there(client: Client, finance: Any) -> None:
    get_user_model().objects.create_user("6002", RIGHT, name="other")
    for _ in range(6):
        attempt(client, "wrong")
    assert attempt(Client(), RIGHT, address="192.0.2.2").status_code == 200
    assert attempt(Client(), RIGHT, number="6002").status_code == 200


def test_a_stranger_and_a_wrong_password_look_the_same(client: Client, finance: Any) -> None:
    wrong, stranger = attempt(client, "wrong"), attempt(client, "wrong", number="9999")
    assert wrong.status_code == stranger.status_code == 400
    assert {**wrong.json(), "trace": ""} == {**stranger.json(), "trace": ""}


def test_success_forgets_the_failures_before_it(client: Client, finance: Any) -> None:
    for _ in range(3):
        for _ in range(4):
            attempt(Client(), "wrong")
        assert attempt(Client(), RIGHT).status_code == 200


def test_an_act_without_the_form_token_is_refused(finance: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post("/api/notifications/read", {"ids": []}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
