"""Where a call goes and who is refused (P-05, P-06, S-35…S-37, S-68).

Own, internal, emergency and partner numbers are never listed and never refused; a VIP's may be, by a supervisor. Numbers are
known by their token only (`blind` of the E.164 form); the number of a flow's case is asked of the room that has it
(`number_of`), and so is why a supervisor must decide about it (`concern_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from web.accounts import services as accounts
from web.common import clock, seals
from web.common.audit import audit
from web.common.errors import DomainError
from web.common.masking import mask_number
from web.common.names import both
from web.common.publishing import publish
from web.jobs import services as jobs

from .events import BlockChanged
from .models import AllowEntry, BlockEntry, Queue, ServiceNumber

NEVER_LISTED = ("own", "internal", "emergency", "partner")

NumberOf = Callable[[str], str | None]
_number_of: NumberOf = lambda business_key: None  # noqa: E731


def number_of(lookup: NumberOf) -> NumberOf:
    """The room that keeps cases says whose number one is about: lookup(business key) -> E.164 or None."""
    global _number_of
    _number_of = lookup
    return lookup


Concern = Callable[[str], str]
_concern: Concern = lambda business_key: ""  # noqa: E731


def concern_of(lookup: Concern) -> Concern:
    """The room that keeps cases says why a supervisor must decide about the number of one: lookup(business key) -> vip, member, open_ticket
    or "" for nobody we know."""
    global _concern
    _concern = lookup
    return lookup


class NotOnTheList(DomainError):
    """The entry is not in force (any more)."""

    code, status = "block_not_active", 409


@dataclass(frozen=True, slots=True)
class Verdict:
    """May this number be listed? verdict: refuse, listed, flag (a supervisor decides), normal; why: a code."""

    verdict: str
    why: str
    entry: BlockEntry | None = None


# --- where a call goes -------------------------------------------------------------------------------------------
def queue_for(called: str) -> tuple[Queue, int] | None:
    """The queue a dialled number leads to and the access priority (1 first); an unknown number goes to the first queue."""
    number = ServiceNumber.objects.select_related("queue__skill_group").filter(number=called).first()
    if number is not None:
        return number.queue, number.priority
    queue = Queue.objects.select_related("skill_group").order_by("priority", "id").first()
    return (queue, queue.priority) if queue else None


def queues() -> dict[str, Queue]:
    """All queues by key, with their skill groups."""
    return {queue.key: queue for queue in Queue.objects.select_related("skill_group").order_by("id")}


def priorities() -> dict[str, int]:
    """Access priority by dialled number (P-06)."""
    return dict(ServiceNumber.objects.values_list("number", "priority"))


def queue_names(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """{zh, en} of every known queue among the keys."""
    rows = Queue.objects.filter(key__in=set(keys)).values_list("key", "name", "name_en")
    return {key: both(zh, en) for key, zh, en in rows}


# --- who is refused ----------------------------------------------------------------------------------------------
def _in_force(now: datetime) -> Q:
    return Q(state=BlockEntry.ACTIVE) & (Q(until=None) | Q(until__gt=now))


def is_blocked(token: str | None, channel: str = "voice") -> BlockEntry | None:
    """The entry in force that refuses this number on `channel`, or None: not listed, run out, or one that is never refused."""
    if not token:
        return None
    for entry in BlockEntry.objects.filter(_in_force(clock.now()), token=token):
        never = AllowEntry.objects.filter(token=token, kind__in=NEVER_LISTED)
        if channel in (entry.channels or ["voice"]) and not never.exists():
            return entry
    return None


def any_blocked(tokens: list[str]) -> bool:
    """Whether one of a person's numbers is on the black list."""
    return BlockEntry.objects.filter(_in_force(clock.now()), token__in=tokens).exists() if tokens else False


