"""RidgeClassifierCV: ridge on targets of ±1, the strength chosen from the data."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import ClassifierMixin
from sklearn.metrics import get_scorer
from sklearn.utils._param_validation import StrOptions  # the checks that check_estimator reads

from elltwo.estimators.labelling import Labelled, Labels
from elltwo.estimators.scoring import GivenClassifier, Scoring, weighed
from elltwo.estimators.searching import SearchFace
from elltwo.estimators.validating import make_data


class RidgeClassifierCV(Labelled, ClassifierMixin, SearchFace):
    """Classify by ridge regression on targets of -1 and +1, its strength chosen from the data.

    Minimises, for each target, sum_i w_i (y_i - g - a_i'x)^2 + alpha * ||x||^2 (no 1/2, no 1/n), one alpha
    for all classes. With the defaults this is scikit-learn's RidgeClassifierCV, but for one thing: with
    ``scoring`` and two classes, labels are scored against labels (scikit-learn 1.9 compares a constant
    with a constant there, and keeps the first strength whatever the data).

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,) or "auto", default=(0.1, 1.0, 10.0)
    scoring : str, callable or None
        None: minus the mean squared error on ±1 for leave-one-out, accuracy averaged over folds for ``cv``.
    cv : None, int, splitter, iterable, or one fold label per row
        An int means stratified folds.
    class_weight : dict, "balanced" or None
    fit_intercept, store_cv_results : as in `RidgeCV`.
    rule, one_se, target_df, noise, standardize, free, strengths, prior_mean, penalty : as in `RidgeCV`.

    Attributes
    ----------
    alpha_, best_score_ : float
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
    intercept_, classes_, cv_results_ : as in scikit-learn.
    spectrum_, rotated_, selection_, solution_ : the shared objects of elltwo (`elltwo.facts`).
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        name: options
        for name, options in (
            *SearchFace._parameter_constraints.items(),
            ("class_weight", [dict, StrOptions({"balanced"}), None]),
        )
        if name not in ("gcv_mode", "alpha_per_target", "radius", "length_fraction")
    }

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        class_weight: Any = None,
        store_cv_results: bool = False,
        rule: str | None = None,
        one_se: bool = False,
        target_df: float | None = None,
        noise: float | None = None,
        standardize: bool = False,
        free: Any = None,
        strengths: Any = None,
        prior_mean: Any = None,
        penalty: Any = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.class_weight = class_weight
        self.store_cv_results = store_cv_results
        self.rule = rule
        self.one_se = one_se
        self.target_df = target_df
        self.noise = noise
        self.standardize = standardize
        self.free = free
        self.strengths = strengths
        self.prior_mean = prior_mean
        self.penalty = penalty

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> RidgeClassifierCV:
        """Choose the strength and fit to classes y (n_samples,) or indicators (n_samples, n_classes)."""
        self._validate_params()
        labels = self._label(X, y, sample_weight)
        asked = self._routed(labels.weights, params)
        data = make_data(self, labels.X, labels.targets, labels.weights)
        self._search(data, labels.y, asked, self._scoring(labels, asked.score))
        return self

    def _scoring(self, labels: Labels, params: dict[str, Any]) -> Scoring | None:
        if self.scoring is None and (self.cv is None or self.rule is not None):
            return None
        scorer = get_scorer("accuracy") if self.scoring is None else self._get_scorer()
        name = (
            self.scoring if isinstance(self.scoring, str) else "accuracy" if self.scoring is None else "score"
        )
        model, params = GivenClassifier(self.classes_, self._labels_of), weighed(scorer, params)
        return Scoring(scorer, model, labels.y, labels.targets, params, False, name)

    def _get_scorer_instance(self) -> Any:
        return get_scorer("accuracy")
