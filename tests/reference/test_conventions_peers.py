"""Every formula of the dictionary against the program it speaks of.

The judge is one closed form, solved here by a QR of the augmented rows: the peer is fitted with its own
number, the number is converted to a lambda per raw column, and the two coefficient vectors must agree.
"""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest

from elltwo.errors import UsageError
from elltwo.laws.converting import convert

RNG = np.random.default_rng(20261121)
N, P = 60, 5
X = RNG.normal(size=(N, P)) @ RNG.normal(size=(P, P)) * np.array([1.0, 3.0, 0.2, 10.0, 1.0]) + 2.0
Y = X @ np.array([1.0, -0.4, 3.0, 0.1, 0.0]) + RNG.normal(size=N) + 5.0
S = RNG.uniform(0.2, 3.0, size=N)
ONE = np.ones(N)


def closed_form(lam, X=X, y=Y, s=ONE, intercept=True, lam0=0.0):
    """(w, b) of sum s (y - b - x'w)^2 + sum_j lam_j w_j^2 + lam0 b^2, by least squares on added rows."""
    lam = np.broadcast_to(np.asarray(lam, dtype=float), X.shape[1])
    design = np.column_stack([X, np.ones(len(X))]) if intercept else X
    ridge = np.diag(np.sqrt(np.append(lam, lam0) if intercept else lam))
    rows = np.vstack([np.sqrt(s)[:, None] * design, ridge])
    w = np.linalg.lstsq(rows, np.append(np.sqrt(s) * y, np.zeros(len(ridge))), rcond=None)[0]
    return w if intercept else np.append(w, 0.0)


def agree(w, b, lam, tolerance, **how):
    judge = closed_form(lam, **how)
    error = np.abs(np.append(np.ravel(w), b) - judge).max() / np.abs(judge).max()
    assert error < tolerance, f"relative difference {error:.1e}"


@pytest.mark.parametrize("s", [ONE, S], ids=["equal weights", "weights"])
def test_sklearn_ridge_and_elastic_net_agree_with_the_canonical_lambda(s):
    from sklearn.linear_model import ElasticNet, Ridge

    ridge = Ridge(alpha=convert(3.0, "total", "sklearn.Ridge")).fit(X, Y, sample_weight=s)
    agree(ridge.coef_, ridge.intercept_, 3.0, 1e-12, s=s)
    alpha = convert(3.0, "total", "sklearn.ElasticNet", weights=s)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends Ridge for l1_ratio=0; that is the comparison
        net = ElasticNet(alpha=alpha, l1_ratio=0, tol=1e-14, max_iter=1_000_000).fit(X, Y, sample_weight=s)
    agree(net.coef_, net.intercept_, 3.0, 1e-9, s=s)


def test_bayesian_ridge_and_the_prior_variance_are_one_lambda():
    from sklearn.linear_model import BayesianRidge

    fit = BayesianRidge(tol=1e-14, max_iter=5000).fit(X, Y)
    lam = convert(fit.lambda_, "BayesianRidge", "total", noise_variance=1 / fit.alpha_)
    assert lam == pytest.approx(
        convert(1 / fit.lambda_, "prior_variance", "total", noise_variance=1 / fit.alpha_)
    )
    # its coefficients are those of the last but one (lambda_, alpha_); at convergence they are the same
    agree(fit.coef_, fit.intercept_, lam, 1e-12)


def test_kernel_ridge_and_gaussian_process_are_ridge_without_an_intercept():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import DotProduct
    from sklearn.kernel_ridge import KernelRidge

    alpha = convert(7.0, "total", "KernelRidge", fit_intercept=False)
    kernel = KernelRidge(alpha=alpha, kernel="linear").fit(X, Y)
    agree(X.T @ kernel.dual_coef_, 0.0, 7.0, 1e-12, intercept=False)
    process = GaussianProcessRegressor(
        DotProduct(0.0, "fixed"), alpha=convert(7.0, to="GP", from_="total", fit_intercept=False)
    )
    agree(X.T @ process.fit(X, Y).alpha_, 0.0, 7.0, 1e-12, intercept=False)


