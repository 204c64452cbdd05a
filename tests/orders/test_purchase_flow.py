"""The drawn purchase with the real verbs: from the agent's first form to pick-up, and back (REQUIREMENTS 9.3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.orders.cast import HERE, Centre
from tests.payments.cast import deploy
from tests.support.cast import a_user
from tests.support.http import as_user
from web.clinics import services as clinics
from web.common.errors import NotAllowed
from web.jobs import services as jobs
from web.jobs.models import Incident
from web.membership import services as membership
from web.messaging.models import OutboundMessage, Template
from web.orders.models import Order
from web.tickets import services as tickets
from web.tickets.models import Ticket
from web.workflow import services as workflow
from web.workflow.models import UserTask

FLOW_TEMPLATES = ("clinic_location", "order_ready", "medication_reminder", "payment_received")


class Purchase:
    """One purchase ticket of Anna's and those who work on it."""

    def __init__(self, centre: Centre, clock) -> None:
        self.centre, self.clock = centre, clock
        self.ticket = tickets.open_ticket(
            acting_user=centre.anna, kind="purchase", customer=centre.wang, number="+8619900001001"
        )
        self.work()

    def work(self) -> None:
        for _ in range(8):
            if not jobs.sweep():
                return

    def task(self, element: str) -> UserTask:
        return UserTask.objects.get(instance=self.ticket.instance, state="open", element=element)

    def open(self) -> set[str]:
        return set(
            UserTask.objects.filter(instance=self.ticket.instance, state="open").values_list("element", flat=True)
        )

    def do(self, element: str, user, **answers) -> None:
        task = self.task(element)
        if task.assignee_id is None:
            workflow.claim(task, user)
        workflow.complete(self.task(element), user, answers, wait=False)
        self.work()
        assert not Incident.objects.exists(), Incident.objects.first()

    def register(self, product: str = "ginseng", quantity: int = 1, contact: str = "1071", **more) -> None:
        at = (self.clock.now() + timedelta(hours=6)).isoformat()
        answers = {"product": product, "quantity": quantity, "clinic": HERE, "contact": contact, "follow_up_at": at}
        self.do(
            "P1_register", self.centre.anna, **{**answers, "wechat_recommended": "no", "send_location": "no", **more}
        )

    def follow_up(self, result: str = "arrived", **more) -> None:
        self.do("P3_contact", self.centre.cora, contact_log="called", contact_result=result, **more)

    def place(self, *lines, pay_way: str = "desk", by=None, **more) -> None:
        rows = [{"product": product, "quantity": quantity} for product, quantity in lines or [("ginseng", 1)]]
        answers = {"clinic": HERE, "lines": rows, "delivery": "pickup", "pay_way": pay_way, **more}
        self.do("P4_order", by or self.centre.cora, order_act="place", **answers)

    def pay(self) -> None:
        answers = {"desk_way": "cash", "desk_amount_fen": self.order.amount_fen, "reference": "A-1"}
        self.do("P2_desk", self.centre.fay, desk_result="received", **answers)

    def dispense(self, **more) -> None:
        self.do("P6_dispense", self.centre.phil, shortage="no", lot="L-7", decoct="no", **more)

    def hand(self) -> None:
        self.do("P8_hand", self.centre.cora, hand_way="pickup", handed_to="himself")

    def refund(self) -> None:
        self.do("R1_approve", self.centre.sue, refund_decision="approve", comment="checked")
        self.do("R2_execute", self.centre.fred, refund_act="execute")
        self.work()

    @property
    def order(self) -> Order:
        return Order.objects.filter(business_key=self.ticket.key).latest("pk")

    @property
    def outcome(self) -> str | None:
        self.ticket.refresh_from_db()
        return self.ticket.outcome

    def texts(self) -> list[str]:
        return list(OutboundMessage.objects.order_by("pk").values_list("template", flat=True))


@pytest.fixture
def purchase(centre: Centre, clock, settings) -> Purchase:
    settings.SMS_URL = ""
    deploy()
    for key in FLOW_TEMPLATES:
        Template.objects.get_or_create(key=key, defaults={"body": f"{key} {{{{ ticket }}}}"})
    return Purchase(centre, clock)


