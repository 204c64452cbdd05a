"""Money nobody waits for: the case takes it after all, or it goes back by the way every refund goes. Never silence (RELIABILITY F23)."""

from __future__ import annotations

from django.db import transaction

from web.common.audit import audit
from web.jobs.models import InboundMessage
from web.payments import hooks
from web.payments.models import PaymentNotice, PaymentRequest
from web.tickets import services as tickets
from web.tickets.models import Ticket
from web.workflow.models import ProcessInstance

from .telling import paid_message

BACK = "refund"  # the flow


@transaction.atomic
def settle_late(notice: PaymentNotice) -> bool:
    """Decide about late money once its request is over; False while it is still open."""
    # Two charges at once must not both buy the same thing: one decides first.
    request = PaymentRequest.objects.select_for_update().get(pk=notice.request_id)
    if request.is_open:
        return False
    over = PaymentRequest.objects.filter(
        pk=request.pk, state__in=(PaymentRequest.EXPIRED, PaymentRequest.CANCELLED, PaymentRequest.FAILED)
    )
    if over.exists() and hooks.on_late(request):
        over.update(state=PaymentRequest.PAID, claimed_at=notice.received_at)
        audit("payment.taken_late", f"payment:{request.pk}", person=request.person)
    else:
        give_back(request, notice.amount_fen, "late_payment")
    return True


def settle_unclaimed(request: PaymentRequest) -> bool:
    """Paid, but did the case learn of it? Once its flow is over nobody will: the money goes back. False while the flow still runs."""
    taken = InboundMessage.objects.filter(message_id=paid_message(request), state=InboundMessage.CONSUMED).exists()
    if request.claimed_at or taken:
        return True
    running = ProcessInstance.objects.filter(business_key=request.business_key, status=ProcessInstance.RUNNING)
    if running.exists():
        return False
    give_back(request, request.received_fen - request.refund_fen, "case_over")
    return True


def give_back(request: PaymentRequest, amount_fen: int, reason: str) -> Ticket | None:
    """A ticket of kind `refund` that nobody of us asked for; four eyes decide as always. None when refunds hold it all already."""
    if amount_fen <= 0:
        return None
    of_case = tickets.by_key(request.business_key)
    data = {"payment": request.number, "refund_amount_fen": amount_fen, "refund_reason": reason}
    return tickets.open_ticket(
        acting_user=None,
        kind=BACK,
        customer=request.customer,
        number=of_case.caller if of_case else None,
        group=of_case.group if of_case else None,
        source=reason[:30],
        data=data,
    )
