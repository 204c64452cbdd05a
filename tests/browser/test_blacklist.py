"""A number is listed by two people, refused by the switch, and free again when its term is over."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import Person, cast_of, ring, turn_to_morning, within
from tests.browser.steps import closed_as, hands_in, opens_ticket, presses_button, row_of, tickets_of
from tests.support.servers import Product

pytestmark = pytest.mark.browser


def applies(agent: Person) -> str:
    """From the pop-up of the call that is on: the form, filled and sent. The ticket's number."""
    known = {ticket["number"] for ticket in tickets_of(agent, "blacklist")}
    presses_button(agent, "apply-block")
    expect(agent.sees("task-form")).to_contain_text("****")
    agent.chooses("reason", "骚扰")
    agent.fills("description", "一天打来十几次, 不说话")
    agent.chooses("term", "7 天")
    hands_in(agent)
    [ticket] = [one for one in tickets_of(agent, "blacklist") if one["number"] not in known]
    return ticket["number"]


def entry_of(person: Person, ticket: str) -> dict:
    rows = person.asks("block-list?state=pending,active,lifted,expired,refused")["results"]
    return next(row for row in rows if row["ticket"] == ticket)


def refused(person: Person, path: str, data: dict) -> int:
    """The status of an act that the API must not let happen."""
    person.page.context.request.get(f"{person.product.url}/api/session/csrf")
    token = next(c["value"] for c in person.page.context.cookies() if c["name"].endswith("csrftoken"))
    address = f"{person.product.url}/api/{path}"
    return person.page.context.request.post(address, data=data, headers={"X-CSRFToken": token}).status


@pytest.mark.req("S-35", "S-36", "S-37")
def test_a_number_is_listed_by_agent_and_leader_refused_and_free_again_after_its_term(
    product: Product, browser: Browser
) -> None:
    turn_to_morning(product)
    with cast_of(product, browser) as cast:
        zhang = cast.person("1023").logs_in().signs_in_ready()
        ring(product, "unknown")
        zhang.is_in("ring")
        zhang.presses("F2")
        zhang.is_in("talk")
        ticket = applies(zhang)

        # The applicant neither sees the approval as his to take nor gets it from the API.
        liu = cast.person("1021").logs_in()
        approval = within(5, lambda: row_of(liu, "pool", ticket), "the approval")["id"]
        assert row_of(zhang, "pool", ticket) is None and row_of(zhang, "mine", ticket) is None
        assert refused(zhang, f"tasks/{approval}/claim", {}) == 403
        answer = {"data": {"decision": "agree", "comment": "我自己", "term": "7"}}
        assert refused(zhang, f"tasks/{approval}/complete", answer) in (403, 409)
        zhang.holds("F4")
        zhang.is_in("wrap")
        zhang.presses("Alt+Enter")
        zhang.is_in("idle")

        # His leader takes it from the pool and agrees.
        liu.opens("组内可领")
        expect(liu.sees(f"inbox-row-{approval}")).to_be_visible()
        liu.presses("c")
        expect(liu.sees("task-complete")).to_be_visible()
        liu.ticks("decision")
        liu.fills("comment", "录音听过, 同意")
        hands_in(liu)
        within(5, lambda: entry_of(liu, ticket)["state"] == "active", "the block")

        # The next call of that number does not ring; the list says so.
        ring(product, "again")
        entry = within(5, lambda: (it := entry_of(liu, ticket)) and it["attempts"] and it, "the counted attempt")
        assert (entry["attempts"], entry["term_days"]) == (1, 7)
        assert (entry["applied_by"]["number"], entry["approved_by"]["number"]) == ("1023", "1021")
        liu.opens("黑名单")
        expect(liu.sees(f"block-attempts-{entry['id']}")).to_have_text("1")
        zhang.is_in("idle")
        assert zhang.asks("telephony/queue")["results"] == []

        # A week later it is over by itself, and the same caller rings again.
        product.forward(days=7, minutes=1)
        closed_as(liu, ticket, "expired", seconds=15)
        assert entry_of(liu, ticket)["state"] == "expired"
        told = [row["params"]["title"] for row in zhang.asks("notifications")["results"]]
        assert any(title.startswith("黑名单审批 · ") for title in told)
        ring(product, "again")
        zhang.is_in("ring")
        zhang.presses("F2")
        zhang.is_in("talk")

        # Applied for again and thought better of: nobody decides any more, nothing is listed.
        second = applies(zhang)
        within(5, lambda: row_of(liu, "pool", second), "the second approval")
        zhang.holds("F4")
        zhang.is_in("wrap")
        opens_ticket(zhang, second)
        presses_button(zhang, "ticket-withdraw")
        expect(zhang.sees("withdraw-submit")).to_be_focused()
        zhang.presses("Escape")
        expect(zhang.sees("withdraw-dialog")).to_be_hidden()
        assert zhang.asks(f"tickets/{second}")["can"] == ["withdraw"]
        presses_button(zhang, "ticket-withdraw")
        expect(zhang.sees("withdraw-submit")).to_be_focused()
        zhang.presses("Enter")
        closed_as(zhang, second, "withdrawn")
        expect(zhang.sees("ticket-state")).to_contain_text("撤回")
        expect(zhang.sees("ticket-withdraw")).to_be_hidden()
        assert row_of(liu, "pool", second) is None and entry_of(liu, second)["state"] == "refused"
        for person in (zhang, liu):
            person.has_nothing_to_complain_about()
