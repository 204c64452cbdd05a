"""What may be shown of a personal value without a reason (X-16). The browser never gets more unless it asks and is audited."""

from __future__ import annotations


def mask_number(number: str | None) -> str:
    """+8613812341234 → 138****1234; land lines and short numbers keep their first two and last two digits."""
    if not number:
        return ""
    digits = number.removeprefix("+86")
    if len(digits) < 7:
        return digits[:2] + "*" * max(len(digits) - 2, 0)
    if len(digits) == 11 and digits[0] == "1":
        return f"{digits[:3]}****{digits[-4:]}"
    return f"{digits[:2]}{'*' * (len(digits) - 4)}{digits[-2:]}"


def mask_name(name: str | None) -> str:
    """王小明 → 王*; Latin names keep the first letter of each word."""
    if not name:
        return ""
    if name[0].isascii():
        return " ".join(f"{word[0]}*" for word in name.split())
    return f"{name[0]}*"
