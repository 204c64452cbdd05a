"""A pretended payment provider: speaks HTTP, checks signatures, keeps its own ledger, sends signed notices, and misbehaves on request.

    python -m integrations.fakes.payment_provider --port 8210 --secret S [--auto-pay SECONDS]

Signed by us:
POST /payments {key, amount_fen, deadline, description, way, callback}   takes a request; the same key again is the same request
POST /payments/query | /payments/cancel {key}
POST /refunds {key, payment_key, amount_fen, callback}                   never more than was paid; the same key again is the same refund
POST /refunds/query {key} · POST /statement {day}
For whoever plays the customer or looks on:
GET  /pay/ID a page with a button · POST /pay {key, at?} pays · POST /decline {key} is an attempt the bank declines
GET  /log    its ledger: {"requests", "charges", "refunds", "notices"}
POST /behave {"mode": …, "times": n}
     requests to us for the next n: down | slow | reset_after_accept | refuse
     our next n notices:            late | twice | never | forged | wrong_amount | reordered
     the next n refunds:            refund_fails
Notices {id, kind, key, charge, amount_fen, at, code} go to `callback`, signed; kinds payment.paid, payment.failed, refund.done,
refund.failed. Its word on time is `at`. It takes money once for a key, unless a test makes it break its own rule.
"""

from __future__ import annotations

import argparse
import json
import secrets
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from ..signing import HEADER, TIMESTAMP, is_genuine, sign

REQUEST_MODES = frozenset(["down", "slow", "reset_after_accept", "refuse"])
NOTICE_MODES = frozenset(["late", "twice", "never", "forged", "wrong_amount", "reordered"])
REFUND_MODES = frozenset(["refund_fails"])
MODES = REQUEST_MODES | NOTICE_MODES | REFUND_MODES
PLACE = timezone(timedelta(hours=8))


class Refused(Exception):
    """`args[0]` is the code the caller gets."""


