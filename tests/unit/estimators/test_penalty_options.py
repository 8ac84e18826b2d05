"""Every option of the penalty gives the coefficients of a brute-force refit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from elltwo import Ridge, RidgeCV
from elltwo.facts.problem import Penalty, Problem
from problems import random_problem, refit

P = 6
RNG = np.random.default_rng(5)
STRENGTHS = RNG.uniform(0.3, 3.0, P)
DIFFERENCES = np.diff(np.eye(P), axis=0)
PRIOR = RNG.normal(size=P)

# options of the face, and the same in the words of the core
OPTIONS = {
    "none": ({}, Penalty()),
    "standardize": ({"standardize": True}, Penalty(standardize=True)),
    "free": ({"free": [0, -1]}, Penalty(scale=np.r_[0.0, np.ones(P - 2), 0.0])),
    "strengths": ({"strengths": STRENGTHS}, Penalty(scale=np.sqrt(STRENGTHS))),
    "strengths, standardized": (
        {"strengths": STRENGTHS, "standardize": True},
        Penalty(scale=np.sqrt(STRENGTHS), standardize=True),
    ),
    "prior mean": ({"prior_mean": PRIOR}, Penalty(x0=PRIOR)),
    "penalty matrix": ({"penalty": DIFFERENCES}, Penalty(operator=DIFFERENCES)),
    "sparse penalty matrix": ({"penalty": sparse.csr_array(DIFFERENCES)}, Penalty(operator=DIFFERENCES)),
    "free and a prior mean": (
        {"free": 2, "prior_mean": PRIOR},
        Penalty(scale=np.r_[1.0, 1.0, 0.0, np.ones(P - 3)], x0=PRIOR),
    ),
}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("name", OPTIONS)
def test_ridge_solves_the_objective_that_its_options_state(name: str, weights: bool, intercept: bool) -> None:
    options, penalty = OPTIONS[name]
    problem = random_problem(n=30, p=P, weights=weights, intercept=intercept, penalty=penalty)
    model = Ridge(alpha=2.5, fit_intercept=intercept, **options).fit(problem.A, problem.b, problem.weights)
    answer = refit(problem, 2.5)
    np.testing.assert_allclose(model.coef_.T, answer.coef, atol=1e-11)
    np.testing.assert_allclose(model.intercept_, answer.intercept, atol=1e-10)


@pytest.mark.parametrize("name", [n for n in OPTIONS if "matrix" not in n])
def test_sparse_designs_give_the_answers_of_dense_ones(name: str) -> None:
    options, _ = OPTIONS[name]
    problem = random_problem(n=30, p=P)
    A = np.where(np.abs(problem.A - 3) > 0.5, problem.A, 0.0)
    dense = Ridge(alpha=0.7, **options).fit(A, problem.b, problem.weights)
    thin = Ridge(alpha=0.7, **options).fit(sparse.csr_array(A), problem.b, problem.weights)
    np.testing.assert_allclose(thin.coef_, dense.coef_, atol=1e-10)
    assert thin.solver_ == "gram"


def test_one_strength_per_target_is_each_target_fitted_alone() -> None:
    problem = random_problem(t=3)
    model = Ridge(alpha=[0.1, 1.0, 10.0], standardize=True).fit(problem.A, problem.b, problem.weights)
    for j, alpha in enumerate((0.1, 1.0, 10.0)):
        alone = Ridge(alpha=alpha, standardize=True).fit(problem.A, problem.b[:, j], problem.weights)
        np.testing.assert_allclose(model.coef_[j], alone.coef_, atol=1e-12)


def test_a_prior_mean_per_target_is_taken_in_the_shape_of_coef() -> None:
    problem = random_problem(p=4, t=2)
    prior = np.arange(8.0).reshape(2, 4)
    model = Ridge(alpha=1e12, prior_mean=prior).fit(problem.A, problem.b)
    np.testing.assert_allclose(model.coef_, prior, atol=1e-6)


def test_free_columns_can_be_named_numbered_or_masked() -> None:
    problem = random_problem(p=4, t=1)
    frame = pd.DataFrame(problem.A, columns=list("abcd"))
    fits = [
        Ridge(alpha=5.0, free=free).fit(frame, problem.b[:, 0]).coef_
        for free in ("b", ["b"], 1, [1], [False, True, False, False])
    ]
    for coef in fits[1:]:
        np.testing.assert_array_equal(coef, fits[0])


def test_standardized_coefficients_are_those_of_standardized_columns() -> None:
    problem = random_problem(t=1, weights=False)
    spread = problem.A.std(axis=0)
    Z = (problem.A - problem.A.mean(axis=0)) / spread
    model = Ridge(alpha=3.0, standardize=True).fit(problem.A, problem.b[:, 0])
    by_hand = Ridge(alpha=3.0).fit(Z, problem.b[:, 0])
    np.testing.assert_allclose(model.coef_standardized_, by_hand.coef_, atol=1e-12)
    np.testing.assert_allclose(model.coef_ * spread, by_hand.coef_, atol=1e-12)


def test_a_constant_column_gets_no_coefficient_under_standardization() -> None:
    problem = random_problem(t=1)
    A = np.column_stack([problem.A, np.full(len(problem.A), 7.0)])
    model = Ridge(standardize=True).fit(A, problem.b[:, 0])
    assert model.coef_[-1] == 0.0
    np.testing.assert_allclose(
        model.coef_[:-1], Ridge(standardize=True).fit(problem.A, problem.b[:, 0]).coef_
    )


def test_float32_in_gives_float32_out_with_the_digits_of_float64() -> None:
    problem = random_problem(t=2)
    exact = RidgeCV().fit(problem.A, problem.b)
    single = RidgeCV().fit(problem.A.astype(np.float32), problem.b.astype(np.float32))
    assert (
        single.coef_.dtype == single.intercept_.dtype == single.predict(problem.A.astype("f4")).dtype == "f4"
    )
    np.testing.assert_allclose(single.coef_, exact.coef_, rtol=2e-6, atol=2e-6)


def test_a_wide_design_with_free_columns_is_solved_exactly() -> None:
    rng = np.random.default_rng(3)
    A, y = rng.normal(size=(12, 30)), rng.normal(size=12)
    scale = np.ones(30)
    scale[[0, 4]] = 0.0
    answer = refit(Problem(A, y[:, None], penalty=Penalty(scale=scale)), 0.9)
    model = Ridge(alpha=0.9, free=[0, 4]).fit(A, y)
    np.testing.assert_allclose(model.coef_, answer.coef[:, 0], atol=1e-11)


def test_the_fit_says_when_the_gram_route_was_left_for_an_svd() -> None:
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.normal(size=(6000, 90)))[0]
    V = np.linalg.qr(rng.normal(size=(90, 90)))[0]
    A = U * np.geomspace(1.0, 1e-9, 90) @ V.T
    y = A @ rng.normal(size=90)
    model = Ridge(alpha=1e-19, fit_intercept=False).fit(A, y)
    assert model.solver_ == "svd"
    assert "too few digits" in model.spectrum_.origin.reason
