"""Kernel ridge regression that chooses λ, and if asked the kernel's width, itself."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from elltwo.errors import UsageError
from elltwo.estimators.kernel import KernelRidge, checked, kernel_of
from elltwo.estimators.kernel_choosing import optimized, refuse
from elltwo.estimators.kernel_posterior import KernelRows, amplitude, features_variance, kernel_variance
from elltwo.estimators.kernels import Kernel, approximation_error, transformer_of
from elltwo.factoring.kernel import factor_kernel, factor_kernel_values
from elltwo.facts.finding import Finding
from elltwo.laws.ridge import leftover
from elltwo.selecting import select
from elltwo.selecting.registry import find_rule
from elltwo.shrinking import shrink
from elltwo.shrinking.direct import solve_kernel

LOST = {"nystroem": "tr K lost", "fourier": "‖K‖ wrong"}


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
        Choose gamma jointly with alpha by gradient of the rule ("loo", "gcv" or "evidence"), for the rbf, laplacian,
        chi2 and polynomial kernels.
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
    approximation_error_ : float or None. nystroem: (tr K − tr K̂)/tr K over all rows; fourier, whose trace is
        right by construction: ‖K − K̂‖_F/‖K‖_F on at most 1000 of the rows.
    sigma2_, amplitude_ : (t,) of the Gaussian-process reading: noise variance α yᵀ(K + αW⁻¹)⁻¹y/n, and σ²/α.

    Source: Golub, Heath & Wahba (1979); Rasmussen & Williams (2006) ch. 2 and 5; Williams & Seeger (2001).
    """

    def __init__(
        self,
        alphas: Any = "auto",
        *,
        kernel: Any = "rbf",
        gamma: Any = None,
        degree: Any = 3,
        coef0: Any = 1,
        kernel_params: Any = None,
        rule: Any = "loo",
        parameters: Any = "fixed",
        approximation: Any = None,
        n_components: Any = 400,
        alpha_per_target: Any = False,
        random_state: Any = None,
    ) -> None:
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
        self.X_fit_, b, root, single = checked(self, X, y, sample_weight)
        refuse(self, b.shape[0])
        self.gamma_ = self.gamma
        self._live = slice(None) if root is None or root.all() else np.flatnonzero(root)
        X, b, root = self._rows(), b[self._live], None if root is None else root[self._live]
        self.approximation_error_: float | None = None
        if self.parameters == "optimize":
            self.joint_ = optimized(kernel_of(self), X, b, root, self.rule)
            self.gamma_ = float(np.exp(self.joint_.parameters[0]))
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
        rows = self._features(X) if self.approximation else self._kernel()(X, self.X_fit_)
        mean = rows @ self.dual_coef_
        if not return_std:
            return mean
        std = np.sqrt(self._variance(X, rows))
        return mean, (std[:, 0] if mean.ndim == 1 else std)

    def _variance(self, X: Any, rows: np.ndarray) -> np.ndarray:
        """(m, t) posterior variance; rows are the features, or k(x, ·) over the training rows."""
        alpha = self.selection_.alpha
        if self.approximation is not None:
            return features_variance(self.spectrum_, rows, alpha, self.sigma2_, self.amplitude_)
        if self.kernel == "precomputed":
            raise UsageError(
                "a standard deviation needs k(x, x), which a precomputed kernel does not say: pass a kernel"
            )
        k, live = self._kernel(), rows[:, self._live]
        seen = KernelRows(k(self._rows()), live, k.diagonal(X), self.spectrum_.root)
        return kernel_variance(seen, alpha, self.amplitude_)

    def plot_selection(self) -> Any:
        """Every rule's curve over λ and what each would choose; a matplotlib Figure."""
        check_is_fitted(self)
        # the drawing room lies above this one and imports go down: its name is looked up when it is needed
        draw = import_module("elltwo.reporting.figures").draw
        facts = {"rotated": self.rotated_, "selection": self.selection_, "solution": self.solution_}
        return draw("selection", **facts)

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know about the choice of λ: codes, numbers, sentences, remedies (first target)."""
        check_is_fitted(self)
        look = import_module("elltwo.reporting.spectral").choice_findings
        return tuple(look(self.rotated_, self.solution_, self.selection_))

    def write_report(self, path: str | os.PathLike[str], title: str = "Kernel ridge regression") -> None:
        """Write a page: λ and why, the rules' curves, the Picard plot and the findings (first target).

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        check_is_fitted(self)
        kernel = (
            self.kernel if isinstance(self.kernel, str) else getattr(self.kernel, "__name__", "a function")
        )
        gamma = "default" if self.gamma_ is None else f"{self.gamma_:.4g}"
        lost = self.approximation_error_
        import_module("elltwo.reporting.spectral").write_spectral(
            path,
            rotated=self.rotated_,
            solution=self.solution_,
            selection=self.selection_,
            title=title,
            noise=float(np.sqrt(self.sigma2_[0])),
            facts=[
                ("kernel", f"{kernel}, gamma {gamma}"),
                *(
                    []
                    if lost is None
                    else [
                        (
                            "approximation",
                            f"{self.approximation}, {100 * lost:.2g} % of {LOST[self.approximation]}",
                        )
                    ]
                ),
            ],
        )

    def _kernel(self) -> Kernel:
        return replace(kernel_of(self), gamma=self.gamma_)

    def _rows(self) -> Any:
        """The training rows that have weight (of a precomputed kernel, these rows and columns)."""
        live = self.X_fit_[self._live]
        return live[:, self._live] if self.kernel == "precomputed" else live

    def _fit_kernel(self, kernel: Kernel, X: Any, b: np.ndarray, root: np.ndarray | None) -> None:
        K = kernel(X)
        cheap = find_rule(self.rule).cheap
        self.rotated_ = (factor_kernel_values if cheap else factor_kernel)(K, b, root)
        self._select(b)
        coef = solve_kernel(K, b, self.selection_.alpha, root)
        none = np.zeros((0, b.shape[1]))  # coordinates have no coefficients but the dual ones
        bare = replace(self.rotated_, spectrum=replace(self.rotated_.spectrum, map=_Zero(none)))
        self.solution_ = replace(shrink(bare, self.selection_.alpha), coef=coef)
        self.dual_coef_ = np.zeros((self.X_fit_.shape[0], b.shape[1]))
        self.dual_coef_[self._live] = coef

    def _fit_features(self, X: Any, b: np.ndarray, root: np.ndarray | None) -> None:
        from elltwo.factoring import factor
        from elltwo.facts.problem import Problem

        self._transformer = transformer_of(self, X.shape[0]).fit(X)
        Z = np.asarray(self._transformer.transform(X))
        self.approximation_error_ = approximation_error(self._kernel(), self.approximation, X, Z)
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
        self.amplitude_ = amplitude(self.rotated_, alpha)
        left = leftover(self.rotated_.spectrum.s, alpha)
        self.sigma2_ = (self.rotated_.rest + np.sum(left * self.rotated_.z**2, axis=0)) / b.shape[0]

    def _features(self, X: Any) -> np.ndarray:
        return np.asarray(self._transformer.transform(X))


class _Zero:
    """A map without coefficients, for solutions whose coefficients were solved for directly."""

    def __init__(self, none: np.ndarray) -> None:
        self.none = none

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        return self.none

    def toarray(self) -> np.ndarray:
        return self.none
