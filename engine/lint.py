"""placeholder"""

from __future__ import annotations


def structure(drawing):
    return list(drawing.problems) + [p for x in drawing.processes.values() for p in x.problems]
