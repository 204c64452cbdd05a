"""A folder dropped among the flows is a new flow: deployed, started and worked through, though no code has heard of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import Cast, cast_of, product_now, turn_to_morning, within
from tests.browser.steps import hands_in, opens_ticket, presses_button, row_of
from tests.support.servers import ROOT, Product, manage

pytestmark = pytest.mark.browser

NEW = "lost_property"


@pytest.fixture
def cast(product: Product, browser: Browser) -> Iterator[Cast]:
    turn_to_morning(product)
    with cast_of(product, browser) as people:
        yield people


@pytest.fixture
def dropped_in(product: Product, tmp_path: Path) -> dict[str, str]:
    """The environment of an installation in whose flows folder somebody has put one more."""
    folder = tmp_path / "bpmn"
    shutil.copytree(ROOT / "bpmn", folder)
    shutil.copytree(ROOT / "tests/journeys/flows" / NEW, folder / NEW)
    return {**product.env, "FLOWS_DIR": str(folder)}


@pytest.mark.req("X-01", "X-11")
def test_a_folder_of_files_becomes_a_flow_that_two_people_work_through(
    product: Product, cast: Cast, dropped_in: dict[str, str]
) -> None:
    assert not [path for path in (ROOT / "web").rglob("*.py") if NEW in path.read_text(encoding="utf-8")]
    assert f"{NEW}: ok, 3 cases" in manage("flows", "check", NEW, env=dropped_in).stdout
    said = manage("flows", "deploy", env=dropped_in).stdout
    assert f"{NEW}: version 1" in said and "consult: unchanged" in said

    # The agent starts it from the list of flows; its first form is in front of him.
    zhang = cast.person("1023").logs_in().takes_no_calls()
    zhang.opens("流程")
    presses_button(zhang, f"flow-{NEW}")
    expect(zhang.reads("失物招领 v1")).to_be_visible()
    presses_button(zhang, f"flow-start-{NEW}")
    expect(zhang.sees("task-title")).to_contain_text("登记遗失物")
    expect(zhang.sees("task-complete")).to_be_visible()
    ticket = zhang.asks("tickets?mine=1")["results"][0]["number"]

    # The form is the one in the folder, and it is strict.
    zhang.tabs_to("[data-field=seen_on]")
    zhang.types(product_now(product).strftime("%Y-%m-%d"))
    zhang.presses("Enter", "Alt+Enter")
    expect(zhang.page.locator("[data-field=item].wrong")).to_be_visible()
    zhang.tabs_to("[data-field=item]", back=True)
    zhang.types("一把黑色雨伞")
    hands_in(zhang)

    # The clinic finds it among what anybody there may take.
    luo = cast.person("1071").logs_in()
    luo.opens("组内可领")
    task = within(5, lambda: row_of(luo, "pool", ticket), "its task")
    expect(luo.sees(f"inbox-row-{task['id']}")).to_have_text(f"查找 {ticket}", timeout=5_000)
    luo.presses("c")
    expect(luo.sees("task-complete")).to_be_visible()
    luo.ticks("found")
    hands_in(luo)

    # It has come to its end as it is drawn, for both to see.
    view = within(5, lambda: (it := zhang.asks(f"tickets/{ticket}"))["status"] == "closed" and it, "the end")
    for person in (zhang, luo):
        opens_ticket(person, ticket)
        expect(person.sees("ticket-state")).to_have_text("已归还")
    zhang.page.goto(f"{product.url}/instances/{view['instance']}")
    expect(zhang.page.locator("aside")).to_contain_text("已归还")
    for person in (zhang, luo):
        person.has_nothing_to_complain_about()
