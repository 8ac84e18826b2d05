"""Uncertainty, risk, conditioning and equivalents, each against brute force or an independent derivation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import KFold

from elltwo import Ridge, RidgeCV
from elltwo.errors import UsageError
from elltwo.facts.problem import Penalty
from problems import known_spectrum, random_problem, refit

STRENGTHS = np.r_[0.0, 0.5, 2.0, 1.0, 0.3]


def system(problem, alpha):
    """(M, W, D) with coefficients and intercept M y: the whole linear map, by solving with the identity."""
    n = problem.A.shape[0]
    eye = refit(
        type(problem)(problem.A, np.eye(n), problem.weights, problem.intercept, problem.penalty), alpha
    )
    return np.vstack([eye.coef, eye.intercept])


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("options", [{}, {"strengths": STRENGTHS}, {"standardize": True}], ids=str)
def test_standard_errors_are_the_exact_covariance_of_the_linear_map(options: dict, weights: bool) -> None:
    scale = np.sqrt(STRENGTHS) if "strengths" in options else None
    penalty = Penalty(scale=scale, standardize="standardize" in options)
    problem = random_problem(n=25, p=5, t=1, weights=weights, penalty=penalty)
    model = Ridge(1.7, **options).fit(problem.A, problem.b[:, 0], problem.weights)
    M = system(problem, 1.7)
    noise = np.diag(1.0 / (np.ones(25) if problem.weights is None else problem.weights))
    covariance = model.solution_.sigma2[0] * M @ noise @ M.T
    np.testing.assert_allclose(model.standard_errors(), np.sqrt(np.diag(covariance))[:-1], rtol=1e-10)
    new = np.random.default_rng(1).normal(size=(4, 5)) + 3
    rows = np.column_stack([new, np.ones(4)])
    expected = np.sqrt(np.einsum("ij,jk,ik->i", rows, covariance, rows))
    np.testing.assert_allclose(model.prediction_std(new, "sampling", noise=False), expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [(30, 5), (8, 15)])
def test_the_posterior_is_that_of_a_gaussian_process_with_a_linear_kernel(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=shape), rng.normal(size=shape[0])
    alpha, new = 2.5, rng.normal(size=(6, shape[1]))
    model = Ridge(alpha, fit_intercept=False).fit(A, y)
    sigma2 = model.solution_.sigma2[0]
    # the process y ~ N(0, σ²/λ A Aᵀ + σ² I), whose scale σ² is ours
    process = GaussianProcessRegressor(DotProduct(0.0, "fixed"), alpha=alpha, optimizer=None).fit(A, y)
    mean, std = process.predict(new, return_std=True)
    ours, spread = model.predict(new, return_std=True)
    np.testing.assert_allclose(ours, mean, atol=1e-9)
    np.testing.assert_allclose(spread**2 - sigma2, std**2 * sigma2 / alpha, rtol=1e-7)


@pytest.mark.parametrize("shape", [(40, 6), (10, 14)])
def test_posterior_standard_deviations_are_the_inverse_of_the_penalised_precision(
    shape: tuple[int, int],
) -> None:
    strengths = np.linspace(0.5, 3, shape[1])
    problem = random_problem(n=shape[0], p=shape[1], t=1)
    model = Ridge(0.8, strengths=strengths).fit(problem.A, problem.b[:, 0], problem.weights)
    design = np.column_stack([problem.A, np.ones(shape[0])])
    precision = design.T @ (problem.weights[:, None] * design) + 0.8 * np.diag(np.r_[strengths, 0.0])
    covariance = model.solution_.sigma2[0] * np.linalg.inv(precision)
    np.testing.assert_allclose(model.standard_errors("posterior") ** 2, np.diag(covariance)[:-1], rtol=1e-8)
    new = problem.A[:3] + 1.0
    rows = np.column_stack([new, np.ones(3)])
    expected = np.einsum("ij,jk,ik->i", rows, covariance, rows)
    np.testing.assert_allclose(model.prediction_std(new, noise=False) ** 2, expected, rtol=1e-8)


def test_posterior_covariances_of_free_columns_and_of_a_matrix_are_the_inverse_precision() -> None:
    L = np.diff(np.eye(5), axis=0)
    problem = random_problem(n=30, p=5, t=1, weights=False)
    design = np.column_stack([problem.A, np.ones(30)])
    for options, square in (
        ({"penalty": L}, L.T @ L),
        ({"free": [1, 3]}, np.diag([1.0, 0.0, 1.0, 0.0, 1.0])),
    ):
        model = Ridge(1.2, **options).fit(problem.A, problem.b[:, 0])
        precision = design.T @ design
        precision[:5, :5] += 1.2 * square
        expected = np.sqrt(model.solution_.sigma2[0] * np.diag(np.linalg.inv(precision)))[:5]
        np.testing.assert_allclose(model.standard_errors("posterior"), expected, rtol=1e-9)


def test_predictive_deviations_equal_bayesian_ridge_at_its_own_strengths() -> None:
    rng = np.random.default_rng(2)
    A = rng.normal(size=(60, 4))
    A -= A.mean(axis=0)
    y = A @ [1.0, 0.0, -1.0, 2.0] + rng.normal(size=60)
    y -= y.mean()
    peer = BayesianRidge(fit_intercept=False).fit(A, y)
    model = Ridge(peer.lambda_ / peer.alpha_, fit_intercept=False).fit(A, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-8)
    ours = model.standard_errors("posterior") ** 2 / model.solution_.sigma2[0] / peer.alpha_
    np.testing.assert_allclose(ours, np.diag(peer.sigma_), rtol=1e-8)


def test_intervals_for_coefficients_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    A, truth = rng.normal(size=(40, 3)), np.array([1.0, -0.5, 0.2])
    inside = []
    for _ in range(400):
        ends = Ridge(1e-6).fit(A, A @ truth + rng.normal(size=40)).coef_interval(0.9, "sampling")
        inside.append((ends.low <= truth) & (truth <= ends.high))
    coverage = np.mean(inside)
    assert abs(coverage - 0.9) < 4 * np.sqrt(0.09 / 1200)


def test_prediction_intervals_are_wider_than_intervals_of_the_mean_and_centred_on_it() -> None:
    problem = random_problem(t=2)
    model = RidgeCV().fit(problem.A, problem.b)
    new, mean = model.predict_interval(problem.A), model.predict_interval(problem.A, noise=False)
    assert np.all(new.high - new.low > mean.high - mean.low)
    np.testing.assert_allclose((new.low + new.high) / 2, model.predict(problem.A))


def test_posterior_intervals_are_refused_where_free_columns_meet_unseen_directions() -> None:
    rng = np.random.default_rng(3)
    model = Ridge(free=0).fit(rng.normal(size=(6, 12)), rng.normal(size=6))
    with pytest.raises(UsageError, match="every direction to be seen"):
        model.standard_errors("posterior")
    assert np.all(np.isfinite(model.standard_errors("sampling")))


@pytest.mark.parametrize("shape", [(20, 4), (9, 14)])
@pytest.mark.parametrize("intercept", [True, False])
def test_evidence_is_the_density_of_the_targets_that_the_free_block_leaves(
    shape: tuple[int, int], intercept: bool
) -> None:
    problem = random_problem(n=shape[0], p=shape[1], t=1, intercept=intercept)
    alpha, n = 1.4, shape[0]
    model = Ridge(alpha, fit_intercept=intercept).fit(problem.A, problem.b[:, 0], problem.weights)
    root = np.sqrt(problem.weights)
    A, y = problem.A * root[:, None], problem.b[:, 0] * root
    N = np.linalg.svd(root[:, None])[0][:, 1:] if intercept else np.eye(n)
    shape_ = N.T @ (np.eye(n) + A @ A.T / alpha) @ N
    m = shape_.shape[0]
    sigma2 = (N.T @ y) @ np.linalg.solve(shape_, N.T @ y) / m
    expected = stats.multivariate_normal(np.zeros(m), sigma2 * shape_).logpdf(N.T @ y)
    assert model.log_evidence() == pytest.approx(expected, rel=1e-9)


def test_the_evidence_rule_finds_the_strength_of_the_largest_log_evidence() -> None:
    problem = random_problem(t=1)
    model = RidgeCV(alphas="auto", rule="evidence").fit(problem.A, problem.b[:, 0])
    around = [Ridge(model.alpha_ * f).fit(problem.A, problem.b[:, 0]).log_evidence() for f in (0.9, 1.1)]
    assert max(around) < model.log_evidence()


def test_the_risk_curve_is_mallows_criterion_without_its_constant() -> None:
    problem = random_problem(n=50, t=1, weights=False)
    alphas = np.logspace(-2, 3, 7)
    model = RidgeCV(alphas=alphas, rule="mallows").fit(problem.A, problem.b[:, 0])
    risk = model.risk(alphas)
    criterion = 50 * model.selection_.curves["mallows"].score[:, 0]
    rss = np.linalg.lstsq(np.column_stack([problem.A, np.ones(50)]), problem.b[:, 0], rcond=None)[1][0]
    np.testing.assert_allclose(risk.total, criterion - 50 * rss / (50 - 7), rtol=1e-9, atol=1e-9)


def test_bias_and_variance_per_direction_average_to_the_truth_over_many_samples() -> None:
    A, U, V = known_spectrum([5.0, 2.0, 0.5])
    truth, sigma, alpha = V @ [1.0, -2.0, 3.0], 0.7, 1.5
    rng = np.random.default_rng(4)
    s, coordinates = np.array([5.0, 2.0, 0.5]), np.array([1.0, -2.0, 3.0])
    left = alpha / (s**2 + alpha)
    bias, variance = (left * s * coordinates) ** 2, sigma**2 * (1 - left) ** 2
    samples = (A @ truth)[:, None] + sigma * rng.normal(size=(30, 3000))
    model = RidgeCV(alphas=[alpha], noise=sigma).fit(A, samples)
    estimates = np.array([model.risk([alpha], target=j).bias2[:, 0] for j in range(3000)])
    error = np.std(estimates, axis=0) / np.sqrt(3000)
    assert np.all(np.abs(estimates.mean(axis=0) - bias) < 4 * error)
    np.testing.assert_allclose(model.risk([alpha]).variance[:, 0], variance, rtol=1e-9)
    np.testing.assert_allclose(np.var(U.T @ A @ model.coef_.T, axis=1), variance, rtol=0.12)


def test_marquardts_factors_are_his_formula_on_standardized_columns() -> None:
    problem = random_problem(n=60, t=1)
    w = problem.weights
    model = Ridge(6.0, standardize=True).fit(problem.A, problem.b[:, 0], w)
    R = np.cov(problem.A.T, aweights=w, ddof=0)
    sd = np.sqrt(np.diag(R))
    R = R / np.outer(sd, sd)
    inverse = np.linalg.inv(R + 6.0 / w.sum() * np.eye(6))
    np.testing.assert_allclose(model.vif("marquardt"), np.diag(inverse @ R @ inverse), rtol=1e-10)


def test_fox_and_monettes_factors_are_their_determinants() -> None:
    problem = random_problem(n=60, p=4, t=1, weights=False)
    model = Ridge(3.0).fit(problem.A, problem.b[:, 0])
    C = problem.A - problem.A.mean(axis=0)
    inverse = np.linalg.inv(C.T @ C + 3.0 * np.eye(4))
    covariance = inverse @ C.T @ C @ inverse
    d = np.sqrt(np.diag(covariance))
    R = covariance / np.outer(d, d)
    expected = [np.linalg.det(np.delete(np.delete(R, j, 0), j, 1)) / np.linalg.det(R) for j in range(4)]
    np.testing.assert_allclose(model.vif("fox-monette"), expected, rtol=1e-9)


def test_without_a_penalty_both_definitions_are_the_usual_inflation_factor() -> None:
    problem = random_problem(n=60, t=1, weights=False)
    model = Ridge(0.0).fit(problem.A, problem.b[:, 0])
    usual = np.diag(np.linalg.inv(np.corrcoef(problem.A.T)))
    np.testing.assert_allclose(model.vif("marquardt"), usual, rtol=1e-9)
    np.testing.assert_allclose(model.vif("fox-monette"), usual, rtol=1e-9)


def test_leverages_are_the_diagonal_of_the_map_from_targets_to_fits() -> None:
    problem = random_problem(n=20, t=1)
    model = Ridge(2.0).fit(problem.A, problem.b[:, 0], problem.weights)
    M = system(problem, 2.0)
    hat = np.column_stack([problem.A, np.ones(20)]) @ M
    np.testing.assert_allclose(model.leverages(), np.diag(hat), rtol=1e-9)
    assert model.df()[0] == pytest.approx(np.trace(hat), rel=1e-10)


def test_equivalents_say_the_same_strength_in_other_words() -> None:
    problem = random_problem(t=2)
    model = RidgeCV(alphas="auto", alpha_per_target=True).fit(problem.A, problem.b)
    same = model.equivalents()
    np.testing.assert_allclose(same.radius, np.linalg.norm(model.coef_, axis=1))
    np.testing.assert_allclose(same.prior_variance, model.solution_.sigma2 / model.alpha_)
    np.testing.assert_allclose(same.df, 1 + same.shrinkage.sum(axis=0))
    s = np.linalg.svd(problem.A - problem.A.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(same.condition_before, s[0] ** 2 / s[-1] ** 2)
    np.testing.assert_allclose(same.condition, (s[0] ** 2 + model.alpha_) / (s[-1] ** 2 + model.alpha_))
    back = RidgeCV(radius=same.radius[0]).fit(problem.A, problem.b[:, 0])
    assert back.alpha_ == pytest.approx(model.alpha_[0], rel=1e-8)


def test_the_path_holds_the_refits_at_every_strength() -> None:
    problem = random_problem()
    alphas = np.array([0.0, 0.1, 1.0, 100.0])
    path = RidgeCV().fit(problem.A, problem.b, problem.weights).path(alphas)
    for i, alpha in enumerate(alphas):
        np.testing.assert_allclose(path.coef[i], refit(problem, alpha).coef, atol=1e-10)


@pytest.mark.parametrize(
    ("rule", "alphas"), [("loo", [0.1, 10.0]), ("gcv", "auto"), ("kfold", [0.1, 10.0]), (None, None)]
)
def test_the_nested_score_is_the_error_of_refits_that_never_saw_the_rows(
    rule: str | None, alphas: object
) -> None:
    problem = random_problem(n=45, t=1)
    A, y, w = problem.A, problem.b[:, 0], problem.weights
    chosen = (
        Ridge(2.0) if rule is None else RidgeCV(alphas=alphas, rule=rule, cv=4 if rule == "kfold" else None)
    )
    score = chosen.fit(A, y, w).nested_score(folds=3, seed=1)
    numbers = np.empty(45, dtype=int)
    for k, (_, held) in enumerate(KFold(3, shuffle=True, random_state=1).split(A)):
        numbers[held] = k
    total = 0.0
    for k in range(3):
        train = numbers != k
        inner = {"cv": numbers[train]} if rule == "kfold" else {}
        model = Ridge(2.0) if rule is None else RidgeCV(alphas=alphas, rule=rule, **inner)
        model.fit(A[train], y[train], w[train])
        total += w[~train] @ (y[~train] - model.predict(A[~train])) ** 2
    assert score.error[0] == pytest.approx(total / w.sum(), rel=1e-8)
