"""Live counts and the second recommendation (W-70…W-75)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.appointments.cast import TUESDAY, Centre
from web.appointments import services
from web.common import clock as product_clock

NEXT = TUESDAY + timedelta(days=1)


def free(**asked):
    return [
        (row["doctor"]["key"], row["hour"], row["free"]) for row in services.search(now=product_clock.now(), **asked)
    ]


@pytest.mark.req("W-75")
def test_counts_are_live_and_a_full_hour_is_shown_as_full(centre: Centre):
    centre.schedule(hours=(9, 11), per_hour=2)
    centre.case().book("li", 9)
    centre.fill("li", 10)
    assert free(clinic="yuexiu") == [("li", 9, 1), ("li", 10, 0)]
    row = services.search(doctor="li", now=product_clock.now())[0]
    assert (row["prepay"], row["fee_fen"], row["total"], row["clinic"]["key"]) == (True, 30000, 2, "yuexiu")


def test_what_is_over_suspended_or_given_up_is_not_offered(centre: Centre, clock):
    monday = TUESDAY - timedelta(days=1)
    centre.schedule(day=monday, hours=(10, 12))
    gone = centre.schedule(centre.zhao_here)
    centre.schedule(centre.qian_here)
    services.suspend(gone, reason="leave", acting_user=centre.staff_of(centre.yuexiu, "1071"))
    centre.qian_here.is_active = False
    centre.qian_here.save()
    assert free(clinic="yuexiu") == [("li", 10, 2), ("li", 11, 2)]
    clock.forward(hours=1)  # it is ten
    assert free(clinic="yuexiu") == [("li", 11, 2)]
    assert free(clinic="yuexiu", since=TUESDAY) == []


def kinds(case) -> list[tuple]:
    rows = services.suggestions(case.row, product_clock.now())
    return [(row["kind"], row["doctor"]["key"], row["clinic"]["key"], row["date"], row["hour"]) for row in rows]


@pytest.mark.req("W-70", "W-73", "W-75")
def test_the_second_recommendation_follows_the_order_of_the_seed(centre: Centre):
    centre.schedule(centre.li_here, hours=(10, 11), per_hour=1)
    centre.fill("li", 10)
    centre.schedule(centre.li_here, NEXT, hours=(9, 10), per_hour=1)
    centre.schedule(centre.zhao_here, hours=(14, 15), per_hour=1)
    centre.schedule(centre.qian_here, hours=(10, 11), per_hour=1)
    centre.schedule(centre.sun_there, hours=(10, 11), per_hour=1)
    centre.schedule(centre.li_there, hours=(15, 16), per_hour=1)
    wang = centre.case()
    assert wang.hold("li", 10)["outcome"] == "full"
    assert kinds(wang) == [
        ("same_doctor_later", "li", "yuexiu", NEXT, 9),
        ("same_department_here", "zhao", "yuexiu", TUESDAY, 14),
        ("same_department_elsewhere", "sun", "haizhu", TUESDAY, 10),
        ("same_doctor_elsewhere", "li", "haizhu", TUESDAY, 15),
    ]
    centre.case().book("zhao", 14)  # taken between the list and the choice: the next list is fresh
    assert "same_department_here" not in {kind for kind, *_ in kinds(wang)}


@pytest.mark.req("W-75")
def test_at_most_twenty_and_no_kind_pushes_the_others_out(centre: Centre):
    centre.schedule(centre.li_here, hours=(10, 11), per_hour=1)
    centre.fill("li", 10)
    for ahead in range(1, 8):
        centre.schedule(centre.li_here, TUESDAY + timedelta(days=ahead), hours=(8, 20), per_hour=1)
    centre.schedule(centre.sun_there, hours=(8, 20), per_hour=1)
    wang = centre.case()
    wang.hold("li", 10)
    found = kinds(wang)
    assert len(found) == 20
    assert {kind for kind, *_ in found} == {"same_doctor_later", "same_department_elsewhere"}
    assert len([kind for kind, *_ in found if kind == "same_department_elsewhere"]) == 5
    assert found[15][4] == 10 and found[15][3] == TUESDAY  # nearest to the wish first


def test_a_case_without_a_wish_gets_no_advice(centre: Centre):
    case = centre.case()
    case.call("release", slot="", reason="cancelled")
    assert kinds(case) == []
