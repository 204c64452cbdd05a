"""What calls mean for cases. The jobs were written with the calls' events, so nothing is lost in between.

A missed call becomes work (S-46); flows that wait for a caller hear when his call rings at an agent and when it is over.
"""

from __future__ import annotations

from web.accounts.models import Group
from web.calls.models import Call
from web.customers import services as customers
from web.jobs import services as jobs
from web.routing.models import Queue
from web.workflow import services as workflow

from . import links, services

WORST_RATING = 3


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


@jobs.handler("call.rated")
def call_rated(job) -> None:
    """P-33: the caller pressed the worst of the keys 1-3 after his call. What he was unhappy about becomes a complaint, once."""
    call = Call.objects.filter(pk=job.payload["call"]).select_related("customer").first()
    if call is None or call.rating is None or call.rating < WORST_RATING:
        return
    services.complain(source=services.LOW_RATING, call=call, customer=call.customer)


@jobs.handler("call.delivered")
def call_delivered(job) -> None:
    """It rings at an agent: flows that wait for this caller learn at whom."""
    _tell_flows("call.delivered", job, agent=job.payload.get("agent") or "")


@jobs.handler("call.ended")
def call_ended(job) -> None:
    _tell_flows("call.ended", job)


def _tell_flows(name: str, job, **more: str) -> None:
    """A message to everybody who waits for this caller. That nobody does is the usual case and leaves no message behind."""
    call = Call.objects.filter(pk=job.payload["call"]).first()
    for subject in links.subjects_of(call) if call else ():
        if workflow.is_awaited(name, subject=subject):
            payload = {"call": str(call.pk), **more}
            jobs.receive(name, message_id=f"{name}:{job.pk}:{subject}", subject=subject, payload=payload)


def _group_of(call: Call) -> Group | None:
    """The organisation's group behind the queue the caller waited in."""
    queue = (
        Queue.objects.filter(key=call.last_queue or call.first_queue or "").select_related("skill_group__group").first()
    )
    return queue.skill_group.group if queue else None
