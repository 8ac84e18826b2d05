"""Nested cross-validation from fold moments: an honest error for the whole procedure, λ choice included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.factoring.folds import fold_of
from elltwo.facts.moments import DesignMoments
from elltwo.facts.problem import Penalty
from elltwo.facts.rotated import Fold
from elltwo.selecting.kfold import held_out_error, kfold
from elltwo.selecting.search import grid, refine
from elltwo.tables.moments.dense import add_designs, subtract_designs
from elltwo.tables.moments.gaps import Gaps


@dataclass(frozen=True)
class Nested:
    """Error of choosing λ and fitting, on rows that took part in neither.

    Attributes
    ----------
    error : (t,) weighted mean squared error.
    baseline : (t,) the same for predicting the training mean.
    plain : (t,) the same for fitting without any penalty.
    standard_error : (t,) over outer folds.
    alphas : (K, t) λ chosen inside each outer fold.
    """

    error: np.ndarray
    baseline: np.ndarray
    plain: np.ndarray
    standard_error: np.ndarray
    alphas: np.ndarray


def nested(
    parts: list[DesignMoments],
    penalty: Penalty,
    intercept: bool = True,
    alphas: np.ndarray | None = None,
    per_target: bool = True,
    gaps: Gaps | None = None,
) -> Nested:
    """Nested K-fold: for each outer fold, λ by cross-validation over the other K − 1 folds.

    Inner fold j of outer fold k trains on everything but k and j, which is again a difference of
    moments. With K folds that is K² − K + K small eigenproblems and no row is read again. Missing values
    (``gaps``) are filled with the means of the training rows, inner or outer.
    Varma & Simon, BMC Bioinformatics 7 (2006) 91.
    """
    total = add_designs(parts)
    sums, ends, chosen = [], [], []
    for k, held in enumerate(parts):
        train = subtract_designs(total, held)
        inner = [
            fold_of(subtract_designs(train, part), part, penalty, intercept, gaps)
            for j, part in enumerate(parts)
            if j != k
        ]
        outer = fold_of(train, held, penalty, intercept, gaps)
        alpha = _choose(inner, outer, alphas, per_target)
        chosen.append(alpha)
        sums.append(_at_own_alpha(outer, alpha))
        ends.append(held_out_error(outer, np.array([0.0, np.inf])))
    weights = np.array([part.weight for part in parts])
    means = np.array(sums) / weights[:, None]
    plain, baseline = np.sum(ends, axis=0) / weights.sum()
    return Nested(
        error=np.sum(sums, axis=0) / weights.sum(),
        baseline=baseline,
        plain=plain,
        standard_error=means.std(axis=0, ddof=1) / np.sqrt(weights.size),
        alphas=np.array(chosen),
    )


def _choose(inner: list[Fold], outer: Fold, alphas: np.ndarray | None, per_target: bool) -> np.ndarray:
    points = grid(outer.s) if alphas is None else np.sort(alphas)

    def score(a: np.ndarray) -> np.ndarray:
        mean = kfold(inner, a).mean
        return mean if per_target else mean.mean(axis=1, keepdims=True)

    values = score(points)
    if alphas is None:
        best = refine(score, points, values).alpha
    else:
        best = points[np.argmin(values, axis=0)]
    return np.broadcast_to(best, (outer.z.shape[1],))


def _at_own_alpha(fold: Fold, alpha: np.ndarray) -> np.ndarray:
    distinct, which = np.unique(alpha, return_inverse=True)
    return held_out_error(fold, distinct)[which.ravel(), np.arange(alpha.size)]
