"""A model as a scikit-learn Pipeline made of scikit-learn's own classes: loading it needs no elltwo."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.errors import UsageError
from elltwo.facts.model import FittedModel
from elltwo.facts.plan import ColumnPlan
from elltwo.reporting.export.terms import Term, terms


def _number_step(column: ColumnPlan, found: list[Term]) -> tuple[Any, list[list[float]], list[float]]:
    """value (imputed) and a 0/1 for missing; coefficient rows; no shift of the intercept."""
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.pipeline import FeatureUnion

    mean = column.impute[0] if column.impute else 0.0
    fill = SimpleImputer(strategy="constant", fill_value=mean, keep_empty_features=True)
    step = FeatureUnion([("value", fill), ("missing", MissingIndicator(features="all"))])
    slopes = [t.slopes[""] for t in found]
    return step, [slopes, [t.missing - t.slopes[""] * mean for t in found]], [0.0] * len(found)


def _category_step(column: ColumnPlan, found: list[Term]) -> tuple[Any, list[list[float]], list[float]]:
    """One 0/1 column per level and for missing (None or NaN), relative to an unseen level, which has none."""
    from sklearn.preprocessing import OneHotEncoder

    categories = [np.array([*column.levels, None, np.nan], dtype=object)]
    step = OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False)
    rows = [[t.levels[level] - t.unseen for t in found] for level in column.levels]
    rows += [[t.missing - t.unseen for t in found]] * 2
    return step, rows, [t.unseen for t in found]


def to_sklearn(model: FittedModel) -> Any:
    """A fitted Pipeline(ColumnTransformer, Ridge or RidgeClassifier) that predicts a data frame.

    Raises
    ------
    UsageError
        The model has date columns, for which scikit-learn has no transformer of its own; or pandas, which
        names the columns, is not installed.
    """
    if any(c.kind == "date" for c in model.plan.used):
        raise UsageError(
            "scikit-learn has no transformer for date columns: export to ONNX, SQL or Python instead"
        )
    try:
        import pandas as pd
    except ImportError:
        raise UsageError(
            "a scikit-learn pipeline by column names needs pandas: run pip install pandas"
        ) from None
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import Ridge, RidgeClassifier
    from sklearn.pipeline import Pipeline

    found = [terms(model, out) for out in model.outputs]
    steps, coef, shift = [], [], np.array([out.intercept for out in model.outputs])
    example: dict[str, Any] = {}
    for at, column in enumerate(model.plan.used):
        category = column.kind == "category"
        step, rows, extra = (_category_step if category else _number_step)(column, [f[at] for f in found])
        steps.append((column.name, step, [column.name]))
        coef += rows
        shift = shift + np.array(extra)
        example[column.name] = np.array([None], dtype=object) if category else np.array([0.0])
    columns = ColumnTransformer(steps).fit(pd.DataFrame(example))
    ridge = (RidgeClassifier if model.classes else Ridge)(alpha=max(model.outputs[0].alpha, 0.0))
    one = len(model.outputs) == 1
    ridge.coef_ = np.array(coef).T[0] if one and not model.classes else np.array(coef).T
    ridge.intercept_ = float(shift[0]) if one and not model.classes else shift
    ridge.n_features_in_, ridge.n_iter_, ridge.solver_ = len(coef), None, "elltwo"
    if model.classes:
        _name_classes(ridge, model)
    return Pipeline([("columns", columns), ("ridge", ridge)])


def _name_classes(ridge: Any, model: FittedModel) -> None:
    from sklearn.preprocessing import LabelBinarizer

    labels = LabelBinarizer(pos_label=1, neg_label=-1).fit(np.array(model.classes, dtype=object))
    ridge._label_binarizer, ridge.classes_ = labels, labels.classes_