def _gradient(loss_slope, w, b, lam, s, lam0=0.0):
    """Largest entry of the gradient of sum s loss + lam/2 |w|^2 (+ lam0/2 b^2), over its parts' size."""
    slope = s * loss_slope(X @ w + b)
    g = np.append(X.T @ slope + lam * w, slope.sum() + lam0 * b)
    return np.abs(g).max() / np.abs(np.append(np.abs(X).T @ np.abs(slope), np.abs(slope).sum())).max()


LABEL = (np.median(Y) < Y).astype(float)


def _logistic(eta):
    return 1 / (1 + np.exp(-eta)) - LABEL


def test_logistic_regression_C_is_one_over_lambda():
    from sklearn.linear_model import LogisticRegression

    C = convert(2.5, "half_mean", "LogisticRegression", n=1)
    assert pytest.approx(0.4) == C
    fit = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=500).fit(
        X, LABEL, sample_weight=S
    )
    assert _gradient(_logistic, fit.coef_[0], fit.intercept_[0], 2.5, S) < 1e-6


@pytest.mark.parametrize("name", ["Poisson", "Gamma", "Tweedie"])
def test_generalized_linear_models_divide_by_the_sum_of_weights(name):
    from sklearn import linear_model

    count = np.exp((Y - Y.mean()) / (2 * Y.std())) + 0.1
    fit = getattr(linear_model, f"{name}Regressor")(
        alpha=convert(2.5, "total", f"sklearn.{name}Regressor", weights=S),
        solver="newton-cholesky", tol=1e-12, max_iter=1000,
        **({"power": 1.5, "link": "log"} if name == "Tweedie" else {}),
    ).fit(X, count, sample_weight=S)  # fmt: skip
    power = {"Poisson": 1.0, "Gamma": 2.0, "Tweedie": 1.5}[name]
    # half the unit deviance has slope (mu - y) mu^(1-power) in the linear predictor of a log link
    slope = lambda eta: (np.exp(eta) - count) * np.exp(eta) ** (1 - power)  # noqa: E731  # one line of algebra
    assert _gradient(slope, fit.coef_, fit.intercept_, 2.5, S) < 1e-6


def test_linear_support_vector_machines_penalise_the_intercept_by_lambda_over_k_squared():
    from sklearn.svm import LinearSVC, LinearSVR

    from elltwo.errors import ChoiceWarning

    lam, k = 4.0, 3.0
    with pytest.warns(ChoiceWarning, match="penalises the intercept"):
        C = convert(lam, "total", "LinearSVR")
    svr = LinearSVR(
        loss="squared_epsilon_insensitive",
        epsilon=0.0,
        C=C,
        intercept_scaling=k,
        dual=False,
        tol=1e-12,
        max_iter=100_000,
    ).fit(X, Y)
    agree(svr.coef_, svr.intercept_[0], lam, 1e-6, lam0=lam / k**2)
    with pytest.warns(ChoiceWarning):
        C = convert(lam, "total", "LinearSVC")
    svc = LinearSVC(C=C, intercept_scaling=k, dual=False, tol=1e-12, max_iter=100_000).fit(X, LABEL)
    sign = 2 * LABEL - 1
    slope = lambda eta: -2 * sign * np.maximum(0, 1 - sign * eta)  # noqa: E731  # one line of algebra
    assert _gradient(slope, svc.coef_[0], svc.intercept_[0], lam, ONE, lam0=lam / k**2) < 1e-5


