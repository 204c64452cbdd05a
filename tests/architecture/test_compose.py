"""docker-compose.yml names programs, modules, files and images that exist; no container is built here."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import environ
import yaml
from django.core.management import get_commands

from tests.architecture.house import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


def test_every_process_of_the_product_can_be_started() -> None:
    for name, service in SERVICES.items():
        words = " ".join(service.get("command", []))
        for command in re.findall(r"manage\.py (\w+)", words):
            assert command in get_commands(), f"{name}: manage.py {command}"
        for module in re.findall(r"(web\.[\w.]+)", words):
            assert importlib.util.find_spec(module), f"{name}: {module}"
        if "build" in service and words:
            program = service["command"][0]
            assert program in {"sh", "python"} or (Path(sys.executable).parent / program).exists(), f"{name}: {program}"


def test_services_wait_for_services_that_exist_and_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= SERVICES.keys(), name
        assert ":" in service["image"], name
        assert not service["image"].endswith(":latest"), name


def test_mounted_files_and_the_recipe_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source
        if "build" in service:
            assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).exists()


def test_the_whole_stack_comes_up_without_a_profile_and_the_rest_only_by_its_name() -> None:
    """A service behind a profile is one nobody waits for: else `up` would fail or start it unasked."""
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == {"db", "redis", "prepare", "api", "live", "worker", "beat", "cti", "front"}
    assert {name: service["profiles"] for name, service in SERVICES.items() if name not in always} == {
        "oracle": ["oracle"],
        "asterisk": ["asterisk"],
    }
    for name in always:
        assert set(SERVICES[name].get("depends_on", {})) <= always, name


def test_the_address_of_oracle_written_in_the_file_is_one_the_settings_understand() -> None:
    found = re.search(r"DATABASE_URL=(oracle://\S+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    said = environ.Env.db_url_config(found[1].replace("<ORACLE_PASSWORD>", "secret"))
    assert (said["ENGINE"], said["HOST"], said["PORT"], said["NAME"]) == (
        "django.db.backends.oracle", "oracle", "1521", "FREEPDB1",
    )  # fmt: skip
    assert said["USER"] == SERVICES["oracle"]["environment"]["APP_USER"]


def test_recipes_name_the_version_they_begin_with() -> None:
    for recipe in (ROOT / "deploy").glob("*Dockerfile"):
        bases = re.findall(r"^FROM (\S+)", recipe.read_text(encoding="utf-8"), re.MULTILINE)
        assert bases and all(":" in base and not base.endswith(":latest") for base in bases), recipe.name


def test_the_file_has_no_top_level_name_that_older_compose_refuses() -> None:
    assert set(COMPOSE) <= {"x-app", "services", "volumes"}
