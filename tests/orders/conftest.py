from __future__ import annotations

import pytest

from tests.orders.cast import Centre


@pytest.fixture
def centre(db, clock, settings) -> Centre:
    settings.PAYMENT_URL = ""
    return Centre()
