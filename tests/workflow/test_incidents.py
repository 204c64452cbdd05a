"""Retry, skip, cancel (X-14)."""

from __future__ import annotations

import pytest

from tests.workflow.cast import again, start, task
from web.common.errors import NotAllowed
from web.common.models import AuditRow
from web.jobs import services as jobs
from web.jobs.models import Incident, Job
from web.jobs.services.incidents import IncidentClosed
from web.workflow import services as workflow
from web.workflow.models import ProcessInstance
from web.workflow.services import incidents

pytestmark = [pytest.mark.django_db, pytest.mark.req("X-14")]


@pytest.fixture
def stuck(cast) -> ProcessInstance:
    cast.probe.answers = [RuntimeError()]
    instance = start("errand", cast.ann)
    workflow.complete(task(instance, "do"), cast.ann, {"result": "x"}, wait=False)
    return again(instance)


def test_retry_continues_when_the_cause_is_gone(cast, stuck) -> None:
    incident = Incident.objects.get()
    assert incidents.retry(incident, cast.adi, "again") is False
    assert Incident.objects.get(state=Incident.OPEN).pk != incident.pk
    cast.probe.answers = [{"n": 1}]
    assert incidents.retry(Incident.objects.get(state=Incident.OPEN), cast.adi, "repaired") is True
    assert again(stuck).status == ProcessInstance.COMPLETED
    assert cast.probe.calls[-1]["submission"].data == {"result": "x"}
    assert not Incident.objects.filter(state=Incident.OPEN).exists()
    assert not Job.objects.filter(state=Job.QUEUED).exists()
    assert AuditRow.objects.filter(action="incidents.retry", actor="9001").count() == 2


def test_skip_passes_the_element_with_the_result_somebody_gives(cast, stuck) -> None:
    assert incidents.skip(Incident.objects.get(), cast.adi, "done by hand", {"worked": {"n": 5}}) is True
    stuck = again(stuck)
    assert (stuck.status, stuck.data["worked"], stuck.is_stuck) == (ProcessInstance.COMPLETED, {"n": 5}, False)
    assert Incident.objects.get().state == Incident.SKIPPED


def test_cancel_ends_the_flow(cast, stuck) -> None:
    incident = Incident.objects.get()
    assert incidents.cancel(incident, cast.adi, "hopeless")
    assert again(stuck).status == ProcessInstance.CANCELLED
    assert (again(incident).state, again(incident).resolved_by) == (Incident.CANCELLED, "9001")
    with pytest.raises(IncidentClosed):
        incidents.retry(incident, cast.adi)


def test_deciding_needs_the_permission(cast, stuck) -> None:
    for act in incidents.ACTIONS.values():
        with pytest.raises(NotAllowed):
            act(Incident.objects.get(), cast.sue)
    assert Incident.objects.get().state == Incident.OPEN


def test_a_plain_job_is_queued_again_or_dropped(cast, clock) -> None:
    job = jobs.enqueue("tests.nobody", key="k")
    for _ in range(4):
        clock.forward(minutes=15)
        jobs.sweep()
    incident = Incident.objects.get()
    assert again(job).state == Job.QUARANTINED and incident.job == job
    incidents.retry(incident, cast.adi)
    assert again(job).state == Job.QUEUED
    for _ in range(4):
        clock.forward(minutes=15)
        jobs.sweep()
    incidents.cancel(Incident.objects.get(state=Incident.OPEN), cast.adi)
    assert again(job).state == Job.CANCELLED
