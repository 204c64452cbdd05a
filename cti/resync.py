"""After the link was away: which events bring what we know to what the PBX says now.

The PBX is the truth. Calls it does not have any more are closed with cause `resync`; calls and connections we have not
heard of are told as if heard now. The events are inferred (`seq` 0) and go the way of all events.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cti import events as e
from cti.fold import CallState, CallStatus, LegState
from cti.model import Call, Cause, Connection, ConnectionState, Direction


def reconcile(known: Iterable[CallState], snapshot: Iterable[Call], at: datetime) -> list[e.Event]:
    """Events to record, in order, so that folding them after the known ones agrees with `snapshot`.

    known: calls that are open as far as we know; ended ones are passed over. Calls are matched by `call_id`.
    """
    present = {call.call_id: call for call in snapshot}
    told: list[e.Event] = []
    seen = set()
    for state in known:
        if not state.is_open:
            continue
        seen.add(state.call_id)
        call = present.get(state.call_id)
        told += _gone(state, at) if call is None else _changed(state, call, at)
    for call in present.values():
        if call.call_id not in seen:
            told += _new(call, at)
    return told


def _gone(state: CallState, at: datetime) -> list[e.Event]:
    same = {"call_id": state.call_id, "pbx_id": state.pbx_id, "at": max(at, state.since)}
    outcome = "answered" if state.answered_at else "abandoned" if state.direction is Direction.inbound else "no_answer"
    return [
        *(
            e.ConnectionCleared(
                **same, connection=leg.connection, device=leg.device, agent=leg.agent, cause=Cause.resync
            )
            for leg in state.open_legs
        ),
        e.CallCleared(**same, cause=Cause.resync, outcome=outcome),
    ]


def _changed(state: CallState, call: Call, at: datetime) -> list[e.Event]:
    told: list[e.Event] = []
    alive = {connection.id for connection in call.agent_connections}
    for leg in state.open_legs:
        if leg.connection not in alive:
            told.append(
                e.ConnectionCleared(
                    call_id=call.call_id,
                    pbx_id=call.pbx_id,
                    at=at,
                    connection=leg.connection,
                    device=leg.device,
                    agent=leg.agent,
                    cause=Cause.resync,
                )
            )
    if call.queue and call.answered_at is None and (state.queue != call.queue or state.status is CallStatus.routing):
        told.append(_queued(call, at))
    legs = {leg.connection: leg for leg in state.legs}
    for connection in call.agent_connections:
        told += _connection(call, connection, legs.get(connection.id), at)
    return told


def _new(call: Call, at: datetime) -> list[e.Event]:
    told: list[e.Event] = []
    if call.direction is Direction.inbound:
        told.append(
            e.RouteRequested(
                call_id=call.call_id,
                pbx_id=call.pbx_id,
                at=min(call.started_at, at),
                calling=call.calling,
                called=call.called,
            )
        )
        if call.queue and call.answered_at is None:
            told.append(_queued(call, at))
    for connection in call.agent_connections:
        told += _connection(call, connection, None, at)
    return told


def _queued(call: Call, at: datetime) -> e.Queued:
    return e.Queued(
        call_id=call.call_id, pbx_id=call.pbx_id, at=at, calling=call.calling, called=call.called, queue=call.queue
    )


def _connection(call: Call, connection: Connection, leg: LegState | None, at: datetime) -> list[e.Event]:
    call_words = {"call_id": call.call_id, "pbx_id": call.pbx_id, "at": at}
    words = call_words | {"connection": connection.id, "device": connection.device, "agent": connection.agent}
    numbers = {"calling": call.calling, "called": call.called}
    told: list[e.Event] = []
    if leg is None:
        if connection.state is ConnectionState.initiated or (
            call.direction is not Direction.inbound and connection.device == call.calling
        ):
            told.append(e.Originated(**words, **numbers, direction=call.direction))
        else:
            told.append(e.Delivered(**words, **numbers))
    is_up = connection.state in (ConnectionState.connected, ConnectionState.hold)
    if is_up and (leg is None or leg.answered_at is None):
        told.append(e.Established(**words))
    was_held = leg is not None and leg.state is ConnectionState.hold
    if (connection.state is ConnectionState.hold) and not was_held:
        told.append(e.Held(**words))
    if connection.state is ConnectionState.connected and was_held:
        told.append(e.Retrieved(**words))
    if is_up and connection.is_muted != (leg is not None and leg.is_muted):
        told.append((e.Muted if connection.is_muted else e.Unmuted)(**words))
    return told
