"""Who may do what, who leads whom, and access that comes and goes with work."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.cast import a_customer, a_group, a_user, the_tree
from tests.support.http import as_user
from web.accounts import services as accounts
from web.accounts.models import AccessGrant, Group, Membership, Notification, Role, RolePermission, User
from web.common.errors import NotAllowed
from web.common.models import AuditRow
from web.common.scope import scope
from web.customers.models import Customer


def test_every_installation_starts_with_roles_and_only_codes_that_exist():
    assert {"agent", "team_leader", "supervisor", "manager", "director", "analyst", "admin", "system"} <= set(
        Role.objects.values_list("key", flat=True)
    )
    assert set(RolePermission.objects.values_list("code", flat=True)) == set(accounts.PERMISSIONS)


@pytest.mark.parametrize(
    "role, may, may_not",
    [
        (
            "agent",
            {"tickets.open", "customers.register", "customers.reveal", "telephony.dial"},
            {
                "tasks.reassign",
                "routing.approve",
                "telephony.floor",
                "telephony.extend_wrap_up",
                "customers.view_all",
                "announcements.publish",
            },
        ),
        (
            "team_leader",
            {"tasks.reassign", "routing.approve", "telephony.floor", "telephony.extend_wrap_up"},
            {"customers.view_all", "customers.assign", "workflow.incidents"},
        ),
        (
            "supervisor",
            {"customers.view_all", "customers.assign", "announcements.publish", "workflow.incidents"},
            {"workflow.deploy", "tasks.view_all"},
        ),
        ("director", {"tasks.view_all", "customers.view_all"}, {"workflow.deploy"}),
        ("analyst", {"workflow.deploy"}, {"customers.view_all", "customers.reveal", "tickets.open"}),
        ("admin", {"workflow.deploy", "workflow.incidents"}, {"customers.view_all", "customers.reveal"}),
        ("finance", {"reports.view"}, {"tickets.open", "customers.reveal"}),
    ],
)
def test_each_role_may_what_the_table_says_and_no_more(role, may, may_not):
    codes = accounts.permissions_of(a_user("1", role))
    assert may <= codes and not may_not & codes


def test_a_refusal_says_what_is_needed_and_who_has_it():
    agent = a_user("1023", "agent")
    with pytest.raises(NotAllowed) as refused:
        accounts.require(agent, "routing.approve")
    assert refused.value.facts == {
        "needs": "routing.approve",
        "who_grants": ["team_leader", "supervisor", "manager", "director"],
    }
    User.objects.filter(pk=agent.pk).update(is_active=False)
    assert not accounts.has_permission(User.objects.get(pk=agent.pk), "tickets.open")
    assert not accounts.has_permission(None, "tickets.open")


@pytest.mark.req("S-50", "S-51", "S-52")
def test_who_leads_a_node_leads_everything_below_it():
    people = the_tree()
    led = {
        who: {group.key for group in accounts.groups_led(people[who])}
        for who in ("director", "supervisor", "booking_leader", "anna")
    }
    assert led == {
        "director": {"centre", "operations", "booking", "service"},
        "supervisor": {"operations", "booking", "service"},
        "booking_leader": {"booking"},
        "anna": set(),
    }


def test_leaders_are_looked_for_upwards_and_never_among_the_excluded():
    people = the_tree()
    assert accounts.leaders_of("booking") == [people["booking_leader"]]
    assert accounts.leaders_of("booking", excluding=["1021"]) == [people["supervisor"]]
    assert accounts.leaders_of("booking", excluding=["1021", "1011", "1001"]) == []
    Membership.objects.filter(user=people["anna"]).update(deputy=True)
    User.objects.filter(number="1021").update(is_active=False)
    assert accounts.leaders_of("booking") == [people["anna"]]
    assert accounts.leaders_of("no such group") == []


def test_a_group_that_moves_takes_what_is_below_along_and_cannot_hang_below_itself():
    the_tree()
    a_group("north", "centre")
    accounts.set_group("operations", "Operations", parent=Group.objects.get(key="north"))
    assert Group.objects.get(key="booking").path == "/centre/north/operations/booking/"
    with pytest.raises(ValueError, match="below itself"):
        accounts.set_group("north", "North", parent=Group.objects.get(key="booking"))


def test_a_key_like_anothers_beginning_is_not_below_it():
    a_group("book")
    a_group("booking")
    reader = a_user("1", "team_leader", "book", leads=True)
    assert [group.key for group in accounts.groups_led(reader)] == ["book"]
    assert not accounts.members_of("booking").exists()


def test_the_keys_of_a_candidate_and_the_users_behind_a_key_say_the_same():
    people = the_tree()
    everybody = User.objects.all()
    keys = set().union(*(accounts.candidate_keys(user) for user in everybody))
    for key in keys:
        named = {user.number for user in accounts.candidates([key])}
        assert named == {user.number for user in everybody if key in accounts.candidate_keys(user)}, key
    assert {"user:1023", "role:agent", "group:booking", "group:operations", "group:centre"} == accounts.candidate_keys(
        people["anna"]
    )
    assert accounts.candidates(["group:nowhere", "odd:key", "user:0"]) == []


def test_candidates_have_names_for_people():
    the_tree()
    booking = {"kind": "group", "key": "booking", "name": {"zh": "Booking", "en": "Booking group"}}
    assert accounts.candidate_name("group:booking") == booking
    role = accounts.candidate_name("role:supervisor")["name"]
    assert role["zh"] and role["en"] and role["zh"] != role["en"]
    nobody = {"kind": "user", "key": "nobody", "name": {"zh": "nobody", "en": "nobody"}}
    assert accounts.candidate_name("user:nobody") == nobody


@pytest.mark.req("X-15", "X-16")
def test_access_comes_with_work_ends_with_it_and_is_audited_both_times(clock):
    people = the_tree()
    customer, clinic = a_customer(owner=people["carl"]), people["clerk_of_clinic"]
    assert customer not in scope(Customer.objects.all(), clinic)
    first = accounts.grant(clinic, "customer", customer.pk, "task", "task:12")
    assert accounts.grant(clinic, "customer", customer.pk, "task", "task:12") == first
    assert customer in scope(Customer.objects.all(), clinic)
    assert accounts.end_grants("task:12") == 1
    assert customer not in scope(Customer.objects.all(), clinic)
    actions = AuditRow.objects.filter(subject=f"customer:{customer.pk}").order_by("pk").values_list("action", flat=True)
    assert [action for action in actions if action.startswith("access.")] == ["access.granted", "access.ended"]


def test_a_grant_to_a_group_opens_for_its_members_alone_and_runs_out_by_itself(clock):
    people = the_tree()
    customer = a_customer(owner=people["carl"])
    accounts.grant(
        a_group("booking"), "customer", customer.pk, "pool", "task:9", until=clock.now() + timedelta(hours=1)
    )
    seen = {who for who, user in people.items() if customer in scope(Customer.objects.all(), user)}
    assert {"anna", "ben", "booking_leader", "carl"} <= seen and not {"dora", "clerk_of_clinic", "admin"} & seen
    clock.forward(hours=1)
    assert customer not in scope(Customer.objects.all(), people["anna"])


def test_one_persons_grant_ends_while_the_others_stay():
    people = the_tree()
    customer = a_customer(owner=people["carl"])
    for who in ("anna", "ben"):
        accounts.grant(people[who], "customer", customer.pk, "task", "task:3")
    assert accounts.end_grants("task:3", user=people["anna"]) == 1
    assert list(AccessGrant.objects.filter(ended_at=None).values_list("user__number", flat=True)) == ["1024"]


def test_who_sees_everything_still_does_when_he_holds_a_grant():
    people = the_tree()
    one, other = a_customer(owner=people["anna"]), a_customer("+8619900001002", owner=people["carl"], name="李秀英")
    accounts.grant(people["director"], "customer", one.pk, "task", "task:5")
    assert set(scope(Customer.objects.all(), people["director"])) == {one, other}


@pytest.mark.req("X-29")
def test_a_notice_is_seen_and_marked_read_by_its_receiver_alone():
    people = the_tree()
    notice = accounts.notify(people["anna"], "task_overdue", {"title": "Call back"}, "task:7")
    others = accounts.notify(people["ben"], "task_overdue", {"title": "Other"}, "task:8")
    client = as_user(people["anna"])
    page = client.get("/api/notifications").json()
    assert [(row["id"], row["text"], row["ref"], row["read"]) for row in page["results"]] == [
        (str(notice.pk), "notice.task_overdue", "task:7", False)
    ]
    assert page["unread"] == 1 and ":" in page["live"]["notifications"]
    assert client.post("/api/notifications/read", {"ids": [notice.pk, others.pk]}, format="json").json() == {
        "unread": 0
    }
    assert Notification.objects.get(pk=others.pk).read_at is None
    assert client.post("/api/notifications/read", {"ids": "all"}, format="json").json()["fields"] == {
        "ids": [{"code": "not_a_list"}]
    }


def test_colleagues_are_found_by_role_group_and_name():
    people = the_tree()
    client = as_user(people["anna"])
    ask = lambda query: [row["number"] for row in client.get(f"/api/users{query}").json()]  # noqa: E731
    assert ask("?role=agent&group=booking") == ["1023", "1024"]
    assert ask("?group=operations&role=team_leader") == ["1021", "1022"]
    assert ask("?search=103") == ["1031", "1032"]
    assert ask("?group=nowhere") == []
    assert client.get("/api/users?search=1023").json()[0] == {
        "number": "1023",
        "name": people["anna"].name,
        "group": "booking",
    }
    groups = client.get("/api/groups").json()
    assert [row["key"] for row in groups] == ["centre", "operations", "booking", "service"]
    assert groups[0]["name"] == {"zh": "Centre", "en": "Centre group"}