@pytest.mark.parametrize("kind", [0, 2, 11])
def test_liblinear_without_a_constant_column_is_the_canonical_fit(kind):
    liblinear = pytest.importorskip("liblinear.liblinearutil")
    lam = 4.0
    C = convert(lam, "total", f"LIBLINEAR -s {kind}", fit_intercept=False)
    target = Y if kind == 11 else LABEL
    options = f"-s {kind} -c {C!r} -e 1e-13 -B -1 -q" + (" -p 0" if kind == 11 else "")
    model = liblinear.train(target, X, options)
    w = np.array(model.get_decfun()[0])
    if kind == 11:
        return agree(w, 0.0, lam, 1e-6, intercept=False)
    w = w if model.get_labels()[0] == 1 else -w
    sign = 2 * LABEL - 1
    slope = _logistic if kind == 0 else (lambda eta: -2 * sign * np.maximum(0, 1 - sign * eta))
    gradient = X.T @ slope(X @ w) + lam * w
    assert np.abs(gradient).max() / np.abs(np.abs(X).T @ np.abs(slope(X @ w))).max() < 1e-6
    return None


def test_himalaya_ridge_and_group_ridge():
    himalaya = pytest.importorskip("himalaya.ridge")
    fit = himalaya.Ridge(alpha=convert(3.0, "total", "himalaya.Ridge"), fit_intercept=True).fit(X, Y)
    agree(fit.coef_, fit.intercept_, 3.0, 1e-12)
    deltas = np.array([0.3, -1.0])
    lam = convert(deltas, "himalaya.GroupRidge", "per_column")
    # its documented objective: columns of group g times exp(delta_g/2), then RSS + |w|^2
    scale = np.repeat(np.exp(deltas / 2), [2, 3])
    inner = closed_form(1.0, X=X * scale)
    np.testing.assert_allclose(closed_form(np.repeat(lam, [2, 3]))[:-1], inner[:-1] * scale, rtol=1e-12)


@pytest.mark.parametrize("scaled", [False, True])
def test_glum_is_a_mean_and_may_scale_its_predictors(scaled):
    glum = pytest.importorskip("glum")
    name = "glum(scale_predictors=True)" if scaled else "glum"
    alpha = 0.05
    lam = convert(alpha, name, "per_column", X=X, weights=S)
    fit = glum.GeneralizedLinearRegressor(
        family="normal", alpha=alpha, l1_ratio=0, scale_predictors=scaled, gradient_tol=1e-13
    ).fit(X, Y, sample_weight=S)
    agree(fit.coef_, fit.intercept_, lam, 1e-8, s=S)


def test_statsmodels_least_squares_is_half_a_mean_and_shrinks_its_constant():
    sm = pytest.importorskip("statsmodels.api")
    design = sm.add_constant(X)
    free = convert(3.0, "total", "statsmodels", n=N, fit_intercept=False)
    fit = sm.OLS(Y, design).fit_regularized(L1_wt=0, alpha=np.append(0.0, np.full(P, free)))
    agree(fit.params[1:], fit.params[0], 3.0, 1e-12)
    shrunk = sm.OLS(Y, design).fit_regularized(L1_wt=0, alpha=free)
    agree(shrunk.params[1:], shrunk.params[0], 3.0, 1e-12, lam0=3.0)
    weighted = sm.WLS(Y, design, weights=S).fit_regularized(
        L1_wt=0,
        alpha=np.append(
            0.0, np.full(P, convert(3.0, "total", "statsmodels.WLS", weights=S, fit_intercept=False))
        ),
    )
    agree(weighted.params[1:], weighted.params[0], 3.0, 1e-12, s=S)


