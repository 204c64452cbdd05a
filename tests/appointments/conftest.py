from __future__ import annotations

import pytest

from tests.appointments.cast import Centre


@pytest.fixture
def centre(db, clock) -> Centre:
    return Centre()
