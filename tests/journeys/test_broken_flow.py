"""A folder with a fault is refused before anybody can start it: file, element and reason, exit code 1."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from web.workflow.models import FlowDefinition

pytestmark = pytest.mark.django_db

NEW = "lost_property"
SOURCE = Path(__file__).parent / "flows" / NEW
DIAGRAM, FORM = f"{NEW}.bpmn", "forms/lost_property.search.json"


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    settings.FLOWS_DIR = tmp_path
    return Path(shutil.copytree(SOURCE, tmp_path / NEW))


def replaced(folder: Path, old: str, new: str, name: str = DIAGRAM) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def unknown_verb(folder: Path) -> None:
    replaced(folder, 'serviceTaskOperator id="workflow.remind"', 'serviceTaskOperator id="workflow.delete_all"')


def missing_form(folder: Path) -> None:
    (folder / FORM).unlink()


def foreign_script(folder: Path) -> None:
    replaced(folder, 'value="clock_time(24)"', 'value="__import__(&quot;os&quot;).getcwd()"')


def doctype(folder: Path) -> None:
    replaced(folder, "<bpmn:definitions", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><bpmn:definitions')


def oversize(folder: Path) -> None:
    replaced(folder, "<bpmn:documentation>", "<bpmn:documentation>" + "长" * 1_800_000)


@pytest.mark.req("X-06", "X-01")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (unknown_verb, f"{NEW}/{DIAGRAM}:search_remind: unknown_verb"),
        (missing_form, f"{NEW}/{DIAGRAM}:search: "),
        (foreign_script, f"{NEW}/{DIAGRAM}:search: "),
        (doctype, f"{NEW}/{DIAGRAM}: doctype"),
        (oversize, f"{NEW}/{DIAGRAM}: "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_faulty_folder_is_refused_by_check_and_by_deploy(folder: Path, fault, said: str) -> None:
    fault(folder)
    for act in ("check", "deploy"):
        err = StringIO()
        with pytest.raises(CommandError) as refusal:
            call_command("flows", act, stdout=StringIO(), stderr=err)
        assert refusal.value.returncode == 1
        assert said in err.getvalue().replace(f"{DIAGRAM}:{NEW}/{DIAGRAM}", DIAGRAM), err.getvalue()
    assert not FlowDefinition.objects.filter(key=NEW).exists()


def test_the_folder_itself_is_sound(folder: Path) -> None:
    out = StringIO()
    call_command("flows", "check", stdout=out)
    call_command("flows", "deploy", stdout=out)
    assert f"{NEW}: ok, 3 cases" in out.getvalue() and f"{NEW}: version 1" in out.getvalue()
