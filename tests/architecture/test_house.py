"""The house stands: who may import or name whom. Each rule is shown to find a planted violation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import house
from tests.architecture.house import ROOT

ROOMS = house.order()


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


# --- strings ---------------------------------------------------------------------------------------------------
def test_strings_hold_the_order_of_the_rooms() -> None:
    assert list(map(str, house.against_the_order(ROOT, ROOMS))) == []


@pytest.mark.parametrize(
    "file, text",
    [
        ("web/common/models.py", 'owner = models.ForeignKey("accounts.User", on_delete=models.CASCADE)'),
        ("web/calls/models.py", 'ticket = models.ForeignKey(to="tickets.Ticket", on_delete=models.CASCADE)'),
        ("web/workflow/models.py", 'message = models.ForeignKey("messaging.OutboundMessage", models.CASCADE)'),
        ("web/jobs/migrations/0001_initial.py", 'class Migration: dependencies = [("workflow", "0001_initial")]'),
        ("web/jobs/services.py", 'handler = import_string("web.telephony.handlers.wake")'),
        ("web/jobs/services.py", 'task = "web.telephony.tasks:wake"'),
        ("web/workflow/services.py", 'apps.get_model("tickets", "Ticket")'),
        ("web/desk/services.py", 'catalogue = import_string("reports.catalog")'),
        ("web/config/other.py", 'include("reports.urls")'),
        ("web/desk/services.py", 'import_string("web.nowhere.services")'),
    ],
)
def test_a_string_against_the_order_is_found(tmp_path: Path, file: str, text: str) -> None:
    lay(tmp_path, {file: text + "\n", "reports/urls.py": "", "reports/catalog.py": ""})
    assert len(house.against_the_order(tmp_path, ROOMS)) == 1


def test_strings_downward_and_the_mount_of_the_reports_are_fine(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            "web/tickets/models.py": 'call = models.ForeignKey("calls.Call", on_delete=models.PROTECT)\n',
            "web/tickets/migrations/0001_initial.py": 'dependencies = [("calls", "0001_initial")]\n',
            "web/workflow/models.py": 'version = models.ForeignKey("workflow.FlowVersion", models.PROTECT)\n',
            "web/config/urls.py": 'include("reports.urls"), include("web.tickets.api")\n',
            "web/accounts/services.py": 'codes = "telephony.demo", "reports.view"\n',
            "reports/urls.py": "",
        },
    )
    assert house.against_the_order(tmp_path, ROOMS) == []


# --- folders ---------------------------------------------------------------------------------------------------
def test_every_folder_of_web_is_a_package_with_a_place() -> None:
    assert house.folders_without_place(ROOT, ROOMS) == []


def test_a_folder_without_place_or_package_is_found(tmp_path: Path) -> None:
    files = {"web/helpers/__init__.py": "", "web/calls/models.py": "", "web/tickets/__init__.py": "", "web/ui/a.ts": ""}
    lay(tmp_path, files)
    wrong = house.folders_without_place(tmp_path, ROOMS)
    assert wrong == ["calls: no package", "helpers: no place in the list of rooms"]


# --- import contracts --------------------------------------------------------------------------------------------
PLANTED = {
    "house": {"engine/bad.py": "import web.accounts\n"},
    "rooms": {"web/calls/bad.py": "from web.tickets import services\n"},
    "frameworks": {"cti/bad.py": "import django.db\n"},
    "spiff": {"web/workflow/bad.py": "import SpiffWorkflow\n"},
    "drivers": {"cti/drivers/simulator/bad.py": "import cti.drivers.asterisk\n"},
    "nouns": {"web/tickets/models.py": "from web.accounts import services\n"},
}
SKELETON = {
    **{f"{package}/__init__.py": "" for package in ("engine", "cti", "integrations", "web", "reports", "cti/drivers")},
    **{f"cti/drivers/{name}/__init__.py": "" for name in ("simulator", "asterisk")},
    **{f"web/{room}/__init__.py": "" for room in ROOMS},
    **{f"web/{room}/services.py": "" for room in ("accounts", "tickets")},
}


def linted(root: Path) -> str:
    """What import-linter says of a tree by the product's own contracts."""
    lay(root, {"pyproject.toml": (ROOT / "pyproject.toml").read_text(encoding="utf-8")})
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={"PYTHONPATH": str(root)})
    return done.stdout + done.stderr


def test_a_tree_that_keeps_to_the_rules_breaks_none(tmp_path: Path) -> None:
    assert "0 broken" in linted(lay(tmp_path, SKELETON))


def test_each_contract_finds_its_planted_import(tmp_path: Path) -> None:
    lay(tmp_path, SKELETON)
    for files in PLANTED.values():
        lay(tmp_path, files)
    said = linted(tmp_path)
    found = {contract["id"] for contract in house.contracts() if f"{contract['name']} BROKEN" in said}
    assert found == set(PLANTED) == {contract["id"] for contract in house.contracts()}


def test_a_new_room_must_take_its_place(tmp_path: Path) -> None:
    said = linted(lay(tmp_path, {**SKELETON, "web/helpers/__init__.py": ""}))
    assert "helpers" in said
    assert "0 broken" not in said


# --- words of one PBX ------------------------------------------------------------------------------------------
PBX_WORD = re.compile(r"\b(ARI|ESL|Stasis\w*)\b")


def pbx_words(root: Path) -> list[str]:
    """Words of one PBX outside its driver, in code."""
    found = []
    for package in ("engine", "cti", "integrations", "web", "reports"):
        for file in sorted((root / package).rglob("*.py")):
            inside = file.relative_to(root).as_posix()
            if re.match(r"cti/drivers/(?!simulator/)[a-z]+/", inside):
                continue
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if PBX_WORD.search(line):
                    found.append(f"{inside}:{number}: {line.strip()}")
    return found


def test_words_of_one_pbx_stay_in_its_driver() -> None:
    assert pbx_words(ROOT) == []


def test_a_pbx_word_elsewhere_is_found(tmp_path: Path) -> None:
    lay(tmp_path, {"cti/acd.py": "# the ARI channel\n", "cti/drivers/asterisk/switch.py": "# StasisStart\n"})
    assert pbx_words(tmp_path) == ["cti/acd.py:1: # the ARI channel"]
