"""Training folds: each fold's own spectrum, with what its held-out rows need to be scored at any λ.

Exact K-fold cross-validation costs one pass over the rows: the training moments of fold k are the
total minus those of fold k, so means, standardization and factorization are redone inside every
fold without touching a row again. Engström & Jensen, arXiv:2401.13185; Liland, Skogholt & Indahl,
IEEE Access 12 (2024).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import linalg, sparse

from elltwo.errors import InputError
from elltwo.factoring.centre import centred_moments
from elltwo.factoring.choose import choose, factor
from elltwo.factoring.dual import WideDesign, kernel, wide_design, wide_form
from elltwo.factoring.gram import eigen_factor, factor_total, penalty_form, subtract_prior
from elltwo.factoring.rotate import without_prior
from elltwo.facts.moments import DesignMoments
from elltwo.facts.problem import Penalty, Problem
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.spectrum import Origin
from elltwo.tables.moments.dense import about, add_designs, choose_shift, design_moments, subtract_designs
from elltwo.tables.moments.gaps import Gaps

MANY_TARGETS = 8  # from here on held-out rows are cheaper as rows than as a quadratic form


def check_folds(folds: np.ndarray, n: int) -> np.ndarray:
    """(n,) fold numbers 0..K−1, every one with rows, K ≥ 2."""
    folds = np.asarray(folds)
    if folds.shape != (n,):
        raise InputError(f"one fold number per row is needed ({n}), got shape {folds.shape}")
    if folds.dtype.kind in "iu" and folds.size and folds.min() >= 0 and folds.max() < n:
        counts = np.bincount(folds)  # already 0..K−1, as splitters number them: no sort
        if counts.size >= 2 and counts.all():
            return folds.astype(np.intp, copy=False)
    values, numbers = np.unique(folds, return_inverse=True)
    if values.size < 2:
        raise InputError(f"cross-validation needs at least 2 folds, got {values.size}: give more folds")
    return numbers.astype(np.intp)


def factor_folds(
    problem: Problem, folds: np.ndarray, rotated: Rotated | None = None, gaps: Gaps | None = None
) -> list[Fold]:
    """Every training fold's spectrum and held-out scores; ``gaps`` are filled with each training fold's own means.

    Wide designs are first rotated into the coordinates of the full spectrum (n × k, k < n), where
    the same ridge problem is square; with standardization inside folds each fold has its own kernel.
    """
    folds = check_folds(folds, problem.A.shape[0])
    problem = without_prior(problem)
    penalty = replace(problem.penalty, x0=None)
    if problem.A.shape[0] >= problem.A.shape[1]:
        return _tall(replace(problem, penalty=penalty), folds, gaps=gaps)
    if gaps is None and not penalty.standardize and rotated is not None and rotated.spectrum.rows is not None:
        return _rotated_rows(problem, rotated, folds)
    problem = replace(problem, penalty=penalty)
    return [_wide(refilled(problem, folds != k, gaps)[0], folds, k) for k in range(int(folds.max()) + 1)]


def refilled(problem: Problem, train: np.ndarray, gaps: Gaps | None) -> tuple[Problem, Gaps | None]:
    """The problem with its gaps filled by the means of the rows ``train`` (n,), and what they hold now."""
    if gaps is None:
        return problem, None
    weights = None if problem.weights is None else problem.weights[train]
    steps = gaps.steps_of_rows(problem.A[train], weights)
    return replace(problem, A=gaps.refilled(problem.A, steps)), gaps.after(steps)


def factor_with_folds(
    problem: Problem, folds: np.ndarray, method: str = "auto", gaps: Gaps | None = None
) -> tuple[Rotated, list[Fold]]:
    """`factor` and `factor_folds` together; on the Gram route one pass over the rows serves both."""
    folds = check_folds(folds, problem.A.shape[0])
    route = choose(problem.A, problem.penalty, method)
    if route.method != "gram" or problem.A.shape[0] < problem.A.shape[1]:
        rotated = factor(problem, method)
        return rotated, factor_folds(problem, folds, rotated, gaps)
    problem = without_prior(problem)
    parts = fold_moments(problem, folds)
    rotated = factor_total(problem, add_designs(parts), Origin("gram", route.reason, squared=True))
    return rotated, _tall(replace(problem, penalty=replace(problem.penalty, x0=None)), folds, parts, gaps)


def fold_moments(problem: Problem, folds: np.ndarray) -> list[DesignMoments]:
    """Moments of every fold, about one shift, in one pass."""
    shift = choose_shift(problem.A)
    return design_moments(problem.A, problem.b, problem.weights, folds, shift)


def folds_from_moments(
    parts: list[DesignMoments],
    penalty: Penalty,
    intercept: bool = True,
    total: DesignMoments | None = None,
    gaps: Gaps | None = None,
) -> list[Fold]:
    """Fold k trains on the sum of the other parts and is scored on part k."""
    total = add_designs(parts) if total is None else total
    return [fold_of(subtract_designs(total, part), part, penalty, intercept, gaps) for part in parts]


def fold_of(
    train: DesignMoments, held: DesignMoments, penalty: Penalty, intercept: bool, gaps: Gaps | None = None
) -> Fold:
    """One fold from the moments of its training rows and of its held-out rows; those fill the gaps of both."""
    if gaps is not None:
        steps = gaps.steps(train)
        train, held = gaps.moved(train, steps), gaps.moved(held, steps)
    c = centred_moments(train, intercept)
    held = about(held, c.shift_x, c.shift_y)
    if penalty.x0 is not None:
        c, held = subtract_prior(c, penalty.x0), subtract_prior(held, penalty.x0)
    factor = eigen_factor(c.xx, penalty_form(c, penalty), train.count - int(intercept))
    return Fold(
        s=factor.s,
        V=factor.V,
        z=(factor.V.T @ c.xy) / factor.s[:, None],
        offset=factor.T_free @ (factor.T_free.T @ c.xy),
        weight=held.weight,
        count=held.count,
        second=held.xx,
        cross=held.xy,
        square=held.yy,
    )


def _tall(
    problem: Problem, folds: np.ndarray, parts: list[DesignMoments] | None = None, gaps: Gaps | None = None
) -> list[Fold]:
    parts = fold_moments(problem, folds) if parts is None else parts
    if problem.b.shape[1] < MANY_TARGETS:
        return folds_from_moments(parts, problem.penalty, problem.intercept, gaps=gaps)
    total = add_designs(parts)
    return [
        _held_rows(problem, folds == k, subtract_designs(total, part), gaps) for k, part in enumerate(parts)
    ]


def _held_rows(problem: Problem, held: np.ndarray, train: DesignMoments, gaps: Gaps | None = None) -> Fold:
    """A fold that keeps its held-out rows as rows: cheaper for many targets, and free of cancellation."""
    A = problem.A[held]
    if gaps is not None:
        steps = gaps.steps(train)
        train, A = gaps.moved(train, steps), gaps.refilled(A, steps)
    c = centred_moments(train, problem.intercept)
    factor = eigen_factor(c.xx, penalty_form(c, problem.penalty), train.count - int(problem.intercept))
    rows = (A.toarray() if sparse.issparse(A) else A) - c.shift_x
    design, y = rows @ factor.V, problem.b[held] - c.shift_y
    offset = np.broadcast_to(0.0, c.xy.shape)
    if factor.T_free.shape[1]:
        offset = factor.T_free @ (factor.T_free.T @ c.xy)
        y -= rows @ offset
    weights = None if problem.weights is None else problem.weights[held]
    if weights is not None:
        root = np.sqrt(weights)[:, None]
        design, y = design * root, y * root
    return Fold(
        s=factor.s,
        V=factor.V,
        z=(factor.V / factor.s).T @ c.xy,
        offset=offset,
        weight=float(rows.shape[0] if weights is None else weights.sum()),
        count=rows.shape[0],
        design=design,
        y=y,
    )


def _rotated_rows(problem: Problem, rotated: Rotated, folds: np.ndarray) -> list[Fold]:
    return _tall(rotated_problem(problem, rotated), folds)


def rotated_problem(problem: Problem, rotated: Rotated) -> Problem:
    """The problem in the coordinates of its full spectrum: the design is U S, plus the free columns."""
    spectrum = rotated.spectrum
    n, k, q = spectrum.shape[0], spectrum.s.size, spectrum.free.T.shape[1]
    design, root = np.empty((n, k + q)), spectrum.root
    assert spectrum.rows is not None
    for rows, U, Q in spectrum.rows.blocks():
        design[rows, :k], design[rows, k:] = U * spectrum.s, Q
    if root is not None:
        design = np.divide(design, root[:, None], out=np.zeros_like(design), where=root[:, None] > 0)
    scale = np.concatenate([np.ones(k), np.zeros(q)]) if q else None
    return replace(problem, A=design, penalty=Penalty(scale=scale))


def _wide(problem: Problem, folds: np.ndarray, k: int) -> Fold:
    """A wide fold with its own standardization: the training kernel, and held-out rows against it."""
    train, held = folds != k, folds == k
    w = problem.weights
    part = replace(problem, A=problem.A[train], b=problem.b[train], weights=None if w is None else w[train])
    design = wide_design(part.A, part.weights, part.intercept)
    form = wide_form(part, design)
    [m] = design_moments(np.zeros((part.A.shape[0], 0)), part.b, part.weights)
    mean_y = m.mean_y if part.intercept else np.zeros_like(m.mean_y)
    squares, W = linalg.eigh(kernel(design, form), driver="evd", check_finite=False)
    good = squares > squares[-1] * squares.size * np.finfo(float).eps
    s, U = np.sqrt(squares[good][::-1]), W[:, good][:, ::-1]
    y = part.b - mean_y
    z = U.T @ (y if part.weights is None else y * np.sqrt(part.weights)[:, None])
    rows = np.asarray(
        problem.A[held].todense() if hasattr(problem.A, "todense") else problem.A[held], dtype=float
    )
    rows = rows - design.mean
    diagonal = form.diagonal
    if diagonal is not None:
        rows = rows * np.divide(1.0, diagonal**2, out=np.zeros_like(diagonal), where=diagonal > 0)
    root = np.ones(rows.shape[0]) if w is None else np.sqrt(w[held])
    lifted = _against(rows, design, U) / s
    return Fold(
        s=s,
        V=np.zeros((0, s.size)),
        z=z,
        offset=np.zeros((0, y.shape[1])),
        weight=float(np.sum(root**2)),
        count=rows.shape[0],
        design=lifted * root[:, None],
        y=(problem.b[held] - mean_y) * root[:, None],
    )


def _against(rows: np.ndarray, design: WideDesign, U: np.ndarray) -> np.ndarray:
    """(m, k) rows · Aᶜᵀ U through the n × n side, so that no p × k array is made."""
    A = design.A
    cross = np.asarray((A @ rows.T).T) - (rows @ design.mean)[:, None]  # (m, n) rows · (A − m)ᵀ
    root = np.ones(A.shape[0]) if design.root is None else design.root
    return (cross * root) @ U
