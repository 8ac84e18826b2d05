"""Banded ridge: strengths per group by gradient, and what each group contributes."""

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.metrics.pairwise import pairwise_kernels

from elltwo.errors import InputError, UsageError
from elltwo.estimators.banded import BandedRidgeCV
from elltwo.estimators.banded_parts import column_groups
from elltwo.facts.problem import Penalty, Problem
from elltwo.selecting.banded import _objective, bands_of_columns, choose_strengths, dual_coefficients
from elltwo.selecting.joint import evidence, leave_one_out
from problems import held_out

GROUPS = [np.arange(4), np.arange(4, 10)]


def centred(n, p, t=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = rng.normal(size=(n, t)) + X[:, :t]
    return X - X.mean(axis=0), y - y.mean(axis=0)


def scales(alphas, p):
    scale = np.empty(p)
    for g, a in zip(GROUPS, alphas, strict=True):
        scale[g] = np.sqrt(a)
    return scale


@pytest.mark.parametrize("n", [40, 9])
def test_evidence_is_the_density_of_targets_with_the_mean_projected_out(n):
    X, y = centred(n, 10, 1)
    bands = bands_of_columns(X, GROUPS, y, 1, rows_needed=False)
    basis = np.linalg.qr(np.column_stack([np.ones(n), np.eye(n)[:, 1:]]))[0][:, 1:]
    exact, mine = [], []
    for v in (np.array([0.5, 2.0]), np.array([-1.0, 3.0])):
        M = np.eye(n) + sum(X[:, g] @ X[:, g].T / np.exp(u) for g, u in zip(GROUPS, v, strict=True))
        M, u = basis.T @ M @ basis, basis.T @ y[:, 0]
        sigma2 = u @ np.linalg.solve(M, u) / (n - 1)
        exact.append(-2 * stats.multivariate_normal(np.zeros(n - 1), sigma2 * M).logpdf(u))
        mine.append(_objective(evidence, bands.kernels, bands.y, bands.aside, v).value)
    np.testing.assert_allclose(np.diff(mine), np.diff(exact), rtol=1e-9)


@pytest.mark.parametrize("n", [40, 9])
def test_leave_one_out_is_that_of_refits(n):
    X, y = centred(n, 10, 2)
    bands = bands_of_columns(X, GROUPS, y, 1, rows_needed=True)
    v = np.array([0.3, 1.5])
    mine = np.exp(_objective(leave_one_out, bands.kernels, bands.y, bands.aside, v).value)
    problem = Problem(X, y, None, True, Penalty(scale=scales(np.exp(v), 10)))
    np.testing.assert_allclose(mine, held_out(problem, np.arange(n), 1.0).mean(), rtol=1e-9)


@pytest.mark.parametrize("n", [40, 9])
@pytest.mark.parametrize("rule", [evidence, leave_one_out])
def test_gradients_are_those_of_finite_differences(n, rule):
    X, y = centred(n, 10)
    bands = bands_of_columns(X, GROUPS, y, 1, rows_needed=rule is leave_one_out)
    v, step = np.array([0.7, -0.4]), 1e-5

    def at(u):
        return _objective(rule, bands.kernels, bands.y, bands.aside, u)

    numeric = [(at(v + h).value - at(v - h).value) / (2 * step) for h in step * np.eye(2)]
    np.testing.assert_allclose(at(v).gradient, numeric, rtol=1e-5)


@pytest.mark.parametrize("rule", ["evidence", "loo"])
@pytest.mark.parametrize("n", [60, 15])
def test_chosen_strengths_beat_a_grid(rule, n):
    X, y = centred(n, 10, 1, seed=3)
    y = y / np.sqrt(np.mean(y**2))
    bands = bands_of_columns(X, GROUPS, y, 1, rows_needed=rule == "loo")
    best = choose_strengths(bands, rule)
    objective = {"evidence": evidence, "loo": leave_one_out}[rule]
    values = [
        _objective(
            objective, bands.kernels, bands.y, bands.aside, np.log(bands.scale) + np.array([a, b])
        ).value
        for a in np.linspace(-6, 8, 12)
        for b in np.linspace(-6, 8, 12)
    ]
    assert best.value <= min(values) + 1e-3


def test_coefficients_are_ridge_with_the_chosen_strengths_and_the_dual_agrees():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(12, 10)) + 2, rng.normal(size=12)
    model = BandedRidgeCV([0] * 4 + [1] * 6).fit(X, y)
    c = X - X.mean(axis=0)
    expected = np.linalg.solve(c.T @ c + np.diag(scales(model.alphas_, 10) ** 2), c.T @ y)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-8, atol=1e-12)
    bands = bands_of_columns(c, GROUPS, (y - y.mean())[:, None], 1, rows_needed=True)
    a = dual_coefficients(bands, model.alphas_)
    np.testing.assert_allclose(
        c[:, GROUPS[0]].T @ a[:, 0] / model.alphas_[0], expected[:4], rtol=1e-8, atol=1e-12
    )


