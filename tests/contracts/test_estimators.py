"""Every face passes scikit-learn's contract for estimators."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from elltwo import Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV

FACES = [
    Ridge(),
    Ridge(solver="svd"),
    Ridge(positive=True),
    Ridge(standardize=True),
    RidgeCV(),
    RidgeCV(alphas="auto"),
    RidgeCV(alphas="auto", rule="gcv"),
    RidgeCV(rule="kfold", cv=3),
    RidgeClassifier(),
    RidgeClassifierCV(),
    RidgeClassifierCV(alphas="auto"),
]


def expected(estimator: Any) -> dict[str, str]:
    """Checks that cannot hold, and why."""
    if isinstance(
        estimator, (Ridge, RidgeClassifier)
    ):  # scikit-learn excepts its own Ridge from this one too
        return {"check_non_transformer_estimators_n_iter": "n_iter_ is None where no iteration was run"}
    return {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@parametrize_with_checks(FACES, expected_failed_checks=expected)
def test_every_face_keeps_the_contract_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)
