"""The pass on one machine: leaf after leaf, on one core or several, with checkpoints and a resume."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from elltwo.errors import DataError
from elltwo.scale.jobs.job import Job, refuse_changed
from elltwo.scale.jobs.leaves import Leaf, runs
from elltwo.scale.jobs.threads import one_thread
from elltwo.tables.columns.batches import Batch, Batcher
from elltwo.tables.columns.derived import derived_values
from elltwo.tables.moments.file import read_moments, write_moments
from elltwo.tables.moments.forest import Node, add_node, covered
from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.planned import stored_categories, stored_numbers
from elltwo.tables.moments.sets import MomentSet
from elltwo.tables.read import iter_batches
from elltwo.tables.reading.parquet import kept_open
from elltwo.tables.source import bad_value

SAVE_SECONDS = 30.0
T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """Rows read so far, rows in all if known, seconds since the start."""

    rows: int
    total: int | None
    seconds: float

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds left, if the number of rows is known."""
        return (self.total - self.rows) / self.rate if self.total is not None and self.rate > 0 else None


Watch = Callable[[Progress], None]


def leaf_moments(job: Job, leaf: Leaf, seen: Callable[[int], None] | None = None) -> MixedMoments:
    """Moments of one leaf: the function that every engine calls.

    ``seen`` is told the number of rows of each block.

    Raises
    ------
    DataError
        A damaged, changed or contradictory file, or a value that breaks the plan: file and place are named.
    """
    refuse_changed(job, leaf)
    plan = job.plan
    gatherer = Gatherer(
        stored_numbers(plan, job.derived), stored_categories(plan), job.rule.k, plan.max_levels
    )
    batcher = Batcher(plan, finite=False)  # an infinity shows in the sums
    left_out, rows = 0, job.arithmetic.block_rows
    with one_thread():
        for batch in iter_batches(job.source, plan, rows, only=leaf.parts, batcher=batcher):
            try:
                left_out += _gather(gatherer, batch, job, batcher)
            except DataError:
                batcher.refuse_infinite(batch)  # says where it stands, if that was it
                _refuse_overflow(batch, job)
                raise
            if seen is not None:
                seen(batch.rows)
    return gatherer.result(left_out)


def _gather(gatherer: Gatherer, batch: Batch, job: Job, batcher: Batcher) -> int:
    """Add a batch's rows that have every target; how many have not."""
    folds, weights = fold_numbers(batch, job), batch.weights
    columns = [*batch.columns, *beside(batch, job).T]
    codes = list(batch.codes.T)
    absent = np.isnan(batch.targets.T).any(axis=0)
    if absent.any():
        batcher.refuse_infinite(batch)  # in rows that are left out as in others
        keep = np.flatnonzero(~absent)
        columns, codes, folds = [c[keep] for c in columns], [c[keep] for c in codes], folds[keep]
        weights = None if weights is None else weights[keep]
    gatherer.add(columns, codes, [book.levels for book in batch.books], folds, weights)
    return int(absent.sum())


def _refuse_overflow(batch: Batch, job: Job) -> None:
    """BadValue for the largest value of a column whose power or product is infinite."""
    names = job.plan.number_names
    for d in job.derived:
        values = {name: batch.columns[names.index(name)] for name in d.columns}
        if not np.isinf(derived_values(d, values.__getitem__)).any():
            continue
        name = max(values, key=lambda name: np.nanmax(np.abs(values[name])))
        row = int(np.nanargmax(np.abs(values[name])))
        why = f"{d.names[0]!r}, centred at {d.centre[0]:.3g}, overflows"
        remedy = "divide the column by a power of ten, or leave the feature out"
        raise bad_value(batch.origin, batch.first_row + row, name, float(values[name][row]), why, remedy)


def beside(batch: Batch, job: Job) -> np.ndarray:
    """(n, ·) columns that stand beside the plan's numbers: derived ones, then targets."""
    if not job.derived:
        return batch.targets
    names = job.plan.number_names
    made = [derived_values(d, lambda name: batch.numbers[:, names.index(name)]) for d in job.derived]
    return np.concatenate([*made, batch.targets.T]).T


def fold_numbers(batch: Batch, job: Job) -> np.ndarray:
    """(n,) folds of a batch's rows."""
    if job.rule.kind == "column":
        assert batch.fold is not None
        return job.rule.by_label(batch.fold, batch.fold_book.levels)
    if job.rule.kind == "group":
        assert batch.group is not None
        return job.rule.by_group(batch.group)
    return job.rule.by_row(batch.first_row, batch.rows)


