"""A message to a customer: written once, accepted once, closed by its receipt, and never with his number in clear (M-04, X-14, X-22)."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as product
from django.db import connection

from integrations.fakes.sms_provider import Provider
from integrations.signing import sign
from tests.support.cast import a_customer, an_agent
from web.common import clock as product_clock
from web.jobs import services as jobs
from web.jobs.models import InboundMessage, Job, OutboundEffect
from web.messaging import services
from web.messaging.models import OutboundMessage, Template
from web.tickets import services as tickets
from web.workflow import services as workflow
from web.workflow.models import ProcessInstance

SECRET = "between-us"
NUMBER = "+8619900008531"
KEY = "ticket:T1"


@pytest.fixture
def provider(settings):
    """Accepts messages over HTTP; its receipts go nowhere unless a test says where."""
    provider = Provider(("127.0.0.1", 0), secret=SECRET, receipt_after=0.01, late_after=0.3).start()
    settings.SMS_URL, settings.SMS_SECRET, settings.SMS_CALLBACK = provider.url, SECRET, ""
    yield provider
    provider.stop()


@pytest.fixture
def template(db):
    return Template.objects.create(key="answered", body="{{ centre }}: {{ ticket }} {{ nonsense }}done")


def queue(key="m-1", **given):
    asked = {"template": "answered", "channel": "sms", "business_key": KEY, "customer": None, "number": NUMBER}
    return services.queue_message(**{**asked, "names": {"centre": "Z", "ticket": "T1"}, **given}, key=key)


def again(row):
    return type(row).objects.get(pk=row.pk)


def later(minutes: float) -> None:
    """The product's clock runs on from here; a standing one would make receipts look old."""
    product_clock.use(lambda: datetime.now(UTC) + timedelta(minutes=minutes))


@pytest.fixture(autouse=True)
def _clock():
    yield
    product_clock.use(product_clock.system_now)


def receipt(client, body, *, secret=SECRET, at=None):
    content = json.dumps(body).encode()
    headers = sign(secret, content, at=at or int(time.time()))
    return client.post("/api/hooks/sms", content, content_type="application/json", headers=headers)


def told_flows():
    return [(m.business_key, m.keys, m.payload) for m in InboundMessage.objects.filter(name="message.receipt")]


class TestQueueing:
    def test_the_same_key_is_one_message_and_one_effect(self, provider, template):
        assert queue() == queue(number="+8619900000001")
        assert OutboundMessage.objects.count() == OutboundEffect.objects.count() == 1
        assert again(OutboundMessage.objects.get()).recipient == NUMBER

    def test_an_unknown_place_in_a_template_becomes_nothing(self, provider, template):
        assert queue().body == "Z: T1 done"

    @pytest.mark.parametrize(
        "given", [{"template": "unknown"}, {"channel": "wechat"}, {"number": None}, {"number": ""}]
    )
    def test_what_cannot_be_sent_is_refused_and_leaves_nothing(self, provider, template, given):
        with pytest.raises(services.CannotSend):
            queue(**given)
        assert not OutboundMessage.objects.exists() and not OutboundEffect.objects.exists()

    def test_without_a_provider_the_channel_is_closed(self, template, settings):
        settings.SMS_URL = ""
        with pytest.raises(services.CannotSend):
            queue()


class TestSending:
    @pytest.mark.req("M-04")
    def test_a_message_is_accepted_once_and_knows_the_providers_id(self, provider, template):
        message = queue()
        jobs.sweep()
        jobs.sweep()
        assert [one["key"] for one in provider.accepted] == ["m-1"]
        message = again(message)
        assert (message.state, message.provider_id) == (OutboundMessage.SENT, "sms-1")

    @pytest.mark.req("X-14")
    def test_an_error_of_the_provider_is_tried_again_later(self, provider, template):
        message = queue()
        provider.behave("error_500")
        jobs.sweep()
        assert provider.accepted == [] and again(message).state == OutboundMessage.QUEUED
        later(0.5)
        jobs.sweep()
        assert len(provider.accepted) == 1 and again(message).state == OutboundMessage.SENT

    @pytest.mark.req("X-14")
    def test_a_connection_cut_after_accepting_does_not_send_twice(self, provider, template):
        message = queue()
        provider.behave("reset_after_accept")
        jobs.sweep()
        assert again(message).state == OutboundMessage.QUEUED
        later(0.5)
        jobs.sweep()
        assert len(provider.accepted) == 1 and again(message).provider_id == "sms-1"

    def test_a_number_nobody_has_fails_at_once_and_the_flow_hears_it(self, provider, template):
        message = queue()
        provider.behave("bad_number", times=9)
        jobs.sweep()
        message = again(message)
        assert (message.state, message.code) == (OutboundMessage.FAILED, "bad_number")
        assert OutboundEffect.objects.get().state == OutboundEffect.FAILED
        assert told_flows() == [(KEY, {"message": "m-1"}, {"status": "failed"})]
        assert not Job.objects.filter(topic="effect.send", state=Job.QUEUED).exists()


