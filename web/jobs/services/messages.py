"""Messages for flows: a row first, delivery after (X-13). The room that delivers has the handler of "message.deliver"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction

from web.common import clock
from web.jobs.models import InboundMessage
from web.jobs.services.queue import enqueue

TOPIC = "message.deliver"


def store(
    name: str,
    *,
    message_id: str,
    business_key: str | None = None,
    subject: str | None = None,
    keys: dict[str, str] | None = None,
    payload: dict[str, Any] | None = None,
    person: str = "",
    ttl: timedelta | None = None,
) -> tuple[InboundMessage, bool]:
    """The row of this message and whether it is new. The same message_id again changes nothing."""
    known = InboundMessage.objects.filter(message_id=message_id).first()
    if known is not None:
        return known, False
    now = clock.now()
    message = InboundMessage(
        message_id=message_id,
        name=name,
        business_key=business_key or None,
        subject=subject or None,
        keys=keys or {},
        person=person or None,
        received_at=now,
        expires_at=now + ttl if ttl else None,
    )
    message.payload = payload or {}
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except IntegrityError:  # it came twice in the same moment
        return InboundMessage.objects.get(message_id=message_id), False
    return message, True


@transaction.atomic
def receive(
    name: str,
    *,
    message_id: str,
    business_key: str | None = None,
    subject: str | None = None,
    keys: dict[str, str] | None = None,
    payload: dict[str, Any] | None = None,
    person: str = "",
    ttl: timedelta | None = None,
) -> InboundMessage:
    """Store a message and the job that delivers it. With `subject` (`customer:812`) it goes once to every instance that waits then;
    else to the first instance that waits for `name`, `business_key` and all its `keys`. Early: it waits for `ttl`. `payload` is sealed
    for `person`."""
    message, is_new = store(
        name,
        message_id=message_id,
        business_key=business_key,
        subject=subject,
        keys=keys,
        payload=payload,
        person=person,
        ttl=ttl,
    )
    if is_new:
        enqueue(TOPIC, key=f"message:{message.pk}", subject=f"message:{message.pk}", payload={"message": message.pk})
    return message
