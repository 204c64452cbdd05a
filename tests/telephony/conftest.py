from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.telephony.rig import Rig


@pytest.fixture
def rig(db) -> Iterator[Rig]:
    made = Rig()
    try:
        yield made
    finally:
        made.close()
