"""What customers lend to flows. Whose customer it is follows from the flow's business key."""

from __future__ import annotations

from engine.verbs import verb

from . import hooks, services


def _flag(context, name: str) -> dict:
    customer = hooks.customer_of(context.business_key)
    if customer is not None:  # nobody registered behind the number: there is no record to mark
        services.flag(customer, name, actor=context.actor)
    return {}


@verb("customers.flag_do_not_call")
def flag_do_not_call(context) -> dict:
    """The customer said he does not want to be called."""
    return _flag(context, "do_not_call")


@verb("customers.note_wrong_number")
def note_wrong_number(context) -> dict:
    """The number does not lead to the customer: to be put right at the next contact."""
    return _flag(context, "wrong_number")
