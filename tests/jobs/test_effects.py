"""What goes out: once by its key, again after a crash with the same key, a person when nothing helps."""

from __future__ import annotations

import pytest

from web.jobs import services as jobs
from web.jobs.models import InboundMessage, Incident, Job, OutboundEffect
from web.jobs.services import effects

pytestmark = pytest.mark.django_db


@pytest.fixture
def far_side(monkeypatch):
    """The other side: answers in order, the last one stays; remembers what reached it."""
    monkeypatch.setattr(effects, "_senders", {})
    seen, answers, notes = [], ["ref-1"], []

    def send(payload, key):
        seen.append((key, payload))
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    jobs.sender(
        "tests.sms",
        on_sent=lambda row: notes.append(("sent", row.key)),
        on_failed=lambda row: notes.append(("failed", row.last_error)),
    )(send)
    send.seen, send.answers, send.notes = seen, answers, notes
    return send


def test_an_effect_is_sent_once_and_sealed(far_side, clock) -> None:
    row = jobs.effect("tests.sms", key="k1", person="customer:812", payload={"text": "see you at nine"})
    assert jobs.effect("tests.sms", key="k1", payload={"text": "other"}).pk == row.pk
    assert "nine" not in row.sealed_payload
    jobs.sweep()
    jobs.sweep()
    row.refresh_from_db()
    assert far_side.seen == [("k1", {"text": "see you at nine"})] and far_side.notes == [("sent", "k1")]
    assert (row.state, row.reference, row.attempts) == (OutboundEffect.SENT, "ref-1", 1)


def test_a_passing_trouble_is_tried_again_with_the_same_key(far_side, clock) -> None:
    far_side.answers[:] = [jobs.Transient("busy"), jobs.Transient("busy"), "ref-2"]
    row = jobs.effect("tests.sms", key="k1", payload={})
    for seconds in (0, 12, 72):
        clock.forward(seconds=seconds)
        jobs.sweep()
    row.refresh_from_db()
    assert [key for key, _ in far_side.seen] == ["k1"] * 3 and (row.state, row.reference) == ("sent", "ref-2")


def test_a_final_no_is_noted_and_told(far_side, clock) -> None:
    far_side.answers[:] = [jobs.Permanent("bad_number")]
    row = jobs.effect("tests.sms", key="k1", payload={})
    jobs.sweep()
    row.refresh_from_db()
    assert (row.state, far_side.notes) == (OutboundEffect.FAILED, [("failed", "bad_number")])
    assert not Job.objects.filter(state=Job.QUEUED).exists()


def test_when_nothing_helps_an_incident_stays_and_the_effect_can_still_go(far_side, clock) -> None:
    far_side.answers[:] = [jobs.Transient("busy")]
    row = jobs.effect("tests.sms", key="k1", payload={})
    for _ in range(5):
        clock.forward(minutes=15)
        jobs.sweep()
    row.refresh_from_db()
    assert row.state == OutboundEffect.PENDING and len(far_side.seen) == 4
    far_side.answers[:] = ["ref-3"]
    jobs.resolve(Incident.objects.get(), "retry", None, "")
    jobs.sweep()
    row.refresh_from_db()
    assert row.state == OutboundEffect.SENT


def test_an_erased_persons_effect_is_not_sent(far_side) -> None:
    from web.common.models import PersonKey

    row = jobs.effect("tests.sms", key="k1", person="customer:812", payload={"text": "x"})
    PersonKey.objects.all().delete()
    jobs.sweep()
    row.refresh_from_db()
    assert far_side.seen == [] and row.state == OutboundEffect.FAILED


def test_a_message_is_stored_once_by_its_id() -> None:
    first = jobs.receive("a", message_id="m", payload={"n": 1})
    assert jobs.receive("a", message_id="m", payload={"n": 2}).pk == first.pk
    assert InboundMessage.objects.count() == 1 and Job.objects.count() == 1
