"""Audit (X-15): a row in the act's transaction; the sealer chains rows in id order a second later; `verify` finds the first altered one."""

from __future__ import annotations

import hashlib
import json
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from . import clock, seals
from .models import AuditAnchor, AuditRow

address: ContextVar[str] = ContextVar("audit_address", default="")
GENESIS = "0" * 64


def audit(action: str, subject: str, *, actor: Any = None, person: str = "", **facts: Any) -> AuditRow:
    """Write who (`actor`: a user, a 工号 or None for the product itself) did `action` (`tasks.reassigned`) to `subject` (`task:12`).
    `facts` are sealed, with the person's own key when they speak of one."""
    sealed = (
        seals.seal_for(person, json.dumps(facts, ensure_ascii=False, default=str), bound_to="audit") if facts else ""
    )
    return AuditRow.objects.create(
        at=clock.now(), actor=getattr(actor, "number", actor) or None, action=action, subject=subject,
        address=address.get() or None, person=person or None, sealed_facts=sealed or None,
    )  # fmt: skip


def facts(row: AuditRow) -> dict | None:
    """The sealed facts in plain; None when the person's key was destroyed."""
    if not row.sealed_facts:
        return {}
    try:
        return json.loads(seals.unseal_for(row.sealed_facts, bound_to="audit"))
    except seals.SealBroken:
        return None


def _digest(previous: str, row: AuditRow) -> str:
    text = "\x1f".join(
        [
            previous,
            str(row.pk),
            row.at.isoformat(),
            row.actor or "",
            row.action,
            row.subject,
            row.address or "",
            row.person or "",
            row.sealed_facts or "",
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def seal_tail(limit: int = 500) -> int:
    """Chain the rows that are not yet sealed, oldest first, and move the day's anchor to the newest. Returns how many. Only under the
    sealer's lease: two sealers would fork the chain. A row whose transaction commits late gets its place after those sealed before it."""
    with transaction.atomic():
        head = AuditRow.objects.exclude(hash=None).order_by("-id").values_list("pk", flat=True).first()
        anchor = AuditAnchor.objects.order_by("-day").first()
        previous, day = (anchor.hash, anchor.day) if anchor else (GENESIS, None)
        if head is not None and anchor is None:
            return 0  # the anchors were taken away: nothing is chained over it, verify says so
        rows = list(AuditRow.objects.filter(hash=None).order_by("id")[:limit])
        heads: dict[date, tuple[int, str]] = {}
        for row in rows:
            digest = _digest(previous, row)
            AuditRow.objects.filter(pk=row.pk, hash=None).update(previous_hash=previous, hash=digest)
            previous, day = digest, max(day or row.at.date(), row.at.date())
            heads[day] = (row.pk, digest)
        for day, (row_id, digest) in heads.items():
            AuditAnchor.objects.update_or_create(day=day, defaults={"row": row_id, "hash": digest})
        return len(rows)


@dataclass(frozen=True)
class Verdict:
    """`broken` = id of the first row whose hash does not follow, or None; `unsealed` = rows the sealer has not reached."""

    rows: int
    broken: int | None
    unsealed: int


def verify() -> Verdict:
    """Follow the chain from its beginning along `previous_hash` up to the newest anchor. A changed, deleted or inserted row breaks it,
    the last one too."""
    anchors = {
        anchor.row: anchor.hash for anchor in AuditAnchor.objects.all()
    }  # before the rows: the sealer may go on meanwhile
    sealed: dict[str, AuditRow] = {}
    forks: list[int] = []
    for row in AuditRow.objects.exclude(hash=None).order_by("id").iterator(chunk_size=2000):
        if row.previous_hash in sealed:
            forks.append(row.pk)
        sealed[row.previous_hash] = row
    total, previous = len(sealed) + len(forks), GENESIS
    unsealed = AuditRow.objects.filter(hash=None).count()
    while previous in sealed:
        row = sealed.pop(previous)
        if _digest(previous, row) != row.hash or anchors.pop(row.pk, row.hash) != row.hash:
            return Verdict(total, row.pk, unsealed)
        previous = row.hash
    return Verdict(total, min([*forks, *(row.pk for row in sealed.values()), *anchors], default=None), unsealed)
