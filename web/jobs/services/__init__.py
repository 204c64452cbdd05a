"""Work, messages, effects, incidents and leases as rows (ARCHITECTURE 5.3). Other rooms import from here."""

from __future__ import annotations

from web.jobs.services.effects import Permanent, Transient, effect, sender
from web.jobs.services.failpoints import failpoint
from web.jobs.services.incidents import raise_incident, resolve
from web.jobs.services.leases import hold, release, with_lease
from web.jobs.services.messages import receive
from web.jobs.services.queue import Later, cancel, enqueue, handler, run_now, sweep, wake

__all__ = [
    "Later",
    "Permanent",
    "Transient",
    "cancel",
    "effect",
    "enqueue",
    "failpoint",
    "handler",
    "hold",
    "raise_incident",
    "receive",
    "release",
    "resolve",
    "run_now",
    "sender",
    "sweep",
    "wake",
    "with_lease",
]
