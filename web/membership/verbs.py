"""What membership lends to flows. Whose case it is follows from the flow's business key."""

from __future__ import annotations

from engine.verbs import verb
from web.customers import hooks

from . import services

NUMBER = {"type": "integer", "minimum": 0}
BENEFITS = {
    "level": {"type": "string"},
    "discount_percent": NUMBER,
    "queue_rank": NUMBER,
    "refund_priority": {"type": "boolean"},
    "free_expert": {"type": "boolean"},
    "physio_percent": NUMBER,
}


@verb("membership.benefits", result={"properties": BENEFITS, "required": list(BENEFITS)})
def benefits(context) -> dict:
    """What the customer of this case has today; nothing for one who is not registered."""
    return services.benefits(hooks.customer_of(context.business_key))
