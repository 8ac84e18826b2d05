"""How long it takes to get going: import elltwo, elltwo --help."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from benchmarks import Row, at_most

RUNS = 9


def seconds(code: list[str]) -> float:
    """Median CPU seconds of a fresh process."""
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *code], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def run() -> list[Row]:
    """Import of the estimators against scikit-learn's; the help page against bare Python plus 0.15 s."""
    bare = seconds(["-c", "pass"])
    sklearn = seconds(["-c", "import sklearn.linear_model"])
    estimators = seconds(["-c", "from elltwo import RidgeCV"])
    helped = seconds(["-m", "elltwo.cli", "--help"])
    return [
        at_most(
            "import", "from elltwo import RidgeCV over import sklearn.linear_model", estimators, sklearn, 1.2
        ),
        at_most("elltwo --help", "over bare Python plus 0.15 s", helped, bare + 0.15, 1.0),
    ]
