"""The second pass of ``--solver qr``: triangles of rows, for strengths too small for a Gram matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from elltwo.scale.jobs.job import Job, refuse_changed
from elltwo.scale.jobs.leaves import Leaf
from elltwo.scale.jobs.threads import one_thread
from elltwo.scale.passes.passing import beside, fold_numbers
from elltwo.tables.columns.batches import Batcher
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.triangles import Triangles, stored_rows
from elltwo.tables.read import iter_batches


def leaf_triangles(
    job: Job, leaf: Leaf, m: MixedMoments, seen: Callable[[int], None] | None = None
) -> Triangles:
    """Triangles of one leaf, in the layout of the first pass's moments."""
    refuse_changed(job, leaf)
    batcher = Batcher(job.plan)
    rows = job.arithmetic.block_rows
    out = Triangles.empty(job.rule.k, m.starts[-1])
    with one_thread():
        for batch in iter_batches(job.source, job.plan, rows, only=leaf.parts, batcher=batcher):
            keep = ~np.isnan(batch.targets).any(axis=1)
            u = stored_rows(
                m,
                np.hstack([batch.numbers, beside(batch, job)])[keep],
                [batch.codes[keep, c] for c in range(batch.codes.shape[1])],
                [book.levels for book in batch.books],
                None if batch.weights is None else batch.weights[keep],
            )
            out = out.with_rows(u, fold_numbers(batch, job)[keep])
            if seen is not None:
                seen(batch.rows)
    return out
