"""What several journeys do: callers who come back, boxes of the inbox, time that passes."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from playwright.sync_api import expect

from tests.browser.cast import Person, ring, within
from tests.support.servers import Product

RING = "telephony/demo/calls"


def plays(product: Product, scenario: str) -> None:
    """The simulated world plays a scenario, as `make scenario NAME=…` lets it."""
    token = (product.data / "scenario.token").read_text().strip()
    headers = {"X-Demo-Token": token, "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{product.url}/api/telephony/demo/scenario", json.dumps({"name": scenario}).encode(), headers
    )
    urllib.request.urlopen(request, timeout=10).close()


def answers_a_known_caller(agent: Person) -> None:
    """A customer rings and is answered; of a family that shares the number the first is meant."""
    ring(agent.product, "known")
    agent.is_in("ring")
    expect(agent.sees("customer-card")).to_be_visible()
    if agent.sees("candidates").count():
        agent.tabs_to("[data-testid=candidates] button")
        agent.presses("Enter")
    expect(agent.sees("customer-name")).to_contain_text("*")
    agent.presses("F2")
    agent.is_in("talk")


def row_of(person: Person, box: str, ticket: str) -> dict[str, Any] | None:
    """The person's inbox row of this ticket in a box, or None."""
    return next((row for row in person.asks(f"tasks?box={box}")["results"] if row["ticket"] == ticket), None)


def tickets_of(person: Person, kind: str) -> list[dict[str, Any]]:
    """Tickets of a kind the person sees, newest first."""
    return person.asks(f"tickets?kind={kind}")["results"]


def hands_in(person: Person) -> None:
    """Complete the step in sight; the ten seconds in which it could be taken back pass."""
    person.presses("Alt+Enter")
    expect(person.sees("toast-act")).to_be_visible()
    person.product.forward(seconds=11)


def presses_button(person: Person, what: str) -> None:
    """Go to a button with Tab and press it."""
    person.tabs_to(what)
    person.presses("Enter")


def opens_ticket(person: Person, number: str) -> None:
    """The ticket's page by its address, as a link would lead there."""
    person.page.goto(f"{person.product.url}/tickets/{number}")
    expect(person.sees("ticket-number")).to_have_text(number)


def closed_as(person: Person, ticket: str, outcome: str, seconds: float = 8) -> dict[str, Any]:
    """The ticket once it is closed; AssertionError when it is not, or with another outcome."""
    shown = within(seconds, lambda: (it := person.asks(f"tickets/{ticket}")) and it["closed_at"] and it, "the end")
    assert shown["outcome"] == outcome
    return shown
