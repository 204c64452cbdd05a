"""Announcements reach their audience, change, disappear; only who may writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.cast import the_tree
from tests.support.http import as_user
from web.announcements import services
from web.announcements.events import AnnouncementsChanged
from web.announcements.models import Announcement
from web.common import clock as product_clock
from web.common import publishing
from web.common.audit import facts
from web.common.errors import NotAllowed
from web.common.models import AuditRow


@pytest.fixture
def people():
    return the_tree()


def titles(user) -> list[str]:
    return [row["title"] for row in as_user(user).get("/api/announcements").json()]


@pytest.mark.req("A-20", "A-21", "A-25")
def test_an_announcement_to_a_group_is_seen_by_it_and_everything_below_it_and_by_nobody_else(people):
    client = as_user(people["supervisor"])
    post = lambda **body: client.post("/api/announcements", body, format="json")  # noqa: E731
    assert post(title="Everybody", level="urgent").status_code == 201
    post(title="Booking", groups=["booking"])
    post(title="Operations", groups=["operations"])
    assert titles(people["anna"]) == ["Operations", "Booking", "Everybody"]
    assert titles(people["carl"]) == ["Operations", "Everybody"]
    assert titles(people["clerk_of_clinic"]) == ["Everybody"]
    assert titles(people["supervisor"]) == ["Operations", "Booking", "Everybody"]
    shown = as_user(people["anna"]).get("/api/announcements").json()[-1]
    assert shown["level"] == "urgent" and isinstance(shown["id"], str) and shown["body"] == ""


def test_one_that_goes_to_several_groups_is_shown_once(people):
    services.publish(title="Both", groups=["booking", "operations", "service"], acting_user=people["supervisor"])
    assert titles(people["anna"]) == ["Both"]


@pytest.mark.req("A-22", "A-23")
def test_changing_and_withdrawing_act_for_all_readers_and_the_audit_keeps_what_was_said(people):
    client = as_user(people["supervisor"])
    pk = client.post("/api/announcements", {"title": "Old", "body": "b"}, format="json").json()["id"]
    assert (
        client.patch(f"/api/announcements/{pk}", {"title": "New", "groups": ["service"]}, format="json").json()["title"]
        == "New"
    )
    assert (titles(people["carl"]), titles(people["anna"])) == (["New"], [])
    assert client.delete(f"/api/announcements/{pk}").status_code == 204
    assert titles(people["carl"]) == [] and Announcement.objects.count() == 1
    assert client.delete(f"/api/announcements/{pk}").status_code == 404
    told = AuditRow.objects.filter(subject=f"announcement:{pk}").order_by("pk")
    assert [row.action for row in told] == [
        "announcements.published",
        "announcements.changed",
        "announcements.withdrawn",
    ]
    assert facts(told[1])["before"] == {"title": "Old", "body": "b", "level": "normal", "groups": []}


def test_one_for_later_is_not_shown_before_its_time(people, clock):
    services.publish(title="Later", published_at=clock.now() + timedelta(hours=1), acting_user=people["director"])
    assert titles(people["anna"]) == []
    clock.forward(hours=1)
    assert titles(people["anna"]) == ["Later"]


@pytest.mark.parametrize("who", ["anna", "booking_leader", "clerk_of_clinic"])
def test_who_may_not_publish_is_refused_at_every_door(people, who):
    item = services.publish(title="Standing", acting_user=people["supervisor"])
    client = as_user(people[who])
    for answer in (
        client.post("/api/announcements", {"title": "x"}, format="json"),
        client.patch(f"/api/announcements/{item.pk}", {"title": "x"}, format="json"),
        client.delete(f"/api/announcements/{item.pk}"),
    ):
        assert answer.status_code == 403 and answer.json()["needs"] == "announcements.publish"
    with pytest.raises(NotAllowed):
        services.withdraw(item, acting_user=people[who])
    assert titles(people["anna"]) == ["Standing"]


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "x", "level": "loud"}, "level"),
        ({"title": "x", "groups": ["nowhere"]}, "groups"),
    ],
)
def test_bad_input_names_its_field_and_publishes_nothing(people, body, field):
    answer = as_user(people["supervisor"]).post("/api/announcements", body, format="json")
    assert answer.status_code == 400 and list(answer.json()["fields"]) == [field]
    assert not Announcement.objects.exists()


def test_every_act_is_told_after_commit(people, django_capture_on_commit_callbacks, monkeypatch):
    heard = []
    monkeypatch.setitem(publishing._routes, AnnouncementsChanged, [heard.append])
    with django_capture_on_commit_callbacks(execute=True):
        item = services.publish(title="x", acting_user=people["supervisor"])
        services.change(item, acting_user=people["supervisor"], level="urgent")
        services.withdraw(item, acting_user=people["supervisor"])
        services.withdraw(item, acting_user=people["supervisor"])
    assert heard == [AnnouncementsChanged(item.pk)] * 3
    assert Announcement.objects.get().withdrawn_at <= product_clock.now()
