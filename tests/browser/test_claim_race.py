"""Two people reach for the same task in the same moment."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.cast import cast_of, turn_to_morning
from tests.browser.test_call_journey import a_question
from tests.support.servers import Product

pytestmark = pytest.mark.browser


@pytest.mark.req("X-10")
def test_two_browsers_claim_one_task_and_the_slower_is_told_who_has_it(product: Product, browser: Browser) -> None:
    turn_to_morning(product)
    with cast_of(product, browser) as cast:
        zhang = cast.person("1023").opened_session()
        task = a_question(zhang, "停车方便吗", "service", minutes=120)
        both = [cast.person(number).logs_in().takes_no_calls() for number in ("1032", "1033")]
        held: list[Route] = []
        for person in both:
            person.opens("组内可领")
            person.picks(task)
            person.page.route(f"**/api/tasks/{task}/claim", lambda route: held.append(route))
            person.presses("c")
        for person, other in (both, both[::-1]):
            expect(person.sees("task-viewers")).to_contain_text(other.number)
            expect(person.sees("task-viewers")).not_to_contain_text(person.number)
        for person in both:  # both have pressed before either answer is known
            person.page.wait_for_timeout(200)
        assert len(held) == 2
        for route in held:
            route.continue_()
        for person in both:
            expect(person.sees("task-complete").or_(person.sees("toast-danger"))).to_be_visible()
        owner = both[0].asks(f"tasks/{task}")["assignee"]["number"]
        winner, loser = both if owner == "1032" else both[::-1]
        expect(winner.sees("task-complete")).to_be_visible()
        expect(loser.page.locator(".stack")).to_contain_text(owner)
        expect(loser.sees("task-complete")).to_have_count(0)