@transaction.atomic
def count_attempt(entry: BlockEntry) -> int:
    """A refused call is counted; beyond the entry's `review_after`, and each time as many again, its flow hears `blacklist.attempts`. The count
    so far."""
    BlockEntry.objects.filter(pk=entry.pk).update(attempts=F("attempts") + 1, last_attempt_at=clock.now())
    entry.refresh_from_db(fields=["attempts", "last_attempt_at"])
    over = entry.attempts - 1
    if entry.business_key and entry.review_after and over and over % entry.review_after == 0:
        jobs.receive(
            "blacklist.attempts",
            message_id=f"blacklist.attempts:{entry.pk}:{entry.attempts}",
            business_key=entry.business_key,
            payload={"entry": str(entry.pk), "attempts": entry.attempts},
        )
    publish(BlockChanged(entry.pk))
    return entry.attempts


@transaction.atomic
def check_number(
    business_key: str, *, reason: str = "", applied_by: str = "", pending_days: float | None = None
) -> Verdict:
    """May the number of this case be listed (9.5 B2)? A number that may gets its pending entry here, refused by itself when nobody has
    decided after `pending_days` (None: it waits for its case).

    refuse: number_withheld, or the kind of number that may never be listed. listed: blocked_already, applied_already.
    flag: vip, member, open_ticket (`concern_of`). Else normal.
    """
    number = _number_of(business_key)
    if not number:
        return Verdict("refuse", "number_withheld")
    token = seals.blind(number, kind="number")
    allowed = AllowEntry.objects.filter(token=token).first()
    if allowed is not None and allowed.kind in NEVER_LISTED:
        return Verdict("refuse", allowed.kind)
    entry = BlockEntry.objects.filter(token=token, state__in=(BlockEntry.PENDING, BlockEntry.ACTIVE)).first()
    if entry is not None and entry.state == BlockEntry.ACTIVE and entry.until and entry.until <= clock.now():
        expire(entry)
        entry = None
    if entry is not None and entry.business_key != business_key:
        return Verdict("listed", "blocked_already" if entry.state == BlockEntry.ACTIVE else "applied_already", entry)
    if entry is None:
        entry = _apply_for(number, token, business_key, reason, applied_by, pending_days)
    elif entry.state == BlockEntry.PENDING and reason and entry.reason != reason:
        entry.reason = reason
        entry.save(update_fields=["reason"])
    concern = allowed.kind if allowed is not None else _concern(business_key)
    return Verdict("flag" if concern else "normal", concern, entry)


def _apply_for(
    number: str, token: str, business_key: str, reason: str, applied_by: str, pending_days: float | None = None
) -> BlockEntry:
    entry = BlockEntry(
        value=number,
        token=token,
        masked=mask_number(number),
        reason=reason or "other",
        channels=["voice"],
        state=BlockEntry.PENDING,
        business_key=business_key,
        applied_by=applied_by or "system",
        decide_by=clock.now() + timedelta(days=pending_days) if pending_days else None,
    )
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
    except IntegrityError:  # two applications in one moment: the other one stands
        return BlockEntry.objects.get(token=token, state__in=(BlockEntry.PENDING, BlockEntry.ACTIVE))
    if entry.decide_by:
        payload = {"entry": entry.pk}
        jobs.enqueue("routing.expire_block", key=f"block:{entry.pk}", payload=payload, due_at=entry.decide_by)
    audit("block.applied", f"block:{entry.pk}", actor=entry.applied_by, reason=entry.reason)
    publish(BlockChanged(entry.pk))
    return entry


@transaction.atomic
def block(
    entry: BlockEntry,
    *,
    days: int | None = None,
    hours: float | None = None,
    channels: Iterable[str] = ("voice",),
    is_temporary: bool = False,
    review_after: int | None = None,
    approved_by: str = "",
) -> BlockEntry:
    """Bring an entry into force, from the next call on (S-37). Its term is days + hours by the clock, none of both = permanent, which a
    temporary one cannot be (ValueError). review_after: refused calls after which its flow is told; None = never.

    An entry in force is changed: what was temporary becomes what was approved. A job expires it at `until`.
    """
    if entry.state not in (BlockEntry.PENDING, BlockEntry.ACTIVE):
        raise NotOnTheList()
    now, term = clock.now(), timedelta(days=days or 0, hours=hours or 0)
    if is_temporary and not term:
        raise ValueError("a temporary block needs its term")
    entry.until = now + term if term else None
    entry.review_after = review_after
    entry.term_days = None if is_temporary else days or None
    entry.channels = list(channels) or ["voice"]
    entry.is_temporary, entry.state = is_temporary, BlockEntry.ACTIVE
    entry.since = entry.since or now
    entry.approved_by = approved_by or entry.approved_by
    entry.save()
    if entry.until:
        payload = {"entry": entry.pk}
        jobs.enqueue("routing.expire_block", key=f"block:{entry.pk}", payload=payload, due_at=entry.until)
    else:
        jobs.cancel(f"block:{entry.pk}")
    audit("block.active", f"block:{entry.pk}", actor=approved_by or None, days=days, temporary=is_temporary)
    publish(BlockChanged(entry.pk))
    return entry


