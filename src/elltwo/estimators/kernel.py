"""Kernel ridge regression at a given strength: the drop-in."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from elltwo.errors import InputError
from elltwo.estimators.kernels import Kernel
from elltwo.shrinking.direct import solve_kernel
from elltwo.shrinking.path import check_alphas


class KernelRidge(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Kernel ridge regression at a given strength.

    minimise Σᵢ wᵢ (yᵢ − f(xᵢ))² + α ‖f‖²_H over f = Σⱼ cⱼ k(·, xⱼ), hence c = (K + α W⁻¹)⁻¹ y.

    Same parameters, attributes and answers as `sklearn.kernel_ridge.KernelRidge`; no intercept.

    Parameters
    ----------
    alpha : float or (t,)
        Total strength, one or one per target.
    kernel : str or callable
        A name from `sklearn.metrics.pairwise`, "precomputed", or a function of two rows.
    gamma, degree, coef0, kernel_params
        Parameters of the kernel.

    Attributes
    ----------
    dual_coef_ : (n,) or (n, t) c.
    X_fit_ : the training rows (or the precomputed kernel).

    Source: Saunders, Gammerman & Vovk, ICML 1998; Murphy (2012) §14.4.3.
    """

    def __init__(
        self,
        alpha: Any = 1,
        *,
        kernel: Any = "linear",
        gamma: Any = None,
        degree: Any = 3,
        coef0: Any = 1,
        kernel_params: Any = None,
    ) -> None:
        self.alpha = alpha
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KernelRidge:
        """Solve for the dual coefficients; X (n, p) or, precomputed, (n, n); y (n,) or (n, t)."""
        X, b, root, single = checked(self, X, y, sample_weight)
        alpha = check_alphas(np.atleast_1d(self.alpha))
        if alpha.size not in (1, b.shape[1]):
            raise InputError(f"alpha needs one value or one per target ({b.shape[1]}), got {alpha.size}")
        coef = solve_kernel(kernel_of(self)(X), b, alpha, root)
        self.dual_coef_ = coef.ravel() if single else coef
        self.X_fit_ = X
        return self

    def predict(self, X: Any) -> np.ndarray:
        """f(x) = Σⱼ cⱼ k(x, xⱼ) for X (m, p) or, precomputed, (m, n)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), reset=False)
        return kernel_of(self)(X, self.X_fit_) @ self.dual_coef_


def kernel_of(estimator: KernelRidge) -> Kernel:
    e = estimator
    return Kernel(e.kernel, e.gamma, e.degree, e.coef0, e.kernel_params)


def checked(
    e: KernelRidge, X: Any, y: Any, sample_weight: Any
) -> tuple[Any, np.ndarray, np.ndarray | None, bool]:
    X, y = validate_data(e, X, y, accept_sparse=("csr", "csc"), multi_output=True, y_numeric=True)
    root = None
    if sample_weight is not None and not isinstance(sample_weight, (int, float)):
        root = np.sqrt(_check_sample_weight(sample_weight, X, ensure_non_negative=True))
    elif sample_weight is not None:
        root = np.sqrt(np.full(X.shape[0], float(sample_weight)))
    b = np.asarray(y, dtype=float)
    return X, b.reshape(len(b), -1), root, b.ndim == 1
