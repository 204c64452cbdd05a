"""What the outside world shall do: a row in the act's transaction, sent afterwards under a key that never changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from web.common import clock
from web.jobs.models import Job, OutboundEffect
from web.jobs.services.failpoints import failpoint
from web.jobs.services.queue import Retry, enqueue, handler

TOPIC = "effect.send"


class Transient(Exception):
    """The other side could not take it now; the same key may be sent again."""


class Permanent(Exception):
    """The other side will never take it. `args[0]` is a code for machines and holds no personal value."""


Told = Callable[[OutboundEffect], None]


@dataclass(frozen=True)
class _Sender:
    send: Callable[[dict[str, Any], str], str | None]
    on_sent: Told | None
    on_failed: Told | None


_senders: dict[str, _Sender] = {}


def sender(topic: str, *, on_sent: Told | None = None, on_failed: Told | None = None) -> Callable:
    """Register who sends effects of `topic`: send(payload, key) -> reference of the other side. It runs outside any transaction and
    raises Transient or Permanent. `on_sent(effect)` and `on_failed(effect)` run in the transaction that notes the result."""

    def register(function: Callable[[dict[str, Any], str], str | None]) -> Callable[[dict[str, Any], str], str | None]:
        _senders[topic] = _Sender(function, on_sent, on_failed)
        return function

    return register


@transaction.atomic
def effect(
    topic: str, *, key: str, subject: str | None = None, person: str = "", payload: dict[str, Any] | None = None
) -> OutboundEffect:
    """Note that something must go out, and the job that sends it. The same key again is the same effect. `payload` is sealed."""
    known = OutboundEffect.objects.filter(key=key).first()
    if known is not None:
        return known
    made = OutboundEffect(key=key, topic=topic, subject=subject or None, person=person or None)
    made.payload = payload or {}
    made.save(force_insert=True)
    enqueue(TOPIC, key=f"effect:{key}"[:120], subject=f"effect:{made.pk}", payload={"effect": made.pk})
    return made


@handler(TOPIC, outside=True)
def send(job: Job) -> None:
    """Send one effect. A crash between the answer and our note sends it again with the same key."""
    row = OutboundEffect.objects.get(pk=job.payload["effect"])
    if row.state not in (OutboundEffect.PENDING, OutboundEffect.IN_DOUBT):
        return
    found = _senders.get(row.topic)
    if found is None:
        raise LookupError(f"nobody sends {row.topic}")
    payload = row.payload
    if payload is None:
        _note(row, found.on_failed, state=OutboundEffect.FAILED, last_error="erased")
        return
    OutboundEffect.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1)
    failpoint("before_effect")
    try:
        reference = found.send(payload, row.key)
    except Permanent as error:
        _note(row, found.on_failed, state=OutboundEffect.FAILED, last_error=str(error)[:400] or "permanent")
        return
    except Transient as error:
        OutboundEffect.objects.filter(pk=row.pk).update(last_error=str(error)[:400] or "transient")
        raise Retry(str(error) or "transient") from error
    failpoint("after_effect")
    sent = {"state": OutboundEffect.SENT, "reference": (reference or "")[:120] or None, "sent_at": clock.now()}
    _note(row, found.on_sent, **sent)


@transaction.atomic
def _note(row: OutboundEffect, told: Told | None, **values: Any) -> None:
    open_states = (OutboundEffect.PENDING, OutboundEffect.IN_DOUBT)
    if OutboundEffect.objects.filter(pk=row.pk, state__in=open_states).update(**values):
        row.refresh_from_db()
        if told:
            told(row)
