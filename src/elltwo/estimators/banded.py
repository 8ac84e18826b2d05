"""Banded ridge: a strength per group of columns, chosen by gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from elltwo.errors import InputError
from elltwo.factoring import factor
from elltwo.facts.problem import Penalty, Problem
from elltwo.selecting.banded import bands_of_columns, choose_strengths
from elltwo.shrinking import shrink

ROUNDING = 1e-13  # share of a column's length that centring leaves of a constant


class BandedRidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge with a strength per group of columns, all chosen together from the data.

    minimise Σᵢ (yᵢ − b − Σ_g x_{ig}ᵀw_g)² + Σ_g λ_g ‖w_g‖², with (λ_g) minimising the evidence or the
    exact leave-one-out error; their gradients are analytic, so there is no random search.

    Parameters
    ----------
    groups : (p,) labels of the columns, or a list of column index arrays, or None (one group each).
    rule : "evidence" or "loo".
    per_target : bool
        Strengths for every target of its own (warm-started from the shared ones), or shared.
    fit_intercept : bool

    Attributes
    ----------
    coef_ : (p,) or (t, p). intercept_ : float or (t,).
    alphas_ : (G,) or, per target, (t, G) total strengths λ_g.
    groups_ : list of G index arrays. group_names_ : labels.
    best_score_ : the rule's value (lower is better). n_evaluations_ : of rule and gradient.

    Source: van de Wiel et al. (2021); Dupré la Tour, Eickenberg & Gallant, NeuroImage 264 (2022) 119728.
    """

    def __init__(self, groups=None, *, rule="evidence", per_target=False, fit_intercept=True):  # type: ignore[no-untyped-def]
        self.groups = groups
        self.rule = rule
        self.per_target = per_target
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any) -> BandedRidgeCV:
        """Choose the strengths and solve; X (n, p), y (n,) or (n, t)."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True)
        X, b = np.asarray(X, dtype=float), np.asarray(y, dtype=float).reshape(len(y), -1)
        self.groups_, self.group_names_ = column_groups(self.groups, X.shape[1])
        centred = _centred(X) if self.fit_intercept else X
        targets = b - b.mean(axis=0) if self.fit_intercept else b
        bands = bands_of_columns(centred, self.groups_, targets, int(self.fit_intercept), self.rule == "loo")
        shared = choose_strengths(bands, self.rule)
        self.best_score_, self.n_evaluations_ = shared.value, shared.evaluations
        if self.per_target and b.shape[1] > 1:
            self._fit_each(X, b, bands, shared.alphas)
        else:
            self.alphas_ = shared.alphas
            self.coef_, self.intercept_ = self._solve(X, b, shared.alphas)
        if np.ndim(y) == 1:
            self.coef_, self.intercept_ = self.coef_[0], float(self.intercept_[0])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(m,) or (m, t) predictions."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return X @ np.asarray(self.coef_).T + self.intercept_

    def contributions(self, X: Any) -> np.ndarray:
        """(G, m) or (G, m, t) what each group adds to the prediction, relative to its training mean."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False) - self._mean
        coef = np.atleast_2d(self.coef_)
        parts = np.stack([X[:, g] @ coef[:, g].T for g in self.groups_])
        return parts[:, :, 0] if np.ndim(self.coef_) == 1 else parts

    def score_split(self, X: Any, y: Any) -> np.ndarray:
        """(G,) or (G, t) contributions to R² on given rows, which add up to R².

        Σᵢ ŷ_g (2ỹ − ŷ)/Σᵢ ỹ², ỹ = y − mean: the product measure (Hoffman 1960; Dupré la Tour et al. 2022, eq. 8).
        With the mean of these rows in place of the training mean, R² differs by the square of their gap.
        """
        parts = self.contributions(X)
        parts = parts.reshape(parts.shape[0], parts.shape[1], -1)
        y = np.asarray(y, dtype=float).reshape(parts.shape[1], -1)
        centred = y - self._mean_y
        total = parts.sum(axis=0)
        split = (parts * (2 * centred - total)).sum(axis=1) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
        return split[:, 0] if np.ndim(self.coef_) == 1 else split

    def _solve(self, X: np.ndarray, b: np.ndarray, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale = np.empty(X.shape[1])
        for g, alpha in zip(self.groups_, alphas, strict=True):
            scale[g] = np.sqrt(alpha)
        rotated = factor(Problem(X, b, None, self.fit_intercept, Penalty(scale=scale)))
        solution = shrink(rotated, 1.0)
        self._mean, self._mean_y = rotated.spectrum.free.mean, rotated.mean
        return solution.coef.T, solution.intercept

    def _fit_each(self, X: np.ndarray, b: np.ndarray, bands: Any, start: np.ndarray) -> None:
        from dataclasses import replace

        chosen, coefs, intercepts = [], [], []
        for j in range(b.shape[1]):
            rest = np.broadcast_to(bands.aside.rest, (b.shape[1],))[j : j + 1]
            own = replace(bands, y=bands.y[:, j : j + 1], aside=replace(bands.aside, rest=rest))
            found = choose_strengths(own, self.rule, start)
            coef, intercept = self._solve(X, b[:, j : j + 1], found.alphas)
            chosen.append(found.alphas)
            coefs.append(coef[0])
            intercepts.append(intercept[0])
            self.n_evaluations_ += found.evaluations
        self.alphas_, self.coef_, self.intercept_ = np.array(chosen), np.array(coefs), np.array(intercepts)
        self._mean_y = b.mean(axis=0) if self.fit_intercept else np.zeros(b.shape[1])


def _centred(X: np.ndarray) -> np.ndarray:
    """X minus its column means; what rounding leaves of a constant column is nothing."""
    centred = X - X.mean(axis=0)
    dust = ROUNDING * np.sqrt((X**2).sum(axis=0))
    centred[:, np.sqrt((centred**2).sum(axis=0)) <= dust] = 0.0
    return centred


def column_groups(groups: Any, p: int) -> tuple[list[np.ndarray], list[Any]]:
    """Index arrays of the groups, and their labels; every column in exactly one group."""
    if groups is None:
        groups = np.arange(p)
    if all(np.ndim(g) == 0 for g in groups):
        if len(groups) != p:
            raise InputError(f"one group label per column is needed ({p}), got {len(groups)}")
        labels, which = np.unique(np.asarray(groups), return_inverse=True)
        return [np.flatnonzero(which == i) for i in range(labels.size)], labels.tolist()
    indices = [np.asarray(g, dtype=np.intp) for g in groups]
    counts = np.bincount(np.concatenate(indices), minlength=p)
    if counts.size != p or np.any(counts != 1):
        wrong = np.flatnonzero(counts[:p] != 1)[:5].tolist() if counts.size == p else f"beyond {p - 1}"
        raise InputError(f"every column belongs to exactly one group; these do not: {wrong}")
    return indices, list(range(len(indices)))
