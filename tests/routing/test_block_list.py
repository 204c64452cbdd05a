"""The black list: from the application to its end, by flow and by hand."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from rest_framework.test import APIClient

from engine.verbs import REGISTRY, Context, VerbFailed, VerbRefused
from tests.calls.cast import LI, STRANGER, a_queue, a_user
from web.accounts.models import Notification
from web.common import seals
from web.common.models import AuditRow
from web.jobs.models import InboundMessage, Job
from web.jobs.services import sweep
from web.routing import services
from web.routing.models import AllowEntry, BlockEntry

pytestmark = pytest.mark.django_db
CASE = "ticket:T20261123-0001"
TOKEN_KIND = "number"


@pytest.fixture(autouse=True)
def cases():
    """Whose number each case is about; the one without a number is a withheld caller's."""
    known = {CASE: STRANGER, "ticket:T20261123-0002": STRANGER, "ticket:T20261123-0003": LI}
    before = services._number_of
    services.number_of(known.get)
    yield known
    services.number_of(before)


def ask(clock, verb: str, *, key: str = CASE, by: str = "1001", **params) -> dict:
    actor = SimpleNamespace(number=by) if by else None
    context = Context(
        instance_key="instance:1", business_key=key, now=clock.now(), element="B2", task_id="t", actor=actor
    )
    return REGISTRY.call(verb, context, params)


def token(number: str) -> str:
    return seals.blind(number, kind=TOKEN_KIND)


@pytest.mark.req("S-35", "S-37", "S-68")
def test_from_the_application_to_the_expiry(clock):
    found = ask(clock, "routing.check_number", reason="harassment")
    assert found["verdict"] == "normal"
    entry = BlockEntry.objects.get(pk=found["entry"])
    assert (entry.state, entry.applied_by, entry.masked) == ("pending", "1001", "139****0000")
    assert services.is_blocked(token(STRANGER)) is None  # nobody has approved
    told = ask(clock, "routing.block_number", by="2001", days=7, channels=["voice"], temporary=False)
    entry.refresh_from_db()
    assert (entry.state, entry.approved_by, entry.until) == ("active", "2001", clock.now() + timedelta(days=7))
    assert told == {"entry": str(entry.pk), "until": entry.until.isoformat()}
    assert services.is_blocked(token(STRANGER)) == entry
    clock.forward(days=7)
    assert services.is_blocked(token(STRANGER)) is None  # to the second, whatever the job does
    sweep()
    entry.refresh_from_db()
    assert entry.state == "expired"
    assert ask(clock, "routing.lift_block", entry=str(entry.pk)) == {}


def test_a_threat_is_blocked_for_a_day_before_anybody_decides(clock):
    ask(clock, "routing.check_number", reason="threat")
    with pytest.raises(VerbFailed):
        ask(clock, "routing.block_number", temporary=True)  # how long is the diagram's to say
    ask(clock, "routing.block_number", hours=6, channels=["voice"], temporary=True)
    entry = BlockEntry.objects.get()
    assert entry.is_temporary and entry.until == clock.now() + timedelta(hours=6)
    ask(clock, "routing.block_number", by="2001", days=0, channels=["voice", "sms"], temporary=False)
    entry.refresh_from_db()
    assert (entry.is_temporary, entry.until, entry.term_days) == (False, None, None)
    clock.forward(days=400)
    sweep()
    assert services.is_blocked(token(STRANGER)) == entry
    assert services.is_blocked(token(STRANGER), "sms") == entry
    assert services.is_blocked(token(STRANGER), "wechat") is None


@pytest.mark.parametrize("kind", ["own", "internal", "emergency", "partner"])
def test_numbers_that_may_never_be_listed(clock, kind):
    AllowEntry.objects.create(token=token(STRANGER), value=STRANGER, kind=kind)
    assert ask(clock, "routing.check_number", reason="other") == {"verdict": "refuse", "why": kind, "entry": ""}
    assert not BlockEntry.objects.exists()


def test_a_withheld_number_cannot_be_listed(clock):
    found = ask(clock, "routing.check_number", key="ticket:T0", reason="other")
    assert (found["verdict"], found["why"]) == ("refuse", "number_withheld")


def test_a_vip_is_for_the_supervisor(clock):
    AllowEntry.objects.create(token=token(STRANGER), value=STRANGER, kind="vip")
    assert ask(clock, "routing.check_number", reason="other")["verdict"] == "flag"


def test_a_supervisors_block_of_a_vip_really_blocks(clock):
    AllowEntry.objects.create(token=token(STRANGER), value=STRANGER, kind="vip")
    ask(clock, "routing.check_number", reason="threat")
    ask(clock, "routing.block_number", by="3001", days=7)
    entry = services.is_blocked(token(STRANGER))
    assert entry is not None and entry.approved_by == "3001"


@pytest.mark.parametrize("kind", services.NEVER_LISTED)
def test_what_must_never_be_refused_is_not_although_it_was_listed_before(clock, kind):
    entry = services.block_number(STRANGER, reason="other", acting_user=a_user("3001", "supervisor"))
    AllowEntry.objects.create(token=entry.token, value=STRANGER, kind=kind)
    assert services.is_blocked(entry.token) is None


def test_two_applications_for_one_number_are_one(clock):
    first = ask(clock, "routing.check_number", reason="other")
    second = ask(clock, "routing.check_number", key="ticket:T20261123-0002", reason="other")
    assert (second["verdict"], second["why"], second["entry"]) == ("listed", "applied_already", first["entry"])
    assert ask(clock, "routing.check_number", reason="spam")["verdict"] == "normal"  # the same case again
    assert BlockEntry.objects.get().reason == "spam"


