"""Payments (W-52, W-53, W-99, P-11, P-12): asked once, paid once, given back by three people. Other rooms import from here."""

from __future__ import annotations

from .asking import ask_for_payment, close, close_for_flow, confirm_at_desk, query, remind_at
from .late import give_back, settle_late, settle_unclaimed
from .numbers import by_number, next_number, refund_by_number
from .refunds import (
    RefundMovesMoney,
    decide_refund,
    drop_refund,
    execute_refund,
    provider_key,
    query_refund,
    settle_refund,
    want_refund,
)
from .sending import gateway
from .settling import KINDS, Notice, note_forgery, take_answer, take_notice
from .statements import fetch, reconciliation, store, today

__all__ = [
    "KINDS",
    "Notice",
    "RefundMovesMoney",
    "ask_for_payment",
    "by_number",
    "close",
    "close_for_flow",
    "confirm_at_desk",
    "decide_refund",
    "drop_refund",
    "execute_refund",
    "fetch",
    "gateway",
    "give_back",
    "next_number",
    "note_forgery",
    "provider_key",
    "query",
    "query_refund",
    "reconciliation",
    "refund_by_number",
    "remind_at",
    "settle_late",
    "settle_refund",
    "settle_unclaimed",
    "store",
    "take_answer",
    "take_notice",
    "today",
    "want_refund",
]
