"""Work of this room that comes due: holds that ran out, places that came free."""

from __future__ import annotations

from datetime import timedelta

from web.common import clock
from web.jobs.models import Job
from web.jobs.services import Later, handler

from . import services
from .models import Schedule, Slot, Waiting
from .services.slots import EXPIRE, GRACE, OFFER

AGAIN = timedelta(seconds=5)


@handler(EXPIRE)
def expire(job: Job) -> Later | None:
    """One look at everything overdue, whichever hold the job was written with: slots are free within a minute of their expiry."""
    now = clock.now()
    services.lapse(now)
    services.expire_overdue(now)
    services.let_go_of_cancelled(now)
    slot = Slot.objects.filter(pk=job.payload.get("slot"), state=Slot.HELD).first()
    return Later(max(slot.held_until + GRACE, now + AGAIN)) if slot and slot.held_until else None


@handler(OFFER)
def offer(job: Job) -> None:
    """A place came free, somebody has come to wait, or a schedule has new places."""
    now, payload = clock.now(), job.payload
    if "slot" in payload:
        slot = Slot.objects.select_related("schedule").filter(pk=payload["slot"]).first()
        if slot is not None:
            services.offer(slot, now=now)
    elif "waiting" in payload:
        waiting = Waiting.objects.filter(pk=payload["waiting"], state=Waiting.WAITING).first()
        if waiting is not None:
            services.offer_free_places(waiting=waiting, now=now)
    else:
        schedule = Schedule.objects.filter(pk=payload["schedule"]).first()
        if schedule is not None:
            services.offer_free_places(schedule=schedule, now=now)
