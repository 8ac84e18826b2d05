"""How well a fit predicts, measured on rows that took no part in fitting or in choosing the strength.

Each outer fold is held out once; on the others everything is done again: what fills gaps, means, standardization,
factorization, the choice of λ by the same rule. Varma & Simon, BMC Bioinformatics 7 (2006) 91.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.cli.recoding import Recoding, part_of
from elltwo.factoring.folds import factor_with_folds, fold_moments, refilled
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Fold, Rotated
from elltwo.selecting.nested import Nested, few_numbers, nested, within
from elltwo.selecting.registry import find_rule
from elltwo.selecting.select import select
from elltwo.shrinking.path import shrink
from elltwo.tables.moments.gaps import Gaps

Redo = Gaps | Recoding | None  # how columns are made again from some rows: means put in, or a recipe followed


@dataclass(frozen=True)
class Choice:
    """How λ is chosen, so that it can be done again on part of the rows."""

    rule: str
    alpha: float | None = None
    one_se: bool = False

    def __call__(self, rotated: Rotated, folds: list[Fold] | None) -> np.ndarray:
        """λ per target (t,)."""
        if self.alpha is not None:
            return np.full(rotated.targets, self.alpha)
        rule, one_se = within(self.rule, len(folds or ()), self.one_se)
        return select(rotated, rule, folds=folds, one_se=one_se, others=False).alpha


@dataclass(frozen=True)
class Honest:
    """Held-out predictions of the whole procedure, of no regularization, and of the training mean.

    Attributes
    ----------
    fitted, plain, mean : (n, t) predictions for rows that the fit had not seen.
    alphas : (K, t) λ chosen without each fold.
    folds : (n,) outer fold of each row.
    """

    fitted: np.ndarray
    plain: np.ndarray
    mean: np.ndarray
    alphas: np.ndarray
    folds: np.ndarray


def held_out(problem: Problem, folds: np.ndarray, choice: Choice, redo: Redo = None) -> Honest:
    """Predict every row from the other folds.

    Parameters
    ----------
    problem : the whole problem.
    folds : (n,) fold numbers.
    choice : how λ is chosen on each training part; its K-fold uses the remaining folds.
    redo : how columns are made again from the rows that a fit is made on.
    """
    shape = problem.b.shape
    fitted, plain, mean = np.empty(shape), np.empty(shape), np.empty(shape)
    alphas = []
    for at, k in enumerate(np.unique(folds)):
        held, train = folds == k, folds != k
        whole, filled = _made_by(problem, train, redo)
        part = part_of(whole, train)
        rotated, inner = factored(part, folds[train], choice, filled, at)
        alpha = choice(rotated, inner)
        alphas.append(alpha)
        for out, strength in ((fitted, alpha), (plain, 0.0)):
            solution = shrink(rotated, strength)
            out[held] = whole.A[held] @ solution.coef + solution.intercept
        mean[held] = np.average(part.b, axis=0, weights=part.weights)
    return Honest(fitted, plain, mean, np.array(alphas), folds)


def _made_by(problem: Problem, train: np.ndarray, redo: Redo) -> tuple[Problem, Redo]:
    """The problem with columns made from the rows ``train`` (n,) alone."""
    return (redo.made_by(train), redo) if isinstance(redo, Recoding) else refilled(problem, train, redo)


def factored(
    problem: Problem, folds: np.ndarray, choice: Choice, redo: Redo = None, without: int | None = None
) -> tuple[Rotated, list[Fold] | None]:
    """The factored problem, with its folds where the rule reads them and two are left."""
    from elltwo.factoring.choose import factor

    needs_folds = choice.alpha is None and "folds" in find_rule(choice.rule).needs
    if not needs_folds or np.unique(folds).size < 2:
        return factor(problem), None
    if isinstance(redo, Recoding):
        return factor(problem), redo.folds(without)
    return factor_with_folds(problem, folds, gaps=redo)


@dataclass(frozen=True)
class Errors:
    """Root mean squared errors (t,) in units of y, with their standard errors over folds (t,)."""

    fitted: np.ndarray
    plain: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


def errors(honest: Honest, y: np.ndarray, weights: np.ndarray | None) -> Errors:
    """Weighted root mean squared errors; the spread by the delta method from the folds' mean squares."""
    w = np.ones(len(y)) if weights is None else weights
    fitted, plain, mean = (
        np.sqrt(np.average((p - y) ** 2, axis=0, weights=w))
        for p in (honest.fitted, honest.plain, honest.mean)
    )
    kept = [honest.folds == k for k in np.unique(honest.folds) if w[honest.folds == k].sum() > 0]
    squares = np.array([np.average((honest.fitted - y)[k] ** 2, axis=0, weights=w[k]) for k in kept])
    spread = squares.std(axis=0, ddof=1) / np.sqrt(len(kept)) / np.where(fitted > 0, 2 * fitted, np.inf)
    return Errors(fitted, plain, mean, spread)


@dataclass(frozen=True)
class Worth:
    """What a fit is worth: its errors, the λ chosen without each fold (K, t), and predictions if kept."""

    errors: Errors
    alphas: np.ndarray
    predictions: Honest | None


def worth(
    problem: Problem, folds: np.ndarray, choice: Choice, keep_predictions: bool, redo: Redo = None
) -> Worth:
    """By refitting on rows where that is quick or predictions are wanted, else from fold moments.

    From moments λ is chosen by K-fold on each training part where the rule needs rows: none is read again.
    """
    if keep_predictions or few_numbers(*problem.A.shape):
        honest = held_out(problem, folds, choice, redo)
        return Worth(errors(honest, problem.b, problem.weights), honest.alphas, honest)
    return _from_moments(problem, folds, choice, redo)


def _from_moments(problem: Problem, folds: np.ndarray, choice: Choice, redo: Redo = None) -> Worth:
    """By nested folds whose moments are subtracted from those of all rows."""
    alphas = None if choice.alpha is None else np.array([choice.alpha])
    rule = "kfold" if alphas is not None or "rows" in find_rule(choice.rule).needs else choice.rule
    one_se = choice.one_se and alphas is None
    if isinstance(redo, Recoding):
        given = None if alphas is None else np.repeat(alphas, problem.b.shape[1])
        found = redo.nested(rule, given, one_se)
    else:
        parts = fold_moments(problem, folds)
        found = nested(parts, problem.penalty, problem.intercept, alphas, gaps=redo, rule=rule, one_se=one_se)
    return worth_of(found)


def worth_of(found: Nested) -> Worth:
    """Roots of the mean squared errors of nested folds; the spread by the delta method."""
    fitted = np.sqrt(found.error)
    spread = found.standard_error / np.where(fitted > 0, 2 * fitted, np.inf)
    return Worth(Errors(fitted, np.sqrt(found.plain), np.sqrt(found.baseline), spread), found.alphas, None)
