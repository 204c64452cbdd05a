"""Publishing flows, and `manage.py flows`."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from engine.definitions import Bundle, read_folder
from tests.workflow.cast import FLOWS, again, start, task
from web.workflow import services as workflow
from web.workflow.models import FlowDefinition, FlowVersion, ProcessInstance
from web.workflow.services.errors import FlowRefused, FlowUnknown

pytestmark = pytest.mark.django_db


def changed(bundle: Bundle, old: str, new: str) -> Bundle:
    name = f"{bundle.key}/{bundle.key}.bpmn"
    content = bundle.files[name].decode()
    assert old in content
    return Bundle(bundle.key, {**bundle.files, name: content.replace(old, new).encode()})


def flows(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("flows", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        raise AssertionError(err.getvalue()) from error
    return out.getvalue(), err.getvalue()


def refused(*arguments: str) -> tuple[CommandError, str]:
    err = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command("flows", *arguments, stdout=io.StringIO(), stderr=err)
    return error.value, err.getvalue()


@pytest.mark.req("X-09")
def test_running_instances_keep_their_version_and_new_ones_take_the_new_one(cast) -> None:
    old = start("vote", cast.ann)
    bundle = read_folder(FLOWS, "vote")
    assert workflow.deploy(bundle).number == 1
    assert workflow.deploy(changed(bundle, 'name="审批"', 'name="复核"')).number == 2
    new = start("vote", cast.ann, key="ticket:T2")
    assert (task(old, "judge").name, task(new, "judge").name) == ("审批", "复核")
    workflow.claim(task(old, "judge"), cast.lea)
    workflow.complete(task(old, "judge"), cast.lea, {"verdict": "yes"}, wait=False)
    assert (again(old).version.number, again(new).version.number) == (1, 2)
    assert again(old).status == ProcessInstance.COMPLETED
    assert workflow.deploy(bundle).number == 1 and workflow.current_version("vote").number == 1


def test_a_change_in_a_called_flow_is_a_new_version_of_its_caller(cast) -> None:
    bundle = read_folder(FLOWS, "errand")
    name = "chase/chase.bpmn"
    other = Bundle("errand", {**bundle.files, name: bundle.files[name].replace("改派".encode(), "重派".encode())})
    assert workflow.deploy(other).number == 2


@pytest.mark.parametrize(
    "old, new, element, code",
    [
        ('id="probe.work"', 'id="nobody.lends_this"', "work", "unknown_verb"),
        ("errand.do.json", "errand.gone.json", "do", ""),
        ("due = clock_time(4)", "due = open('/etc/passwd')", "plan", ""),
        ("<definitions", "<!DOCTYPE x><definitions", "", ""),
    ],
)
def test_what_cannot_run_is_refused_with_its_element(cast, old: str, new: str, element: str, code: str) -> None:
    with pytest.raises(Exception) as error:
        workflow.deploy(changed(read_folder(FLOWS, "errand"), old, new))
    assert isinstance(error.value, FlowRefused), error.value
    problems = error.value.facts["problems"]
    assert not element or element in {problem["element"] for problem in problems}
    assert not code or code in {problem["code"] for problem in problems}
    assert workflow.current_version("errand").number == 1


def test_flows_that_only_others_call_are_not_started_by_hand(cast) -> None:
    assert not FlowDefinition.objects.get(key="chase").is_startable
    assert "errand" in workflow.startable_flows() and "chase" not in workflow.startable_flows()
    with pytest.raises(FlowUnknown):
        start("nothing")


# --- manage.py flows -------------------------------------------------------------------------------------------------
CASES = """
start: {opened_by: "1001", group: ""}
cases:
  - name: fine
    steps:
      - expect: {tasks: [judge]}
      - complete: judge
        as: "2001"
        data: {verdict: "yes"}
      - expect: {status: completed}
  - name: late
    verbs: {workflow.mark_overdue: {owner: "", due_at: ""}}
    steps:
      - after: PT8H
"""


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    shutil.copytree(FLOWS / "vote", tmp_path / "vote")
    (tmp_path / "vote" / "cases.yaml").write_text(CASES, encoding="utf-8")
    settings.FLOWS_DIR = tmp_path
    return tmp_path


@pytest.mark.req("X-08")
def test_check_passes_a_sound_flow_and_plays_its_cases(cast, folder) -> None:
    out, err = flows("check")
    assert "vote: ok, 2 cases" in out and "case_failed" not in err
    assert "vote: ok" in flows("check", str(folder / "vote"))[0]


def test_check_names_file_element_and_reason_and_ends_with_one(cast, folder) -> None:
    file = folder / "vote" / "vote.bpmn"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('id="workflow.mark_overdue"', 'id="nobody.knows"'), encoding="utf-8")
    error, said = refused("check")
    assert error.returncode == 1 and "vote/vote.bpmn:marked: unknown_verb" in said
    file.write_text(text, encoding="utf-8")
    cases = folder / "vote" / "cases.yaml"
    cases.write_text(
        cases.read_text(encoding="utf-8").replace("status: completed", "status: running"), encoding="utf-8"
    )
    assert "vote/cases.yaml:fine: case_failed" in refused("check")[1]
    cases.write_text(CASES.partition("  - name: late")[0], encoding="utf-8")
    assert "vote/vote.bpmn:judge_due: not_walked" in refused("check")[1]
    cases.unlink()
    assert "no_cases" in refused("check")[1]
    assert "no_folder" in refused("check", str(folder / "nowhere"))[1]


def test_deploy_publishes_once_and_start_runs_it(cast, folder) -> None:
    FlowVersion.objects.filter(definition__key="vote").exists()
    file = folder / "vote" / "vote.bpmn"
    file.write_text(file.read_text(encoding="utf-8").replace('name="审批"', 'name="表决"'), encoding="utf-8")
    assert "vote: version 2" in flows("deploy")[0] and "vote: unchanged" in flows("deploy")[0]
    out, _ = flows("start", "vote", "--data", json.dumps({"group": "booking"}), "--as", "1001")
    assert "running: judge" in out
    instance = ProcessInstance.objects.get(version__definition__key="vote")
    assert instance.business_key.startswith("manual:") and instance.started_by == "1001"


@pytest.mark.parametrize(
    "arguments", [("nowhere",), ("vote", "--data", "{"), ("vote", "--data", "[]"), ("vote", "--as", "0000")]
)
def test_start_says_in_one_line_what_is_wrong(cast, arguments) -> None:
    error, _ = refused("start", *arguments)
    assert "\n" not in str(error)
