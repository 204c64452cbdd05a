"""The cast of the browser journeys: people at real desks who have nothing but a keyboard, and callers who ring them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support.servers import Product, wait_until

expect.set_options(timeout=15_000)  # how long a page may take on a busy machine; never a claim about speed

SHANGHAI = ZoneInfo("Asia/Shanghai")
SMALLEST = {"width": 1007, "height": 640}
"""What is left of 1024x768 below a browser's own bars."""

# The browser itself reports answers that are part of the story: nobody yet, refused, too late, no line.
_TOLD_BY_THE_BROWSER = ("Failed to load resource", "net::ERR_INTERNET_DISCONNECTED", "WebSocket connection to")


def turn_to_morning(product: Product) -> None:
    """Have hours of work ahead: when it is no morning of a working day in Shanghai, turn to the next one, 10:00."""
    now = product_now(product).astimezone(SHANGHAI)
    if now.weekday() < 5 and 9 <= now.hour < 14:
        return
    morning = now.replace(hour=10, minute=0, second=0, microsecond=0)
    while morning <= now or morning.weekday() >= 5:
        morning += timedelta(days=1)
    product.forward(seconds=(morning - now).total_seconds())


def product_now(product: Product) -> datetime:
    """What the product's clock says."""
    file = Path(product.env["ZUOXI_CLOCK"])
    return datetime.now(UTC) + timedelta(seconds=float(file.read_text()) if file.exists() else 0.0)


def ring(product: Product, what: str = "known") -> None:
    """Somebody picks up a telephone outside and calls the hotline."""
    token = (product.data / "scenario.token").read_text().strip()
    headers = {"X-Demo-Token": token, "Content-Type": "application/json"}
    body = json.dumps({"what": what}).encode()
    urllib.request.urlopen(
        urllib.request.Request(f"{product.url}/api/telephony/demo/calls", body, headers), timeout=10
    ).close()


