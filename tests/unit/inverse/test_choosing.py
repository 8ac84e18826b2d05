"""Rules for λ: two derivations of one number, equivariance, ends, and how often they fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from elltwo.factoring.bidiagonal import factor_bidiagonal
from elltwo.factoring.svd import factor_svd
from elltwo.facts.problem import Problem
from elltwo.inverse import testproblems
from elltwo.inverse.rules import FAMILY, chosen_rule, doubt
from elltwo.selecting import inverse_rules, select
from elltwo.selecting.inverse_rules import residual_sample
from elltwo.shrinking import shrink
from elltwo.shrinking.path import path
from elltwo.shrinking.secular import alpha_for_radius, alpha_for_residual


def rotated_of(problem, level=0.01, seed=0, scale=1.0, noise=None, n_targets=1):
    b = np.column_stack([problem.noisy(level, seed + j) for j in range(n_targets)])
    return factor_bidiagonal(scale * problem.A, scale * b, noise=noise)


@pytest.mark.parametrize("rule", FAMILY)
@pytest.mark.parametrize("scale", [1e-6, 1e4])
@pytest.mark.parametrize("name", ["phillips", "gravity"])
def test_scaling_a_and_b_by_c_scales_lambda_by_c_and_leaves_x(rule, scale, name):
    problem = testproblems.classic(32)[name]
    sigma = 0.01 * np.linalg.norm(problem.b) / np.sqrt(32)
    base, scaled = rotated_of(problem, noise=sigma), rotated_of(problem, scale=scale, noise=sigma * scale)
    if rule not in ("discrepancy", "mallows"):
        base, scaled = replace(base, noise=None), replace(scaled, noise=None)
    first, second = (select(r, chosen_rule(rule, r), others=False).alpha[0] for r in (base, scaled))
    assert np.sqrt(second) == pytest.approx(scale * np.sqrt(first), rel=1e-6)
    np.testing.assert_allclose(shrink(scaled, second).coef, shrink(base, first).coef, rtol=1e-5, atol=1e-8)


def test_the_discrepancy_strength_meets_the_noise_to_ten_digits():
    problem = testproblems.shaw(64)
    b = problem.noisy(0.01)
    delta = np.linalg.norm(b - problem.b)
    rotated = factor_bidiagonal(problem.A, b[:, None], noise=delta / 8)
    choice = select(rotated, "discrepancy", others=False)
    assert np.sqrt(shrink(rotated, choice.alpha).rss[0]) == pytest.approx(delta, rel=1e-10)
    assert np.sqrt(choice.alpha[0]) == pytest.approx(0.101264, rel=5e-6)  # Regularization Tools 4.1


def test_strength_and_radius_and_strength_and_residual_are_inverse_maps():
    rotated = rotated_of(testproblems.phillips(32))
    for alpha in (1e-4, 0.1, 3.0):
        solution = shrink(rotated, alpha)
        assert alpha_for_radius(rotated, solution.norm[0])[0] == pytest.approx(alpha, rel=1e-9)
        assert alpha_for_residual(rotated, np.sqrt(solution.rss[0]))[0] == pytest.approx(alpha, rel=1e-9)


def test_noise_larger_than_the_data_gives_infinity_and_no_noise_gives_zero():
    rotated = rotated_of(testproblems.shaw(32))
    assert alpha_for_residual(rotated, 1e9)[0] == np.inf
    assert alpha_for_residual(rotated, 0.0)[0] == 0.0
    assert select(replace(rotated, noise=1e9), "discrepancy", others=False).edge == "infinity"
    assert select(replace(rotated, noise=0.0), "discrepancy", others=False).edge == "zero"


def test_the_curvature_of_the_l_curve_is_that_of_finite_differences():
    rotated = rotated_of(testproblems.phillips(32))
    h = 1e-4
    for centre in (1e-3, 1e-1, 1.0):
        alphas = centre * np.exp(h * np.arange(-1, 2))
        p = path(rotated, alphas)
        u, v = 0.5 * np.log(p.rss[:, 0]), np.log(p.norm[:, 0])
        u1, v1 = (u[2] - u[0]) / (2 * h), (v[2] - v[0]) / (2 * h)
        u2, v2 = (u[2] - 2 * u[1] + u[0]) / h**2, (v[2] - 2 * v[1] + v[0]) / h**2
        curvature = (u1 * v2 - v1 * u2) / (u1**2 + v1**2) ** 1.5
        got = -inverse_rules.l_curve(rotated, np.array([centre]))[0, 0]
        assert got == pytest.approx(curvature, rel=1e-3)


def test_quasi_optimality_is_the_length_of_the_derivative_and_has_no_score_outside_its_guard():
    rotated = rotated_of(testproblems.phillips(32))
    s = rotated.spectrum.s
    alpha, h = 0.05, 1e-5
    moved = path(rotated, np.array([alpha * np.exp(-h), alpha * np.exp(h)])).coef[:, :, 0]
    derivative = np.linalg.norm(moved[1] - moved[0]) / (2 * h)
    assert inverse_rules.quasi_optimality(rotated, np.array([alpha]))[0, 0] == pytest.approx(
        derivative, rel=1e-6
    )
    outside = inverse_rules.quasi_optimality(rotated, np.array([s[-1] ** 2 / 2, s[0] ** 2 * 2]))
    assert np.isinf(outside).all()


def test_the_periodogram_is_that_of_the_residual_vector():
    problem = testproblems.phillips(32)
    b = problem.noisy(0.05)
    rotated = factor_svd(Problem(problem.A, b[:, None], intercept=False), "rows")
    alpha = 0.3
    residual = b - problem.A @ shrink(rotated, alpha).coef[:, 0]
    power = np.abs(np.fft.fft(residual)[1:17]) ** 2
    distance = np.linalg.norm(np.cumsum(power) / power.sum() - np.arange(1, 17) / 16)
    assert inverse_rules.ncp(rotated, np.array([alpha]))[0, 0] == pytest.approx(distance, rel=1e-8)


def test_weighted_and_strong_robust_gcv_reduce_to_gcv():
    rotated = rotated_of(testproblems.phillips(32))
    alphas = np.geomspace(1e-3, 10, 7)
    plain = inverse_rules.gcv(rotated, alphas)
    np.testing.assert_allclose(inverse_rules.weighted_gcv(rotated, alphas, 1.0), plain)
    np.testing.assert_allclose(inverse_rules.strong_robust_gcv(rotated, alphas, 1.0), plain)


def test_a_well_conditioned_problem_gets_a_strength_below_its_smallest_singular_value():
    """Regularization Tools stops at σ_min there, with error 0.133; the right answer lies below."""
    problem = testproblems.heat(64, 5.0)
    b = problem.noisy(1e-4)
    rotated = factor_bidiagonal(problem.A, b[:, None], noise=np.linalg.norm(b - problem.b) / 8)
    choice = select(rotated, "discrepancy", others=False)
    assert 0 < np.sqrt(choice.alpha[0]) < rotated.spectrum.s[-1]
    assert problem.error(shrink(rotated, choice.alpha).coef[:, 0]) < 5e-4


def test_the_residual_s_sample_is_one_over_the_sum_of_squared_shares():
    problem = testproblems.classic(64)["heat5"]
    r = factor_bidiagonal(problem.A[:, :50], problem.b[:, None])
    s = np.linalg.svd(problem.A[:, :50], compute_uv=False)
    for alpha in (1e-3, 1e-1):
        left = np.append(alpha / (s**2 + alpha), np.ones(14))
        shares = left / left.sum()
        assert residual_sample(r, np.array([alpha]))[0] == pytest.approx(1 / np.sum(shares**2), rel=1e-9)
    assert residual_sample(r, np.array([0.0, np.inf])) == pytest.approx([14, 64], rel=1e-9)
    square = factor_bidiagonal(problem.A, problem.b[:, None])
    at_zero, near = residual_sample(square, np.array([0.0, 1e-12 * s[-1] ** 2]))
    assert at_zero == pytest.approx(near, rel=1e-6)


def test_a_residual_in_one_direction_that_chance_made_small_does_not_choose_the_strength():
    problem = testproblems.heat(100, 2.0)  # square, one singular value at rounding
    b = problem.noisy(0.1, 7)
    r = factor_bidiagonal(problem.A, b[:, None])
    plain = select(r, "rgcv", others=False).alpha
    guarded = select(r, chosen_rule("rgcv", r), others=False).alpha
    assert doubt(r, plain)[0] > 1000
    assert doubt(r, guarded)[0] == 1
    assert problem.error(shrink(r, plain).coef[:, 0]) > 50 * problem.error(shrink(r, guarded).coef[:, 0])


def test_what_a_score_pays_is_what_chance_can_take_off_a_chi_square():
    problem = testproblems.heat(100, 2.0)
    r = factor_bidiagonal(problem.A, problem.b[:, None])
    alphas = np.array([0.0, 1e-14, 1e-8, 1e-4, np.inf])
    spread = residual_sample(r, alphas)
    low = [v / stats.chi2.ppf(1e-3, v) for v in np.minimum(spread, 3)]
    np.testing.assert_allclose(doubt(r, alphas), np.array(low) / (3 / stats.chi2.ppf(1e-3, 3)), rtol=1e-9)
    assert spread[0] == pytest.approx(1)


def test_exact_data_are_still_fitted_exactly():
    problem = testproblems.heat(100, 2.0)
    r = factor_bidiagonal(problem.A, problem.b[:, None])
    alpha = select(r, chosen_rule("rgcv", r), others=False).alpha
    assert problem.error(shrink(r, alpha).coef[:, 0]) < 1e-9


def ratios_to_best(rule, draws=5, size=64):
    """Error over the best error of any λ, on 16 problems × 4 noise levels × draws."""
    out = []
    for problem in testproblems.classic(size).values():
        for level in (1e-1, 1e-2, 1e-3, 1e-4):
            rotated = rotated_of(problem, level, n_targets=draws)
            if rule == "discrepancy":
                rotated = replace(rotated, noise=level * np.linalg.norm(problem.b) / np.sqrt(size))
            grid = np.geomspace(1e-16, 1e2, 150) * rotated.spectrum.s[0] ** 2
            best = np.linalg.norm(path(rotated, grid).coef - problem.x[:, None], axis=1).min(axis=0)
            alpha = select(rotated, chosen_rule(rule, rotated), others=False).alpha
            error = np.linalg.norm(shrink(rotated, alpha).coef - problem.x[:, None], axis=0)
            out.append(np.maximum(error / best, 1.0))
    return np.concatenate(out)


def test_robust_gcv_is_near_the_best_strength_without_knowing_the_noise():
    """The reduced suite (5 draws, 320 cases); benchmarks/inverse.py runs all 1600."""
    ratio = ratios_to_best("rgcv")
    assert np.exp(np.log(ratio).mean()) <= 1.25
    assert np.mean(ratio > 10) <= 0.005


def test_plain_gcv_fails_where_robust_gcv_does_not():
    assert np.mean(ratios_to_best("gcv", draws=3) > 10) > 0.05


def test_discrepancy_with_the_true_noise_never_fails():
    ratio = ratios_to_best("discrepancy", draws=3)
    assert np.exp(np.log(ratio).mean()) <= 1.25
    assert not np.any(ratio > 10)
