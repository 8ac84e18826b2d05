"""A fitted face shows itself: findings and the report, with the numbers that it tells elsewhere."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from elltwo import Ridge, RidgeClassifierCV, RidgeCV
from elltwo.diagnosing import diagnose
from elltwo.errors import UsageError
from elltwo.reporting.words import shown

X, Y = load_diabetes(return_X_y=True, as_frame=True)


def page(model, tmp_path, **options) -> str:
    model.write_report(tmp_path / "page.html", **options)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_report_quotes_the_nested_score_and_names_the_columns(tmp_path):
    model = RidgeCV(alphas="auto", standardize=True).fit(X, Y)
    text = page(model, tmp_path, target="progression")
    assert f"typical error of ±{shown(float(np.sqrt(model.nested_score().error[0])))}" in text
    assert "Ridge regression of progression" in text
    assert all(name in text for name in X.columns)
    assert "RidgeCV(alphas=&#39;auto&#39;, standardize=True).fit(X, y)" in text


@pytest.mark.parametrize(
    "model",
    [
        RidgeCV(target_df=4),
        RidgeCV(radius=300.0),
        RidgeCV(rule="lcurve", alphas="auto"),
        RidgeCV(cv=5, rule="kfold"),
        Ridge(alpha=0.0),
        Ridge(alpha=[1.0]),
    ],
)
def test_every_way_to_a_strength_has_a_report(model, tmp_path):
    assert "</html>" in page(model.fit(X, Y), tmp_path)


def test_a_classifier_and_several_targets_have_reports(tmp_path):
    assert "</html>" in page(RidgeClassifierCV().fit(X, Y > 140), tmp_path)
    both = Ridge(alpha=[1.0, 2.0]).fit(X, np.column_stack([Y, Y**2]))
    assert "Ridge regression of squared" in page(both, tmp_path, which=1, target="squared")


def test_a_pickled_model_still_has_a_report_without_the_honest_error(tmp_path):
    model = pickle.loads(pickle.dumps(RidgeCV(alphas="auto").fit(X, Y)))
    assert "nested cross-validation gives the honest figure" in page(model, tmp_path)


def test_findings_are_those_of_the_facts_and_count_rows_of_weight_zero():
    w = np.ones(len(Y))
    w[:100] = 0
    spoiled = Y.to_numpy().copy()
    spoiled[200] = 5000.0
    model = RidgeCV(alphas="auto").fit(X, spoiled, w)
    told = {f.code: f for f in model.findings()}
    assert "data row 201," in told["far-rows"].sentence
    plain = RidgeCV(alphas="auto").fit(X, Y)
    assert plain.findings() == diagnose(plain.rotated_, plain.solution_, plain.selection_, list(X.columns))


def test_a_fit_without_a_spectrum_says_what_to_change(tmp_path):
    with pytest.raises(UsageError, match="write_report needs a spectrum"):
        Ridge(solver="lsqr").fit(X, Y).write_report(tmp_path / "r.html")
