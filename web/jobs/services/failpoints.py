"""Points at which a test may kill the process, to see what a crash there leaves behind (RELIABILITY F1)."""

from __future__ import annotations

import os

NAMES = (
    "before_effect",
    "after_effect",
    "before_commit",
    "after_commit",
    "after_claim",
    "before_step",
    "after_step",
)


def failpoint(name: str) -> None:
    """Die here, without any clean-up, when the environment says FAILPOINT=`name`. FAILPOINT_SKIP=n lets n passes go by."""
    if os.environ.get("FAILPOINT") != name:
        return
    left = int(os.environ.get("FAILPOINT_SKIP", "0"))
    if left:
        os.environ["FAILPOINT_SKIP"] = str(left - 1)
        return
    os._exit(9)
