from __future__ import annotations

from engine.verbs import VerbRefused, verb

from . import hooks, services

TEXT = {"type": "string"}


@verb(
    "messaging.send",
    params={"properties": {"template": TEXT, "channel": TEXT}, "required": ["template", "channel"]},
    result={"properties": {"message": TEXT}, "required": ["message"]},
)
def send(context, *, template: str, channel: str) -> dict:
    """Queue a message to the customer behind this instance. VerbRefused("channel_unavailable") when that cannot be done."""
    customer, number = hooks.recipient_of(context.business_key)
    # The step's own id: a retry of this step is the same message, a second pass through the diagram is another one.
    key = f"{context.instance_key}:{context.task_id}"
    names = hooks.names_of(context.business_key)
    names |= {"ticket": context.business_key.partition(":")[2], "centre": services.settings.CENTRE_TITLE}
    try:
        message = services.queue_message(
            template=template,
            channel=channel,
            business_key=context.business_key,
            customer=customer,
            number=number,
            key=key,
            names=names,
        )
    except services.CannotSend as refused:
        raise VerbRefused(refused.code) from refused
    return {"message": message.key}


@verb("messaging.give_up", params={"properties": {"message": TEXT}, "required": ["message"]})
def give_up(context, *, message: str) -> None:
    services.give_up(message)
