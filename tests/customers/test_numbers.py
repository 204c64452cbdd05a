"""Telephone numbers in every spelling, and where they come from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.customers import numbers
from web.customers.numbers import area_of, normalise, split_place

MOBILE = st.from_regex(r"1(3[0-9]|5[0-35-9]|7[3-8]|8[0-9]|9[89])[0-9]{8}", fullmatch=True)
# 010 800… and 021 800… are no landlines: the international freephone numbers 10800 and 21800 begin so.
SUBSCRIBER = st.from_regex(r"[2-8][0-9]{7}", fullmatch=True).filter(lambda digits: not digits.startswith("800"))
AREA_AND_NUMBER = st.tuples(st.sampled_from(["10", "20", "21", "755", "757", "510"]), SUBSCRIBER)
COUNTRY = st.sampled_from(["", "+86", "0086", "86", "+86 ", "0086-", "(+86)", "+86-", "００86"])
BETWEEN = st.sampled_from(["", " ", "-", "/", " - ", ".", "　"])
EXTENSION = st.sampled_from(["", " 转 801", "转12", "#3", " ext. 55", ",7", ";ext=9", " x12", "分机1023"])


def spread(digits: str, separators: list[str]) -> str:
    return "".join(digit + separator for digit, separator in zip(digits, separators, strict=False))


@pytest.mark.req("X-23")
@settings(max_examples=60)
@given(mobile=MOBILE, country=COUNTRY, separators=st.lists(BETWEEN, min_size=11, max_size=11), extension=EXTENSION)
def test_a_mobile_is_the_same_number_in_every_spelling(mobile, country, separators, extension):
    assert normalise(country + spread(mobile, separators) + extension) == f"+86{mobile}"


@pytest.mark.req("X-23")
@settings(max_examples=60)
@given(
    parts=AREA_AND_NUMBER,
    prefix=st.sampled_from(["0", "+86", "0086", "+86 0", "00860", "86-0"]),
    gap=BETWEEN,
    extension=EXTENSION,
)
def test_a_landline_is_the_same_number_with_and_without_country_trunk_zero_separators_and_extension(
    parts, prefix, gap, extension
):
    area, rest = parts
    assert normalise(f"{prefix}{area}{gap}{rest[:4]}{gap}{rest[4:]}{extension}") == f"+86{area}{rest}"
    assert normalise(f"(0{area}){rest}") == f"+86{area}{rest}"


@given(text=st.text(max_size=80))
def test_whatever_is_typed_gives_a_number_that_stays_itself_or_none(text):
    found = normalise(text)
    assert found is None or (
        found.startswith("+") and found[1:].isascii() and found[1:].isdigit() and normalise(found) == found
    )


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("110", "+86110"),
        ("95588", "+8695588"),
        ("10086", "+8610086"),
        ("400-800-1234", "+864008001234"),
        ("sip:13812341234@10.0.0.8", "+8613812341234"),
        ("tel:+8613812341234;ext=5", "+8613812341234"),
        ("+852 2345 6789", "+85223456789"),
        ("001 650 253 0000".replace("001", "+1"), "+16502530000"),
        ("１３８－１２３４－１２３４", "+8613812341234"),
    ],
)
def test_short_service_foreign_and_signalled_numbers_are_understood(typed, meant):
    assert normalise(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", None, "62345678", "1023", "1990000123", "anonymous", "138123412345", "+", "0", "9" * 61, "1" * 30]
)
def test_what_cannot_be_dialled_from_anywhere_is_no_number(typed):
    assert normalise(typed) is None


@pytest.fixture(scope="module")
def areas(tmp_path_factory):
    path = tmp_path_factory.mktemp("areas") / "areas.json"
    numbers.build_areas(path)
    return path


@pytest.mark.req("P-27")
def test_a_number_tells_its_province_city_and_carrier(areas, monkeypatch):
    monkeypatch.setattr(numbers, "areas_file", lambda: areas)
    assert area_of("+8613812341234") == {"province": "江苏省", "city": "连云港市", "carrier": "中国移动"}
    assert area_of("+861062345678") == {"province": "北京市", "city": "北京市", "carrier": ""}
    assert area_of("+8675588123456") == {"province": "广东省", "city": "深圳市", "carrier": ""}
    assert area_of("+8687188123456") == {"province": "云南省", "city": "昆明市", "carrier": ""}
    assert area_of("+8618600001111")["carrier"] == "中国联通"
    assert area_of("+8619900001234") == {"province": "", "city": "", "carrier": "中国电信"}


def test_data_in_another_form_stop_the_build_instead_of_giving_an_empty_table(monkeypatch, tmp_path):
    monkeypatch.setattr(numbers, "_prefixes_in", lambda folder: {"138": "江苏省"})
    with pytest.raises(RuntimeError, match="form has changed"):
        numbers.build_areas(tmp_path / "areas.json")
    assert list(tmp_path.iterdir()) == []


def test_without_the_table_abroad_and_for_service_numbers_the_area_is_unknown_and_nothing_fails(
    areas, monkeypatch, tmp_path
):
    nowhere = {"province": "", "city": "", "carrier": ""}
    monkeypatch.setattr(numbers, "areas_file", lambda: areas)
    assert [area_of(number) for number in ("+864008001234", "+85223456789", "", None)] == [nowhere] * 4
    for content in (None, "{", json.dumps({"areas": 1})[:-3]):
        broken = tmp_path / f"broken{len(content or '')}.json"
        if content:
            broken.write_text(content)
        monkeypatch.setattr(numbers, "areas_file", lambda broken=broken: broken)
        assert area_of("+8613812341234") == nowhere


@pytest.mark.parametrize(
    "name, parts",
    [
        ("江苏省连云港市", ("江苏省", "连云港市")),
        ("北京市", ("北京市", "北京市")),
        ("天津", ("天津市", "天津市")),
        ("内蒙古包头市", ("内蒙古", "包头市")),
        ("广西壮族自治区南宁市、崇左市", ("广西壮族自治区", "南宁市、崇左市")),
        ("云南红河", ("云南", "红河")),
    ],
)
def test_a_place_is_split_into_province_and_city(name, parts):
    assert split_place(name) == parts
