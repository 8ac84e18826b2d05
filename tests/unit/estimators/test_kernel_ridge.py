"""Kernel ridge: scikit-learn's answers, the strength and width chosen, the Gaussian-process reading."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.kernel_ridge import KernelRidge as Theirs

from elltwo.errors import AccuracyWarning, InputError, UsageError
from elltwo.estimators.kernel import KernelRidge
from elltwo.estimators.kernel_cv import KernelRidgeCV
from elltwo.estimators.kernels import Kernel, gamma_family, gamma_starts
from elltwo.selecting.joint import OBJECTIVES, Aside, optimize_kernel, weighted


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:200] * 20, y[:200] - y[:200].mean()


@pytest.mark.parametrize("kernel", ["linear", "rbf", "laplacian", "polynomial", "cosine", np.dot])
@pytest.mark.parametrize("weights", [False, True])
def test_same_answers_as_scikit_learn(diabetes, kernel, weights):
    X, y = diabetes
    w = np.random.default_rng(0).uniform(0.5, 2, len(y)) if weights else None
    options = {"kernel": kernel, "alpha": 3.0, "gamma": 0.01, "degree": 2}
    mine = KernelRidge(**options).fit(X, y, sample_weight=w)
    theirs = Theirs(**options).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-6, atol=1e-6)


def test_a_strength_per_target(diabetes):
    X, y = diabetes
    Y = np.column_stack([y, y**2 / 100])
    mine = KernelRidge(alpha=[1.0, 30.0], kernel="rbf", gamma=0.02).fit(X, Y)
    for j, alpha in enumerate([1.0, 30.0]):
        alone = KernelRidge(alpha=alpha, kernel="rbf", gamma=0.02).fit(X, Y[:, j])
        np.testing.assert_allclose(mine.dual_coef_[:, j], alone.dual_coef_, rtol=1e-9)


def test_a_strength_too_small_to_factor_warns_and_still_interpolates():
    X = np.linspace(0, 1, 30)[:, None]
    with pytest.warns(AccuracyWarning, match="larger alpha"):
        model = KernelRidge(alpha=0.0, kernel="rbf", gamma=1.0).fit(X, np.sin(3 * X[:, 0]))
    np.testing.assert_allclose(model.predict(X), np.sin(3 * X[:, 0]), atol=1e-6)


@pytest.mark.parametrize("rule", ["loo", "gcv", "rgcv", "evidence"])
def test_the_chosen_strength_has_the_least_score(diabetes, rule):
    X, y = diabetes
    model = KernelRidgeCV(kernel="rbf", gamma=0.01, rule=rule).fit(X, y)
    curve = model.selection_.curves[rule]
    assert model.best_score_ <= curve.score.min() + 1e-12 * abs(curve.score.min())
    assert 0 < model.alpha_ < np.inf
    fixed = KernelRidge(alpha=model.alpha_, kernel="rbf", gamma=0.01).fit(X, y)
    np.testing.assert_allclose(model.predict(X), fixed.predict(X), rtol=1e-8)


@pytest.mark.parametrize("rule", ["loo", "gcv", "evidence"])
@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "polynomial", "chi2"])
@pytest.mark.parametrize("free", [0, 1])
@pytest.mark.parametrize("weights", [False, True])
def test_gradients_in_width_and_strength_are_those_of_finite_differences(
    diabetes, rule, kernel, free, weights
):
    X, y = diabetes
    X, y = X[:60], (y[:60, None] - y[:60].mean()) / 70
    X = X - X.min() if kernel == "chi2" else X
    kernels = gamma_family(Kernel(kernel, degree=2), X)
    if weights:
        kernels = weighted(kernels, np.random.default_rng(0).uniform(0.5, 2, 60))
    v, step = np.array([-3.0, -0.5]), 1e-5
    C = np.eye(60) - free / 60

    def at(u):
        K, dK = kernels(u[:1])
        return OBJECTIVES[rule](C @ K @ C, np.array([C @ d @ C for d in dK]), y, u[1], Aside(free=free))

    numeric = [(at(v + h).value - at(v - h).value) / (2 * step) for h in step * np.eye(2)]
    np.testing.assert_allclose(at(v).gradient, numeric, rtol=1e-5)


@pytest.mark.parametrize("rule", ["loo", "gcv", "evidence"])
def test_width_and_strength_together_beat_every_point_of_a_grid(diabetes, rule):
    X, y = diabetes[0][:100], diabetes[1][:100]
    model = KernelRidgeCV(rule=rule, parameters="optimize").fit(X, y)
    kernels = gamma_family(Kernel("rbf"), X)
    scaled = y[:, None] / np.sqrt(np.mean(y**2))
    values = [
        OBJECTIVES[rule](*kernels(np.array([u])), scaled, v).value
        for u in np.linspace(-9, 0, 10)
        for v in np.linspace(-6, 6, 13)
    ]
    assert model.joint_.value <= min(values) + 1e-6
    assert model.gamma_ == pytest.approx(np.exp(model.joint_.parameters[0]))


def noisy_sine(n=50):
    rng = np.random.default_rng(1)
    X, w = rng.uniform(-2, 2, (n, 1)), rng.uniform(0.2, 5, n)
    return X, np.sin(3 * X[:, 0]) + rng.normal(size=n) / np.sqrt(w), w


def test_the_width_chosen_with_weights_has_the_least_error_of_refits_without_each_row():
    X, y, w = noisy_sine(25)
    model = KernelRidgeCV(parameters="optimize").fit(X, y, w)

    def error(gamma, alpha):
        total = 0.0
        for i in range(25):
            keep = np.arange(25) != i
            fit = KernelRidge(alpha, kernel="rbf", gamma=gamma).fit(X[keep], y[keep], w[keep])
            total += w[i] * float((fit.predict(X[i : i + 1]) - y[i])[0]) ** 2
        return total / w.sum()

    best = error(model.gamma_, model.alpha_)
    assert model.best_score_ == pytest.approx(best, rel=1e-6)
    grid = [(model.gamma_ * g, model.alpha_ * a) for g in (0.3, 0.8, 1.25, 3) for a in (0.3, 0.8, 1.25, 3)]
    assert best < min(error(*point) for point in grid)


def test_the_width_chosen_with_weights_makes_the_targets_most_likely():
    X, y, w = noisy_sine()
    model = KernelRidgeCV(rule="evidence", parameters="optimize").fit(X, y, w)

    def likelihood(gamma, alpha):
        amplitude = model.sigma2_[0] / model.alpha_
        kernel = ConstantKernel(amplitude) * RBF(np.sqrt(0.5 / gamma))
        fit = GaussianProcessRegressor(kernel, alpha=amplitude * alpha / w, optimizer=None).fit(X, y)
        return fit.log_marginal_likelihood_value_

    best = likelihood(model.gamma_, model.alpha_)
    for g, a in [(0.8, 1), (1.25, 1), (1, 0.8), (1, 1.25), (1.25, 1.25), (0.8, 0.8)]:
        assert likelihood(g * model.gamma_, a * model.alpha_) < best


@pytest.mark.parametrize(
    "options",
    [{"rule": r, "gamma": 0.2} for r in ("loo", "gcv", "rgcv", "evidence")]
    + [{"parameters": "optimize"}, {"kernel": "precomputed", "rule": "gcv"}],
    ids=["loo", "gcv", "rgcv", "evidence", "optimize", "precomputed"],
)
def test_rows_of_weight_zero_are_as_if_they_were_not_there(options):
    X, y, w = noisy_sine()
    w[::4], y[::4] = 0, 50
    live, new = w > 0, np.linspace(-2, 2, 9)[:, None]
    if options.get("kernel") == "precomputed":
        new = Kernel("rbf", 0.2)(new, X)
        X = Kernel("rbf", 0.2)(X)
        without = KernelRidgeCV(**options).fit(X[np.ix_(live, live)], y[live], w[live])
        there = new[:, live]
    else:
        without, there = KernelRidgeCV(**options).fit(X[live], y[live], w[live]), new
    model = KernelRidgeCV(**options).fit(X, y, w)
    assert model.alpha_ == pytest.approx(without.alpha_, rel=1e-6)
    np.testing.assert_allclose(model.predict(new), without.predict(there), rtol=1e-6, atol=1e-9)
    if "kernel" not in options:
        deviations = [m.predict(new, return_std=True)[1] for m in (model, without)]
        np.testing.assert_allclose(*deviations, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, np.inf])
@pytest.mark.parametrize("approximation", [None, "nystroem"])
def test_the_ends_of_the_strengths_have_a_finite_deviation(alpha, approximation):
    X, y, _ = noisy_sine(12)
    options = {"approximation": approximation, "n_components": 12, "random_state": 0}
    model = KernelRidgeCV([alpha], gamma=20.0, **options).fit(X, y)
    mean, deviation = model.predict(np.array([[0.1], [100.0]]), return_std=True)
    assert np.isfinite(mean).all()
    assert np.isfinite(deviation).all()
    assert np.isinf(alpha) <= bool((deviation == 0).all())


def test_mean_and_deviation_are_the_gaussian_process_posterior(diabetes):
    X, y = diabetes
    model = KernelRidgeCV(gamma=0.01, rule="evidence").fit(X, y)
    amplitude, noise = float(model.sigma2_[0] / model.alpha_), float(model.sigma2_[0])
    kernel = ConstantKernel(amplitude) * RBF(np.sqrt(0.5 / 0.01))
    process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(X, y)
    mean, std = process.predict(X[:20] + 0.1, return_std=True)
    mine, deviation = model.predict(X[:20] + 0.1, return_std=True)
    np.testing.assert_allclose(mine, mean, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(deviation, std, rtol=1e-7)
    for factor in (0.9, 1.1):  # σ² is profiled: no other amplitude at this α is more likely
        other = ConstantKernel(amplitude * factor) * RBF(np.sqrt(0.5 / 0.01))
        likelihood = GaussianProcessRegressor(other, alpha=noise * factor, optimizer=None).fit(X, y)
        assert likelihood.log_marginal_likelihood_value_ < process.log_marginal_likelihood_value_


def test_with_weights_the_posterior_is_that_of_noise_of_their_variances():
    X, y, w = noisy_sine()
    model = KernelRidgeCV(gamma=1.0).fit(X, y, w)
    amplitude, noise = float(model.amplitude_[0]), float(model.sigma2_[0])
    process = GaussianProcessRegressor(
        ConstantKernel(amplitude) * RBF(np.sqrt(0.5)), alpha=noise / w, optimizer=None
    )
    mean, std = process.fit(X, y).predict(X[:9] + 0.1, return_std=True)
    mine, deviation = model.predict(X[:9] + 0.1, return_std=True)
    np.testing.assert_allclose(mine, mean, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(deviation, std, rtol=1e-7)


def test_what_is_unsure_about_the_choice_is_told():
    X = np.random.default_rng(0).normal(size=(60, 3))
    noise = KernelRidgeCV(gamma=0.1).fit(X, np.random.default_rng(1).normal(size=60))
    sharp = KernelRidgeCV([1e-3, 1e3], gamma=0.5).fit(X, np.sin(X[:, 0]))
    assert noise.findings()
    assert "edge-of-grid" in {f.code for f in sharp.findings()}


def test_features_approach_the_kernel_and_say_what_they_cost(diabetes):
    X, y = diabetes
    exact = KernelRidgeCV(gamma=0.01).fit(X, y)
    errors, gaps = [], []
    for m in (10, 60, 200):
        model = KernelRidgeCV(gamma=0.01, approximation="nystroem", n_components=m, random_state=0).fit(X, y)
        errors.append(model.approximation_error_)
        gaps.append(abs(model.best_score_ / exact.best_score_ - 1))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6
    assert gaps[2] < 1e-3
    mean, std = model.predict(X[:5], return_std=True)
    exact_mean, exact_std = exact.predict(X[:5], return_std=True)
    np.testing.assert_allclose(mean, exact_mean, rtol=1e-2)
    np.testing.assert_allclose(std, exact_std, rtol=2e-2)
    fourier = KernelRidgeCV(gamma=0.01, approximation="fourier", n_components=2000, random_state=0).fit(X, y)
    K, Z = fourier._kernel()(X), fourier._features(X)
    lost = np.linalg.norm(K - Z @ Z.T) / np.linalg.norm(K)
    assert fourier.approximation_error_ == pytest.approx(lost)
    assert 1e-3 < lost < 0.1
    assert abs(fourier.best_score_ / exact.best_score_ - 1) < 0.1


def test_options_that_do_not_fit_are_refused(diabetes):
    X, y = diabetes
    with pytest.raises(UsageError, match="unknown approximation 'magic'"):
        KernelRidgeCV(approximation="magic").fit(X, y)
    with pytest.raises(UsageError, match="unknown parameters"):
        KernelRidgeCV(parameters="guess").fit(X, y)
    with pytest.raises(UsageError, match="random Fourier features"):
        KernelRidgeCV(kernel="laplacian", approximation="fourier").fit(X, y)
    with pytest.raises(UsageError, match="rbf, laplacian, chi2 and polynomial"):
        KernelRidgeCV(kernel="cosine", parameters="optimize").fit(X, y)
    with pytest.raises(UsageError, match="works on the whole kernel"):
        KernelRidgeCV(parameters="optimize", approximation="nystroem").fit(X, y)
    K = X @ X.T
    model = KernelRidgeCV(kernel="precomputed").fit(K, y)
    with pytest.raises(UsageError, match="precomputed"):
        model.predict(K, return_std=True)
    with pytest.raises(UsageError, match="unknown rule for kernel parameters"):
        optimize_kernel(gamma_family(Kernel("rbf"), X), y[:, None], np.zeros(1), 0.0, "rgcv")


def test_the_search_for_the_width_starts_where_asked_or_between_neighbours_and_the_whole():
    X = np.arange(6.0)[:, None]
    np.testing.assert_array_equal(gamma_starts(Kernel("rbf", gamma=2.0), X), [2.0])
    np.testing.assert_allclose(gamma_starts(Kernel("polynomial"), X)[[0, -1]], [0.01, 100])
    np.testing.assert_allclose(gamma_starts(Kernel("laplacian"), X)[[0, -1]], [0.05, 3])
    np.testing.assert_array_equal(gamma_starts(Kernel("rbf"), np.ones((4, 1))), [1.0])


@pytest.mark.filterwarnings("ignore::elltwo.errors.AccuracyWarning")  # of far too wide kernels on the grid
@pytest.mark.parametrize("rule", ["loo", "gcv", "evidence"])
@pytest.mark.parametrize("waves", [5, 40, 60])
def test_the_width_of_a_wiggly_function_is_found_as_well_as_on_a_fine_grid(rule, waves):
    rng = np.random.default_rng(0)
    x = np.sort(rng.random(60))[:, None]
    y = np.sin(waves * x[:, 0]) + 0.1 * rng.normal(size=60)
    best = KernelRidgeCV(parameters="optimize", rule=rule).fit(x, y - y.mean()).best_score_
    grid = [
        KernelRidgeCV(gamma=g, rule=rule).fit(x, y - y.mean()).best_score_
        for g in np.geomspace(0.01, 1e4, 40)
    ]
    assert best <= min(grid) + 0.02 * abs(min(grid))


def test_a_kernel_that_is_the_identity_is_decomposed_all_the_same():
    X = np.arange(40.0)[:, None]
    model = KernelRidgeCV(gamma=1e5, rule="gcv").fit(X, np.sin(X[:, 0]))
    np.testing.assert_allclose(model.spectrum_.s, 1.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rule": "kfold"}, "kernel ridge has no folds"),
        ({"kernel": lambda a, b: a @ b.T @ np.ones((9, 9))}, "two one-dimensional arrays"),
        ({"kernel": "additive_chi2", "approximation": "nystroem"}, "not positive semidefinite"),
        ({"kernel": "additive_chi2", "rule": "gcv"}, "not positive semidefinite"),
        ({"parameters": "optimize", "rule": "rgcv"}, "unknown rule for kernel parameters"),
    ],
)
def test_kernels_and_rules_that_cannot_work_are_refused_in_a_sentence(options, sentence):
    X = np.abs(np.random.default_rng(0).normal(size=(60, 4)))
    with pytest.raises((InputError, UsageError), match=sentence):
        KernelRidgeCV(**options).fit(X, X[:, 0])


def test_features_of_a_precomputed_kernel_are_refused_and_more_of_them_than_rows_are_as_many(diabetes):
    X, y = diabetes[0][:40], diabetes[1][:40]
    with pytest.raises(UsageError, match="made from rows"):
        KernelRidgeCV(kernel="precomputed", approximation="nystroem").fit(X @ X.T, y)
    features = KernelRidgeCV(gamma=0.01, approximation="nystroem").fit(X, y)
    np.testing.assert_allclose(features.predict(X), KernelRidgeCV(gamma=0.01).fit(X, y).predict(X), rtol=1e-4)


def test_a_kernel_that_does_not_fit_memory_is_refused_and_features_are_not():
    X = np.linspace(0, 1, 41_000)[:, None]
    with pytest.raises(InputError, match=r"kernel of 41000 rows takes 13 GB.*approximation='nystroem'"):
        KernelRidgeCV().fit(X, X[:, 0])
    features = KernelRidgeCV(approximation="nystroem", n_components=8, gamma=1.0, random_state=0, rule="gcv")
    assert features.fit(X, np.sin(X[:, 0])).score(X, np.sin(X[:, 0])) > 0.999
