"""A browser's view of the API: session cookie, form token, JSON."""

from __future__ import annotations

from typing import Any

from rest_framework.test import APIClient

from web.accounts.models import User

from .cast import PASSWORD


def browser(*, checks_token: bool = False, address: str = "10.1.2.3") -> APIClient:
    """Nobody is signed in yet."""
    return APIClient(enforce_csrf_checks=checks_token, REMOTE_ADDR=address)


def sign_in(client: APIClient, number: str, password: str = PASSWORD, **more: Any):
    """POST /api/session; returns the answer."""
    return client.post("/api/session", {"number": number, "password": password, **more}, format="json")


def as_user(user: User) -> APIClient:
    """A client in which `user` is signed in, without the log-in itself."""
    client = browser()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
