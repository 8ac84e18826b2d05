"""Every number of a report equals one got another way."""

from __future__ import annotations

import json

import numpy as np
import pytest

from elltwo.diagnosing import View
from elltwo.errors import DataError
from elltwo.factoring import factor
from elltwo.factoring.folds import factor_folds
from elltwo.facts.problem import Penalty, Problem
from elltwo.reporting import from_json, to_json
from elltwo.reporting.parts.coefficients import posterior_sd
from elltwo.reporting.parts.curves import bias_variance, noise
from elltwo.reporting.parts.error import error_rule
from elltwo.reporting.parts.slider import barycentric, chebyshev, unpacked
from elltwo.reporting.words import num, shown
from elltwo.selecting.criteria import mallows
from elltwo.shrinking import shrink
from problems import full_operator, penalties, random_problem, refit
from report_cases import diabetes, odd_shapes, random_table, report_of


def view_of(problem, alpha=0.7):
    r = factor(problem)
    return View.of(r, shrink(r, alpha))


def test_the_report_is_plain_json_both_ways():
    report = diabetes()
    assert from_json(to_json(report)) == report
    assert json.loads(to_json(report)) == report


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "elltwo-report", "version": 2}'])
def test_a_text_that_is_no_report_is_refused(text):
    with pytest.raises(DataError):
        from_json(text)


@pytest.mark.parametrize("name", odd_shapes())
def test_every_shape_of_table_gives_a_report(name):
    report = odd_shapes()[name]()
    assert from_json(to_json(report)) == report
    assert report["sentence"].endswith(".")


def test_the_coefficient_table_holds_the_fit_and_the_unregularized_fit():
    problem = random_problem(seed=1, t=1, penalty=Penalty(standardize=True))
    report = report_of(problem)
    alpha = report["fit"]["alpha"]
    rows = sorted(report["coefficients"]["rows"], key=lambda r: r["index"])
    np.testing.assert_allclose([r["value"] for r in rows], refit(problem, alpha).coef[:, 0], rtol=1e-9)
    np.testing.assert_allclose([r["plain"] for r in rows], refit(problem, 0.0).coef[:, 0], rtol=1e-9)
    centre = np.average(problem.A, axis=0, weights=problem.weights)
    sd = np.sqrt(np.average((problem.A - centre) ** 2, axis=0, weights=problem.weights))
    np.testing.assert_allclose([r["effect"] for r in rows], refit(problem, alpha).coef[:, 0] * sd, rtol=1e-9)
    assert [abs(r["effect"]) for r in report["coefficients"]["rows"]] == sorted(
        (abs(r["effect"]) for r in rows), reverse=True
    )


