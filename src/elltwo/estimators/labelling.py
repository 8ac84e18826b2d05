"""Classes as targets of ±1, and back; shared by the two classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from elltwo.estimators.face import Face
from elltwo.estimators.validating import check_data, check_weights


@dataclass(frozen=True)
class Labels:
    """Checked classes.

    Attributes
    ----------
    X : checked design.
    y : (n,) labels, or (n, c) indicators.
    targets : (n, t) ±1; one column for two classes.
    weights : (n,) or None, class weights included.
    """

    X: Any
    y: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None


class Labelled(Face):
    """Turn classes into targets before a fit and decision values into classes after it."""

    class_weight: Any

    def _label(self, X: Any, y: Any, sample_weight: Any) -> Labels:
        X, y = check_data(self, X, y, numeric=False)
        check_classification_targets(y)
        self._label_binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        targets = self._label_binarizer.fit_transform(y).astype(np.float64)
        self.classes_ = self._label_binarizer.classes_
        if not self._label_binarizer.y_type_.startswith("multilabel"):
            y = column_or_1d(y, warn=True)
        weights = check_weights(sample_weight, X)
        if self.class_weight:
            by_class = compute_sample_weight(self.class_weight, y)
            weights = by_class if weights is None else weights * by_class
        return Labels(X, y, targets, weights)

    def decision_function(self, X: Any) -> np.ndarray:
        """Signed distances: (n_samples,) for two classes, else (n_samples, n_classes)."""
        scores = self._linear(X)
        return scores.ravel() if scores.ndim == 2 and scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:  # type: ignore[override]  # a class has no standard deviation
        """Classes of shape (n_samples,), or indicators (n_samples, n_classes) for multilabel targets."""
        check_is_fitted(self)
        return self._labels_of(self.decision_function(X))

    def _labels_of(self, decision: np.ndarray) -> np.ndarray:
        if self._label_binarizer.y_type_.startswith("multilabel"):
            return self._label_binarizer.inverse_transform(np.where(decision > 0, 1.0, -1.0))
        if decision.ndim == 2 and decision.shape[1] > 1:
            return self.classes_[np.argmax(decision, axis=1)]
        return self.classes_[(decision.ravel() > 0).astype(int)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
