"""SMS over a provider's HTTPS gateway: signed request, idempotency key, receipt later by web hook."""

from __future__ import annotations

import json
import time

from .. import http
from ..errors import AdapterError
from ..ports import OutboundText, Receipt
from ..signing import sign


class HttpGateway:
    def __init__(self, *, url: str, secret: str, callback: str = ""):
        self.url, self.secret, self.callback = url, secret, callback

    def send(self, message: OutboundText) -> Receipt:
        body = json.dumps(
            {"to": message.to, "text": message.text, "key": message.key, "callback": self.callback}
        ).encode()
        headers = {"Idempotency-Key": message.key, **sign(self.secret, body, at=int(time.time()))}
        answer = http.post(self.url, content=body, headers=headers)
        if answer.get("code") == "bad_number":
            raise AdapterError("bad_number", permanent=True)
        if not answer.get("id"):
            raise AdapterError("no_id", in_doubt=True)
        return Receipt(str(answer["id"]))
