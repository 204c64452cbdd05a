"""A missed call becomes work (S-46): the job was written with the call's event, so nothing is lost in between."""

from __future__ import annotations

from web.accounts.models import Group
from web.calls.models import Call
from web.customers import services as customers
from web.jobs import services as jobs
from web.routing.models import Queue

from . import services


@jobs.handler("call.missed")
def call_missed(job) -> None:
    """An outbound task for the number, or one more in the task that is open for it. A withheld number leaves nothing to do."""
    call = Call.objects.filter(pk=job.payload["call"]).first()
    if call is None or not call.number:
        return
    known = customers.find_by_number(call.number)
    customer = call.customer or (known[0] if len(known) == 1 else None)
    services.want_outbound(
        source=services.MISSED_CALL, number=call.number, customer=customer, call=call, group=_group_of(call)
    )


def _group_of(call: Call) -> Group | None:
    """The organisation's group behind the queue the caller waited in."""
    queue = (
        Queue.objects.filter(key=call.last_queue or call.first_queue or "").select_related("skill_group__group").first()
    )
    return queue.skill_group.group if queue else None
