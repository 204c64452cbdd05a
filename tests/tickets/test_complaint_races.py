"""Many at once about one complaint, on a real PostgreSQL: one winner, nothing counted twice or lost."""

from __future__ import annotations

from collections import Counter
from functools import partial
from types import SimpleNamespace

import pytest

from engine.verbs import REGISTRY, Context
from tests.tickets.test_complaint_flow import a_centre, complain, fresh, sweep
from tests.workflow.test_races import together
from web.common import clock as product_clock
from web.tickets import services
from web.tickets.models import Ticket

pytestmark = [pytest.mark.postgres]


@pytest.fixture
def cast(postgres_db, clock) -> SimpleNamespace:
    return a_centre(clock)


def test_of_twenty_who_merge_two_tickets_both_ways_one_wins_and_one_ticket_stays(cast):
    one, two = complain(cast), complain(cast)

    def merge(number: int) -> str:
        pair = (one, two) if number % 2 else (two, one)
        try:
            services.merge(*pair, acting_user=cast.sue)
        except services.CannotMerge as refused:
            return refused.facts["why"]
        return "merged into"

    outcomes = Counter(together(*(partial(merge, number) for number in range(20))))
    assert outcomes["merged into"] == 1
    assert set(outcomes) <= {"merged into", "closed", "merged"}
    sweep()
    assert sorted([fresh(one).outcome or "", fresh(two).outcome or ""]) == ["", "merged"]
    assert Ticket.objects.exclude(merged_into=None).count() == 1


@pytest.mark.req("W-84")
@pytest.mark.parametrize(("verb", "column"), [("tickets.count_return", "returns"), ("tickets.count_urge", "urges")])
def test_twenty_counts_at_once_are_twenty(cast, verb, column):
    ticket = complain(cast)
    context = Context(
        instance_key=f"instance:{ticket.instance_id}", business_key=ticket.key, now=product_clock.now(), element="x",
        task_id="x",
    )  # fmt: skip
    together(*[partial(REGISTRY.call, verb, context, {})] * 20)
    assert getattr(fresh(ticket), column) == 20