@pytest.mark.parametrize(
    ("kind", "n"),
    [(k, n) for k in ("identity", "standardized", "strength per column") for n in (40, 5)]
    + [("first differences", 40), ("two free columns", 40)],
)
def test_posterior_deviations_are_those_of_the_inverse_hessian(kind, n):
    problem = random_problem(seed=2, n=n, t=1, penalty=penalties(6)[kind])
    view, alpha = view_of(problem), 0.7
    w = problem.weights
    X = problem.A - np.average(problem.A, axis=0, weights=w)
    L = full_operator(problem)
    hessian = (X * w[:, None]).T @ X + alpha * L.T @ L
    expected = np.sqrt(view.solution.sigma2[0] * np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(posterior_sd(view), expected, rtol=1e-8)


def test_the_error_with_and_without_regularization_is_that_of_refits_without_each_row():
    A, b = random_table(n=14, p=4)
    report = report_of(Problem(A, b))
    for key, alpha in (("chosen", report["fit"]["alpha"]), ("none", 0.0)):
        off = []
        for i in range(14):
            kept = np.arange(14) != i
            fit = refit(Problem(A[kept], b[kept]), alpha)
            off.append(b[i, 0] - A[i] @ fit.coef[:, 0] - fit.intercept[0])
        assert report["error"][key] == pytest.approx(np.sqrt(np.mean(np.square(off))), rel=1e-9)
    means = [b[i, 0] - np.delete(b[:, 0], i).mean() for i in range(14)]
    assert report["error"]["mean_only"] == pytest.approx(np.sqrt(np.mean(np.square(means))), rel=1e-9)


def test_bias_and_variance_add_up_to_mallows_criterion():
    view = view_of(random_problem(seed=3, t=1, weights=False))
    alphas = np.geomspace(1e-2, 1e3, 30)
    curves, n = bias_variance(view, alphas), view.rows
    k, free, rest = view.s.size, view.rotated.spectrum.free.rank, view.rotated.rest[0]
    sum_ = curves["bias2"] + curves["variance"]
    expected = mallows(view.rotated, alphas)[:, 0] - rest / n - noise(view)[0] * (k + free) / n
    unclipped = curves["bias2"] > 0
    np.testing.assert_allclose(sum_[unclipped], expected[unclipped], rtol=1e-9)
    assert unclipped.sum() > 10


def test_the_error_between_the_shipped_points_is_the_direct_one():
    problem = random_problem(seed=4, t=1)
    report = report_of(problem, "kfold", folds=4)
    e = report["slider"]["error"]
    values = unpacked(e["values"])
    nodes = chebyshev(e["low"], e["high"], values.size - 1)
    at = np.random.default_rng(0).uniform(e["low"], e["high"], 50)
    view = view_of(problem)
    folds = np.random.default_rng(0).permutation(np.arange(len(problem.b)) % 4)
    direct = error_rule(view, factor_folds(problem, folds, view.rotated))(np.exp(at))
    np.testing.assert_allclose(barycentric(nodes, values, at), direct, rtol=1e-10)
    assert e["off"] < 1e-10
    assert e["rule"] == "kfold"


def test_strengths_are_those_that_the_other_programs_need():
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    A, b = random_table()
    report = report_of(Problem(A, b, None, True, Penalty(standardize=True)))
    by = {row.get("convention"): row["value"] for row in report["strengths"]}
    Z = StandardScaler().fit_transform(A)
    theirs = Ridge(alpha=by["sklearn.Ridge"]).fit(Z, b[:, 0]).coef_
    effects = [r["effect"] for r in sorted(report["coefficients"]["rows"], key=lambda r: r["index"])]
    np.testing.assert_allclose(effects, theirs, rtol=1e-9)
    # gradient of mean squared error + weight_decay/2 ‖w‖² vanishes there
    residual = b[:, 0] - b.mean() - Z @ theirs
    gradient = -2 / 40 * Z.T @ residual + by["torch.weight_decay(MSELoss)"] * theirs
    np.testing.assert_allclose(gradient, 0, atol=1e-12)
    length = next(r["value"] for r in report["strengths"] if r["follows"] == "norm")
    assert length == pytest.approx(np.linalg.norm(theirs), rel=1e-9)


def test_the_two_directions_of_the_picture_are_those_that_explain_most():
    report = diabetes()
    shares = [d["share"] for d in report["shrinkage"]["directions"]]
    assert sorted(report["geometry"]["directions"]) == sorted(int(i) + 1 for i in np.argsort(shares)[-2:])
    g = report["geometry"]
    gain = np.array(g["s"]) / (np.array(g["s"]) ** 2 + g["alpha"])
    np.testing.assert_allclose(g["chosen"], gain * np.array(g["z"]))


def test_all_rules_that_are_heard_have_a_curve_that_touches_zero():
    curves = diabetes()["selection"]["curves"]
    assert {"loo", "kfold", "gcv", "rgcv", "evidence", "mallows", "aicc"} == set(curves)
    for curve in curves.values():
        assert min(num(h) for h in curve["height"]) == pytest.approx(0.0, abs=1e-3)


def test_the_honest_error_is_quoted_first_when_there_is_one():
    report = diabetes()
    assert f"±{shown(report['error']['honest']['rmse'])}" in report["sentence"]


def test_a_table_without_signal_says_so_first():
    A, _ = random_table(n=60)
    A = A - A.mean(axis=0)
    b = np.random.default_rng(5).normal(size=(60, 1))
    report = report_of(Problem(A, b - A @ np.linalg.pinv(A) @ b))
    assert report["sentence"].startswith("These columns do not predict y")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (54.7666, "54.8"), (1234.5, "1,234"), (-0.004567, "−0.00457"), (3.2e-7, "3.20·10⁻⁷"),
     (2.5e7, "2.50·10⁷"), ("inf", "∞"), (None, "–")],
)  # fmt: skip
def test_numbers_are_rounded_for_people(value, text):
    assert shown(value) == text
