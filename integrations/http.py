"""The one HTTP client of all adapters: timeouts always, errors sorted into «try again», «never», «perhaps done»."""

from __future__ import annotations

from typing import Any

import httpx

from .errors import AdapterError

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
MOST_BYTES = 1024 * 1024


def post(url: str, *, content: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """POST JSON bytes, answer as a dict.

    AdapterError: `unreachable` (nothing was sent), `timeout` / `broken_off` (in doubt), `http_5xx` (try again),
    `http_4xx` (permanent, but 408, 425 and 429 may be tried again), `not_json`.
    """
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client:
            answer = client.post(url, content=content, headers={"Content-Type": "application/json", **(headers or {})})
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise AdapterError("unreachable") from error
    except httpx.TimeoutException as error:
        raise AdapterError("timeout", in_doubt=True) from error
    except httpx.TransportError as error:
        raise AdapterError("broken_off", in_doubt=True) from error
    if answer.status_code >= 500 or answer.status_code in (408, 425, 429):
        raise AdapterError(f"http_{answer.status_code}")
    if answer.status_code >= 300:
        raise AdapterError(_code(answer) or f"http_{answer.status_code}", permanent=True)
    if len(answer.content) > MOST_BYTES:
        raise AdapterError("answer_too_large", in_doubt=True)
    try:
        return answer.json()
    except ValueError as error:
        raise AdapterError("not_json", in_doubt=True) from error


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["code"])[:40]
    except (ValueError, KeyError, TypeError):
        return ""
