"""Leave-one-out and K-fold equal refits that never saw the row they predict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import InputError, MissingRows, UsageError
from elltwo.factoring import factor, factor_moments
from elltwo.factoring.folds import factor_folds, factor_with_folds, fold_moments
from elltwo.facts.problem import Penalty, Problem
from elltwo.selecting import select
from elltwo.selecting.kfold import kfold
from elltwo.selecting.loo import compress, leverages, loo, loo_residuals
from elltwo.selecting.nested import nested
from elltwo.tables.moments.dense import design_moments
from problems import full_operator, held_out, penalties, random_problem, refit, rows_of

ALPHAS = np.array([0.01, 0.7, 30.0])
SHAPES = {"tall": (30, 5), "wide": (12, 20)}


def cases():
    for shape in SHAPES:
        for kind in penalties(5):
            for method in ("svd", "gram", "dual"):
                if method != "dual" or kind in (
                    "identity",
                    "standardized",
                    "strength per column",
                    "prior mean",
                ):
                    yield shape, kind, method


@pytest.mark.parametrize(("shape", "kind", "method"), list(cases()))
@pytest.mark.parametrize("intercept", [True, False])
def test_leave_one_out_equals_refits_without_the_row(shape, kind, method, intercept):
    n, p = SHAPES[shape]
    problem = random_problem(1, n, p, intercept=intercept, penalty=penalties(p)[kind])
    L = full_operator(problem)  # standardization stays that of all rows
    reference = [held_out(problem, np.arange(n), a, L) for a in ALPHAS]
    np.testing.assert_allclose(loo(factor(problem, method), ALPHAS).mean, reference, rtol=1e-8)


@pytest.mark.parametrize(("shape", "kind", "method"), list(cases()))
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("targets", [1, 9])
def test_kfold_equals_refits_with_everything_redone_inside_the_fold(shape, kind, method, intercept, targets):
    n, p = SHAPES[shape]
    problem = random_problem(2, n, p, t=targets, intercept=intercept, penalty=penalties(p)[kind])
    folds = np.arange(n) % 4
    reference = [held_out(problem, folds, a) for a in ALPHAS]
    rotated = factor(problem, method)
    np.testing.assert_allclose(
        kfold(factor_folds(problem, folds, rotated), ALPHAS).mean, reference, rtol=1e-8
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_one_pass_serves_the_full_fit_and_the_folds(shape):
    n, p = SHAPES[shape]
    problem = random_problem(3, n, p, penalty=Penalty(x0=np.ones(p)))
    folds = np.arange(n) % 3
    rotated, parts = factor_with_folds(problem, folds, "gram")
    np.testing.assert_allclose(rotated.z**2, factor(problem, "gram").z ** 2, rtol=1e-6, atol=1e-12)
    reference = kfold(factor_folds(problem, folds, rotated), ALPHAS)
    np.testing.assert_allclose(kfold(parts, ALPHAS).mean, reference.mean, rtol=1e-9)


def test_leave_one_out_at_zero_is_the_limit_where_rows_are_interpolated():
    problem = random_problem(4, 10, 25, weights=False)
    rotated = factor(problem)
    np.testing.assert_allclose(
        loo(rotated, np.array([0.0])).mean, loo(rotated, np.array([1e-9])).mean, rtol=1e-6
    )
    assert np.all(loo(rotated, np.array([0.0])).mean > 0.1)  # scores that forget the intercept tend to 0 here


@pytest.mark.parametrize("targets", [1, 3, 12])
def test_leave_one_out_residuals_are_those_of_the_refits(targets):
    problem = random_problem(5, 14, 4, t=targets)
    alpha = np.geomspace(0.1, 5, targets)
    mine = loo_residuals(factor(problem), alpha)
    for i in range(14):
        rest = rows_of(problem, np.arange(14) != i)
        for j in range(targets):
            answer = refit(rest, alpha[j])
            expected = problem.b[i, j] - problem.A[i] @ answer.coef[:, j] - answer.intercept[j]
            np.testing.assert_allclose(mine[i, j], expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["svd", "gram", "dual"])
def test_leverages_are_the_diagonal_of_the_hat_matrix(method):
    problem = random_problem(6, 20, 6)
    hat = np.column_stack(
        [
            problem.A @ refit(Problem(problem.A, e[:, None], problem.weights), 0.8).coef[:, 0]
            + refit(Problem(problem.A, e[:, None], problem.weights), 0.8).intercept
            for e in np.eye(20)
        ]
    )
    np.testing.assert_allclose(leverages(factor(problem, method), 0.8), np.diagonal(hat), rtol=1e-9)


def test_many_strengths_are_compressed_to_few_directions_without_loss():
    s = np.geomspace(100, 1, 200)
    F = 1 / (1 + s[:, None] ** 2 / np.geomspace(1e-2, 1e6, 300))
    basis = compress(F)
    assert basis.left.shape[1] < 40
    np.testing.assert_allclose(basis.left @ basis.right, F, atol=1e-12)


def test_scores_with_many_strengths_equal_scores_one_at_a_time():
    rotated = factor(random_problem(7, 50, 20, t=1))
    alphas = np.geomspace(1e-4, 1e4, 80)
    one_by_one = [loo(rotated, np.array([a])).mean[0] for a in alphas]
    np.testing.assert_allclose(loo(rotated, alphas).mean, one_by_one, rtol=1e-10)


def brute_nested(problem, folds, alphas):
    error, weight = 0.0, 0.0
    for k in np.unique(folds):
        train = rows_of(problem, folds != k)
        scores = [held_out(train, folds[folds != k], a)[0] for a in alphas]
        answer = refit(train, alphas[int(np.argmin(scores))])
        w = problem.weights[folds == k]
        residual = problem.b[folds == k] - problem.A[folds == k] @ answer.coef - answer.intercept
        error, weight = error + w @ residual[:, 0] ** 2, weight + w.sum()
    return error / weight


def test_nested_cross_validation_equals_nested_refits():
    problem = random_problem(8, 36, 8, t=1, penalty=Penalty(standardize=True))
    folds = np.arange(36) % 4
    alphas = np.geomspace(0.01, 100, 12)
    mine = nested(fold_moments(problem, folds), problem.penalty, alphas=alphas)
    np.testing.assert_allclose(mine.error[0], brute_nested(problem, folds, alphas), rtol=1e-9)
    assert mine.alphas.shape == (4, 1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3), c=st.floats(1e-3, 1e3))
def test_the_choice_does_not_depend_on_units_rotation_or_row_order(seed, scale, c):
    problem = random_problem(seed, 25, 4, t=1, weights=False)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    order = rng.permutation(25)
    moved = Problem((problem.A @ rotation)[order] * scale + 5.0, problem.b[order] * c - 2.0)
    for rule in ("loo", "gcv", "evidence", "rgcv"):
        a = select(factor(problem), rule, others=False).alpha[0]
        b = select(factor(moved), rule, others=False).alpha[0]
        np.testing.assert_allclose(b / scale**2, a, rtol=1e-7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_row_of_weight_two_is_a_row_twice(seed):
    problem = random_problem(seed, 15, 3, t=1, weights=False)
    w = np.ones(15)
    w[3] = 2.0
    twice = Problem(np.vstack([problem.A, problem.A[3]]), np.vstack([problem.b, problem.b[3]]))
    heavy = Problem(problem.A, problem.b, w)
    one, other = factor(twice), factor(heavy)
    np.testing.assert_allclose(one.spectrum.s, other.spectrum.s, rtol=1e-10)
    np.testing.assert_allclose(one.z**2, other.z**2, rtol=1e-6, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_zero_column_changes_nothing(seed):
    problem = random_problem(seed, 20, 4, t=1)
    wider = Problem(np.column_stack([problem.A, np.zeros(20)]), problem.b, problem.weights)
    np.testing.assert_allclose(loo(factor(wider), ALPHAS).mean, loo(factor(problem), ALPHAS).mean, rtol=1e-9)


def test_pure_noise_is_shrunk_away_and_said():
    rng = np.random.default_rng(11)
    problem = Problem(rng.normal(size=(60, 200)), rng.normal(size=(60, 1)))
    chosen = select(factor(problem), "loo", others=False)
    assert chosen.alpha[0] > 1e3
    strong = Problem(rng.normal(size=(30, 1)), np.r_[np.ones(15), -np.ones(15)][:, None] + 0.0)
    assert "penalty" in select(factor(strong), "loo").sentence or select(factor(strong), "loo").edge == ""


def test_infinity_is_a_choice_when_the_columns_do_not_help():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(50, 3))
    Q = np.linalg.qr(np.column_stack([np.ones(50), A]))[0]
    b = rng.normal(size=50)
    b -= Q @ (Q.T @ b)  # exactly unrelated to the columns
    chosen = select(factor(Problem(A, b[:, None])), "loo")
    assert np.isinf(chosen.alpha[0])
    assert chosen.edge == "infinity"
    assert "do not help" in chosen.sentence


def test_given_strengths_are_chosen_among_exactly_and_an_edge_is_said():
    problem = random_problem(12, 40, 4, t=1)
    chosen = select(factor(problem), "loo", alphas=np.array([1e5, 1e6]))
    assert chosen.alpha[0] == 1e5
    assert "low edge" in chosen.sentence


def test_one_standard_error_chooses_a_stronger_penalty_within_the_error():
    problem = random_problem(13, 60, 10, t=1)
    rotated, folds = factor_with_folds(problem, np.arange(60) % 5)
    plain, strong = select(rotated, "kfold", folds=folds), select(rotated, "kfold", folds=folds, one_se=True)
    curve = plain.curves["kfold"]
    at = np.argmin(np.abs(curve.alphas - strong.alpha[0]))
    assert strong.alpha[0] >= plain.alpha[0]
    least = np.argmin(curve.score[:, 0])
    assert curve.score[at, 0] <= plain.score[0] + curve.error[least, 0] + 1e-12
    with pytest.raises(UsageError, match="standard error"):
        select(rotated, "gcv", one_se=True)


def test_one_strength_for_all_targets_minimises_the_average():
    problem = random_problem(14, 40, 6, t=3)
    alphas = np.geomspace(0.01, 100, 30)
    chosen = select(factor(problem), "loo", alphas=alphas, per_target=False)
    average = loo(factor(problem), alphas).mean.mean(axis=1)
    assert np.all(chosen.alpha == alphas[np.argmin(average)])


def test_a_rule_without_what_it_needs_names_the_rules_that_work():
    problem = random_problem(15, 20, 3)
    [m] = design_moments(problem.A, problem.b)
    rotated = factor_moments(m, Penalty())
    with pytest.raises(UsageError, match=r"needs the rows.*gcv"):
        select(rotated, "loo")
    with pytest.raises(MissingRows, match="choose gcv"):
        loo(rotated, ALPHAS)
    with pytest.raises(UsageError, match="folds"):
        select(rotated, "kfold")
    with pytest.raises(UsageError, match="unknown rule 'mallard'"):
        select(rotated, "mallard")
    with pytest.raises(InputError, match=">= 0"):
        select(rotated, "gcv", alphas=np.array([-1.0, 2.0]))
    with pytest.raises(InputError, match="at least 2 folds"):
        factor_folds(problem, np.zeros(20, dtype=int))


@pytest.mark.parametrize(("rule", "count"), [("kfold", 2), ("gcv", 2), ("gcv", 3)])
def test_rules_that_read_the_spectrum_choose_inside_each_outer_fold_and_gcv_does_where_no_fold_is_left(
    rule, count
):
    problem = random_problem(9, 40, 5, t=1, penalty=Penalty(standardize=True))
    folds = np.arange(40) % count
    found = nested(fold_moments(problem, folds), problem.penalty, rule=rule, one_se=rule == "kfold")
    for k in range(count):
        inside = select(factor(rows_of(problem, folds != k)), "gcv", others=False).alpha
        np.testing.assert_allclose(found.alphas[k], inside, rtol=1e-6)
