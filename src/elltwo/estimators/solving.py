"""What the two faces with a given strength share: parameters, and the solve itself."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions  # the checks that check_estimator reads

from elltwo.estimators.face import PENALTY_OPTIONS, STRENGTH, Face, strengths_per_target
from elltwo.estimators.fitting import Iteration, fit_given, goes_by_moments
from elltwo.estimators.validating import Data, refuse_late

SOLVERS = {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"}

SOLVER_OPTIONS: dict[str, list[Any]] = {
    "alpha": [STRENGTH, "array-like"],
    "fit_intercept": ["boolean"],
    "copy_X": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    "tol": [Interval(Real, 0, None, closed="left")],
    "solver": [StrOptions(SOLVERS)],
    "positive": ["boolean"],
    "random_state": ["random_state"],
}


class SolverFace(Face):
    """Shared by Ridge and RidgeClassifier."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**SOLVER_OPTIONS, **PENALTY_OPTIONS}

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        standardize: bool = False,
        free: Any = None,
        strengths: Any = None,
        prior_mean: Any = None,
        penalty: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.standardize = standardize
        self.free = free
        self.strengths = strengths
        self.prior_mean = prior_mean
        self.penalty = penalty

    def _solve(self, data: Data) -> None:
        """Solve at ``alpha`` on checked data and keep the Fit."""
        problem = self._problem(data)
        alpha = strengths_per_target(self.alpha, data.y.shape[1])
        by_moments = not self.positive and self.solver in ("auto", "sag", "saga") and goes_by_moments(problem)
        with refuse_late(data, by_moments):
            fit = fit_given(problem, alpha, self.solver, self.positive, Iteration(self.tol, self.max_iter))
        self._keep(fit, data)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver not in ("svd", "cholesky", "saga")
        return tags
