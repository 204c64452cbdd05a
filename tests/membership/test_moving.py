"""Installations whose customers carried points, balance and level themselves: nothing is lost on the way to accounts."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.support.databases import default_database

BEFORE = [("customers", "0002_holder"), ("membership", "0001_initial")]
AFTER = [("customers", "0003_account_moved"), ("membership", "0003_permissions")]


@pytest.mark.req("W-28", "W-40")
def test_what_stood_on_the_card_becomes_an_account_with_opening_lines(tmp_path, django_db_blocker):
    with django_db_blocker.unblock(), default_database(f"sqlite:///{tmp_path}/old.sqlite3"):
        executor = MigrationExecutor(connection)
        executor.migrate(BEFORE)
        old = executor.loader.project_state(BEFORE).apps.get_model("customers", "Customer")
        cards = [
            ("silver", False, 900, 160_000), ("gold", True, 0, 5), ("regular", False, 3, 0), ("jade", False, 0, 0),
            (None, True, 0, 0), (None, False, 0, 0), (None, False, 7, 0),
        ]  # fmt: skip
        for n, (level, is_vip, points, fen) in enumerate(cards):
            facts = {"level": level, "is_vip": is_vip, "points": points, "balance_fen": fen}
            old.objects.create(number=f"{n}", name="x", name_masked="x", name_index="x", **facts)
        MigrationExecutor(connection).migrate(AFTER)
        new = MigrationExecutor(connection).loader.project_state(AFTER).apps
        accounts = new.get_model("membership", "Account").objects.order_by("customer__number")
        found = accounts.values_list("customer__number", "level__scheme", "level__key", "points", "fund_fen")
        assert list(found) == [
            ("0", "ordinary", "silver", 900, 160_000),
            ("1", "vip", "gold", 0, 5),
            ("2", "ordinary", "normal", 3, 0),
            ("3", "ordinary", "jade", 0, 0),
            ("4", "vip", "gold", 0, 0),
            ("6", None, None, 7, 0),
        ]
        for name, column in (("PointsEntry", "points"), ("FundEntry", "fund_fen")):
            lines = new.get_model("membership", name).objects.values_list("customer", "change", "balance", "reason")
            wanted = accounts.exclude(**{column: 0}).values_list("customer", column)
            assert list(lines.order_by("pk")) == [(pk, sum_, sum_, "opening") for pk, sum_ in wanted]
        connection.close()