def block_number(number: str, *, reason: str, acting_user: Any, days: int | None = None) -> BlockEntry:
    """Put an E.164 number on the list without a flow (demo people, imports). The open entry of the number when there is one."""
    token = seals.blind(number, kind="number")
    with transaction.atomic():
        who = getattr(acting_user, "number", "") or "system"
        entry = BlockEntry.objects.filter(token=token, state__in=(BlockEntry.PENDING, BlockEntry.ACTIVE)).first()
        entry = entry or _apply_for(number, token, "", reason, who)
        return block(entry, days=days, approved_by=who)


@transaction.atomic
def lift(entry: BlockEntry, *, by: str = "") -> BlockEntry:
    """Take an entry off the list. A pending one is refused; one that has run out expires. Lifted already: nothing happens."""
    run_out = entry.until is not None and entry.until <= clock.now()
    if entry.state == BlockEntry.PENDING:
        return _close(entry, BlockEntry.REFUSED, by)
    if entry.state == BlockEntry.ACTIVE:
        return _close(entry, BlockEntry.EXPIRED if run_out else BlockEntry.LIFTED, by)
    return entry


@transaction.atomic
def expire(entry: BlockEntry) -> BlockEntry:
    """Its time is up: in force → expired, never decided about → refused. Too early or closed already: nothing happens."""
    now = clock.now()
    if entry.state == BlockEntry.ACTIVE and entry.until and entry.until <= now:
        return _close(entry, BlockEntry.EXPIRED, "")
    if entry.state == BlockEntry.PENDING and entry.decide_by and entry.decide_by <= now:
        return _close(entry, BlockEntry.REFUSED, "")
    return entry


def _close(entry: BlockEntry, state: str, by: str) -> BlockEntry:
    closed = BlockEntry.objects.filter(pk=entry.pk, state=entry.state).update(state=state, lifted_by=by or None)
    entry.refresh_from_db()
    if closed:
        jobs.cancel(f"block:{entry.pk}")
        audit(f"block.{state}", f"block:{entry.pk}", actor=by or None)
        publish(BlockChanged(entry.pk))
    return entry


@transaction.atomic
def close_application(business_key: str, *, by: str = "") -> int:
    """The case is over: an application that nobody approved counts as refused. How many there were."""
    pending = BlockEntry.objects.filter(business_key=business_key, state=BlockEntry.PENDING)
    return len([_close(entry, BlockEntry.REFUSED, by) for entry in pending])


@transaction.atomic
def wish_to_lift(entry: BlockEntry, *, reason: str, acting_user: Any) -> BlockEntry:
    """Somebody asks to take a number off the list: its flow hears `blacklist.unblock_wish` and decides.

    An entry without a flow is lifted at once by who may (`routing.lift`). NotOnTheList unless it is in force.
    """
    if entry.state != BlockEntry.ACTIVE:
        raise NotOnTheList()
    audit("block.lift_wish", f"block:{entry.pk}", actor=acting_user, reason=reason)
    if not entry.business_key:
        accounts.require(acting_user, "routing.lift")
        return lift(entry, by=acting_user.number)
    jobs.receive(
        "blacklist.unblock_wish",
        message_id=f"blacklist.unblock_wish:{entry.pk}:{clock.now().isoformat()}",
        business_key=entry.business_key,
        payload={"entry": str(entry.pk), "by": acting_user.number, "reason": reason},
    )
    return entry


def entry_of(key: str) -> BlockEntry:
    """The entry a flow speaks of by its id. BlockEntry.DoesNotExist when there is none."""
    return BlockEntry.objects.select_for_update().get(pk=int(key))
