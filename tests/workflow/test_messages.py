"""Messages: rows first, exactly the right instance, once (X-13)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.workflow.cast import again, start, task
from web.jobs import services as jobs
from web.jobs.models import InboundMessage
from web.workflow import services as workflow
from web.workflow.models import Awaited, UserTask

pytestmark = [pytest.mark.django_db, pytest.mark.req("X-13")]


def arrives(number: str = "M1", key: str = "ticket:T1", parcel: str = "P1", **more) -> InboundMessage:
    return jobs.receive(
        "parcel.arrived", message_id=number, business_key=key, keys={"parcel": parcel}, payload={"at": "door"}, **more
    )


def test_a_message_reaches_the_instance_with_the_same_case_and_key(cast) -> None:
    mine, other = start("parcel", parcel="P1"), start("parcel", key="ticket:T2", parcel="P1")
    message = arrives()
    jobs.sweep()
    assert task(mine, "unpack") and not UserTask.objects.filter(instance=other).exists()
    assert again(mine).data["arrived"] == {"at": "door"}
    message = again(message)
    assert (message.state, message.consumed_by) == (InboundMessage.CONSUMED, f"instance:{mine.pk}:arrival")
    assert not Awaited.objects.filter(instance=mine).exists()


@pytest.mark.parametrize("wrong", [{"key": "ticket:T9"}, {"parcel": "P2"}])
def test_a_message_for_another_case_or_key_changes_nothing_and_is_kept(cast, wrong) -> None:
    instance = start("parcel", parcel="P1")
    message = arrives(**wrong)
    jobs.sweep()
    assert again(message).state == InboundMessage.UNMATCHED and not UserTask.objects.exists()
    assert Awaited.objects.filter(instance=instance).exists()


def test_only_the_first_of_two_equal_waits_takes_it(cast) -> None:
    first, second = start("parcel", parcel="P1"), start("parcel", parcel="P1")
    arrives()
    jobs.sweep()
    assert UserTask.objects.filter(instance=first).exists() and not UserTask.objects.filter(instance=second).exists()


def test_the_same_message_again_changes_nothing(cast) -> None:
    start("parcel", parcel="P1")
    arrives()
    jobs.sweep()
    start("parcel", parcel="P1")
    for _ in range(20):
        arrives()
    jobs.sweep()
    assert InboundMessage.objects.count() == 1 and UserTask.objects.count() == 1
    assert workflow.deliver(InboundMessage.objects.get()) == 0


def test_an_early_message_waits_its_time_for_the_catch(cast, clock) -> None:
    message = arrives(ttl=timedelta(hours=1))
    jobs.sweep()
    assert again(message).state == InboundMessage.NEW
    instance = start("parcel", parcel="P1")
    assert task(instance, "unpack") and again(message).state == InboundMessage.CONSUMED
    clock.forward(hours=2)
    jobs.sweep()
    assert again(message).state == InboundMessage.CONSUMED


def test_an_early_message_whose_time_is_over_is_kept_as_expired(cast, clock) -> None:
    message = arrives(ttl=timedelta(hours=1))
    jobs.sweep()
    clock.forward(hours=1)
    jobs.sweep()
    assert again(message).state == InboundMessage.EXPIRED
    start("parcel", parcel="P1")
    assert not UserTask.objects.exists()


def test_a_flow_throws_to_another_case(cast) -> None:
    waiting = start("parcel", parcel="P7")
    start("courier", key="ticket:T2", parcel="P7", other="ticket:T1")
    jobs.sweep()
    assert task(waiting, "unpack") and again(waiting).data["arrived"] == {"from": "T2"}


def test_a_message_about_a_subject_reaches_everybody_who_waits_now_and_nobody_later(cast) -> None:
    one, two = start("listen", number="n1", customer="812"), start("listen", number="n1", customer="9")
    three = start("listen", number="n2", customer="7")
    jobs.receive("call.ended", message_id="c1", subject="number:n1", payload={"outcome": "answered"})
    jobs.sweep()
    late = start("listen", number="n1", customer="812")
    jobs.sweep()
    assert [again(one).data["heard"] for one in (one, two, three, late)] == [1, 1, 0, 0]
    message = InboundMessage.objects.get()
    assert (message.state, message.deliveries) == (InboundMessage.CONSUMED, 2)
    jobs.receive("call.ended", message_id="c2", subject="customer:812", payload={})
    jobs.sweep()
    assert [again(one).data["heard"] for one in (one, two, three, late)] == [2, 1, 0, 1]


def test_a_subject_nobody_waits_for_is_visible_but_never_delivered_later(cast) -> None:
    message = jobs.receive("call.ended", message_id="c1", subject="number:n1", payload={})
    jobs.sweep()
    start("listen", number="n1", customer="")
    assert again(message).state == InboundMessage.UNMATCHED


def test_a_message_for_an_ended_instance_is_kept(cast) -> None:
    instance = start("parcel", parcel="P1")
    workflow.cancel_instance(instance, None, "wrong")
    message = arrives()
    jobs.sweep()
    assert again(message).state == InboundMessage.UNMATCHED


def test_payloads_are_sealed(cast) -> None:
    message = arrives()
    assert "door" not in message.sealed_payload and again(message).payload == {"at": "door"}
