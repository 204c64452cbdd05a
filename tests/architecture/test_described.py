"""The watch that holds every answer against docs/openapi.yaml does find what is wrong with one."""

from __future__ import annotations

import pytest
from rest_framework.response import Response

from tests.support import described
from web.accounts.models import User

PERSON = {"number": "1023", "name": "Zhang"}


def test_what_is_described_passes():
    assert described.complaints_of("PersonOut", PERSON) == []


@pytest.mark.parametrize(
    "wrong",
    [{"number": "1023"}, {**PERSON, "phone": "13800000000"}, {**PERSON, "number": 1023}, {**PERSON, "name": None}],
    ids=[
        "something is missing",
        "something is not described",
        "a number instead of a text",
        "nothing where something must be",
    ],
)
def test_what_is_not_described_so_is_named(wrong):
    assert len(described.complaints_of("PersonOut", wrong)) == 1


def test_an_answer_of_another_shape_fails_the_test_that_got_it(db, client, monkeypatch):
    monkeypatch.setattr("web.accounts.api.Groups.get", lambda self, request: Response([{"key": "booking"}]))
    somebody = User.objects.create_user("1023", "a long enough passphrase", name="Zhang")
    client.force_login(somebody, backend="django.contrib.auth.backends.ModelBackend")
    with pytest.raises(AssertionError, match=r"GET /api/groups is not what docs/openapi.yaml says: "):
        client.get("/api/groups")
