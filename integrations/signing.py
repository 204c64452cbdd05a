"""Signed web hooks both ways: HMAC-SHA256 over `timestamp.body`, a window against replay (X-22)."""

from __future__ import annotations

import hashlib
import hmac

HEADER, TIMESTAMP = "X-Signature", "X-Timestamp"
WINDOW_SECONDS = 300


def sign(secret: str, body: bytes, *, at: int) -> dict[str, str]:
    """The two headers for `body`; `at` = Unix seconds."""
    return {TIMESTAMP: str(at), HEADER: _digest(secret, body, str(at))}


def is_genuine(secret: str, body: bytes, *, timestamp: str, signature: str, now: int) -> bool:
    """True when the signature is right and no older (or newer) than the window."""
    if not secret or not timestamp.isdigit() or abs(now - int(timestamp)) > WINDOW_SECONDS:
        return False
    return hmac.compare_digest(_digest(secret, body, timestamp), signature or "")


def _digest(secret: str, body: bytes, timestamp: str) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
