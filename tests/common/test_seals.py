"""Sealed values: unreadable in the database, bound to their place, searched by blind index, erased with their key."""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.support.cast import a_customer
from web.common import seals
from web.common.masking import mask_name, mask_number
from web.common.models import PersonKey
from web.customers.models import Customer


@given(text=st.text(), place=st.text(max_size=20))
def test_a_seal_opens_to_what_was_sealed_and_never_looks_the_same_twice(text, place):
    one, other = seals.seal(text, bound_to=place), seals.seal(text, bound_to=place)
    assert one != other and seals.unseal(one, bound_to=place) == text
    assert len(text) < 4 or text not in one


@given(text=st.text(min_size=1), at=st.integers(min_value=0))
@settings(max_examples=50)
def test_an_altered_or_moved_seal_does_not_open(text, at):
    sealed = seals.seal(text, bound_to="here")
    with pytest.raises(seals.SealBroken):
        seals.unseal(sealed, bound_to="there")
    body = sealed.partition(".")[2]
    at = at % (len(body) - 3)
    flipped = f"k1.{body[:at]}{'A' if body[at] != 'A' else 'B'}{body[at + 1 :]}"
    with pytest.raises(seals.SealBroken):
        seals.unseal(flipped, bound_to="here")


@pytest.mark.parametrize("text", ["", "k9.AAAA", "k1.", "k1.%%%", "plain"])
def test_what_is_no_seal_does_not_open(text):
    with pytest.raises(seals.SealBroken):
        seals.unseal(text)


class PersonsKeys(TestCase):
    @given(text=st.text())
    @settings(max_examples=20)
    def test_a_persons_value_opens_until_his_key_is_destroyed(self, text):
        sealed, others = seals.seal_for("customer:1", text), seals.seal_for("customer:2", text)
        assert seals.unseal_for(sealed) == text
        PersonKey.objects.filter(person="customer:1").delete()
        with pytest.raises(seals.SealBroken):
            seals.unseal_for(sealed)
        assert seals.unseal_for(others) == text

    def test_one_persons_seal_does_not_open_as_anothers(self):
        sealed = seals.seal_for("customer:1", "x")
        seals.seal_for("customer:2", "x")
        with pytest.raises(seals.SealBroken):
            seals.unseal_for(sealed.replace("customer:1", "customer:2"))


def test_blind_indexes_are_equal_for_equal_values_of_one_kind_only():
    assert seals.blind("+8613812341234", kind="number") == seals.blind("+8613812341234", kind="number")
    assert seals.blind("1", kind="number") != seals.blind("1", kind="id") != seals.blind("2", kind="id")
    assert len(seals.blind("1", kind="id")) == 32


@pytest.mark.req("X-16")
def test_a_sealed_field_is_plain_in_python_sealed_in_the_database_and_refuses_to_be_searched():
    customer = a_customer(address="天河路1号")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, address FROM customers_customer WHERE id = %s", [customer.pk])
        stored = cursor.fetchone()
    assert all(value.startswith("k1.") for value in stored) and "天河路" not in stored[1]
    assert Customer.objects.get().address == "天河路1号"
    assert Customer.objects.filter(id_number__isnull=True).exists()
    for lookup in ("name", "name__icontains", "address__startswith"):
        with pytest.raises(TypeError, match="blind index"):
            Customer.objects.filter(**{lookup: "x"}).exists()


@pytest.mark.parametrize(
    "number, masked",
    [
        ("+8613812341234", "138****1234"),
        ("+862088123456", "20******56"),
        ("+86110", "11*"),
        ("+8695588", "95***"),
        ("", ""),
        (None, ""),
        ("+85223456789", "+8********89"),
    ],
)
def test_a_masked_number_shows_who_without_saying_it(number, masked):
    assert mask_number(number) == masked


@given(number=st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_masking_always_hides_at_least_three_signs(number):
    assert mask_number(number).count("*") >= 3


@pytest.mark.parametrize(
    "name, masked", [("王小明", "王*"), ("欧阳修", "欧*"), ("John Smith", "J* S*"), ("", ""), (None, "")]
)
def test_a_masked_name_keeps_its_first_sign(name, masked):
    assert mask_name(name) == masked
