"""Calls are stimuli for flows: jobs written with the call event become subject messages and outbound tasks."""

from __future__ import annotations

from web.accounts.models import Group
from web.agents.models import SkillGroup
from web.calls.models import Call
from web.customers import services as customers
from web.jobs import services as jobs
from web.routing.models import Queue

from . import services


def _call_of(job) -> Call | None:
    return Call.objects.filter(pk=job.payload["call"]).first()


def _tell_flows(name: str, call: Call, payload: dict) -> None:
    """One message per subject: the number that called and the customer behind it, if there is exactly one."""
    subjects = [f"number:{call.number_token}"] if call.number_token else []
    if call.customer_id:
        subjects.append(f"customer:{call.customer_id}")
    for subject in subjects:
        jobs.receive(name, message_id=f"{name}:{call.pk}:{subject}", subject=subject, payload=payload)


@jobs.handler("call.delivered")
def call_delivered(job) -> None:
    call = _call_of(job)
    if call:
        _tell_flows("call.delivered", call, {"call": str(call.pk), "agent": job.payload.get("agent") or ""})


@jobs.handler("call.ended")
def call_ended(job) -> None:
    call = _call_of(job)
    if call:
        _tell_flows("call.ended", call, {"call": str(call.pk), "outcome": call.outcome or ""})


@jobs.handler("call.missed")
def call_missed(job) -> None:
    """S-46: a missed call becomes an outbound task, or adds to the one that is open for the number."""
    call = _call_of(job)
    if call is None or not call.number:
        return
    known = customers.find_by_number(call.number)
    customer = call.customer or (known[0] if len(known) == 1 else None)
    services.want_outbound(
        source=services.MISSED_CALL, number=call.number, customer=customer, call=call, group=_group_of(call)
    )
    _tell_flows("call.missed", call, {"call": str(call.pk)})


def _group_of(call: Call) -> Group | None:
    """The organisation's group behind the queue the caller waited in."""
    queue = (
        Queue.objects.filter(key=call.last_queue or call.first_queue or "").select_related("skill_group__group").first()
    )
    skill_group: SkillGroup | None = queue.skill_group if queue else None
    return skill_group.group if skill_group else None
