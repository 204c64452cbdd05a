"""What messages to customers may say about the payment of their case."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings

from .models import PaymentRequest, Refund


def names_of(business_key: str) -> dict[str, str]:
    """amount, deadline and link of the newest payment of the case; refund_amount of its newest refund. Yuan, local time."""
    names: dict[str, str] = {}
    request = PaymentRequest.objects.filter(business_key=business_key).order_by("-pk").first()
    if request:
        names |= {"amount": yuan(request.amount_fen), "link": request.link or ""}
        if request.deadline_at:
            names["deadline"] = request.deadline_at.astimezone(ZoneInfo(settings.TIME_ZONE)).strftime("%m-%d %H:%M")
    refund = Refund.objects.filter(business_key=business_key).order_by("-pk").first()
    return {**names, "refund_amount": yuan(refund.amount_fen)} if refund else names


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
