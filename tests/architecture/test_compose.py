"""docker-compose.yml names programs, modules, files and images that exist; no container is built here."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

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
            assert (ROOT / service["build"]["dockerfile"]).exists()


def test_the_file_has_no_top_level_name_that_older_compose_refuses() -> None:
    assert set(COMPOSE) <= {"x-app", "services", "volumes"}
