"""Verbs: named, reviewed Python functions that rooms lend to flows, each with a schema for what goes in and out.

A service task with ``operator id="routing.block_number"`` calls the function registered under that name. The schemas
are what ``cases.yaml`` and the linter check against, so a flow can be tested without the room.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import jsonschema

from engine.exceptions import UnknownVerb, VerbContractBroken, VerbFailed, VerbRefused
from engine.forms import validator_for

__all__ = ["REGISTRY", "Context", "Registry", "Verb", "VerbFailed", "VerbRefused", "Verbs", "verb"]

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Context:
    """Who calls: the instance, the element, the moment, and the answers of the user task just completed (if any)."""

    instance_key: str
    business_key: str
    now: datetime
    element: str
    task_id: str
    submission: Any | None = None
    actor: Any | None = None


class Verbs(Protocol):
    """What the step needs: something that answers a verb call. Registry does; so do a case's stated results."""

    def call(self, name: str, context: Context, params: Mapping[str, Any]) -> dict[str, Any]: ...


class Verb:
    """One registered verb. Schemas are JSON Schema 2020-12 of an object; unknown keys are refused unless allowed."""

    def __init__(self, name: str, function: Callable[..., Any] | None, params: dict, result: dict) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"a verb is named room.verb, not {name!r}")
        self.name, self.function = name, function
        self.params_schema, self.result_schema = _object_schema(name, params), _object_schema(name, result)
        self._params, self._result = validator_for(self.params_schema), validator_for(self.result_schema)

    def check_params(self, params: Mapping[str, Any]) -> None:
        """VerbContractBroken when ``params`` do not match the declared schema."""
        self._check("parameters", self._params, dict(params))

    def check_result(self, result: Any) -> None:
        """VerbContractBroken when ``result`` does not match the declared schema."""
        self._check("result", self._result, result)

    def _check(self, what: str, validator: Any, value: Any) -> None:
        # Only where and which rule: the value itself may be personal and must not reach a log.
        errors = validator.iter_errors(value)
        found = sorted({f"{'.'.join(map(str, e.absolute_path)) or 'it'}: {e.validator}" for e in errors})
        if found:
            raise VerbContractBroken(f"{self.name}: {what} do not match the schema ({'; '.join(found)})")


class Registry:
    """Verbs by name."""

    def __init__(self) -> None:
        self._verbs: dict[str, Verb] = {}

    def register(
        self,
        name: str,
        function: Callable[..., Any] | None = None,
        *,
        params: dict | None = None,
        result: dict | None = None,
    ) -> Verb:
        """Add a verb; ValueError when the name is taken by another function or a schema is not one."""
        known = self._verbs.get(name)
        if known is not None and _origin(known.function) != _origin(function):
            raise ValueError(f"verb {name} is registered twice")
        self._verbs[name] = made = Verb(name, function, params or {}, result or {})
        return made

    def get(self, name: str) -> Verb:
        """UnknownVerb when nobody lends it."""
        try:
            return self._verbs[name]
        except KeyError:
            raise UnknownVerb(name) from None

    def names(self) -> set[str]:
        return set(self._verbs)

    def __contains__(self, name: object) -> bool:
        return name in self._verbs

    def __iter__(self) -> Iterator[Verb]:
        return iter(self._verbs.values())

    def call(self, name: str, context: Context, params: Mapping[str, Any]) -> dict[str, Any]:
        """Check, call, check. VerbRefused passes through; any other error of the function becomes VerbFailed."""
        found = self.get(name)
        if found.function is None:
            raise UnknownVerb(name)
        found.check_params(params)
        try:
            result = found.function(context, **params)
        except VerbRefused:
            raise
        except Exception as error:
            raise VerbFailed(context.element, error) from error
        result = {} if result is None else result
        found.check_result(result)
        return result


REGISTRY = Registry()


def verb(
    name: str, *, params: dict | None = None, result: dict | None = None, registry: Registry = REGISTRY
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Lend a function to flows::

    @verb("tickets.close", params={"properties": {"outcome": {"type": "string"}}, "required": ["outcome"]})
    def close(context, *, outcome): ...
    """

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        registry.register(name, function, params=params, result=result)
        return function

    return add


def _origin(function: Callable[..., Any] | None) -> tuple[str, str]:
    return (getattr(function, "__module__", ""), getattr(function, "__qualname__", ""))


def _object_schema(name: str, schema: dict) -> dict:
    if schema and "type" not in schema and "properties" not in schema:
        raise ValueError(f"verb {name}: a schema describes an object: type, properties, required")
    whole = {"type": "object", "properties": {}, "additionalProperties": False, **schema}
    if whole["type"] != "object":
        raise ValueError(f"verb {name}: parameters and results are objects")
    try:
        jsonschema.Draft202012Validator.check_schema(whole)
    except jsonschema.SchemaError as error:
        raise ValueError(f"verb {name}: {error.message}") from None
    return whole