def test_a_group_without_signal_is_shrunk_away_and_contributes_nothing():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 20))
    y = X[:, :10] @ rng.normal(size=10) + rng.normal(size=400)
    model = BandedRidgeCV(np.repeat(["signal", "noise"], 10)).fit(X[:300], y[:300])
    assert model.group_names_ == ["noise", "signal"]
    assert model.alphas_[0] > 50 * model.alphas_[1]
    split = model.score_split(X[300:], y[300:])
    assert abs(split[0]) < 0.02
    assert split[1] > 0.8
    np.testing.assert_allclose(
        model.score_split(X[:300], y[:300]).sum(), model.score(X[:300], y[:300]), rtol=1e-10
    )


def test_every_target_can_have_strengths_of_its_own():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(200, 10))
    Y = np.column_stack([X[:, :4] @ rng.normal(size=4), X[:, 4:] @ rng.normal(size=6)]) + rng.normal(
        size=(200, 2)
    )
    model = BandedRidgeCV([0] * 4 + [1] * 6, per_target=True).fit(X, Y)
    assert model.alphas_[0, 0] < model.alphas_[0, 1]
    assert model.alphas_[1, 1] < model.alphas_[1, 0]
    alone = BandedRidgeCV([0] * 4 + [1] * 6).fit(X, Y[:, 1])
    np.testing.assert_allclose(model.predict(X)[:, 1], alone.predict(X), rtol=1e-2, atol=1e-2)
    assert model.score_split(X, Y).shape == (2, 2)


def test_groups_that_do_not_cover_the_columns_are_refused():
    with pytest.raises(InputError, match=r"one group label per column is needed \(3\)"):
        column_groups([0, 1], 3)
    with pytest.raises(InputError, match=r"exactly one group; these do not: \[2\]"):
        column_groups([[0, 1], [2, 2]], 3)
    with pytest.raises(UsageError, match="unknown rule for banded ridge"):
        BandedRidgeCV([0, 1], rule="magic").fit(np.eye(3)[:, :2], np.ones(3))


@pytest.mark.parametrize("constant", [1.0, 0.1, 0.0])
def test_a_group_of_constant_columns_has_no_say(constant):
    local = np.random.default_rng(3)
    X = local.normal(size=(120, 9))
    y = X[:, 3:] @ local.normal(size=6) + local.normal(size=120)
    X[:, :3] = constant
    groups = np.repeat([0, 1, 2], 3)
    banded = BandedRidgeCV(groups).fit(X, y)
    without = BandedRidgeCV(groups[3:]).fit(X[:, 3:], y)
    np.testing.assert_allclose(banded.coef_[:3], 0.0, atol=1e-12)
    np.testing.assert_allclose(banded.coef_[3:], without.coef_, rtol=1e-3)
    np.testing.assert_allclose(banded.predict(X), without.predict(X[:, 3:]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.coo_array])
