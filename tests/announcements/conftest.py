from __future__ import annotations

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _people(db):
    """Each test has its own people, and lockouts of one are not those of the next."""
    cache.clear()
