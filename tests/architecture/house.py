"""The order of the rooms as pyproject.toml states it, and the references import-linter cannot see: strings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

DOTTED = re.compile(r"^(web|reports)\.([a-z_]+)(?:[.:]\w+)*$")
MODEL = re.compile(r"^([a-z_]+)\.([A-Z]\w+)$")
MOUNTS_REPORTS = ("web/config/urls.py", "reports.urls")


def contracts() -> list[dict]:
    """The import contracts of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def order() -> dict[str, int]:
    """Room -> height, lowest 0. Rooms of one height do not know each other."""
    layers = next(contract["layers"] for contract in contracts() if contract["id"] == "rooms")
    return {name.strip(" ()"): height for height, line in enumerate(reversed(layers)) for name in line.split("|")}


@dataclass(frozen=True)
class Reference:
    """A string in one room that names another."""

    file: str
    line: int
    room: str
    target: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.room} names {self.target} by {self.text!r}"


def _strings(root: Path, tree: ast.AST, rooms: dict[str, int]) -> Iterator[tuple[int, str, str]]:
    """(line, target room, text) for dotted strings, relation targets, get_model("a", "B"), ("a", "0001_…").

    "reports.view" is a permission; only what names a module of reports/ counts.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted, model = DOTTED.match(node.value), MODEL.match(node.value)
            if dotted and (dotted[1] == "web" or (root / "reports" / f"{dotted[2]}.py").exists()):
                target = "reports" if dotted[1] == "reports" else dotted[2]
                yield node.lineno, target, node.value
            elif model and model[1] in rooms:
                yield node.lineno, model[1], node.value
        pair = node.elts if isinstance(node, ast.Tuple) else node.args if isinstance(node, ast.Call) else []
        if len(pair) == 2 and all(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in pair):
            first, second = (part.value for part in pair)
            called = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get_model"
            if first in rooms and (called or re.match(r"^(\d{4}_\w+|__first__|__latest__)$", second)):
                yield node.lineno, first, f"{first}.{second}"


def references(root: Path, rooms: dict[str, int]) -> Iterator[Reference]:
    """Every string below web/ that names a room or the reports."""
    for file in sorted((root / "web").rglob("*.py")):
        inside = file.relative_to(root)
        if "ui" in inside.parts or len(inside.parts) < 3:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for line, target, text in _strings(root, tree, rooms):
            yield Reference(inside.as_posix(), line, inside.parts[1], target, text)


def against_the_order(root: Path, rooms: dict[str, int]) -> list[Reference]:
    """References that go up or sideways, or from web to reports other than by the one mount."""
    wrong = []
    for reference in references(root, rooms):
        if reference.target == "reports":
            allowed = (reference.file, reference.text) == MOUNTS_REPORTS
        elif reference.target not in rooms:
            allowed = False  # names a room that does not exist
        else:
            own = reference.room == reference.target
            allowed = own or rooms[reference.target] < rooms.get(reference.room, -1)
        if not allowed:
            wrong.append(reference)
    return wrong


def folders_without_place(root: Path, rooms: dict[str, int]) -> list[str]:
    """Folders of web/ that are no package or have no place in the list; ui is the browser's."""
    wrong = []
    for folder in sorted((root / "web").iterdir()):
        if not folder.is_dir() or folder.name in {"ui", "__pycache__"}:
            continue
        if folder.name not in rooms:
            wrong.append(f"{folder.name}: no place in the list of rooms")
        elif not (folder / "__init__.py").exists():
            wrong.append(f"{folder.name}: no package")
    return wrong
