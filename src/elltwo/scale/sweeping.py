"""Passes after the first, announced: what for, over how many rows, and about how long."""

from __future__ import annotations

from elltwo.scale.job import Job
from elltwo.scale.looking import Look, Looked
from elltwo.scale.running import Engine

FLOPS = 4e9  # per second and core, of products this thin
BASIS = 16  # numbers that stand for any number of strengths, as a rule
ORDINALS = ("second", "third", "fourth", "fifth")


class Sweeper:
    """Reads the rows of a job again, as often as it is called, and says so first.

    ``seconds`` is what the first pass took.
    """

    def __init__(self, job: Job, engine: Engine, seconds: float) -> None:
        self.job, self.engine, self.seconds, self.done = job, engine, seconds, 0

    def __call__(self, look: Look) -> Looked:
        """One more pass."""
        if self.engine.say is not None:
            self.engine.say(self.sentence(look))
        self.done += 1
        return self.engine.looked(self.job, look)

    def sentence(self, look: Look) -> str:
        """The announcement."""
        number = ORDINALS[min(self.done, len(ORDINALS) - 1)]
        what = "leave-one-out" if look.alphas.size else "leverages and residuals"
        rows = look.map.rotated.spectrum.shape[0]
        return f"a {number} pass over {rows:,} rows for {what}: about {max(self.expected(look), 1):,.0f} s"

    def expected(self, look: Look) -> float:
        """Seconds: reading costs what it did, and the products of rows with eigenvectors come on top."""
        dense, directions = look.map.dense.shape
        per_row = 2 * directions * (dense + 2 * BASIS + 4) + 4 * BASIS * look.alphas.size - dense**2
        cores = max(self.engine.workers, self.engine.threads)
        return self.seconds + max(per_row, 0) * look.map.rotated.spectrum.shape[0] / FLOPS / cores
