"""Banded ridge: a strength per group of columns, or per kernel, chosen by gradient."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from elltwo.errors import InputError
from elltwo.estimators.banded_parts import ColumnParts, KernelParts, column_groups, kernels_of
from elltwo.facts.finding import Finding
from elltwo.facts.groupfit import GroupFit
from elltwo.selecting.banded import Bands, band_df, choose_strengths


class BandedRidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge with a strength per group of columns (or per kernel), all chosen together from the data.

    minimise Σᵢ (yᵢ − b − Σ_g x_{ig}ᵀw_g)² + Σ_g λ_g ‖w_g‖², with (λ_g) minimising the evidence or the
    exact leave-one-out error; their gradients are analytic, so there is no random search. With kernels
    x_{ig}ᵀw_g and ‖w_g‖ are functions f_g(xᵢ) and their norms in the space of kernel k_g.

    Parameters
    ----------
    groups : (p,) labels of the columns, or a list of column index arrays, or None (one group each).
    rule : "evidence" or "loo".
    per_target : bool
        Strengths for every target of its own (warm-started from the shared ones), or shared.
    fit_intercept : bool
    kernel : "linear", another name from `sklearn.metrics.pairwise`, a function of two rows, or a list of them
        Of every group, or one for each. With "precomputed" X holds the kernels themselves: (G, n, n) to fit,
        (G, m, n) to predict.
    kernel_params : dict of the kernels' parameters, or a list of one for each group.

    Attributes
    ----------
    coef_ : (p,) or (t, p), of linear groups. dual_coef_ : (n,) or (n, t), of kernels.
    intercept_ : float or (t,).
    alphas_ : (G,) or, per target, (t, G) total strengths λ_g.
    group_df_ : same shape, degrees of freedom that each group uses.
    groups_ : list of G index arrays. group_names_ : labels.
    best_score_ : the rule's value (lower is better). n_evaluations_ : of rule and gradient.
    split_ : (G,) or (G, t) contributions to R² on the rows that were fitted.
    search_ : how the search for the shared strengths went (`elltwo.selecting.banded.BandStrengths`).

    Raises
    ------
    InputError : groups that do not fit X, or a kernel matrix that is too large.

    Source: van de Wiel et al. (2021); Dupré la Tour, Eickenberg & Gallant, NeuroImage 264 (2022) 119728.
    """

    def __init__(
        self,
        groups: Any = None,
        *,
        rule: Any = "evidence",
        per_target: Any = False,
        fit_intercept: Any = True,
        kernel: Any = "linear",
        kernel_params: Any = None,
    ) -> None:
        self.groups = groups
        self.rule = rule
        self.per_target = per_target
        self.fit_intercept = fit_intercept
        self.kernel = kernel
        self.kernel_params = kernel_params

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any) -> BandedRidgeCV:
        """Choose the strengths and solve; X (n, p), dense or sparse, y (n,) or (n, t)."""
        X, b, single = self._checked(X, y)
        self._rows = b.shape[0]
        self._parts = self._make_parts(X)
        self._mean_y = b.mean(axis=0) if self.fit_intercept else np.zeros(b.shape[1])
        bands = self._parts.bands(b - self._mean_y, self.rule == "loo")
        self.search_ = choose_strengths(bands, self.rule)
        self.best_score_, self.n_evaluations_ = self.search_.value, self.search_.evaluations
        each = self.per_target and b.shape[1] > 1
        alphas = self._each_target(bands, b.shape[1]) if each else self.search_.alphas[None]
        self._solved = self._parts.solve(b, bands, alphas)
        df = np.array([band_df(bands, own) for own in alphas])
        self.alphas_: np.ndarray = alphas if each else alphas[0]
        self.group_df_: np.ndarray = df if each else df[0]
        self._show(single)
        self.split_ = self.score_split(X, b[:, 0] if single else b)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(m,) or (m, t) predictions."""
        check_is_fitted(self)
        out = self._parts.predict(self._new_rows(X), self._solved)
        return out[:, 0] if self._single else out

    def contributions(self, X: Any) -> np.ndarray:
        """(G, m) or (G, m, t) what each group adds to the prediction, relative to its training mean."""
        check_is_fitted(self)
        parts = self._parts.contributions(self._new_rows(X), self._solved)
        return parts[:, :, 0] if self._single else parts

    def score_split(self, X: Any, y: Any) -> np.ndarray:
        """(G,) or (G, t) contributions to R² on given rows, which add up to R².

        Σᵢ ŷ_g (2ỹ − ŷ)/Σᵢ ỹ², ỹ = y − mean: the product measure (Hoffman 1960; Dupré la Tour et al. 2022, eq. 8).
        With the mean of these rows in place of the training mean, R² differs by the square of their gap. Without
        an intercept nothing is centred, and R² is 1 − Σ(y − ŷ)²/Σy². A target that does not vary has no R²: NaN.
        """
        parts = self.contributions(X)
        parts = parts.reshape(parts.shape[0], parts.shape[1], -1)
        y = np.asarray(y, dtype=float).reshape(parts.shape[1], -1)
        total = parts.sum(axis=0)
        spread = ((y - y.mean(axis=0)) ** 2 if self.fit_intercept else y**2).sum(axis=0)
        shares = (parts * (2 * (y - self._mean_y) - total)).sum(axis=1)
        split = np.divide(shares, spread, out=np.full_like(shares, np.nan), where=spread > 0)
        return split[:, 0] if self._single else split

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know about this fit: codes, numbers, thresholds, sentences, remedies."""
        # diagnosing and reporting lie above the faces and imports go down: looked up when a person asks
        return tuple(import_module("elltwo.diagnosing.groupfits").look_at_groups(self._facts(None, None)))

    def write_report(
        self,
        path: str | os.PathLike[str],
        X: Any = None,
        y: Any = None,
        title: str = "Banded ridge regression",
    ) -> None:
        """Write a page: what each group gives, λ and degrees of freedom per group, the search, the findings.

        Parameters
        ----------
        path : where to.
        X, y : rows held out, on which the split of R² is shown too.
        title : of the page.

        Raises
        ------
        OutputError : the file cannot be written.
        """
        write = import_module("elltwo.reporting.banded").write_banded
        write(path, self._facts(X, y), title)

    def _facts(self, X: Any, y: Any) -> GroupFit:
        check_is_fitted(self)
        if (X is None) != (y is None):
            raise InputError("rows held out need both X and y, or neither")
        columns = isinstance(self._parts, ColumnParts)
        groups = len(self.groups_)
        held = None if X is None else self.score_split(X, y).reshape(groups, -1)
        return GroupFit(
            names=tuple(str(name) for name in self.group_names_),
            sizes=np.array([0 if self._given() else g.size for g in self.groups_]),
            alphas=np.atleast_2d(self.alphas_).T,
            df=np.atleast_2d(self.group_df_).T,
            split=self.split_.reshape(groups, -1),
            held=held,
            rule=self.rule,
            trace=self.search_.trace,
            evaluations=self.n_evaluations_,
            at_end=self.search_.at_end,
            converged=self.search_.converged,
            rows=self._rows,
            kernels=not columns,
        )

    def _checked(self, X: Any, y: Any) -> tuple[Any, np.ndarray, bool]:
        """X, b (n, t), and whether there was one target alone."""
        if self._given():
            X = check_array(X, allow_nd=True, dtype=float, ensure_min_samples=1)
            if X.ndim != 3 or X.shape[1] != X.shape[2]:
                raise InputError(f"precomputed kernels need shape (groups, n, n), got {X.shape}")
            y = check_array(y, ensure_2d=False, dtype=float)
            if len(y) != X.shape[1]:
                raise InputError(f"y needs {X.shape[1]} rows like the kernels, got {len(y)}")
        else:
            options = {"accept_sparse": ("csr", "csc"), "dtype": float}
            X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, **options)
        return X, np.asarray(y, dtype=float).reshape(len(y), -1), np.ndim(y) == 1

    def _new_rows(self, X: Any) -> Any:
        if not self._given():
            return validate_data(self, X, accept_sparse=("csr", "csc"), reset=False, dtype=float)
        X, n = check_array(X, allow_nd=True, dtype=float), self._solved.weights.shape[0]
        if X.ndim != 3 or (X.shape[0], X.shape[2]) != (len(self.groups_), n):
            raise InputError(
                f"new rows of precomputed kernels need shape ({len(self.groups_)}, m, {n}), got {X.shape}"
            )
        return X

    def _given(self) -> bool:
        return isinstance(self.kernel, str) and self.kernel == "precomputed"

    def _make_parts(self, X: Any) -> ColumnParts | KernelParts:
        width = X.shape[0] if self._given() else X.shape[1]
        self.groups_, self.group_names_ = column_groups(self.groups, width)
        if isinstance(self.kernel, str) and self.kernel == "linear":
            return ColumnParts(X, self.groups_, self.fit_intercept)
        kernels = kernels_of(self.kernel, self.kernel_params, len(self.groups_))
        return KernelParts(kernels, self.groups_, X, self.fit_intercept)

    def _each_target(self, bands: Bands, targets: int) -> np.ndarray:
        """(t, G) strengths of every target, searched from the shared ones."""
        rest = np.broadcast_to(bands.aside.rest, (targets,))
        chosen = []
        for j in range(targets):
            aside = replace(bands.aside, rest=rest[j : j + 1])
            own = choose_strengths(
                replace(bands, y=bands.y[:, j : j + 1], aside=aside), self.rule, self.search_.alphas
            )
            self.n_evaluations_ += own.evaluations
            chosen.append(own.alphas)
        return np.array(chosen)

    def _show(self, single: bool) -> None:
        """Coefficients in scikit-learn's shapes."""
        self._single, weights = single, self._solved.weights
        self.intercept_ = float(self._solved.intercept[0]) if single else self._solved.intercept
        if isinstance(self._parts, ColumnParts):
            self.coef_ = weights[:, 0] if single else weights.T
        else:
            self.dual_coef_ = weights[:, 0] if single else weights
