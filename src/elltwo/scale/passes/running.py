"""From a source to its moments: plan, announce, pass, wherever the leaves are done."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from elltwo.errors import BadValue, UsageError, unknown_option
from elltwo.facts.plan import TablePlan
from elltwo.scale.jobs.job import Job, plan_job, shard
from elltwo.scale.jobs.leaves import Leaf
from elltwo.scale.passes.again import Made, Merge, What, Work, pass_again
from elltwo.scale.passes.looking import Look, Looked, leaf_looked, merge_looked
from elltwo.scale.passes.passing import SAVE_SECONDS, Watch, run_job
from elltwo.scale.passes.triangulating import leaf_triangles
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.sets import MomentSet
from elltwo.tables.moments.triangles import Triangles, merge_triangles
from elltwo.tables.numbering import bytes_to_count
from elltwo.tables.plan import retype
from elltwo.tables.reading.counting import LARGE
from elltwo.tables.reading.readers import Source, open_source

Say = Callable[[str], None]
ON_ERROR = ("stop", "retype")


@dataclass(frozen=True)
class Engine:
    """Where leaves are done, and who is told.

    Attributes
    ----------
    threads : leaves at a time on this machine; None for one per core. dask : a scheduler's address.
    workers : local Dask processes.
    say : is told the plan's notes and the memory arithmetic before the pass. watch : is told the progress.
    checkpoint : a moments file that keeps what is done (on this machine), written every ``save_seconds``.
    """

    threads: int | None = None
    dask: str | None = None
    workers: int = 0
    say: Say | None = None
    watch: Watch | None = None
    checkpoint: str | os.PathLike[str] | None = None
    save_seconds: float = SAVE_SECONDS

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"--threads {self.threads}: at least one part is read at a time; give 1 or more")
        if self.workers < 0:
            raise UsageError(f"--workers {self.workers}: give a number of processes, or leave it out")

    @property
    def far(self) -> bool:
        """Is Dask to do the work?"""
        return self.dask is not None or self.workers > 0

    def moments(self, job: Job, leaves: Sequence[Leaf]) -> MomentSet:
        """The first pass."""
        if self.far:
            from elltwo.scale.passes.dask import run_on_dask

            return run_on_dask(job, leaves, address=self.dask, workers=self.workers or 2, watch=self.watch)
        return run_job(
            job, leaves, threads=job.arithmetic.threads, checkpoint=self.checkpoint, save_seconds=self.save_seconds,
            watch=self.watch,
        )  # fmt: skip

    def triangles(self, job: Job, m: MixedMoments) -> Triangles:
        """The second pass, of ``--solver qr``."""
        if self.say is not None:
            self.say("--solver qr: a second pass streams triangles, at several times the cost of the first")
        return self._again(job, leaf_triangles, m, merge_triangles)

    def looked(self, job: Job, looks: tuple[Look, ...]) -> tuple[Looked, ...]:
        """The second pass, of what needs rows."""
        return self._again(job, leaf_looked, looks, merge_looked)

    def _again(self, job: Job, work: Work[What, Made], what: What, merge: Merge[Made]) -> Made:
        if self.far:
            from elltwo.scale.passes.dask import again_on_dask

            workers, watch = self.workers or 2, self.watch
            return again_on_dask(job, work, what, merge, address=self.dask, workers=workers, watch=watch)
        return pass_again(job, work, what, merge, job.arithmetic.threads, self.watch)

    def announce_count(self, source: Source, contiguous: bool) -> None:
        """Say that text is counted first, where that takes longer than a moment."""
        size = bytes_to_count(source, contiguous)
        if self.say is not None and size >= LARGE:
            self.say(
                f"counting the rows of {size / 1e9:.1f} GB of text first: folds depend on the number of a row"
            )

    def announce(self, job: Job) -> None:
        """Say what the pass will do and take, before it starts."""
        if self.say is None:
            return
        counts = [part.expected for leaf in job.leaves for part in leaf.parts]
        about = "about " * (job.card.rows is None)
        rows = "" if None in counts else f"{about}{sum(c or 0 for c in counts):,} rows in "
        parts = f"{len(job.leaves)} part{'s' * (len(job.leaves) != 1)}"
        self.say(f"{rows}{parts} of {job.source.name}; {job.rule.sentence}")
        for note in job.plan.notes:
            self.say(note)
        self.say(job.arithmetic.sentence)


@dataclass(frozen=True)
class Ran:
    """A pass that was made, and the job that it did."""

    job: Job
    moments: MomentSet


def run_source(
    source: object,
    target: str | Sequence[str] | None,
    engine: Engine,
    *,
    on_error: str = "stop",
    shard_of: str | None = None,
    **options: Any,
) -> Ran:
    """Plan a source and pass over it; with ``on_error="retype"`` as often as a column turns out to be text.

    Raises
    ------
    BadValue
        A value that breaks the plan.
    DataError, UsageError
        As in `job.plan_job` and `passing.leaf_moments`.
    """
    if on_error not in ON_ERROR:
        raise unknown_option("--on-error", on_error, ON_ERROR)
    plan: TablePlan | None = options.pop("plan", None)
    opened = open_source(source, options.get("encoding") or "utf-8")
    engine.announce_count(opened, options.get("contiguous", False))
    while True:
        job = plan_job(opened, target, threads=1 if engine.far else engine.threads, plan=plan, **options)
        engine.announce(job)
        leaves = job.leaves if shard_of is None else shard(job, *parse_shard(shard_of))
        try:
            return Ran(job, engine.moments(job, leaves))
        except BadValue as error:
            if on_error == "stop":
                raise
            plan = retype(job.plan, error)
            if engine.checkpoint is not None:  # it holds the moments of the plan that was wrong
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(engine.checkpoint)


def parse_shard(text: str) -> tuple[int, int]:
    """(3, 16) from "3/16".

    Raises
    ------
    UsageError
        Anything else.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
    if not found:
        raise UsageError(f"--shard {text}: write it as 3/16, for the third of sixteen shares")
    return int(found[1]), int(found[2])
