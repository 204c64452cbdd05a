"""Whatever is commanded and whoever hangs up: the books of the call, the agents and the switch agree."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cti import events as e
from cti.acd import AgentView, Policy, Waiting, distribute
from cti.agent_states import AgentState, State, TransitionRefused, Trigger, allowed, apply, expire, triggers_of
from cti.clock import HandClock, settle
from cti.drivers.simulator import Caller, FarEnd, SimulatorSwitch
from cti.fold import CallStatus, fold, milliseconds
from cti.model import OUTSIDE, RING_CAUSES, Cause, ConnectionState
from cti.resync import reconcile
from cti.switch import SwitchRefused

AGENTS = {"1001": "8001", "1002": "8002", "1003": "8003"}
seconds = st.floats(min_value=0, max_value=45, allow_nan=False)
picks = st.integers(min_value=0, max_value=5)


def check_sums(state, now):
    """Times of a call never exceed its length, and those of a leg never the leg's."""
    length = milliseconds(state.started_at, state.ended_at or now)
    assert state.talk_ms + state.hold_ms <= length
    assert state.wait_ms + state.talk_ms + state.hold_ms <= length + 2  # each is rounded down by itself
    for leg in state.legs:
        assert leg.ring_ms + leg.talk_ms + leg.hold_ms <= milliseconds(leg.offered_at, leg.ended_at or now)
        assert bool(leg.result) is (leg.ended_at is not None)
    for visit in state.visits:
        assert visit.wait_ms <= length
    if not state.is_open:
        assert all(not leg.is_open for leg in state.legs)
        assert all(visit.result for visit in state.visits)
        assert state.outcome in {"answered", "abandoned", "short", "blocked", "no_answer"}


