"""What all four faces share: options of the penalty, attributes after a fit, prediction, pickling."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval  # the declarative checks that check_estimator reads
from sklearn.utils.validation import check_is_fitted, validate_data

from elltwo.errors import InputError
from elltwo.estimators.elsewhere import predict_elsewhere
from elltwo.estimators.fitting import Fit
from elltwo.estimators.inspecting import Inspected
from elltwo.estimators.penalising import build_penalty
from elltwo.estimators.validating import Data, column_names, refuse_not_finite
from elltwo.facts.problem import Problem
from elltwo.shrinking.matrixfree import column_means, column_spread
from elltwo.tables.moments.offers import offer_for

PENALTY_OPTIONS: dict[str, list[Any]] = {
    "standardize": ["boolean"],
    "free": [str, int, "array-like", None],
    "strengths": ["array-like", None],
    "prior_mean": ["array-like", None],
    "penalty": ["array-like", "sparse matrix", None],
}

STRENGTH = Interval(Real, 0, np.inf, closed="both")


class Face(Inspected, BaseEstimator):
    """Shared by every face; holds no mathematics."""

    def predict(self, X: Any, return_std: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict targets, X @ coef_ + intercept_.

        Parameters
        ----------
        X : array, sparse array or data frame of shape (n_samples, n_features); for a Dask one the
            predictions are a Dask array, not computed yet
        return_std : bool, default=False
            Also return the posterior standard deviation of a new observation: of the mean, and of the
            noise around it.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets), and with ``return_std`` a second one.
        """
        mean = self._linear(X)
        return (mean, self.prediction_std(X)) if return_std else mean

    def _linear(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        if offer_for(X) is not None:
            return predict_elsewhere(self, X)
        names = column_names(X)
        X = validate_data(
            self,
            X,
            accept_sparse=["csr", "csc", "coo"],
            reset=False,
            ensure_all_finite=False,
            dtype=[np.float64, np.float32],
        )
        refuse_not_finite(X, "X", names)
        return np.asarray(X @ self.coef_.T) + self.intercept_

    def _problem(self, data: Data) -> Problem:
        """The Problem that these parameters and data stand for."""
        p, t = data.X.shape[1], data.y.shape[1]
        penalty = build_penalty(
            p,
            t,
            names=data.names,
            standardize=self.standardize,
            free=self.free,
            strengths=self.strengths,
            prior_mean=self.prior_mean,
            penalty=self.penalty,
        )
        return Problem(data.X, data.y, data.weights, bool(self.fit_intercept), penalty)

    def _keep(self, fit: Fit, data: Data) -> None:
        """Set scikit-learn's attributes, and the shared objects, from a Fit."""
        flat = data.single or data.y.shape[1] == 1
        coef, dtype = fit.solution.coef.T, data.dtype
        self.coef_ = (coef[0] if flat else coef).astype(dtype)
        intercept = fit.solution.intercept.astype(dtype)
        self.intercept_ = 0.0 if not self.fit_intercept else intercept[0] if data.single else intercept
        self.solver_ = fit.solver
        self.n_iter_ = fit.n_iter
        self.solution_ = fit.solution
        self.selection_ = fit.selection
        self.rotated_ = fit.rotated
        self.spectrum_ = None if fit.rotated is None else fit.rotated.spectrum
        self._fit, self._single = fit, data.single
        if self.standardize:
            self.coef_standardized_ = self.coef_ * self._column_spread().astype(dtype)

    def _column_spread(self) -> np.ndarray:
        """(p,) standard deviations of the columns: those the penalty used, where it did, else from the rows."""
        if self._fit.spread is not None:
            return self._fit.spread
        plain = self.free is None and self.strengths is None
        if self.standardize and plain and self.spectrum_ is not None and self.spectrum_.scale is not None:
            return self.spectrum_.scale
        problem = self._rows("the standard deviations of the columns")
        mean = column_means(problem.A, problem.weights)
        return column_spread(problem.A, problem.weights, mean)

    def __getstate__(self) -> dict[str, Any]:
        """A pickled model keeps its spectrum and not the data it was fitted on."""
        state = dict(super().__getstate__())
        fit = state.get("_fit")
        if fit is None:
            return state
        rotated = fit.rotated
        if rotated is not None:
            rotated = replace(rotated, b=None, spectrum=replace(rotated.spectrum, rows=None))
            state["rotated_"], state["spectrum_"] = rotated, rotated.spectrum
        state["_fit"] = replace(fit, rotated=rotated, problem=None, kept=None)
        return state


def strengths_per_target(alpha: Any, targets: int) -> np.ndarray:
    """(t,) λ of a number or of one number per target.

    Raises
    ------
    InputError : another number of them, or one that is negative or not a number.
    """
    values = np.asarray(alpha, dtype=float).ravel()
    if values.size not in (1, targets):
        raise InputError(
            f"Number of targets and number of penalties do not correspond: {values.size} != {targets}; "
            "give one alpha, or one per target"
        )
    if np.any(np.isnan(values)) or np.any(values < 0):
        raise InputError(f"alpha must be >= 0, got {alpha!r}: 0 means no penalty")
    return np.broadcast_to(values, (targets,)).copy()


def refuse_solver(solver: str, positive: bool, X: Any, fit_intercept: bool) -> None:
    """Refuse combinations that scikit-learn refuses too, in its words.

    Raises
    ------
    InputError
    """
    if solver == "lbfgs" and not positive:
        raise InputError("'lbfgs' solver can be used only when positive=True. Please use another solver.")
    if positive and solver not in ("auto", "lbfgs"):
        raise InputError(
            f"solver='{solver}' does not support positive fitting. Please set the solver to 'auto' or "
            "'lbfgs', or set `positive=False`"
        )
    if not sparse.issparse(X):
        return
    if fit_intercept and solver in ("svd", "cholesky", "saga"):
        raise InputError(
            f"solver='{solver}' does not support fitting the intercept on sparse data. Please set the "
            "solver to 'auto', which does, or set `fit_intercept=False`"
        )
    if solver == "svd":
        raise InputError("solver='svd' does not support sparse data: set solver='auto', or pass X.toarray()")
