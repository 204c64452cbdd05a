"""Publishing flows: a version is a set of files that never changes; running instances keep theirs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction

from engine import lint
from engine.definitions import Bundle, Definition, DefinitionError, parse, read_folder
from engine.exceptions import Problem
from engine.verbs import REGISTRY
from web.accounts.models import Role
from web.common import clock
from web.common.audit import audit
from web.workflow.models import FlowDefinition, FlowFile, FlowVersion
from web.workflow.services.errors import FlowRefused, FlowUnknown

ROLES = frozenset(
    [
        "agent",
        "team_leader",
        "supervisor",
        "manager",
        "director",
        "analyst",
        "clinic",
        "doctor",
        "pharmacy",
        "finance",
        "admin",
        "system",
    ]
)
KEPT = 256

_definitions: OrderedDict[int, Definition] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class Deployed:
    """What publishing a folder of flows did: keys with a new version, keys without a change, keys that were refused and why."""

    published: list[str]
    unchanged: list[str]
    refused: dict[str, list[Problem]]


def roles() -> set[str]:
    """The roles a lane may name: those of the product and those somebody added."""
    try:
        return ROLES | set(Role.objects.values_list("key", flat=True))
    except DatabaseError:  # `flows check` needs no database; before the first migration there are only ours
        return ROLES


def problems_of(bundle: Bundle) -> list[Problem]:
    """Every problem of a bundle, errors first."""
    try:
        found = lint.check(bundle, REGISTRY, roles())
        if not any(problem.severity == "error" for problem in found):
            parse(bundle)
    except DefinitionError as error:
        found = error.problems
    return sorted(found, key=lambda problem: problem.severity != "error")


@transaction.atomic
def deploy(bundle: Bundle, actor: Any = None) -> FlowVersion:
    """Publish a bundle; the same files again give the version that exists. FlowRefused names every element that is wrong."""
    errors = [problem for problem in problems_of(bundle) if problem.severity == "error"]
    if errors:
        raise FlowRefused(
            flow=bundle.key,
            problems=[{"element": p.element_id, "code": p.code, "message": p.message} for p in errors],
        )
    definition = parse(bundle)
    english = definition.locales.get(bundle.key, {}).get("en", {}).get(bundle.key)
    names = {"name": (definition.name or bundle.key)[:80], "name_en": english[:80] if english else None}
    flow, _ = FlowDefinition.objects.update_or_create(key=bundle.key, defaults=names)
    version = FlowVersion.objects.filter(definition=flow, digest=bundle.digest).first()
    if version is None:
        last = FlowVersion.objects.filter(definition=flow).order_by("-number").first()
        version = FlowVersion.objects.create(
            definition=flow,
            number=last.number + 1 if last else 1,
            digest=bundle.digest,
            published_at=clock.now(),
            published_by=getattr(actor, "number", None),
        )
        FlowFile.objects.bulk_create(
            FlowFile(version=version, name=name, content=content.decode()) for name, content in bundle.files.items()
        )
        audit("flows.published", f"flow:{flow.key}", actor=actor, version=version.number)
    if flow.current_id != version.pk:
        FlowDefinition.objects.filter(pk=flow.pk).update(current=version)
    return version


def folders(root: Path) -> list[str]:
    """Keys of the flows below `root`: folders with a diagram of their name."""
    return sorted(path.name for path in Path(root).iterdir() if (path / f"{path.name}.bpmn").is_file())


def deploy_folder(root: Path, actor: Any = None) -> Deployed:
    """Publish every flow below `root`; one that is refused does not keep the others back. Flows that only others call cannot be
    started by hand."""
    published, unchanged, refused, called = [], [], {}, set()
    for key in folders(root):
        before = FlowDefinition.objects.filter(key=key).values_list("current", flat=True).first()
        try:
            bundle = read_folder(Path(root), key)
            version = deploy(bundle, actor)
        except DefinitionError as error:
            refused[key] = error.problems
            continue
        except FlowRefused as error:
            refused[key] = [Problem(p["element"], p["code"], p["message"]) for p in error.facts["problems"]]
            continue
        called |= {name.partition("/")[0] for name in bundle.files} - {key}
        (unchanged if before == version.pk else published).append(key)
    FlowDefinition.objects.filter(key__in=called).update(is_startable=False)
    return Deployed(published, unchanged, refused)


def flow_is_deployed(key: str | None) -> bool:
    return bool(key) and FlowDefinition.objects.filter(key=key).exclude(current=None).exists()


def current_version(key: str) -> FlowVersion:
    """FlowUnknown when nothing of this key is published."""
    version = FlowVersion.objects.filter(current_of__key=key).select_related("definition").first()
    if version is None:
        raise FlowUnknown(flow=key)
    return version


def bundle_of(version: FlowVersion) -> Bundle:
    files = FlowFile.objects.filter(version=version).values_list("name", "content")
    return Bundle(version.definition.key, {name: content.encode() for name, content in files})


def definition_of(version_id: int) -> Definition:
    """The parsed definition of a version; parsed once in each process."""
    with _lock:
        if version_id in _definitions:
            _definitions.move_to_end(version_id)
            return _definitions[version_id]
    version = FlowVersion.objects.select_related("definition").get(pk=version_id)
    made = parse(bundle_of(version))
    with _lock:
        _definitions[version_id] = made
        while len(_definitions) > KEPT:
            _definitions.popitem(last=False)
    return made


def forget_parsed() -> None:
    """Version ids mean something else in another database (tests)."""
    with _lock:
        _definitions.clear()


def diagram_of(version: FlowVersion) -> str:
    """The XML of the flow's own diagram."""
    key = version.definition.key
    return FlowFile.objects.get(version=version, name=f"{key}/{key}.bpmn").content


def names_of(definition: Definition) -> dict[str, dict[str, str]]:
    """{id: {zh, en}} of everything that has a name in the flow itself, arrows as well."""
    key = definition.key
    english = definition.locales.get(key, {}).get("en", {})
    drawn = [*definition.processes[key].values(), *definition.flows[key].values()]
    return {one.id: {"zh": one.name, "en": english.get(one.id) or one.name} for one in drawn if one.name}
