"""A pretended SMS provider: speaks HTTP, checks signatures, keeps its own log, sends signed receipts, and misbehaves on request.

    python -m integrations.fakes.sms_provider --port 8200 --secret S

POST /messages {to, text, key, callback}   answers {"id": …}; the same Idempotency-Key answers the same id and delivers nothing again.
                                           The receipt {id, key, status} goes to `callback`, signed.
GET  /log                                  what was accepted and which receipts went out: {"accepted": [...], "receipts": [...]}
POST /behave {"mode": …, "times": n}       for the next n messages: ok | error_500 | slow | reset_after_accept | bad_number |
                                           no_receipt | late_receipt | receipt_twice | receipt_failed | forged_receipt
Numbers are kept masked: the log of a pretended provider is still a log.
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

from ..signing import HEADER, TIMESTAMP, is_genuine, sign

MODES = {
    "ok", "error_500", "slow", "reset_after_accept", "bad_number", "no_receipt", "late_receipt", "receipt_twice", "receipt_failed", "forged_receipt",
}  # fmt: skip


class Provider(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], *, secret: str, receipt_after: float = 0.3, late_after: float = 3.0):
        super().__init__(address, _Handler)
        self.secret, self.receipt_after, self.late_after = secret, receipt_after, late_after
        self.lock, self.ids = threading.Lock(), count(1)
        self.by_key: dict[str, str] = {}
        self.accepted: list[dict] = []
        self.receipts: list[dict] = []
        self.mode, self.left = "ok", 0

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}/messages"

    def start(self) -> Provider:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="sms-provider", daemon=True).start()
        return self

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def behave(self, mode: str, times: int = 1) -> None:
        if mode not in MODES:
            raise ValueError(f"unknown mode {mode!r}")
        with self.lock:
            self.mode, self.left = mode, times

    def next_mode(self) -> str:
        with self.lock:
            if self.left <= 0:
                return "ok"
            self.left -= 1
            return self.mode

    def accept(self, key: str, to: str) -> tuple[str, bool]:
        with self.lock:
            if key in self.by_key:
                return self.by_key[key], False
            message_id = self.by_key[key] = f"sms-{next(self.ids)}"
            self.accepted.append({"id": message_id, "key": key, "to": f"…{to[-2:]}"})
            return message_id, True

    def send_receipt(
        self, callback: str, message_id: str, status: str, *, key: str = "", secret: str | None = None
    ) -> None:
        body = json.dumps({"id": message_id, "key": key, "status": status}).encode()
        headers = {"Content-Type": "application/json", **sign(secret or self.secret, body, at=int(time.time()))}
        request = urllib.request.Request(callback, data=body, headers=headers, method="POST")  # noqa: S310 - the address our own test or demo gave
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                code = answer.status
        except OSError as error:
            code = getattr(error, "code", 0)
        self.receipts.append({"id": message_id, "status": status, "answer": code})


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, *args) -> None:
        pass

    def _answer(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.path != "/log":
            return self._answer(404, {"code": "not_found"})
        return self._answer(200, {"accepted": self.server.accepted, "receipts": self.server.receipts})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/behave":
            wanted = json.loads(body)
            self.server.behave(wanted["mode"], int(wanted.get("times", 1)))
            return self._answer(200, {})
        timestamp, signature = self.headers.get(TIMESTAMP, ""), self.headers.get(HEADER, "")
        if not is_genuine(self.server.secret, body, timestamp=timestamp, signature=signature, now=int(time.time())):
            return self._answer(401, {"code": "bad_signature"})
        return self._message(json.loads(body))

    def _message(self, message: dict) -> None:
        mode = self.server.next_mode()
        if mode == "error_500":
            return self._answer(500, {"code": "internal"})
        if mode == "slow":
            time.sleep(8)
        if mode == "bad_number":
            return self._answer(422, {"code": "bad_number"})
        message_id, is_new = self.server.accept(message["key"], message["to"])
        if is_new and message.get("callback"):
            threading.Thread(target=self._receipts, args=(mode, message, message_id), daemon=True).start()
        if mode == "reset_after_accept":
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        return self._answer(200, {"id": message_id})

    def _receipts(self, mode: str, message: dict, message_id: str) -> None:
        provider, callback, key = self.server, message["callback"], message["key"]
        if mode == "no_receipt":
            return
        time.sleep(provider.late_after if mode == "late_receipt" else provider.receipt_after)
        if mode == "forged_receipt":
            provider.send_receipt(callback, message_id, "delivered", key=key, secret="someone-else")  # noqa: S106
            return
        status = "failed" if mode == "receipt_failed" else "delivered"
        for _ in range(2 if mode == "receipt_twice" else 1):
            provider.send_receipt(callback, message_id, status, key=key)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8200)
    options.add_argument("--secret", required=True)
    given = options.parse_args()
    Provider((given.host, given.port), secret=given.secret).serve_forever()


if __name__ == "__main__":
    main()
