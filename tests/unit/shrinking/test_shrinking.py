"""What λ does, and λ from what people ask for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import InputError
from elltwo.factoring import factor
from elltwo.facts.problem import Penalty, Problem
from elltwo.laws import ridge
from elltwo.shrinking import path, shrink
from elltwo.shrinking.certify import certify
from elltwo.shrinking.polish import polish
from elltwo.shrinking.refine import refine
from elltwo.shrinking.secular import alpha_for_df, alpha_for_fraction, alpha_for_radius
from problems import full_operator, known_spectrum, penalties, random_problem, refit


def test_norm_residual_and_degrees_of_freedom_are_those_of_the_solution():
    problem = random_problem(1, 30, 6, penalty=Penalty(operator=np.diff(np.eye(6), axis=0)))
    r = factor(problem)
    L = full_operator(problem)
    for alpha in (0.1, 2.0):
        s = shrink(r, alpha)
        np.testing.assert_allclose(s.norm, np.linalg.norm(L @ s.coef, axis=0), rtol=1e-10)
        residual = problem.b - problem.A @ s.coef - s.intercept
        np.testing.assert_allclose(s.rss, problem.weights @ residual**2, rtol=1e-10)
        traces = [
            (
                problem.A[i]
                @ (
                    a := refit(
                        Problem(problem.A, np.eye(30)[:, [i]], problem.weights, True, problem.penalty), alpha
                    )
                ).coef
                + a.intercept
            )[0]
            for i in range(30)
        ]
        np.testing.assert_allclose(s.df, np.sum(traces), rtol=1e-9)


def test_the_path_is_its_solutions():
    r = factor(random_problem(2, 20, 30))
    alphas = np.array([0.1, 1.0, 10.0])
    p = path(r, alphas)
    for i, alpha in enumerate(alphas):
        s = shrink(r, alpha)
        np.testing.assert_allclose(p.coef[i], s.coef, rtol=1e-10)
        np.testing.assert_allclose(p.intercept[i], s.intercept, rtol=1e-10)
        np.testing.assert_allclose([p.df[i]] * 2, s.df)
        np.testing.assert_allclose(p.norm[i], s.norm)
        np.testing.assert_allclose(p.rss[i], s.rss, rtol=1e-9, atol=1e-12)


def test_each_target_can_have_its_own_strength():
    problem = random_problem(3, 25, 4, t=2)
    s = shrink(factor(problem), np.array([0.1, 10.0]))
    np.testing.assert_allclose(s.coef[:, 0], refit(problem, 0.1).coef[:, 0], rtol=1e-10)
    np.testing.assert_allclose(s.coef[:, 1], refit(problem, 10.0).coef[:, 1], rtol=1e-10)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), part=st.floats(0.01, 0.99))
def test_degrees_of_freedom_radius_and_fraction_are_met_to_ten_digits(seed, part):
    r = factor(random_problem(seed, 25, 5, t=1))
    df = 1 + 5 * part
    np.testing.assert_allclose(shrink(r, alpha_for_df(r, df)).df, df, rtol=1e-10)
    full = shrink(r, 0.0).norm[0]
    np.testing.assert_allclose(shrink(r, alpha_for_radius(r, part * full)).norm, part * full, rtol=1e-10)
    np.testing.assert_allclose(shrink(r, alpha_for_fraction(r, part)).norm, part * full, rtol=1e-10)


def test_the_ends_of_the_secular_equations_are_zero_and_infinity():
    r = factor(random_problem(4, 25, 5, t=1))
    assert alpha_for_radius(r, 1e9)[0] == 0.0
    assert alpha_for_radius(r, 0.0)[0] == np.inf
    assert alpha_for_fraction(r, 1.0)[0] == 0.0
    assert alpha_for_df(r, 1.0) == np.inf
    assert alpha_for_df(r, 6.0) == 0.0
    for bad in (0.5, 6.5):
        with pytest.raises(InputError, match="between 1 and 6"):
            alpha_for_df(r, bad)
    with pytest.raises(InputError, match="between 0 and 1"):
        alpha_for_fraction(r, 1.5)
    with pytest.raises(InputError, match="radius"):
        alpha_for_radius(r, -1.0)


def test_refinement_gives_the_gram_route_the_digits_of_an_svd():
    A, _, _ = known_spectrum(np.geomspace(1, 1e-5, 6), n=60)
    b = (A @ np.ones(6) + 0.01 * np.sin(np.arange(60)))[:, None]
    problem = Problem(A + 2.0, b)
    alpha = 1e-9
    r = factor(problem, "gram")
    plain, exact = shrink(r, alpha), shrink(factor(problem, "svd"), alpha)
    refined = refine(problem, r, plain)
    error = np.max(np.abs(plain.coef - exact.coef)) / np.max(np.abs(exact.coef))
    better = np.max(np.abs(refined.coef - exact.coef)) / np.max(np.abs(exact.coef))
    assert better < 1e-9
    assert better < error / 10
    assert refined.digits >= 10


def test_refinement_that_does_not_contract_says_so():
    A, _, _ = known_spectrum(np.geomspace(1, 1e-9, 6), n=60)
    problem = Problem(A, np.sin(np.arange(60.0))[:, None])
    r = factor(problem, "gram")
    assert refine(problem, r, shrink(r, 1e-22)) is None


@pytest.mark.parametrize("bad", [-1.0, np.nan, [1.0, -2.0], []])
def test_a_strength_that_is_no_strength_is_refused(bad):
    r = factor(random_problem(5, 20, 3, t=2))
    with pytest.raises(InputError, match=">= 0"):
        path(r, bad)


def test_filters_follow_their_definition_at_the_ends():
    s = np.array([2.0, 1.0])
    f = ridge.filter_factors(s, np.array([0.0, 1.0, np.inf]))
    np.testing.assert_allclose(f, [[1.0, 0.8, 0.0], [1.0, 0.5, 0.0]])
    np.testing.assert_allclose(
        ridge.gains(s, np.array([0.0, 1.0, np.inf])), [[0.5, 0.4, 0.0], [1.0, 0.5, 0.0]]
    )


def test_bias_and_variance_per_direction_are_those_of_many_samples():
    s = np.array([3.0, 1.0, 0.3])
    A, U, V = known_spectrum(s, n=20)
    coordinates, sigma, alpha = np.array([1.0, 2.0, -1.0]), 0.5, 0.7
    rng = np.random.default_rng(6)
    z = (U.T @ A @ V @ coordinates)[:, None] + sigma * rng.normal(size=(3, 200_000))
    fit = ridge.filter_factors(s, np.array([alpha])) * z
    bias2 = (fit.mean(axis=1) - s * coordinates) ** 2
    np.testing.assert_allclose(
        ridge.bias_squared(s, np.array([alpha]), coordinates)[:, 0], bias2, rtol=0.05, atol=1e-4
    )
    np.testing.assert_allclose(
        ridge.variance(s, np.array([alpha]), sigma**2)[:, 0], fit.var(axis=1), rtol=0.02
    )


@pytest.mark.parametrize("kind", ["identity", "strength per column", "two free columns", "prior mean"])
@pytest.mark.parametrize("shape", [(40, 6), (8, 20)])
def test_polishing_moves_a_poor_solution_onto_the_exact_one(kind, shape):
    n, p = shape
    penalty = penalties(p)[kind]
    problem = random_problem(7, n, p, penalty=penalty)
    r = factor(problem, "svd")
    exact = shrink(r, 0.5)
    poor = replace(exact, coef=exact.coef * (1 + 1e-4), digits=4.0)
    polished = polish(problem, r, poor)
    if penalty.scale is not None and not np.all(penalty.scale > 0) and n < p:
        assert polished is poor or np.allclose(polished.coef, exact.coef, rtol=1e-12)
        return
    np.testing.assert_allclose(polished.coef, exact.coef, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(polished.intercept, exact.intercept, rtol=1e-11)
    assert polished.digits >= 14


def test_polishing_leaves_alone_what_it_cannot_improve():
    general = random_problem(8, 20, 5, penalty=Penalty(operator=np.diff(np.eye(5), axis=0)))
    r = factor(general, "svd")
    poor = replace(shrink(r, 0.5), digits=3.0)
    assert polish(general, r, poor) is poor
    squared = factor(general, "gram")
    assert polish(general, squared, poor) is poor
    good = replace(poor, digits=15.5)
    assert polish(general, r, good) is good


def test_certify_asks_for_an_svd_only_where_refinement_fails():
    easy = random_problem(9, 60, 5)
    assert certify(easy, factor(easy, "gram"), 1.0).notes == ()
    A, _, _ = known_spectrum(np.geomspace(1, 1e-9, 6), n=60)
    hard = Problem(A, np.sin(np.arange(60.0))[:, None])
    assert certify(hard, factor(hard, "gram"), 1e-22) is None
    assert certify(hard, factor(hard, "svd"), 1e-18).digits > 10
