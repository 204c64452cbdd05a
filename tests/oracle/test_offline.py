"""Compiled for Oracle 19c and 23ai, not run on it: migrations, names, and that each refusal we know of is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import NotSupportedError, models
from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, UniqueConstraint, Value, When, Window
from django.db.models.functions import Lower, RowNumber, TruncDate

from tests.support import oracle
from tests.support.oracle import OfflineOracle
from web.jobs.models import Incident, Job

LONGEST_NAME = 30
SILENT = {"models.W036", "models.W037", "models.W038", "models.W039", "models.W040", "fields.W162"}


@pytest.fixture(params=list(oracle.VERSIONS))
def connection(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[OfflineOracle]:
    with django_db_blocker.unblock(), oracle.offline_oracle(request.param) as stub:
        stub.version_name = request.param
        yield stub


def problems(connection: OfflineOracle, statement: str) -> list[str]:
    parse = oracle.parse_problem(statement)
    return [*([parse] if parse else []), *oracle.refusals(statement, connection.version_name)]


# --- migrations ------------------------------------------------------------------------------------------------
def test_every_migration_compiles_and_parses(connection: OfflineOracle) -> None:
    statements = oracle.migration_statements(connection)
    assert len(statements) > 100
    wrong = [(name, found, text[:120]) for name, text in statements if (found := problems(connection, text))]
    assert wrong == []


def test_no_constraint_or_index_is_dropped_in_silence(connection: OfflineOracle) -> None:
    """Django only warns when it leaves a conditional constraint, a condition or an index column out on Oracle."""
    found = [warning for model in apps.get_models() for warning in model.check(databases=["default"])]
    assert [str(warning) for warning in found if warning.id in SILENT] == []


def test_the_check_sees_a_conditional_constraint(connection: OfflineOracle) -> None:
    class Planted(models.Model):
        open_key = models.CharField(max_length=10)

        class Meta:
            app_label = "planted"
            constraints = [UniqueConstraint(fields=["open_key"], condition=Q(open_key="x"), name="planted_uq")]

    try:
        assert SILENT & {warning.id for warning in Planted.check(databases=["default"])} == {"models.W036"}
    finally:
        del apps.all_models["planted"]


def test_names_fit_without_being_cut() -> None:
    """Django shortens a longer name by a hash, and then nobody finds it in the database."""
    ours = [model for model in apps.get_models(include_auto_created=True) if model.__module__.startswith("web.")]
    names = {model._meta.db_table for model in ours}
    for model in ours:
        names |= {field.column for field in model._meta.local_concrete_fields}
        names |= {index.name for index in model._meta.indexes}
        names |= {constraint.name for constraint in model._meta.constraints}
    assert names
    assert sorted(name for name in names if len(name) > LONGEST_NAME) == []


# --- queries ---------------------------------------------------------------------------------------------------
FINE: dict[str, Callable[[], models.QuerySet]] = {
    "a page": lambda: Job.objects.order_by("due_at", "id")[20:40],
    "a JSON key": lambda: Job.objects.filter(payload__kind="sms"),
    "a JSON key ordered": lambda: Job.objects.order_by("payload__kind").values("id"),
    "text equal": lambda: Incident.objects.filter(detail="x").only("id"),
    "text contains": lambda: Incident.objects.filter(detail__icontains="超时").only("id"),
    "count by state": lambda: Job.objects.values("state").annotate(n=Count("id")).order_by("state"),
    "newest of each": lambda: Job.objects.annotate(
        place=Window(RowNumber(), partition_by=[F("state")], order_by=F("due_at").desc())
    ).filter(place=1),
    "exists": lambda: Job.objects.filter(Exists(Incident.objects.filter(job=OuterRef("pk")))),
    "by day": lambda: Job.objects.annotate(day=TruncDate("due_at")).values("day").annotate(n=Count("id")),
    "empty string": lambda: Job.objects.filter(owner=""),
    "claim": lambda: Job.objects.filter(state="queued").select_for_update(skip_locked=True),
    "many ids": lambda: Job.objects.filter(pk__in=list(range(1500))),
    "case": lambda: Job.objects.annotate(k=Case(When(Q(state="queued"), then=F("key")), default=Value("-"))),
    "distinct without LOB": lambda: Job.objects.values("state").distinct(),
}
REFUSED_BY_BACKEND: dict[str, Callable[[], models.QuerySet]] = {
    "claim with a limit": lambda: Job.objects.order_by("id").select_for_update(skip_locked=True)[:1],
    "distinct on a field": lambda: Job.objects.order_by("state").distinct("state"),
    "JSON contains": lambda: Job.objects.filter(payload__contains={"kind": "sms"}),
}
REFUSED_BY_SERVER: dict[str, Callable[[], models.QuerySet]] = {
    "distinct over LOB": lambda: Incident.objects.filter(job__state="done").distinct(),
    "order by LOB": lambda: Incident.objects.order_by("detail").values("id"),
    "order by a function of LOB": lambda: Incident.objects.order_by(Lower("detail")).values("id"),
    "union over LOB": lambda: Incident.objects.filter(pk=1).union(Incident.objects.filter(pk=2)),
    "group by LOB": lambda: Incident.objects.values("detail").annotate(n=Count("id")),
    "group by all columns": lambda: Job.objects.annotate(n=Count("owner")),
    "distinct in a subquery": lambda: Job.objects.filter(subject__in=Incident.objects.values("detail").distinct()).only(
        "id"
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_a_query_that_oracle_takes(connection: OfflineOracle, name: str) -> None:
    statements = oracle.compiled(connection, FINE[name]().query)
    assert statements
    assert [found for text in statements if (found := problems(connection, text))] == []
    assert connection.lob_notes == []


@pytest.mark.parametrize("name", REFUSED_BY_BACKEND)
def test_a_query_the_backend_refuses(connection: OfflineOracle, name: str) -> None:
    with pytest.raises(NotSupportedError):
        oracle.compiled(connection, REFUSED_BY_BACKEND[name]().query)


@pytest.mark.parametrize("name", REFUSED_BY_SERVER)
def test_a_query_a_server_refuses(connection: OfflineOracle, name: str) -> None:
    oracle.compiled(connection, REFUSED_BY_SERVER[name]().query)
    assert connection.lob_notes


def test_the_lint_of_texts_finds_each_habit() -> None:
    planted = {
        'SELECT "A" FROM "T" LIMIT 1': "LIMIT",
        'SELECT DISTINCT ON ("A") "A" FROM "T"': "DISTINCT ON",
        'SELECT "A" FROM "T" FETCH FIRST 1 ROWS ONLY FOR UPDATE': "a row limit with FOR UPDATE (ORA-02014)",
        "SELECT 1": "SELECT without FROM",
        'SELECT "A" FROM "T" WHERE "B" = TRUE': "a boolean literal",
        """SELECT "A" FROM "T" WHERE "B" = ''""": "comparison with an empty string, which is NULL",
        'SELECT "A" FROM "T" WHERE "B" @> :p': "an operator of PostgreSQL",
        f'SELECT "{"A" * 31}" FROM "T"': f"name longer than 30: {'A' * 31}",
    }
    assert {text: oracle.refusals(text, "19c") for text in planted} == {text: [why] for text, why in planted.items()}
    assert oracle.parse_problem("SELECT FROM WHERE") != ""


def test_writing_reaches_the_driver_as_oracle_writes(connection: OfflineOracle) -> None:
    Job(topic="sms.send", payload={"a": 1}).save()
    Job.objects.filter(pk=1).update(attempts=F("attempts") + 1, owner=Value("w1", output_field=CharField()))
    Job.objects.bulk_create([Job(topic="a"), Job(topic="b")])
    with pytest.raises(NotSupportedError):
        Job.objects.bulk_create([Job(topic="a")], ignore_conflicts=True)
    written = [text for text in connection.sent if text.startswith(("INSERT", "UPDATE"))]
    assert len(written) == 3
    assert [found for text in written if (found := problems(connection, text))] == []