@pytest.mark.req("W-88", "M-06", "M-07")
def test_from_the_first_question_to_pick_up(purchase: Purchase, centre: Centre, settings):
    settings.SMS_URL = "http://127.0.0.1:9/never"
    assert purchase.task("P1_register").assignee == centre.anna
    purchase.register(send_location="yes")
    assert purchase.task("P3_contact").assignee == centre.cora
    purchase.follow_up(reserve="yes")
    assert centre.shelf(centre.ginseng) == (2, 1)
    purchase.place()
    assert purchase.order.state == "awaiting_payment" and centre.shelf(centre.ginseng) == (2, 1)
    purchase.pay()
    assert purchase.order.state == "dispensing" and purchase.order.sold_by == centre.anna
    purchase.dispense(dose_days=1, dose_times=["08:00"])
    assert purchase.order.state == "ready"
    purchase.hand()
    assert (purchase.order.state, purchase.order.points) == ("done", 1000)
    assert membership.account(centre.wang)["points"] == 1000 and centre.shelf(centre.ginseng) == (1, 0)
    for _ in range(8):
        purchase.clock.forward(days=1)
        purchase.work()
    assert purchase.outcome == "sold"
    assert Ticket.objects.filter(kind="outbound_task", source="return_visit").count() == 1
    assert set(purchase.texts()) == set(FLOW_TEMPLATES)


@pytest.mark.req("W-39", "W-99")
def test_goods_given_back_in_time_are_refunded_by_four_eyes(purchase: Purchase, centre: Centre):
    purchase.register()
    purchase.follow_up()
    purchase.place()
    purchase.pay()
    purchase.dispense()
    purchase.hand()
    number = purchase.order.number
    answer = as_user(centre.cora).post(f"/api/orders/{number}/return", {"reason": "quality"}, format="json")
    assert answer.status_code == 202 and as_user(centre.cora).get(f"/api/orders/{number}").json()["can"] == ["return"]
    purchase.work()
    purchase.do("P10_return", centre.cora, return_act="refund", return_reason="quality", goods_back="yes")
    with pytest.raises(NotAllowed):
        workflow.claim(purchase.task("R1_approve"), centre.cora)
    purchase.refund()
    assert (purchase.order.state, purchase.order.refunded_fen) == ("refunded", 100_000)
    assert membership.account(centre.wang)["points"] == 0 and centre.shelf(centre.ginseng) == (2, 0)
    assert purchase.outcome == "refunded"


