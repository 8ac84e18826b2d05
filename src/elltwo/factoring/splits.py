"""Any cross-validation splits: overlapping, time-ordered, leaving rows out, or scoring rows unweighted.

Rows that share a pattern of membership are summed once, and each split's training moments are sums of
those blocks (a time series split of any length: one pass in all). Where patterns are nearly as many as
rows (random splits), each split sums its own training rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from elltwo.errors import InputError
from elltwo.factoring.choose import factor
from elltwo.factoring.folds import _held_rows, _wide, check_folds, factor_folds, fold_of, rotated_problem
from elltwo.factoring.rotate import without_prior
from elltwo.facts.moments import DesignMoments
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Fold, Rotated
from elltwo.tables.moments.dense import add_designs, choose_shift, design_moments

FEW_ROWS = 1 << 20  # n·p up to which held-out rows are kept as rows: more digits for no time


@dataclass(frozen=True)
class Split:
    """Row numbers trained on and held out; a row may appear in neither, and twice in ``train``."""

    train: np.ndarray
    held: np.ndarray


def is_partition(splits: list[Split], n: int) -> bool:
    """Is every row held out exactly once, and trained on whenever it is not held out?"""
    if np.any(np.bincount(np.concatenate([s.held for s in splits]), minlength=n) != 1):
        return False
    return all(_complements(split, n) for split in splits)


def _complements(split: Split, n: int) -> bool:
    trained = np.zeros(n, dtype=bool)
    trained[split.train] = True
    return split.train.size + split.held.size == n == np.count_nonzero(
        trained
    ) + split.held.size and not np.any(trained[split.held])


def fold_numbers(splits: list[Split], n: int) -> np.ndarray:
    """(n,) which split holds each row out, of splits that are a partition."""
    out = np.empty(n, dtype=np.intp)
    for k, split in enumerate(splits):
        out[split.held] = k
    return out


def factor_splits(
    problem: Problem,
    splits: list[Split],
    rotated: Rotated | None = None,
    weigh_held: bool = True,
    keep_rows: bool = False,
) -> list[Fold]:
    """Every split's training spectrum and what its held-out rows need to be scored at any λ.

    Parameters
    ----------
    problem : the whole problem; weights of zero are allowed.
    splits : row numbers.
    rotated : the whole problem's Rotated, which lets wide designs work in its n coordinates.
    weigh_held : weigh held-out errors too (False: only training is weighted).
    keep_rows : held-out rows are kept as rows in every Fold, for scores that need predictions.

    Raises
    ------
    InputError : a split without training or held-out rows.
    """
    for k, split in enumerate(splits):
        if not split.train.size or not split.held.size:
            raise InputError(f"split {k} has {split.train.size} training and {split.held.size} held-out rows")
    problem = without_prior(problem)
    problem = replace(problem, penalty=replace(problem.penalty, x0=None))
    if _refactored(problem):
        return [_factored_split(problem, split, weigh_held) for split in splits]
    wide = problem.A.shape[0] < problem.A.shape[1]
    if wide and (problem.penalty.standardize or rotated is None or rotated.spectrum.rows is None):
        return [_wide_split(problem, split, weigh_held) for split in splits]
    if wide and rotated is not None:
        problem = rotated_problem(problem, rotated)
    trains = _train_moments(problem, splits)
    scored = problem if weigh_held else replace(problem, weights=None)
    if keep_rows or np.prod(problem.A.shape, dtype=float) <= FEW_ROWS:
        pairs = zip(splits, trains, strict=True)
        return [_with_rows(problem, scored, split, train) for split, train in pairs]
    return [
        fold_of(train, _moments(scored, split.held, train.shift_x), problem.penalty, problem.intercept)
        for split, train in zip(splits, trains, strict=True)
    ]


def factor_numbered(problem: Problem, folds: np.ndarray, rotated: Rotated) -> list[Fold]:
    """Training folds of one fold number per row, by moments or kernels where the penalty allows it."""
    if not _refactored(problem):
        return factor_folds(problem, folds, rotated)
    numbers = check_folds(folds, problem.A.shape[0])
    splits = [
        Split(np.flatnonzero(numbers != k), np.flatnonzero(numbers == k)) for k in range(numbers.max() + 1)
    ]
    return factor_splits(problem, splits, rotated)


def _refactored(problem: Problem) -> bool:
    """Must each split be factored by itself: wide, standardized inside, and more than a positive diagonal?"""
    penalty = problem.penalty
    simple = penalty.operator is None and (penalty.scale is None or bool((penalty.scale > 0).all()))
    return problem.A.shape[0] < problem.A.shape[1] and penalty.standardize and not simple


def _factored_split(problem: Problem, split: Split, weigh_held: bool) -> Fold:
    """A split from its own training rows, whatever the penalty."""
    w = problem.weights
    weights = None if w is None else w[split.train]
    r = factor(replace(problem, A=problem.A[split.train], b=problem.b[split.train], weights=weights))
    s = r.spectrum
    held = problem.A[split.held]
    rows = (held.toarray() if sparse.issparse(held) else held) - s.free.mean
    V, offset = s.map.toarray(), s.free.T @ r.free
    root = np.ones(rows.shape[0]) if w is None or not weigh_held else np.sqrt(w[split.held])
    return Fold(
        s=s.s,
        V=V,
        z=r.z,
        offset=offset,
        weight=float(np.sum(root**2)),
        count=rows.shape[0],
        design=root[:, None] * (rows @ V),
        y=root[:, None] * (problem.b[split.held] - r.mean - rows @ offset),
    )


def _with_rows(problem: Problem, scored: Problem, split: Split, train: DesignMoments) -> Fold:
    return _held_rows(replace(scored, penalty=problem.penalty), split.held, train)


def _train_moments(problem: Problem, splits: list[Split]) -> list[DesignMoments]:
    """Training moments of every split, from blocks of rows that always go together where that saves work."""
    n = problem.A.shape[0]
    counts = np.zeros((len(splits), n), dtype=np.int64)
    for k, split in enumerate(splits):
        np.add.at(counts[k], split.train, 1)
    patterns, block = np.unique(counts, axis=1, return_inverse=True)
    shift = choose_shift(problem.A)
    if patterns.shape[1] > 4 * len(splits) or counts.max() > 1:
        return [_moments(problem, split.train, shift) for split in splits]
    parts = design_moments(problem.A, problem.b, problem.weights, block.ravel(), shift)
    return [
        add_designs([part for part, one in zip(parts, pattern, strict=True) if one]) for pattern in patterns
    ]


def _moments(problem: Problem, rows: np.ndarray, shift: np.ndarray | None) -> DesignMoments:
    w = None if problem.weights is None else problem.weights[rows]
    if shift is not None and not np.any(shift):
        shift = None
    [m] = design_moments(problem.A[rows], problem.b[rows], w, shift=shift)
    return m


def _wide_split(problem: Problem, split: Split, weigh_held: bool) -> Fold:
    """A wide split with its own kernel: training rows first, held-out rows after."""
    rows = np.concatenate([split.train, split.held])
    held = np.concatenate([np.zeros(split.train.size, dtype=int), np.ones(split.held.size, dtype=int)])
    w = None if problem.weights is None else problem.weights[rows]
    if w is not None and not weigh_held:
        w[split.train.size :] = 1.0
    return _wide(replace(problem, A=problem.A[rows], b=problem.b[rows], weights=w), held, 1)
