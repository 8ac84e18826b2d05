"""Dask arrays and data frames of numbers as fold moments, made where their rows are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.errors import InputError
from elltwo.facts.moments import DesignMoments, Moments
from elltwo.scale.passes.dask import need_dask
from elltwo.tables.moments.dense import split
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.forest import Node, add_node, merge_in_order
from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.offers import DesignFolds

if TYPE_CHECKING:
    from distributed import Client


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
        raise need_dask() from None
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
    return DesignFolds(designs_of(m, table.t), table.shown, table.t, table.single)


def designs_of(m: MixedMoments, t: int) -> list[DesignMoments]:
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
    from elltwo.scale.jobs.threads import one_thread

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
    with one_thread():
        for start in range(0, len(numbers), 16_384):
            rows = slice(start, min(start + 16_384, len(numbers)))
            folds = rule.by_row(first_row + start, rows.stop - start)
            g.add(numbers[rows], (), (), folds, None if w is None else w[rows])
    return g.result()
