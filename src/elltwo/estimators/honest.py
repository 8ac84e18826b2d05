"""Nested cross-validation of a fitted face: from fold moments where they say it all, else by refitting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.model_selection import KFold

from elltwo.estimators.fitting import Fit, fit_chosen
from elltwo.estimators.splitting import splits_of
from elltwo.factoring import factor
from elltwo.factoring.folds import fold_moments
from elltwo.factoring.splits import factor_numbered, fold_numbers
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.selecting import RULES, select
from elltwo.selecting.nested import Nested, nested


def nested_of(fit: Fit, problem: Problem, folds: int, seed: int) -> Nested:
    """Error of fitting as ``fit`` was, λ choice included, on rows that took part in neither."""
    cv = KFold(folds, shuffle=True, random_state=seed)
    numbers = fold_numbers(splits_of(cv, problem.A, problem.b), problem.A.shape[0])
    chosen = fit.selection
    shared = np.unique(fit.solution.alpha).size == 1
    if chosen is not None and chosen.rule == "kfold" and problem.A.shape[0] >= 2 * problem.A.shape[1]:
        parts = fold_moments(problem, numbers)
        return nested(parts, problem.penalty, problem.intercept, fit.given, per_target=not shared)
    return _by_refitting(fit, problem, numbers, chosen)


def _by_refitting(fit: Fit, problem: Problem, numbers: np.ndarray, chosen: Selection | None) -> Nested:
    count = int(numbers.max()) + 1
    sums, baselines, plains, alphas, weights = [], [], [], [], []
    for k in range(count):
        train, held = _part(problem, numbers != k), _part(problem, numbers == k)
        solution = _refit(fit, train, numbers[numbers != k], chosen).solution
        w = np.ones(held.b.shape[0]) if held.weights is None else held.weights
        mean = np.average(train.b, axis=0, weights=train.weights) if problem.intercept else 0.0
        plain = fit_chosen(train, None, np.zeros(held.b.shape[1])).solution
        sums.append(_held_error(held, solution, w))
        plains.append(_held_error(held, plain, w))
        baselines.append(w @ (held.b - mean) ** 2)
        alphas.append(solution.alpha)
        weights.append(w.sum())
    means = np.array(sums) / np.array(weights)[:, None]
    return Nested(
        error=np.sum(sums, axis=0) / np.sum(weights),
        baseline=np.sum(baselines, axis=0) / np.sum(weights),
        plain=np.sum(plains, axis=0) / np.sum(weights),
        standard_error=means.std(axis=0, ddof=1) / np.sqrt(count),
        alphas=np.array(alphas),
    )


def _held_error(held: Problem, solution: Solution, w: np.ndarray) -> np.ndarray:
    """(t,) weighted sum of squared errors on held-out rows."""
    return w @ (held.b - np.asarray(held.A @ solution.coef) - solution.intercept) ** 2


def _refit(fit: Fit, train: Problem, numbers: np.ndarray, chosen: Selection | None) -> Fit:
    if chosen is None or chosen.rule not in RULES:
        return fit_chosen(train, None, fit.solution.alpha)
    rotated = factor(train)
    folds = factor_numbered(train, numbers, rotated) if chosen.rule == "kfold" else None
    shared = np.unique(fit.solution.alpha).size == 1

    def choose(r: Rotated) -> Selection:
        return select(r, chosen.rule, folds=folds, alphas=fit.given, others=False, per_target=not shared)

    return fit_chosen(
        train, None, choose=choose, rotated=rotated, noise=fit.rotated.noise if fit.rotated else None
    )


def _part(problem: Problem, rows: np.ndarray) -> Problem:
    w = None if problem.weights is None else problem.weights[rows]
    return replace(problem, A=problem.A[rows], b=problem.b[rows], weights=w)
