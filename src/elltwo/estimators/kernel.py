"""Kernel ridge regression: the drop-in, and the one that chooses λ (and the kernel's width) itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from elltwo.errors import InputError, UsageError, unknown_option
from elltwo.estimators.kernels import Kernel, default_gamma, gamma_family
from elltwo.factoring.kernel import factor_kernel, factor_kernel_values
from elltwo.selecting import select
from elltwo.selecting.joint import OBJECTIVES, optimize_kernel
from elltwo.selecting.registry import find_rule
from elltwo.shrinking import shrink
from elltwo.shrinking.direct import solve_kernel
from elltwo.shrinking.path import check_alphas

APPROXIMATIONS = (None, "nystroem", "fourier")


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

    def __init__(self, alpha=1, *, kernel="linear", gamma=None, degree=3, coef0=1, kernel_params=None):  # type: ignore[no-untyped-def]
        self.alpha = alpha
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KernelRidge:
        """Solve for the dual coefficients; X (n, p) or, precomputed, (n, n); y (n,) or (n, t)."""
        X, b, root, single = _check(self, X, y, sample_weight)
        alpha = check_alphas(np.atleast_1d(self.alpha))
        if alpha.size not in (1, b.shape[1]):
            raise InputError(f"alpha needs one value or one per target ({b.shape[1]}), got {alpha.size}")
        coef = solve_kernel(_kernel(self)(X), b, alpha, root)
        self.dual_coef_ = coef.ravel() if single else coef
        self.X_fit_ = X
        return self

    def predict(self, X: Any) -> np.ndarray:
        """f(x) = Σⱼ cⱼ k(x, xⱼ) for X (m, p) or, precomputed, (m, n)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), reset=False)
        return _kernel(self)(X, self.X_fit_) @ self.dual_coef_


