"""Model fields whose database value is sealed (ARCHITECTURE 5.13). Reading the attribute gives the plain value; the database never does."""

from __future__ import annotations

import json

from django.db import models

from . import seals


class SealedTextField(models.TextField):
    """Plain text in Python, AES-GCM text in the database. Not searchable: keep a blind index beside it."""

    def _bound_to(self) -> str:
        return f"{self.model._meta.label_lower}.{self.name}"

    def get_prep_value(self, value):
        value = super().get_prep_value(value)
        return value if value in (None, "") else seals.seal(str(value), bound_to=self._bound_to())

    def from_db_value(self, value, expression, connection):
        return value if not value else seals.unseal(value, bound_to=self._bound_to())

    def get_lookup(self, lookup_name):
        if lookup_name not in ("isnull",):
            raise TypeError(f"{self.name} is sealed: search its blind index instead")
        return super().get_lookup(lookup_name)


class SealedJSON:
    """JSON sealed for the person it speaks of: `sealed_data` text column + `person` column, used through this descriptor.

    A broken seal (the person's key was destroyed) reads as None: the row stays, its content is gone.
    """

    def __init__(self, column: str, person: str = "person"):
        self.column, self.person = column, person

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, row, owner=None):
        if row is None:
            return self
        sealed = getattr(row, self.column)
        if not sealed:
            return {}
        try:
            return json.loads(seals.unseal_for(sealed, bound_to=self.column))
        except seals.SealBroken:
            return None

    def __set__(self, row, value):
        text = "" if value in (None, {}) else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
        setattr(
            row,
            self.column,
            seals.seal_for(getattr(row, self.person) or "", text, bound_to=self.column) if text else "",
        )