@pytest.mark.parametrize("rule", ["evidence", "loo"])
@pytest.mark.parametrize("shape", [(150, 12), (20, 60)])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_sparse_design_gets_the_answer_of_the_dense_one(form, rule, shape, intercept):
    local = np.random.default_rng(0)
    X = np.where(local.random(shape) < 0.2, 3 * local.random(shape) + 1, 0.0)
    X[:, 1] = 2.0
    groups = np.arange(shape[1]) % 3
    Y = X[:, :2] @ local.normal(size=(2, 2)) + X[:, 3::3] @ local.normal(size=(X[:, 3::3].shape[1], 2))
    Y += 3 * local.normal(size=Y.shape)
    options = {"rule": rule, "fit_intercept": intercept, "per_target": rule == "evidence"}
    dense = BandedRidgeCV(groups, **options).fit(X, Y)
    thin = BandedRidgeCV(groups, **options).fit(form(X), Y)
    for v in local.normal(size=(3, 3)):  # the criterion that is searched
        objective = {"evidence": evidence, "loo": leave_one_out}[rule]
        bands = [m._parts.bands(Y - Y.mean(axis=0) * intercept, rule == "loo") for m in (thin, dense)]
        one, two = (_objective(objective, p.kernels, p.y, p.aside, v) for p in bands)
        assert one.value == pytest.approx(two.value, rel=1e-10)
        np.testing.assert_allclose(one.gradient, two.gradient, rtol=1e-7, atol=1e-9)
    assert thin.best_score_ == pytest.approx(dense.best_score_, rel=1e-6)  # the search's own tolerance
    np.testing.assert_allclose(thin.alphas_, dense.alphas_, rtol=0.05)
    given = np.atleast_2d(dense.alphas_)
    thin._solved = thin._parts.solve(Y, None, given)  # at the same strengths
    np.testing.assert_allclose(thin.predict(form(X)), dense.predict(X), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(thin.contributions(form(X)), dense.contributions(X), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(thin.score_split(form(X), Y), dense.score_split(X, Y), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shape", [(40, 10), (9, 10)])
def test_the_degrees_of_freedom_of_the_groups_are_traces_of_their_hat_matrices(shape):
    X, y = centred(*shape)
    model = BandedRidgeCV([0] * 4 + [1] * 6).fit(X, y)
    penalty = np.diag(scales(model.alphas_, 10) ** 2)
    for g, df in zip(GROUPS, model.group_df_, strict=True):
        own = X[:, g] @ np.linalg.solve(X.T @ X + penalty, X.T)[g]
        assert df == pytest.approx(np.trace(own), rel=1e-6, abs=1e-9)


def kernel_problem():
    rng = np.random.default_rng(8)
    X = rng.uniform(-1, 1, (60, 4))
    Y = np.column_stack([np.sin(4 * X[:, 0]), X[:, 2] * X[:, 3]]) + 0.1 * rng.normal(size=(60, 2)) + 5
    return X, Y, [np.arange(2), np.arange(2, 4)]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("per_target", [True, False])
def test_linear_kernels_are_groups_of_columns(intercept, per_target):
    X, Y, groups = kernel_problem()
    options = {"fit_intercept": intercept, "per_target": per_target}
    columns = BandedRidgeCV(groups, **options).fit(X, Y)
    gram = np.stack([X[:, g] @ X[:, g].T for g in groups])
    kernels = BandedRidgeCV(kernel="precomputed", **options).fit(gram, Y)
    named = BandedRidgeCV(groups, kernel=["linear", "linear"], **options).fit(X, Y)
    new = np.random.default_rng(1).uniform(-1, 1, (5, 4))
    across = np.stack([new[:, g] @ X[:, g].T for g in groups])
    for model, rows in ((kernels, across), (named, new)):
        np.testing.assert_allclose(model.alphas_, columns.alphas_, rtol=2e-3)
        np.testing.assert_allclose(model.predict(rows), columns.predict(new), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(model.contributions(rows), columns.contributions(new), atol=1e-3)


@pytest.mark.parametrize("intercept", [True, False])
def test_two_kernels_are_one_weighted_kernel_ridge(intercept):
    X, Y, groups = kernel_problem()
    params = [{"gamma": 2.0}, {"degree": 2, "coef0": 0.5}]
    model = BandedRidgeCV(groups, kernel=["rbf", "poly"], kernel_params=params, fit_intercept=intercept).fit(
        X, Y[:, 0]
    )
    rbf = pairwise_kernels(X[:, :2], metric="rbf", gamma=2.0)
    poly = pairwise_kernels(X[:, 2:], metric="poly", degree=2, coef0=0.5)
    K = rbf / model.alphas_[0] + poly / model.alphas_[1]
    if intercept:  # (f, b) minimising Σ(y − b − f)² + ‖f‖²: a + Ka + b = y, 1'a = 0
        one = np.ones((60, 1))
        system = np.block([[K + np.eye(60), one], [one.T, np.zeros((1, 1))]])
        solved = np.linalg.solve(system, np.append(Y[:, 0], 0.0))
        a, b = solved[:-1], solved[-1]
    else:
        a, b = np.linalg.solve(K + np.eye(60), Y[:, 0]), 0.0
    np.testing.assert_allclose(model.dual_coef_, a, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.predict(X), K @ a + b, rtol=1e-7, atol=1e-9)
    spread = np.sum((Y[:, 0] - Y[:, 0].mean() * intercept) ** 2)
    whole = 1 - np.sum((Y[:, 0] - model.predict(X)) ** 2) / spread
    np.testing.assert_allclose(model.split_.sum(), whole, rtol=1e-8)
    assert not intercept or model.split_[0] > 0.8


@pytest.mark.parametrize(
    ("options", "X", "sentence"),
    [
        ({"kernel": ["rbf"], "groups": [0, 1, 1]}, np.eye(3), "one entry for each of the 2 groups, got 1"),
        ({"kernel": ["rbf", "precomputed"], "groups": [0, 1, 1]}, np.eye(3), "cannot be mixed"),
        ({"kernel": "rbf", "kernel_params": {"width": 1}}, np.eye(3), "not width"),
        ({"kernel": "precomputed"}, np.ones((2, 3, 4)), r"shape \(groups, n, n\), got \(2, 3, 4\)"),
        ({"kernel": "precomputed"}, np.triu(np.ones((1, 3, 3))), "not symmetric"),
        ({"kernel": "precomputed"}, np.ones((1, 4, 4)), "y needs 4 rows"),
        ({"rule": "loo"}, sparse.random_array((40_000, 3), density=0.1, rng=1), "use rule='evidence'"),
        (
            {"groups": [0] * 40_000},
            sparse.random_array((40_000, 40_000), density=1e-6, rng=1),
            "SparseRidgeCV",
        ),
    ],
)
def test_kernels_and_sizes_that_do_not_fit_are_refused(options, X, sentence):
    y = np.arange(3.0 if X.shape[-1] != 40_000 and X.shape[0] != 40_000 else 40_000.0)
    with pytest.raises(InputError, match=sentence):
        BandedRidgeCV(**options).fit(X, y)


def test_a_target_that_does_not_vary_has_no_split():
    assert np.isnan(BandedRidgeCV([0, 0, 1]).fit(np.eye(5)[:, :3], np.ones(5)).split_).all()
