"""Passes after the first, announced: what for, over how many rows, and about how long."""

from __future__ import annotations

from elltwo.scale.jobs.job import Job
from elltwo.scale.passes.looking import Look, Looked
from elltwo.scale.passes.running import Engine

FLOPS = 4e9  # per second and core, of products this thin
BASIS = 16  # numbers that stand for any number of strengths, as a rule
ORDINALS = ("second", "third", "fourth", "fifth")


class Sweeper:
    """Reads the rows of a job again, as often as it is called, and says so first.

    ``seconds`` is what the first pass took.
    """

    def __init__(self, job: Job, engine: Engine, seconds: float) -> None:
        self.job, self.engine, self.seconds, self.done = job, engine, seconds, 0

    def __call__(self, looks: tuple[Look, ...]) -> tuple[Looked, ...]:
        """One more pass."""
        if self.engine.say is not None:
            self.engine.say(self.sentence(looks))
        self.done += 1
        return self.engine.looked(self.job, looks)

    def sentence(self, looks: tuple[Look, ...]) -> str:
        """The announcement."""
        number = ORDINALS[min(self.done, len(ORDINALS) - 1)]
        what = "leave-one-out" if looks[0].alphas.size else "leverages and residuals"
        rows = max(look.map.rotated.spectrum.shape[0] for look in looks)
        return f"a {number} pass over {rows:,} rows for {what}: about {max(self.expected(looks), 1):,.0f} s"

    def expected(self, looks: tuple[Look, ...]) -> float:
        """Seconds: reading costs what it did, and the products of rows with eigenvectors come on top."""
        flops = 0.0
        for look in looks:
            dense, directions = look.map.dense.shape
            per_row = 2 * directions * (dense + 2 * BASIS + 4) + 4 * BASIS * look.alphas.size - dense**2
            flops += max(per_row, 0) * look.map.rotated.spectrum.shape[0]
        return self.seconds + flops / FLOPS / max(self.engine.workers, self.job.arithmetic.threads)
