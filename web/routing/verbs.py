"""What flows may ask of this room. Numbers stay here: a flow knows an entry by its id."""

from __future__ import annotations

from typing import Any

from engine.verbs import Context, VerbRefused, verb
from web.accounts import services as accounts

from . import services
from .models import BlockEntry

TEXT = {"type": "string"}
ENTRY = {"properties": {"entry": {"type": "string", "minLength": 1}}, "required": ["entry"]}


def _actor(context: Context) -> str:
    actor = context.actor
    return str(getattr(actor, "number", actor) or "")


def _entry(key: str) -> BlockEntry:
    try:
        return services.entry_of(key)
    except (BlockEntry.DoesNotExist, ValueError):
        raise VerbRefused("block_unknown") from None


@verb(
    "routing.check_number",
    params={"properties": {"reason": TEXT, "pending_days": {"type": "number", "exclusiveMinimum": 0}}},
    result={
        "properties": {
            "verdict": {"enum": ["refuse", "listed", "flag", "normal"]},
            "why": TEXT,
            "entry": TEXT,
        },
        "required": ["verdict", "why", "entry"],
    },
)
def check_number(context: Context, *, reason: str = "", pending_days: float | None = None) -> dict[str, Any]:
    """May the number of this case be put on the black list? Undecided after pending_days the application is refused by itself."""
    found = services.check_number(
        context.business_key, reason=reason, applied_by=_actor(context), pending_days=pending_days
    )
    return {"verdict": found.verdict, "why": found.why, "entry": str(found.entry.pk) if found.entry else ""}


@verb(
    "routing.block_number",
    params={
        "properties": {
            "days": {"type": ["integer", "null"], "minimum": 0},
            "hours": {"type": ["number", "null"], "exclusiveMinimum": 0},
            "review_after": {"type": ["integer", "null"], "minimum": 1},
            "channels": {"type": "array", "items": TEXT},
            "temporary": {"type": "boolean"},
        }
    },
    result={"properties": {"entry": TEXT, "until": TEXT}, "required": ["entry", "until"]},
)
def block_number(
    context: Context,
    *,
    days: int | None = None,
    hours: float | None = None,
    channels: list[str] | None = None,
    temporary: bool = False,
    review_after: int | None = None,
) -> dict[str, Any]:
    """Bring this case's entry into force for days and hours, without both for good. review_after: refused calls until somebody looks.

    Refused (block_unknown) when there is no open entry.
    """
    entry = BlockEntry.objects.filter(
        business_key=context.business_key, state__in=(BlockEntry.PENDING, BlockEntry.ACTIVE)
    ).first()
    if entry is None:
        raise VerbRefused("block_unknown")
    services.block(
        entry,
        days=days,
        hours=hours,
        channels=channels or ["voice"],
        is_temporary=temporary,
        review_after=review_after,
        approved_by=_actor(context),
    )
    return {"entry": str(entry.pk), "until": entry.until.isoformat() if entry.until else ""}


@verb("routing.lift_block", params=ENTRY)
def lift_block(context: Context, *, entry: str) -> dict[str, Any]:
    """Take the entry off the list; one that was never approved is refused."""
    services.lift(_entry(entry), by=_actor(context))
    return {}


@verb(
    "routing.count_attempts",
    params=ENTRY,
    result={"properties": {"attempts": {"type": "integer"}}, "required": ["attempts"]},
)
def count_attempts(context: Context, *, entry: str) -> dict[str, Any]:
    """How many calls were refused because of the entry."""
    return {"attempts": _entry(entry).attempts}


@verb(
    "routing.report_attempts",
    params={
        "properties": {**ENTRY["properties"], "group": TEXT, "attempts": {"type": "integer"}},
        "required": ["entry", "group", "attempts"],
    },
    result={"properties": {"told": {"type": "integer"}}, "required": ["told"]},
)
def report_attempts(context: Context, *, entry: str, group: str, attempts: int) -> dict[str, Any]:
    """Tell the leaders of the team how many calls of the blocked number were refused; how many leaders were told."""
    found, leaders = _entry(entry), accounts.leaders_of(group)
    for leader in leaders:
        params = {"number": found.masked, "attempts": attempts, "business_key": context.business_key}
        accounts.notify(leader, "block_attempts", params, ref=context.business_key or None)
    return {"told": len(leaders)}