class Floor(RuleBasedStateMachine):
    """Three agents, a simulated PBX, and everything that people may do, in any order."""

    drops = frozenset()

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = HandClock()
        self.switch = SimulatorSwitch(clock=self.clock, seed=11)
        self.switch.faults.drop = self.drops
        self.events = []
        self.agents = {}
        self.made = 0
        self.run(self.open())

    def teardown(self):
        self.runner.close()

    async def open(self):
        await self.switch.connect(self.hear)
        for agent, device in AGENTS.items():
            await self.switch.register(device, agent=agent)
            state = AgentState(agent=agent, since=self.clock.now())
            self.agents[agent] = apply(apply(state, Trigger.sign_in, self.clock.now()), Trigger.ready, self.clock.now())

    def run(self, work):
        async def then_settle():
            with suppress(SwitchRefused):
                await work
            await settle()

        self.runner.run(then_settle())

    def hear(self, event):
        agent = getattr(event, "agent", "")
        if agent in self.agents:
            legs = {}
            if any(one.call_id == event.call_id for one in self.events) and event.call_id:
                legs = {leg.connection: leg for leg in self.state(event.call_id).legs}
            leg = legs.get(getattr(event, "connection", ""))
            for trigger in triggers_of(event, leg is not None and leg.answered_at is not None):
                self.agents[agent] = apply(self.agents[agent], trigger, event.at, contact=("voice", event.call_id))
        self.events.append(event)

    def state(self, call_id, now=None):
        return fold([one for one in self.events if one.call_id == call_id], now)

    def states(self):
        return [self.state(key, self.clock.now()) for key in dict.fromkeys(e.call_id for e in self.events if e.call_id)]

    def calls(self):
        return list(self.switch._calls)

    def connections(self):
        return [leg for call in self.switch._calls.values() for leg in call.legs]

    def pick(self, things, number):
        return things[-1 - number % len(things)]

    # --- what people do ---------------------------------------------------------------------------------------------

    @rule(patience=st.none() | seconds, talks=st.none() | seconds)
    def a_customer_rings(self, patience, talks):
        async def ring():
            self.switch.customer_calls("outside-1", "hotline", Caller(patience=patience, talks=talks))

        self.run(ring())

    @precondition(lambda self: self.switch._calls)
    @rule(number=picks)
    def a_customer_hangs_up(self, number):
        async def hang_up():
            self.switch.customer_hangs_up(self.pick(self.calls(), number))

        self.run(hang_up())

    @precondition(lambda self: self.switch._calls)
    @rule(number=picks, queue=st.sampled_from(["main", "overflow"]))
    def a_call_is_queued(self, number, queue):
        self.run(self.switch.queue(self.pick(self.calls(), number), queue))

    @precondition(lambda self: self.switch._calls)
    @rule(number=picks)
    def a_call_is_refused(self, number):
        self.run(self.switch.refuse(self.pick(self.calls(), number), Cause.blocked))

    @precondition(lambda self: self.switch._calls)
    @rule(number=picks, agent=st.sampled_from(list(AGENTS)))
    def a_call_is_offered_to_a_ready_agent(self, number, agent):
        call_id = self.pick(self.calls(), number)

        async def offer():
            before = self.agents[agent]
            try:
                self.agents[agent] = apply(before, Trigger.offered, self.clock.now(), contact=("voice", call_id))
            except TransitionRefused:
                return
            try:
                await self.switch.deliver(call_id, AGENTS[agent])
            except SwitchRefused:
                self.agents[agent] = before

        self.run(offer())

    @precondition(lambda self: self.switch._calls)
    @rule(number=picks, device=st.sampled_from(["8001", "8002", "8999"]))
    def a_call_is_delivered_without_asking(self, number, device):
        self.run(self.switch.deliver(self.pick(self.calls(), number), device))

    @precondition(lambda self: self.connections())
    @rule(number=picks, command=st.sampled_from(["answer", "hold", "retrieve", "clear_connection"]))
    def an_agent_presses_a_button(self, number, command):
        self.run(getattr(self.switch, command)(self.pick(self.connections(), number)))

    @precondition(lambda self: self.connections())
    @rule(number=picks, on=st.booleans())
    def an_agent_mutes(self, number, on):
        self.run(self.switch.mute(self.pick(self.connections(), number), on))

    @precondition(lambda self: self.connections())
    @rule(number=picks, cause=st.sampled_from(sorted(RING_CAUSES)))
    def a_ring_is_withdrawn(self, number, cause):
        self.run(self.switch.clear_connection(self.pick(self.connections(), number), cause))

    @precondition(lambda self: self.switch._calls)
    @rule(number=picks)
    def a_call_is_cut(self, number):
        self.run(self.switch.clear_call(self.pick(self.calls(), number)))

    @rule(
        device=st.sampled_from([*AGENTS.values(), "8999"]),
        number=st.sampled_from(["far-1", "8001", "8002"]),
        answer=st.sampled_from(["answers", "busy", "no_answer", "rejects"]),
    )
    def an_agent_dials(self, device, number, answer):
        self.made += 1
        self.switch.far_ends["far-1"] = FarEnd(answer=answer, after=3, talks=20)
        self.run(self.switch.make_call(device, number, f"made{self.made}"))

    @rule(device=st.sampled_from(list(AGENTS.values())), on=st.booleans())
    def a_phone_comes_and_goes(self, device, on):
        agent = next(name for name, own in AGENTS.items() if own == device)
        self.run(self.switch.register(device, agent=agent) if on else self.switch.unregister(device))

    @rule(agent=st.sampled_from(list(AGENTS)), trigger=st.sampled_from(list(Trigger)[:12]))
    def somebody_changes_an_agents_state(self, agent, trigger):
        try:
            self.agents[agent] = apply(self.agents[agent], trigger, self.clock.now(), reason="rest")
        except TransitionRefused:
            assert trigger not in allowed(self.agents[agent])

    @rule(span=seconds)
    def time_passes(self, span):
        self.run(self.clock.forward(span))
        self.agents = {name: expire(state, self.clock.now()) for name, state in self.agents.items()}

    # --- what holds -------------------------------------------------------------------------------------------------

    @invariant()
    def times_add_up(self):
        for state in self.states():
            check_sums(state, self.clock.now())

    @invariant()
    def order_and_repetition_do_not_matter(self):
        for state in self.states():
            told = [one for one in self.events if one.call_id == state.call_id]
            shuffled = told * 2
            random.Random(1).shuffle(shuffled)
            assert fold(shuffled, self.clock.now()) == state

    def snapshot(self):
        return self.runner.run(self.switch.snapshot())


