"""python -m benchmarks [PREFIX…]: one JSON object a line for every figure whose name begins so.

{"figure", "value", "unit", "must", "aim", "better", "method"}; value is null and "error" says why when a figure
could not be measured here. Exit code 1 when one could not be measured or no name matches, never for a slow one.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import benchmarks
from benchmarks import FIGURES, Figure


def collect() -> None:
    for module in sorted(entry.name for entry in pkgutil.iter_modules(benchmarks.__path__)):
        if not module.startswith("_"):
            importlib.import_module(f"benchmarks.{module}")


def lines(figure: Figure) -> list[dict[str, Any]]:
    line = {"unit": figure.unit, "must": figure.must, "aim": figure.aim, "better": figure.better}
    line |= {"method": figure.method}
    try:
        measured = figure.measure()
    except Exception as error:
        failed = {"value": None, "error": f"{type(error).__name__}: {error}"[:300]}
        return [{"figure": figure.name, **failed, **line}]
    values = measured if isinstance(measured, dict) else {"": measured}
    return [
        {"figure": f"{figure.name}.{suffix}" if suffix else figure.name, "value": value, **line}
        for suffix, value in values.items()
    ]


def main(prefixes: list[str]) -> int:
    # Figures that need Django get an installation of their own, never the one people work in.
    with tempfile.TemporaryDirectory(prefix="zuoxi-bench-") as data:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "web.config.settings")
        os.environ["ZUOXI_DATA"] = data
        os.environ["SQLITE_SYNCHRONOUS"] = "FULL"
        collect()
        chosen = [figure for name, figure in sorted(FIGURES.items()) if name.startswith(tuple(prefixes) or "")]
        if not chosen:
            print(
                f"no figure begins with {' '.join(prefixes)}; there are: {' '.join(sorted(FIGURES))}", file=sys.stderr
            )
            return 1
        unmeasured = 0
        for figure in chosen:
            for line in lines(figure):
                print(json.dumps(line, ensure_ascii=False), flush=True)
                unmeasured += line["value"] is None
    return 1 if unmeasured else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(main(sys.argv[1:]))
