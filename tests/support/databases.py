"""Another database as `default` for a while: PostgreSQL for real, Oracle on paper."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import environ
from django.db import connections

_numbers = itertools.count(1)


@contextmanager
def default_database(url: str) -> Iterator[None]:
    """Every thread that opens `default` inside the block opens this database. Its pool and connection close after."""
    before, connection = connections.settings["default"], connections["default"]
    test = {**before["TEST"], "NAME": None}
    fresh = {**before, "OPTIONS": {}, "CONN_MAX_AGE": 0, "TEST": test, **environ.Env.db_url_config(url)}
    connections.settings["default"] = fresh
    del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = before
        connections["default"] = connection


@contextmanager
def postgres_copy(url: str, template: str) -> Iterator[str]:
    """The URL of a fresh copy of a template database, dropped after."""
    import psycopg

    parts = urlsplit(url)
    admin = urlunsplit(parts._replace(scheme="postgresql", path="/postgres"))
    name = f"test_{next(_numbers)}"
    with psycopg.connect(admin, autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(admin, autocommit=True) as link:
            link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
