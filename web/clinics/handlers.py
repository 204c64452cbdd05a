from __future__ import annotations

from web.jobs.models import Job
from web.jobs.services import handler

from . import services


@handler("clinics.release")
def release(job: Job) -> None:
    """The time of a promise is over and nobody paid."""
    services.release_stock(job.payload["key"])