class KernelRidgeCV(KernelRidge):
    """Kernel ridge regression whose strength, and if asked whose kernel width, the data choose.

    minimise Σᵢ wᵢ (yᵢ − f(xᵢ))² + α ‖f‖²_H; every α is scored from one eigendecomposition of K.

    Parameters
    ----------
    alphas : "auto" or (L,)
        Strengths to choose among, or a grid from the spectrum, refined.
    rule : "loo" (exact leave-one-out), "gcv", "rgcv" or "evidence"
        gcv, rgcv and evidence need eigenvalues only, which cost half.
    parameters : "fixed" or "optimize"
        Choose gamma jointly with alpha by gradient of the rule ("loo" or "evidence").
    approximation : None, "nystroem" or "fourier"
        Features in place of the kernel when n is large; `approximation_error_` says what they cost.
    n_components : int
        How many features.
    alpha_per_target : bool
    kernel, gamma, degree, coef0, kernel_params, random_state

    Attributes
    ----------
    alpha_ : float or (t,). gamma_ : float or None. best_score_ : float, the rule's value (lower is better).
    rotated_, spectrum_, selection_, solution_ : the shared facts; norm is the RKHS norm.
    approximation_error_ : float or None, (tr K − tr K̂)/tr K.
    sigma2_ : (t,) noise variance of the Gaussian-process reading, α yᵀ(K + α)⁻¹y/n.

    Source: Golub, Heath & Wahba (1979); Rasmussen & Williams (2006) ch. 2 and 5; Williams & Seeger (2001).
    """

    def __init__(  # type: ignore[no-untyped-def]
        self,
        alphas="auto",
        *,
        kernel="rbf",
        gamma=None,
        degree=3,
        coef0=1,
        kernel_params=None,
        rule="loo",
        parameters="fixed",
        approximation=None,
        n_components=400,
        alpha_per_target=False,
        random_state=None,
    ):
        super().__init__(kernel=kernel, gamma=gamma, degree=degree, coef0=coef0, kernel_params=kernel_params)
        del self.alpha
        self.alphas = alphas
        self.rule = rule
        self.parameters = parameters
        self.approximation = approximation
        self.n_components = n_components
        self.alpha_per_target = alpha_per_target
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KernelRidgeCV:
        """Choose the strength, then solve; X (n, p) or, precomputed, (n, n); y (n,) or (n, t)."""
        if self.approximation not in APPROXIMATIONS:
            raise unknown_option("approximation", self.approximation, APPROXIMATIONS)
        X, b, root, single = _check(self, X, y, sample_weight)
        self.X_fit_, self.gamma_, self.approximation_error_ = X, self.gamma, None
        if self.parameters == "optimize":
            self.gamma_ = self._optimized_gamma(X, b, root)
        elif self.parameters != "fixed":
            raise unknown_option("parameters", self.parameters, ("fixed", "optimize"))
        if self.approximation is not None:
            self._fit_features(X, b, root)
        else:
            self._fit_kernel(self._kernel(), X, b, root)
        self.spectrum_ = self.rotated_.spectrum
        chosen = self.selection_.alpha
        self.alpha_ = chosen.copy() if self.alpha_per_target else float(chosen[0])
        self.best_score_ = float(np.mean(self.selection_.score))
        if single:
            self.dual_coef_ = self.dual_coef_.ravel()
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Posterior mean f(x) (m,) or (m, t), and with ``return_std`` its standard deviation, noise excluded.

        Under f ~ GP(0, σ²k/α): var f(x) = (σ²/α)(k(x, x) − k(x)ᵀ(K + αW⁻¹)⁻¹k(x)).
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), reset=False)
        rows = self._features(X) if self.approximation is not None else self._kernel()(X, self.X_fit_)
        mean = rows @ self.dual_coef_
        if not return_std:
            return mean
        variance = self._prior_variance(X, rows) - self._explained(rows)
        std = np.sqrt(np.maximum(variance, 0.0))
        return mean, (std[:, 0] if mean.ndim == 1 else std)

    def _kernel(self) -> Kernel:
        return replace(_kernel(self), gamma=self.gamma_)

    def _fit_kernel(self, kernel: Kernel, X: Any, b: np.ndarray, root: np.ndarray | None) -> None:
        K = kernel(X)
        cheap = find_rule(self.rule).cheap
        self.rotated_ = (factor_kernel_values if cheap else factor_kernel)(K, b, root)
        self._select(b)
        self.dual_coef_ = solve_kernel(K, b, self.selection_.alpha, root)
        self.solution_ = self._solution(np.zeros((0, b.shape[1])))

    def _fit_features(self, X: Any, b: np.ndarray, root: np.ndarray | None) -> None:
        from elltwo.factoring import factor
        from elltwo.facts.problem import Problem

        self._transformer = _transformer(self).fit(X)
        Z = np.asarray(self._transformer.transform(X))
        diagonal = self._kernel().diagonal(X)
        self.approximation_error_ = float(abs(np.sum(diagonal) - np.sum(Z**2)) / np.sum(diagonal))
        self.rotated_ = factor(Problem(Z, b, None if root is None else root**2, intercept=False))
        self._select(b)
        self.solution_ = shrink(self.rotated_, self.selection_.alpha)
        self.dual_coef_ = self.solution_.coef

    def _select(self, b: np.ndarray) -> None:
        alphas = (
            None
            if isinstance(self.alphas, str) and self.alphas == "auto"
            else np.asarray(self.alphas, dtype=float)
        )
        per_target = bool(self.alpha_per_target)
        self.selection_ = select(self.rotated_, self.rule, alphas=alphas, per_target=per_target)
        alpha = self.selection_.alpha
        n = b.shape[0]
        left = alpha / (self.rotated_.spectrum.s[:, None] ** 2 + alpha)
        self.sigma2_ = (self.rotated_.rest + np.sum(left * self.rotated_.z**2, axis=0)) / n

    def _solution(self, none: np.ndarray) -> Any:
        """The facts at the chosen strength; the coefficients are dual."""
        bare = replace(self.rotated_, spectrum=replace(self.rotated_.spectrum, map=_Zero(none)))
        return replace(shrink(bare, self.selection_.alpha), coef=self.dual_coef_)

    def _optimized_gamma(self, X: Any, b: np.ndarray, root: np.ndarray | None) -> float:
        if root is not None or self.approximation is not None:
            raise UsageError(
                "parameters='optimize' takes neither weights nor an approximation: leave them out"
            )
        rule = self.rule if self.rule in OBJECTIVES else "loo"
        kernel = _kernel(self)
        start = default_gamma(kernel, X)
        rotated = factor_kernel_values(replace(kernel, gamma=start)(X), b)
        alpha = float(select(rotated, "gcv", per_target=False, others=False).alpha[0])
        top = float(rotated.spectrum.s[0]) ** 2
        first = np.log(np.clip(alpha, 1e-8 * top, top))
        self.joint_ = optimize_kernel(
            gamma_family(kernel, X), b, np.array([np.log(start)]), float(first), rule
        )
        return float(np.exp(self.joint_.parameters[0]))

    def _features(self, X: Any) -> np.ndarray:
        return np.asarray(self._transformer.transform(X))

    def _prior_variance(self, X: Any, rows: np.ndarray) -> np.ndarray:
        if self.kernel == "precomputed":
            raise UsageError(
                "a standard deviation needs k(x, x), which a precomputed kernel does not say: pass a kernel"
            )
        diagonal = (rows**2).sum(axis=1) if self.approximation is not None else self._kernel().diagonal(X)
        return diagonal[:, None] * (self.sigma2_ / self.selection_.alpha)

    def _explained(self, rows: np.ndarray) -> np.ndarray:
        """(m, t) (σ²/α) k(x)ᵀ(K + αW⁻¹)⁻¹k(x), or its counterpart for features."""
        alpha = self.selection_.alpha
        K = None if self.approximation is not None else self._kernel()(self.X_fit_)
        out = np.empty((rows.shape[0], alpha.size))
        for j, a in enumerate(alpha):
            if K is None:
                V, s = self.spectrum_.map.toarray(), self.spectrum_.s
                quadratic = (rows @ V) ** 2 @ (s**2 / (s**2 + a))
            else:
                quadratic = np.einsum(
                    "ij,ji->i", rows, solve_kernel(K, rows.T, np.array([a]), self.spectrum_.root)
                )
            out[:, j] = quadratic * self.sigma2_[j] / a
        return out


