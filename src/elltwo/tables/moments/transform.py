"""Preprocessing after the pass: every linear step on rows is a map T of the stored Gram, TᵀGT.

Imputation, indicators, standardization, one-hot encoding, merging and dropping of levels and columns
all turn a row u into Tᵀu. T is made from the moments of *training* rows and applied to those of
training and held-out rows alike, so nothing leaks and no row is read twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from elltwo.errors import DataError
from elltwo.facts.moments import DesignMoments, Moments
from elltwo.tables.moments.dense import split
from elltwo.tables.moments.design import DesignMap, design_map
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.recipe import Recipe, Source


def assemble(m: MixedMoments, folds: Sequence[int] | None = None) -> np.ndarray:
    """(P, P) Σ w u uᵀ over the given folds (default all), as one symmetric matrix."""
    pick = list(range(m.folds)) if folds is None else list(folds)
    starts, D = m.starts, m.dense_width
    G = np.zeros((starts[-1], starts[-1]))
    G[:D, :D] = m.dense[pick].sum(axis=0)
    for c, table in enumerate(m.sums):
        rows = slice(starts[c], starts[c + 1])
        by_level = table[pick].sum(axis=0)
        G[rows, :D], G[:D, rows] = by_level, by_level.T
        G[range(rows.start, rows.stop), range(rows.start, rows.stop)] = by_level[:, 0]
    for (a, b), table in m.cross.items():
        A, B = slice(starts[a], starts[a + 1]), slice(starts[b], starts[b + 1])
        G[A, B] = table[pick].sum(axis=0)
        G[B, A] = G[A, B].T
    return G


def mapped(
    m: MixedMoments,
    G: np.ndarray,
    rows: int,
    design: DesignMap,
    targets: Sequence[int],
    keep: np.ndarray,
    *,
    relative: bool = False,
) -> DesignMoments:
    """Moments of design columns ``keep`` and of targets (positions of number columns): TᵀGT.

    G (P, P) are the assembled moments of ``rows`` rows, training or held out. ``relative`` gives those
    of x − c and y − c: their means are small numbers and lose nothing where c is 1e8 spreads away.
    """
    t = np.asarray(targets, dtype=np.intp)
    half, second = _congruence(_Columns.beside_targets(design.T, keep, t), G)
    shift = np.zeros(len(half)) if relative else np.concatenate([design.shift[keep], m.shift[t]])
    whole = Moments(rows, float(G[0, 0]), shift, half[:, 0], (second + second.T) / 2)
    p = int(keep.sum())
    return split(whole, np.arange(p), np.arange(p, p + t.size))


@dataclass(frozen=True)
class _Columns:
    """Entries of a sparse matrix by columns; SciPy's own class checks them at every turn, which a small fold feels."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray

    @classmethod
    def beside_targets(cls, T: sparse.csc_array, keep: np.ndarray, targets: np.ndarray) -> _Columns:
        """Columns ``keep`` of T, and one that picks each target."""
        T = T if keep.all() else T[:, np.flatnonzero(keep)]
        return cls(
            np.concatenate([T.data, np.ones(targets.size)]),
            np.concatenate([T.indices, 1 + targets]),
            np.concatenate([T.indptr, T.indptr[-1] + 1 + np.arange(targets.size)]),
        )


def _congruence(T: _Columns, G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """TᵀG and TᵀGT; where every column of T has one entry, they are picked and scaled."""
    columns = T.indptr.size - 1
    if T.indices.size == columns and np.all(np.diff(T.indptr) == 1):
        half = G[T.indices] * T.data[:, None]
        return half, half[:, T.indices] * T.data
    transposed = sparse.csr_array((T.data, T.indices, T.indptr), shape=(columns, len(G)))
    half = np.asarray(transposed @ G)
    return half, np.asarray(transposed @ half.T)


@dataclass(frozen=True)
class FoldDesign:
    """One fold: moments of its training rows and of its held-out rows, preprocessed by training alone."""

    train: DesignMoments
    held: DesignMoments
    design: DesignMap


def fold_design(
    m: MixedMoments,
    k: int,
    recipe: Recipe,
    sources: Sequence[Source],
    targets: Sequence[int],
    *,
    relative: bool = False,
    without: int | None = None,
    fixed: DesignMap | None = None,
) -> FoldDesign:
    """Preprocess with what the other folds say, and apply it to both sides; ``relative`` as in `mapped`.

    Fold ``without`` takes no part: it is the outer fold of a nested cross-validation. ``fixed`` is a map that does not
    depend on rows.
    """
    others = [j for j in range(m.folds) if j not in (k, without)]
    train, held = assemble(m, others), assemble(m, [k])
    design = fixed or design_map(m, train, recipe, sources)
    keep = design.live
    return FoldDesign(
        mapped(m, train, int(m.rows[others].sum()), design, targets, keep, relative=relative),
        mapped(m, held, int(m.rows[k]), design, targets, keep, relative=relative),
        design,
    )


def target_positions(m: MixedMoments, targets: Sequence[str]) -> list[int]:
    """Positions of the target columns among the numbers.

    Raises
    ------
    DataError
        A target that is not a number column, or has missing values that were not left out in the pass.
    """
    positions = []
    for name in targets:
        if name in m.categories:
            raise DataError(f"target {name!r} is a category; moments need a number as the target")
        if name not in m.numeric:
            raise DataError(f"there is no column {name!r}: these moments hold {', '.join(m.numeric[:20])}")
        j = m.numeric.index(name)
        flag = 1 + len(m.numeric) + m.flagged.index(j) if j in m.flagged else 0
        missing = float(m.dense[:, 0, flag].sum()) if flag else 0.0
        if missing > 0:
            raise DataError(
                f"target {name!r} is missing in rows that weigh {missing:g}: moments keep no rows to leave "
                f"out, so name the target before the pass (elltwo stats --target {name})"
            )
        positions.append(j)
    return positions