class SoundFloor(Floor):
    """Nothing is lost between the PBX and us."""

    @invariant()
    def the_books_and_the_switch_agree(self):
        assert reconcile(self.states(), self.snapshot(), self.clock.now()) == []

    @invariant()
    def nobody_is_ready_while_on_a_call(self):
        on_a_call = {agent for state in self.states() for agent in state.agents}
        for name, agent in self.agents.items():
            if name in on_a_call:
                assert agent.state in (State.busy, State.null), f"{name} is {agent.state} on a call"
                assert not agent.can_take("voice")
            else:
                assert agent.state is not State.busy, f"{name} is busy with nothing"

    @invariant()
    def a_phone_is_on_one_call_at_a_time(self):
        devices = [one.device for call in self.snapshot() for one in call.agent_connections]
        assert len(devices) == len(set(devices))

    @invariant()
    def each_connection_ends_once_and_the_end_is_the_end(self):
        over, ended = set(), set()
        for event in self.events:
            assert event.call_id not in over or not event.call_id
            if isinstance(event, e.CallCleared):
                over.add(event.call_id)
            if isinstance(event, e.ConnectionCleared | e.Diverted | e.Failed):
                assert event.connection not in ended
                ended.add(event.connection)

    @invariant()
    def a_talk_has_two_sides(self):
        talking = {ConnectionState.connected, ConnectionState.hold}
        for call in self.snapshot():
            assert call.connections
            if call.answered_at is not None:
                assert len(call.connections) >= 2
                assert {one.state for one in call.connections} <= talking
                assert OUTSIDE in {one.device for one in call.connections} or len(call.agent_connections) == 2


class LeakyFloor(Floor):
    """The PBX forgets to tell of answers, holds and ends; the resync makes it good."""

    drops = frozenset({e.Established, e.Held, e.ConnectionCleared, e.CallCleared, e.Diverted})

    @invariant()
    def after_a_resync_the_books_and_the_switch_agree(self):
        now = self.clock.now()
        told = list(self.events)
        inferred = reconcile(self.states(), self.snapshot(), now)
        told += inferred
        states = [
            fold([one for one in told if one.call_id == call_id], now)
            for call_id in dict.fromkeys(one.call_id for one in told if one.call_id)
        ]
        assert reconcile(states, self.snapshot(), now) == []
        for state in states:
            check_sums(state, now)


# few of them: each step runs the loop and folds all calls anew
SoundFloor.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
LeakyFloor.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
TestSoundFloor = SoundFloor.TestCase
TestLeakyFloor = LeakyFloor.TestCase


# --- agent states by themselves ---------------------------------------------------------------------------------------

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
contacts = st.tuples(st.sampled_from(["voice", "chat"]), st.sampled_from(["1", "2", "3"]))
steps = st.lists(st.tuples(st.sampled_from(list(Trigger)), contacts, st.integers(0, 60)), max_size=40)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_no_sequence_of_acts_and_facts_leads_an_agent_astray(acts):
    state, now = AgentState(agent="1001", since=NINE, capacity={"voice": 1, "chat": 2}), NINE
    for trigger, contact, later in acts:
        now += timedelta(seconds=later)
        state = expire(state, now)
        try:
            state = apply(state, trigger, now, reason="rest", by="2001", contact=contact)
        except TransitionRefused as refusal:
            assert refusal.code  # noqa: PT017 - a refusal is one of the two right ends
            assert trigger not in {Trigger.found, Trigger.ended, Trigger.withdrawn, Trigger.unanswered}
        if state.load("voice"):
            assert state.state is State.busy
        if state.state is State.busy:
            assert state.contacts
        if state.state is State.after_call:
            assert state.until is not None
            assert state.until > now
        if state.state is State.null:
            assert not state.contacts
            assert not state.is_paused
        if state.is_paused:
            assert state.state is not State.ready
        if state.can_take("voice"):
            assert state.state is State.ready
            assert not state.load("voice")
        assert state.load("chat") <= 2 or trigger is Trigger.found or any(t is Trigger.found for t, _, _ in acts)
        assert state.since <= now