def test_statsmodels_gaussian_glm_profiles_its_scale():
    sm = pytest.importorskip("statsmodels.api")
    Z = (X - X.mean(0)) / X.std(0)
    alpha = 0.05
    with pytest.warns(UserWarning, match="intercept"):
        lam = convert(alpha, "statsmodels.GLM(Gaussian)", "total", X=Z, y=Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its optimiser reports that it stopped early
        fit = sm.GLM(Y, sm.add_constant(Z)).fit_regularized(L1_wt=0, alpha=np.append(0.0, np.full(P, alpha)))
    agree(fit.params[1:], fit.params[0], lam, 1e-3, X=Z)
    with pytest.warns(UserWarning, match="intercept"):
        back = convert(lam, "total", "statsmodels.GLM(Gaussian)", X=Z, y=Y)
    assert back == pytest.approx(alpha, rel=1e-12)


def test_statsmodels_binomial_glm_is_a_mean():
    sm = pytest.importorskip("statsmodels.api")
    Z = (X - X.mean(0)) / X.std(0)
    alpha = convert(4.0, "total", "statsmodels.GLM(Binomial)", n=N, fit_intercept=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its optimiser reports that it stopped early
        fit = sm.GLM(LABEL, sm.add_constant(Z), family=sm.families.Binomial()).fit_regularized(
            L1_wt=0, alpha=np.append(0.0, np.full(P, alpha))
        )
    from sklearn.linear_model import LogisticRegression

    C = convert(alpha, "statsmodels.GLM(Binomial)", "LogisticRegression", n=N, fit_intercept=False)
    judge = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12).fit(Z, LABEL)
    np.testing.assert_allclose(fit.params[1:], judge.coef_[0], atol=1e-4 * np.abs(judge.coef_).max())


def _recorded():
    results = pytest.importorskip("statsmodels.regression.tests.results.glmnet_r_results")
    from pathlib import Path

    table = np.loadtxt(Path(results.__file__).with_name("lasso_data.csv"), delimiter=",")
    rows = [getattr(results, name) for name in dir(results) if name.startswith("rslt_")]
    return table, [r for r in rows if r[2] == 0]


def test_recorded_glmnet_figures_show_the_division_by_the_scale_of_y():
    """Made by R with intercept=FALSE, standardize=FALSE, alpha=0 on columns of sample sd 1."""
    table, rows = _recorded()
    assert len(rows) == 27
    gaps, without = [], []
    for row in rows:
        n, p, lam, coef = int(row[0]), int(row[1]), row[3], row[4:]
        data = table[:n, : p + 1]
        data = (data - data.mean(0)) / data.std(0, ddof=1)
        y, Z = data[:, 0], data[:, 1:]
        total = convert(lam, "glmnet(standardize=FALSE)", "total", y=y, fit_intercept=False)
        size = np.abs(coef).max()
        gaps.append(
            np.abs(closed_form(total, X=Z, y=y, s=np.ones(n), intercept=False)[:-1] - coef).max() / size
        )
        plain = closed_form(n * lam, X=Z, y=y, s=np.ones(n), intercept=False)[:-1]
        without.append(np.abs(plain - coef).max() / size)
    assert max(gaps) < 1e-4
    assert max(without) > 10 * max(gaps), "the figures must be able to tell the two formulas apart"


def _glmnet_fixed_point(lam, s, standardize, intercept=True, factor=None, divide=True):
    """Coordinate descent as glmnet documents it: weights to sum 1, y to scale 1, columns to sd 1."""
    s = s / s.sum()
    centre = s @ X if intercept else np.zeros(P)
    level = s @ Y if intercept else 0.0
    scale = np.sqrt(s @ (Y - level) ** 2) if divide else 1.0
    sd = np.sqrt(s @ (X - s @ X) ** 2) if standardize else np.ones(P)
    Z, r = (X - centre) / sd, (Y - level) / scale
    pf = np.ones(P) if factor is None else factor * P / factor.sum()
    w, power = np.zeros(P), s @ Z**2
    for _ in range(20_000):
        old = w.copy()
        for j in range(P):
            step = (Z[:, j] @ (s * r) + power[j] * w[j]) / (power[j] + lam / scale * pf[j])
            r -= Z[:, j] * (step - w[j])
            w[j] = step
        if np.abs(w - old).max() < 1e-15:
            break
    w = w * scale / sd
    return w, level - centre @ w


GLMNET = [
    ("glmnet", {"standardize": True}),
    ("glmnet(standardize=FALSE)", {"standardize": False}),
    ("glmnet(family=gaussian())", {"standardize": True, "divide": False}),
    ("glmnet(family = gaussian(), standardize = FALSE)", {"standardize": False, "divide": False}),
]


@pytest.mark.parametrize(("name", "how"), GLMNET)
@pytest.mark.parametrize("s", [ONE, S], ids=["equal weights", "weights"])
def test_glmnets_own_fixed_point_is_reached_by_the_converted_lambda(name, how, s):
    w, b = _glmnet_fixed_point(0.7, s, **how)
    lam = convert(0.7, name, "per_column", X=X, y=Y, weights=s)
    agree(w, b, lam, 1e-11, s=s)


def test_glmnet_without_an_intercept_and_with_penalty_factors():
    w, _ = _glmnet_fixed_point(0.7, ONE, standardize=False, intercept=False)
    agree(
        w,
        0.0,
        convert(0.7, "glmnet(standardize=FALSE)", "total", y=Y, fit_intercept=False),
        1e-11,
        intercept=False,
    )
    factor = np.array([1.0, 0.0, 2.0, 0.5, 4.0])
    w, b = _glmnet_fixed_point(0.7, ONE, standardize=False, factor=factor)
    lam = convert(0.7, "glmnet(standardize=FALSE)", "per_column", y=Y, penalty_factor=factor)
    agree(w, b, lam, 1e-11)


def test_mass_lm_ridge_fixed_point():
    """Its source: centre, divide by sqrt(mean square), svd, d'rhs/(d^2 + lambda), divide by the scale."""
    Z = X - X.mean(0)
    scale = np.sqrt((Z**2).mean(0))
    u, d, vt = np.linalg.svd(Z / scale, full_matrices=False)
    w = vt.T @ (d * (u.T @ (Y - Y.mean())) / (d**2 + 6.0)) / scale
    agree(w, Y.mean() - X.mean(0) @ w, convert(6.0, "MASS", "per_column", X=X), 1e-12)


@pytest.mark.parametrize(
    ("name", "ddof", "unit_length"),
    [("MATLAB.ridge", 1, False), ("SAS.REG", 0, True), ("NAG.g02kb", 0, True)],
)
def test_scalings_by_their_manuals(name, ddof, unit_length):
    Z = X - X.mean(0)
    scale = np.linalg.norm(Z, axis=0) if unit_length else X.std(0, ddof=ddof)
    w = np.linalg.solve((Z / scale).T @ (Z / scale) + 0.3 * np.eye(P), (Z / scale).T @ (Y - Y.mean())) / scale
    agree(w, Y.mean() - X.mean(0) @ w, convert(0.3, name, "per_column", X=X), 1e-11)


def test_torch_weight_decay_on_a_mean_loss_settles_at_the_converted_lambda():
    torch = pytest.importorskip("torch")
    Z = (X - X.mean(0)) / X.std(0)
    decay = convert(12.0, "total", "torch.weight_decay", n=N)
    layer = torch.nn.Linear(P, 1).double()
    groups = [
        {"params": [layer.weight], "weight_decay": decay},
        {"params": [layer.bias], "weight_decay": 0.0},
    ]
    step = torch.optim.SGD(groups, lr=0.1)
    data, target = torch.from_numpy(Z), torch.from_numpy(Y)[:, None]
    for _ in range(3000):
        step.zero_grad()
        torch.nn.functional.mse_loss(layer(data), target).backward()
        step.step()
    agree(layer.weight.detach().numpy(), float(layer.bias.detach()), 12.0, 1e-9, X=Z)


def test_torch_weight_decay_on_a_mean_log_loss_is_stationary_at_scikit_learns_solution():
    torch = pytest.importorskip("torch")
    from sklearn.linear_model import LogisticRegression

    C = 0.3
    fit = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-14).fit(X, LABEL)
    decay = convert(C, "LogisticRegression", "torch.weight_decay(CrossEntropyLoss)", n=N)
    w = torch.tensor(fit.coef_[0], requires_grad=True)
    eta = torch.from_numpy(X) @ w + float(fit.intercept_[0])
    torch.nn.functional.binary_cross_entropy_with_logits(eta, torch.from_numpy(LABEL)).backward()
    assert float((w.grad + decay * w.detach()).abs().max()) < 1e-9


