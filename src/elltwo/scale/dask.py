"""Dask: the same leaves, the same tree, on other machines. Only moments travel.

This is the one file that imports dask, and it does so when a function is called.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.errors import DataError, InputError, MissingExtra, missing_extra
from elltwo.facts.moments import DesignMoments, Moments
from elltwo.scale.exact import leaf_triangles
from elltwo.scale.job import Job, Leaf, only_leaf
from elltwo.scale.passing import Progress, Watch, as_set, leaf_moments
from elltwo.tables.moments.dense import split
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.forest import Node, add_node, merge_in_order
from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.offers import DesignFolds
from elltwo.tables.moments.sets import MomentSet
from elltwo.tables.moments.triangles import Triangles, merge_triangles

if TYPE_CHECKING:
    from distributed import Client


CONNECT_SECONDS = 15


def _need() -> MissingExtra:
    return missing_extra("dask", "dask", "a run on several processes or machines")


@contextmanager
def cluster(address: str | None = None, workers: int = 2, client: Client | None = None) -> Iterator[Client]:
    """A Dask client: the one given, one of a running cluster, or one of ``workers`` local processes.

    Local processes listen on 127.0.0.1 only and show no dashboard.

    Raises
    ------
    MissingExtra
        Dask is not installed.
    DataError
        Nobody answers at ``address``.
    """
    if client is not None:
        yield client
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise _need() from None
    if address is not None:
        try:
            remote = Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise DataError(f"no Dask scheduler answers at {address} ({type(error).__name__})") from None
        with remote:
            yield remote
        return
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,  # a worker that is closed says so with a traceback; errors travel home
        ) as local,
        Client(local) as here,
    ):
        yield here


def run_on_dask(
    job: Job,
    leaves: Iterable[Leaf] | None = None,
    *,
    address: str | None = None,
    workers: int = 2,
    client: Client | None = None,
    watch: Watch | None = None,
) -> MomentSet:
    """Do a job, or some leaves of it, on a cluster: the bits of `passing.run_job`, whoever does what.

    A worker that dies has its leaves done again by others. Sums are made on the cluster, four by four.

    Raises
    ------
    DataError
        As in `passing.leaf_moments`: a damaged leaf's file and row group are named.
    """
    wanted = job.leaves if leaves is None else tuple(leaves)
    with cluster(address, workers, client) as on:
        forest: dict[Node, Any] = {}
        done = {}
        for leaf in wanted:
            future = on.submit(_leaf, only_leaf(job, leaf), leaf, pure=False)
            done[future] = leaf
            add_node(
                forest,
                (0, leaf.index),
                future,
                job.card.leaves,
                lambda parts: on.submit(merge_in_order, parts),
            )
        _wait(done, watch)
        return as_set(job, on.gather(forest))


def triangles_on_dask(
    job: Job,
    m: MixedMoments,
    *,
    address: str | None = None,
    workers: int = 2,
    client: Client | None = None,
) -> Triangles:
    """The second pass of ``--solver qr`` on a cluster: the bits of `exact.run_triangles`."""
    with cluster(address, workers, client) as on:
        forest: dict[Node, Any] = {}
        done = {}
        layout = on.scatter(m, broadcast=True)
        for leaf in job.leaves:
            future = on.submit(leaf_triangles, only_leaf(job, leaf), leaf, layout, pure=False)
            done[future] = leaf
            add_node(
                forest,
                (0, leaf.index),
                future,
                job.card.leaves,
                lambda parts: on.submit(merge_triangles, parts),
            )
        _wait(done, None)
        [whole] = on.gather(forest).values()
        return whole


def _leaf(job: Job, leaf: Leaf) -> MixedMoments:
    return leaf_moments(job, leaf)


def _wait(done: dict[Any, Leaf], watch: Watch | None) -> None:
    """Follow the leaves as they end; the first one that fails stops the job with its own error."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    start, rows = time.monotonic(), 0
    counts = [part.rows for leaf in done.values() for part in leaf.parts]
    total = None if None in counts else sum(c or 0 for c in counts)
    for future in as_completed(list(done)):
        leaf, error = done.pop(future), future.exception()  # popped, so that its moments may be freed
        if isinstance(error, KilledWorker):
            raise DataError(
                f"{leaf.name} was lost with every worker that tried it: give workers more memory"
            ) from None
        if error is not None:
            raise error
        rows += sum(part.rows or 0 for part in leaf.parts)
        if watch is not None:
            watch(Progress(rows, total, time.monotonic() - start))


def is_dask(value: object) -> bool:
    """Is this a Dask array or data frame? Asked without importing dask."""
    return type(value).__module__.split(".")[0] in ("dask", "dask_expr") and hasattr(value, "dask")


