"""Whom nobody answered is called back, and whoever has him on the line first is done with it."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import cast_of, turn_to_morning, within
from tests.browser.steps import closed_as, hands_in, opens_ticket, plays, presses_button, tickets_of
from tests.support.servers import Product

pytestmark = pytest.mark.browser


@pytest.mark.req("S-46", "X-01", "X-30")
def test_a_caller_nobody_answered_becomes_one_task_and_is_finished_in_his_own_next_call(
    product: Product, browser: Browser
) -> None:
    turn_to_morning(product)
    with cast_of(product, browser) as cast:
        chen = cast.person("1011").opened_session()
        before = {ticket["number"] for ticket in tickets_of(chen, "outbound_task")}
        colleagues = {"booking": "1024", "service": "1032"}
        plays(product, "missed-then-again")
        rung = time.monotonic()

        # He hangs up while waiting: his group can claim a task long before a minute is over.
        def fresh() -> list[dict]:
            return [one for one in tickets_of(chen, "outbound_task") if one["number"] not in before]

        ticket = within(60, fresh, "the outbound task")[0]
        assert time.monotonic() - rung < 60 and ticket["source"] == "missed_call"
        [task] = chen.asks(f"tickets/{ticket['number']}")["tasks"]
        [pool] = task["candidates"]
        assert (pool["kind"], task["assignee"]) == ("group", None)
        wu = cast.person(colleagues[pool["key"]]).logs_in().takes_no_calls()
        wu.opens("组内可领")
        wu.picks(task["id"])
        wu.presses("c")
        expect(wu.sees("task-complete")).to_be_visible()

        # The second missed call adds to it.
        zhang = cast.person("1023").logs_in()
        within(20, lambda: fresh()[0]["repeats"] == 2, "the second missed call")
        assert len(fresh()) == 1
        expect(zhang.sees("sign-in-confirm")).to_be_focused()
        zhang.presses("Enter")

        # He rings a third time, at a colleague's: the task stands in the pop-up and can be taken there.
        zhang.is_in("ring")
        expect(zhang.sees("open-tasks")).to_be_visible()
        zhang.presses("F2")
        zhang.is_in("talk")
        presses_button(zhang, f"take-task-{task['id']}")
        expect(zhang.sees("task-form")).to_be_visible()
        expect(wu.sees("task-complete")).to_be_hidden()
        zhang.chooses("result", "客户已来电")
        zhang.fills("note", "改约周三上午")
        hands_in(zhang)
        shown = closed_as(zhang, ticket["number"], "called_in")
        assert {"taken_in_call"} <= {row["action"] for row in shown["timeline"]}
        assert len(shown["calls"]) == 3

        # Its page shows the way the flow took, to its end.
        zhang.holds("F4")
        zhang.is_in("wrap")
        opens_ticket(zhang, ticket["number"])
        expect(zhang.sees("ticket-state")).to_contain_text("客户已来电")
        expect(zhang.page.locator("[data-element-id=E_called_in].is-done")).to_be_visible()
        zhang.has_nothing_to_complain_about()
        wu.has_nothing_to_complain_about()
