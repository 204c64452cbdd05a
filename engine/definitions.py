"""Published flows: a bundle of files, and the definition parsed from it."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.decisions import Decision, read_decision
from engine.dialect import read_specs
from engine.drawing import Drawing, Element, Files, SequenceFlow, read_drawing
from engine.exceptions import DefinitionError, Problem
from engine.forms import Form
from engine.lint import structure
from engine.xml import BIGGEST

__all__ = [
    "Bundle",
    "Definition",
    "DefinitionError",
    "Element",
    "Files",
    "Problem",
    "SequenceFlow",
    "parse",
    "read_folder",
]

KEPT_PARSED = 256
_KEY = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Bundle:
    """What one published version is made of: the flow's own files and those of every flow it calls.

    ``files`` maps names like "consult/consult.bpmn" to contents. Changing any of them changes ``digest``.
    """

    key: str
    files: Files

    @cached_property
    def digest(self) -> str:
        found = hashlib.sha256(self.key.encode())
        for name in sorted(self.files):
            content = self.files[name]
            found.update(f"\0{len(name.encode())}:{name}\0{len(content)}:".encode())
            found.update(content)
        return found.hexdigest()


def read_folder(root: Path, key: str, *, shared: Path | None = None) -> Bundle:
    """``<root>/<key>`` and, transitively, the folders of the flows it calls, beside it or else in `shared`. DefinitionError when one is
    missing.

    Of called flows only what runs is taken (diagram, tables, forms, names), not their cases or pages.
    """
    files: dict[str, bytes] = {}
    waiting, seen = [key], set()
    while waiting:
        flow = waiting.pop()
        if flow in seen:
            continue
        seen.add(flow)
        folder = Path(root) / flow
        if shared and not folder.is_dir():
            folder = Path(shared) / flow
        if not _KEY.fullmatch(flow) or not (folder / f"{flow}.bpmn").is_file():
            raise DefinitionError([Problem(flow, "unknown_flow", f"there is no folder with a diagram for {flow}")])
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            wanted = path.suffix in (".bpmn", ".dmn", ".json") or (flow == key and path.suffix in (".yaml", ".md"))
            if wanted and path.is_file() and not path.is_symlink():
                if path.stat().st_size > BIGGEST:
                    raise DefinitionError([Problem(f"{flow}/{name}", "too_big", "the file is larger than 5 MB")])
                files[f"{flow}/{name}"] = path.read_bytes()
        part = {name: content for name, content in files.items() if name.startswith(f"{flow}/")}
        waiting += [e.called for e in read_drawing(flow, part).elements() if e.called and e.called not in seen]
    return Bundle(key, files)


@dataclass
class Definition:
    """One published version, ready to run. Shared between instances; never changed after parse()."""

    key: str
    name: str
    documentation: str
    digest: str
    elements: dict[str, Element]
    forms: dict[str, Form]
    start_message: str | None
    lanes: set[str]
    first_user_task: Element | None
    processes: dict[str, dict[str, Element]] = field(repr=False)
    flows: dict[str, dict[str, SequenceFlow]] = field(repr=False)
    locales: dict[str, dict[str, dict[str, str]]] = field(repr=False)
    specs: tuple[Any, dict[str, Any]] = field(repr=False)
    _process_of: dict[str, str] = field(repr=False)
    _between: dict[tuple[str, str, str], str] = field(repr=False)

    def element(self, scope: str, identifier: str) -> Element | None:
        """The element ``identifier`` of the flow that ``scope`` (a flow or one of its sub-processes) belongs to."""
        return self.processes[self._process_of[scope]].get(identifier)

    def flow_between(self, process: str, source: str, target: str) -> str | None:
        """The id of the sequence flow from one element to another."""
        return self._between.get((process, source, target))

    def element_name(self, element: Element, language: str = "zh-CN") -> str:
        """The element's name in ``language`` when its folder's locales/ has one, else as drawn."""
        return self.locales.get(element.process, {}).get(language, {}).get(element.id) or element.name or element.id


_parsed: OrderedDict[str, Definition] = OrderedDict()
_lock = threading.Lock()


def parse(bundle: Bundle) -> Definition:
    """The definition of a bundle; cached by digest. DefinitionError names everything that keeps it from running."""
    with _lock:
        if bundle.digest in _parsed:
            _parsed.move_to_end(bundle.digest)
            return _parsed[bundle.digest]
    made = _parse(bundle)
    with _lock:
        _parsed[bundle.digest] = made
        while len(_parsed) > KEPT_PARSED:
            _parsed.popitem(last=False)
    return made


def _parse(bundle: Bundle) -> Definition:
    drawing = read_drawing(bundle.key, bundle.files)
    problems = [p for p in structure(drawing) if p.severity == "error"]
    if problems:
        raise DefinitionError(problems)
    return _define(bundle, drawing)


def _define(bundle: Bundle, drawing: Drawing) -> Definition:
    own = drawing.processes[bundle.key]
    elements = dict(own.elements)
    for process in drawing.processes.values():
        for identifier, element in process.elements.items():
            elements.setdefault(identifier, element)
    starts = [e for e in own.elements.values() if e.kind == "startEvent" and e.scope == bundle.key]
    return Definition(
        key=bundle.key,
        name=own.name,
        documentation=own.documentation,
        digest=bundle.digest,
        elements=elements,
        forms=drawing.forms,
        start_message=next((e.message for e in starts if e.message), None),
        lanes={e.lane for e in drawing.elements() if e.lane and e.kind == "userTask"} | set(own.lane_ids),
        first_user_task=next(_reached(drawing, starts[0] if starts else None), None),
        processes={key: dict(process.elements) for key, process in drawing.processes.items()},
        flows={key: dict(process.flows) for key, process in drawing.processes.items()},
        locales=drawing.locales,
        specs=_specs(bundle, drawing),
        _process_of={scope: key for key, process in drawing.processes.items() for scope in process.scopes},
        _between={
            (key, flow.source, flow.target): flow.id
            for key, process in drawing.processes.items()
            for flow in reversed(process.flows.values())
        },
    )


def _specs(bundle: Bundle, drawing: Drawing) -> tuple[Any, dict[str, Any]]:
    try:
        return read_specs(drawing, tables(drawing))
    except DefinitionError:
        raise
    except Exception as error:
        # What the library refuses beyond our own rules; its exceptions name the element they stopped at.
        where = getattr(error, "id", "") or bundle.key
        raise DefinitionError([Problem(where, "not_runnable", str(error) or type(error).__name__)]) from error


def tables(drawing: Drawing) -> dict[str, Decision]:
    return {name: read_decision(node) for name, node in drawing.decisions.items()}


def _reached(drawing: Drawing, start: Element | None) -> Iterator[Element]:
    """User tasks in the order a walk along the flows meets them, into called flows and sub-processes."""
    waiting, seen = deque([start] if start else []), set()
    while waiting:
        element = waiting.popleft()
        if (element.process, element.id) in seen:
            continue
        seen.add((element.process, element.id))
        if element.kind == "userTask":
            yield element
        process = drawing.processes[element.process]
        inner = element.id if element.kind == "subProcess" else None
        if element.kind == "callActivity" and element.called in drawing.processes:
            process_called = drawing.processes[element.called]
            waiting += [
                e for e in process_called.elements.values() if e.kind == "startEvent" and e.scope == element.called
            ]
        elif inner:
            waiting += [e for e in process.elements.values() if e.kind == "startEvent" and e.scope == inner]
        waiting += [process.elements[f.target] for f in process.outgoing(element.id) if f.target in process.elements]
