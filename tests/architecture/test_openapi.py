"""The description of the API is complete, and the browser's types were made from the one that is true now."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

ROOT = Path(__file__).resolve().parents[2]
MAKE = "run `manage.py spectacular --file docs/openapi.yaml`, then `npm run types` in web/ui"


@pytest.fixture(scope="module")
def described() -> tuple[dict, str, list[str]]:
    """The schema, as YAML, and what the generator was not sure of."""
    GENERATOR_STATS._warn_cache.clear()
    GENERATOR_STATS._error_cache.clear()
    schema = SchemaGenerator().get_schema(request=None, public=True)
    doubts = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    return schema, OpenApiYamlRenderer().render(schema, renderer_context={}).decode(), doubts


def test_the_generator_is_sure_of_everything(described):
    assert described[2] == []


def test_the_committed_description_is_the_present_one(described):
    assert yaml.safe_load((ROOT / "docs/openapi.yaml").read_text()) == yaml.safe_load(described[1]), MAKE


def test_the_browsers_types_know_every_path_and_shape(described):
    types = (ROOT / "web/ui/src/api/schema.d.ts").read_text()
    wanted = [f'"{path}": ' for path in described[0]["paths"]]
    wanted += [f"        {name}: " for name in described[0]["components"]["schemas"]]
    assert [one for one in wanted if one not in types] == [], MAKE


def test_every_operation_says_what_it_answers(described):
    """A success has a shape, unless it says by its status that nothing follows."""
    silent = [
        f"{method.upper()} {path}"
        for path, operations in described[0]["paths"].items()
        for method, operation in operations.items()
        if not any(
            status in ("202", "204") or (status[0] == "2" and answer.get("content"))
            for status, answer in operation["responses"].items()
        )
    ]
    assert silent == []


def addresses(patterns, before: str = "") -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += addresses(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern) and here.startswith("api/"):
            found.append(here)
    return found


def test_every_address_is_described(described):
    """Except the web hooks, which are the providers', and the description itself."""
    undescribed = {"api/hooks/sms", "api/hooks/payment", "api/schema"}
    served = {_shape(address) for address in addresses(get_resolver().url_patterns)} - undescribed
    assert served == {_shape(path.strip("/")) for path in described[0]["paths"]}


def _shape(address: str) -> str:
    """`api/tasks/<int:id>/claim` and `api/tasks/{id}/claim` → `api/tasks/{}/claim`."""
    return "/".join("{}" if part.startswith(("<", "{")) else part for part in address.split("/"))
