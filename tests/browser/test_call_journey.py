"""From a ringing call to a finished task, by keyboard, in a real browser, on the running product."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import SMALLEST, Person, cast_of, product_now, ring, turn_to_morning, within
from tests.support.servers import Product

pytestmark = pytest.mark.browser


def seconds_on(person: Person) -> int:
    """The running time in the phone bar, s."""
    parts = [int(part) for part in person.sees("phone-time").inner_text().split(":")]
    return sum(part * 60**power for power, part in enumerate(reversed(parts)))


def asks_a_question(person: Person, question: str | None, *, group: str | None = None) -> None:
    """Fill the form of a question (None: it stands there): solved at once, or given to a group until in an hour."""
    person.chooses("question_class", "价格与医保")
    if question:
        person.fills("content", question)
    if group is None:
        person.ticks("solved")
        person.fills("answer", "带医保卡")
    else:
        person.ticks("solved", 1)
        person.chooses("to_group", group)
        person.dates("follow_up_at", product_now(person.product) + timedelta(hours=1))


@pytest.mark.req("A-53", "A-62", "S-07")
def test_an_agent_handles_his_phone_by_keyboard_from_sign_in_to_ready_again(product: Product, browser: Browser) -> None:
    turn_to_morning(product)
    with cast_of(product, browser, size=SMALLEST) as cast:
        zhang = cast.person("1023").logs_in().signs_in_ready()
        ring(product, "known")
        zhang.is_in("ring")
        zhang.presses("F2")
        zhang.is_in("talk")
        zhang.presses("F8")
        zhang.is_in("hold")
        zhang.presses("F8")
        zhang.is_in("talk")
        zhang.presses("F9")
        expect(zhang.sees("phone-mute")).to_contain_text("复音")
        zhang.presses("F9")
        expect(zhang.sees("phone-mute")).to_contain_text("静音")

        # A slip of F4 does nothing; held it hangs up. Thirty seconds of wrap-up run down and may end early.
        zhang.presses("F4")
        zhang.is_in("talk")
        zhang.holds("F4")
        zhang.is_in("wrap")
        left = seconds_on(zhang)
        assert 20 <= left <= 31
        within(5, lambda: seconds_on(zhang) < left, "the countdown")
        zhang.presses("Alt+Enter")
        zhang.is_in("idle")
        zhang.has_nothing_to_complain_about()


@pytest.mark.req("A-06", "W-11", "X-24")
def test_a_call_pops_by_itself_and_two_tickets_of_it_are_done_without_a_mouse(
    product: Product, browser: Browser
) -> None:
    turn_to_morning(product)
    with cast_of(product, browser, size=SMALLEST) as cast:
        zhang = cast.person("1023").logs_in().signs_in_ready()

        # The call comes up by itself, with the card of whoever calls; the number is masked.
        ring(product, "known")
        zhang.is_in("ring")
        expect(zhang.sees("desk-call")).to_have_attribute("data-state", "ringing")
        expect(zhang.sees("customer-card")).to_contain_text(re.compile(r"\d{3}\*{4}\d{4}"))
        if zhang.sees("candidates").count():  # a family shares this number: the agent asks who it is
            zhang.tabs_to("[data-testid=candidates] button")
            zhang.presses("Enter")
        name = zhang.sees("customer-name").inner_text()
        assert "*" in name
        zhang.presses("F2")
        zhang.is_in("talk")

        # The purpose is the router: 3 opens the ticket, its flow's first form has the focus.
        zhang.presses("3")
        expect(zhang.sees("task-form")).to_be_visible()
        expect(zhang.sees("purpose-consult")).to_have_attribute("aria-checked", "true")
        zhang.fills("content", "煎药几天能送到")
        zhang.presses("Alt+s")
        expect(zhang.sees("draft-note")).to_contain_text("已存")

        # A reload loses nothing and takes no time.
        before = seconds_on(zhang)
        call = zhang.sees("desk-call").get_attribute("data-call")
        zhang.page.reload()
        content = zhang.sees("field-content")
        within(2, lambda: content.count() and content.input_value() == "煎药几天能送到", "the form's return")
        expect(zhang.sees("desk-call")).to_have_attribute("data-call", call)
        expect(zhang.sees("customer-name")).to_have_text(name)
        assert before <= seconds_on(zhang) <= before + 8

        # What is missing is named; what was typed stays.
        zhang.presses("Alt+Enter")
        expect(zhang.page.locator("[data-field=question_class].wrong")).to_be_visible()
        expect(zhang.page.locator("[data-field=solved].wrong")).to_be_visible()
        expect(content).to_have_value("煎药几天能送到")
        asks_a_question(zhang, None, group="服务组")
        zhang.presses("Alt+Enter")
        expect(zhang.sees("toast-act")).to_be_visible()

        # A second ticket in the same call.
        zhang.leaves_the_field()
        zhang.presses("5")
        expect(content).to_have_value("")
        asks_a_question(zhang, "顺便问营业时间")
        zhang.presses("Alt+Enter")
        expect(zhang.page.locator("[data-testid^=work-T]")).to_have_count(2)
        numbers = {row["number"] for row in zhang.asks("telephony/me")["calls"][0]["tickets"]}
        assert len(numbers) == 2
        zhang.has_nothing_to_complain_about()


@pytest.mark.req("S-20", "X-05", "X-10")
def test_what_an_agent_could_not_solve_reaches_a_colleague_and_when_he_does_not_act_the_supervisor(
    product: Product, browser: Browser
) -> None:
    turn_to_morning(product)
    with cast_of(product, browser) as cast:
        # A colleague looks into the pool of his group while the task is made.
        huang = cast.person("1032").logs_in().takes_no_calls()
        huang.opens("组内可领")
        zhang = cast.person("1023").opened_session()
        task = a_question(zhang, "退号要多久到账", "service", minutes=24)
        huang.picks(task)

        # He takes it, types, and his browser dies.
        huang.presses("c")
        expect(huang.sees("task-complete")).to_be_visible()
        huang.ticks("result")
        huang.fills("answer", "三个工作日内原路退回")
        others = [a_question(zhang, f"医保能报销吗 {n}", "service", minutes=24, claimed_by=huang) for n in (1, 2)]
        within(14, lambda: huang.asks(f"tasks/{task}")["draft"], "the draft's way to the server")
        state = huang.page.context.storage_state()
        huang.page.context.close()

        # Three quarters of the time are gone: he is reminded.
        owner = cast.person("1032", storage_state=state)
        product.forward(minutes=19)
        owner.page.goto(f"{product.url}/inbox?task={task}")
        expect(owner.sees("task-complete")).to_be_visible()
        expect(owner.sees("field-answer")).to_have_value("三个工作日内原路退回")
        within(
            10,
            lambda: any(row["kind"] == "task_reminder" for row in owner.asks("notifications")["results"]),
            "the reminder",
        )

        # All of it is gone: the supervisor has it, and gives all at once to somebody else.
        chen = cast.person("1011").logs_in()
        chen.opens("超时重派")
        product.forward(minutes=6)
        expect(chen.sees(f"overdue-row-{task}")).to_be_visible(timeout=15_000)
        for other in others:
            expect(chen.sees(f"overdue-row-{other}")).to_be_visible(timeout=15_000)
        ma = cast.person("1034").logs_in().takes_no_calls()
        chen.presses("a", "r")
        expect(chen.sees("reassign-drawer")).to_be_visible()
        chen.chooses("assignee", "1034")
        chen.dates("due_at", product_now(product) + timedelta(hours=2))
        chen.chooses("reason", "坐席不在")
        chen.fills("note", "黄诗涵下班了")
        chen.presses("Alt+Enter")
        expect(chen.page.locator("[data-testid^=overdue-row-]")).to_have_count(0, timeout=10_000)

        # The former owner's open page loses it at once and is told by whom; the new owner has it, with the draft.
        expect(owner.page.locator("main")).to_contain_text("1011", timeout=3_000)
        expect(owner.sees("task-complete")).to_have_count(0)
        ma.opens("我的待办")
        ticket = chen.asks(f"tasks/{task}")["ticket"]
        mine = within(
            5,
            lambda: [row for row in ma.asks("tasks?box=mine")["results"] if row["ticket"] == ticket],
            "the new owner's task",
        )
        fresh = mine[0]["id"]
        ma.page.goto(f"{product.url}/inbox?task={fresh}")
        expect(ma.sees("former-draft")).to_contain_text("三个工作日内原路退回")
        expect(ma.sees("former-draft")).to_contain_text("1032")

        # The ticket's page says who, when and why.
        ma.page.goto(f"{product.url}/tickets/{ticket}")
        history = ma.page.locator("main")
        expect(history).to_contain_text("1011")
        expect(history).to_contain_text("黄诗涵下班了")

        # Done; ten seconds of regret, once.
        ma.page.goto(f"{product.url}/inbox?task={fresh}")
        expect(ma.sees("field-answer")).to_have_value("三个工作日内原路退回")
        ma.presses("Alt+Enter")
        expect(ma.sees("toast-act")).to_be_visible()
        ma.leaves_the_field()
        ma.presses("z")
        within(5, lambda: ma.asks(f"tasks/{fresh}")["state"] == "open", "the undoing")
        expect(ma.sees("toast-act")).to_have_count(0)
        for person in (owner, chen, ma):
            person.has_nothing_to_complain_about()


def a_question(agent: Person, question: str, group: str, *, minutes: int, claimed_by: Person | None = None) -> str:
    """A ticket whose question waits in a group's pool; the id of that task."""
    ticket = agent.tells("tickets", {"purpose": "consult", "relation": "self", "identity": "potential"})
    until = product_now(agent.product) + timedelta(minutes=minutes)
    answers = {"question_class": "price", "content": question, "solved": "no", "to_group": group}
    agent.tells(f"tasks/{ticket['task']}/complete", {"data": {**answers, "follow_up_at": until.isoformat()}})

    def waiting() -> str | None:
        rows = agent.asks(f"tickets/{ticket['number']}")["tasks"]
        return next((row["id"] for row in rows if row["element"] == "C2_answer"), None)

    agent.product.forward(seconds=11)
    task = within(10, waiting, "the task in the pool")
    if claimed_by:
        claimed_by.tells(f"tasks/{task}/claim")
    return task