def run_job(
    job: Job,
    leaves: Iterable[Leaf] | None = None,
    *,
    threads: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    save_seconds: float = SAVE_SECONDS,
    watch: Watch | None = None,
) -> MomentSet:
    """Do a job, or some leaves of it, on this machine.

    Parameters
    ----------
    job, leaves : what to do; all leaves by default.
    threads : leaves done at a time; the result has the same bits for any number.
    checkpoint : a moments file that holds what is done. If it exists and is of this job, only the
        rest is done, and the result has the same bits as without the interruption.
    save_seconds : write the checkpoint at most so often.
    watch : is told the progress after every block.

    Raises
    ------
    DataError
        See `leaf_moments`; or the checkpoint belongs to another job.
    """
    forest = _resumed(job, checkpoint)
    wanted = job.leaves if leaves is None else tuple(leaves)
    done = covered(forest, job.card.leaves)
    todo = [leaf for leaf in wanted if leaf.index not in done]
    seen = Counter(todo, watch)
    saved = time.monotonic()
    with one_thread():  # around all threads, so that none lifts the limit while another works
        for leaf, moments in in_order(lambda leaf: leaf_moments(job, leaf, seen), todo, threads):
            add_node(forest, (0, leaf.index), moments, job.card.leaves)
            if checkpoint is not None and time.monotonic() - saved >= save_seconds:
                write_moments(checkpoint, as_set(job, forest))
                saved = time.monotonic()
    if checkpoint is not None and todo:
        write_moments(checkpoint, as_set(job, forest))
    return as_set(job, forest)


def as_set(job: Job, forest: dict[Node, MixedMoments]) -> MomentSet:
    """A job's forest with its papers."""
    return MomentSet(job.plan, job.rule, (job.card,), {job.card.id: forest}, job.derived)


def _resumed(job: Job, checkpoint: str | os.PathLike[str] | None) -> dict[Node, MixedMoments]:
    if checkpoint is None or not os.path.exists(checkpoint):
        return {}
    found = read_moments(checkpoint)
    if set(found.nodes) != {job.card.id}:
        raise DataError(
            f"{os.fspath(checkpoint)} holds the moments of another job (other files, columns or folds): "
            f"remove it, or choose another name"
        )
    return dict(found.nodes[job.card.id])


def in_turn(
    job: Job, leaves: Iterable[Leaf], work: Callable[..., T], merge: Callable[[list[T]], T], *more: object
) -> dict[Node, T]:
    """What ``work(job, leaf, *more)`` makes of some leaves, and the families among them summed: a worker's share."""
    nodes: dict[Node, T] = {}
    with kept_open():
        for leaf in leaves:
            add_node(nodes, (0, leaf.index), work(job, leaf, *more), job.card.leaves, merge)
    return nodes


class Counter:
    """Rows seen so far, told to whoever watches."""

    def __init__(self, leaves: Iterable[Leaf], watch: Watch | None) -> None:
        rows = [part.expected for leaf in leaves for part in leaf.parts]
        self.total = None if None in rows else sum(r or 0 for r in rows)
        self.rows, self.start, self.watch = 0, time.monotonic(), watch

    def __call__(self, rows: int) -> None:
        self.rows += rows
        if self.watch is not None:
            self.watch(Progress(self.rows, self.total, time.monotonic() - self.start))


def in_order(work: Callable[[Leaf], T], leaves: list[Leaf], threads: int) -> Iterator[tuple[Leaf, T]]:
    """Leaves with what was made of each, in order; with threads a few are done ahead."""
    if threads <= 1 or len(leaves) == 1:
        with kept_open():
            for leaf in leaves:
                yield leaf, work(leaf)
        return

    def together(run: tuple[Leaf, ...]) -> list[T]:
        with kept_open():
            return [work(leaf) for leaf in run]

    with ThreadPoolExecutor(threads) as pool:
        ahead: deque = deque()
        try:
            for run in runs(leaves, threads):
                ahead.append((run, pool.submit(together, run)))
                if len(ahead) > threads:
                    first, future = ahead.popleft()
                    yield from zip(first, future.result(), strict=True)
            while ahead:
                first, future = ahead.popleft()
                yield from zip(first, future.result(), strict=True)
        finally:
            for _, future in ahead:
                future.cancel()
