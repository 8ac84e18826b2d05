"""RidgeClassifier: ridge on targets of ±1, at a given strength."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions  # the checks that check_estimator reads

from elltwo.estimators.face import refuse_solver
from elltwo.estimators.labelling import Labelled
from elltwo.estimators.solving import SolverFace
from elltwo.estimators.validating import make_data


class RidgeClassifier(Labelled, ClassifierMixin, SolverFace):
    """Classify by ridge regression on targets of -1 and +1, one per class (a single one for two classes).

    Minimises, for each target, sum_i w_i (y_i - g - a_i'x)^2 + alpha * ||x||^2 (no 1/2, no 1/n), and
    predicts the class of the largest fitted target. With the defaults this is scikit-learn's
    RidgeClassifier.

    Parameters
    ----------
    alpha : float, default=1.0
    class_weight : dict, "balanced" or None
        Weights of classes, multiplied into sample weights.
    fit_intercept, copy_X, max_iter, tol, solver, positive, random_state : as in `Ridge`.
    standardize, free, strengths, prior_mean, penalty : as in `Ridge`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,), or 0.0
    classes_ : ndarray of shape (n_classes,)
    n_iter_, solver_, spectrum_, rotated_, solution_ : as in `Ridge`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SolverFace._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        class_weight: Any = None,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        standardize: bool = False,
        free: Any = None,
        strengths: Any = None,
        prior_mean: Any = None,
        penalty: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            fit_intercept=fit_intercept,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            solver=solver,
            positive=positive,
            random_state=random_state,
            standardize=standardize,
            free=free,
            strengths=strengths,
            prior_mean=prior_mean,
            penalty=penalty,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> RidgeClassifier:
        """Fit at ``alpha`` to classes y (n_samples,) or indicators (n_samples, n_classes)."""
        self._validate_params()
        refuse_solver(self.solver, self.positive, X, self.fit_intercept)
        labels = self._label(X, y, sample_weight)
        self._solve(make_data(self, labels.X, labels.targets, labels.weights))
        return self
