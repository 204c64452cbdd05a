"""Schedules, places, the waiting list and what is free. Other rooms import from here."""

from __future__ import annotations

from web.appointments.services.acts import CANCEL, CHECKED_IN, RESCHEDULE, possible, tell
from web.appointments.services.errors import NotWaiting, ScheduleTaken
from web.appointments.services.free import search, suggestions
from web.appointments.services.people import of, wish
from web.appointments.services.schedules import Plan, add, change, lay_out, local_day, reopen, suspend, tomorrow
from web.appointments.services.slots import Held, check_in, confirm, end, expire_overdue, fail, hold, look_soon, release
from web.appointments.services.standing import standing
from web.appointments.services.waiting import (
    join,
    lapse,
    leave,
    let_go_of_cancelled,
    offer,
    offer_free_places,
    refuse_offer,
    take_offer,
)

__all__ = [
    "CANCEL",
    "CHECKED_IN",
    "RESCHEDULE",
    "Held",
    "NotWaiting",
    "Plan",
    "ScheduleTaken",
    "add",
    "change",
    "check_in",
    "confirm",
    "end",
    "expire_overdue",
    "fail",
    "hold",
    "join",
    "lapse",
    "lay_out",
    "leave",
    "let_go_of_cancelled",
    "local_day",
    "look_soon",
    "of",
    "offer",
    "offer_free_places",
    "possible",
    "refuse_offer",
    "release",
    "reopen",
    "search",
    "standing",
    "suggestions",
    "suspend",
    "take_offer",
    "tell",
    "tomorrow",
    "wish",
]
