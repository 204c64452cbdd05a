"""Reconciliation (W-99): per clinic and day what we booked against what the provider's own ledger says."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Sum

from integrations.ports import StatementRow
from web.common import clock
from web.jobs import services as jobs
from web.payments.models import PaymentNotice, PaymentRequest, Refund, Statement

TOPIC = "payments.statement"
AFTER_MIDNIGHT = timedelta(hours=1)


def today() -> date:
    return clock.now().astimezone(ZoneInfo(settings.TIME_ZONE)).date()


def bounds(day: date) -> tuple[datetime, datetime]:
    """First instant of the local day and of the next one, UTC."""
    zone = ZoneInfo(settings.TIME_ZONE)
    begin, end = (datetime.combine(one, time(0), zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return begin, end


def expect_statement() -> None:
    """A day on which money was asked for ends with the provider's statement."""
    day = today()
    fetch(day, due_at=bounds(day)[1] + AFTER_MIDNIGHT)


def fetch(day: date, *, due_at: datetime | None = None) -> None:
    """Have the statement of a day fetched, now or at `due_at`."""
    key = f"{TOPIC}:{day.isoformat()}" + (":late" if due_at else "")
    jobs.enqueue(TOPIC, key=key, payload={"day": day.isoformat()}, due_at=due_at)


def store(day: date, rows: list[StatementRow]) -> None:
    plain = [{"key": row.key, "kind": row.kind, "amount_fen": row.amount_fen, "id": row.id} for row in rows]
    Statement.objects.update_or_create(day=day, defaults={"rows": plain, "fetched_at": clock.now()})


def reconciliation(day: date) -> dict[str, Any]:
    """{day, fetched_at, agrees, rows: [{clinic, paid_fen, refunded_fen, desk_fen, fund_fen, provider_paid_fen, provider_refunded_fen,
    difference_fen}], strangers: [{kind, amount_fen, id}]}. paid/refunded = by the provider as we booked it; desk and fund are ours alone;
    `clinic` "" = booked to none. Before the statement came, provider figures are None and `agrees` is None."""
    begin, end = bounds(day)
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in (
        PaymentNotice.objects.filter(at__gte=begin, at__lt=end)
        .exclude(charge=None)
        .values(clinic=F("request__clinic"))
        .annotate(all=Sum("amount_fen"))
        .order_by()
    ):
        sums[row["clinic"] or ""]["paid_fen"] += row["all"]
    _add_ours(sums, begin, end)
    statement = Statement.objects.filter(day=day).first()
    strangers = _add_theirs(sums, statement.rows) if statement else []
    rows = [_row(clinic, found, statement is not None) for clinic, found in sorted(sums.items())]
    return {
        "day": day,
        "fetched_at": statement.fetched_at if statement else None,
        "agrees": not strangers and all(row["difference_fen"] == 0 for row in rows) if statement else None,
        "rows": rows,
        "strangers": strangers,
    }


def _add_ours(sums: dict[str, dict[str, int]], begin: datetime, end: datetime) -> None:
    paid = PaymentRequest.objects.filter(paid_at__gte=begin, paid_at__lt=end, received_fen__gt=0)
    here = paid.exclude(confirmed_by=None, desk_way=None).values("clinic").annotate(all=Sum("amount_fen"))
    for row in here.order_by():
        sums[row["clinic"] or ""]["desk_fen"] += row["all"]
    fund = paid.filter(way=PaymentRequest.FUND).values("clinic").annotate(all=Sum("amount_fen"))
    for row in fund.order_by():
        sums[row["clinic"] or ""]["fund_fen"] += row["all"]
    given = Refund.objects.filter(state=Refund.DONE, done_at__gte=begin, done_at__lt=end).select_related("request")
    for refund in given:
        kind = (
            "refunded_fen"
            if refund.provider_id
            else "fund_fen"
            if refund.request.way == PaymentRequest.FUND
            else "desk_fen"
        )
        sums[refund.request.clinic or ""][kind] += refund.amount_fen if refund.provider_id else -refund.amount_fen


def _add_theirs(sums: dict[str, dict[str, int]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The statement's movements by the clinic of our request; those whose key is not ours are strangers."""
    clinics = dict(PaymentRequest.objects.filter(key__in=[row["key"] for row in rows]).values_list("key", "clinic"))
    stems = {row["key"].rpartition(":")[0] for row in rows if row["kind"] == "refund"}
    of_refund = dict(Refund.objects.filter(key__in=stems).values_list("key", "request__clinic"))
    strangers = []
    for row in rows:
        is_refund = row["kind"] == "refund"
        known, key = (of_refund, row["key"].rpartition(":")[0]) if is_refund else (clinics, row["key"])
        if key not in known:
            strangers.append({"kind": row["kind"], "amount_fen": row["amount_fen"], "id": row["id"]})
            continue
        sums[known[key] or ""]["provider_refunded_fen" if is_refund else "provider_paid_fen"] += row["amount_fen"]
    return strangers


def _row(clinic: str, found: dict[str, int], told: bool) -> dict[str, Any]:
    ours = {name: found.get(name, 0) for name in ("paid_fen", "refunded_fen", "desk_fen", "fund_fen")}
    theirs = {name: found.get(name, 0) if told else None for name in ("provider_paid_fen", "provider_refunded_fen")}
    difference = None
    if told:
        booked = ours["paid_fen"] - ours["refunded_fen"]
        difference = booked - (theirs["provider_paid_fen"] - theirs["provider_refunded_fen"])
    return {"clinic": clinic, **ours, **theirs, "difference_fen": difference}
