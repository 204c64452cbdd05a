"""Assertions of the driver contract are explained like those of tests."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("cti.contract", "tests.cti.rig")
