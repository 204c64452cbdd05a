from __future__ import annotations

from web.jobs.models import Job
from web.jobs.services import handler

from . import services
from .models import BlockEntry


@handler("routing.expire_block")
def expire_block(job: Job) -> None:
    """The term of an entry is over (or an application was never decided about)."""
    entry = BlockEntry.objects.filter(pk=job.payload["entry"]).first()
    if entry is not None:
        services.expire(entry)
