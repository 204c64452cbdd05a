"""Production is refused while anything of a trial is left in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from tests.support.servers import ROOT, product_environment
from web.config import checks


@pytest.fixture
def production(settings: Any) -> Any:
    """A complete production configuration; each test spoils one thing."""
    settings.PRODUCTION = True
    settings.DEBUG = False
    settings.PUBLIC_HOSTS = ["desk.example.cn"]
    settings.SECRET_KEY = "k" * 60
    settings.SECRET_KEY_IS_OWN = True
    settings.CTI_DRIVER = "asterisk"
    settings.DEMO = False
    settings.HTTPS = True
    return settings


@pytest.mark.django_db
def test_a_complete_configuration_may_start(production: Any) -> None:
    assert checks.refusal() == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name, value, code",
    [
        ("DEBUG", True, "zuoxi.E001"),
        ("PUBLIC_HOSTS", [], "zuoxi.E002"),
        ("PUBLIC_HOSTS", ["*"], "zuoxi.E002"),
        ("SECRET_KEY_IS_OWN", False, "zuoxi.E003"),
        ("SECRET_KEY", "short", "zuoxi.E003"),
        ("CTI_DRIVER", "simulator", "zuoxi.E004"),
        ("DEMO", True, "zuoxi.E005"),
        ("HTTPS", False, "zuoxi.E006"),
    ],
)
def test_one_leftover_of_a_trial_refuses_production(production: Any, name: str, value: Any, code: str) -> None:
    setattr(production, name, value)
    assert code in checks.refusal()
    assert [finding.id for finding in checks.production_settings(None)] == [code]


@pytest.mark.django_db
def test_a_demo_account_left_in_the_database_refuses_production(production: Any) -> None:
    account = get_user_model().objects.create_user("8001", "secret words here", name="a", is_demo=True)
    assert "zuoxi.E005" in checks.refusal()
    account.is_active = False
    account.save()
    assert checks.refusal() == ""


@pytest.mark.django_db
def test_a_trial_is_not_held_to_it(settings: Any) -> None:
    settings.PRODUCTION = False
    settings.DEBUG = True
    assert checks.refusal() == ""


DOORS = {
    "http and sockets": ["-c", "import web.config.asgi"],  # it brings web.config.wsgi
    "worker": ["-m", "celery", "-A", "web.config", "worker", "-P", "solo"],
    "beat": ["-m", "celery", "-A", "web.config", "beat", "-s", "/dev/null"],
    "cti": ["manage.py", "run_cti"],
}


@pytest.mark.parametrize("door", DOORS)
def test_no_process_of_the_full_stack_starts_either(tmp_path: Path, door: str) -> None:
    env = product_environment(tmp_path, ZUOXI_ENV="production", SECRET_KEY="k" * 60, ALLOWED_HOSTS="desk.example.cn")
    done = subprocess.run([sys.executable, *DOORS[door]], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "production is refused: The PBX is the simulator (zuoxi.E004)" in done.stderr


def test_a_mistyped_kind_of_installation_is_refused_instead_of_meaning_anything_goes(tmp_path: Path) -> None:
    env = product_environment(tmp_path, ZUOXI_ENV="prod")
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["zuoxi: ZUOXI_ENV is 'prod'; it can be development, test or production"]


@pytest.mark.parametrize("command", [["run_all"], ["check", "--deploy", "--fail-level", "ERROR"]])
def test_the_process_refuses_to_start(tmp_path: Path, command: list[str]) -> None:
    env = product_environment(tmp_path, ZUOXI_ENV="production")
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    for code in ("zuoxi.E002", "zuoxi.E003", "zuoxi.E004"):
        assert code in done.stderr
    if command == ["run_all"]:
        assert len(done.stderr.strip().splitlines()) == 1
