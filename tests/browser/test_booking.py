"""A booking by keyboard: the doctor whom everybody wants is full, another place is found, prepaid, and confirmed by SMS."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cast import SHANGHAI, SMALLEST, Person, cast_of, product_now, turn_to_morning, within
from tests.browser.steps import answers_a_known_caller, hands_in, tickets_of
from tests.support.servers import Product, manage

pytestmark = pytest.mark.browser

XIE = "appointments/free?clinic=guangzhou-donghu&doctor=xie-zhongan&days=7"


def full_tomorrow(agent: Person) -> date:
    """Tomorrow, when Xie Zhong'an has places at his first clinic and all of them are taken."""
    day = product_now(agent.product).astimezone(SHANGHAI).date() + timedelta(days=1)

    def of_the_day() -> list[int]:
        return [row["free"] for row in agent.asks(XIE) if row["date"] == day.isoformat()]

    if any(of_the_day()):
        manage("demo", env=agent.product.env)  # the clock was turned since the last time everybody wanted his tomorrow
    places = of_the_day()
    assert places and not any(places)
    return day


def messages_of(person: Person, customer: str) -> dict[str, str]:
    """Messages to the customer and what became of them."""
    return {
        row["title"]: row["state"] for row in person.asks(f"customers/{customer}/history") if row["kind"] == "message"
    }


@pytest.mark.req("W-70", "W-71", "P-12")
def test_the_wanted_doctor_is_full_another_place_is_found_prepaid_and_confirmed_by_sms(
    product: Product, browser: Browser
) -> None:
    turn_to_morning(product)
    with cast_of(product, browser, size=SMALLEST) as cast:
        zhang = cast.person("1023").logs_in().signs_in_ready()
        tomorrow = full_tomorrow(zhang)
        answers_a_known_caller(zhang)
        zhang.presses("1")
        expect(zhang.sees("task-form")).to_be_visible()
        zhang.fills("patient_name", "叶青")
        zhang.chooses("clinic", "东湖")
        zhang.chooses("department", "中医内科")
        zhang.chooses("doctor", "谢仲安")
        zhang.chooses("date", f"{tomorrow:%m/%d}")
        hands_in(zhang)

        # No place left: what is really free stands there, with what has to be paid before.
        expect(zhang.sees("field-suggestion")).to_be_visible()
        ticket = tickets_of(zhang, "appointment")[0]["number"]
        customer = zhang.asks(f"tickets/{ticket}")["customer"]["id"]
        zhang.chooses("suggestion", "需预付")
        expect(zhang.page.locator("[data-field=doctor]")).to_contain_text("谢仲安")
        expect(zhang.page.locator("[data-field=date]")).not_to_contain_text(f"{tomorrow:%m/%d}")
        zhang.ticks("recommend_status")
        hands_in(zhang)

        # Money is asked for until half an hour from the hold, and nothing is confirmed before it is there.
        held = within(
            8, lambda: (it := zhang.asks(f"appointments/{ticket}")) and it["state"] == "held" and it, "the hold"
        )
        assert (held["prepay"], held["booked_at"], held["date"] > tomorrow.isoformat()) == (True, None, True)
        within(8, lambda: "pay_link" in messages_of(zhang, customer), "the link")
        assert "appointment_booked" not in messages_of(zhang, customer)

        # He pays: the place is his, and an SMS says so. The agent sees it beside the call.
        booked = within(
            20, lambda: (it := zhang.asks(f"appointments/{ticket}")) and it["booked_at"] and it, "the payment"
        )
        assert (booked["state"], booked["date"], booked["hour"]) == ("booked", held["date"], held["hour"])
        within(8, lambda: messages_of(zhang, customer).get("appointment_booked") == "delivered", "the SMS")
        paid = cast.person("1061").opened_session().asks(f"payments/{booked['payment']}")
        assert (paid["state"], paid["amount_fen"]) == ("paid", held["fee_fen"])
        expect(zhang.page.locator("main").get_by_text("预约成功").first).to_be_visible()
        zhang.has_nothing_to_complain_about()
