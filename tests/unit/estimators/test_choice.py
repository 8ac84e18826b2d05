"""The choice of a strength: scikit-learn's answers without its refits, and more rules from one factorization."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.linear_model as peers
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_predict,
)

from elltwo import Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV
from elltwo.errors import ChoiceWarning, InputError, UsageError
from elltwo.facts.problem import Penalty
from problems import held_out, random_problem, refit, rows_of

ALPHAS = np.logspace(-3, 4, 15)
X, Y = load_diabetes(return_X_y=True)


def test_the_users_guide_example_of_scikit_learn_gets_what_brute_force_says() -> None:
    A, y, alphas = np.array([[0, 0], [0, 0], [1, 1.0]]), np.array([0, 0.1, 1]), np.logspace(-6, 6, 13)
    errors = []
    for alpha in alphas:
        left_out = [
            Ridge(alpha).fit(np.delete(A, i, 0), np.delete(y, i)).predict(A[i : i + 1])[0] - y[i]
            for i in range(3)
        ]
        errors.append(np.mean(np.square(left_out)))
    best = alphas[int(np.argmin(errors))]
    assert best == pytest.approx(0.01)
    assert RidgeCV(alphas=alphas).fit(A, y).alpha_ == best


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cv": 5},
        {"cv": KFold(4, shuffle=True, random_state=1)},
        {"cv": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0)},
        {"cv": ShuffleSplit(6, test_size=0.3, random_state=0)},
        {"cv": TimeSeriesSplit(5)},
        {"scoring": "neg_mean_absolute_error"},
        {"cv": 5, "scoring": "neg_median_absolute_error"},
        {"fit_intercept": False, "cv": 3},
        {"gcv_mode": "svd"},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("design", ["tall", "wide", "sparse"])
def test_the_choice_the_score_and_the_coefficients_are_scikit_learns(
    options: dict, weighted: bool, design: str
) -> None:
    if design == "sparse" and "gcv_mode" in options:
        pytest.skip("scikit-learn has no such mode")
    problem = random_problem(n=24, p=40 if design == "wide" else 7, t=1, weights=weighted)
    A, y = problem.A, problem.b[:, 0]
    A = sparse.csr_array(np.where(A > 3, A, 0.0)) if design == "sparse" else A
    theirs = peers.RidgeCV(alphas=ALPHAS, **options).fit(A, y, problem.weights)
    ours = RidgeCV(alphas=ALPHAS, **options).fit(A, y, problem.weights)
    assert ours.alpha_ == theirs.alpha_
    tolerance = 2e-2 if design == "sparse" and "cv" in options else 1e-7  # theirs iterates to 1e-4 there
    np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=tolerance)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=tolerance, atol=10 * tolerance)


def test_stored_leave_one_out_results_are_scikit_learns_row_by_row() -> None:
    problem = random_problem(t=3)
    for scoring in (None, "neg_mean_squared_error"):
        options = {"alphas": [10.0, 0.1, 1.0], "store_cv_results": True, "scoring": scoring}
        theirs = peers.RidgeCV(**options).fit(problem.A, problem.b, problem.weights)
        ours = RidgeCV(**options).fit(problem.A, problem.b, problem.weights)
        np.testing.assert_allclose(ours.cv_results_, theirs.cv_results_, rtol=1e-9)


def test_classes_are_chosen_and_predicted_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(90, 5))
    labels = np.array(["a", "b", "c"])[np.argmax(A[:, :3] + rng.normal(size=(90, 3)), axis=1)]
    for options in ({}, {"cv": 5}, {"scoring": "balanced_accuracy"}, {"class_weight": "balanced"}):
        theirs = peers.RidgeClassifierCV(alphas=ALPHAS, **options).fit(A, labels)
        ours = RidgeClassifierCV(alphas=ALPHAS, **options).fit(A, labels)
        assert ours.alpha_ == theirs.alpha_
        np.testing.assert_allclose(ours.best_score_, theirs.best_score_)
        np.testing.assert_array_equal(ours.predict(A), theirs.predict(A))
    assert RidgeClassifier().fit(A, labels).score(A, labels) == peers.RidgeClassifier().fit(A, labels).score(
        A, labels
    )


def test_two_classes_are_scored_by_their_labels() -> None:
    rng = np.random.default_rng(2)
    A = rng.normal(size=(60, 40))
    y = (A[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(int)
    model = RidgeClassifierCV(alphas=ALPHAS, scoring="accuracy", store_cv_results=True).fit(A, y)
    accuracy = [np.mean((model.cv_results_[:, 0, i] > 0) == y) for i in range(ALPHAS.size)]
    assert model.best_score_ == pytest.approx(max(accuracy))
    assert model.best_score_ < 1.0


@settings(max_examples=15, deadline=None)
@given(
    st.floats(-6, 6),
    st.floats(-6, 6),
    st.sampled_from(["loo", "gcv", "rgcv", "evidence", "aicc", "mallows", "kfold"]),
)
def test_the_automatic_choice_does_not_depend_on_the_units_of_x_and_y(u: float, v: float, rule: str) -> None:
    problem = random_problem(t=1, weights=False)
    A, y = problem.A, problem.b[:, 0]
    one = RidgeCV(alphas="auto", rule=rule).fit(A, y)
    other = RidgeCV(alphas="auto", rule=rule).fit(A * 10.0**u, y * 10.0**v)
    np.testing.assert_allclose(other.alpha_, one.alpha_ * 10.0 ** (2 * u), rtol=1e-6)


def test_columns_that_only_mislead_are_given_an_infinite_strength_and_the_sentence_says_so() -> None:
    rng = np.random.default_rng(1)
    A = np.linalg.qr(np.column_stack([np.ones(50), rng.normal(size=(50, 9))]))[0][:, 1:]
    y = A[:, 8]  # orthogonal to the eight columns that are offered
    model = RidgeCV(alphas="auto").fit(A[:, :8], y)
    assert np.isinf(model.alpha_)
    assert model.selection_.edge == "infinity"
    assert "the columns do not help" in model.selection_.sentence
    np.testing.assert_array_equal(model.coef_, 0.0)


def test_an_exact_linear_relation_is_given_no_strength_at_all() -> None:
    rng = np.random.default_rng(1)
    A = rng.normal(size=(50, 4))
    model = RidgeCV(alphas="auto").fit(A, A @ [1.0, 2.0, 3.0, 4.0])
    assert model.alpha_ < 1e-6
    assert model.selection_.edge in ("zero", "low")


def test_a_choice_on_the_edge_of_a_given_grid_is_said() -> None:
    model = RidgeCV(alphas=[1e3, 1e4]).fit(X, Y)
    assert model.selection_.edge == "low"
    assert "low edge" in model.selection_.sentence


SPLITTERS = {
    "K-fold": KFold(5, shuffle=True, random_state=0),
    "time series": TimeSeriesSplit(4),
    "time series with a gap": TimeSeriesSplit(3, gap=2, max_train_size=12),
    "random splits": ShuffleSplit(4, test_size=0.25, random_state=1),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=2),
}


@pytest.mark.parametrize(
    "penalty", ["plain", "standardized", "free and strengths", "free, standardized", "prior mean"]
)
@pytest.mark.parametrize("shape", [(36, 6), (20, 30)])
@pytest.mark.parametrize("name", SPLITTERS)
def test_every_splitter_scores_what_refits_on_its_rows_score(
    name: str, shape: tuple[int, int], penalty: str
) -> None:
    n, p = shape
    strengths = np.r_[0.0, np.linspace(0.5, 2, p - 1)]
    options, core = {
        "plain": ({}, Penalty()),
        "standardized": ({"standardize": True}, Penalty(standardize=True)),
        "free and strengths": ({"strengths": strengths}, Penalty(scale=np.sqrt(strengths))),
        "free, standardized": (
            {"strengths": strengths, "standardize": True},
            Penalty(scale=np.sqrt(strengths), standardize=True),
        ),
        "prior mean": ({"prior_mean": np.ones(p)}, Penalty(x0=np.ones(p))),
    }[penalty]
    problem = random_problem(n=n, p=p, t=2, penalty=core)
    alphas = np.array([0.1, 3.0, 50.0])
    model = RidgeCV(alphas=alphas, rule="kfold", cv=SPLITTERS[name], **options)
    model.fit(problem.A, problem.b, problem.weights)
    expected = []
    for alpha in alphas:
        total, weight = 0.0, 0.0
        for train, held in SPLITTERS[name].split(problem.A):
            answer = refit(rows_of(problem, train), alpha)
            error = problem.b[held] - problem.A[held] @ answer.coef - answer.intercept
            total, weight = total + problem.weights[held] @ error**2, weight + problem.weights[held].sum()
        expected.append(total / weight)
    score = model.selection_.curves["kfold"].score
    np.testing.assert_allclose(score[:, 0], np.mean(expected, axis=1), rtol=1e-8)


def test_a_fold_column_and_groups_hold_out_what_they_name() -> None:
    problem = random_problem(n=30, t=1)
    column = np.repeat(["x", "y", "z"], 10)
    by_column = RidgeCV(alphas=[2.0], rule="kfold", cv=column).fit(problem.A, problem.b, problem.weights)
    np.testing.assert_allclose(-by_column.best_score_, held_out(problem, column, 2.0), rtol=1e-9)
    groups = np.repeat(np.arange(6), 5)
    by_group = RidgeCV(alphas=[2.0], rule="kfold", cv=GroupKFold(6))
    by_group.fit(problem.A, problem.b, problem.weights, groups=groups)
    np.testing.assert_allclose(-by_group.best_score_, held_out(problem, groups, 2.0), rtol=1e-9)
    np.testing.assert_array_equal(by_column.selection_.folds, np.repeat([0, 1, 2], 10))


@pytest.mark.parametrize("rule", ["loo", "gcv", "kfold"])
def test_a_row_of_weight_zero_is_a_row_that_is_not_there(rule: str) -> None:
    problem = random_problem(n=40, t=1)
    w = problem.weights.copy()
    w[::4] = 0.0
    keep = w > 0
    column = np.arange(40) % 3
    cv = {"cv": column} if rule == "kfold" else {}
    kept = {"cv": column[keep]} if rule == "kfold" else {}
    whole = RidgeCV(alphas="auto", rule=rule, **cv).fit(problem.A, problem.b[:, 0], w)
    part = RidgeCV(alphas="auto", rule=rule, **kept).fit(problem.A[keep], problem.b[keep, 0], w[keep])
    assert whole.alpha_ == pytest.approx(part.alpha_, rel=1e-9)
    np.testing.assert_allclose(whole.coef_, part.coef_)
    np.testing.assert_array_equal(whole.leverages()[~keep], 0.0)


@pytest.mark.parametrize("wide", [False, True])
def test_degrees_of_freedom_radius_and_length_are_met_to_ten_digits(wide: bool) -> None:
    problem = random_problem(n=20, p=40 if wide else 6, t=1)
    A, y = problem.A, problem.b[:, 0]
    assert RidgeCV(target_df=4.25).fit(A, y).df()[0] == pytest.approx(4.25, rel=1e-10)
    shortened = RidgeCV(radius=0.3).fit(A, y)
    assert np.linalg.norm(shortened.coef_) == pytest.approx(0.3, rel=1e-10)
    full = np.linalg.norm(Ridge(alpha=0.0).fit(A, y).coef_)
    half = RidgeCV(length_fraction=0.5).fit(A, y)
    assert np.linalg.norm(half.coef_) == pytest.approx(0.5 * full, rel=1e-10)
    assert half.selection_.rule == "length_fraction"


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("name", "each"),
    [("radius", [0.1, 0.4, 0.2]), ("length_fraction", [0.25, 1.0, 0.5]), ("target_df", [2.5, 4.0, 3.0])],
)
def test_a_radius_a_fraction_or_degrees_of_freedom_for_every_target_are_those_of_one_fit_each(
    wide: bool, name: str, each: list[float]
) -> None:
    problem = random_problem(n=20, p=40 if wide else 6, t=3)
    together = RidgeCV(**{name: each}).fit(problem.A, problem.b)
    alone = [RidgeCV(**{name: v}).fit(problem.A, problem.b[:, j]) for j, v in enumerate(each)]
    np.testing.assert_allclose(together.alpha_, [m.alpha_ for m in alone], rtol=1e-9)
    np.testing.assert_allclose(together.coef_, [m.coef_ for m in alone], rtol=1e-9, atol=1e-12)
    one = RidgeCV(**{name: each[0]}).fit(problem.A, problem.b)
    np.testing.assert_allclose(one.coef_[0], alone[0].coef_, rtol=1e-9, atol=1e-12)
    assert np.shape(one.alpha_) == (() if name == "target_df" else (3,))


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"radius": [1.0, 2.0]}, r"radius must be one number, or one per target \(3\); got shape \(2,\)"),
        ({"radius": [1.0, -2.0, 1.0]}, "a radius must be >= 0"),
        ({"length_fraction": [0.5, 1.5, 0.5]}, "must lie between 0 and 1"),
        ({"target_df": [[1.0, 2.0, 3.0]]}, r"got shape \(1, 3\)"),
    ],
)
def test_wishes_that_do_not_fit_the_targets_are_refused(wish: dict, sentence: str) -> None:
    problem = random_problem(n=20, p=6, t=3)
    with pytest.raises(InputError, match=sentence):
        RidgeCV(**wish).fit(problem.A, problem.b)


def test_two_exact_wishes_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="target_df and radius each fix the strength"):
        RidgeCV(target_df=3, radius=1.0).fit(X, Y)


def test_one_standard_error_takes_the_largest_strength_within_it() -> None:
    plain = RidgeCV(alphas=ALPHAS, rule="kfold", cv=10).fit(X, Y)
    wary = RidgeCV(alphas=ALPHAS, rule="kfold", cv=10, one_se=True).fit(X, Y)
    curve = plain.selection_.curves["kfold"]
    best = np.argmin(curve.score[:, 0])
    limit = curve.score[best, 0] + curve.error[best, 0]
    assert wary.alpha_ == ALPHAS[np.flatnonzero(curve.score[:, 0] <= limit).max()]
    assert wary.alpha_ > plain.alpha_


def test_every_rule_is_heard_from_one_factorization() -> None:
    model = RidgeCV(alphas="auto").fit(X, Y)
    assert set(model.selection_.choices) == {"loo", "gcv", "rgcv", "evidence", "mallows", "aicc"}
    with_folds = RidgeCV(alphas="auto", rule="gcv", cv=5).fit(X, Y)
    assert "kfold" in with_folds.selection_.choices


@pytest.mark.parametrize("rule", ["loo", "gcv", "evidence", "kfold"])
def test_a_strength_per_target_is_each_targets_own_choice(rule: str) -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(50, 6))
    b = np.column_stack([A[:, 0] * 5, A[:, 1] * 0.3, A[:, 2]]) + rng.normal(size=(50, 3))
    together = RidgeCV(alphas="auto", rule=rule, alpha_per_target=True).fit(A, b)
    alone = [RidgeCV(alphas="auto", rule=rule).fit(A, column).alpha_ for column in b.T]
    np.testing.assert_allclose(together.alpha_, alone, rtol=1e-5)
    assert together.best_score_.shape == (3,)


def test_a_score_that_is_undefined_for_single_rows_says_so_and_keeps_the_smallest() -> None:
    with pytest.warns(ChoiceWarning, match="R2 of a single held-out row is undefined"):
        model = RidgeCV(alphas=[0.1, 1.0], cv=len(X[:20])).fit(X[:20], Y[:20])
    assert model.alpha_ == 0.1
    assert np.isnan(model.best_score_)


def test_folds_choose_what_refitting_through_cross_val_predict_would() -> None:
    cv = KFold(7, shuffle=True, random_state=3)
    model = RidgeCV(alphas=ALPHAS, cv=cv, rule="kfold").fit(X, Y)
    errors = [np.mean((Y - cross_val_predict(peers.Ridge(a), X, Y, cv=cv)) ** 2) for a in ALPHAS]
    assert model.alpha_ == ALPHAS[int(np.argmin(errors))]
    assert -model.best_score_ == pytest.approx(min(errors), rel=1e-10)
