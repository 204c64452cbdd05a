"""Delivering stored messages (ARCHITECTURE 5.5): point = first taker, once; subject = every instance that waits now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import F

from engine.step import Deliver
from web.common import clock
from web.jobs import services as jobs
from web.jobs.models import InboundMessage, Job
from web.jobs.services import Later
from web.jobs.services.messages import store
from web.workflow.models import Awaited, ProcessInstance
from web.workflow.services.command import StepRefused, begin, fits
from web.workflow.services.errors import InstanceOver


@transaction.atomic
def deliver(message: InboundMessage) -> int:
    """Deliver a stored message; how many instances took it. A message that was consumed or given up changes nothing. An early point
    message stays NEW until its time is over, any other without a taker becomes UNMATCHED."""
    message = InboundMessage.objects.get(pk=message.pk)
    if message.state != InboundMessage.NEW:
        return 0
    taken = _to_subject(message) if message.subject else _to_first(message)
    if not taken and not (message.expires_at and message.expires_at > clock.now()):
        state = InboundMessage.EXPIRED if message.expires_at else InboundMessage.UNMATCHED
        InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.NEW).update(state=state)
    return taken


@transaction.atomic
def hand_over(instance_id: int, name: str, *, message_id: str, payload: dict[str, Any] | None = None) -> bool:
    """Give a message to this instance now, in the caller's transaction: the instance is locked and the answers that wait move the flow
    first. False, and nothing stored, when it does not wait for the message then. The same message_id again changes nothing."""
    command = begin(instance_id)
    row = command.waiting(name, {}) if command.instance.status == ProcessInstance.RUNNING else None
    if row is None:
        return False
    try:
        with transaction.atomic():
            address = {"business_key": command.instance.business_key, "person": command.instance.person or ""}
            message, is_new = store(name, message_id=message_id, payload=payload, **address)
            if is_new and not command.deliver(message, row):
                raise InstanceOver()
    except (StepRefused, InstanceOver):
        return False
    return True


def is_awaited(name: str, *, subject: str | None = None, business_key: str | None = None) -> bool:
    """Whether some running flow waits for this message now."""
    rows = Awaited.objects.filter(name=name, instance__status=ProcessInstance.RUNNING)
    return rows.filter(**({"subject": subject} if subject else {"business_key": business_key})).exists()


def awaited_by(business_keys: Iterable[str], names: Iterable[str]) -> set[tuple[str, str]]:
    """(business key, message name) of point messages that running flows of these cases wait for now: one query for a list."""
    rows = Awaited.objects.filter(
        name__in=list(names), business_key__in=list(business_keys), instance__status=ProcessInstance.RUNNING
    )
    return set(rows.values_list("business_key", "name"))


def _to_first(message: InboundMessage) -> int:
    rows = Awaited.objects.filter(
        name=message.name, business_key=message.business_key, subject=None, instance__status=ProcessInstance.RUNNING
    )
    for row in rows.order_by("since", "pk"):
        if not fits(row, message.keys):
            continue
        command = begin(row.instance_id)
        try:
            with transaction.atomic():
                if command.deliver(message, row):
                    return 1
        except (StepRefused, InstanceOver):
            continue
    return 0


def _to_subject(message: InboundMessage) -> int:
    """Each waiting instance once. Instances are locked in one order, so that two messages never wait for each other."""
    rows = Awaited.objects.filter(
        name=message.name, subject=message.subject, instance__status=ProcessInstance.RUNNING
    ).order_by("instance_id", "since", "pk")
    if not InboundMessage.objects.filter(pk=message.pk, state=InboundMessage.NEW).update(
        state=InboundMessage.CONSUMED, consumed_at=clock.now(), deliveries=0
    ):
        return 0
    payload, told = message.payload or {}, []
    for row in rows:
        if row.instance_id in told:
            continue
        command = begin(row.instance_id)
        if not Awaited.objects.filter(pk=row.pk).exists():
            continue
        try:
            with transaction.atomic():
                command.step(Deliver(row.engine_id, message.name, payload))
        except (StepRefused, InstanceOver):
            continue
        told.append(row.instance_id)
    if told:
        InboundMessage.objects.filter(pk=message.pk).update(
            deliveries=F("deliveries") + len(told), consumed_by=f"instance:{told[0]}"
        )
    else:
        # Nobody waited at that moment, which is no mistake; it stays to be seen.
        InboundMessage.objects.filter(pk=message.pk).update(state=InboundMessage.UNMATCHED, consumed_at=None)
    return len(told)


@jobs.handler("message.deliver")
def deliver_job(job: Job) -> Later | None:
    message = InboundMessage.objects.filter(pk=job.payload["message"]).first()
    if message is None:
        return None
    deliver(message)
    message.refresh_from_db()
    return Later(message.expires_at) if message.state == InboundMessage.NEW and message.expires_at else None
