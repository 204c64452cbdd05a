"""Giving money back: asked, approved and executed by three people (W-99), never more than came, never twice."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, Sum

from web.accounts import services as accounts
from web.accounts.models import User
from web.common import clock
from web.common.audit import audit
from web.common.errors import DomainError
from web.jobs import services as jobs
from web.membership import services as membership
from web.payments.models import PaymentNotice, PaymentRequest, Refund

from .numbers import next_number
from .telling import FAILED, tell_refund

DONE = "done"


class RefundMovesMoney(DomainError):
    """The provider works on it: nobody can know yet whether the money went."""

    code, status = "refund_executing", 409


@transaction.atomic
def want_refund(
    request: PaymentRequest, *, amount_fen: int, reason: str, key: str, business_key: str, acting_user: User | None
) -> tuple[str, Refund | None]:
    """Hold `amount_fen` (0 = all that is left) of what came. (wanted, refund) | (nothing, None) | (too_much, None). The same `key` again is
    the same refund. `business_key` = the case that hears the end of it."""
    known = Refund.objects.select_related("asked_by").filter(key=key).first()
    if known is not None:
        return "wanted", known
    rows = PaymentRequest.objects.filter(pk=request.pk)
    while True:
        request.refresh_from_db(fields=["received_fen", "refund_fen"])
        left = request.received_fen - request.refund_fen
        amount = amount_fen or left
        if left <= 0:
            return "nothing", None
        if amount > left:
            return "too_much", None
        if rows.filter(received_fen__gte=F("refund_fen") + amount).update(refund_fen=F("refund_fen") + amount):
            break
    refund = Refund.objects.create(
        number=next_number("R"), key=key, request=request, business_key=business_key, amount_fen=amount,
        reason=reason[:40], asked_by=acting_user,
    )  # fmt: skip
    _audit("wanted", refund, acting_user, amount_fen=amount, reason=reason)
    return "wanted", refund


@transaction.atomic
def decide_refund(refund: Refund, *, decision: str, acting_user: User | None) -> str:
    """approve or reject. approved | rejected | same_person (who asked may not) | not_allowed. Decided before: that decision stands."""
    if not accounts.has_permission(acting_user, "payments.approve"):
        return "not_allowed"
    state = Refund.APPROVED if decision == "approve" else Refund.REJECTED
    _lock(refund)
    # The asker is compared in the update itself: no way round it.
    others = Refund.objects.filter(pk=refund.pk, state=Refund.WANTED).exclude(asked_by=acting_user)
    if others.update(state=state, approved_by=acting_user, decided_at=clock.now()):
        if state == Refund.REJECTED:
            _let_go(refund)
        _audit(state, refund, acting_user)
        refund.refresh_from_db()
        return state
    refund.refresh_from_db()
    if refund.state == Refund.WANTED:
        return "same_person"
    return "rejected" if refund.state == Refund.REJECTED else "approved"


@transaction.atomic
def execute_refund(refund: Refund, *, acting_user: User | None) -> str:
    """Send the money back, also once more after the provider definitely did not. executing | same_person | not_allowed. A refund that is
    on its way or done already is not sent again."""
    if not accounts.has_permission(acting_user, "payments.handle"):
        return "not_allowed"
    ready = Refund.objects.filter(pk=refund.pk, state__in=(Refund.APPROVED, Refund.FAILED))
    third = ready.exclude(asked_by=acting_user).exclude(approved_by=acting_user)
    values = {"state": Refund.EXECUTING, "executed_by": acting_user, "executed_at": clock.now(), "code": None}
    if not third.update(attempt=F("attempt") + 1, **values):
        refund.refresh_from_db()
        if refund.state in (Refund.APPROVED, Refund.FAILED):
            return "same_person"
        return "executing" if refund.state in (Refund.EXECUTING, Refund.DONE) else "not_allowed"
    refund.refresh_from_db()
    _audit("executing", refund, acting_user, attempt=refund.attempt)
    _move_money(refund)
    return "executing"


def _move_money(refund: Refund) -> None:
    request = refund.request
    if PaymentNotice.objects.filter(request=request).exclude(charge=None).exists():
        jobs.effect(
            "payment.refund", key=f"payment.refund:{refund.number}:{refund.attempt}", subject=refund.business_key,
            person=request.person, payload={"refund": refund.number, "attempt": refund.attempt},
        )  # fmt: skip
        return
    if request.way == PaymentRequest.FUND:
        key = f"refund:{refund.number}"
        membership.move_fund(request.customer, refund.amount_fen, reason="refund", key=key)
    settled(refund, done=True)  # from the fund at once, at the desk by the hand that confirms it here


def provider_key(refund: Refund) -> str:
    """What the provider knows this attempt by. It changes only after a definite «not done»."""
    return f"{refund.key}:{refund.attempt}"


def settle_refund(key: str, *, done: bool, provider_id: str = "", code: str = "") -> tuple[PaymentRequest | None, str]:
    """The provider says what became of the attempt `key`. (request or None, verdict of the notice)."""
    stem, _, attempt = key.rpartition(":")
    refund = Refund.objects.select_related("request__customer").filter(key=stem).first()
    if refund is None or not attempt.isdigit() or not 1 <= int(attempt) <= refund.attempt:
        return None, PaymentNotice.UNKNOWN
    if int(attempt) < refund.attempt:
        if done:  # said to have failed, sent again, and now done after all: the money may have gone twice
            jobs.raise_incident(f"refund:{refund.pk}", "payments.refund", f"attempt {attempt} was done after all")
        return refund.request, PaymentNotice.LATE
    taken = settled(refund, done=done, provider_id=provider_id, code=code)
    return refund.request, PaymentNotice.TAKEN if taken else PaymentNotice.DUPLICATE


@transaction.atomic
def settled(refund: Refund, *, done: bool, provider_id: str = "", code: str = "") -> bool:
    """The end of an attempt; False when it had one. The provider's «done» also stands after its «failed»."""
    before = (Refund.EXECUTING, Refund.FAILED) if done else (Refund.EXECUTING,)
    values = {"state": Refund.DONE, "done_at": clock.now(), "code": None} if done else {"state": Refund.FAILED}
    if provider_id:
        values["provider_id"] = provider_id[:80]
    if not done:
        values["code"] = code[:40] or "failed"
    request = _lock(refund)
    if not Refund.objects.filter(pk=refund.pk, attempt=refund.attempt, state__in=before).update(**values):
        return False
    refund.refresh_from_db()
    if done:
        given = Refund.objects.filter(request=request, state=Refund.DONE).aggregate(all=Sum("amount_fen"))["all"]
        whole = given >= request.received_fen
        state = PaymentRequest.REFUNDED if whole else PaymentRequest.PART_REFUNDED
        PaymentRequest.objects.filter(pk=request.pk).update(state=state)
    _audit(refund.state, refund, refund.executed_by, attempt=refund.attempt)
    tell_refund(refund, DONE if done else FAILED)
    return True


