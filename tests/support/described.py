"""Holds what the API answers against what docs/openapi.yaml says of it: the browser's types are made from that page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from django.core.serializers.json import DjangoJSONEncoder
from django.test import Client
from jsonschema import Draft202012Validator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


def as_json_schema(part: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema 2020-12, and strict: a member that is not described is as wrong as one that is missing."""
    if isinstance(part, list):
        return [as_json_schema(one) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return {"$ref": part["$ref"].replace("#/components/schemas/", "#/$defs/")}
    made = {name: as_json_schema(value) for name, value in part.items() if name not in ("nullable", "format")}
    if "properties" in made:
        made["additionalProperties"] = False
    return {"anyOf": [made, {"type": "null"}]} if part.get("nullable") else made


@cache
def _page() -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """Shapes by name; operations by method and path, `{}` for what changes in it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    page = yaml.load(PAGE.read_text(), loader)
    shapes = {name: as_json_schema(shape) for name, shape in page["components"]["schemas"].items()}
    operations = {
        (method.upper(), path_shape(path)): operation
        for path, methods in page["paths"].items()
        for method, operation in methods.items()
    }
    return shapes, operations


def path_shape(path: str) -> str:
    """`api/tasks/<int:pk>/claim` and `/api/tasks/{id}/claim` → `api/tasks/{}/claim`."""
    return "/".join("{}" if part.startswith(("<", "{")) else part for part in path.strip("/").split("/"))


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "$defs": _page()[0]})


def complaints(schema: dict[str, Any], body: Any) -> list[str]:
    found = _validator(json.dumps(as_json_schema(schema))).iter_errors(body)
    return [f"{'/'.join(map(str, one.absolute_path)) or 'the whole'}: {one.message[-200:]}" for one in found]


def complaints_of(shape: str, data: Any) -> list[str]:
    """What is wrong with data (as Python holds it, instants and all) told under this name; [] when nothing is."""
    sent = json.loads(json.dumps(data, cls=DjangoJSONEncoder))
    return complaints({"$ref": f"#/components/schemas/{shape}"}, sent)


def complaints_about(answer: Any, method: str) -> list[str]:
    """What is wrong with an answer of the API by its description; [] for refusals and what is not JSON."""
    match = getattr(answer, "resolver_match", None)
    kind = answer.get("Content-Type", "")
    if match is None or not match.route.startswith("api/") or answer.status_code // 100 != 2 or "json" not in kind:
        return []
    operation = _page()[1].get((method, path_shape(match.route)))
    if operation is None:
        return []  # tests/architecture/test_openapi.py knows the few
    told = operation["responses"].get(str(answer.status_code), {}).get("content", {}).get("application/json")
    if told is None:
        return [f"{answer.status_code} with a body is not described"] if answer.content else []
    return complaints(told["schema"], json.loads(answer.content))


@contextmanager
def watching() -> Iterator[None]:
    """While it lasts every answer that a test client gets is held against the description."""
    plain = Client.request

    def request(self: Client, **sent: Any) -> Any:
        answer = plain(self, **sent)
        method = sent.get("REQUEST_METHOD", "GET")
        wrong = complaints_about(answer, method)
        assert not wrong, f"{method} {sent.get('PATH_INFO')} is not what docs/openapi.yaml says: {wrong}"
        return answer

    Client.request = request  # type: ignore[method-assign]
    try:
        yield
    finally:
        Client.request = plain  # type: ignore[method-assign]
