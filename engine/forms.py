"""Forms: one JSON Schema per user task. ``x-flow`` fields enter the process data, ``x-personal`` get sealed,
``x-brief`` are shown with the later tasks of the flow."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property
from typing import Any
from uuid import UUID

import jsonschema
import referencing
import referencing.jsonschema

from engine.durations import parse_duration, parse_instant

FORMATS = jsonschema.FormatChecker(formats=())
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Parts of a schema that may describe fields of the same object.
_BRANCHES = ("allOf", "anyOf", "oneOf")
_CONDITIONAL = ("if", "then", "else")


def _format(name: str, reads: Any) -> None:
    FORMATS.checks(name, raises=ValueError)(lambda value: not isinstance(value, str) or bool(reads(value)))


_format("date-time", parse_instant)
_format("date", lambda text: date.fromisoformat(text) if len(text) == 10 else None)
_format("time", lambda text: time.fromisoformat(text) is not None)
_format("duration", lambda text: parse_duration(text) is not None)
_format("email", _EMAIL.fullmatch)
_format("uuid", lambda text: UUID(text) is not None)


def validator_for(schema: dict) -> jsonschema.Draft202012Validator:
    """A validator that checks formats and never fetches a ``$ref`` from anywhere."""
    return jsonschema.Draft202012Validator(schema, format_checker=FORMATS, registry=referencing.Registry())


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: ``field`` like "address.city" ("" = the whole form); ``code`` is the JSON Schema keyword."""

    field: str
    code: str
    message: str


@dataclass(frozen=True)
class Form:
    """The form of one user task, ``key`` like "consult.answer"."""

    key: str
    schema: dict

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.schema, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @cached_property
    def _validator(self) -> jsonschema.Draft202012Validator:
        return validator_for(self.schema)

    @property
    def title(self) -> str:
        return str(self.schema.get("title", self.key))

    def validate(self, data: Any) -> list[FieldError]:
        """Every wrong field, in the order of the schema. A missing field and an empty required text are "required"."""
        found: dict[tuple[str, str], FieldError] = {}
        try:
            for error in self._validator.iter_errors(data):
                for one in _field_errors(error):
                    found.setdefault((one.field, one.code), one)
        except RecursionError:
            return [FieldError("", "schema", "the form refers to itself without end")]
        return list(found.values())

    def flow_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Only what is marked ``"x-flow": true``; inside an unmarked object only its marked fields."""
        return _marked(self.schema, data, "x-flow")

    def flow_fields(self) -> set[str]:
        """Dotted names of the fields marked ``"x-flow": true``."""
        return {path for path, field in _fields(self.schema) if field.get("x-flow") is True}

    def personal_fields(self) -> set[str]:
        """Dotted names of the fields marked ``"x-personal": true``; such an object is personal as a whole."""
        return {path for path, field in _fields(self.schema) if field.get("x-personal") is True}

    def brief_fields(self) -> dict[str, dict]:
        """Schemas of the outermost fields marked ``"x-brief": true``, by name."""
        return {name: field for name, field in _properties(self.schema) if field.get("x-brief") is True}


def _field_errors(error: jsonschema.ValidationError) -> Iterator[FieldError]:
    path = [str(part) for part in error.absolute_path]
    field, code = ".".join(path), str(error.validator)
    if code == "required":
        missing = next((n for n in error.validator_value if error.message.startswith(f"{n!r} ")), "")
        yield FieldError(".".join([*path, missing]), "required", "required")
    elif code == "additionalProperties":
        known = error.schema.get("properties", {})
        for name in error.instance if isinstance(error.instance, dict) else ():
            if name not in known:
                yield FieldError(".".join([*path, name]), code, "unknown field")
    elif code == "minLength" and error.instance == "":
        yield FieldError(field, "required", "required")
    else:
        # The library's message repeats the value; values may be personal, so only the rule is told.
        yield FieldError(field, code, f"{code}: {_short(error.validator_value)}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "..."


def _object_parts(schema: Any) -> Iterator[dict]:
    if not isinstance(schema, dict):
        return
    yield schema
    for word in _BRANCHES:
        for part in schema.get(word, ()):
            yield from _object_parts(part)
    for word in _CONDITIONAL:
        yield from _object_parts(schema.get(word))


def _properties(schema: Any) -> Iterator[tuple[str, dict]]:
    for part in _object_parts(schema):
        for name, field in part.get("properties", {}).items():
            if isinstance(field, dict):
                yield name, field


def _fields(schema: Any, prefix: str = "") -> Iterator[tuple[str, dict]]:
    for name, field in _properties(schema):
        yield prefix + name, field
        yield from _fields(field, f"{prefix}{name}.")
        yield from _fields(field.get("items"), f"{prefix}{name}.")


def _marked(schema: Any, data: Any, mark: str) -> dict[str, Any]:
    taken: dict[str, Any] = {}
    for name, field in _properties(schema):
        if not isinstance(data, dict) or name not in data:
            continue
        if field.get(mark) is True:
            taken[name] = data[name]
        elif isinstance(data[name], dict) and (inner := _marked(field, data[name], mark)):
            taken[name] = {**taken.get(name, {}), **inner} if isinstance(taken.get(name), dict) else inner
    return taken
