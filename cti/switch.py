"""The one interface to a PBX. Whoever drives it lives in an asyncio task; agents' states and the choice of the agent
live above it, PBX words below it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, runtime_checkable

from cti.events import Event
from cti.model import Call, Cause

Sink = Callable[[Event], None]


class Refusal(StrEnum):
    """Words for machines that say why a command was refused; texts for people are made at the edge."""

    not_connected = "not_connected"  # nobody is connected, or the link was lost: connect, then snapshot
    unknown_call = "unknown_call"  # never seen, or so long ago that it is forgotten
    unknown_connection = "unknown_connection"
    call_ended = "call_ended"
    connection_ended = "connection_ended"
    wrong_state = "wrong_state"  # e.g. hold while it rings; withdraw a ring that has been answered
    already_answered = "already_answered"  # too late to refuse the call
    duplicate_call = "duplicate_call"  # this call_id names another call
    bad_number = "bad_number"


class SwitchRefused(Exception):
    """The PBX did not do what was asked and nothing changed. `code` is a `Refusal`, `reason` a sentence for the log."""

    def __init__(self, code: Refusal, reason: str = "") -> None:
        super().__init__(f"{code}: {reason}" if reason else str(code))
        self.code = code
        self.reason = reason


@runtime_checkable
class Switch(Protocol):
    """A PBX, as every driver shows it (services of ECMA-269; the mapping to a PBX is the driver's).

    All methods are asynchronous and return when the PBX has accepted the command; the *effect* comes as an event, which
    may arrive before or after the return. All are idempotent: asking for what is already so changes nothing, tells
    nothing and is not an error. All but `connect` and `close` raise SwitchRefused(not_connected) without a link. A PBX
    that does not reply leaves the caller waiting: put a time limit around each command.
    """

    async def connect(self, sink: Sink) -> None:
        """Open the link; from now on `sink` hears every event, in order, in the loop's thread, outside of any command.

        `sink` must return at once; what it raises is logged, never passed on. A second connect takes over: the former
        sink hears SystemStatus(disabled, replaced) as its last event. Events of the time without a link are lost, so
        read `snapshot` after each connect.
        """

    async def close(self) -> None:
        """Close the link; calls go on. The sink hears SystemStatus(disabled, closed)."""

    async def snapshot(self) -> list[Call]:
        """All calls that exist now, oldest first (CSTA SnapshotDevice, SnapshotCall)."""

    async def register(self, device: str, *, agent: str = "") -> None:
        """Let `device` (an extension) be rung and make calls, for `agent`. Tells DeviceOnline."""

    async def unregister(self, device: str) -> None:
        """Take `device` out: a ring on it ends with Failed(not_obtainable), a talk goes on. Tells DeviceOffline."""

    async def queue(self, call_id: str, queue: str) -> None:
        """Answer an inbound call and let it wait with music. Tells Queued.

        Refused: unknown_call, call_ended, wrong_state (not inbound, or an agent talks).
        """

    async def refuse(self, call_id: str, cause: Cause = Cause.blocked) -> None:
        """Turn an inbound call away before it is answered: the caller pays nothing. Tells Failed and CallCleared.

        Refused: unknown_call, call_ended (ended otherwise), already_answered (queued, ringing or talking).
        """

    async def deliver(self, call_id: str, device: str) -> str:
        """Let an inbound call ring at `device`; returns the connection. Tells Delivered, or Failed with cause busy or
        not_obtainable (the call then waits on).

        It rings until answered, withdrawn by `clear_connection` or left by the caller: the time-out is the caller's
        business. Refused: unknown_call, call_ended, wrong_state (it rings elsewhere, or is answered).
        """

    async def answer(self, connection: str) -> None:
        """Take the ring at our device (CSTA AnswerCall). Tells Established.

        Refused: unknown_connection, connection_ended (withdrawn, caller gone), wrong_state (not a ringing device).
        """

    async def hold(self, connection: str) -> None:
        """Put the other party on music. Tells Held. Refused: unknown_connection, connection_ended, wrong_state."""

    async def retrieve(self, connection: str) -> None:
        """Talk on. Tells Retrieved. Refused: unknown_connection, connection_ended, wrong_state."""

    async def mute(self, connection: str, on: bool) -> None:
        """Close or open the device's microphone (CSTA SetMicrophoneMute). Tells Muted or Unmuted.

        Refused: unknown_connection, connection_ended, wrong_state (not talking or holding).
        """

    async def clear_connection(self, connection: str, cause: Cause = Cause.normal) -> None:
        """Take one device out of its call. Already out: nothing happens.

        A ring ends with Diverted (cause rona, pickup, deflect) or ConnectionCleared (rejected, normal), and the caller
        waits on, to be delivered again. A talk ends with ConnectionCleared, and when fewer than two parties are left
        the call is cleared. Refused: unknown_connection; wrong_state when a cause of `RING_CAUSES` meets a
        connection that has been answered, so a late withdrawal never cuts a talk.
        """

    async def clear_call(self, call_id: str, cause: Cause = Cause.normal) -> None:
        """End the call for all. Tells ConnectionCleared per connection, then CallCleared. Refused: unknown_call."""

    async def make_call(self, device: str, number: str, call_id: str) -> str:
        """Call `number` (outside, or another registered device) from `device`; returns the device's connection.

        `call_id` is the caller's and makes the command idempotent. Tells Originated, Delivered, Established; or Failed
        (of the dialled party: busy, no_answer, rejected; of `device`: busy, not_obtainable), then CallCleared.
        Refused: duplicate_call, bad_number.
        """
