"""What appointments lend to flows (REQUIREMENTS 9.1). Refusals a diagram branches on are outcomes; `field` and `reason` beside them say
what was wrong. Names of patients are read from the forms' answers and never returned."""

from __future__ import annotations

from typing import Any

from engine.verbs import Context, VerbRefused, verb

from . import services
from .models import Appointment, Waiting
from .services.slots import Held
from .services.standing import NOWHERE, STAGES

TEXT = {"type": "string"}
DATE = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
HOUR = {"type": "integer", "minimum": 0, "maximum": 23}
PLACE = {"clinic": TEXT, "department": TEXT, "doctor": TEXT, "date": DATE, "hour": HOUR}
SLOT, WAITING = {"slot": TEXT}, {"waiting": {"type": "string", "minLength": 1}}
HELD_FACTS = {
    "slot": TEXT,
    "held_until": TEXT,
    "prepay": {"type": "boolean"},
    "fee_fen": {"type": "integer", "minimum": 0},
    "visit_at": TEXT,
    "visit_end": TEXT,
    "clinic_group": TEXT,
}
WHY = {"field": TEXT, "reason": TEXT, "remind_at": TEXT}


def _held_schema(*outcomes: str) -> dict[str, Any]:
    return {
        "properties": {"outcome": {"enum": list(outcomes)}, **HELD_FACTS, **WHY},
        "required": ["outcome", *HELD_FACTS],
    }


HELD = _held_schema("held", "full", "off", "double", "past", "blocked")


def _slot(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _waiting(context: Context, key: str) -> Waiting:
    """Only a place in line of this case."""
    rows = Waiting.objects.filter(appointment__business_key=context.business_key)
    found = rows.select_related("appointment", "offered_slot").filter(pk=_slot(key)).first()
    if found is None:
        raise VerbRefused("waiting_unknown")
    return found


def _result(held: Held) -> dict[str, Any]:
    return held.as_result()


@verb("appointments.hold", params={"properties": PLACE, "required": list(PLACE)}, result=HELD)
def hold(context: Context, *, clinic: str, department: str, doctor: str, date: str, hour: int) -> dict[str, Any]:
    """A2: keep a place for 30 minutes. The same wish again is the same hold; another wish gives the former hold back."""
    appointment = services.wish(context.business_key, context.submission)
    return _result(
        services.hold(
            appointment, clinic=clinic, department=department, doctor=doctor, date=date, hour=hour, now=context.now
        )
    )


@verb("appointments.move", params={"properties": {**SLOT, **PLACE}, "required": ["slot", *PLACE]}, result=HELD)
def move(context: Context, *, slot: str, **place: Any) -> dict[str, Any]:
    """A12: hold another place; the booked one (`slot`) stays until it is released with the reason `moved`."""
    return hold(context, **place)


@verb(
    "appointments.confirm",
    params={"properties": {**SLOT, "payment": TEXT}, "required": ["slot", "payment"]},
    result={"properties": {"outcome": {"enum": ["booked", "gone"]}}, "required": ["outcome"]},
)
def confirm(context: Context, *, slot: str, payment: str) -> dict[str, Any]:
    """A3: the held place is booked. A hold that ran out is taken again while its place is free; else `gone`."""
    appointment, pk = services.of(context.business_key), _slot(slot)
    if pk is None:
        return {"outcome": "gone"}
    return {"outcome": services.confirm(appointment, pk, payment=payment, now=context.now)}


@verb(
    "appointments.release",
    params={
        "properties": {**SLOT, "reason": {"enum": ["unpaid", "cancelled", "moved", "suspended", "failed"]}},
        "required": ["slot", "reason"],
    },
)
def release(context: Context, *, slot: str, reason: str) -> None:
    """A9, A11: the place is free at once and the waiting list is asked. "" or a place that is not ours any more frees nothing."""
    services.release(services.wish(context.business_key), _slot(slot), reason=reason, now=context.now)


@verb(
    "appointments.standing",
    result={
        "properties": {
            "stage": {"enum": list(STAGES)},
            **{name: TEXT for name in NOWHERE if name not in ("stage", "hour")},
            "hour": HOUR,
        },
        "required": list(NOWHERE),
    },
)
def standing(context: Context) -> dict[str, Any]:
    """Where the case stands now, by its rows: a flow whose tasks were cut off by a message goes on from here."""
    return services.standing(context.business_key)


@verb("appointments.fail", params={"properties": {"reason": TEXT}, "required": ["reason"]})
def fail(context: Context, *, reason: str) -> None:
    """不成功: what is still held goes back; what was recommended stays on record (W-70…W-73)."""
    appointment = services.wish(context.business_key, context.submission)
    services.fail(appointment, reason=reason, answers=getattr(context.submission, "data", None), now=context.now)


@verb(
    "appointments.join_waiting",
    params={
        "properties": {"clinic": TEXT, "department": TEXT, "doctor": TEXT, "date": DATE},
        "required": ["clinic", "department", "doctor", "date"],
    },
    result={
        "properties": {"waiting": TEXT, "position": {"type": "integer", "minimum": 1}, "expires_at": TEXT},
        "required": ["waiting", "position", "expires_at"],
    },
)
def join_waiting(context: Context, *, clinic: str, department: str, doctor: str, date: str) -> dict[str, Any]:
    """A7: wait for the doctor, or with "" for any expert of the department in this clinic (W-74), until two hours before the day
    begins there. Refused (wish_unknown) for a clinic, department or doctor that is not there."""
    appointment = services.wish(context.business_key, context.submission)
    try:
        waiting, position = services.join(
            appointment, clinic=clinic, department=department, doctor=doctor, date=date, now=context.now
        )
    except LookupError:
        raise VerbRefused("wish_unknown") from None
    return {"waiting": str(waiting.pk), "position": position, "expires_at": waiting.expires_at.isoformat()}


@verb(
    "appointments.leave_waiting", params={"properties": {**WAITING, "reason": TEXT}, "required": ["waiting", "reason"]}
)
def leave_waiting(context: Context, *, waiting: str, reason: str) -> None:
    """He waits no longer: expired, cancelled, refused or another code; what he was offered goes to the next."""
    services.leave(_waiting(context, waiting), reason=reason, now=context.now)


@verb(
    "appointments.take_offer",
    params={"properties": WAITING, "required": ["waiting"]},
    result=_held_schema("held", "gone"),
)
def take_offer(context: Context, *, waiting: str) -> dict[str, Any]:
    """A8: the offered place is held for 30 minutes from now; `gone` when the offer lapsed (he waits on)."""
    return _result(services.take_offer(_waiting(context, waiting), now=context.now))


@verb(
    "appointments.refuse_offer",
    params={"properties": {**WAITING, "stay": {"type": "boolean"}}, "required": ["waiting"]},
)
def refuse_offer(context: Context, *, waiting: str, stay: bool = False) -> None:
    """A8: not this place: the next in line is asked. `stay`: he waits for another one."""
    services.refuse_offer(_waiting(context, waiting), stay=stay, now=context.now)


@verb(
    "appointments.check_in",
    params={"properties": {**SLOT, "arrived": {"type": "boolean"}}, "required": ["slot", "arrived"]},
    result={"properties": {"visit_kind": {"enum": [kind for kind, _ in Appointment.KINDS]}}},
)
def check_in(context: Context, *, slot: str, arrived: bool) -> dict[str, Any]:
    """A10: he came, or he did not."""
    appointment = services.of(context.business_key)
    services.check_in(appointment, _slot(slot), arrived=arrived, now=context.now)
    return {"visit_kind": appointment.visit_kind}
