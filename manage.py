#!/usr/bin/env python3
"""Django's command line for this project; any Python will do, the project's own environment does the work."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

VENV = Path(__file__).resolve().parent / ".venv"


def main() -> None:
    if importlib.util.find_spec("django") is None:
        own = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not own.exists() or Path(sys.prefix) == VENV:
            sys.exit("manage.py: nothing is set up here yet; run `make run` first")
        os.execv(own, [str(own), *sys.argv])  # noqa: S606
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "web.config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
