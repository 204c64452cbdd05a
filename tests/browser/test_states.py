"""What a page says when it may not, cannot, or has nothing to show; and that it fits the smallest screen in both languages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import SMALLEST, Cast, cast_of, ring, turn_to_morning
from tests.support.servers import Product

pytestmark = pytest.mark.browser

AGENTS = (
    "/desk",
    "/inbox",
    "/tickets",
    "/customers",
    "/calls/missed",
    "/calls/queue",
    "/block-list",
    "/flows",
    "/me",
    "/announcements",
)
SUPERVISORS = ("/overdue", "/floor", "/reports", "/flows/incidents")


@pytest.fixture
def cast(product: Product, browser: Browser) -> Iterator[Cast]:
    turn_to_morning(product)
    with cast_of(product, browser, size=SMALLEST) as people:
        yield people


def fits(person, path: str) -> None:
    person.goes_to(path)
    expect(person.page.locator("main")).not_to_be_empty()
    expect(person.page.locator("main .el-skeleton, main [data-testid=skeleton]")).to_have_count(0)
    person.needs_no_sideways_scroll()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "pages"), [("1023", AGENTS), ("1011", SUPERVISORS)])
def test_every_page_fits_the_smallest_screen_in_both_languages(cast: Cast, number: str, pages: tuple[str, ...]) -> None:
    person = cast.person(number).opened_session().goes_to("/me")
    for language in ("中", "EN"):
        if language == "EN":
            person.tabs_to("locale")
            person.presses("Enter")
            expect(person.page.locator("html")).to_have_attribute("lang", "en")
        for path in pages:
            fits(person, path)
    person.tells("session", {"locale": "zh-CN"}, method="PATCH")
    person.has_nothing_to_complain_about()


@pytest.mark.req("A-04")
def test_the_form_of_a_call_needs_no_scrolling_on_the_smallest_screen(cast: Cast, product: Product) -> None:
    zhang = cast.person("1023").logs_in().signs_in_ready()
    ring(product)
    zhang.is_in("ring")
    zhang.presses("F2")
    zhang.is_in("talk")
    zhang.presses("3")
    expect(zhang.sees("field-content")).to_be_visible()
    for choice in (0, 1):
        zhang.ticks("solved", choice)
        for language in ("zh-CN", "en"):
            if zhang.page.locator("html").get_attribute("lang") != language:
                zhang.tabs_to("locale", back=True)
                zhang.presses("Enter")
            expect(zhang.page.locator("html")).to_have_attribute("lang", language)
            zhang.needs_no_sideways_scroll()
            tall = zhang.page.evaluate(
                "() => { const f = document.querySelector('.fields'); return [f.scrollHeight, f.clientHeight] }"
            )
            assert tall[0] <= tall[1], f"the form is {tall[0]} px high in {tall[1]} px ({language})"
    zhang.tells("session", {"locale": "zh-CN"}, method="PATCH")
    zhang.has_nothing_to_complain_about()


@pytest.mark.req("A-43")
def test_the_sixth_page_asks_which_of_the_five_shall_go(cast: Cast) -> None:
    zhang = cast.person("1023").opened_session().goes_to("/desk")
    for page in ("我的待办", "工单", "客户", "未接来电"):
        zhang.opens(page)
    expect(zhang.page.locator("[role=tab].tab")).to_have_count(5)
    zhang.opens("排队电话")
    expect(zhang.page.locator("[data-testid^=tab-replace-]").first).to_be_focused()
    zhang.presses("Enter")
    expect(zhang.sees("tabs-full")).to_be_hidden()
    expect(zhang.page.locator("[role=tab].tab")).to_have_count(5)
    expect(zhang.page.locator("[role=tab].tab.on")).to_contain_text("排队")
    zhang.has_nothing_to_complain_about()


def test_who_may_not_see_a_page_is_told_what_is_needed(cast: Cast) -> None:
    zhang = cast.person("1023").opened_session().goes_to("/overdue")
    expect(zhang.page.locator("main")).to_contain_text("无权限")
    expect(zhang.page.locator("[data-testid^=overdue-row-]")).to_have_count(0)
    zhang.has_nothing_to_complain_about()


@pytest.mark.req("X-10")
def test_without_a_line_the_screen_says_so_and_typing_goes_on(cast: Cast) -> None:
    zhang = cast.person("1023").opened_session()
    ticket = zhang.tells("tickets", {"purpose": "consult", "relation": "self", "identity": "potential"})
    zhang.goes_to(f"/inbox?task={ticket['task']}")
    expect(zhang.sees("field-content")).to_be_visible()
    zhang.page.context.set_offline(True)
    expect(zhang.sees("offline")).to_be_visible(timeout=15_000)
    zhang.fills("content", "断线时也在打字")
    zhang.presses("Alt+Enter")  # cannot go out now, and is not lost either
    expect(zhang.sees("field-content")).to_have_value("断线时也在打字")
    expect(zhang.sees("draft-note")).to_contain_text("草稿存在本机")
    zhang.page.context.set_offline(False)
    expect(zhang.sees("offline")).to_be_hidden(timeout=15_000)
    zhang.page.reload()
    expect(zhang.sees("field-content")).to_have_value("断线时也在打字")
    zhang.has_nothing_to_complain_about()


@contextmanager
def locked_database(product: Product) -> Iterator[None]:
    """Somebody has the write lock of the product's database and does not let go."""
    other = sqlite3.connect(product.data / "zuoxi.sqlite3", timeout=5, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.req("X-10", "X-20")
def test_while_the_database_is_locked_the_screen_names_it_and_the_typing_is_kept(cast: Cast, product: Product) -> None:
    zhang = cast.person("1023").opened_session()
    ticket = zhang.tells("tickets", {"purpose": "consult", "relation": "self", "identity": "potential"})
    zhang.goes_to(f"/inbox?task={ticket['task']}")
    expect(zhang.sees("field-content")).to_be_visible()
    zhang.chooses("question_class", "医保")
    zhang.fills("content", "数据库锁住前")
    with locked_database(product):
        zhang.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")  # looks away and back
        expect(zhang.sees("outage")).to_contain_text("数据库暂时不可用", timeout=8_000)
        expect(zhang.sees("outage")).to_contain_text("输入存在本机")
        expect(zhang.sees("line")).to_have_text("数据库暂时不可用")
        zhang.types(", 锁住时也在打字")
        expect(zhang.sees("field-content")).to_have_value("数据库锁住前, 锁住时也在打字")
    expect(zhang.sees("outage")).to_be_hidden(timeout=8_000)
    expect(zhang.sees("line")).to_contain_text("已连接")
    expect(zhang.sees("field-content")).to_have_value("数据库锁住前, 锁住时也在打字")
    zhang.ticks("solved")
    zhang.fills("answer", "带医保卡")
    zhang.presses("Alt+Enter")
    expect(zhang.sees("toast-act")).to_be_visible()
    zhang.has_nothing_to_complain_about()


@pytest.mark.req("X-02")
def test_an_empty_inbox_says_where_work_is(cast: Cast) -> None:
    zheng = cast.person("1025").opened_session().goes_to("/inbox")
    expect(zheng.page.locator("main")).to_contain_text("没有待办")
    zheng.has_nothing_to_complain_about()
