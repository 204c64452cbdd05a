"""Registering, changing, owning and showing customers."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from django.core.cache import cache
from django.db import connection

from engine.verbs import REGISTRY, Context
from tests.support.cast import a_customer, a_user, the_tree
from tests.support.http import as_user
from web.accounts.models import AccessGrant, Notification
from web.common import clock as product_clock
from web.common.audit import facts
from web.common.errors import InvalidForm, NotAllowed
from web.common.models import AuditRow
from web.common.scope import scope
from web.customers import hooks, services
from web.customers.models import Customer, OwnershipChange


def an_id_number(body: str = "99999919900307123") -> str:
    return next(f"{body}{digit}" for digit in "0123456789X" if services.is_id_number(f"{body}{digit}"))


@pytest.fixture
def people():
    return the_tree()


@pytest.fixture
def lent():
    """Hooks set by a test are taken back after it."""
    before = {
        name: getattr(hooks, name)
        for name in ("customer_of", "is_blocked", "number_of_call", "attach_to_call", "current_call")
    }
    yield hooks.register
    hooks.register(**before)


def register(client, **body):
    body = {"name": "王小明", "relation": "self", "identity": "potential", "number": "138 1234 1234", **body}
    return client.post("/api/customers", {k: v for k, v in body.items() if v is not None}, format="json")


# --- registering -------------------------------------------------------------------------------------------------
@pytest.mark.req("W-18", "W-31", "W-33")
def test_the_agent_who_registers_a_caller_owns_him_and_the_same_number_opens_the_record_again(people):
    answer = register(as_user(people["anna"]))
    assert answer.status_code == 201
    card = answer.json()
    assert (card["name"], card["number"], card["owner"]) == (
        "王*",
        "138****1234",
        {"number": "1023", "name": people["anna"].name},
    )
    again = register(as_user(people["ben"]), number="+86-138/1234/1234", name="别人")
    assert again.status_code == 200 and again.json()["id"] == card["id"]
    assert Customer.objects.count() == 1
    change = OwnershipChange.objects.get()
    assert (change.old_owner, change.new_owner, change.by, change.reason) == (None, "1023", "1023", "first_call")


@pytest.mark.req("W-11", "W-12", "W-13")
def test_mandatory_fields_are_named_one_by_one_and_nothing_is_saved(people):
    client = as_user(people["anna"])
    empty = client.post("/api/customers", {}, format="json")
    assert empty.status_code == 400 and set(empty.json()["fields"]) == {"name", "relation", "identity"}
    assert register(client, number=None).json()["fields"] == {"number": [{"code": "required"}]}
    wrong = register(client, number="62345678", name="   ", id_number="110101199003071234", email="nobody@")
    assert wrong.status_code == 400 and wrong.json()["fields"] == {"name": [{"code": "blank"}]}
    wrong = register(client, number="62345678", id_number="123", email="nobody@")
    assert wrong.status_code == 422
    assert {name: found[0]["code"] for name, found in wrong.json()["fields"].items()} == {
        "number": "invalid", "id_number": "invalid", "email": "invalid",
    }  # fmt: skip
    assert register(client, relation="cousin").json()["fields"] == {"relation": [{"code": "invalid_choice"}]}
    assert not Customer.objects.exists()


def test_a_family_on_one_telephone_are_several_customers_and_who_is_meant_is_asked(people):
    client = as_user(people["anna"])
    first = register(client).json()
    child = register(client, name="王小小", relation="family", separate=True)
    assert child.status_code == 201 and child.json()["id"] != first["id"]
    unclear = register(client, name="谁")
    assert unclear.status_code == 409 and unclear.json()["code"] == "number_shared"
    assert {card["id"] for card in unclear.json()["candidates"]} == {first["id"], child.json()["id"]}
    assert register(client, name="王小小").json()["id"] == child.json()["id"]
    assert len(services.find_by_number("+8613812341234")) == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_who_register_one_number_at_the_same_moment_both_have_the_same_record(people):
    gate, found = threading.Barrier(2), []

    def meet(who):
        try:
            gate.wait()
            found.append(services.register(acting_user=people[who], number="13812341234", name=who))
        finally:
            connection.close()

    threads = [threading.Thread(target=meet, args=(who,)) for who in ("anna", "ben")]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(is_new for _, is_new in found) == [False, True]
    assert found[0][0] == found[1][0] and Customer.objects.count() == 1


def _at_first(answers, real, e164):
    """The prepared answer once, then what is true."""
    for answer in answers:
        return answer
    return real(e164)


def test_the_loser_of_a_race_for_a_number_finds_the_winners_record(people, monkeypatch):
    winner = a_customer("+8613812341234", owner=people["carl"])
    for name, before_the_winner_committed in (("find_by_number", []), ("_is_held", False)):
        real, first = getattr(services, name), iter([before_the_winner_committed])
        monkeypatch.setattr(services, name, partial(_at_first, first, real))
    assert services.register(acting_user=people["anna"], number="13812341234", name="李秀英") == (winner, False)
    assert Customer.objects.count() == 1


def test_registering_in_a_call_takes_its_number_and_gives_the_call_its_customer(people, lent):
    seen = []
    lent(number_of_call=lambda call, user: "+8613812341234", attach_to_call=lambda *about: seen.append(about))
    card = register(as_user(people["anna"]), number=None, call="7").json()
    assert card["number"] == "138****1234"
    assert seen == [("7", Customer.objects.get(), people["anna"])]


def test_who_may_not_register_is_refused(people):
    refused = register(as_user(people["admin"]))
    assert refused.status_code == 403
    assert refused.json()["needs"] == "customers.register" and "agent" in refused.json()["who_grants"]


@pytest.mark.req("W-21.07", "W-21.08", "W-21.09")
def test_an_id_number_gives_birth_date_sex_and_population_and_is_shown_masked(people, clock):
    customer = a_customer(owner=people["anna"], id_number=an_id_number().lower())
    customer.refresh_from_db()
    assert (str(customer.birth_date), customer.sex, customer.population) == ("1990-03-07", "male", "adult")
    shown = as_user(people["anna"]).get(f"/api/customers/{customer.pk}").json()
    assert shown["id_number"] == f"999***********{an_id_number()[-4:]}" and shown["age"] == 36
    assert "id_number" in shown["masked"]


@pytest.mark.parametrize("text", ["", "1" * 18, "99999919901307123X", "９９９９９９19900307123", an_id_number()[:17]])
def test_what_is_no_id_number_is_refused(text):
    assert not services.is_id_number(text)


# --- finding -----------------------------------------------------------------------------------------------------
@pytest.mark.req("W-29", "W-30", "S-53")
def test_everybody_finds_his_own_reach_and_what_is_beyond_it_does_not_exist(people):
    of_anna, of_carl = (
        a_customer(owner=people["anna"]),
        a_customer("+8619900001002", owner=people["carl"], name="李秀英"),
    )
    of_nobody = a_customer("+8619900001003", name="张桂芳")
    reach = {
        who: {int(row["id"]) for row in as_user(user).get("/api/customers").json()["results"]}
        for who, user in people.items()
    }
    everybody = {of_anna.pk, of_carl.pk, of_nobody.pk}
    assert reach == {
        "director": everybody, "supervisor": everybody, "booking_leader": {of_anna.pk}, "service_leader": {of_carl.pk},
        "anna": {of_anna.pk}, "ben": set(), "carl": {of_carl.pk}, "dora": set(), "clerk_of_clinic": set(), "admin": set(),
    }  # fmt: skip
    ben = as_user(people["ben"])
    for call in (ben.get, lambda path: ben.patch(path, {"version": 0}, format="json")):
        missing, foreign = call("/api/customers/999999"), call(f"/api/customers/{of_anna.pk}")
        assert missing.status_code == foreign.status_code == 404
        assert missing.json()["code"] == foreign.json()["code"] == "not_found"
    for what in ("reveal", "history", "ownership"):
        method = ben.post if what == "reveal" else ben.get
        assert method(f"/api/customers/{of_anna.pk}/{what}", {"field": "number", "reason": "x"}).status_code == 404


@pytest.mark.req("W-30")
def test_during_a_call_the_exact_number_finds_a_foreign_customer_which_is_written_down_and_ends_with_the_call(
    people, lent
):
    customer = a_customer("+8613812341234", owner=people["carl"])
    client = as_user(people["anna"])
    assert client.get("/api/customers?search=13812341234").json()["results"] == []
    lent(current_call=lambda user: 7 if user == people["anna"] else None)
    assert client.get("/api/customers?search=1381234").json()["results"] == []
    assert client.get("/api/customers?search=王小明").json()["results"] == []
    found = client.get("/api/customers?search=0086 138-1234-1234").json()["results"]
    assert [row["id"] for row in found] == [str(customer.pk)]
    row = AuditRow.objects.get(action="customers.searched", actor="1023")
    assert row.subject == "call:7" and facts(row) == {"number": "138****1234", "found": [customer.pk]}
    assert AccessGrant.objects.get(user=people["anna"]).source == "call:7"
    lent(current_call=lambda user: None)
    services.accounts.end_grants("call:7")
    assert client.get("/api/customers?search=13812341234").json()["results"] == []


def test_own_customers_are_found_by_any_number_whole_name_and_card_number(people):
    customer = a_customer(owner=people["anna"])
    services.add_number(customer, "second", "020-88123456")
    client = as_user(people["anna"])
    for text in ("199 0000 1001", "(020)88123456", "王小明", customer.number):
        assert [row["id"] for row in client.get("/api/customers", {"search": text}).json()["results"]] == [
            str(customer.pk)
        ], text
    assert client.get("/api/customers", {"search": "王"}).json()["results"] == []
    assert client.get("/api/customers", {"cursor": "junk"}).json()["code"] == "bad_cursor"


# --- changing ----------------------------------------------------------------------------------------------------
@pytest.mark.req("W-20")
def test_a_change_is_kept_with_old_and_new_value_sealed_for_the_customer(people):
    customer = a_customer(owner=people["anna"])
    body = {"version": 0, "name": "王大明", "allergies": "青霉素、花粉", "numbers": {"second": "020 8812 3456"}}
    answer = as_user(people["anna"]).patch(f"/api/customers/{customer.pk}", body, format="json")
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["allergies"], answer.json()["other_number"]) == (
        1,
        ["青霉素", "花粉"],
        "20******56",
    )
    row = AuditRow.objects.get(action="customers.changed")
    assert facts(row)["fields"]["name"] == ["王小明", "王大明"] and row.person == customer.subject
    assert facts(row)["fields"]["numbers.second"] == [None, "+862088123456"]
    assert services.find_by_number("+862088123456") == [customer]
    assert Customer.objects.filter(name_index=services.name_index("王大明")).exists()


def test_of_two_who_change_the_same_card_the_second_is_told(people):
    customer = a_customer(owner=people["anna"])
    client = as_user(people["anna"])
    assert (
        client.patch(f"/api/customers/{customer.pk}", {"version": 0, "nickname": "a"}, format="json").status_code == 200
    )
    late = client.patch(f"/api/customers/{customer.pk}", {"version": 0, "nickname": "b"}, format="json")
    assert late.status_code == 409 and (late.json()["code"], late.json()["version"]) == ("changed_meanwhile", 1)
    assert Customer.objects.get().nickname == "a"


@pytest.mark.parametrize(
    "field",
    ["owner", "points", "balance_fen", "level", "is_vip", "do_not_call", "registered_at", "name_index", "token"],
)
def test_points_owner_and_flags_cannot_be_written_from_the_card(people, field):
    customer = a_customer(owner=people["anna"])
    answer = as_user(people["anna"]).patch(f"/api/customers/{customer.pk}", {"version": 0, field: 1}, format="json")
    assert answer.status_code == 400 and answer.json()["fields"] == {field: [{"code": "not_writable"}]}
    with pytest.raises(InvalidForm):
        services.change(customer, acting_user=people["anna"], version=0, **{field: 1})


def test_bad_values_of_a_change_are_named_and_the_last_mobile_cannot_be_taken_away(people):
    customer = a_customer(owner=people["anna"])
    client = as_user(people["anna"])
    for body, fields in [
        ({"numbers": {"mobile": ""}}, {"numbers.mobile": [{"code": "required"}]}),
        ({"numbers": {"second": "12"}}, {"numbers.second": [{"code": "invalid"}]}),
        ({"numbers": {"fax": "02088123456"}}, {"numbers.fax": [{"code": "unknown"}]}),
        ({"nickname": "n" * 41}, {"nickname": [{"code": "too_long"}]}),
        ({"id_number": "1"}, {"id_number": [{"code": "invalid"}]}),
    ]:
        answer = client.patch(f"/api/customers/{customer.pk}", {"version": 0, **body}, format="json")
        assert (answer.status_code, answer.json()["fields"]) == (422, fields)
    assert client.patch(f"/api/customers/{customer.pk}", {"nickname": "x"}, format="json").json()["fields"] == {
        "version": [{"code": "required"}]
    }


def test_who_sees_a_foreign_card_may_not_write_it_unless_it_is_his_work(people):
    customer = a_customer("+8619900001004")
    of_carl = a_customer("+8619900001005", owner=people["carl"], name="李秀英")
    lead = people["booking_leader"]
    services.accounts.grant(lead, "customer", of_carl.pk, "task", "task:1")
    assert services.may_change(of_carl, lead)
    services.accounts.end_grants("task:1")
    assert not services.may_change(of_carl, lead)
    with pytest.raises(NotAllowed):
        services.change(of_carl, acting_user=lead, version=0, nickname="x")
    assert services.may_change(of_carl, people["service_leader"]) and services.may_change(of_carl, people["supervisor"])
    assert services.may_change(customer, people["supervisor"]) and not services.may_change(customer, lead)


# --- owning ------------------------------------------------------------------------------------------------------
@pytest.mark.req("W-32", "W-34", "W-35")
def test_the_supervisor_spreads_customers_over_a_group_and_each_change_is_in_the_log(people):
    rows = [a_customer(f"+861990000100{n}", name=f"客户{n}") for n in range(4)]
    rows.append(a_customer("+8619900001009", owner=people["carl"], name="客户九"))
    body = {"ids": [row.pk for row in rows], "group": "booking", "reason": "分配"}
    answer = as_user(people["supervisor"]).post("/api/customers/assign", body, format="json")
    assert answer.status_code == 200
    owners = [row["owner"] for row in answer.json()["results"]]
    assert sorted(owners) == ["1023", "1023", "1023", "1024", "1024"]
    last = OwnershipChange.objects.get(customer=rows[4], reason="分配")
    assert (last.old_owner, last.by) == ("1031", "1011")
    log = as_user(people["supervisor"]).get(f"/api/customers/{rows[4].pk}/ownership").json()
    assert [(row["old_owner"], row["new_owner"]) for row in log] == [("1031", last.new_owner), (None, "1031")]


def test_only_who_may_assigns_and_only_to_agents(people):
    customer = a_customer(owner=people["anna"])
    body = {"ids": [customer.pk], "to": "1024", "reason": "分配"}
    refused = as_user(people["booking_leader"]).post("/api/customers/assign", body, format="json")
    assert (refused.status_code, refused.json()["needs"]) == (403, "customers.assign")
    client = as_user(people["supervisor"])
    ask = lambda **more: client.post("/api/customers/assign", {**body, **more}, format="json")  # noqa: E731
    assert ask(to="1091").json()["fields"] == {"to": [{"code": "not_an_agent"}]}
    assert ask(to="9999").json()["code"] == "user_unknown"
    del body["to"]
    assert ask(group="nowhere").json()["fields"] == {"group": [{"code": "not_an_agent"}]}
    body["to"] = "1024"
    assert ask(reason="").json()["fields"] == {"reason": [{"code": "blank"}]}
    assert ask(ids=[customer.pk, 99999]).status_code == 404
    customer.refresh_from_db()
    assert customer.owner == people["anna"]


# --- showing -----------------------------------------------------------------------------------------------------
@pytest.mark.req("X-16")
def test_a_full_value_is_given_for_a_reason_and_written_down_first(people):
    customer = a_customer(owner=people["anna"], id_number=an_id_number(), address="天河路1号")
    services.add_number(customer, "second", "13812341234")
    client = as_user(people["anna"])

    def ask(field, reason="call"):
        body = {"field": field, "reason": reason}
        return client.post(f"/api/customers/{customer.pk}/reveal", body, format="json")

    given = {
        field: ask(field).json()["value"]
        for field in ("number", "other_number", "id_number", "address", "name", "email")
    }
    assert given == {
        "number": "+8619900001001", "other_number": "+8613812341234", "id_number": an_id_number(), "address": "天河路1号",
        "name": "王小明", "email": "",
    }  # fmt: skip
    rows = AuditRow.objects.filter(action="customers.revealed", subject=customer.subject, actor="1023").order_by("pk")
    assert [facts(row) for row in rows] == [{"field": field, "reason": "call"} for field in given]
    assert ask("number", "").json()["fields"] == {"reason": [{"code": "blank"}]}
    assert ask("owner").json()["fields"] == {"field": [{"code": "invalid_choice"}]}
    assert rows.count() == len(given)


def test_whoever_may_not_reveal_is_refused_even_when_he_sees_the_card(people):
    customer = a_customer(owner=people["anna"])
    services.accounts.grant(people["clerk_of_clinic"], "customer", customer.pk, "task", "task:1")
    client = as_user(people["clerk_of_clinic"])
    assert client.get(f"/api/customers/{customer.pk}").json()["number"] == "199****1001"
    refused = client.post(f"/api/customers/{customer.pk}/reveal", {"field": "number", "reason": "x"}, format="json")
    assert (refused.status_code, refused.json()["needs"]) == (403, "customers.reveal")
    assert not AuditRow.objects.filter(action="customers.revealed").exists()


def test_the_sixty_first_value_within_an_hour_is_refused_and_the_leader_is_told_once(people, clock):
    customer = a_customer(owner=people["anna"])
    hour = int(product_clock.now().timestamp()) // 3600
    cache.set(f"reveals:{people['anna'].pk}:{hour}", services.REVEALS_PER_HOUR - 1, 3600)
    services.reveal(customer, "number", "call", acting_user=people["anna"])
    for _ in range(2):
        with pytest.raises(services.TooManyReveals):
            services.reveal(customer, "number", "call", acting_user=people["anna"])
    assert [(n.user.number, n.kind) for n in Notification.objects.all()] == [("1021", "reveal_limit")]
    clock.forward(hours=1)
    assert services.reveal(customer, "number", "call", acting_user=people["anna"])


@pytest.mark.req("W-24", "W-21.30", "W-21.37")
def test_the_card_shows_importance_allergies_and_flags(people, lent):
    customer = a_customer(
        owner=people["anna"], allergies="青霉素, 头孢", importance="attention", importance_colour="orange"
    )
    lent(is_blocked=lambda tokens: tokens == [services.token("+8619900001001")])
    services.flag(customer, "do_not_call", actor="1023")
    customer.refresh_from_db()
    card = services.card(customer, people["anna"])
    assert card["importance"] == {"text": "attention", "colour": "orange"}
    assert card["allergies"] == ["青霉素", "头孢"]
    assert card["blocked"] and card["do_not_call"]
    assert "王小明" not in str(card) and "19900001001" not in str(card)


def test_the_history_is_put_together_from_the_rooms_that_know_it_newest_first(people, lent, monkeypatch, clock):
    customer = a_customer(owner=people["anna"])
    monkeypatch.setattr(hooks, "_history", [])
    rows = [
        {"at": clock.now(), "kind": kind, "title": kind, "state": "", "duration_ms": None, "ref": None}
        for kind in ("call", "ticket")
        if clock.forward(minutes=1)
    ]
    hooks.history_source(lambda customer, user: rows[:1])
    hooks.history_source(lambda customer, user: rows[1:])
    shown = as_user(people["anna"]).get(f"/api/customers/{customer.pk}/history").json()
    assert [row["kind"] for row in shown] == ["ticket", "call"]


def test_a_hook_that_does_not_exist_cannot_be_set():
    with pytest.raises(NameError):
        hooks.register(owner_of=lambda key: None)


# --- lent to flows -----------------------------------------------------------------------------------------------
def call_verb(name: str) -> dict:
    context = Context(
        instance_key="1", business_key="ticket:T1", now=product_clock.now(), element="x", task_id="t", actor="1023"
    )
    return REGISTRY.call(name, context, {})


@pytest.mark.parametrize(
    "verb, flag", [("customers.flag_do_not_call", "do_not_call"), ("customers.note_wrong_number", "wrong_number")]
)
def test_a_flow_marks_the_customer_behind_its_business_key_once(people, lent, verb, flag):
    customer = a_customer(owner=people["anna"])
    lent(customer_of=lambda key: customer if key == "ticket:T1" else None)
    assert call_verb(verb) == call_verb(verb) == {}
    customer.refresh_from_db()
    assert getattr(customer, flag) is True
    assert AuditRow.objects.filter(action=f"customers.{flag}", actor="1023").count() == 1


def test_a_flow_about_a_number_without_a_customer_marks_nobody(people, lent):
    lent(customer_of=lambda key: None)
    a_customer(owner=people["anna"])
    call_verb("customers.flag_do_not_call")
    assert not Customer.objects.filter(do_not_call=True).exists()


def test_a_model_without_a_rule_shows_nothing_but_raises(people):
    from web.customers.models import PhoneNumber

    with pytest.raises(LookupError):
        scope(PhoneNumber.objects.all(), people["director"])
    assert a_user("77", "finance").number == "77"
