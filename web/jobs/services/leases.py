"""Things only one process may do at a time, by rows: no lock server."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import F

from web.common import clock
from web.jobs.models import Lease

Result = TypeVar("Result")


def myself() -> str:
    """A name no other holder has: host, process and a random part."""
    return f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def hold(name: str, owner: str, seconds: float = 10) -> int | None:
    """Take or keep the lease `name` for `owner`; its fence, or None while somebody else holds it. The fence grows at each change of hands."""
    now = clock.now()
    until = now + timedelta(seconds=seconds)
    mine = Lease.objects.filter(name=name, owner=owner, until__gte=now)
    if mine.update(until=until, seen_at=now):
        return Lease.objects.values_list("fence", flat=True).get(name=name)
    free = Lease.objects.filter(name=name, until__lt=now)
    if free.update(owner=owner, until=until, seen_at=now, fence=F("fence") + 1):
        return Lease.objects.values_list("fence", flat=True).get(name=name)
    if Lease.objects.filter(name=name).exists():
        return None
    try:
        with transaction.atomic():
            return Lease.objects.create(name=name, owner=owner, until=until, seen_at=now, fence=1).fence
    except IntegrityError:  # another process made the row in the same moment
        return None


def release(name: str, owner: str) -> None:
    """Give the lease back before it runs out."""
    Lease.objects.filter(name=name, owner=owner).update(owner=None, until=clock.now() - timedelta(seconds=1))


def with_lease(name: str, function: Callable[[], Result], seconds: float = 10) -> Result | None:
    """Run `function` unless another process does so now (then None)."""
    owner = myself()
    if hold(name, owner, seconds) is None:
        return None
    try:
        return function()
    finally:
        release(name, owner)
