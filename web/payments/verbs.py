"""What flows may ask of this room. Who acts is the person whose answer led here; clocks and messages act for nobody.

Asking for money, an answer, a refund at the provider are effects: they go out after commit, and what comes of them reaches the flow as
`payment.asked`, `payment.result` (key `payment`) or `refund.result` (key `refund`).
"""

from __future__ import annotations

from typing import Any

from engine.verbs import Context, verb
from web.accounts.models import User

from . import services
from .models import PaymentRequest

TEXT = {"type": "string"}
NUMBER = {"type": "string", "minLength": 1}
FEN = {"type": "integer", "minimum": 0}
WAYS = [way for way, _ in PaymentRequest.WAYS]


def _actor(context: Context) -> User | None:
    return context.actor if isinstance(context.actor, User) else None


def _key(context: Context) -> str:
    """The step's own id: a retry of this step is the same payment, a second pass through the diagram is another one."""
    return f"{context.instance_key}:{context.task_id}"


@verb(
    "payments.request",
    params={
        "properties": {
            "amount_fen": {"type": "integer", "minimum": 1},
            "deadline": TEXT,
            "way": {"enum": WAYS},
            "purpose": NUMBER,
            "clinic": TEXT,
        },
        "required": ["amount_fen", "deadline", "way", "purpose"],
    },
    result={
        "properties": {"payment": NUMBER, "outcome": {"enum": ["asked", "paid", "refused"]}, "remind_at": TEXT},
        "required": ["payment", "outcome"],
    },
)
def request(
    context: Context, *, amount_fen: int, deadline: str, way: str, purpose: str, clinic: str = ""
) -> dict[str, Any]:
    """Ask for money by link, ivr or desk; from the member's fund it is paid at once or refused. `remind_at` = when to remind the customer,
    ten minutes before the end; "" when that is no use."""
    asked = services.ask_for_payment(
        key=_key(context),
        business_key=context.business_key,
        amount_fen=amount_fen,
        deadline=deadline,
        way=way,
        purpose=purpose,
        clinic=clinic,
        acting_user=_actor(context),
    )
    outcome = "asked" if asked.is_open else "paid" if asked.state in PaymentRequest.SETTLED else "refused"
    at = services.remind_at(asked)
    return {"payment": asked.number, "outcome": outcome, "remind_at": at.isoformat() if at else ""}


@verb("payments.query", params={"properties": {"payment": NUMBER}, "required": ["payment"]})
def query(context: Context, *, payment: str) -> dict[str, Any]:
    """Ask the provider what became of it; the answer comes as payment.result, `unpaid` when no money came."""
    services.query(services.by_number(payment), key=_key(context))
    return {}


@verb(
    "payments.close",
    params={
        "properties": {"payment": TEXT, "reason": {"enum": ["timeout", "cancelled"]}},
        "required": ["payment"],
    },
    result={
        "properties": {
            "state": {"enum": ["paid", "expired", "cancelled"]},
            "payment": TEXT,
            "amount_fen": FEN,
        },
        "required": ["state", "payment", "amount_fen"],
    },
)
def close(context: Context, *, payment: str, reason: str = "timeout") -> dict[str, Any]:
    """End the waiting: paid stays paid; anything else is over and the provider is told to take no money any more. With `payment` ""
    the newest payment of this case is meant: a flow whose called payment was cut off does not know its number. `amount_fen` = what is
    paid and not given back."""
    return services.close_for_flow(payment, business_key=context.business_key, reason=reason)


@verb(
    "payments.confirm_at_desk",
    params={
        "properties": {"payment": NUMBER, "way": NUMBER, "amount_fen": FEN, "reference": TEXT},
        "required": ["payment", "way"],
    },
    result={
        "properties": {"outcome": {"enum": ["paid", "wrong_amount", "already", "closed", "not_allowed"]}},
        "required": ["outcome"],
    },
)
def confirm_at_desk(
    context: Context, *, payment: str, way: str, amount_fen: int = 0, reference: str = ""
) -> dict[str, Any]:
    """Finance has the money in hand (cash, card, transfer); amount_fen 0 = exactly what was asked. The receipt's number is taken from
    the form: it is no process data."""
    answers = getattr(context.submission, "data", None) or {}
    reference = reference or str(answers.get("reference") or "")
    outcome = services.confirm_at_desk(
        services.by_number(payment), way=way, amount_fen=amount_fen, reference=reference, acting_user=_actor(context)
    )
    return {"outcome": outcome}


@verb(
    "payments.want_refund",
    params={
        "properties": {"payment": NUMBER, "amount_fen": FEN, "reason": NUMBER},
        "required": ["payment", "amount_fen", "reason"],
    },
    result={
        "properties": {
            "outcome": {"enum": ["wanted", "nothing", "too_much"]},
            "refund": TEXT,
            "amount_fen": FEN,
            "asked_by": TEXT,
        },
        "required": ["outcome", "refund", "amount_fen", "asked_by"],
    },
)
def want_refund(context: Context, *, payment: str, amount_fen: int, reason: str) -> dict[str, Any]:
    """Hold an amount of what was paid for a refund; 0 = all that is left. Never more than was paid, however many ask at once."""
    outcome, refund = services.want_refund(
        services.by_number(payment),
        amount_fen=amount_fen,
        reason=reason,
        key=_key(context),
        business_key=context.business_key,
        acting_user=_actor(context),
    )
    return {
        "outcome": outcome,
        "refund": refund.number if refund else "",
        "amount_fen": refund.amount_fen if refund else 0,
        "asked_by": refund.asked_by.number if refund and refund.asked_by_id else "",
    }


@verb(
    "payments.decide_refund",
    params={
        "properties": {"refund": NUMBER, "decision": {"enum": ["approve", "reject"]}},
        "required": ["refund", "decision"],
    },
    result={
        "properties": {
            "outcome": {"enum": ["approved", "rejected", "same_person", "not_allowed"]},
            "approved_by": TEXT,
        },
        "required": ["outcome", "approved_by"],
    },
)
def decide_refund(context: Context, *, refund: str, decision: str) -> dict[str, Any]:
    """The second pair of eyes: never who asked."""
    actor = _actor(context)
    outcome = services.decide_refund(services.refund_by_number(refund), decision=decision, acting_user=actor)
    return {"outcome": outcome, "approved_by": actor.number if actor else ""}


@verb(
    "payments.execute_refund",
    params={"properties": {"refund": NUMBER}, "required": ["refund"]},
    result={
        "properties": {"outcome": {"enum": ["executing", "same_person", "not_allowed"]}},
        "required": ["outcome"],
    },
)
def execute_refund(context: Context, *, refund: str) -> dict[str, Any]:
    """The money goes back; never by who asked or approved. The end of it comes as refund.result."""
    outcome = services.execute_refund(services.refund_by_number(refund), acting_user=_actor(context))
    return {"outcome": outcome}


@verb("payments.query_refund", params={"properties": {"refund": NUMBER}, "required": ["refund"]})
def query_refund(context: Context, *, refund: str) -> dict[str, Any]:
    """No answer yet: ask the provider what became of the refund; the answer comes as refund.result, or nothing while it works on it."""
    services.query_refund(services.refund_by_number(refund), key=_key(context))
    return {}


@verb("payments.drop_refund", params={"properties": {"refund": NUMBER}, "required": ["refund"]})
def drop_refund(context: Context, *, refund: str) -> dict[str, Any]:
    """Nobody goes on with it: the amount it held is free again. A refund the provider works on cannot be dropped."""
    services.drop_refund(services.refund_by_number(refund), acting_user=_actor(context))
    return {}
