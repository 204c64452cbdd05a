"""Who may see which rows: `scope(queryset, user)`, always (ARCHITECTURE 3.4).

A room says the standing rule of its model with `@scoped(Model, subject="customer")`: a function of the user giving a Q, or None for
nothing at all. On top comes every open AccessGrant that names the subject. A model without a rule raises: silence is not permission.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet

Rule = Callable[[Any], Q | None]
_rules: dict[type, tuple[Rule, str | None, str]] = {}
_grants: Callable[[Any, str], QuerySet] | None = None


def scoped(model: type, *, subject: str | None = None, path: str = "pk"):
    """Register the decorated function as the standing rule of `model`. `subject` = the kind named in grants, `path` = where its id is."""

    def register(rule: Rule) -> Rule:
        _rules[model] = (rule, subject, path)
        return rule

    return register


def grants_from(lookup: Callable[[Any, str], QuerySet]) -> None:
    """accounts tells how open grants of a user are found: lookup(user, kind) -> queryset of subject ids."""
    global _grants
    _grants = lookup


def scope(queryset: QuerySet, user: Any) -> QuerySet:
    """The rows of `queryset` that `user` may see. LookupError when nobody said a rule for the model."""
    try:
        rule, subject, path = _rules[queryset.model]
    except KeyError:
        raise LookupError(f"no scope rule for {queryset.model._meta.label}") from None
    allowed = rule(user)
    if subject and _grants:
        granted = Q(**{f"{path}__in": _grants(user, subject)})
        allowed = granted if allowed is None else allowed | granted
    return queryset.none() if allowed is None else queryset.filter(allowed)


def everything() -> Q:
    """The rule of one who sees all. Not Q(): that would vanish when a grant is added with `|` and leave only the grant."""
    return ~Q(pk__in=[])