def test_an_application_nobody_approved_is_refused_with_its_case(clock):
    ask(clock, "routing.check_number", reason="other")
    assert services.close_application(CASE) == 1
    assert BlockEntry.objects.get().state == "refused"
    assert ask(clock, "routing.check_number", key="ticket:T20261123-0002", reason="other")["verdict"] == "normal"


def test_no_silent_approval_a_forgotten_application_ends(clock):
    ask(clock, "routing.check_number", reason="other", pending_days=3)
    clock.forward(days=2, hours=23)
    sweep()
    assert BlockEntry.objects.get().state == "pending"
    clock.forward(hours=1)
    sweep()
    assert BlockEntry.objects.get().state == "refused"


def test_a_verb_for_an_entry_that_is_not_there_is_a_business_answer(clock):
    for verb, params in (("routing.lift_block", {"entry": "77"}), ("routing.count_attempts", {"entry": "x"})):
        with pytest.raises(VerbRefused) as refusal:
            ask(clock, verb, **params)
        assert refusal.value.code == "block_unknown"
    with pytest.raises(VerbRefused):
        ask(clock, "routing.block_number", days=7)


@pytest.mark.req("S-37")
def test_many_attempts_call_for_a_review_each_time_as_many_as_the_diagram_says(clock):
    ask(clock, "routing.check_number", reason="other")
    ask(clock, "routing.block_number", days=0, review_after=4)
    entry = BlockEntry.objects.get()
    for _ in range(4):
        services.count_attempt(entry)
    assert not InboundMessage.objects.exists()
    for _ in range(5):
        services.count_attempt(entry)
    assert ask(clock, "routing.count_attempts", entry=str(entry.pk)) == {"attempts": 9}
    messages = InboundMessage.objects.filter(name="blacklist.attempts", business_key=CASE)
    assert messages.count() == 2


def test_the_weekly_count_goes_to_the_leaders_of_the_team_alone(clock):
    lena = a_user("2001", "team_leader", group="booking", leads=True)
    a_user("2002", "team_leader", group="service", leads=True)
    ask(clock, "routing.check_number", reason="other")
    entry = ask(clock, "routing.block_number", days=0)["entry"]
    assert ask(clock, "routing.report_attempts", entry=entry, group="booking", attempts=7) == {"told": 1}
    notice = Notification.objects.get()
    assert (notice.user, notice.kind, notice.ref) == (lena, "block_attempts", CASE)
    assert (notice.params["number"], notice.params["attempts"]) == ("139****0000", 7)


def test_everything_is_audited_without_the_number(clock):
    ask(clock, "routing.check_number", reason="other")
    ask(clock, "routing.block_number", by="2001", days=7)
    actions = list(AuditRow.objects.order_by("id").values_list("action", "actor"))
    assert actions == [("block.applied", "1001"), ("block.active", "2001")]
    assert not AuditRow.objects.filter(subject__contains=STRANGER[-8:]).exists()
    assert not Job.objects.filter(key__contains=STRANGER[-8:]).exists()


def test_the_list_shows_ones_own_and_all_to_who_approves(clock):
    alice, bob = a_user("1001", "agent", "tickets.open"), a_user("1002", "agent", "tickets.open")
    leader = a_user("2001", "team_leader", "tickets.open", "routing.approve")
    services.block_number(LI, reason="other", acting_user=alice, days=7)
    client = APIClient()
    for user, number_of_rows in ((alice, 1), (bob, 1), (leader, 1)):
        client.force_authenticate(user)
        rows = client.get("/api/block-list", {"state": "active,pending"}).json()["results"]
        assert len(rows) == (number_of_rows if user != bob else 0)
        assert LI not in str(rows)
    (row,) = rows
    assert (row["number"], row["applied_by"]["number"], row["ticket"]) == ("138****1234", "1001", None)


def test_a_wish_to_lift_goes_to_the_flow_that_decides(clock):
    ask(clock, "routing.check_number", reason="other")
    ask(clock, "routing.block_number", by="2001", days=0)
    alice = a_user("1001", "agent", "tickets.open")
    client = APIClient()
    client.force_authenticate(alice)
    entry = BlockEntry.objects.get()
    answer = client.post(f"/api/block-list/{entry.pk}/lift-wish", {"reason": "说明"})
    assert answer.status_code == 202
    assert InboundMessage.objects.get().name == "blacklist.unblock_wish"
    assert services.is_blocked(token(STRANGER)) == entry  # until somebody decides
    assert client.post(f"/api/block-list/{entry.pk}/lift-wish", {}).status_code == 400
    services.lift(entry, by="2001")
    gone = client.post(f"/api/block-list/{entry.pk}/lift-wish", {"reason": "说明"})
    assert (gone.status_code, gone.json()["code"]) == (409, "block_not_active")


def test_without_a_flow_only_who_may_lift_lifts(clock):
    alice = a_user("1001", "agent", "tickets.open")
    boss = a_user("3001", "supervisor", "tickets.open", "routing.lift")
    entry = services.block_number(LI, reason="other", acting_user=alice)
    client = APIClient()
    client.force_authenticate(alice)
    assert client.post(f"/api/block-list/{entry.pk}/lift-wish", {"reason": "x"}).status_code == 403
    client.force_authenticate(boss)
    assert client.post(f"/api/block-list/{entry.pk}/lift-wish", {"reason": "x"}).status_code == 202
    assert services.is_blocked(token(LI)) is None


@pytest.mark.req("P-05", "P-06")
def test_a_dialled_number_leads_to_its_queue():
    plain = a_queue("plain", number="4008000001", priority=3)
    urgent = a_queue("urgent", number="4008000002", priority=5)
    assert services.queue_for("4008000002")[0] == urgent
    assert services.queue_for("nobody knows it")[0] == plain  # nobody is turned away for a missing row
