"""The payment gateway against a provider that speaks real HTTP, keeps its own ledger and misbehaves on request (W-53, X-14, X-22)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from integrations.errors import AdapterError
from integrations.fakes.payment_provider import MODES, Ledger, Provider, Refused
from integrations.registry import open_port
from integrations.signing import HEADER, TIMESTAMP, is_genuine

SECRET = "between-us"
DEADLINE = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


class Ear(HTTPServer):
    """Hears notices, as our web hook would."""

    def __init__(self):
        self.heard: list[tuple[bytes, str, str]] = []
        super().__init__(("127.0.0.1", 0), _EarHandler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def wait_for(self, count: int) -> list[dict]:
        """The genuine ones, once so many were heard."""
        deadline = time.time() + 5
        while len(self.heard) < count and time.time() < deadline:
            time.sleep(0.01)
        return [
            json.loads(body)
            for body, timestamp, signature in self.heard
            if is_genuine(SECRET, body, timestamp=timestamp, signature=signature, now=int(time.time()))
        ]


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
    quick = {"notice_after": 0.01, "late_after": 0.3, "refund_after": 0.05}
    provider = Provider(("127.0.0.1", 0), secret=SECRET, **quick).start()
    yield provider
    provider.stop()


@pytest.fixture
def port(provider, ear):
    return open_port("payment", "http", url=provider.url, secret=SECRET, callback=ear.url)


def ask(port, key="k-1", amount_fen=30000):
    return port.ask(key, amount_fen, DEADLINE, "P1 appointment")


@pytest.mark.req("W-53")
def test_a_payment_is_asked_for_paid_and_told_signed(provider, port, ear):
    asked = ask(port)
    assert (asked.state, asked.link) == ("open", f"{provider.url}/pay/{asked.id}")
    charge = provider.pay("k-1", at=DEADLINE - timedelta(seconds=1))
    (notice,) = ear.wait_for(1)
    assert (notice["kind"], notice["key"], notice["amount_fen"], notice["charge"]) == (
        "payment.paid", "k-1", 30000, charge["id"],
    )  # fmt: skip
    found = port.query("k-1")
    assert (found.state, found.charge, found.paid_at) == ("paid", charge["id"], DEADLINE - timedelta(seconds=1))


@pytest.mark.req("W-53", "X-22")
def test_the_same_key_is_one_request_and_takes_money_once(provider, port):
    assert ask(port).id == ask(port).id
    provider.pay("k-1")
    with pytest.raises(Refused, match="paid"):
        provider.pay("k-1")
    assert len(provider.ledger.charges) == 1
    with pytest.raises(AdapterError) as other:
        ask(port, amount_fen=1)
    assert (other.value.code, other.value.permanent) == ("other_amount", True)


def test_the_customer_can_pay_on_the_page_the_link_leads_to(provider, port):
    link = ask(port).link
    assert "300.00" in urllib.request.urlopen(link, timeout=5).read().decode()
    urllib.request.urlopen(urllib.request.Request(link, method="POST"), timeout=5)
    assert port.query("k-1").state == "paid"
    assert "paid" in urllib.request.urlopen(link, timeout=5).read().decode()


@pytest.mark.req("W-53")
def test_a_reset_after_accepting_leaves_doubt_and_asking_by_key_settles_it(provider, port):
    provider.behave("reset_after_accept")
    with pytest.raises(AdapterError) as refused:
        ask(port)
    assert refused.value.in_doubt and not refused.value.permanent
    assert (port.query("k-1").state, port.query("k-1").link) == (
        "open",
        f"{provider.url}/pay/{provider.ledger.requests['k-1']['id']}",
    )
    assert port.query("k-2").state == "unknown"
    assert len(provider.ledger.requests) == 1


@pytest.mark.req("X-14")
def test_a_provider_started_again_over_kept_data_gives_no_id_twice():
    first, second = Ledger(), Ledger()
    for ledger in (first, second):
        ledger.ask("k-1", 100)
        ledger.pay("k-1")
    assert first.charges[0]["id"] != second.charges[0]["id"] and first.query("k-1")["id"] != second.query("k-1")["id"]


def test_a_provider_that_is_down_may_be_tried_again_and_one_that_refuses_may_not(provider, port):
    provider.behave("down")
    with pytest.raises(AdapterError) as again:
        ask(port)
    provider.behave("refuse")
    with pytest.raises(AdapterError) as never:
        ask(port)
    assert (again.value.code, again.value.permanent) == ("http_503", False)
    assert (never.value.code, never.value.permanent) == ("refused", True)
    assert provider.ledger.requests == {}


def test_an_answer_that_takes_too_long_is_in_doubt(provider, port, monkeypatch):
    monkeypatch.setattr("integrations.http.TIMEOUT", 0.2)
    provider.slow = 0.6
    provider.behave("slow")
    with pytest.raises(AdapterError) as refused:
        ask(port)
    assert (refused.value.code, refused.value.in_doubt) == ("timeout", True)
    assert port.query("k-1").state == "open"


def test_nobody_listening_is_certainly_not_done():
    port = open_port("payment", "http", url="http://127.0.0.1:9", secret=SECRET)
    with pytest.raises(AdapterError) as refused:
        ask(port)
    assert (refused.value.code, refused.value.in_doubt) == ("unreachable", False)


def test_a_cancelled_key_takes_no_money_even_when_it_was_cancelled_before_it_was_asked(provider, port):
    ask(port)
    assert port.cancel("k-1").state == "cancelled"
    assert port.cancel("k-2").state == "cancelled"
    assert ask(port, "k-2").state == "cancelled"
    for key in ("k-1", "k-2"):
        with pytest.raises(Refused):
            provider.pay(key)


def test_cancelling_what_was_paid_says_so(provider, port):
    ask(port)
    provider.pay("k-1")
    assert port.cancel("k-1").state == "paid"


@pytest.mark.req("W-53")
def test_a_refund_is_sent_once_told_and_never_more_than_was_paid(provider, port, ear):
    ask(port)
    provider.pay("k-1")
    first, second = port.refund("r-1", "k-1", 20000), port.refund("r-1", "k-1", 20000)
    assert first.id == second.id and first.state == "pending"
    with pytest.raises(AdapterError) as too_much:
        port.refund("r-2", "k-1", 10001)
    assert (too_much.value.code, too_much.value.permanent) == ("too_much", True)
    assert {notice["kind"] for notice in ear.wait_for(2)} == {"payment.paid", "refund.done"}
    assert port.refund_status("r-1").state == "done"
    assert port.refund_status("r-9").state == "unknown"
    assert len(provider.ledger.refunds) == 1


def test_a_refund_that_fails_gives_the_amount_free_again(provider, port, ear):
    ask(port)
    provider.pay("k-1")
    provider.behave("refund_fails")
    port.refund("r-1", "k-1", 30000)
    kinds = [notice["kind"] for notice in ear.wait_for(2)]
    assert sorted(kinds) == ["payment.paid", "refund.failed"]
    assert (port.refund_status("r-1").state, port.refund_status("r-1").code) == ("failed", "account_closed")
    assert port.refund("r-1b", "k-1", 30000).state == "pending"


@pytest.mark.req("W-99")
def test_the_statement_of_a_day_lists_its_money(provider, port):
    ask(port), ask(port, "k-2", 500)
    provider.pay("k-1", at="2026-11-23T23:59:59+08:00")
    provider.pay("k-2", at="2026-11-24T00:00:00+08:00")
    rows = port.statement(date(2026, 11, 23))
    assert [(row.key, row.kind, row.amount_fen) for row in rows] == [("k-1", "payment", 30000)]


@pytest.mark.parametrize(
    ("mode", "heard", "genuine"),
    [
        ("twice", 2, ["payment.paid", "payment.paid"]),
        ("late", 1, ["payment.paid"]),
        ("reordered", 2, ["payment.paid", "payment.failed"]),
        ("forged", 1, []),
        ("never", 0, []),
    ],
)
def test_notices_misbehave_on_request(provider, port, ear, mode, heard, genuine):
    ask(port)
    provider.behave(mode)
    provider.pay("k-1")
    time.sleep(0.2) if mode == "never" else None
    kinds = [notice["kind"] for notice in ear.wait_for(heard)]
    assert kinds == genuine and len(ear.heard) == heard
    assert port.query("k-1").state == "paid"


def test_a_notice_may_name_a_wrong_amount_where_the_ledger_is_right(provider, port, ear):
    ask(port)
    provider.behave("wrong_amount")
    provider.pay("k-1")
    assert ear.wait_for(1)[0]["amount_fen"] == 30001
    assert port.query("k-1").amount_fen == 30000


def test_every_mode_is_known_by_name(provider):
    for mode in (*MODES, "ok"):
        provider.behave(mode, 0)
    with pytest.raises(ValueError, match="unknown mode"):
        provider.behave("explode")


NAIVE = {"key": "k-1", "state": "paid", "charge": "c", "paid_at": "2026-11-23T09:00:00"}


@pytest.mark.parametrize("answer", [{}, [], {"key": "k-1", "state": "eaten"}, {"key": "k-1", "state": "paid"}, NAIVE])
def test_an_answer_that_says_nothing_certain_is_in_doubt(provider, port, monkeypatch, answer):
    monkeypatch.setattr("integrations.http.post", lambda *_, **__: answer)
    with pytest.raises(AdapterError) as refused:
        port.query("k-1")
    assert (refused.value.code, refused.value.in_doubt) == ("bad_answer", True)


def test_the_provider_refuses_a_request_signed_by_somebody_else(provider):
    stranger = open_port("payment", "http", url=provider.url, secret="stranger")
    with pytest.raises(AdapterError) as refused:
        ask(stranger)
    assert refused.value.permanent and provider.ledger.requests == {}


def test_it_runs_as_a_process_of_its_own(ear):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    command = [sys.executable, "-m", "integrations.fakes.payment_provider", "--port", str(number)]
    process = subprocess.Popen([*command, "--secret", SECRET, "--auto-pay", "0.1"], cwd=ROOT, env={**os.environ})
    try:
        port = open_port("payment", "http", url=f"http://127.0.0.1:{number}", secret=SECRET, callback=ear.url)
        deadline = time.time() + 10
        while True:
            try:
                ask(port)
                break
            except AdapterError:
                assert time.time() < deadline
                time.sleep(0.1)
        assert [notice["kind"] for notice in ear.wait_for(1)] == ["payment.paid"]
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/log", timeout=5) as answer:
            assert len(json.load(answer)["charges"]) == 1
    finally:
        process.terminate()
        process.wait(10)
