"""Jobs of this room: what a flow that is gone, late or asleep must not leave undone."""

from __future__ import annotations

from datetime import date, timedelta

from integrations.errors import AdapterError
from web.common import clock
from web.jobs import services as jobs
from web.jobs.services.queue import Retry

from . import services
from .models import PaymentNotice, PaymentRequest

LOOK_AGAIN = timedelta(seconds=30)
ASK_AGAIN = timedelta(hours=1)
CATCH_UP = timedelta(minutes=2)


@jobs.handler("payments.expire")
def expire(job):
    """Well after the deadline the flow has not closed the request, so it never will. After an outage the flow was asleep as well: it
    gets the time to ask the provider, whose time stamp decides (P-12)."""
    request = PaymentRequest.objects.select_related("customer").get(pk=job.payload["payment"])
    if request.is_open and clock.now() - job.due_at > CATCH_UP:
        return jobs.Later(clock.now() + CATCH_UP)
    if request.is_open:
        services.close(request)
    return None


@jobs.handler("payments.late")
def late(job):
    """Late money is decided about when its request is over: until then its case may be closing it."""
    notice = PaymentNotice.objects.get(pk=job.payload["notice"])
    return None if services.settle_late(notice) else jobs.Later(clock.now() + LOOK_AGAIN)


@jobs.handler("payments.claimed")
def claimed(job):
    """Money that came for a case whose flow ended without learning of it goes back."""
    request = PaymentRequest.objects.select_related("customer").get(pk=job.payload["payment"])
    return None if services.settle_unclaimed(request) else jobs.Later(clock.now() + ASK_AGAIN)


@jobs.handler("payments.statement", outside=True)
def statement(job) -> None:
    day = date.fromisoformat(job.payload["day"])
    try:
        rows = services.gateway().statement(day)
    except (AdapterError, jobs.Transient) as error:
        raise Retry(str(error)) from error
    services.store(day, rows)