@transaction.atomic
def drop_refund(refund: Refund, *, acting_user: User | None) -> None:
    """Nobody goes on with it: what it held is free again. RefundMovesMoney while the provider works on it; done or rejected stays."""
    _lock(refund)
    idle = Refund.objects.filter(pk=refund.pk, state__in=(Refund.WANTED, Refund.APPROVED, Refund.FAILED))
    if idle.update(state=Refund.REJECTED, code="dropped", decided_at=clock.now()):
        _let_go(refund)
        _audit("dropped", refund, acting_user)
    refund.refresh_from_db()
    if refund.state == Refund.EXECUTING:
        raise RefundMovesMoney()


@transaction.atomic
def query_refund(refund: Refund, *, key: str) -> None:
    """Ask the provider; when it has ended already, say so again to the case that did not hear it."""
    if refund.state == Refund.EXECUTING:
        jobs.effect(
            "payment.refund_query", key=f"payment.refund_query:{key}"[:120], subject=refund.business_key,
            payload={"refund": refund.number, "attempt": refund.attempt},
        )  # fmt: skip


def _lock(refund: Refund) -> PaymentRequest:
    """The request's row before the refund's, everywhere: two refunds ending at once see each other, and nobody waits in a circle."""
    return PaymentRequest.objects.select_for_update().get(pk=refund.request_id)


def _let_go(refund: Refund) -> None:
    PaymentRequest.objects.filter(pk=refund.request_id).update(refund_fen=F("refund_fen") - refund.amount_fen)


def _audit(act: str, refund: Refund, actor: User | None, **facts) -> None:
    audit(f"refund.{act}", f"refund:{refund.pk}", actor=actor, person=refund.request.person, **facts)
