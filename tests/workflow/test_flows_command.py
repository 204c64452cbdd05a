"""`manage.py flows` before a folder that must not run: nothing of it is published, and the reason has a place."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from engine.xml import BIGGEST
from web.workflow.models import FlowDefinition

pytestmark = pytest.mark.django_db

KEY = "lost_property"
SOURCE = Path(__file__).resolve().parents[1] / "journeys" / "flows" / KEY
SCRIPT = """<bpmn:scriptTask id="count" name="数">
      <bpmn:incoming>F2</bpmn:incoming>
      <bpmn:outgoing>F2b</bpmn:outgoing>
      <bpmn:script>many = open("/etc/passwd").read()</bpmn:script>
    </bpmn:scriptTask>
    <bpmn:sequenceFlow id="F2b" sourceRef="count" targetRef="search"/>
    <bpmn:userTask id="search" """


def rewritten(*changes: tuple[str, str]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / f"{KEY}.bpmn"
        text = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")

    return spoil


def without_its_form(folder: Path) -> None:
    (folder / "forms" / f"{KEY}.search.json").unlink()


def grown(folder: Path) -> None:
    file = folder / f"{KEY}.bpmn"
    file.write_text(file.read_text(encoding="utf-8") + " " * BIGGEST, encoding="utf-8")


def half_a_form(folder: Path) -> None:
    (folder / "forms" / f"{KEY}.search.json").write_text('{"type": "object"', encoding="utf-8")


SPOILED = {
    "a verb nobody lends": (
        rewritten(('id="workflow.remind"', 'id="shell.run"')),
        f"{KEY}.bpmn:search_remind",
        "unknown_verb",
    ),
    "a form that is not there": (without_its_form, f"{KEY}.bpmn:search", "form_missing"),
    "a form that cannot be read": (half_a_form, f"{KEY}.search.json", ""),
    "a script outside the language": (
        rewritten(
            ('<bpmn:userTask id="search" ', SCRIPT),
            ('sourceRef="register" targetRef="search"', 'sourceRef="register" targetRef="count"'),
        ),
        "count",
        "expression",
    ),
    "a condition outside the language": (rewritten(('found == "yes"', '__import__("os")')), "F_found", "expression"),
    "a DOCTYPE": (rewritten(("<bpmn:definitions ", "<!DOCTYPE x []><bpmn:definitions ")), f"{KEY}.bpmn", "doctype"),
    "a file of more than five megabytes": (grown, f"{KEY}.bpmn", "too_big"),
}


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    shutil.copytree(SOURCE, tmp_path / KEY)
    settings.FLOWS_DIR = tmp_path
    return tmp_path


def told(act: str) -> tuple[int, str]:
    """The exit code of `flows <act>` and what it says on stderr."""
    said = io.StringIO()
    try:
        call_command("flows", act, stdout=io.StringIO(), stderr=said)
    except CommandError as error:
        return error.returncode, said.getvalue()
    return 0, said.getvalue()


@pytest.mark.req("X-01")
@pytest.mark.parametrize("spoil, where, reason", SPOILED.values(), ids=SPOILED.keys())
@pytest.mark.parametrize("act", ["check", "deploy"])
def test_a_spoiled_copy_is_refused_at_the_place_of_its_fault(folder: Path, act, spoil, where, reason) -> None:
    spoil(folder / KEY)
    code, said = told(act)
    assert code == 1
    assert any(where in line and reason in line for line in said.splitlines()), said
    assert not FlowDefinition.objects.filter(key=KEY).exists()


def test_the_sound_folder_passes_both(folder: Path) -> None:
    assert told("check") == (0, "") and told("deploy") == (0, "")
    assert FlowDefinition.objects.get(key=KEY).current.number == 1
