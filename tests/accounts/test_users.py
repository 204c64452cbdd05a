"""Accounts come, change roles and go; each is written down, and what was open ends at once."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from tests.support.cast import PASSWORD, a_group, a_user
from tests.support.http import browser, sign_in
from web.accounts import services as accounts
from web.accounts.models import AccessGrant, User
from web.common.audit import facts
from web.common.errors import BadInput
from web.common.models import AuditRow


def test_the_first_administrator_is_added_from_the_command_line(monkeypatch, capsys):
    monkeypatch.setenv("NEW_PASSWORD", PASSWORD)
    a_group("centre")
    call_command("add_user", "2001", name="Admin", role=["admin"], group="centre", leads=True)
    assert "2001" in capsys.readouterr().out
    assert sign_in(browser(), "2001").json()["user"]["roles"] == ["admin"]
    row = AuditRow.objects.get(action="accounts.user_added")
    assert facts(row) == {"roles": ["admin"], "group": "centre"} and PASSWORD not in str(facts(row))
    with pytest.raises(CommandError, match="number: taken"):
        call_command("add_user", "2001", name="Again", role=["admin"])


@pytest.mark.req("X-17")
@pytest.mark.parametrize(
    "change, field",
    [
        ({"number": " "}, "number"),
        ({"name": ""}, "name"),
        ({"roles": ["emperor"]}, "roles"),
        ({"roles": []}, "roles"),
        ({"group": "nowhere"}, "group"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
    ],
)
def test_an_account_that_would_not_do_is_refused_by_field(change, field):
    given = {"number": "2002", "name": "New", "password": PASSWORD, "roles": ["agent"], **change}
    with pytest.raises(BadInput) as refused:
        accounts.add_user(given.pop("number"), given.pop("name"), given.pop("password"), **given)
    assert list(refused.value.facts["fields"]) == [field]
    assert not User.objects.exists()


def test_other_roles_end_the_sessions_that_knew_the_old_ones_and_are_audited():
    user, boss = a_user("1061", "finance"), a_user("1091", "admin")
    client = browser()
    sign_in(client, "1061")
    accounts.set_roles(user, ["agent", "finance"], actor=boss)
    assert client.get("/api/session").status_code == 401
    assert accounts.has_permission(user, "tickets.open")
    row = AuditRow.objects.get(action="accounts.roles_changed")
    assert row.actor == "1091" and facts(row) == {"before": ["finance"], "after": ["agent", "finance"]}
    accounts.set_roles(user, ["finance", "agent"], actor=boss)
    assert AuditRow.objects.filter(action="accounts.roles_changed").count() == 1
    with pytest.raises(BadInput):
        accounts.set_roles(user, ["emperor"], actor=boss)


def test_a_switched_off_account_is_out_at_once_and_keeps_no_access():
    user = a_user("1061", "finance")
    client = browser()
    sign_in(client, "1061")
    accounts.grant(user, "customer", 7, "task", "task:1")
    accounts.switch_off(user)
    assert client.get("/api/session").status_code == 401
    assert sign_in(browser(), "1061").json()["code"] == "invalid_credentials"
    assert not AccessGrant.objects.filter(ended_at=None).exists()