def test_after_seven_days_nothing_is_taken_back(purchase: Purchase, centre: Centre):
    purchase.register()
    purchase.follow_up()
    purchase.place()
    purchase.pay()
    purchase.dispense()
    purchase.hand()
    purchase.clock.forward(days=7)
    purchase.work()
    address = f"/api/orders/{purchase.order.number}/return"
    answer = as_user(centre.cora).post(address, {"reason": "quality"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_waiting")
    assert purchase.outcome == "sold"


@pytest.mark.req("W-98")
def test_a_shortage_at_the_pharmacy_is_refunded_when_the_customer_does_not_want_to_wait(
    purchase: Purchase, centre: Centre
):
    purchase.register()
    purchase.follow_up()
    purchase.place()
    purchase.pay()
    purchase.do("P6_dispense", centre.phil, shortage="yes", note="one is broken")
    assert purchase.order.is_short and purchase.open() == {"P3_contact"}
    purchase.follow_up("give_up", lost_reason="stock")
    assert purchase.order.state == "cancelled" and centre.shelf(centre.ginseng) == (2, 0)
    purchase.refund()
    assert purchase.order.state == "refunded" and purchase.outcome == "refunded"
    assert membership.account(centre.wang)["points"] == 0


@pytest.mark.req("W-92", "W-62")
def test_a_dearer_price_after_the_follow_up_time_is_heard_before_it_is_paid(purchase: Purchase, centre: Centre):
    purchase.register()
    purchase.follow_up("online")
    purchase.clock.forward(hours=7)
    clinics.set_price(centre.ginseng, 120_000, acting_user=centre.max)
    purchase.place(by=centre.anna)
    assert "P4_order" in purchase.open() and not Order.objects.exists()
    purchase.place(by=centre.anna)
    assert purchase.order.amount_fen == 120_000


def test_short_lines_come_back_to_the_form_and_nothing_is_kept(purchase: Purchase, centre: Centre):
    purchase.register()
    purchase.follow_up()
    purchase.place(("moxa", 1), ("ginseng", 3))
    assert purchase.open() == {"P4_order"} and not Order.objects.exists()
    assert centre.shelf() == (5, 0) and centre.shelf(centre.ginseng) == (2, 0)


def test_what_is_sold_on_prescription_waits_for_a_doctor(purchase: Purchase, centre: Centre):
    purchase.register("rhino")
    purchase.follow_up()
    purchase.place(("rhino", 1))
    doctor = a_user("1081", "doctor")
    with pytest.raises(NotAllowed):
        workflow.claim(purchase.task("P4d_check"), centre.ben)
    purchase.do("P4d_check", doctor, prescription_ok="yes")
    assert purchase.order.state == "awaiting_payment"


@pytest.mark.req("W-97")
def test_an_order_nobody_pays_is_closed_and_its_pieces_are_free(purchase: Purchase, centre: Centre):
    purchase.register()
    purchase.follow_up()
    purchase.place()
    assert centre.shelf(centre.ginseng) == (2, 1)
    purchase.clock.forward(hours=48)
    purchase.work()
    purchase.clock.forward(minutes=1)
    purchase.work()
    assert purchase.outcome == "unpaid" and purchase.order.state == "cancelled"
    assert centre.shelf(centre.ginseng) == (2, 0)


def test_a_customer_who_cancels_after_paying_has_his_money_back(purchase: Purchase, centre: Centre):
    purchase.register()
    purchase.follow_up()
    purchase.place()
    purchase.pay()
    number = purchase.order.number
    assert as_user(centre.anna).post(f"/api/orders/{number}/cancel", {}, format="json").status_code == 202
    purchase.work()
    assert purchase.open() == {"R1_approve"} and purchase.order.state == "cancelled"
    purchase.refund()
    assert purchase.order.state == "refunded" and purchase.outcome == "refunded"
    assert as_user(centre.anna).post(f"/api/orders/{number}/cancel", {}, format="json").status_code == 409


def test_what_the_courier_has_is_not_cancelled_any_more_but_arrives_and_may_be_returned(
    purchase: Purchase, centre: Centre
):
    purchase.register()
    purchase.follow_up()
    purchase.place()
    purchase.pay()
    purchase.dispense()
    cora, address = as_user(centre.cora), f"/api/orders/{purchase.order.number}"
    assert cora.get(address).json()["can"] == ["cancel"]
    purchase.do("P8_hand", centre.cora, hand_way="courier", courier_no="SF-1")
    assert purchase.order.state == "delivering" and cora.get(address).json()["can"] == ["delivered"]
    assert cora.post(f"{address}/cancel", {}, format="json").status_code == 409
    assert cora.post(f"{address}/delivered", {"reason": "signed"}, format="json").status_code == 202
    purchase.work()
    assert purchase.order.state == "done" and cora.get(address).json()["can"] == ["return"]


def test_a_contact_who_has_left_leaves_the_work_to_his_clinic_and_one_of_two_has_it(purchase: Purchase, centre: Centre):
    mate, stranger = centre.staff("1073", "clinic", f"clinic-{HERE}"), centre.carl
    centre.cora.is_active = False
    centre.cora.save()
    purchase.register()
    task = purchase.task("P3_contact")
    assert task.assignee is None
    with pytest.raises(NotAllowed):
        workflow.claim(task, stranger)
    workflow.claim(task, mate)
    with pytest.raises(Exception, match="task_taken"):
        workflow.claim(task, centre.staff("1074", "clinic", f"clinic-{HERE}"))


@pytest.mark.req("W-94")
def test_a_follow_up_nobody_makes_is_reassigned_by_the_supervisor(purchase: Purchase, centre: Centre):
    purchase.register()
    purchase.clock.forward(hours=6)
    purchase.work()
    assert purchase.open() == {"P3_contact", "R1_reassign"}
    mate = centre.staff("1073", "clinic", f"clinic-{HERE}")
    due = (purchase.clock.now() + timedelta(hours=20)).isoformat()
    purchase.do("R1_reassign", centre.sue, decision="reassign", assignee="1073", due_at=due, reason="absent")
    assert purchase.open() == {"P3_contact"} and purchase.task("P3_contact").assignee == mate
