"""Who hears what: the one table of everything told upwards after commit (ARCHITECTURE 3.2). What must not be missed is not here:
it is a row written with the act."""

from __future__ import annotations
