"""Ridge for sparse designs too large to factor: λ by probed GCV or K-fold, solutions by conjugate gradients."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from elltwo.errors import InputError, unknown_option
from elltwo.facts.finding import Finding
from elltwo.facts.groupfit import LargeFit
from elltwo.facts.selection import Selection
from elltwo.selecting.stochastic import LargeScore, large_kfold, stochastic_gcv
from elltwo.shrinking.krylov import normal_equations

RULES = ("gcv", "kfold")
DRAWN = 8  # coefficients whose path a page shows


class SparseRidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge with λ chosen, for designs that cannot be factored (200 000 × 50 000 sparse, say).

    minimise Σᵢ wᵢ (yᵢ − b − xᵢᵀw)² + α‖w‖², b free; X is centred implicitly and never densified.

    Parameters
    ----------
    alphas : "auto" or (L,) strengths.
    rule : "gcv" (trace estimated with random probes) or "kfold" (exact folds).
    cv : int, folds for "kfold".
    probes : int, probes for "gcv".
    tol : float, relative residual of the normal equations.
    n_alphas : int, size of the automatic grid.
    fit_intercept, alpha_per_target : bool. random_state : int or None.

    Attributes
    ----------
    coef_ : (p,) or (t, p). intercept_ : float or (t,). alpha_ : float or (t,).
    selection_ : the curve and the choice. df_ : (L,) estimated degrees of freedom (gcv).
    n_iter_ : products with XᵀX for the solutions. residual_ : largest relative residual.

    Source: Hestenes & Stiefel (1952); Golub & von Matt (1997).
    """

    def __init__(
        self,
        alphas: Any = "auto",
        *,
        rule: Any = "gcv",
        cv: Any = 5,
        probes: Any = 4,
        tol: Any = 1e-6,
        n_alphas: Any = 20,
        fit_intercept: Any = True,
        alpha_per_target: Any = False,
        random_state: Any = 0,
    ) -> None:
        self.alphas = alphas
        self.rule = rule
        self.cv = cv
        self.probes = probes
        self.tol = tol
        self.n_alphas = n_alphas
        self.fit_intercept = fit_intercept
        self.alpha_per_target = alpha_per_target
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseRidgeCV:
        """Choose λ and solve; X (n, p) sparse or dense, y (n,) or (n, t)."""
        if self.rule not in RULES:
            raise unknown_option("rule for large designs", self.rule, RULES)
        used = ("probes", self.probes, 1) if self.rule == "gcv" else ("cv", self.cv, 2)
        for name, value, least in (used, ("n_alphas", self.n_alphas, 1)):
            if not isinstance(value, int | np.integer) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}; got {value!r}")
        if isinstance(self.tol, str) or not 0 < self.tol < 1:
            raise InputError(f"tol is a relative residual between 0 and 1; got {self.tol!r}")
        X, y = validate_data(self, X, y, accept_sparse="csr", multi_output=True, y_numeric=True, dtype=float)
        b = np.asarray(y, dtype=float).reshape(len(y), -1)
        w = (
            None
            if sample_weight is None
            else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        )
        if w is not None and not w.all():  # a row of weight 0 is no row, and no rule may count it
            live = np.flatnonzero(w)
            X, b, w = X[live], b[live], w[live]
        auto = isinstance(self.alphas, str) and self.alphas == "auto"
        alphas = self._grid(X, w) if auto else self._given()
        found = self._score(X, b, w, alphas)
        self._keep(found, b.shape[1], 1 if np.ndim(y) == 1 else 2)
        self._kept = self._facts(found, X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(m,) or (m, t) predictions."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        return np.asarray(X @ np.asarray(self.coef_).T) + self.intercept_

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know about this fit: codes, numbers, thresholds, sentences, remedies."""
        check_is_fitted(self)
        # diagnosing and reporting lie above the faces and imports go down: looked up when a person asks
        return tuple(import_module("elltwo.diagnosing.groupfits").look_at_large(self._kept))

    def write_report(
        self, path: str | os.PathLike[str], title: str = "Ridge regression of a large design"
    ) -> None:
        """Write a page: λ and why, degrees of freedom, the largest coefficients, what each λ cost, the findings.

        Raises
        ------
        OutputError : the file cannot be written.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        import_module("elltwo.reporting.large").write_large(path, self._kept, title, names)

    def _facts(self, found: LargeScore, X: Any) -> LargeFit:
        """What a page is made of: small beside the design."""
        curve, at = found.curve, int(np.argmin(np.abs(found.curve.alphas - self.selection_.alpha[0])))
        largest = np.argsort(-np.abs(found.path.coef[at]).max(axis=1), kind="stable")[:DRAWN]
        return LargeFit(
            shape=X.shape,
            stored=int(X.nnz if sparse.issparse(X) else X.size),
            selection=self.selection_,
            df=found.df,
            df_error=found.df_error,
            steps=found.path.steps,
            residual=found.path.residual.max(axis=1),
            tol=float(self.tol),
            probes=int(self.probes if curve.rule == "gcv" else self.cv),
            columns=largest,
            path=found.path.coef[:, largest, 0],
        )

    def _given(self) -> np.ndarray:
        """The strengths asked for, ascending."""
        alphas = np.atleast_1d(
            np.asarray([np.nan] if isinstance(self.alphas, str) else self.alphas, dtype=float)
        )
        if alphas.ndim != 1 or not alphas.size or not np.all((alphas > 0) & np.isfinite(alphas)):
            raise InputError(
                f"alphas must be 'auto' or finite strengths > 0, which conjugate gradients need; got {self.alphas!r}"
            )
        return np.sort(alphas)

    def _grid(self, X: Any, w: np.ndarray | None) -> np.ndarray:
        """From a thousandth of the mean squared singular value to ten times the largest column's."""
        diagonal = normal_equations(X, w, self.fit_intercept).diagonal
        live = diagonal[diagonal > 0]
        low = float(live.mean()) * 1e-3 if live.size else 1e-3
        high = float(live.max()) * 10 if live.size else 1e3
        return np.geomspace(low, high, self.n_alphas)

    def _score(self, X: Any, b: np.ndarray, w: np.ndarray | None, alphas: np.ndarray) -> LargeScore:
        if self.rule == "gcv":
            seed = 0 if self.random_state is None else self.random_state
            return stochastic_gcv(X, b, alphas, w, self.fit_intercept, self.probes, self.tol, seed)
        folds = np.random.default_rng(self.random_state).permutation(X.shape[0]) % self.cv
        return large_kfold(X, b, alphas, folds, w, self.fit_intercept, self.tol)

    def _keep(self, found: LargeScore, targets: int, ndim: int) -> None:
        curve = found.curve
        score = curve.score if self.alpha_per_target else curve.score.mean(axis=1, keepdims=True)
        best = np.broadcast_to(np.argmin(score, axis=0), (targets,))
        alpha = curve.alphas[best]
        edge = "low" if (best == 0).any() else "high" if (best == curve.alphas.size - 1).any() else ""
        edge = edge if curve.alphas.size > 1 else ""
        said = f"; it sits on the {edge} edge of the grid" if edge else ""
        many = f"has the least {curve.unit} among {curve.alphas.size} strengths{said}"
        sentence = (
            f"λ = {alpha[0]:.4g} {many if curve.alphas.size > 1 else 'is the only strength that was given'}."
        )
        least = score[best[: score.shape[1]], np.arange(score.shape[1])]
        self.selection_ = Selection(
            curve.rule, alpha, least, {curve.rule: curve}, {curve.rule: alpha}, edge, sentence
        )
        coef = np.stack([found.path.coef[i, :, j] for j, i in enumerate(best)])
        intercept = np.array([found.path.intercept[i, j] for j, i in enumerate(best)])
        self.df_, self.n_iter_, self.residual_ = (
            found.df,
            found.path.iterations,
            float(found.path.residual.max()),
        )
        self.alpha_ = alpha if self.alpha_per_target else float(alpha[0])
        self.coef_: np.ndarray = coef[0] if ndim == 1 else coef
        self.intercept_: Any = float(intercept[0]) if ndim == 1 else intercept
