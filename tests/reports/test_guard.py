"""A report sees what its reader may see, whatever SQL it is written in (ARCHITECTURE 3.4)."""

from __future__ import annotations

import pytest
from django.db.models import Q

from reports import guard
from web.accounts.models import Role
from web.common import scope as scopes

ROLES = "SELECT COUNT(*) FROM {scoped}"


@pytest.fixture
def only_finance(monkeypatch):
    """A rule for the test: this reader sees the role «finance» alone."""
    monkeypatch.setattr(scopes, "_rules", {Role: (lambda user: Q(key="finance"), None, "pk")})


@pytest.fixture
def roles(db):
    Role.objects.all().delete()
    for key in ("finance", "pharmacy", "clinic"):
        Role.objects.create(key=key, name=key, name_en=key)


def test_raw_sql_counts_only_the_rows_its_reader_may_see(roles, only_finance):
    assert list(guard.run(ROLES, Role.objects.values("id", "key"), user=None)) == [(1,)]


def test_parameters_before_and_after_the_placeholder_keep_their_places(roles, only_finance):
    sql = "SELECT %s, scoped.key FROM {scoped} WHERE scoped.key = %s"
    assert list(guard.run(sql, Role.objects.values("key"), None, ("before", "finance"))) == [("before", "finance")]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM accounts_role",
        "SELECT * FROM {scoped} JOIN accounts_user ON 1=1",
        "SELECT * FROM {scoped} scoped, accounts_user",
        "SELECT (SELECT COUNT(*) FROM accounts_user) FROM {scoped}",
        "DELETE FROM {scoped}",
        "SELECT 1 FROM {scoped}; DROP TABLE accounts_role",
        "SELECT 1",
    ],
)
def test_sql_that_could_read_or_write_more_is_refused(sql):
    with pytest.raises(guard.UnscopedSQL):
        guard.check(sql)


def test_a_model_without_a_rule_gives_nothing_but_an_error(roles, monkeypatch):
    monkeypatch.setattr(scopes, "_rules", {})
    with pytest.raises(LookupError, match="no scope rule"):
        list(guard.run(ROLES, Role.objects.values("id"), user=None))
