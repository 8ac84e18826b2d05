"""What a fitted face can tell: path, uncertainty, risk, conditioning, equivalents; computed when asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse, stats
from sklearn.utils.validation import check_is_fitted, validate_data

from elltwo.errors import InputError, MissingRows, UsageError, unknown_option
from elltwo.estimators.drawing import Drawn
from elltwo.estimators.honest import nested_of
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.laws.inference import fox_monette_vif, marquardt_vif, sampling_covariance
from elltwo.selecting.loo import leverages
from elltwo.selecting.nested import Nested
from elltwo.selecting.search import grid
from elltwo.shrinking import Path, path
from elltwo.shrinking.inference import (
    Equivalents,
    Risk,
    equivalents,
    evidence_of,
    posterior_fit_variance,
    posterior_spread,
    risk,
    sampling_fit_variance,
    sampling_spread,
)
from elltwo.shrinking.path import df_of


@dataclass(frozen=True)
class Interval:
    """Lower and upper ends, and the estimate between them, of the same shape."""

    low: np.ndarray
    estimate: np.ndarray
    high: np.ndarray


class Inspected(Drawn):
    """Methods that read the shared objects of a fit; every one says what it needs where it is not there."""

    solver_: str
    coef_: np.ndarray
    penalty: Any
    _single: bool

    def _linear(self, X: Any) -> np.ndarray:
        raise NotImplementedError  # Face's, which has the fitted coefficients

    def _column_spread(self) -> np.ndarray:
        raise NotImplementedError  # Face's, which has the fit

    # -- the path -------------------------------------------------------------------------------

    def path(self, alphas: Any = None) -> Path:
        """Every solution over λ: coefficients (L, p, t), intercepts, degrees of freedom, norms, residuals.

        Parameters
        ----------
        alphas : array-like of shape (L,), optional
            By default a grid from far below the smallest to far above the largest squared singular value.
        """
        r = self._spectral("path")
        return path(r, grid(r.spectrum.s) if alphas is None else np.asarray(alphas, dtype=float))

    def df(self, alphas: Any = None) -> np.ndarray:
        """Effective degrees of freedom at λ (by default the chosen one): free block + Σ s²/(s² + λ)."""
        r = self._spectral("df")
        return df_of(r, self.solution_.alpha if alphas is None else np.atleast_1d(np.asarray(alphas, float)))

    # -- uncertainty ----------------------------------------------------------------------------

    def standard_errors(self, kind: str = "sampling") -> np.ndarray:
        """Standard deviation of each coefficient, shaped like ``coef_``.

        Parameters
        ----------
        kind : {"sampling", "posterior"}
            "sampling": over repeated samples, σ² V g² Vᵀ; it measures variance and not the bias that
            shrinkage adds. "posterior": given the data, under the Gaussian prior that λ stands for.
            σ² is rss/(n − df).
        """
        r = self._spectral("standard_errors")
        alpha, sigma2 = self.solution_.alpha, self.solution_.sigma2
        if kind == "sampling":
            out = sampling_spread(r, alpha, sigma2).coef
        elif kind == "posterior":
            out = posterior_spread(r, alpha, sigma2, self._simple()).coef
        else:
            raise unknown_option("kind of standard error", kind, ["sampling", "posterior"])
        return out.T.reshape(self.coef_.shape)

    def coef_interval(self, level: float = 0.95, kind: str = "posterior") -> Interval:
        """Intervals for the coefficients: estimate ± a quantile of Student's t with n − df degrees of freedom."""
        width = _quantile(level, self._left()).reshape(-1, 1) * np.atleast_2d(self.standard_errors(kind))
        width = width.reshape(self.coef_.shape)
        return Interval(self.coef_ - width, self.coef_.copy(), self.coef_ + width)

    def prediction_std(self, X: Any, kind: str = "posterior", noise: bool = True) -> np.ndarray:
        """Standard deviation of a new observation at X (or of its mean alone, ``noise=False``)."""
        r = self._spectral("prediction_std")
        X = validate_data(self, X, accept_sparse="csr", reset=False, dtype=np.float64)
        X = X.toarray() if sparse.issparse(X) else X
        alpha, sigma2 = self.solution_.alpha, self.solution_.sigma2
        if kind == "sampling":
            variance = sampling_fit_variance(r, X, alpha, sigma2)
        elif kind == "posterior":
            variance = posterior_fit_variance(r, X, alpha, sigma2, self._simple())
        else:
            raise unknown_option("kind of standard error", kind, ["sampling", "posterior"])
        out = np.sqrt(variance + (sigma2 if noise else 0.0))
        return out[:, 0] if self._single else out

    def predict_interval(
        self, X: Any, level: float = 0.95, kind: str = "posterior", noise: bool = True
    ) -> Interval:
        """Intervals for new observations (or for their means, ``noise=False``) at X."""
        std = self.prediction_std(X, kind, noise)
        q = _quantile(level, self._left())
        width = std * (q[0] if self._single else q)
        mean = self._linear(X).reshape(width.shape)
        return Interval(mean - width, mean, mean + width)

    def log_evidence(self) -> np.ndarray | float:
        """Log marginal likelihood at the chosen λ, the free block integrated out, σ² profiled (or known)."""
        value = evidence_of(self._spectral("log_evidence"), self.solution_.alpha)
        return float(value[0]) if self._single else value

    # -- bias and variance ----------------------------------------------------------------------

    def risk(self, alphas: Any = None, target: int = 0) -> Risk:
        """Estimated squared bias and variance per direction, and the risk curve, over λ.

        σ² is the known noise, else the unbiased estimate of the unpenalised fit, else rss/(n − df).
        """
        r = self._spectral("risk")
        a = grid(r.spectrum.s) if alphas is None else np.atleast_1d(np.asarray(alphas, dtype=float))
        return risk(r, a, self._noise_variance(r, target), target)

    def equivalents(self) -> Equivalents:
        """The chosen λ as a radius, a fraction of length, degrees of freedom, a prior variance, and factors."""
        return equivalents(self._spectral("equivalents"), self.solution_.alpha, self.solution_.sigma2)

    # -- rows and columns -----------------------------------------------------------------------

    def leverages(self) -> np.ndarray:
        """(n,) or (n, t) diagonal of the hat matrix at the chosen λ; 0 for rows of weight 0."""
        r = self._spectral("leverages")
        self._rows("leverages")
        columns = np.column_stack([leverages(r, float(a)) for a in self.solution_.alpha])
        kept = self._fit.kept
        if kept is not None:
            whole = np.zeros((kept.size, columns.shape[1]))
            whole[kept] = columns
            columns = whole
        return columns[:, 0] if np.unique(self.solution_.alpha).size == 1 else columns

    def vif(self, definition: str = "marquardt", target: int = 0) -> np.ndarray:
        """(p,) variance inflation factors at the chosen λ.

        Parameters
        ----------
        definition : {"marquardt", "fox-monette"}
            "marquardt": sampling variance over that of an orthogonal column alone; on standardized columns
            diag((R + kI)⁻¹ R (R + kI)⁻¹) with k = λ/Σw (Marquardt 1970); falls below 1 for large λ.
            "fox-monette": diagonal of the inverse correlation matrix of the estimates (Fox & Monette 1992;
            genridge prints its square root); never below 1. Without a penalty both are the usual VIF.
        """
        r = self._spectral("vif")
        s = r.spectrum
        covariance = sampling_covariance(s.map.toarray(), s.free.T, s.s, float(self.solution_.alpha[target]))
        if definition == "fox-monette":
            return fox_monette_vif(covariance)
        if definition != "marquardt":
            raise unknown_option("definition of VIF", definition, ["marquardt", "fox-monette"])
        return marquardt_vif(covariance, s.weight * self._column_spread() ** 2)

    def nested_score(self, folds: int = 5, seed: int = 0) -> Nested:
        """Honest error of the whole procedure: λ chosen anew without each outer fold, then scored on it.

        Where λ was given, it is held fixed; every rule is used as it was in ``fit``, but for splits of the
        user's, which become K-fold over the other outer folds.
        """
        check_is_fitted(self)
        return nested_of(self._fit, self._rows("nested_score"), folds, seed)

    # -- what the above stand on ----------------------------------------------------------------

    def _spectral(self, what: str) -> Rotated:
        check_is_fitted(self)
        if self.rotated_ is None:
            raise UsageError(
                f"{what} needs a spectrum, and solver {self.solver_!r} leaves none: fit with solver='auto'"
                + (" and positive=False" if getattr(self, "positive", False) else "")
            )
        return self.rotated_

    def _rows(self, what: str) -> Problem:
        if self._fit.problem is None:
            raise MissingRows(
                f"{what} needs the rows, and a model that was pickled no longer has them: fit again"
            )
        return self._fit.problem

    def _simple(self) -> bool:
        return self.penalty is None

    def _left(self) -> np.ndarray:
        """(t,) degrees of freedom left for the noise."""
        r = self._spectral("an interval")
        left = r.spectrum.shape[0] - self.solution_.df
        if np.any(~(left > 0)):
            raise UsageError("no degree of freedom is left to estimate the noise: raise alpha, or add rows")
        return left

    def _noise_variance(self, r: Rotated, target: int) -> float:
        if r.noise is not None:
            return float(r.noise) ** 2
        left = r.spectrum.shape[0] - r.spectrum.free.rank - r.spectrum.directions
        return float(r.rest[target] / left) if left >= 1 else float(self.solution_.sigma2[target])


def _quantile(level: float, left: np.ndarray) -> np.ndarray:
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}: 0.95 is usual")
    return stats.t.ppf(0.5 + level / 2, left)
