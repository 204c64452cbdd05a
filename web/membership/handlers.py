from __future__ import annotations

from web.jobs.models import Job
from web.jobs.services import handler

from .models import Card
from .services.members import card_counts


@handler("membership.card_starts")
def card_starts(job: Job) -> None:
    """The first day of a card that was given before it."""
    card = Card.objects.select_related("customer", "level").filter(pk=job.payload["card"]).first()
    if card is not None:
        card_counts(card)
