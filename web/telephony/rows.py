"""What the CTI process reads and writes, one transaction each, always under its lease.

A process whose lease went to another is stopped by `LeaseLost` before it writes anything: the fence is read inside the
transaction. These functions block and are called in the process's one database thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from cti import events as e
from cti.acd import AgentView, Decision, Policy, Waiting, distribute
from cti.agent_states import State, TransitionRefused, Trigger, triggers_of
from cti.fold import CallState
from cti.model import OUTSIDE
from web.accounts import services as accounts
from web.accounts.models import AccessGrant
from web.agents import states
from web.agents.models import AgentProfile
from web.calls import services as calls
from web.calls.models import Call, CallLeg, Command, QueueVisit
from web.common import clock, seals
from web.common.errors import DomainError
from web.common.publishing import publish
from web.customers import services as customers
from web.jobs.models import Lease
from web.routing import services as routing

from .events import CommandRefused

log = structlog.get_logger(__name__)

LEASE = "cti"
CALL_COMMANDS = ("answer", "hang_up", "hold", "retrieve", "mute", "unmute", "dial")
STATE_COMMANDS = {
    "sign_in": Trigger.sign_in,
    "sign_out": Trigger.sign_out,
    "ready": Trigger.ready,
    "not_ready": Trigger.not_ready,
    "wrap_up_extend": Trigger.extend_wrap_up,
    "wrap_up_end": Trigger.wrap_up_done,
    "wrap_up_start": Trigger.wrap_up,
}
DEMO_COMMANDS = ("demo_call", "demo_scenario")
RANG_IN_VAIN = ("rona", "refused", "busy", "failed")
STALE = timedelta(seconds=10)


class LeaseLost(Exception):
    """Another process acts on the PBX now."""


@dataclass(frozen=True, slots=True)
class Route:
    """What to do with a call that asks for its way: refuse it, or let it wait in `queue`."""

    call_id: str
    refuse: bool = False
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """A call that shall ring at an agent, whose row says so already; `change` undoes that."""

    call_id: str
    device: str
    change: states.Change


@dataclass(frozen=True, slots=True)
class Wish:
    """A command taken from its row. connection: the agent's part of the call, "" when he has none (any more); is_offer:
    it rings at him now."""

    id: int
    name: str
    params: dict[str, Any] = field(repr=False)
    agent: int | None = None
    number: str = ""
    device: str = ""
    call_id: str = ""
    connection: str = ""
    is_offer: bool = False


class Rows:
    """`owner` and `fence` are those of the lease this process holds."""

    def __init__(self, owner: str, fence: int) -> None:
        self.owner, self.fence = owner, fence

    @contextmanager
    def mine(self) -> Iterator[None]:
        """A transaction that only the holder of the lease gets through."""
        with transaction.atomic():
            held = Lease.objects.filter(name=LEASE, owner=self.owner, fence=self.fence, until__gt=clock.now())
            if not held.exists():
                raise LeaseLost(self.owner)
            yield

    # --- what the switch told ----------------------------------------------------------------------------------

    def heard(self, event: e.Event, hints: dict[str, Any] | None = None) -> Route | None:
        """Record an event with all that follows from it; for a call that asks for its way, the way."""
        with self.mine():
            if isinstance(event, e.DeviceOffline):
                self._phone_lost(event)
                return None
            recorded = calls.record(event, **(hints or {}))
            if recorded is None or not recorded.is_new:
                return None
            self._move_agent(event, recorded)
            if isinstance(event, e.RouteRequested) and recorded.state.is_open:
                return self._route(recorded.call)
            return None

    def _route(self, call: Call) -> Route:
        entry = routing.is_blocked(call.number_token)
        if entry is not None:
            routing.count_attempt(entry)
            calls.note_decision(call.call_id, {"reason": "blocked", "entry": entry.pk, "at": clock.now().isoformat()})
            return Route(call.call_id, refuse=True)
        found = routing.queue_for(call.called or "")
        if found is None:
            log.error("no queue to put a call into", call=call.pk)
            return Route(call.call_id, refuse=True)
        return Route(call.call_id, queue=found[0].key)

    def _move_agent(self, event: e.Event, recorded: calls.Recorded) -> None:
        leg = recorded.leg
        if leg is None or leg.agent_id is None or getattr(event, "device", OUTSIDE) == OUTSIDE:
            return
        if leg.ended_at is None and isinstance(event, e.Delivered | e.Originated):
            self._grant(leg, recorded.call)
        for trigger in triggers_of(event, recorded.was_answered):
            self._move(leg.agent_id, trigger, event.at, contact=("voice", event.call_id))
        if leg.ended_at is not None and leg.answered_at is None:
            accounts.end_grants(f"call:{recorded.call.pk}", user=leg.agent.user)

    def _move(self, agent: int, trigger: Trigger, at: datetime, **details: Any) -> states.Change | None:
        """Move an agent and close what the move closes; None when it was refused."""
        try:
            done = states.change(agent, trigger, at, **details)
        except TransitionRefused as refused:
            log.warning("an agent's state does not fit", agent=agent, trigger=str(trigger), code=refused.code)
            return None
        self._after_move(done)
        return done

    def _after_move(self, done: states.Change) -> None:
        if done.left_contact or done.left_wrap_up:
            for call in calls.end_wrap_up(done.profile, done.after.since):
                accounts.end_grants(f"call:{call}", user=done.profile.user)

    def _grant(self, leg: CallLeg, call: Call) -> None:
        """Whoever's phone rings sees the caller's card and the call, until it is over and wrapped up."""
        user, source = leg.agent.user, f"call:{call.pk}"
        found = {one.pk for one in customers.find_by_number(call.number)} if call.number_token else set()
        for customer in found | ({call.customer_id} if call.customer_id else set()):
            accounts.grant(user, "customer", customer, "call", source)
        accounts.grant(user, "call", call.pk, "call", source)

    def _phone_lost(self, event: e.DeviceOffline) -> None:
        profile = AgentProfile.objects.filter(user__number=event.agent, extension=event.device).first()
        if profile is not None and profile.state != AgentProfile.NULL:
            self._move(profile.pk, Trigger.phone_lost, event.at)

    # --- resync ------------------------------------------------------------------------------------------------

    def open_states(self) -> list[CallState]:
        with self.mine():
            return calls.open_states()

    def settle(self, now: datetime, alive: Collection[str]) -> None:
        """After a resync: nobody is busy with a call that is not there, no command hangs, no grant outlives its call.

        alive: identifiers of the calls the PBX has.
        """
        with self.mine():
            for profile in AgentProfile.objects.filter(voice_load__gt=0).select_related("user"):
                for channel, call_id in profile.contacts:
                    has_leg = CallLeg.objects.filter(agent=profile, call__call_id=call_id, ended_at=None).exists()
                    if channel == "voice" and not (call_id in alive and has_leg):
                        self._move(profile.pk, Trigger.withdrawn, now, contact=(channel, call_id))
            hanging = Command.objects.filter(state=Command.SENT, created_at__lt=now - STALE)
            hanging.update(state=Command.SILENT, code="pbx_silent", finished_at=now)
            self._end_stray_grants()

    def _end_stray_grants(self) -> None:
        grants = AccessGrant.objects.filter(source__startswith="call:", ended_at=None).select_related("user")
        for grant in grants:
            legs = CallLeg.objects.filter(call=grant.source.removeprefix("call:"), agent__user=grant.user)
            working = legs.filter(ended_at=None) | legs.filter(answered_at__isnull=False, acw_ended_at=None)
            if not working.exists():
                accounts.end_grants(grant.source, user=grant.user)

    # --- distribution ------------------------------------------------------------------------------------------

    def plan(self, now: datetime, in_flight: Collection[str], online: Collection[str]) -> list[Offer]:
        """One round of the ACD over all waiting calls; whoever is chosen is busy with the call from here on."""
        if not calls.waiting().exists():
            return []
        with self.mine():
            visits = [
                visit
                for visit in calls.waiting().prefetch_related("call__legs__agent__user")
                if visit.call.call_id not in in_flight and all(leg.ended_at for leg in visit.call.legs.all())
            ]
            if not visits:
                return []
            queues, priorities = routing.queues(), routing.priorities()
            known = [visit for visit in visits if visit.queue in queues]
            profiles = list(AgentProfile.objects.exclude(state=AgentProfile.NULL).select_related("user"))
            decisions = distribute(
                [self._waiting(visit, queues[visit.queue], priorities) for visit in known],
                [self._view(profile, online) for profile in profiles],
                now,
                {
                    key: Policy(wait_for_owner=timedelta(seconds=queue.wait_for_owner_seconds))
                    for key, queue in queues.items()
                },
            )
            by_number = {profile.user.number: profile for profile in profiles}
            former = {visit.call.call_id: visit.reason for visit in known}
            return [
                offer
                for decision in decisions
                if (offer := self._decided(decision, by_number, former.get(decision.call_id), now))
            ]

    def _decided(
        self, decision: Decision, people: dict[str, AgentProfile], former: str | None, now: datetime
    ) -> Offer | None:
        if decision.agent is None:
            if decision.reason != former:  # once, not every second it stays so
                calls.note_decision(decision.call_id, decision.explain())
            return None
        contact = ("voice", decision.call_id)
        done = self._move(people[decision.agent].pk, Trigger.offered, now, contact=contact)
        if done is None:
            return None
        calls.note_decision(decision.call_id, decision.explain())
        return Offer(decision.call_id, decision.device, done)

    @staticmethod
    def _waiting(visit: QueueVisit, queue: Any, priorities: dict[str, int]) -> Waiting:
        call = visit.call
        rang: dict[str, datetime] = {}
        for leg in call.legs.all():
            if leg.result in RANG_IN_VAIN and leg.agent is not None:
                number = leg.agent.user.number
                rang[number] = max(leg.ended_at, rang.get(number, leg.ended_at))
        return Waiting(
            call_id=call.call_id,
            queue=visit.queue,
            entered_at=visit.entered_at,
            priority=min(queue.priority, priorities.get(call.called or "", queue.priority)),
            owner=call.owner_agent or "",
            groups=frozenset({queue.skill_group.key}),
            skills=dict.fromkeys(queue.skills, 1),
            rang=rang,
        )

    @staticmethod
    def _view(profile: AgentProfile, online: Collection[str]) -> AgentView:
        state = states.read(profile)
        return AgentView(
            agent=profile.user.number,
            device=profile.extension or "",
            state=state.state,
            can_take=state.can_take("voice"),
            idle_since=profile.ready_since or profile.since,
            groups=frozenset(profile.signed_in),
            skills=dict.fromkeys(profile.active_skills, 1),
            is_online=bool(profile.extension) and profile.extension in online,
        )

    def put_back(self, change: states.Change, now: datetime) -> None:
        """The offer came to nothing: the agent is as he was."""
        with self.mine():
            states.put_back(change, now)

    # --- every second ------------------------------------------------------------------------------------------

    def expire_wrap_ups(self, now: datetime) -> int:
        due = states.overdue_wrap_ups(now)
        if due:
            with self.mine():
                for agent in due:
                    self._expire(agent, now)
        return len(due)

    def _expire(self, agent: int, now: datetime) -> None:
        profile = AgentProfile.objects.get(pk=agent)
        if profile.state == AgentProfile.ACW and profile.wrap_up_until and profile.wrap_up_until <= now:
            self._move(agent, Trigger.expired, profile.wrap_up_until)

    def overdue_rings(self, now: datetime) -> list[str]:
        """Connections that have rung at an agent longer than their queue allows."""
        rows = CallLeg.objects.filter(ended_at=None, answered_at=None, agent__isnull=False, call__direction=Call.IN)
        ringing = list(rows.values_list("connection", "offered_at", "call__last_queue"))
        if not ringing:
            return []
        seconds = {key: queue.ring_seconds for key, queue in routing.queues().items()}
        return [
            connection
            for connection, since, queue in ringing
            if now >= since + timedelta(seconds=seconds.get(queue or "", 20))
        ]

    def unrouted(self, now: datetime) -> list[Route]:
        """Calls that still wait for their way, e.g. because the PBX did not answer the first time."""
        stuck = Call.objects.filter(
            ended_at=None, direction=Call.IN, started_at__lt=now - timedelta(seconds=4), visits=None, legs=None
        )
        return [self._route_again(call) for call in stuck]

    def _route_again(self, call: Call) -> Route:
        if routing.is_blocked(call.number_token):
            return Route(call.call_id, refuse=True)
        found = routing.queue_for(call.called or "")
        return Route(call.call_id, queue=found[0].key) if found else Route(call.call_id, refuse=True)

    def seats(self, now: datetime) -> dict[str, str]:
        """extension → 工号 of everybody signed in. Who left his seat meanwhile is signed out, after his call if he has one."""
        signed_in = list(AgentProfile.objects.exclude(state=AgentProfile.NULL).select_related("user"))
        standing = [one for one in signed_in if not one.extension and one.after_call_state != AgentProfile.NULL]
        if standing:
            with self.mine():
                for profile in standing:
                    self._move(profile.pk, Trigger.force_sign_out, now, reason="seat_left")
        return {profile.extension: profile.user.number for profile in signed_in if profile.extension}

    # --- commands ----------------------------------------------------------------------------------------------

    def take_commands(self, now: datetime) -> list[Wish]:
        """Commands nobody has taken yet, in the order they were given."""
        rows = Command.objects.filter(state=Command.SENT, taken_at=None).select_related("agent__user", "call")
        if not rows.exists():
            return []
        with self.mine():
            taken = []
            for row in rows.order_by("id")[:100]:
                if Command.objects.filter(pk=row.pk, taken_at=None).update(taken_at=now):
                    taken.append(self._wish(row))
            return taken

    @staticmethod
    def _wish(row: Command) -> Wish:
        leg = None
        if row.call is not None and row.agent is not None:
            leg = calls.leg_of(row.call, row.agent)
        return Wish(
            id=row.pk,
            name=row.name,
            params=row.params,
            agent=row.agent_id,
            number=row.agent.user.number if row.agent else "",
            device=(row.agent.extension or "") if row.agent else "",
            call_id=row.call.call_id if row.call else "",
            connection=leg.connection if leg else "",
            is_offer=bool(leg and leg.answered_at is None and row.call.direction == Call.IN),
        )

    def carry_out_state(self, wish: Wish, now: datetime) -> None:
        """A wish about the agent's own state, done or refused at once: nothing in the PBX is asked."""
        with self.mine():
            try:
                with transaction.atomic():
                    self._apply_wish(wish, now)
            except TransitionRefused as refused:
                self._finish(wish.id, Command.REFUSED, refused.code, "", now)
            except DomainError as refused:
                self._finish(wish.id, Command.REFUSED, refused.code, "", now)
            except states.StateBusy:
                self._finish(wish.id, Command.REFUSED, "changed_meanwhile", "", now)
            else:
                self._finish(wish.id, Command.DONE, "", "", now)

    def _apply_wish(self, wish: Wish, now: datetime) -> None:
        if wish.agent is None:
            raise DomainError("no_agent")
        if wish.name == "sign_in":
            self._after_move(states.sign_in(wish.agent, wish.params["groups"], wish.params["skills"], now))
            return
        details: dict[str, Any] = {}
        if wish.name == "not_ready":
            until = wish.params.get("until")
            details["reason"] = wish.params.get("reason", "")
            details["until"] = datetime.fromisoformat(until) if until else None
        if wish.name == "wrap_up_start" and states.read(_profile(wish.agent)).state is State.busy:
            return  # wrap-up follows the call anyway
        done = states.change(wish.agent, STATE_COMMANDS[wish.name], now, **details)
        if wish.name == "wrap_up_extend":
            calls.count_extension(done.profile, now)
        self._after_move(done)

    def begin_dialling(self, wish: Wish, now: datetime) -> states.Change:
        """The agent is busy with the call he is about to make. TransitionRefused when he cannot be."""
        with self.mine():
            contact = ("voice", wish.params["call_id"])
            done = states.change(wish.agent, Trigger.dialled, now, contact=contact)  # type: ignore[arg-type]
            self._after_move(done)
            return done

    def finish(self, command: int, state: str, code: str, reason: str, now: datetime) -> None:
        with self.mine():
            self._finish(command, state, code, reason, now)

    @staticmethod
    def _finish(command: int, state: str, code: str, reason: str, now: datetime) -> None:
        values = {"state": state, "code": code or None, "reason": reason[:200] or None, "finished_at": now}
        done = Command.objects.filter(pk=command, state=Command.SENT).update(**values)
        if done and state in (Command.REFUSED, Command.SILENT):
            user = Command.objects.filter(pk=command).values_list("agent__user", flat=True).get()
            if user is not None:
                publish(CommandRefused(command, user))


def dialled_number(params: dict[str, Any]) -> str:
    """The number of a dial command, which its row keeps sealed."""
    return seals.unseal(params["number"], bound_to="command")


def _profile(agent: int) -> AgentProfile:
    return AgentProfile.objects.select_related("user").get(pk=agent)