class _Zero:
    """A map without coefficients, for solutions whose coefficients were solved for directly."""

    def __init__(self, none: np.ndarray) -> None:
        self.none = none

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        return self.none

    def toarray(self) -> np.ndarray:
        return self.none


def _kernel(estimator: KernelRidge) -> Kernel:
    e = estimator
    return Kernel(e.kernel, e.gamma, e.degree, e.coef0, e.kernel_params)


def _transformer(e: KernelRidgeCV) -> Any:
    from sklearn.kernel_approximation import Nystroem, RBFSampler

    if e.approximation == "fourier":
        if e.kernel != "rbf":
            raise UsageError(
                f"random Fourier features approximate the rbf kernel, not {e.kernel!r}: use 'nystroem'"
            )
        gamma = e.gamma_ if e.gamma_ is not None else 1.0 / e.n_features_in_
        return RBFSampler(gamma=gamma, n_components=e.n_components, random_state=e.random_state)
    chosen = {"gamma": e.gamma_, "degree": e.degree, "coef0": e.coef0}
    used = {"rbf": ["gamma"], "laplacian": ["gamma"], "chi2": ["gamma"], "sigmoid": ["gamma", "coef0"]}
    used["poly"] = used["polynomial"] = ["gamma", "degree", "coef0"]
    params = {name: chosen[name] for name in used.get(str(e.kernel), [])}
    extra = {"kernel_params": e.kernel_params} if callable(e.kernel) else params
    return Nystroem(kernel=e.kernel, n_components=e.n_components, random_state=e.random_state, **extra)


def _check(
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
