"""Solvers by scikit-learn's names: each gives the brute-force answer, and says what was run."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, sparse
from sklearn.exceptions import ConvergenceWarning

from elltwo import Ridge
from elltwo.errors import UsageError
from elltwo.estimators import fitting
from elltwo.estimators.ridge import ridge_regression
from elltwo.facts.problem import Penalty
from problems import random_problem, refit

RUN = {
    "auto": "svd",
    "svd": "svd",
    "cholesky": "cholesky",
    "lsqr": "lsqr",
    "sparse_cg": "sparse_cg",
    "sag": "svd",
    "saga": "svd",
}


@pytest.mark.parametrize("shape", [(40, 6), (8, 15)])
@pytest.mark.parametrize("solver", RUN)
def test_each_solver_reaches_the_brute_force_answer_and_names_itself(
    solver: str, shape: tuple[int, int]
) -> None:
    strengths = np.linspace(0.5, 2.0, shape[1])
    problem = random_problem(n=shape[0], p=shape[1], penalty=Penalty(scale=np.sqrt(strengths)))
    model = Ridge(1.3, solver=solver, strengths=strengths, tol=1e-14, max_iter=10_000)
    model.fit(problem.A, problem.b, problem.weights)
    answer = refit(problem, 1.3)
    np.testing.assert_allclose(model.coef_.T, answer.coef, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, answer.intercept, atol=1e-7)
    assert model.solver_ == RUN[solver]


@pytest.mark.parametrize("solver", ["cholesky", "lsqr", "sparse_cg"])
def test_solvers_without_a_spectrum_take_free_columns_and_a_prior_mean(solver: str) -> None:
    prior = np.arange(6.0)
    problem = random_problem(penalty=Penalty(scale=np.r_[0.0, np.ones(5)], x0=prior))
    model = Ridge(2.0, solver=solver, free=0, prior_mean=prior, tol=1e-14, max_iter=10_000)
    model.fit(problem.A, problem.b, problem.weights)
    np.testing.assert_allclose(model.coef_.T, refit(problem, 2.0).coef, atol=1e-8)


def test_a_singular_matrix_turns_cholesky_into_an_svd_and_the_fit_says_so() -> None:
    A = np.random.default_rng(0).normal(size=(10, 3))
    model = Ridge(0.0, solver="cholesky").fit(np.hstack([A, A]), A[:, 0])
    assert model.solver_ == "svd"
    np.testing.assert_allclose(model.coef_, [0.5, 0, 0, 0.5, 0, 0], atol=1e-12)


def test_a_large_sparse_design_is_solved_by_conjugate_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "SPARSE_LIMIT", 10)
    rng = np.random.default_rng(1)
    A = sparse.random_array((60, 40), density=0.2, rng=rng, format="csr") * 5.0
    y = rng.normal(size=60)
    model = Ridge(0.3).fit(A, y)
    assert (model.solver_, model.spectrum_) == ("sparse_cg", None)
    np.testing.assert_allclose(model.coef_, Ridge(0.3).fit(A.toarray(), y).coef_, atol=1e-8)


def test_what_needs_a_spectrum_is_refused_in_a_sentence_after_an_iterative_solver() -> None:
    problem = random_problem()
    model = Ridge(solver="lsqr", tol=1e-10).fit(problem.A, problem.b)
    with pytest.raises(UsageError, match="path needs a spectrum, and solver 'lsqr' leaves none"):
        model.path()


@pytest.mark.parametrize("solver", ["auto", "lbfgs"])
@pytest.mark.parametrize("sparsely", [False, True])
def test_nonnegative_coefficients_meet_the_optimality_conditions(solver: str, sparsely: bool) -> None:
    problem = random_problem(n=50, p=8, t=2)
    A = sparse.csr_array(problem.A) if sparsely else problem.A
    model = Ridge(1.0, positive=True, solver=solver, tol=1e-12, max_iter=50_000)
    model.fit(A, problem.b, problem.weights)
    residual = problem.b - problem.A @ model.coef_.T - model.intercept_
    gradient = -problem.A.T @ (problem.weights[:, None] * residual) + model.coef_.T
    x = model.coef_.T
    assert np.all(x >= 0)
    assert np.any(x == 0), "a problem without an active bound would prove nothing"
    assert np.all(gradient[x == 0] > -1e-4)
    np.testing.assert_allclose(gradient[x > 0], 0.0, atol=1e-4)
    np.testing.assert_allclose(problem.weights @ residual, 0.0, atol=1e-8)


def test_bounded_answers_equal_scipys_lsq_linear() -> None:
    problem = random_problem(n=40, p=7, t=1, weights=False)
    model = Ridge(0.8, positive=True).fit(problem.A, problem.b[:, 0])
    A = np.vstack([problem.A - problem.A.mean(axis=0), np.sqrt(0.8) * np.eye(7)])
    b = np.r_[problem.b[:, 0] - problem.b.mean(), np.zeros(7)]
    expected = optimize.lsq_linear(A, b, bounds=(0, np.inf), tol=1e-14).x
    np.testing.assert_allclose(model.coef_, expected, atol=1e-8)
    assert model.solver_ == "nnls"


@pytest.mark.parametrize("solver", ["sparse_cg", "lsqr"])
def test_an_iteration_that_stops_early_warns(solver: str) -> None:
    problem = random_problem(n=60, p=20)
    with pytest.warns(ConvergenceWarning, match=f"{solver} did not converge after"):
        Ridge(1e-6, solver=solver, max_iter=2, tol=1e-12).fit(problem.A, problem.b)


def test_ridge_regression_returns_what_is_asked_for_in_scikit_learns_order() -> None:
    problem = random_problem(t=1)
    coef, n_iter, intercept = ridge_regression(
        problem.A, problem.b[:, 0], 1.0, return_n_iter=True, return_intercept=True
    )
    model = Ridge(1.0).fit(problem.A, problem.b[:, 0])
    np.testing.assert_allclose(coef, model.coef_)
    assert n_iter is None
    assert intercept == pytest.approx(model.intercept_)
