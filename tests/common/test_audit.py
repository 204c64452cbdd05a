"""The audit chain: whatever is done to a row afterwards is found, and found at that row."""

from __future__ import annotations

import pytest
from django.db import transaction

from web.common import audit, seals
from web.common.models import AuditAnchor, AuditRow, PersonKey


def five_rows() -> list[AuditRow]:
    rows = [audit.audit("tickets.opened", f"ticket:{n}", actor="1023", person="customer:7", number=n) for n in range(5)]
    audit.seal_tail()
    return rows


@pytest.mark.req("X-15")
def test_an_untouched_chain_is_whole_and_says_what_is_not_sealed_yet():
    five_rows()
    audit.audit("tickets.opened", "ticket:9")
    assert audit.verify() == audit.Verdict(rows=5, broken=None, unsealed=1)
    assert audit.seal_tail() == 1 and audit.seal_tail() == 0
    assert audit.verify() == audit.Verdict(rows=6, broken=None, unsealed=0)


@pytest.mark.req("X-15")
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize(
    "column, value",
    [
        ("actor", "1024"),
        ("action", "tickets.closed"),
        ("subject", "ticket:99"),
        ("person", None),
        ("sealed_facts", "k1.AAAA"),
        ("address", "1.2.3.4"),
        ("hash", "0" * 64),
    ],
)
def test_a_changed_row_is_found(at, column, value):
    row = five_rows()[at]
    AuditRow.objects.filter(pk=row.pk).update(**{column: value})
    assert audit.verify().broken == row.pk


@pytest.mark.req("X-15")
@pytest.mark.parametrize("at", range(5))
def test_a_deleted_row_is_found_the_last_one_too(at):
    rows = five_rows()
    rows[at].delete()
    expected = rows[at + 1].pk if at < 4 else AuditAnchor.objects.get().row
    assert audit.verify().broken == expected


@pytest.mark.parametrize("at", range(4))
def test_a_row_put_between_two_others_is_found_even_with_a_right_hash(at):
    rows = five_rows()
    before = AuditRow.objects.get(pk=rows[at].pk)
    planted = AuditRow(action="tickets.opened", subject="ticket:x", previous_hash=before.hash)
    planted.save()
    planted.hash = audit._digest(before.hash, planted)
    planted.save()
    assert audit.verify().broken is not None


def test_two_rows_that_change_places_are_found():
    one, other = five_rows()[1:3]
    AuditRow.objects.filter(pk=one.pk).update(subject="ticket:2")
    AuditRow.objects.filter(pk=other.pk).update(subject="ticket:1")
    assert audit.verify().broken == one.pk


def test_each_day_has_its_anchor_and_a_wrong_one_is_found(clock):
    five_rows()
    clock.forward(days=1)
    five_rows()
    anchors = list(AuditAnchor.objects.order_by("day"))
    assert len(anchors) == 2 and audit.verify() == audit.Verdict(10, None, 0)
    AuditAnchor.objects.filter(pk=anchors[0].pk).update(hash="f" * 64)
    assert audit.verify().broken == anchors[0].row


def test_a_row_that_commits_late_takes_its_place_at_the_end_and_the_chain_stays_whole(clock):
    late = AuditRow(pk=3, action="a", subject="s")
    AuditRow.objects.create(pk=4, action="a", subject="s")
    audit.seal_tail()
    late.save(force_insert=True)
    audit.seal_tail()
    audit.audit("a", "s")
    audit.seal_tail()
    assert audit.verify() == audit.Verdict(3, None, 0)


def test_without_its_anchors_nothing_more_is_chained_and_it_shows():
    five_rows()
    AuditAnchor.objects.all().delete()
    audit.audit("tickets.opened", "ticket:9")
    assert audit.seal_tail() == 0 and audit.verify().unsealed == 1


@pytest.mark.req("X-16")
def test_erasing_a_person_takes_the_facts_and_leaves_the_chain():
    row = five_rows()[0]
    assert audit.facts(row) == {"number": 0} and "number" not in row.sealed_facts
    PersonKey.objects.filter(person="customer:7").delete()
    assert audit.facts(row) is None
    assert audit.verify() == audit.Verdict(5, None, 0)
    assert seals.seal_for("customer:7", "later")


def test_an_act_that_is_rolled_back_leaves_no_row():
    with transaction.atomic():
        audit.audit("a", "s")
        transaction.set_rollback(True)
    assert not AuditRow.objects.exists()
