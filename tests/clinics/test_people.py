"""Who works in a clinic, who answers for it, and whose clinics they are (W-54…W-57, W-100)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.verbs import REGISTRY, Context, VerbContractBroken
from tests.clinics.cast import a_clinic, a_post, the_organisation
from tests.support.cast import a_user
from tests.support.http import as_user
from web.accounts.models import Group
from web.clinics import services as clinics
from web.clinics.models import DecoctionCentre, Post
from web.places.models import Clinic, Region


@pytest.fixture
def donghu(db) -> Clinic:
    the_organisation()
    return a_clinic("guangzhou-donghu")


def staff_of(**params) -> dict:
    context = Context("instance:1", "ticket:T1", datetime.now(UTC), "staff", "t1")
    return REGISTRY.call("clinics.staff_of", context, params)


@pytest.mark.req("W-56", "W-55", "W-54")
def test_the_thirteen_clinics_of_the_delivery_are_there_with_region_and_category(db):
    rows = as_user(a_user("1023", "agent")).get("/api/clinics").json()
    assert len(rows) == 13 and len({row["name"] for row in rows}) == 13
    assert all(row["region"]["key"] for row in rows)
    assert {row["category"] for row in rows} == {"branch", "university", "partner"}
    wuxi = as_user(a_user("1024", "agent")).get("/api/clinics", {"search": "wuxi"}).json()
    assert {row["key"] for row in wuxi} == {"wuxi-chongansi", "wuxi-nanchansi"}


@pytest.mark.req("W-56")
def test_a_new_clinic_gets_its_group_and_a_key_is_used_once(donghu):
    manager = as_user(a_user("1002", "manager"))
    body = {"key": "suzhou", "name": "Suzhou", "region": "jiangsu", "category": "partner"}
    assert manager.post("/api/clinics", body, format="json").status_code == 201
    assert Group.objects.get(key="clinic-suzhou").parent.key == "clinics"
    again = manager.post("/api/clinics", {**body, "region": "atlantis"}, format="json")
    assert again.status_code == 400 and set(again.json()["fields"]) == {"key", "region"}
    assert Clinic.objects.filter(key="suzhou").count() == 1


def test_work_goes_to_who_is_named_and_to_the_clinics_own_group_when_somebody_is_in_it(donghu):
    assert staff_of(clinic="guangzhou-donghu", kind="contact") == {"user": "", "group": "clinics"}
    clerk = a_user("1105", "clinic", "clinic-guangzhou-donghu", leads=True)
    assert staff_of(clinic="guangzhou-donghu", kind="contact") == {"user": "", "group": "clinic-guangzhou-donghu"}
    second = a_user("1121", "clinic", "clinic-guangzhou-donghu")
    clinics.add_contact(donghu, second, "contact", position=1)
    clinics.add_contact(donghu, clerk, "contact")
    assert staff_of(clinic="guangzhou-donghu", kind="contact")["user"] == "1105"
    clerk.is_active = False
    clerk.save()
    assert staff_of(clinic="guangzhou-donghu", kind="contact")["user"] == "1121"
    assert staff_of(clinic="guangzhou-donghu", kind="pharmacy") == {"user": "", "group": "pharmacy"}
    a_user("1052", "pharmacy", "pharmacy-guangzhou-donghu", leads=True)
    assert clinics.group_of(donghu, "pharmacy") == "pharmacy-guangzhou-donghu"
    assert clinics.responsible_of(donghu, "pharmacy").number == "1052"
    assert clinics.group_of(a_clinic("foshan-nanhai"), "pharmacy") == "pharmacy"


def test_an_unknown_clinic_is_answered_by_those_who_do_it_for_all_and_an_unknown_kind_is_an_error(donghu):
    assert staff_of(clinic="nowhere", kind="finance") == {"user": "", "group": "finance"}
    assert staff_of(clinic="nowhere", kind="decoction") == {"user": "", "group": ""}
    with pytest.raises(VerbContractBroken):
        staff_of(clinic="guangzhou-donghu", kind="cook")


@pytest.mark.req("W-57")
def test_what_is_to_be_boiled_goes_to_the_centre_of_the_region(donghu):
    for key in ("beijing", "guangdong"):
        DecoctionCentre.objects.create(key=key, name=key, region=Region.objects.get(key=key))
    assert clinics.decoction_centre_of(donghu).key == "guangdong"
    assert clinics.decoction_centre_of(a_clinic("beijing-chongwenmen")).key == "beijing"
    assert clinics.decoction_centre_of(a_clinic("wuxi-chongansi")).key == "beijing", "no own one: the first"
    rows = as_user(a_user("1023", "agent")).get("/api/clinics/decoction-centres").json()
    assert [row["key"] for row in rows] == ["beijing", "guangdong"]


def test_whose_clinics_they_are_follows_from_groups_and_from_being_named(donghu):
    clerk = a_user("1105", "clinic", "clinic-guangzhou-donghu")
    pharmacist = a_user("1052", "pharmacy", "pharmacy-guangzhou-donghu")
    head = a_user("1071", "clinic", "clinics", leads=True)
    named = a_user("1121", "clinic")
    clinics.add_contact(a_clinic("foshan-nanhai"), named, "assistant")

    def keys(user) -> set[str]:
        return set(clinics.clinics_of(user).values_list("key", flat=True))

    assert keys(clerk) == keys(pharmacist) == {"guangzhou-donghu"} and keys(named) == {"foshan-nanhai"}
    assert keys(head) == {"guangzhou-donghu", "shenzhen-luohu"} and keys(a_user("1023", "agent")) == set()


def test_pickers_narrow_from_clinic_to_department_to_doctor(donghu):
    a_post("xie", "guangzhou-donghu", "internal", prepay=True, fee_fen=30000)
    a_post("xie", "guangzhou-dongshan", "internal")
    a_post("ling", "guangzhou-donghu", "acupuncture", fee_fen=5000)
    a_post("gone", "guangzhou-donghu", "dermatology", is_active=False)
    client = as_user(a_user("1023", "agent"))

    def keys(path: str, **asked: str) -> list[str]:
        return [row["key"] for row in client.get(f"/api/clinics/{path}", asked).json()]

    assert keys("departments", clinic="guangzhou-donghu") == ["internal", "acupuncture"]
    assert keys("doctors", clinic="guangzhou-donghu") == ["xie", "ling"]
    assert keys("doctors", clinic="guangzhou-donghu", department="internal") == ["xie"]
    assert keys("doctors", clinic="nowhere") == []
    (xie,) = client.get("/api/clinics/doctors", {"department": "internal", "clinic": "guangzhou-donghu"}).json()
    assert [(post["clinic"]["key"], post["prepay"], post["fee_fen"]) for post in xie["posts"]] == [
        ("guangzhou-donghu", True, 30000)
    ]


@pytest.mark.req("W-100")
def test_the_front_desk_keeps_the_posts_of_its_own_clinic_and_of_no_other(donghu):
    a_post("xie", "guangzhou-donghu", "internal")
    clerk = as_user(a_user("1105", "clinic", "clinic-guangzhou-donghu"))
    body = {"doctor": "xie", "clinic": "shenzhen-luohu", "department": "internal", "fee_fen": 100}
    assert clerk.post("/api/clinics/posts", body, format="json").status_code == 403
    twice = clerk.post("/api/clinics/posts", {**body, "clinic": "guangzhou-donghu"}, format="json")
    assert twice.status_code == 400 and twice.json()["fields"] == {"doctor": [{"code": "has_post"}]}
    post = Post.objects.get()
    changed = clerk.patch(f"/api/clinics/posts/{post.pk}", {"fee_fen": 7000, "prepay": True}, format="json")
    assert (changed.status_code, changed.json()["fee_fen"]) == (200, 7000)
    wrong = clerk.patch(f"/api/clinics/posts/{post.pk}", {"fee_fen": -1}, format="json")
    assert wrong.status_code == 400 and wrong.json()["fields"]["fee_fen"][0]["code"] == "out_of_range"
    agent = as_user(a_user("1023", "agent"))
    assert agent.patch(f"/api/clinics/posts/{post.pk}", {"fee_fen": 1}, format="json").status_code == 403
    unknown = clerk.post("/api/clinics/posts", {**body, "doctor": "nobody", "clinic": "nowhere"}, format="json")
    assert set(unknown.json()["fields"]) == {"doctor", "clinic"}
    post.refresh_from_db()
    assert (post.fee_fen, post.prepay) == (7000, True)
