"""The page in a real browser: nothing it loads is refused by its own policy, nothing breaks on the way in."""

from __future__ import annotations

import pytest

from tests.support.servers import Product

pytestmark = pytest.mark.browser


def test_the_page_opens_without_an_error_or_a_refused_script(page, product: Product) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    answer = page.goto(product.url)
    page.locator("input[type=password]").wait_for(timeout=15_000)
    assert answer.status == 200
    assert "nonce-" in answer.headers["content-security-policy"]
    # Being nobody yet is answered 401, which the browser reports by itself.
    assert [line for line in said if "401" not in line] == []


def test_an_address_of_the_router_survives_a_reload(page, product: Product) -> None:
    page.goto(f"{product.url}/tasks")
    page.locator("input[type=password]").wait_for(timeout=15_000)
    assert page.reload().status == 200
