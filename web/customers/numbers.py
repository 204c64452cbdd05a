"""Telephone numbers as people write them, and where they come from (X-23, P-27).

The parser is phonenumbers'. Its tables of areas and carriers hold the whole world and take tens of megabytes, so `build_areas` copies
the +86 part once into a small file, and that file is all a running process reads.
"""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import phonenumbers
from django.conf import settings
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from web.common import seals

HOME = "CN"
LONGEST = 60  # what a person types for one number; anything longer is not one
# What follows is a desk behind a switchboard: it is dialled later and does not tell people apart.
_EXTENSION = re.compile(r"(?:转|轉|分机|分機|#|,|;|\*|\bext|\bx\.?\s*\d).*$", re.IGNORECASE)
_SERVICE = re.compile(r"1\d\d|[19]\d{4,5}")  # 110, 12345, 95588, 10086: dialled as they are, from anywhere
_NEW_MOBILE = re.compile(r"\+861[3-9]\d{9}")  # ranges opened after the parser's tables were made


def normalise(number: str | None) -> str | None:
    """The E.164 form of a number as typed or signalled, or None when it is none. Country code, area code, separators and
    extension do not matter: +86, 0086, 0755-…, spaces, «-», «/», «转801» all give the same (X-23)."""
    text = unicodedata.normalize("NFKC", str(number or "")).strip()[: LONGEST + 1]
    if not text or len(text) > LONGEST:
        return None
    text = _EXTENSION.sub("", text.removeprefix("tel:").removeprefix("sip:").partition("@")[0]).strip()
    digits = re.sub(r"[\s\-/()._·]", "", text)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    service = digits.removeprefix("+86")
    if _SERVICE.fullmatch(service):
        return f"+86{service}"
    if not re.fullmatch(r"\+?[0-9]+", digits):
        return None
    try:
        parsed = phonenumbers.parse(digits, HOME)
    except NumberParseException:
        return None
    found = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if parsed.country_code == 86:
        return found if phonenumbers.is_valid_number(parsed) or _NEW_MOBILE.fullmatch(found) else None
    is_possible = phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE
    return found if is_possible else None


def token(e164: str) -> str:
    """What stands for a number wherever the number itself must not: its blind index, 32 hex digits."""
    return seals.blind(e164, kind="number")


# --- areas -----------------------------------------------------------------------------------------------------
NOWHERE = {"province": "", "city": "", "carrier": ""}
_PROVINCE = re.compile(r"^(.+?省|.+?自治区|内蒙古|广西|西藏|宁夏|新疆|[一-龥]{2}(?=.{2,}))(.*)$")
_MUNICIPALITIES = {"北京", "上海", "天津", "重庆"}


def areas_file() -> Path:
    return Path(settings.DATA_DIR) / "areas.json"


def split_place(name: str) -> tuple[str, str]:
    """江苏省连云港市 → (江苏省, 连云港市); 北京市 → (北京市, 北京市)."""
    if name.removesuffix("市") in _MUNICIPALITIES:
        return (f"{name.removesuffix('市')}市",) * 2
    found = _PROVINCE.match(name)
    return (found[1], found[2]) if found else (name, "")


def build_areas(path: Path | None = None) -> int:
    """Write the table of +86 prefixes from phonenumbers' data; returns the number of prefixes.

    The data are read as text: importing them would build the whole world's tables, 10 s and 200 MB for these 2 MB. RuntimeError when
    they look different from what is known here.
    """
    table = {"areas": _runs(_prefixes_in("geodata")), "carriers": _runs(_prefixes_in("carrierdata"))}
    count = sum(end - start for source in table.values() for start, end, _ in source["runs"])
    if count < 100_000:
        raise RuntimeError(f"only {count} +86 prefixes in phonenumbers' data: their form has changed")
    path = path or areas_file()
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(table, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    fresh.replace(path)
    _table.cache_clear()
    return count


_LINE = re.compile(r"^ '86(\d+)':\{.*'zh': u\('([^']+)'\)", re.MULTILINE)


def _prefixes_in(folder: str) -> dict[str, str]:
    """{prefix behind +86: Chinese name} of phonenumbers' geodata or carrierdata."""
    found: dict[str, str] = {}
    for file in sorted((Path(phonenumbers.__file__).parent / folder).glob("data*.py")):
        for prefix, name in _LINE.findall(file.read_text(encoding="utf-8")):
            found[prefix] = name.encode("ascii").decode("unicode_escape")
    return found


def _runs(source: Mapping[str, str]) -> dict:
    """Neighbouring prefixes of one length and one name as [first, behind the last, name]; a prefix of fewer digits sorts earlier
    because 1 is put before its digits: 138 → 1138, 1381234 → 11381234."""
    names: dict[str, int] = {}
    runs: list[list[int]] = []
    prefixes = sorted((int(f"1{prefix}"), text) for prefix, text in source.items())
    for prefix, text in prefixes:
        name = names.setdefault(text, len(names))
        if runs and runs[-1][1] == prefix and runs[-1][2] == name:
            runs[-1][1] = prefix + 1
        else:
            runs.append([prefix, prefix + 1, name])
    return {"names": list(names), "runs": runs}


class _Prefixes:
    def __init__(self, part: dict) -> None:
        self.names = part["names"]
        self.starts = [run[0] for run in part["runs"]]
        self.ends = [run[1] for run in part["runs"]]
        self.name_of = [run[2] for run in part["runs"]]

    def longest(self, digits: str) -> str:
        """The name of the longest prefix of `digits` in the table, or ""."""
        for length in range(min(7, len(digits)), 1, -1):
            prefix = int("1" + digits[:length])
            at = bisect_right(self.starts, prefix) - 1
            if at >= 0 and prefix < self.ends[at]:
                return self.names[self.name_of[at]]
        return ""


@lru_cache(maxsize=2)
def _table(path: Path) -> tuple[_Prefixes, _Prefixes] | None:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # set-up has not built it: calls still come in, without a province
    return _Prefixes(table["areas"]), _Prefixes(table["carriers"])


def area_of(e164: str | None) -> dict[str, str]:
    """{province, city, carrier} of a +86 number, each "" when unknown: abroad, 400, or the table has not been built."""
    table = _table(areas_file()) if e164 and e164.startswith("+86") else None
    if table is None:
        return dict(NOWHERE)
    digits = e164.removeprefix("+86") if e164 else ""
    areas, carriers = table
    province, city = split_place(areas.longest(digits))
    return {"province": province, "city": city, "carrier": carriers.longest(digits)}
