"""scikit-learn's scorers as rules: predictions for held-out rows at every λ, without refitting."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from elltwo.errors import ChoiceWarning
from elltwo.facts.rotated import Fold
from elltwo.laws.ridge import gains
from elltwo.selecting.kfold import kfold
from elltwo.selecting.loo import loo_residuals
from elltwo.selecting.registry import Evidence, Rule, Scored


class GivenRegressor(RegressorMixin, BaseEstimator):
    """What a scorer gets in place of a model: the rows it is asked about are the predictions."""

    def predict(self, predictions: np.ndarray) -> np.ndarray:
        """The predictions themselves."""
        return predictions


class GivenClassifier(ClassifierMixin, BaseEstimator):
    """As GivenRegressor, with decision values for rows and labels for predictions."""

    def __init__(self, classes: np.ndarray | None = None, label: Callable[..., Any] | None = None) -> None:
        self.classes = classes
        self.label = label
        self.classes_ = classes

    def decision_function(self, decision: np.ndarray) -> np.ndarray:
        """The decision values, one column dropped where there are two classes."""
        return decision[:, 0] if decision.ndim == 2 and decision.shape[1] == 1 else decision

    def predict(self, decision: np.ndarray) -> np.ndarray:
        """Labels of the decision values."""
        assert self.label is not None
        return self.label(decision)


@dataclass(frozen=True)
class Scoring:
    """A scorer, the truth, and how to ask.

    Attributes
    ----------
    scorer : callable (estimator, predictions, truth, **params) -> float, greater is better.
    model : GivenRegressor or GivenClassifier.
    truth : (n,) or (n, t) as scorers want it.
    targets : (n, t) what predictions are compared with in the problem (±1 for classes).
    params : sample weights and the like, one entry per row where they have n rows.
    per_target : score each target by itself.
    name : what it is called.
    """

    scorer: Callable[..., Any]
    model: Any
    truth: np.ndarray
    targets: np.ndarray
    params: dict[str, Any]
    per_target: bool = False
    name: str = "score"

    def __call__(self, predictions: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """(1,) or (t,) scores of predictions (m, t) for these rows."""
        truth = self.truth[rows]
        n = self.truth.shape[0]
        params = {k: _take(v, rows, n) for k, v in self.params.items()}
        if self.per_target and truth.ndim == 2:
            columns = zip(predictions.T, truth.T, strict=True)
            return np.array([self.scorer(self.model, p, t, **params) for p, t in columns], dtype=float)
        if truth.ndim == 1 and isinstance(self.model, GivenRegressor):
            predictions = predictions[:, 0]
        return np.array([self.scorer(self.model, predictions, truth, **params)], dtype=float)


def weighed(scorer: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The params, without sample weights where the scorer takes none; a warning says so."""
    if params.get("sample_weight") is None:
        return {k: v for k, v in params.items() if k != "sample_weight"}
    if hasattr(scorer, "_accept_sample_weight"):  # what scikit-learn asks its scorers
        accepts = scorer._accept_sample_weight()
    else:
        accepts = "sample_weight" in signature(scorer).parameters
    if accepts:
        return params
    warnings.warn(
        f"the scoring {scorer} takes no sample_weight, so held-out rows count alike in the choice of the strength",
        ChoiceWarning,
        stacklevel=4,
    )
    return {k: v for k, v in params.items() if k != "sample_weight"}


def _take(value: Any, rows: np.ndarray | slice, n: int) -> Any:
    return np.asarray(value)[rows] if np.ndim(value) and len(value) == n else value


def loo_rule(scoring: Scoring, kept: np.ndarray | None) -> Rule:
    """Leave-one-out predictions met by a scorer."""
    rows: np.ndarray | slice = slice(None) if kept is None else np.flatnonzero(kept)

    def score(e: Evidence, alphas: np.ndarray) -> Scored:
        values = []
        for alpha in alphas:
            left_out = loo_residuals(e.rotated, np.array([alpha]))
            values.append(scoring(scoring.targets[rows] - left_out, rows))
        return Scored(-np.array(values))

    unit = f"leave-one-out -{scoring.name}"
    return Rule("loo", frozenset({"rows"}), score, unit, cheap=False, squared_error=False)


def fold_rule(scoring: Scoring, held: list[np.ndarray]) -> Rule:
    """The mean over folds of a scorer on held-out predictions; folds must keep their rows."""

    def score(e: Evidence, alphas: np.ndarray) -> Scored:
        assert e.folds is not None
        G = [gains(fold.s, alphas) for fold in e.folds]
        each = np.array(
            [
                [
                    scoring(_predictions(fold, g[:, i], scoring.targets[rows]), rows)
                    for i in range(alphas.size)
                ]
                for fold, g, rows in zip(e.folds, G, held, strict=True)
            ]
        )
        return _over_folds(-each)

    unit = f"mean held-out -{scoring.name}"
    return Rule("kfold", frozenset({"folds"}), score, unit, cheap=False, squared_error=False)


def _predictions(fold: Fold, gain: np.ndarray, truth: np.ndarray) -> np.ndarray:
    assert fold.design is not None
    assert fold.y is not None
    return truth + (fold.design @ (gain[:, None] * fold.z) - fold.y)


def r2_rule(targets: np.ndarray, weights: np.ndarray | None, held: list[np.ndarray]) -> Rule:
    """The mean over folds (and targets) of weighted R², from held-out squared errors alone.

    scikit-learn's default for cv=; equal to `fold_rule` with its 'r2' scorer, without predictions. R² of a
    constant held-out target is 1 where the fit is perfect and 0 elsewhere, and of a single row undefined, as there.
    """
    total = np.array([_square(targets[r], None if weights is None else weights[r]) for r in held])[:, None, :]
    undefined = min(rows.size for rows in held) < 2

    def score(e: Evidence, alphas: np.ndarray) -> Scored:
        assert e.folds is not None
        sums = kfold(e.folds, alphas).sums  # (K, L, t)
        ratio = np.divide(sums, total, out=np.where(sums > 0, 1.0, 0.0), where=total > 0)
        return _over_folds(np.where(undefined, np.nan, ratio - 1.0).mean(axis=2, keepdims=True))

    return Rule("kfold", frozenset({"folds"}), score, "mean held-out -R2", cheap=False, squared_error=False)


def _square(y: np.ndarray, w: np.ndarray | None) -> np.ndarray:
    """(t,) Σw(y − ȳ)²."""
    centred = y - np.average(y, axis=0, weights=w)
    return np.einsum("ij,ij->j", centred, centred if w is None else centred * w[:, None])


def _over_folds(each: np.ndarray) -> Scored:
    """Mean and standard error over folds of scores (K, L, t)."""
    count = each.shape[0]
    error = each.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else None
    return Scored(each.mean(axis=0), error)
