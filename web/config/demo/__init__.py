"""Invented people of an invented centre, as data. Their numbers are from ranges that no operator gave to anybody."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@cache
def read(name: str) -> Any:
    """The content of demo/<name>.json."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def numbers() -> dict[str, list[str]]:
    """Who may call in a scenario: {"known", "unknown", "blacklisted"} in E.164, "hotline" = our own numbers as they are dialled."""
    telephony = read("telephony")
    known = [customer["numbers"][0] for customer in read("customers") if not customer.get("do_not_call")]
    return {
        "known": list(dict.fromkeys(known)),
        "unknown": list(telephony["unknown"]),
        "blacklisted": [entry["number"] for entry in telephony["blacklisted"]],
        "hotline": [entry["number"] for entry in telephony["service_numbers"]],
    }