class TestReceipts:
    @pytest.fixture
    def sent(self, provider, template):
        message = queue()
        jobs.sweep()
        return again(message)

    @pytest.mark.req("X-22")
    def test_a_receipt_that_comes_twice_counts_once(self, client, sent):
        for _ in range(2):
            answer = receipt(client, {"id": "sms-1", "key": "m-1", "status": "delivered"})
            assert (answer.status_code, answer.json()) == (200, {"known": True})
        assert again(sent).state == OutboundMessage.DELIVERED
        assert told_flows() == [(KEY, {"message": "m-1"}, {"status": "delivered"})]

    def test_the_first_word_stands(self, client, sent):
        receipt(client, {"id": "sms-1", "status": "failed"})
        receipt(client, {"id": "sms-1", "status": "delivered"})
        assert again(sent).state == OutboundMessage.FAILED
        assert [payload for _, _, payload in told_flows()] == [{"status": "failed"}]

    @pytest.mark.req("X-22")
    @pytest.mark.parametrize("how", [{"secret": "somebody-else"}, {"at": 1_700_000_000}])
    def test_a_forged_or_replayed_receipt_changes_nothing(self, client, sent, how):
        answer = receipt(client, {"id": "sms-1", "status": "delivered"}, **how)
        assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
        assert again(sent).state == OutboundMessage.SENT and told_flows() == []

    def test_an_unsigned_receipt_is_refused(self, client, sent):
        answer = client.post("/api/hooks/sms", {"id": "sms-1"}, content_type="application/json")
        assert answer.status_code == 403

    def test_a_strangers_message_is_not_known_and_leaves_nothing(self, client, sent):
        assert receipt(client, {"id": "sms-99", "status": "delivered"}).json() == {"known": False}
        assert told_flows() == [] and again(sent).state == OutboundMessage.SENT

    @pytest.mark.parametrize(
        "body", [{}, [], {"id": "sms-1", "status": "eaten"}, {"id": "sms-1", "status": "failed", "key": {}}]
    )
    def test_a_receipt_that_says_nothing_is_refused(self, client, sent, body):
        assert receipt(client, body).json()["code"] == "bad_receipt"
        assert told_flows() == []

    def test_a_receipt_that_overtakes_the_answer_is_not_lost(self, client, provider, template):
        message = queue()
        provider.behave("reset_after_accept")
        jobs.sweep()  # accepted, but we do not know the id yet
        assert receipt(client, {"id": "sms-1", "key": "m-1", "status": "delivered"}).json() == {"known": True}
        later(0.5)
        jobs.sweep()
        assert again(message).state == OutboundMessage.DELIVERED and len(provider.accepted) == 1
        assert len(told_flows()) == 1

    def test_a_late_receipt_is_noted_but_tells_no_flow_that_moved_on(self, client, sent):
        services.give_up(sent.key)
        assert again(sent).state == OutboundMessage.GIVEN_UP
        assert receipt(client, {"id": "sms-1", "status": "delivered"}).json() == {"known": True}
        assert again(sent).state == OutboundMessage.DELIVERED and told_flows() == []


def in_clear(word: str) -> list[tuple[str, str]]:
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in cursor.description]
            found += [(table, c) for row in cursor for c, v in zip(columns, row, strict=True) if word in str(v)]
    return found


def until(true, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := true()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return done


@pytest.mark.django_db(transaction=True)
@pytest.mark.req("M-04", "W-95", "X-16")
def test_the_customer_is_told_his_answer_and_the_receipt_ends_the_flow(
    live_server, provider, settings, caplog, capfd, monkeypatch
):
    """From the form to the provider over HTTP, and from the provider back to the flow over HTTP."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("web.jobs.tasks.sweep.apply_async", lambda **_: None)
    settings.SMS_CALLBACK = f"{live_server.url}/api/hooks/sms"
    Template.objects.create(key="consult_answered", body="{{ centre }} {{ ticket }}")
    assert workflow.deploy_folder(product.FLOWS_DIR).refused == {}
    anna, ben = an_agent("1023", "booking"), an_agent("1024", "booking")
    wang = a_customer(NUMBER)

    ticket = tickets.open_ticket(acting_user=anna, kind="consult", customer=wang, number=NUMBER)
    first = workflow.first_task_of(ticket.instance, anna)
    tomorrow = (product_clock.now() + timedelta(days=1)).isoformat()
    asked = {"question_class": "price", "content": "?", "solved": "no", "to_user": "1024", "follow_up_at": tomorrow}
    workflow.complete(first, anna, asked, wait=False)
    answer = ticket.instance.tasks.get(state="open")
    assert answer.assignee == ben
    workflow.complete(answer, ben, {"result": "answered", "answer": "50", "tell_customer": "yes"}, wait=False)
    jobs.sweep()

    message = OutboundMessage.objects.get()
    assert [one["key"] for one in provider.accepted] == [message.key]
    assert until(lambda: bool(provider.receipts))
    assert [one["answer"] for one in provider.receipts] == [200]
    jobs.sweep()
    assert again(message).state == OutboundMessage.DELIVERED
    instance = again(ticket.instance)
    assert (instance.status, instance.ends[-1]) == (ProcessInstance.COMPLETED, "E_answered")
    assert again(ticket).outcome == "answered"
    assert in_clear(NUMBER.removeprefix("+86")) == []
    said = capfd.readouterr()
    assert NUMBER.removeprefix("+86") not in caplog.text + said.out + said.err
