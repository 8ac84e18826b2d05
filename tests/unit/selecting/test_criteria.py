"""Each criterion against a second derivation of the same number."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from elltwo.errors import UsageError
from elltwo.factoring import factor
from elltwo.facts.problem import Problem
from elltwo.selecting import criteria, select
from problems import known_spectrum, random_problem

ALPHAS = np.array([0.02, 0.9, 25.0])


def hat(problem, alpha):
    """H with ŷ = H y, intercept included, from the normal equations."""
    X = problem.A - problem.A.mean(axis=0)
    n, p = X.shape
    return np.full((n, n), 1 / n) + X @ np.linalg.solve(X.T @ X + alpha * np.eye(p), X.T)


@pytest.mark.parametrize("shape", [(30, 5), (10, 20)])
def test_gcv_is_the_trace_formula(shape):
    problem = random_problem(1, *shape, weights=False)
    r = factor(problem)
    for i, alpha in enumerate(ALPHAS):
        H = hat(problem, alpha)
        n = len(H)
        R = np.eye(n) - H
        expected = n * ((R @ problem.b) ** 2).sum(axis=0) / np.trace(R) ** 2
        np.testing.assert_allclose(criteria.gcv(r, ALPHAS)[i], expected, rtol=1e-8)
        robust = (0.2 + 0.8 * np.trace(H @ H) / n) * expected
        np.testing.assert_allclose(criteria.robust_gcv(r, ALPHAS)[i], robust, rtol=1e-8)


def test_gcv_at_zero_is_its_limit_where_rows_are_interpolated():
    r = factor(random_problem(2, 10, 30, weights=False))
    np.testing.assert_allclose(criteria.gcv(r, np.array([0.0])), criteria.gcv(r, np.array([1e-9])), rtol=1e-6)


@pytest.mark.parametrize("shape", [(30, 5), (10, 20)])
def test_evidence_differences_are_those_of_the_gaussian_density(shape):
    """Known σ: −2 log N(y; 0, σ²(I + XXᵀ/λ)) on the rows with the mean taken out by an orthonormal basis."""
    problem = random_problem(3, *shape, t=1, weights=False)
    sigma = 0.7
    r = dataclasses.replace(factor(problem), noise=sigma)
    n = shape[0]
    basis = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, 1:]]))[0][:, 1:]
    X, y = basis.T @ problem.A, basis.T @ problem.b[:, 0]
    exact = [
        -2 * stats.multivariate_normal(np.zeros(n - 1), sigma**2 * (np.eye(n - 1) + X @ X.T / a)).logpdf(y)
        for a in ALPHAS
    ]
    mine = criteria.evidence(r, ALPHAS)[:, 0] * (n - 1)
    np.testing.assert_allclose(np.diff(mine), np.diff(exact), rtol=1e-9)


def test_profiled_evidence_is_the_known_one_at_its_best_noise():
    r = factor(random_problem(4, 30, 5, t=1, weights=False))
    m = 29
    profiled = criteria.evidence(r, ALPHAS)[:, 0]
    for i, alpha in enumerate(ALPHAS):
        sigmas = np.geomspace(0.1, 10, 20001)
        Q = r.rest[0] + np.sum(alpha / (r.spectrum.s**2 + alpha) * r.z[:, 0] ** 2)
        best = np.min(Q / (m * sigmas**2) + 2 * np.log(sigmas)) - 1
        determinant = -np.sum(np.log(alpha / (r.spectrum.s**2 + alpha))) / m
        np.testing.assert_allclose(profiled[i], best + determinant, rtol=1e-6)


def test_mallows_estimates_the_true_prediction_risk_without_bias():
    A, _, V = known_spectrum(np.array([4.0, 2.0, 1.0, 0.5]), n=25)
    beta, sigma = V @ np.array([1.0, -1.0, 0.5, 2.0]), 0.6
    rng = np.random.default_rng(5)
    alphas = np.array([0.5, 3.0])
    estimates, truths = [], []
    signal = A @ beta
    for _ in range(3000):
        r = factor(Problem(A, (signal + sigma * rng.normal(size=25))[:, None]))
        r = dataclasses.replace(r, noise=sigma)
        estimates.append(criteria.mallows(r, alphas)[:, 0])
        f = r.spectrum.s[:, None] ** 2 / (r.spectrum.s[:, None] ** 2 + alphas)
        fit = np.vstack([b for _, b, _ in r.spectrum.rows.blocks()]) @ (f * r.z) + r.mean
        truths.append(np.mean((fit - signal[:, None]) ** 2, axis=0) + sigma**2)
    difference = np.array(estimates) - np.array(truths)
    standard_error = difference.std(axis=0) / np.sqrt(len(difference))
    assert np.all(np.abs(difference.mean(axis=0)) < 4 * standard_error)


def test_discrepancy_finds_the_strength_whose_residual_is_the_noise():
    problem = random_problem(6, 60, 20, t=1, weights=False)
    r = dataclasses.replace(factor(problem), noise=1.05)
    chosen = select(r, "discrepancy", others=False)
    residual = r.rest + np.sum((chosen.alpha / (r.spectrum.s[:, None] ** 2 + chosen.alpha) * r.z) ** 2)
    np.testing.assert_allclose(residual, 60 * 1.05**2, rtol=1e-3)


def test_rules_that_need_the_noise_say_so():
    wide = factor(random_problem(7, 8, 20, weights=False))
    with pytest.raises(UsageError, match=r"noise=\.\.\."):
        select(wide, "mallows")
    with pytest.raises(UsageError, match=r"noise=\.\.\."):
        select(wide, "discrepancy")


def test_noise_estimated_from_the_residual_is_the_classical_s2():
    problem = random_problem(8, 40, 5, t=1, weights=False)
    X = np.column_stack([np.ones(40), problem.A])
    _, rss, *_ = np.linalg.lstsq(X, problem.b, rcond=None)
    np.testing.assert_allclose(criteria.noise_variance(factor(problem)), rss / 34, rtol=1e-10)