class Ledger:
    """What the provider knows, without any HTTP. Amounts in fen, instants aware."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now, self.lock, self.numbers = now, threading.RLock(), count(1)
        self.run = secrets.token_hex(3)  # started again over kept data it must not use the ids of its former life again
        self.requests: dict[str, dict[str, Any]] = {}
        self.charges: list[dict[str, Any]] = []
        self.refunds: dict[str, dict[str, Any]] = {}

    def _id(self, kind: str) -> str:
        return f"{kind}-{self.run}-{next(self.numbers)}"

    def ask(self, key: str, amount_fen: int, *, deadline: str | None = None, way: str = "link") -> dict[str, Any]:
        with self.lock:
            if key not in self.requests:
                self.requests[key] = {"id": self._id("pay"), "amount_fen": amount_fen, "deadline": deadline, "way": way}
                self.requests[key] |= {"state": "open"}
            found = self.requests[key]
            if found["state"] != "cancelled" and found["amount_fen"] != amount_fen:
                raise Refused("other_amount")
            return self.query(key)

    def query(self, key: str) -> dict[str, Any]:
        with self.lock:
            found = self.requests.get(key)
            if found is None:
                return {"key": key, "state": "unknown"}
            answer = {"key": key, "id": found["id"], "state": found["state"], "amount_fen": found["amount_fen"]}
            charge = next((one for one in self.charges if one["key"] == key), None)
            if charge:
                answer |= {
                    "state": "paid",
                    "charge": charge["id"],
                    "paid_at": charge["at"],
                    "amount_fen": charge["amount_fen"],
                }
            return answer

    def cancel(self, key: str) -> dict[str, Any]:
        """Also a key never heard of: a request that overtakes its own cancelling is not taken any more."""
        with self.lock:
            found = self.requests.setdefault(key, {"id": self._id("pay"), "amount_fen": 0, "deadline": None, "way": ""})
            if found.get("state") != "paid":
                found["state"] = "cancelled"
            return self.query(key)

    def pay(self, key: str, *, at: str | None = None, again: bool = False) -> dict[str, Any]:
        """The customer pays. Refused: unknown, cancelled, paid. `again` takes the money a second time, as no provider should."""
        with self.lock:
            found = self.requests.get(key)
            if found is None or (found["state"] != "open" and not again):
                raise Refused(found["state"] if found else "unknown")
            found["state"] = "paid"
            charge = {"id": self._id("charge"), "key": key, "amount_fen": found["amount_fen"]}
            charge["at"] = at or self.now().isoformat()
            self.charges.append(charge)
            return charge

    def refund(self, key: str, payment_key: str, amount_fen: int, *, fails: bool = False) -> dict[str, Any]:
        with self.lock:
            if key not in self.refunds:
                paid = sum(one["amount_fen"] for one in self.charges if one["key"] == payment_key)
                given = sum(
                    one["amount_fen"]
                    for one in self.refunds.values()
                    if one["payment_key"] == payment_key and one["state"] != "failed"
                )
                if amount_fen > paid - given:
                    raise Refused("too_much")
                self.refunds[key] = {"id": self._id("refund"), "payment_key": payment_key, "amount_fen": amount_fen}
                self.refunds[key] |= {"state": "pending", "fails": fails, "at": self.now().isoformat()}
            return self.refund_query(key)

    def finish_refund(self, key: str) -> dict[str, Any]:
        with self.lock:
            found = self.refunds[key]
            if found["state"] == "pending":
                found["state"] = "failed" if found["fails"] else "done"
            return found

    def refund_query(self, key: str) -> dict[str, Any]:
        with self.lock:
            found = self.refunds.get(key)
            if found is None:
                return {"key": key, "state": "unknown"}
            code = "account_closed" if found["state"] == "failed" else ""
            return {"key": key, "id": found["id"], "state": found["state"], "code": code}

    def statement(self, day: str) -> list[dict[str, Any]]:
        """All money of one day at our place."""
        with self.lock:
            rows = [("payment", one["key"], one) for one in self.charges]
            rows += [("refund", key, one) for key, one in self.refunds.items() if one["state"] == "done"]
            return [
                {"key": key, "kind": kind, "amount_fen": one["amount_fen"], "id": one["id"]}
                for kind, key, one in rows
                if datetime.fromisoformat(one["at"]).astimezone(PLACE).date().isoformat() == day
            ]

    def paid_event(self, charge: dict[str, Any]) -> dict[str, Any]:
        event = {"id": f"event-{charge['id']}", "kind": "payment.paid", "key": charge["key"], "charge": charge["id"]}
        return {**event, "amount_fen": charge["amount_fen"], "at": charge["at"]}

    def declined_event(self, key: str) -> dict[str, Any]:
        event = {
            "id": self._id("event-declined"),
            "kind": "payment.failed",
            "key": key,
            "charge": "",
            "code": "declined",
        }
        return {**event, "amount_fen": self.requests[key]["amount_fen"], "at": self.now().isoformat()}

    def refund_event(self, key: str) -> dict[str, Any]:
        found = self.refunds[key]
        event = {"id": f"event-{found['id']}", "kind": f"refund.{found['state']}", "key": key, "charge": found["id"]}
        return {**event, "amount_fen": found["amount_fen"], "at": found["at"], "code": self.refund_query(key)["code"]}


class Provider(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        *,
        secret: str,
        notice_after: float = 0.05,
        late_after: float = 3.0,
        refund_after: float = 0.2,
        slow: float = 8.0,
        auto_pay: float | None = None,
    ):
        super().__init__(address, _Handler)
        self.secret, self.ledger = secret, Ledger()
        self.notice_after, self.late_after, self.refund_after = notice_after, late_after, refund_after
        self.slow, self.auto_pay = slow, auto_pay
        self.lock = threading.Lock()
        self.modes: dict[frozenset[str], tuple[str, int]] = {}
        self.callbacks: dict[str, str] = {}
        self.notices: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def start(self) -> Provider:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="payment-provider", daemon=True).start()
        return self

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    # -- misbehaving ---------------------------------------------------------------------------------------------------
    def behave(self, mode: str, times: int = 1) -> None:
        kind = next((modes for modes in (REQUEST_MODES, NOTICE_MODES, REFUND_MODES) if mode in modes), None)
        if kind is None and mode != "ok":
            raise ValueError(f"unknown mode {mode!r}")
        with self.lock:
            if kind is None:
                self.modes.clear()
            else:
                self.modes[kind] = (mode, times)

    def next_mode(self, kind: frozenset[str]) -> str:
        with self.lock:
            mode, left = self.modes.get(kind, ("ok", 0))
            if left <= 0:
                return "ok"
            self.modes[kind] = (mode, left - 1)
            return mode

    # -- the customer --------------------------------------------------------------------------------------------------
    def pay(self, key: str, *, at: datetime | str | None = None, again: bool = False) -> dict[str, Any]:
        """The customer pays, and the notice goes out as the mode of the moment wants."""
        stamp = at.isoformat() if isinstance(at, datetime) else at
        mode = self.next_mode(NOTICE_MODES)
        earlier = self.ledger.declined_event(key) if mode == "reordered" and key in self.ledger.requests else None
        charge = self.ledger.pay(key, at=stamp, again=again)
        self.notify(self.callbacks.get(key, ""), self.ledger.paid_event(charge), mode, then=earlier)
        return charge

    def decline(self, key: str) -> None:
        self.notify(self.callbacks.get(key, ""), self.ledger.declined_event(key), self.next_mode(NOTICE_MODES))

    # -- notices -------------------------------------------------------------------------------------------------------
    def notify(
        self, callback: str, event: dict[str, Any], mode: str = "ok", *, then: dict[str, Any] | None = None
    ) -> None:
        if callback and mode != "never":
            threading.Thread(target=self._notify, args=(callback, event, mode, then), daemon=True).start()

    def _notify(self, callback: str, event: dict[str, Any], mode: str, then: dict[str, Any] | None) -> None:
        time.sleep(self.late_after if mode == "late" else self.notice_after)
        if mode == "wrong_amount":
            event = {**event, "amount_fen": event["amount_fen"] + 1}
        secret = "somebody-else" if mode == "forged" else None
        for _ in range(2 if mode == "twice" else 1):
            self.send(callback, event, secret=secret)
        if then:
            self.send(callback, then)

    def send(self, callback: str, event: dict[str, Any], *, secret: str | None = None) -> int:
        """One notice now; the answer's status, 0 when nobody answered."""
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json", **sign(secret or self.secret, body, at=int(time.time()))}
        request = urllib.request.Request(callback, data=body, headers=headers, method="POST")  # noqa: S310 - the address our own test or demo gave
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                code = answer.status
        except OSError as error:
            code = getattr(error, "code", 0)
        self.notices.append({"id": event["id"], "kind": event["kind"], "key": event["key"], "answer": code})
        return code


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *args) -> None:
        pass

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self._write(status, json.dumps(body).encode(), "application/json")

    def _page(self, status: int, text: str) -> None:
        page = f"<!doctype html><meta name=viewport content='width=device-width'><title>Pay</title><h1>{text}</h1>"
        self._write(status, page.encode(), "text/html; charset=utf-8")

    def _write(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        ledger = self.server.ledger
        if self.path == "/log":
            whole = {"requests": ledger.requests, "charges": ledger.charges, "refunds": ledger.refunds}
            return self._answer(200, {**whole, "notices": self.server.notices})
        key = self._key_of(self.path.removeprefix("/pay/"))
        if not self.path.startswith("/pay/") or key is None:
            return self._answer(404, {"code": "not_found"})
        amount = f"¥{ledger.requests[key]['amount_fen'] / 100:.2f}"
        button = f"</h1><form method=post><button>Pay {escape(amount)}</button></form><h1>"
        return self._page(200, button if ledger.query(key)["state"] == "open" else escape(ledger.query(key)["state"]))

    def _key_of(self, id: str) -> str | None:
        return next((key for key, row in self.server.ledger.requests.items() if row["id"] == id), None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.path.startswith("/pay/"):
                return self._paid_on_page()
            if self.path in ("/behave", "/pay", "/decline"):
                return self._play(json.loads(body))
            return self._ours(body)
        except Refused as refused:
            return self._answer(422, {"code": refused.args[0]})

    def _paid_on_page(self) -> None:
        key = self._key_of(self.path.removeprefix("/pay/"))
        if key is None:
            return self._answer(404, {"code": "not_found"})
        self.server.pay(key)
        return self._page(200, "Paid")

    def _play(self, wanted: dict[str, Any]) -> None:
        if self.path == "/behave":
            self.server.behave(wanted["mode"], int(wanted.get("times", 1)))
        elif self.path == "/decline":
            self.server.decline(wanted["key"])
        else:
            return self._answer(200, self.server.pay(wanted["key"], at=wanted.get("at")))
        return self._answer(200, {})

    def _ours(self, body: bytes) -> None:
        provider = self.server
        timestamp, signature = self.headers.get(TIMESTAMP, ""), self.headers.get(HEADER, "")
        if not is_genuine(provider.secret, body, timestamp=timestamp, signature=signature, now=int(time.time())):
            return self._answer(401, {"code": "bad_signature"})
        acts = {
            "/payments": self._ask,
            "/payments/query": lambda asked: self._with_link(provider.ledger.query(asked["key"])),
            "/payments/cancel": lambda asked: provider.ledger.cancel(asked["key"]),
            "/refunds": self._refund,
            "/refunds/query": lambda asked: provider.ledger.refund_query(asked["key"]),
            "/statement": lambda asked: {"rows": provider.ledger.statement(asked["day"])},
        }
        if self.path not in acts:
            return self._answer(404, {"code": "not_found"})
        mode = provider.next_mode(REQUEST_MODES)
        if mode == "down":
            return self._answer(503, {"code": "down"})
        if mode == "refuse":
            raise Refused("refused")
        answer = acts[self.path](json.loads(body))
        if mode == "slow":
            time.sleep(provider.slow)
        if mode == "reset_after_accept":
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self._answer(200, answer)

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        provider, key = self.server, asked["key"]
        is_new = key not in provider.ledger.requests
        answer = provider.ledger.ask(
            key, asked["amount_fen"], deadline=asked.get("deadline"), way=asked.get("way", "link")
        )
        provider.callbacks.setdefault(key, asked.get("callback") or "")
        if is_new and provider.auto_pay is not None:
            threading.Thread(target=self._pay_by_itself, args=(provider, key), daemon=True).start()
        return self._with_link(answer)

    def _with_link(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "link": f"{self.server.url}/pay/{answer['id']}"} if answer.get("id") else answer

    @staticmethod
    def _pay_by_itself(provider: Provider, key: str) -> None:
        time.sleep(provider.auto_pay or 0)
        try:
            provider.pay(key)
        except Refused:
            return  # cancelled, or paid by hand

    def _refund(self, asked: dict[str, Any]) -> dict[str, Any]:
        provider, key = self.server, asked["key"]
        is_new = key not in provider.ledger.refunds
        fails = is_new and provider.next_mode(REFUND_MODES) == "refund_fails"
        answer = provider.ledger.refund(key, asked["payment_key"], asked["amount_fen"], fails=fails)
        if is_new:
            args = (provider, key, asked.get("callback") or "")
            threading.Thread(target=self._finish_refund, args=args, daemon=True).start()
        return answer

    @staticmethod
    def _finish_refund(provider: Provider, key: str, callback: str) -> None:
        time.sleep(provider.refund_after)
        provider.ledger.finish_refund(key)
        provider.notify(callback, provider.ledger.refund_event(key), provider.next_mode(NOTICE_MODES))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8210)
    options.add_argument("--secret", required=True)
    options.add_argument("--auto-pay", type=float, help="seconds after which the customer pays by himself")
    given = options.parse_args()
    Provider((given.host, given.port), secret=given.secret, auto_pay=given.auto_pay).serve_forever()


if __name__ == "__main__":
    main()
