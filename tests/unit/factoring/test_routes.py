"""Every route to a Spectrum solves the same problem."""

import numpy as np
import pytest
from scipy import sparse

from elltwo.errors import InputError, MissingRows, UsageError
from elltwo.factoring import choose, factor, factor_moments, rotate
from elltwo.facts.problem import Penalty, Problem
from elltwo.shrinking import path, shrink
from elltwo.tables.moments.dense import design_moments
from problems import known_spectrum, penalties, random_problem, refit

SHAPES = {"tall": (40, 6), "wide": (12, 30), "square": (15, 15)}
METHODS = ["svd", "gram", "dual"]


def possible(method, penalty):
    simple = penalty.operator is None and (penalty.scale is None or (penalty.scale > 0).all())
    return method != "dual" or simple


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", list(penalties(6)))
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [True, False])
def test_coefficients_equal_the_stacked_least_squares(method, shape, kind, intercept, weights):
    n, p = SHAPES[shape]
    penalty = penalties(p)[kind]
    problem = random_problem(1, n, p, weights=weights, intercept=intercept, penalty=penalty)
    if not possible(method, penalty):
        with pytest.raises(InputError, match="svd method"):
            factor(problem, method)
        return
    rotated = factor(problem, method)
    for alpha in (0.05, 1.0, 40.0):
        mine, reference = shrink(rotated, alpha), refit(problem, alpha)
        np.testing.assert_allclose(mine.coef, reference.coef, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(mine.intercept, reference.intercept, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_singular_values_are_those_the_problem_was_built_from(method):
    s = np.array([5.0, 2.0, 1.0, 0.1])
    A, _, _ = known_spectrum(s)
    b = np.arange(30.0)[:, None]
    np.testing.assert_allclose(factor(Problem(A, b), method).spectrum.s, s, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_sparse_designs_are_centred_without_becoming_dense(method):
    rng = np.random.default_rng(3)
    A = sparse.random_array((60, 9), density=0.3, rng=rng, format="csr")
    b, w = rng.normal(size=(60, 1)), rng.uniform(0.5, 2, 60)
    for penalty in (Penalty(), Penalty(standardize=True)):
        dense = refit(Problem(A.toarray(), b, w, True, penalty), 0.3)
        mine = shrink(factor(Problem(A, b, w, True, penalty), method), 0.3)
        np.testing.assert_allclose(mine.coef, dense.coef, rtol=1e-9, atol=1e-12)


def test_moments_alone_give_the_same_solution_and_no_rows():
    problem = random_problem(2, 50, 5, penalty=Penalty(standardize=True, x0=np.ones(5)))
    [m] = design_moments(problem.A, problem.b, problem.weights, shift=problem.A[0])
    rotated = factor_moments(m, problem.penalty)
    np.testing.assert_allclose(shrink(rotated, 2.0).coef, refit(problem, 2.0).coef, rtol=1e-10)
    np.testing.assert_allclose(shrink(rotated, 2.0).intercept, refit(problem, 2.0).intercept, rtol=1e-9)
    assert rotated.spectrum.rows is None
    with pytest.raises(MissingRows, match="made from moments"):
        rotate(rotated.spectrum, problem.b)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_new_targets_only_rotate(method, shape):
    n, p = SHAPES[shape]
    problem = random_problem(4, n, p)
    spectrum = factor(problem, method).spectrum
    other = np.random.default_rng(5).normal(size=(n, 3))
    again = shrink(rotate(spectrum, other), 0.7)
    fresh = shrink(factor(Problem(problem.A, other, problem.weights), method), 0.7)
    np.testing.assert_allclose(again.coef, fresh.coef, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(again.rss, fresh.rss, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_the_row_side_is_orthonormal_and_reproduces_the_fit(method):
    problem = random_problem(6, 40, 6)
    rotated = factor(problem, method)
    U = np.vstack([block for _, block, _ in rotated.spectrum.rows.blocks()])
    np.testing.assert_allclose(U.T @ U, np.eye(U.shape[1]), atol=1e-12)
    solution = shrink(rotated, 0.5)
    fit = (problem.A @ solution.coef + solution.intercept - rotated.mean) * np.sqrt(problem.weights)[:, None]
    f = rotated.spectrum.s**2 / (rotated.spectrum.s**2 + 0.5)
    np.testing.assert_allclose(U @ (f[:, None] * rotated.z), fit, atol=1e-11)


@pytest.mark.parametrize("method", METHODS)
def test_duplicated_columns_share_their_coefficient(method):
    problem = random_problem(7, 30, 4)
    doubled = Problem(np.column_stack([problem.A, problem.A[:, 0]]), problem.b, problem.weights)
    coef = shrink(factor(doubled, method), 0.5).coef
    np.testing.assert_allclose(coef[0], coef[4], rtol=1e-7)
    np.testing.assert_allclose(coef, refit(doubled, 0.5).coef, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_column_gets_no_coefficient(method):
    problem = random_problem(8, 30, 4)
    A = np.column_stack([problem.A, np.full(30, 7.0)])
    for penalty in (Penalty(), Penalty(standardize=True)):
        coef = shrink(factor(Problem(A, problem.b, problem.weights, True, penalty), method), 0.5).coef
        np.testing.assert_allclose(coef[4], 0.0, atol=1e-12)


@pytest.mark.parametrize("method", ["svd", "gram"])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("n", [40, 3000])
def test_dummies_that_add_up_to_the_constant_under_a_smoothness_penalty_stay_finite(method, weights, n):
    rng = np.random.default_rng(3)
    level = rng.integers(0, 12, n)
    A, b = np.eye(12)[level], np.sin(level / 3)[:, None] + 0.1 * rng.normal(size=(n, 1))
    w = rng.uniform(0.5, 2, n) if weights else None
    rotated = factor(Problem(A, b, w, True, Penalty(operator=np.diff(np.eye(12), axis=0))), method)
    assert rotated.spectrum.free.T.shape[1] == 0  # the constant belongs to the intercept
    solution = shrink(rotated, 1.0)
    assert np.abs(solution.coef).max() < 3
    root = np.ones(n) if w is None else np.sqrt(w)
    tall = np.vstack([root[:, None] * np.column_stack([np.ones(n), A]), np.eye(13)[1:-1] - np.eye(13)[2:]])
    exact = np.linalg.lstsq(tall, np.append(root * b[:, 0], np.zeros(11)), rcond=1e-12)[0]
    np.testing.assert_allclose(
        A @ solution.coef[:, 0] + solution.intercept[0], exact[0] + A @ exact[1:], rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_ends_of_the_path_are_no_penalty_and_no_fit(method):
    problem = random_problem(9, 40, 5)
    both = path(factor(problem, method), np.array([0.0, np.inf]))
    np.testing.assert_allclose(both.coef[0], refit(problem, 0.0).coef, rtol=1e-8)
    np.testing.assert_array_equal(both.coef[1], 0.0)
    np.testing.assert_allclose(both.df, [6.0, 1.0])
    np.testing.assert_allclose(both.intercept[1], np.average(problem.b, axis=0, weights=problem.weights))


def test_the_route_is_chosen_by_shape_and_said():
    small, tall, wide = (
        np.zeros((100, 5)),
        np.broadcast_to(0.0, (10**6, 50)),
        np.broadcast_to(0.0, (300, 10**5)),
    )
    assert choose(small, Penalty()).method == "svd"
    assert choose(tall, Penalty()).method == "gram"
    assert choose(wide, Penalty()).method == "dual"
    assert "smaller" in choose(wide, Penalty()).reason
    with pytest.raises(UsageError, match="choose one of 'auto'"):
        choose(small, Penalty(), "cholesky")


def test_columns_a_hundred_million_from_zero_keep_their_digits():
    problem = random_problem(10, 300, 4, t=1, weights=False, offset=0.0)
    far = Problem(problem.A + 1e8, problem.b)
    near = refit(Problem(far.A - 1e8, problem.b), 3.0).coef  # the rounding of A itself is not ours
    for method in METHODS:
        np.testing.assert_allclose(shrink(factor(far, method), 3.0).coef, near, rtol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_moments_of_few_targets_are_those_of_the_same_targets_among_many(weighted, shifted):
    rng = np.random.default_rng(4)
    A, b = rng.normal(size=(2000, 9)) + 3.0, rng.normal(size=(2000, 40)) + 1.0
    w = rng.uniform(0.1, 2.0, 2000) if weighted else None
    shift = A[0] if shifted else None
    folds = rng.integers(0, 3, 2000)
    few = design_moments(A.astype(np.float32), b[:, :2], w, folds, shift)
    many = design_moments(A.astype(np.float32), b, w, folds, shift)
    for one, other in zip(few, many, strict=True):
        np.testing.assert_allclose(one.xx, other.xx, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(one.xy, other.xy[:, :2], rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(one.first_x, other.first_x, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(one.first_y, other.first_y[:2], rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(one.yy, other.yy[:2], rtol=1e-12)
        assert (one.count, one.weight) == (other.count, other.weight)