def moments_of(
    X: Any,
    y: Any,
    folds: int | FoldRule = 5,
    *,
    seed: int = 0,
    sample_weight: Any = None,
    client: Client | None = None,
) -> DesignFolds:
    """Fold moments of a Dask array or data frame of numbers, computed where the rows are.

    Parameters
    ----------
    X : dask array (n, p) or dask data frame of p number columns.
    y : dask array (n,) or (n, t), dask series, or the name (or names) of columns of X.
    folds : number of folds, by hash of the row number (balanced below 1e5 rows), or a rule; 1 for none.
    sample_weight : dask array or series (n,), or None.
    client : where to compute; by default wherever dask computes.

    Raises
    ------
    InputError
        Columns that are not numbers, missing values, lengths that differ.
    """
    try:
        import dask
    except ImportError:
        raise _need() from None
    table = _Columns.of(X, y, sample_weight)
    lengths = dask.compute(*[dask.delayed(len)(part) for part in table.parts])
    rows = int(sum(lengths))
    rule = FoldRule.choose(folds, seed, rows) if isinstance(folds, int) else folds
    tasks = {}
    starts = np.concatenate([[0], np.cumsum(lengths)])
    forest: dict[Node, Any] = {}
    task, merge = dask.delayed(_part_moments), dask.delayed(merge_in_order)
    for i, part in enumerate(table.parts):
        tasks[i] = task(part, table.ys[i], table.weights[i], int(starts[i]), rule, table.names, table.t)
        add_node(forest, (0, i), tasks[i], len(table.parts), merge)
    [delayed] = forest.values()
    m = client.compute(delayed).result() if client is not None else delayed.compute()
    return DesignFolds(_designs(m, table.t), table.shown, table.t, table.single)


def _designs(m: MixedMoments, t: int) -> list[DesignMoments]:
    """Dense fold moments as design and targets."""
    p = len(m.numeric) - t
    columns, targets = np.arange(p), np.arange(p, p + t)
    return [
        split(Moments(int(m.rows[k]), float(G[0, 0]), m.shift, G[0, 1:], G[1:, 1:]), columns, targets)
        for k, G in enumerate(m.dense)
    ]


@dataclass(frozen=True)
class _Columns:
    """X, y and weights of a Dask table as delayed pieces that belong together."""

    parts: list[Any]
    ys: list[Any]
    weights: list[Any]
    names: tuple[str, ...]
    shown: tuple[str, ...] | None
    t: int
    single: bool

    @classmethod
    def of(cls, X: Any, y: Any, sample_weight: Any) -> _Columns:
        shown = tuple(map(str, X.columns)) if hasattr(X, "columns") else None
        if isinstance(y, (str, list, tuple)):
            wanted = [y] if isinstance(y, str) else list(y)
            lost = [name for name in wanted if shown is None or name not in shown]
            if lost:
                raise InputError(
                    f"the target {lost[0]!r} is not a column of X: give y itself or the name of a column"
                )
            y, X = X[y if isinstance(y, str) else wanted], X[[c for c in X.columns if c not in wanted]]
            shown = tuple(map(str, X.columns))
        p, t = X.shape[1], y.shape[1] if y.ndim == 2 else 1
        parts = _pieces(X)
        ys = _pieces(y)
        weights = [None] * len(parts) if sample_weight is None else _pieces(sample_weight)
        if len({len(parts), len(ys), len(weights)}) > 1:
            raise InputError(
                f"X has {len(parts)} partitions, y {len(ys)} and sample_weight {len(weights)}: rechunk them alike"
            )
        names = (*(shown or [f"x{j}" for j in range(p)]), *(f"target {j}" for j in range(t)))
        return cls(parts, ys, weights, names, shown, t, y.ndim == 1)


def _pieces(value: Any) -> list[Any]:
    """Row blocks as delayed objects."""
    if not is_dask(value):
        raise InputError(f"X, y and sample_weight must be Dask objects alike, got {type(value).__name__}")
    if hasattr(value, "rechunk") and value.ndim == 2:
        value = value.rechunk({1: value.shape[1]})
    return list(np.ravel(np.asarray(value.to_delayed(), dtype=object)))


def _part_moments(
    X: Any, y: Any, weights: Any, first_row: int, rule: FoldRule, names: Sequence[str], t: int
) -> MixedMoments:
    """Moments of one partition."""
    from threadpoolctl import threadpool_limits

    y = np.asarray(y)
    if len(X) != len(y) or (weights is not None and len(weights) != len(y)):
        raise InputError(f"a partition has {len(X)} rows of X, {len(y)} of y: they must be cut alike")
    try:
        numbers = np.column_stack([np.asarray(X, dtype=float), y.astype(float).reshape(len(y), t)])
    except (TypeError, ValueError) as error:
        raise InputError(f"every column must hold numbers ({error}): encode text first") from None
    if np.isnan(numbers).any():
        j = int(np.flatnonzero(np.isnan(numbers).any(axis=0))[0])
        raise InputError(f"column {names[j]!r} has missing values: fill them first, or fit from files")
    g = Gatherer(names, (), rule.k)
    w = None if weights is None else np.asarray(weights, dtype=float)
    with threadpool_limits(1):
        for start in range(0, len(numbers), 16_384):
            rows = slice(start, min(start + 16_384, len(numbers)))
            folds = rule.by_row(first_row + start, rows.stop - start)
            g.add(numbers[rows], (), (), folds, None if w is None else w[rows])
    return g.result()
