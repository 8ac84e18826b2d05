"""Conjugate gradients reach the direct solution; probed GCV and K-fold choose as the exact ones do."""

import numpy as np
import pytest
from scipy import sparse

from elltwo.errors import AccuracyWarning, InputError, UsageError
from elltwo.estimators.large import SparseRidgeCV
from elltwo.factoring import factor
from elltwo.facts.problem import Problem
from elltwo.selecting import criteria
from elltwo.selecting.stochastic import large_kfold, stochastic_gcv
from elltwo.shrinking import krylov
from elltwo.shrinking.krylov import pcg_path
from problems import held_out, refit

RNG = np.random.default_rng(0)
A = sparse.random_array((150, 40), density=0.2, rng=RNG, format="csr")
B = np.column_stack([A @ RNG.normal(size=40), RNG.normal(size=150)]) + 0.3 * RNG.normal(size=(150, 2)) + 5
W = RNG.uniform(0.5, 2, 150)
ALPHAS = np.geomspace(0.05, 20, 8)


@pytest.mark.parametrize("weights", [None, W])
@pytest.mark.parametrize("intercept", [True, False])
def test_conjugate_gradients_reach_the_direct_solution(weights, intercept):
    path = pcg_path(A, B, ALPHAS, weights, intercept, tol=1e-12)
    for i, alpha in enumerate(ALPHAS):
        exact = refit(Problem(A.toarray(), B, weights, intercept), alpha)
        np.testing.assert_allclose(path.coef[i], exact.coef, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(path.intercept[i], exact.intercept, rtol=1e-9, atol=1e-9)
    assert path.residual.max() <= 1e-12


def test_starts_extrapolated_along_the_path_save_iterations():
    together = pcg_path(A, B, ALPHAS, tol=1e-8).iterations
    alone = sum(pcg_path(A, B, np.array([alpha]), tol=1e-8).iterations for alpha in ALPHAS)
    assert together < alone


def test_gcv_with_many_probes_is_the_exact_gcv():
    exact = criteria.gcv(factor(Problem(A.toarray(), B, W)), ALPHAS)
    probed = stochastic_gcv(A, B, ALPHAS, W, probes=400, tol=1e-10)
    np.testing.assert_allclose(probed.curve.score, exact, rtol=0.02)


def test_kfold_is_that_of_refits():
    folds = np.arange(150) % 3
    mine = large_kfold(A, B, ALPHAS[:3], folds, W, tol=1e-12)
    for i, alpha in enumerate(ALPHAS[:3]):
        expected = held_out(Problem(A.toarray(), B, W), folds, alpha)
        np.testing.assert_allclose(mine.curve.score[i], expected, rtol=1e-8)


@pytest.mark.parametrize("rule", ["gcv", "kfold"])
def test_the_face_chooses_a_strength_and_predicts(rule):
    model = SparseRidgeCV(rule=rule).fit(A, B[:, 0])
    assert "has the least" in model.selection_.sentence
    exact = refit(Problem(A.toarray(), B[:, :1]), model.alpha_)
    np.testing.assert_allclose(model.coef_, exact.coef[:, 0], rtol=1e-3, atol=1e-3)
    assert model.score(A, B[:, 0]) > 0.5
    both = SparseRidgeCV(rule=rule, alpha_per_target=True).fit(A, B)
    assert both.alpha_[1] > both.alpha_[0]  # the second target is noise
    assert both.predict(A).shape == (150, 2)


def test_too_few_iterations_are_said(monkeypatch):
    monkeypatch.setattr(krylov, "MOST", 2)
    with pytest.warns(AccuracyWarning, match="relative residual"):
        pcg_path(A, B, ALPHAS, tol=1e-12)


def test_an_unknown_rule_is_refused():
    with pytest.raises(UsageError, match="unknown rule for large designs 'loo'"):
        SparseRidgeCV(rule="loo").fit(A, B)


@pytest.mark.parametrize("options", [{"probes": 0}, {"rule": "kfold", "cv": 1}, {"n_alphas": 0}], ids=str)
def test_a_count_that_is_too_small_is_refused(options):
    with pytest.raises(InputError, match="at least"):
        SparseRidgeCV(**options).fit(sparse.eye_array(6, format="csr"), np.arange(6.0))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"alphas": [0.0, 1.0]}, "finite strengths > 0"),
        ({"alphas": [np.inf]}, "finite strengths > 0"),
        ({"alphas": "few"}, "must be 'auto' or"),
        ({"alphas": []}, "must be 'auto' or"),
        ({"tol": 0}, "relative residual between 0 and 1; got 0"),
        ({"tol": "small"}, "relative residual"),
    ],
)
def test_strengths_and_tolerances_that_cannot_be_met_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        SparseRidgeCV(**options).fit(sparse.eye_array(6, format="csr"), np.arange(6.0))


@pytest.mark.parametrize("rule", ["gcv", "kfold"])
def test_rows_of_weight_zero_are_as_if_they_were_not_there(rule):
    rng = np.random.default_rng(0)
    A = sparse.random_array((300, 80), density=0.1, rng=rng, format="csr")
    b, w = A @ rng.normal(size=80) + rng.normal(size=300), rng.uniform(0.1, 1, 300)
    w[::3], b[::3] = 0, 99
    live = w > 0
    whole = SparseRidgeCV(rule=rule).fit(A, b, w)
    part = SparseRidgeCV(rule=rule).fit(A[live], b[live], w[live])
    assert whole.alpha_ == part.alpha_
    np.testing.assert_array_equal(whole.coef_, part.coef_)
