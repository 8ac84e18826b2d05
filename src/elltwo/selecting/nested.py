"""Nested cross-validation from fold moments: an honest error for the whole procedure, λ choice included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.factoring.folds import fold_of
from elltwo.factoring.gram import factor_moments
from elltwo.facts.moments import DesignMoments
from elltwo.facts.problem import Penalty
from elltwo.facts.rotated import Fold
from elltwo.selecting.kfold import held_out_error
from elltwo.selecting.registry import find_rule
from elltwo.selecting.select import select
from elltwo.tables.moments.dense import add_designs, subtract_designs
from elltwo.tables.moments.gaps import Gaps

FEW = 2_000_000  # numbers in a table


def few_numbers(rows: int, columns: int) -> bool:
    """Is a table so small, or so wide, that its rows may be gone over again for every fold?

    Then leave-one-out is the default and is done again inside every fold; beyond it K-fold is, from moments.
    """
    return rows < 2 * columns or rows * columns <= FEW


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
    rule: str = "kfold",
    one_se: bool = False,
) -> Nested:
    """Nested K-fold: for each outer fold, λ by a rule over the other K − 1 folds.

    Inner fold j of outer fold k trains on everything but k and j, which is again a difference of
    moments. With K folds that is K² − K + K small eigenproblems and no row is read again. Missing values
    (``gaps``) are filled with the means of the training rows, inner or outer.
    Varma & Simon, BMC Bioinformatics 7 (2006) 91.

    Parameters
    ----------
    alphas, per_target, one_se : as in `selecting.select`.
    rule : K-fold over the inner folds, or a rule that reads the spectrum alone; with two folds none are left inside,
        and GCV stands in for K-fold.
    """
    rule, one_se = within(rule, len(parts) - 1, one_se)
    total, outer, chosen = add_designs(parts), [], []
    for k, held in enumerate(parts):
        train = subtract_designs(total, held)
        outer.append(fold_of(train, held, penalty, intercept, gaps))
        others = [part for j, part in enumerate(parts) if j != k]
        several = others if len(others) > 1 else []
        inner = [fold_of(subtract_designs(train, p), p, penalty, intercept, gaps) for p in several]
        filled = train if gaps is None else gaps.moved(train, gaps.steps(train))
        rotated = factor_moments(filled, penalty, intercept)
        found = select(
            rotated,
            rule,
            folds=inner or None,
            alphas=alphas,
            one_se=one_se,
            per_target=per_target,
            others=False,
        )
        chosen.append(found.alpha)
    return nested_errors(outer, chosen)


def within(rule: str, folds: int, one_se: bool) -> tuple[str, bool]:
    """The rule, and whether its standard error is used, where so many folds are left: K-fold needs two, GCV none."""
    lacking = folds < 2 and "folds" in find_rule(rule).needs
    return ("gcv", False) if lacking else (rule, one_se)


def nested_errors(outer: list[Fold], chosen: list[np.ndarray]) -> Nested:
    """What choices of λ (t,), one per outer fold, are worth on the rows that each fold held out."""
    weights = np.array([fold.weight for fold in outer])
    sums = np.array([_at_own_alpha(fold, alpha) for fold, alpha in zip(outer, chosen, strict=True)])
    ends = [held_out_error(fold, np.array([0.0, np.inf])) for fold in outer]
    means = sums / weights[:, None]
    plain, baseline = np.sum(ends, axis=0) / weights.sum()
    return Nested(
        error=sums.sum(axis=0) / weights.sum(),
        baseline=baseline,
        plain=plain,
        standard_error=means.std(axis=0, ddof=1) / np.sqrt(weights.size),
        alphas=np.array(chosen),
    )


def _at_own_alpha(fold: Fold, alpha: np.ndarray) -> np.ndarray:
    distinct, which = np.unique(alpha, return_inverse=True)
    return held_out_error(fold, distinct)[which.ravel(), np.arange(alpha.size)]