# --- distribution by itself -------------------------------------------------------------------------------------------

names = [f"10{n:02}" for n in range(6)]
views = st.lists(
    st.builds(
        AgentView,
        agent=st.sampled_from(names),
        device=st.just("8000"),
        state=st.sampled_from(list(State)),
        can_take=st.booleans(),
        idle_since=st.integers(0, 500).map(lambda ago: NINE - timedelta(seconds=ago)),
        groups=st.frozensets(st.sampled_from(["consult", "vip"])),
        skills=st.dictionaries(st.sampled_from(["english", "pharmacy"]), st.integers(1, 3)),
        is_online=st.booleans(),
        taken=st.integers(0, 9),
    ),
    unique_by=lambda view: view.agent,
    max_size=6,
)
waiting_calls = st.lists(
    st.builds(
        Waiting,
        call_id=st.sampled_from([f"c{n}" for n in range(6)]),
        queue=st.sampled_from(["main", "vip"]),
        entered_at=st.integers(0, 400).map(lambda ago: NINE - timedelta(seconds=ago)),
        priority=st.integers(1, 4),
        owner=st.sampled_from(["", *names]),
        designated=st.lists(st.sampled_from(names), max_size=2).map(tuple),
        groups=st.frozensets(st.sampled_from(["consult", "vip"])),
        skills=st.dictionaries(st.sampled_from(["english"]), st.integers(1, 3)),
        rang=st.dictionaries(st.sampled_from(names), st.just(NINE)),
    ),
    unique_by=lambda call: call.call_id,
    max_size=6,
)
policies = st.builds(Policy, strategy=st.sampled_from(["longest_idle", "fewest_taken", "best_skill"]))


@settings(max_examples=200, deadline=None)
@given(waiting_calls, views, policies)
def test_every_round_gives_calls_to_free_agents_only_and_explains_everybody(calls, agents, policy):
    people = {view.agent: view for view in agents}
    decisions = distribute(calls, agents, NINE, policy=policy)
    assert {one.call_id for one in decisions} == {call.call_id for call in calls}
    chosen = [one.agent for one in decisions if one.agent is not None]
    assert len(chosen) == len(set(chosen))
    for one in decisions:
        verdicts = {found.agent: found.verdict for found in one.considered}
        assert verdicts.keys() == people.keys()
        assert all(verdicts.values())
        assert [name for name, verdict in verdicts.items() if verdict == "chosen"] == [one.agent] * bool(one.agent)
        if one.agent is not None:
            view = people[one.agent]
            assert view.state is State.ready
            assert view.can_take
            assert view.is_online
        if one.ask_again_at is not None:
            assert one.ask_again_at > NINE
        json.dumps(one.explain())


@settings(max_examples=100, deadline=None)
@given(waiting_calls, views, policies)
def test_nobody_waits_while_somebody_free_could_take_the_call_and_no_owner_is_awaited(calls, agents, policy):
    decisions = distribute(calls, agents, NINE, policy=policy)
    for one in decisions:
        if one.agent is None and not one.reason.startswith("waiting_for"):
            free = {"longer_idle_first", "fewer_taken_first", "better_skill_first", "not_owner", "chosen", ""}
            assert not {found.verdict for found in one.considered} & free


def test_the_status_of_a_call_is_one_of_csta_or_its_phases():
    assert {status.value for status in CallStatus} == {
        "routing", "queued", "ringing", "dialling", "talking", "held", "ended",
    }  # fmt: skip
