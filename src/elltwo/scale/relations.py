"""DuckDB relations of numbers as fold moments: one pass over the stream of a query's result."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from elltwo.errors import InputError
from elltwo.scale.dask_tables import designs_of
from elltwo.tables.folds import BALANCED_BELOW
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.offers import DesignFolds
from elltwo.tables.reading.arrow import numbers_in

BLOCK = 16_384


def moments_of(
    X: Any, y: Any, folds: int | FoldRule = 5, *, seed: int = 0, sample_weight: Any = None
) -> DesignFolds:
    """Fold moments of a relation, read once as an Arrow stream.

    Parameters
    ----------
    X : DuckDB relation of number columns, targets and weights among them.
    y : name or names of its target columns.
    folds : number of folds, by hash of the row number in the result (balanced below 1e5 rows), or a rule.
    sample_weight : name of its weights column, or None.

    Raises
    ------
    InputError
        A target that is not a column, columns that are not numbers, missing values.
    """
    from elltwo.scale.jobs.threads import one_thread

    wanted = [y] if isinstance(y, str) else list(y) if isinstance(y, (list, tuple)) else []
    helpers = [] if sample_weight is None else [sample_weight]
    for name in (*wanted, *helpers) or (None,):
        if not isinstance(name, str) or name not in X.columns:
            raise InputError(
                f"a relation keeps everything together: give the target, and any weights, as names of its columns "
                f"({', '.join(X.columns[:12])})"
            )
    names = [*(n for n in X.columns if n not in (*wanted, *helpers)), *wanted]
    stream = _blocks(X, (*names, *helpers))
    ahead, rows = [], 0
    for block in stream:
        ahead.append(block)
        rows += len(block)
        if rows >= BALANCED_BELOW:
            break
    rule = FoldRule.choose(folds, seed, rows) if isinstance(folds, int) else folds
    gatherer, at = Gatherer(names, (), rule.k), 0
    with one_thread():
        for block in chain(ahead, stream):
            weights = block[:, -1] if helpers else None
            gatherer.add(block[:, : len(names)], (), (), rule.by_row(at, len(block)), weights)
            at += len(block)
    if not at:
        raise InputError("the relation has no rows")
    return DesignFolds(
        designs_of(gatherer.result(), len(wanted)),
        tuple(names[: len(names) - len(wanted)]),
        len(wanted),
        isinstance(y, str),
    )


def _blocks(relation: Any, names: tuple[str, ...]) -> Iterator[np.ndarray]:
    """Blocks (n, d) of the columns asked for."""
    import pyarrow as pa

    for batch in pa.RecordBatchReader.from_stream(relation):
        for start in range(0, batch.num_rows, BLOCK):
            block = numbers_in(batch.slice(start, BLOCK), names)
            if np.isnan(block).any():
                lost = names[int(np.flatnonzero(np.isnan(block).any(axis=0))[0])]
                raise InputError(
                    f"column {lost!r} has missing values: fill them in the query, or use "
                    f"elltwo.scale.commands.fit_moments, which fills them in every fold"
                )
            yield block
