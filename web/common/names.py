"""Names that administrators give to groups, skills, queues and roles: told in both languages, the reader's screen chooses."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class BilingualName(serializers.Serializer):
    zh = serializers.CharField()
    en = serializers.CharField()


class Named(serializers.Serializer):
    key = serializers.CharField()
    name = BilingualName()


def both(zh: str, en: str | None = None) -> dict[str, str]:
    """{zh, en}; what has no English name is told by its Chinese one."""
    return {"zh": zh, "en": en or zh}


def named(row: Any) -> dict[str, Any]:
    """{key, name: {zh, en}} of a row with `key`, `name` and `name_en`."""
    return {"key": row.key, "name": both(row.name, row.name_en)}
