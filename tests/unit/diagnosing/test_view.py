"""What the spectrum alone says about columns equals what the table says."""

from __future__ import annotations

import numpy as np
import pytest

from elltwo.diagnosing import View
from elltwo.diagnosing.columns import vif
from elltwo.factoring import factor
from elltwo.facts.problem import Penalty
from elltwo.shrinking import shrink
from problems import penalties, random_problem


def view_of(problem, alpha=0.7):
    r = factor(problem)
    return View.of(r, shrink(r, alpha))


@pytest.mark.parametrize("kind", [*penalties(6)])
@pytest.mark.parametrize("intercept", [True, False])
def test_standard_deviations_and_correlations_come_back_from_the_spectrum(kind, intercept):
    problem = random_problem(seed=3, intercept=intercept, penalty=penalties(6)[kind])
    view, w = view_of(problem), problem.weights
    centre = np.average(problem.A, axis=0, weights=w) if intercept else 0.0
    X = problem.A - centre
    np.testing.assert_allclose(view.sd, np.sqrt(np.average(X**2, axis=0, weights=w)), rtol=1e-11)
    G = (X * w[:, None]).T @ X
    d = np.sqrt(np.diag(G))
    np.testing.assert_allclose(view.correlation, G / np.outer(d, d), atol=1e-11)


def test_a_wide_table_gives_its_standard_deviations_too():
    problem = random_problem(seed=4, n=12, p=30, weights=False, penalty=Penalty(standardize=True))
    np.testing.assert_allclose(view_of(problem).sd, problem.A.std(axis=0), rtol=1e-10)


@pytest.mark.parametrize("penalty", [Penalty(), Penalty(standardize=True)])
def test_variance_inflation_is_one_over_what_the_other_columns_leave(penalty):
    problem = random_problem(seed=5, weights=False, penalty=penalty)
    problem.A[:, 5] = problem.A[:, 0] + 0.3 * problem.A[:, 5]
    expected = np.diag(np.linalg.inv(np.corrcoef(problem.A.T)))  # = 1/(1 − R²ⱼ)
    np.testing.assert_allclose(vif(view_of(problem)), expected, rtol=1e-10)


def test_ridge_variance_inflation_is_marquardts():
    problem = random_problem(seed=6, weights=False, penalty=Penalty(standardize=True))
    n, alpha = len(problem.b), 3.0
    R = np.corrcoef(problem.A.T)
    inverse = np.linalg.inv(R + alpha / n * np.eye(6))
    np.testing.assert_allclose(vif(view_of(problem), alpha), np.diag(inverse @ R @ inverse), rtol=1e-10)


def test_the_diabetes_tables_published_inflation_is_found():
    """59.2 for s1: the variance inflation factor known for this table (statsmodels gives 59.2025)."""
    from sklearn.datasets import load_diabetes

    from elltwo.facts.problem import Problem

    data = load_diabetes(scaled=False)
    problem = Problem(data.data, data.target[:, None])
    assert vif(view_of(problem))[4] == pytest.approx(59.2025, abs=1e-4)


def test_a_constant_column_is_dead_and_others_are_not():
    problem = random_problem(seed=7)
    problem.A[:, 2] = 5.0
    assert view_of(problem).dead.tolist() == [False, False, True, False, False, False]
