"""Two clinics with something on their shelves, a customer, and people. A case is a ticket without a flow: the tests call the verbs a flow
calls."""

from __future__ import annotations

import itertools
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from engine.verbs import REGISTRY, Context
from tests.clinics.cast import a_clinic, a_product, shelf, the_organisation
from tests.support.cast import a_customer, a_user, an_agent
from web.accounts.models import Group, Membership
from web.common import clock
from web.customers.models import Customer
from web.jobs import services as jobs
from web.orders.models import Order, OrderLine
from web.payments import services as payments
from web.payments.models import PaymentRequest, Refund
from web.tickets.models import Ticket

HERE, THERE = "guangzhou-donghu", "shenzhen-luohu"
_numbers = itertools.count(1)


class Case:
    """One purchase ticket and what its flow says."""

    def __init__(self, centre: Centre, customer: Customer | None) -> None:
        self.centre, self.customer = centre, customer
        number = f"T20261123-{next(_numbers):04d}"
        self.ticket = Ticket.objects.create(number=number, kind="purchase", customer=customer)
        self.key, self.steps, self.actor = self.ticket.key, itertools.count(1), centre.anna

    def call(self, name: str, answers: dict[str, Any] | None = None, *, step: str = "", **params: Any) -> dict:
        """A verb, checked against its schemas both ways. Each call is another step of the flow unless `step` names one."""
        context = Context(
            instance_key=f"instance:{self.ticket.pk}",
            business_key=self.key,
            now=clock.now(),
            element="x",
            task_id=step or f"step-{next(self.steps)}",
            submission=SimpleNamespace(data=answers) if answers is not None else None,
            actor=self.actor,
        )
        return REGISTRY.call(f"orders.{name}", context, params)

    def quote(self, product: str = "moxa", quantity: int = 1, clinic: str = HERE, *, hours: int = 24) -> dict:
        until = (clock.now() + timedelta(hours=hours)).isoformat()
        return self.call("quote", product=product, quantity=quantity, clinic=clinic, until=until)

    def place(self, lines: Any = (("moxa", 1),), clinic: str = HERE, *, step: str = "", **params: Any) -> dict:
        rows = [{"product": product, "quantity": quantity} for product, quantity in lines]
        return self.call("place", {"lines": rows}, step=step, clinic=clinic, **params)

    @property
    def order(self) -> Order:
        return Order.objects.filter(business_key=self.key).latest("pk")

    def payment(self, amount_fen: int | None = None) -> str:
        """Money that finance has in hand."""
        request = payments.ask_for_payment(
            key=f"pay:{self.key}:{next(self.steps)}",
            business_key=self.key,
            amount_fen=amount_fen or self.order.amount_fen,
            deadline="",
            way="desk",
            purpose="purchase",
            acting_user=self.actor,
        )
        assert payments.confirm_at_desk(request, way="cash", acting_user=self.centre.fay) == "paid"
        return request.number

    def pay(self, payment: str = "") -> str:
        return self.call("pay", order=self.order.number, payment=payment or self.payment())["outcome"]

    def pick(self, **answers: Any) -> None:
        """Through the pharmacy, ready for the customer."""
        self.call("to_pharmacy", order=self.order.number)
        self.call("dispense", answers, order=self.order.number, shortage=False)
        self.call("ready", order=self.order.number)

    def sell(self, lines: Any = (("moxa", 1),)) -> Order:
        """From the wish to the customer's hand."""
        assert self.place(lines)["outcome"] == "placed"
        assert self.pay() == "paid"
        self.pick()
        assert self.call("hand_over", {}, order=self.order.number, how="pickup")["outcome"] == "complete"
        self.call("complete", order=self.order.number)
        return self.order

    def refund(self, amount_fen: int = 0) -> str:
        """Money back by four eyes, done."""
        request = PaymentRequest.objects.get(number=self.order.payment)
        _, refund = payments.want_refund(
            request,
            amount_fen=amount_fen,
            reason="return",
            key=f"back:{self.key}:{next(self.steps)}",
            business_key=self.key,
            acting_user=self.centre.anna,
        )
        assert payments.decide_refund(refund, decision="approve", acting_user=self.centre.sue) == "approved"
        payments.execute_refund(Refund.objects.get(pk=refund.pk), acting_user=self.centre.fred)
        jobs.sweep()
        assert Refund.objects.get(pk=refund.pk).state == Refund.DONE
        return refund.number


class Centre:
    """moxa 3600 fen (5 here, 9 there), ginseng 100 000 (2 here), sitting 20 000: physiotherapy, rhino on prescription (3 here)."""

    def __init__(self) -> None:
        the_organisation()
        self.here, self.there = a_clinic(HERE), a_clinic(THERE)
        self.moxa = a_product("moxa", guangzhou_donghu=5, shenzhen_luohu=9)
        self.ginseng = a_product("ginseng", price_fen=100_000, guangzhou_donghu=2)
        self.sitting = a_product("sitting", price_fen=20_000, guangzhou_donghu=50)
        self.sitting.category = "physiotherapy"
        self.sitting.save()
        self.rhino = a_product("rhino", price_fen=5_000, guangzhou_donghu=3)
        self.rhino.prescription_only = True
        self.rhino.save()
        self.anna, self.ben = an_agent("1023", "booking"), an_agent("1024", "booking")
        self.sue, self.max = a_user("1011", "supervisor", "operations"), a_user("1002", "manager", "centre")
        self.fay, self.fred = a_user("1061", "finance", "finance"), a_user("1062", "finance", "finance")
        self.cora = self.staff("1071", "clinic", f"clinic-{HERE}")
        self.carl = self.staff("1072", "clinic", f"clinic-{THERE}")
        self.phil = self.staff("1051", "pharmacy", f"pharmacy-{HERE}")
        self.wang = a_customer(owner=self.anna)

    @staticmethod
    def staff(number: str, role: str, group: str):
        user = a_user(number, role)
        Membership.objects.create(user=user, group=Group.objects.get(key=group))
        return user

    def case(self, customer: Customer | None = None) -> Case:
        return Case(self, customer or self.wang)

    def stranger(self) -> Case:
        """A case of a customer of his own."""
        number = next(_numbers)
        return Case(self, a_customer(f"+86199001{number:05d}", owner=self.ben, name="李秀英"))

    def shelf(self, product: Any = None, clinic: Any = None) -> tuple[int, int]:
        return shelf(product or self.moxa, clinic or self.here)


def lines_of(order: Order) -> list[tuple]:
    return [
        (line.product.key, line.quantity, line.price_fen, line.discount_percent, line.discount_kind, line.amount_fen)
        for line in OrderLine.objects.filter(order=order).order_by("product__key")
    ]