class Person:
    """Somebody at a desk. Every act goes through the keyboard; what the page complains about is remembered."""

    def __init__(self, product: Product, page: Page, number: str) -> None:
        self.product, self.page, self.number = product, page, number
        account = next(entry for entry in product.demo["accounts"] if entry["number"] == number)
        self.extension: str | None = account["extension"]
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(known in message.text for known in _TOLD_BY_THE_BROWSER):
            self.complaints.append(message.text)

    # --- hands ---------------------------------------------------------------------------------------------------
    def presses(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def types(self, text: str) -> None:
        self.page.keyboard.insert_text(text)

    def holds(self, key: str, ms: int = 600) -> None:
        self.page.keyboard.down(key)
        self.page.wait_for_timeout(ms)
        self.page.keyboard.up(key)

    def tabs_to(self, what: str, *, back: bool = False, steps: int = 200) -> None:
        """Press Tab until the control is focused; `what` is a test id or a CSS selector. Fails when the keyboard does not get there."""
        selector = what if what[0] in ".[#" else f"[data-testid='{what}']"
        for _ in range(steps):
            if self.page.evaluate(
                "s => { const at = document.activeElement, el = document.querySelector(s);"
                " return !!el && !!at && at !== document.body && (el === at || el.contains(at)) }",
                selector,
            ):
                return
            self.presses("Shift+Tab" if back else "Tab")
        raise AssertionError(f"Tab does not reach {what}")

    def leaves_the_field(self) -> None:
        """Letters are shortcuts again: nothing is being typed into."""
        self.page.evaluate("document.activeElement?.blur?.()")

    def fills(self, field: str, text: str) -> None:
        """Go to a field of the form with Tab and write."""
        self.tabs_to(f"[data-field='{field}']")
        self.types(text)

    def ticks(self, field: str, steps: int = 0) -> None:
        """Go to a choice of the form; Space takes the first, arrows the later ones."""
        self.tabs_to(f"[data-field='{field}']")
        self.presses("Space", *["ArrowDown"] * steps)

    def chooses(self, field: str, word: str) -> None:
        """Open a list of the form by keyboard and take the entry that is called `word`."""
        self.tabs_to(f"[data-field='{field}']")
        self.presses("Enter")
        entries = self.page.locator(".el-select-dropdown:visible .el-select-dropdown__item")
        entry = entries.filter(has_text=word)
        expect(entry.first).to_be_visible()
        hovered = self.page.locator(".el-select-dropdown:visible .el-select-dropdown__item.is-hovering")
        for _ in range(entries.count() + 1):
            if hovered.count() and word in hovered.first.inner_text():
                break
            self.presses("ArrowDown")
        self.presses("Enter")
        expect(self.page.locator(f"[data-field='{field}']")).to_contain_text(word)

    def dates(self, field: str, at: datetime) -> None:
        """Write an instant into a date field, minutes exact."""
        self.tabs_to(f"[data-field='{field}']")
        self.presses("Control+a")
        self.types(at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"))
        self.presses("Enter")

    def goes_to(self, path: str) -> Person:
        """Type an address, as a link in a mail would."""
        self.page.goto(f"{self.product.url}{path}")
        self.sees("sign-out").wait_for(timeout=15_000)
        return self

    def opens(self, page: str) -> None:
        """Find a page in the menu by its name: "/" and Enter."""
        self.leaves_the_field()
        self.presses("/")
        expect(self.sees("menu-search")).to_be_focused()
        self.types(page)
        self.presses("Enter")

    def picks(self, task: str) -> None:
        """Walk to the top of the inbox with K, and down with J to this task."""
        expect(self.sees(f"inbox-row-{task}")).to_be_visible(timeout=5_000)
        row = self.page.locator(f".current-row [data-testid=inbox-row-{task}]")
        for key in ["k"] * 10 + ["j"] * 10:
            if row.count():
                break
            self.presses(key)
        expect(row).to_be_visible()

    # --- eyes ----------------------------------------------------------------------------------------------------
    def sees(self, test_id: str):
        return self.page.get_by_test_id(test_id)

    def reads(self, text: str):
        return self.page.get_by_text(text).first

    def has_nothing_to_complain_about(self) -> None:
        assert self.complaints == []

    def needs_no_sideways_scroll(self) -> None:
        wide = self.page.evaluate(
            "() => [document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
        )
        assert wide[0] <= wide[1], f"{self.page.url} is {wide[0]} px wide in {wide[1]} px"

    # --- habits --------------------------------------------------------------------------------------------------
    def logs_in(self) -> Person:
        self.page.goto(self.product.url)
        expect(self.sees("login-number")).to_be_focused(timeout=15_000)
        self.types(self.number)
        self.tabs_to("login-password")
        self.types(self.product.demo["password"])
        if self.extension:
            self.tabs_to("login-extension")
            self.presses("Control+a")
            self.types(self.extension)
        self.presses("Enter")
        self.sees("sign-out").wait_for(timeout=15_000)
        return self

    def takes_no_calls(self) -> Person:
        """Put the offer to sign in to a skill group away."""
        expect(self.sees("sign-in-confirm")).to_be_focused()
        self.presses("Escape")
        expect(self.sees("sign-in-confirm")).to_be_hidden()
        return self

    def signs_in_ready(self) -> Person:
        """Sign in to the own skill groups and be ready for calls."""
        expect(self.sees("sign-in-confirm")).to_be_focused()
        self.presses("Enter")
        self.is_in("idle")
        return self

    def is_in(self, face: str) -> None:
        """The bar shows this state: idle, ring, talk, hold, wrap, busy …"""
        expect(self.sees("phone-state")).to_have_attribute("data-face", face, timeout=15_000)

    # --- the machine under the desk --------------------------------------------------------------------------------
    def asks(self, path: str) -> Any:
        """GET of the API with this person's session."""
        answer = self.page.context.request.get(f"{self.product.url}/api/{path}")
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()

    def tells(self, path: str, data: dict[str, Any] | None = None, *, method: str = "POST") -> Any:
        """POST of the API with this person's session: for what is not the point of the story."""
        request = self.page.context.request
        request.get(f"{self.product.url}/api/session/csrf")
        token = next(c["value"] for c in self.page.context.cookies() if c["name"].endswith("csrftoken"))
        answer = request.fetch(
            f"{self.product.url}/api/{path}", method=method, data=data or {}, headers={"X-CSRFToken": token}
        )
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json() if answer.body() else None

    def puts_the_phone_down(self) -> None:
        """End what is left of a call, and sign out of the skill groups."""
        for call in self.asks("telephony/me")["calls"]:
            if call["state"] == "ringing":  # refused, it would ring at the next story's desk
                self.tells(f"telephony/calls/{call['id']}/answer")
                within(5, lambda: self.asks("telephony/me")["calls"][0]["state"] == "talking", "the answer")
            if call["state"] != "ended":
                self.tells(f"telephony/calls/{call['id']}/hang-up")
        within(10, lambda: self.asks("telephony/me")["state"] != "busy", "the end of the call")
        self.tells("telephony/me/sign-out")

    def opened_session(self) -> Person:
        """Signed in without the page; for people who are not looked at."""
        seat = {"extension": self.extension} if self.extension else {}
        self.tells("session", {"number": self.number, "password": self.product.demo["password"], **seat})
        return self


class Cast:
    """Gives each person a browser window of their own."""

    def __init__(self, product: Product, browser: Browser, size: dict[str, int] | None = None) -> None:
        self.product, self.browser, self.size = product, browser, size or {"width": 1366, "height": 768}
        self.people: list[Person] = []

    def person(self, number: str, **more: Any) -> Person:
        settings = {"viewport": self.size, "locale": "zh-CN", "timezone_id": "Asia/Shanghai", **more}
        context = self.browser.new_context(base_url=self.product.url, **settings)
        context.set_default_timeout(10_000)
        person = Person(self.product, context.new_page(), number)
        self.people.append(person)
        return person

    def is_photographed(self) -> None:
        """A story went wrong: keep what everybody saw, in the data folder of the product."""
        for number, person in enumerate(self.people):
            if not person.page.is_closed():
                person.page.screenshot(path=self.product.data / f"seen-{number}-{person.number}.png")

    def goes_home(self) -> None:
        """Everybody leaves his seat, so that the next story finds it free."""
        for person in self.people:
            if person.page.is_closed():
                continue
            if person.page.context.request.get(f"{self.product.url}/api/session").ok:
                if person.extension:
                    person.puts_the_phone_down()
                person.tells("session", method="DELETE")
            person.page.context.close()


@contextmanager
def cast_of(product: Product, browser: Browser, **more: Any) -> Iterator[Cast]:
    people = Cast(product, browser, **more)
    try:
        yield people
    except BaseException:
        people.is_photographed()
        raise
    finally:
        people.goes_home()


def within(seconds: float, condition: Callable[[], Any], what: str) -> Any:
    return wait_until(condition, seconds=seconds, what=what, pause=0.05)
