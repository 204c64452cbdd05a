"""Messages to customers: written with the act, sent by a job under one key, closed by the provider's receipt."""

from __future__ import annotations

import re
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from integrations.errors import AdapterError
from integrations.ports import OutboundText
from integrations.registry import open_port
from web.common import clock
from web.common.errors import DomainError
from web.common.masking import mask_number
from web.jobs import services as jobs

from .models import OutboundMessage, Template

TOPIC = "sms.send"
RECEIPT_WAITS = timedelta(days=1)  # for the flow to come to where it waits
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class CannotSend(DomainError):
    """Channel not set up, template unknown, or nobody to send to."""

    code = "channel_unavailable"


def channel_is_open(channel: str) -> bool:
    return channel == "sms" and bool(settings.SMS_URL)


def render(template: Template, names: dict[str, str]) -> str:
    """Fill the template's places; an unknown name becomes nothing, never the placeholder itself."""
    return _PLACE.sub(lambda place: str(names.get(place[1], "")), template.body)


@transaction.atomic
def queue_message(
    *, template: str, channel: str, business_key: str, customer, number: str | None, key: str, names: dict[str, str]
) -> OutboundMessage:
    """Write the message and its effect. `key` makes it once only: asked twice, the first message is the answer. CannotSend."""
    found = OutboundMessage.objects.filter(key=key).first()
    if found:
        return found
    row = Template.objects.filter(key=template, channel=channel, is_active=True).first()
    if not channel_is_open(channel) or row is None or not number:
        raise CannotSend(channel=channel, template=template)
    message = OutboundMessage.objects.create(
        key=key, channel=channel, template=template, customer=customer, recipient=number,
        recipient_masked=mask_number(number), body=render(row, names), business_key=business_key,
    )  # fmt: skip
    person = customer.subject if customer else ""
    jobs.effect(TOPIC, key=key, subject=business_key, person=person, payload={"message": message.pk})
    return message


@jobs.sender(TOPIC)
def send(payload: dict, key: str) -> str:
    """Hand one message to the provider; its id is the reference."""
    message = OutboundMessage.objects.get(pk=payload["message"])
    gateway = open_port("sms", "http", url=settings.SMS_URL, secret=settings.SMS_SECRET, callback=settings.SMS_CALLBACK)
    try:
        receipt = gateway.send(OutboundText(to=message.recipient, text=message.body, key=key))
    except AdapterError as error:
        if not error.permanent:
            raise jobs.Transient(error.code) from error
        _fail(message, error.code)
        raise jobs.Permanent(error.code) from error
    OutboundMessage.objects.filter(pk=message.pk, state=OutboundMessage.QUEUED).update(
        state=OutboundMessage.SENT, sent_at=clock.now(), provider_id=receipt.id
    )
    return receipt.id


def _fail(message: OutboundMessage, code: str) -> None:
    with transaction.atomic():
        OutboundMessage.objects.filter(pk=message.pk).update(state=OutboundMessage.FAILED, code=code[:40])
        _tell_flow(message, "failed")


@transaction.atomic
def receive_receipt(provider_id: str, status: str, *, key: str | None = None) -> bool:
    """The provider says what became of a message: `delivered` or `failed`. It is found by our own key where the provider repeats it,
    because a receipt may overtake the answer that names the provider's id. False for a stranger's message: nothing happens. Repeats change
    nothing; after we gave it up the truth is noted, but no flow is told."""
    messages = OutboundMessage.objects.filter(key=key) if key else OutboundMessage.objects.filter(provider_id=provider_id)
    message = messages.first()
    if message is None:
        return False
    state = OutboundMessage.DELIVERED if status == "delivered" else OutboundMessage.FAILED
    noted = {"state": state, "receipt_at": clock.now(), "provider_id": provider_id[:120]}
    found = OutboundMessage.objects.filter(pk=message.pk)
    if found.filter(state__in=(OutboundMessage.QUEUED, OutboundMessage.SENT)).update(**noted):
        _tell_flow(message, status)
    else:
        found.filter(state=OutboundMessage.GIVEN_UP).update(**noted)
    return True


def _tell_flow(message: OutboundMessage, status: str) -> None:
    if message.business_key:
        jobs.receive(
            "message.receipt",
            message_id=f"receipt:{message.key}:{status}",
            business_key=message.business_key,
            keys={"message": message.key},
            payload={"status": status},
            ttl=RECEIPT_WAITS,
        )


@transaction.atomic
def give_up(key: str) -> None:
    """No receipt came in time; a late one is recorded but tells no flow that has moved on."""
    open_states = (OutboundMessage.QUEUED, OutboundMessage.SENT)
    OutboundMessage.objects.filter(key=key, state__in=open_states).update(
        state=OutboundMessage.GIVEN_UP, code="no_receipt"
    )


def history(customer, user) -> list[dict]:
    """HistoryRows of the messages to a customer: that and when, never the text."""
    columns = ("template", "channel", "created_at", "state", "key")
    return [
        {
            "at": row["created_at"],
            "kind": "message",
            "title": row["template"] or row["channel"],
            "state": row["state"],
            "duration_ms": None,
            "ref": None,
        }
        for row in OutboundMessage.objects.filter(customer=customer).order_by("-created_at").values(*columns)[:50]
    ]
