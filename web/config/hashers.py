"""Passwords: Argon2id with OWASP's parameters, a few at a time."""

from __future__ import annotations

import threading

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

_at_once = threading.BoundedSemaphore(4)  # the whole shift signs in at 8:30: hashes queue, requests keep their cores


class Argon2id(Argon2PasswordHasher):
    """m = 19 MiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet); memory in KiB comes from the settings."""

    time_cost = 2
    parallelism = 1

    @property
    def memory_cost(self) -> int:
        return settings.ARGON2_MEMORY_KIB

    def encode(self, password: str, salt: str) -> str:
        with _at_once:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _at_once:
            return super().verify(password, encoded)
