"""The SMS gateway against a provider that speaks real HTTP and misbehaves on request (M-04, X-14, X-22)."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from integrations.errors import AdapterError
from integrations.fakes.sms_provider import MODES, Provider
from integrations.ports import OutboundText
from integrations.registry import open_port
from integrations.signing import HEADER, TIMESTAMP, is_genuine, sign

SECRET = "between-us"


class Ear(HTTPServer):
    """Hears receipts, as our web hook would."""

    def __init__(self):
        self.heard: list[tuple[bytes, str, str]] = []
        super().__init__(("127.0.0.1", 0), _EarHandler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def genuine(self) -> list[dict]:
        return [
            json.loads(body)
            for body, timestamp, signature in self.heard
            if is_genuine(SECRET, body, timestamp=timestamp, signature=signature, now=int(time.time()))
        ]

    def wait_for(self, count: int) -> None:
        deadline = time.time() + 5
        while len(self.heard) < count and time.time() < deadline:
            time.sleep(0.02)


class _EarHandler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((body, self.headers[TIMESTAMP], self.headers[HEADER]))
        self.send_response(200)
        self.end_headers()


@pytest.fixture
def ear():
    ear = Ear()
    yield ear
    ear.shutdown()
    ear.server_close()


@pytest.fixture
def provider():
    provider = Provider(("127.0.0.1", 0), secret=SECRET, receipt_after=0.01, late_after=0.3).start()
    yield provider
    provider.stop()


def gateway(provider, ear=None, secret=SECRET):
    return open_port("sms", "http", url=provider.url, secret=secret, callback=ear.url if ear else "")


def text(key="m-1"):
    return OutboundText(to="+8619900000001", text="您好", key=key)


@pytest.mark.req("M-04")
def test_a_message_is_accepted_and_its_receipt_comes_back_signed(provider, ear):
    receipt = gateway(provider, ear).send(text())
    ear.wait_for(1)
    assert ear.genuine() == [{"id": receipt.id, "key": "m-1", "status": "delivered"}]


@pytest.mark.req("X-22")
def test_the_same_key_is_one_message_however_often_it_is_sent(provider, ear):
    first, second = gateway(provider, ear).send(text()), gateway(provider, ear).send(text())
    assert first == second
    assert len(provider.accepted) == 1


def test_a_reset_after_accepting_leaves_doubt_and_the_retry_is_no_second_message(provider, ear):
    provider.behave("reset_after_accept")
    with pytest.raises(AdapterError) as refused:
        gateway(provider, ear).send(text())
    assert refused.value.in_doubt
    assert not refused.value.permanent
    gateway(provider, ear).send(text())
    assert len(provider.accepted) == 1


@pytest.mark.req("X-14")
def test_a_500_may_be_tried_again_and_a_bad_number_may_not(provider):
    provider.behave("error_500")
    with pytest.raises(AdapterError) as again:
        gateway(provider).send(text())
    provider.behave("bad_number")
    with pytest.raises(AdapterError) as never:
        gateway(provider).send(text())
    assert (again.value.code, again.value.permanent) == ("http_500", False)
    assert (never.value.code, never.value.permanent) == ("bad_number", True)


def test_nobody_listening_is_unreachable_and_certainly_not_done():
    port = open_port("sms", "http", url="http://127.0.0.1:9/messages", secret=SECRET)
    with pytest.raises(AdapterError) as refused:
        port.send(text())
    assert (refused.value.code, refused.value.permanent, refused.value.in_doubt) == ("unreachable", False, False)


def test_the_provider_refuses_a_request_signed_by_somebody_else(provider):
    with pytest.raises(AdapterError) as refused:
        gateway(provider, secret="stranger").send(text())
    assert refused.value.permanent
    assert provider.accepted == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("receipt_twice", ["delivered", "delivered"]),
        ("receipt_failed", ["failed"]),
        ("late_receipt", ["delivered"]),
        ("no_receipt", []),
        ("forged_receipt", []),
    ],
)
def test_receipts_misbehave_on_request(provider, ear, mode, expected):
    provider.behave(mode)
    gateway(provider, ear).send(text())
    ear.wait_for(2 if mode == "receipt_twice" else 1) if mode != "no_receipt" else time.sleep(0.2)
    assert [receipt["status"] for receipt in ear.genuine()] == expected


def test_every_mode_is_known_by_name(provider):
    for mode in MODES:
        provider.behave(mode, 0)
    with pytest.raises(ValueError, match="unknown mode"):
        provider.behave("explode")


def test_an_old_signature_is_a_replay():
    body = b"{}"
    headers = sign(SECRET, body, at=1_000)
    genuine = {"timestamp": headers[TIMESTAMP], "signature": headers[HEADER]}
    assert is_genuine(SECRET, body, now=1_010, **genuine)
    assert not is_genuine(SECRET, body, now=1_400, **genuine)
    assert not is_genuine(SECRET, b"{ }", now=1_010, **genuine)
    assert not is_genuine("", body, now=1_010, **genuine)


def test_an_unknown_adapter_is_named():
    with pytest.raises(LookupError, match="pigeon"):
        open_port("sms", "pigeon")
