from __future__ import annotations

import argparse
import ast
import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


def catalogue(file: Path) -> dict[str, dict[str, str]]:
    """id -> {id, title, area, flow}."""
    with file.open(encoding="utf-8", newline="") as rows:
        return {row["id"]: row for row in csv.DictReader(rows)}


def marks(folder: Path) -> Iterator[tuple[str, str]]:
    """(requirement id, test) of every `pytest.mark.req(…)` below a folder, without importing a test."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            decorated = getattr(node, "decorator_list", [])
            named = getattr(node, "name", "")
            if isinstance(node, ast.Assign) and any(getattr(name, "id", "") == "pytestmark" for name in node.targets):
                decorated, named = list(ast.walk(node.value)), "(all)"
            for mark in decorated:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("mark.req"):
                    for argument in mark.args:
                        yield ast.literal_eval(argument), f"{file.relative_to(folder.parent).as_posix()}::{named}"


class Command(BaseCommand):
    help = "Per planning area: rows of docs/requirements.csv that a test proves / all. With an area or id: which."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("only", nargs="*", help="areas (K07) or ids (X-05) to list in full")

    def handle(self, *args: Any, only: list[str], **options: Any) -> None:
        rows = catalogue(settings.BASE_DIR / "docs" / "requirements.csv")
        proofs: dict[str, set[str]] = defaultdict(set)
        for row, test in marks(settings.BASE_DIR / "tests"):
            proofs[row].add(test)
        for row in rows.values():
            if row["area"] in only or row["id"] in only:
                self.stdout.write(f"{'x' if proofs[row['id']] else ' '} {row['id']:<8} {row['title']}")
                for test in sorted(proofs[row["id"]]):
                    self.stdout.write(f"           {test}")
        areas: dict[str, list[str]] = defaultdict(list)
        for row in rows.values():
            areas[row["area"]].append(row["id"])
        for area, ids in sorted(areas.items()):
            self.stdout.write(f"{area}  {sum(bool(proofs[row]) for row in ids):>3} / {len(ids)}")
        self.stdout.write(f"all  {sum(bool(proofs[row]) for row in rows):>3} / {len(rows)}")