@pytest.mark.parametrize("kind", ["df", "radius", "fracridge"])
@pytest.mark.parametrize("s", [ONE, S], ids=["equal weights", "weights"])
def test_implicit_strengths_are_reached_by_a_refit(kind, s):
    goal = {"df": 3.2, "radius": 1.7, "fracridge": 0.45}[kind]
    lam = convert(goal, kind, "total", X=X, y=Y, weights=s)
    w = closed_form(lam, s=s)[:-1]
    if kind == "df":
        design = np.column_stack([X, ONE]) * np.sqrt(s)[:, None]
        reached = np.trace(design @ np.linalg.solve(design.T @ design + np.diag([lam] * P + [0.0]), design.T))
    else:
        reached = np.linalg.norm(w) / (
            np.linalg.norm(closed_form(0.0, s=s)[:-1]) if kind == "fracridge" else 1.0
        )
    assert reached == pytest.approx(goal, rel=1e-10)


def test_support_vector_machines_close_the_duality_gap_at_one_over_C():
    """P(w, b) = lam/2 |w|^2 + sum hinge and its dual agree only at the lambda that was solved."""
    from sklearn.svm import SVC, SVR

    Z = (X - X.mean(0)) / X.std(0)
    lam = 2.5
    sign = 2 * LABEL - 1
    svc = SVC(kernel="linear", C=convert(lam, "half_mean", "sklearn.SVC", n=1), tol=1e-10).fit(Z, LABEL)
    w, b = svc.coef_[0], svc.intercept_[0]
    a = np.abs(svc.dual_coef_[0]) * lam  # the multipliers in units of 1/lam, so 0 <= a <= 1
    primal = lam / 2 * w @ w + np.maximum(0, 1 - sign * (Z @ w + b)).sum()
    v = svc.dual_coef_[0] @ Z[svc.support_]
    assert primal - (a.sum() - lam / 2 * v @ v) < 1e-6 * primal
    epsilon = 0.3
    svr = SVR(
        kernel="linear", C=convert(lam, "half_mean", "sklearn.SVR", n=1), epsilon=epsilon, tol=1e-10
    ).fit(Z, Y)
    w, b = svr.coef_[0], svr.intercept_[0]
    beta = svr.dual_coef_[0] * lam
    primal = lam / 2 * w @ w + np.maximum(0, np.abs(Y - Z @ w - b) - epsilon).sum()
    dual = Y[svr.support_] @ beta - epsilon * np.abs(beta).sum() - lam / 2 * w @ w
    assert np.abs(beta).max() <= 1 + 1e-9
    assert primal - dual < 1e-6 * primal


