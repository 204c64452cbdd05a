"""Whatever customers, clocks, wires and finance do, and in whatever order: our book and the provider's ledger agree in the end, nobody is
charged twice, nothing is given back twice, and no money is silent (W-53, W-99)."""

from __future__ import annotations

import json

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from integrations.fakes.payment_provider import Refused
from tests.payments.cast import FEE, asked, deploy, work
from web.jobs.models import InboundMessage
from web.payments import services
from web.payments.api import read_notice
from web.payments.models import PaymentNotice, PaymentRequest, Refund

WHICH = st.integers(0, 2)
ACTS = st.one_of(
    st.tuples(st.sampled_from(["pay", "pay_again", "decline", "close", "cancel", "query", "desk"]), WHICH),
    st.tuples(st.sampled_from(["want", "approve", "reject", "execute", "drop", "finish", "fail"]), WHICH),
    st.tuples(st.just("hear"), st.integers(0, 20)),
    st.tuples(st.just("trouble"), st.sampled_from(["down", "lost", "refuse"])),
    st.tuples(st.just("pass"), st.sampled_from([1, 15, 600, 1799, 1801])),
)


class World:
    """Three requests, a provider whose notices wait until somebody delivers them, in any order, as often as he likes."""

    def __init__(self, cast) -> None:
        self.cast, self.clock = cast, cast.clock
        self.ledger = cast.ledger
        self.ledger.__init__(now=cast.clock.now)
        self.ledger.gateway = cast.gateway
        cast.gateway.trouble.clear()
        self.events: list[dict] = []
        for number in range(3):
            asked(f"k-{number}", acting_user=cast.ben)
        work()

    def act(self, name: str, what) -> None:
        if name == "pass":
            self.clock.forward(seconds=what)
        elif name == "trouble":
            self.cast.gateway.trouble.append(what)
        elif name == "hear":
            if self.events:
                self._hear(self.events[what % len(self.events)])
        elif name in ("pay", "pay_again", "decline"):
            self._customer(name, f"k-{what}")
        elif name in ("finish", "fail"):
            self._provider(name, what)
        else:
            self._ours(name, what)
        work(2)

    def _hear(self, event: dict) -> None:
        services.take_notice(read_notice(json.dumps(event).encode()))

    def _customer(self, name: str, key: str) -> None:
        try:
            if name == "decline":
                self.events.append(self.ledger.declined_event(key))
            else:
                self.events.append(self.ledger.paid_event(self.ledger.pay(key, again=name == "pay_again")))
        except (Refused, KeyError):
            return

    def _provider(self, name: str, what: int) -> None:
        pending = [key for key, row in self.ledger.refunds.items() if row["state"] == "pending"]
        if pending:
            key = pending[what % len(pending)]
            self.ledger.refunds[key]["fails"] = name == "fail"
            self.ledger.finish_refund(key)
            self.events.append(self.ledger.refund_event(key))

    def _ours(self, name: str, what: int) -> None:
        cast, request = self.cast, PaymentRequest.objects.get(key=f"k-{what}")
        if name in ("close", "cancel"):
            services.close(request, reason="cancelled" if name == "cancel" else "timeout")
        elif name == "query":
            services.query(request, key=f"q-{self.clock().isoformat()}-{what}")
        elif name == "desk":
            services.confirm_at_desk(request, way="cash", acting_user=cast.fay)
        elif name == "want":
            amount = [0, FEE // 2, FEE][what]
            key = f"r-{Refund.objects.count()}"
            about = {"reason": "x", "business_key": "ticket:T-none"}
            services.want_refund(request, amount_fen=amount, key=key, acting_user=cast.anna, **about)
        else:
            self._refund(name, what)

    def _refund(self, name: str, what: int) -> None:
        refunds = list(Refund.objects.order_by("pk"))
        if not refunds:
            return
        refund, cast = refunds[what % len(refunds)], self.cast
        if name in ("approve", "reject"):
            services.decide_refund(refund, decision=name, acting_user=cast.sue)
        elif name == "execute":
            services.execute_refund(refund, acting_user=cast.fay)
        elif refund.state != Refund.EXECUTING:
            services.drop_refund(refund, acting_user=cast.fay)

    # What must be true at any moment.

    def check(self) -> None:
        for request in PaymentRequest.objects.all():
            held = [row for row in request.refunds.all() if row.state != Refund.REJECTED]
            assert request.refund_fen == sum(row.amount_fen for row in held) <= request.received_fen
            charges = [one for one in self.ledger.charges if one["key"] == request.key]
            by_desk = FEE if request.desk_way else 0
            assert request.received_fen <= len(charges) * FEE + by_desk
            known = request.notices.exclude(charge=None).count()
            assert request.received_fen == known * FEE + by_desk
            paid = InboundMessage.objects.filter(message_id=f"payment.result:{request.pk}:paid")
            assert paid.count() <= 1
        for key in {row["payment_key"] for row in self.ledger.refunds.values()}:
            given_ = [
                row for row in self.ledger.refunds.values() if row["payment_key"] == key and row["state"] != "failed"
            ]
            charged = sum(one["amount_fen"] for one in self.ledger.charges if one["key"] == key)
            assert sum(row["amount_fen"] for row in given_) <= charged

    def settle(self) -> None:
        """The wires heal, every notice comes, every wait ends, every question is answered."""
        self.cast.gateway.trouble.clear()
        self.clock.forward(minutes=30)
        for key in [key for key, row in self.ledger.refunds.items() if row["state"] == "pending"]:
            self.ledger.finish_refund(key)
            self.events.append(self.ledger.refund_event(key))
        for event in self.events:
            self._hear(event)
        for _ in range(6):
            for request in PaymentRequest.objects.all():
                services.close(request)
            work(2)
            self.clock.forward(minutes=13)
        for refund in Refund.objects.filter(state=Refund.EXECUTING):
            services.query_refund(refund, key=f"end-{refund.pk}")
        work(2)

    def agree(self) -> None:
        for request in PaymentRequest.objects.all():
            charges = [one for one in self.ledger.charges if one["key"] == request.key]
            by_desk = FEE if request.desk_way else 0
            assert request.received_fen == len(charges) * FEE + by_desk, "money the provider has and we do not know of"
            assert not request.is_open
            # What came and is not the price of a paid request is held by, or went back through, refunds.
            late = PaymentNotice.objects.filter(request=request, verdict="late", kind="payment.paid").exclude(
                charge=None
            )
            assert request.refunds.filter(reason="late_payment").count() <= late.count()
            free = request.received_fen - request.refund_fen
            if request.state in (PaymentRequest.EXPIRED, PaymentRequest.CANCELLED, PaymentRequest.FAILED):
                dropped = request.refunds.filter(state=Refund.REJECTED).exists()
                assert free == 0 or dropped, "late money is silent"
        ours = sum(row.amount_fen for row in Refund.objects.filter(state=Refund.DONE).exclude(provider_id=None))
        theirs = sum(row["amount_fen"] for row in self.ledger.refunds.values() if row["state"] == "done")
        assert ours == theirs


@pytest.fixture
def drawn(cast):
    """The flows, published once for all examples."""
    deploy()
    return cast


@pytest.mark.req("W-53", "W-99", "P-12")
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # making a failure smaller takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(ACTS, min_size=4, max_size=22))
def test_in_any_order_the_book_and_the_ledger_agree_in_the_end(drawn, acts) -> None:
    begun = drawn.clock.now()
    try:
        with transaction.atomic():
            world = World(drawn)
            for act in acts:
                world.act(*act)
                world.check()
            world.settle()
            world.check()
            world.agree()
            transaction.set_rollback(True)
    finally:
        drawn.clock.set(begun)


def test_the_machine_sees_a_product_that_trusts_a_second_event(cast):
    """A planted mistake: charges are not remembered, so the same money counts twice under another event id."""
    deploy()
    world = World(cast)
    cast.clock.forward(seconds=1)
    world.act("pay", 0)
    (event,) = world.events
    services.take_notice(read_notice(json.dumps(event).encode()))
    PaymentNotice.objects.update(charge=None)
    world.events.append({**event, "id": "other"})
    world._hear(world.events[-1])
    with pytest.raises(AssertionError):
        world.check()
