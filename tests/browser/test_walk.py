"""Every page of every role's menu, in both languages and in the smallest and a usual window.

With SHOTS=<folder> each page is photographed, to be looked at.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import Person, cast_of, turn_to_morning
from tests.support.servers import Product

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SMALL, USUAL = {"width": 1024, "height": 768}, {"width": 1440, "height": 900}
PEOPLE = {
    "agent": "1023",
    "team_leader": "1021",
    "supervisor": "1011",
    "analyst": "1041",
    "admin": "1091",
    "clinic": "1071",
}

# Open a page from the menu and wait until it has loaded; the sixth page takes the place that is proposed for it.
_VISIT = """async (link) => {
  const until = async (what, name) => {
    for (let left = 400; !what(); left--) {
      if (!left) throw new Error(`${link}: ${name} did not come`)
      await new Promise((done) => setTimeout(done, 25))
    }
  }
  const entry = () => document.querySelector(`nav.menu a.c[href='${link}']`)
  const full = () => [...document.querySelectorAll('[data-testid=tabs-full] .el-button--primary')].find((el) => el.checkVisibility())
  entry().click()
  await until(() => entry().classList.contains('on') || full(), 'the page')
  full()?.click()
  await until(() => entry().classList.contains('on') && !full(), 'its tab')
  await until(() => !document.querySelector('main [aria-busy=true], main .el-loading-mask'), 'its content')
}"""

# Texts that look like a key of a catalogue, and boxes that are wider than their place.
_LOOK = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), keys = []
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), within = walker.currentNode.parentElement
    if (within.checkVisibility({ visibilityProperty: true }) && /^[a-z]+(\\.[a-zA-Z_]+)+$/.test(text)) keys.push(text)
  }
  const wide = [document.scrollingElement, document.querySelector('main')].filter((el) => el && el.scrollWidth > el.clientWidth + 1)
  return { keys, wide: wide.map((el) => `${el.tagName} ${el.scrollWidth} > ${el.clientWidth}`) }
}"""


def photographed(person: Person, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        person.page.screenshot(path=Path(folder) / f"{name}.png")


def groups_of(person: Person):
    return person.page.locator("nav.menu button.g")


def opens_group(person: Person, at: int) -> None:
    group = groups_of(person).nth(at)
    if group.get_attribute("aria-expanded") == "false":
        group.click()


def walk(person: Person, name: str, size: dict[str, int], other: dict[str, int], known: set[str]) -> set[str]:
    """Open every page of the menu and say where one has been. What others have not seen yet is looked at in both windows."""
    wrong, seen = [], set()
    person.page.set_viewport_size(size)
    for at in range(groups_of(person).count()):
        opens_group(person, at)
        for link in person.page.locator("nav.menu a.c").evaluate_all("all => all.map((a) => a.getAttribute('href'))"):
            if name.endswith("-en") and link in known:
                continue
            person.page.evaluate(_VISIT, link)
            seen.add(link)
            page = f"{name}-{re.sub(r'[^a-z0-9]+', '-', link).strip('-')}"
            for window in (size,) if link in known else (size, other):
                if window is other:
                    person.page.set_viewport_size(window)
                found = person.page.evaluate(_LOOK)
                wrong += [f"{page} {window['width']}: {one}" for one in (*found["keys"], *found["wide"])]
                photographed(person, f"{page}-{window['width']}")
            if link not in known:
                person.page.set_viewport_size(size)
    assert wrong == []
    return seen


@pytest.mark.req("A-33", "A-40", "A-48")
def test_every_page_of_every_menu_is_whole_in_both_languages_and_windows(product: Product, browser: Browser) -> None:
    turn_to_morning(product)
    been: dict[str, set[str]] = {}
    known: set[str] = set()
    with cast_of(product, browser) as cast:
        for role, number in PEOPLE.items():
            person = cast.person(number).opened_session()
            person.page.goto(product.url)
            person.sees("sign-out").wait_for()
            been[role] = walk(person, f"{role}-zh", SMALL, USUAL, known)
            if been[role] - known:
                person.sees("locale").click()
                expect(person.page.locator("html")).to_have_attribute("lang", "en")
                walk(person, f"{role}-en", USUAL, SMALL, known)
                person.sees("locale").click()
                expect(person.page.locator("html")).to_have_attribute("lang", re.compile("zh"))
            known |= been[role]
            person.has_nothing_to_complain_about()
    assert "/desk" in been["agent"] and "/overdue" not in been["agent"]
    assert {"/overdue", "/floor"} <= been["supervisor"]
    assert "/desk" not in been["clinic"] and "/inbox" in been["clinic"]
    assert "/flows/incidents" in been["analyst"]
