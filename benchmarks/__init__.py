"""Benchmarks: ratios to peers and to the BLAS/LAPACK calls a job cannot avoid, measured in one run.

Every job runs on one thread. Times are CPU seconds (user + system), the median of a few runs taken
in turn, so that a busy neighbour disturbs all alike; ratios are what counts.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One claim and what was measured.

    Attributes
    ----------
    job : the problem. what : the claim, e.g. "leave-one-out over its bound".
    seconds : CPU seconds of elltwo. other : CPU seconds of the bound or peer.
    ratio : elltwo / bound (``at_most``) or peer / elltwo (``at_least``).
    target : the figure to hold; infinite where a figure is told and nothing claimed.
    kind : "at most" or "at least".
    """

    job: str
    what: str
    seconds: float
    other: float
    ratio: float
    target: float
    kind: str

    @property
    def claim(self) -> str:
        """The target with its sign, or nothing where nothing is claimed."""
        if math.isinf(self.target):
            return ""
        return ("≤ " if self.kind == "at most" else "≥ ") + f"{self.target:g}"

    @property
    def verdict(self) -> str:
        return ("holds" if self.holds else "MISSED") if self.claim else ""

    @property
    def holds(self) -> bool:
        return self.ratio <= self.target if self.kind == "at most" else self.ratio >= self.target


def at_most(job: str, what: str, ours: float, bound: float, target: float) -> Row:
    """A claim that ours costs at most ``target`` times the bound."""
    return _said(Row(job, what, ours, bound, ours / bound, target, "at most"))


def at_least(job: str, what: str, ours: float, peer: float, target: float) -> Row:
    """A claim that ours is at least ``target`` times faster than a peer."""
    return _said(Row(job, what, ours, peer, peer / ours, target, "at least"))


def _said(row: Row) -> Row:
    """Say a figure as soon as it is known: peers take minutes."""
    print(f"{row.job}: {row.what}: {row.ratio:.3g} {row.claim}", file=sys.stderr, flush=True)
    return row


def told(job: str, what: str, ours: float, other: float) -> Row:
    """A figure that nothing is claimed of."""
    return _said(Row(job, what, ours, other, ours / other, math.inf, "at most"))


def measure(calls: dict[str, Callable[[], object]], runs: int = 3) -> dict[str, float]:
    """Median CPU seconds of each call, the calls taken in turn, after one uncounted turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(runs + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if turn:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def once(call: Callable[[], object]) -> float:
    """CPU seconds of one call, for peers that take minutes."""
    start = time.process_time()
    call()
    return time.process_time() - start