def test_glum_binomial_is_scikit_learns_logistic_regression_at_the_converted_C():
    glum = pytest.importorskip("glum")
    from sklearn.linear_model import LogisticRegression

    Z = (X - X.mean(0)) / X.std(0)
    alpha = 0.02
    fit = glum.GeneralizedLinearRegressor(family="binomial", alpha=alpha, l1_ratio=0, gradient_tol=1e-12).fit(
        Z, LABEL
    )
    C = convert(alpha, "glum", "LogisticRegression", n=N)
    judge = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-14).fit(Z, LABEL)
    np.testing.assert_allclose(fit.coef_, judge.coef_[0], rtol=1e-8)
    lam = convert(alpha, "glum", "glmnet(family='binomial', standardize=FALSE)", n=N)
    assert lam == pytest.approx(alpha)


def test_every_convention_that_claims_a_check_is_named_in_this_file_or_is_a_definition():
    """So that a new row cannot claim a check that nobody wrote."""
    import ast
    from pathlib import Path

    from elltwo.laws.conventions import CONVENTIONS
    from elltwo.laws.conventions.row import BY_DOCS, DEFINITION
    from elltwo.laws.converting import find

    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    made = {f"sklearn.{name}Regressor" for name in ("Poisson", "Gamma", "Tweedie")}
    made |= {f"LIBLINEAR -s {kind}" for kind in (0, 2, 11)}
    named = set()
    for text in texts | made:
        with contextlib.suppress(UsageError):
            named.add(find(text).name)
    claimed = {row.name for row in CONVENTIONS.values() if row.checked not in (BY_DOCS, DEFINITION, "—")}
    assert claimed - named == set()
