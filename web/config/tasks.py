"""Celery doors of acts that need two rooms which do not know each other."""

from __future__ import annotations

from celery import shared_task

from web.common.audit import seal_tail
from web.jobs.services import with_lease


@shared_task
def seal() -> None:
    """Chain the unsealed tail of the audit rows; one process at a time."""
    with_lease("audit-sealer", seal_tail)
