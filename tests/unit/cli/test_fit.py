"""``elltwo fit``: the numbers are right, the words fit 80 columns, on real collinear tables."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from elltwo.cli.main import main
from elltwo.reporting.words import rule_name

from .running import DATA, run, spawn

CLASSIC = [("longley", "totemp"), ("diabetes", "target"), ("hitters", "Salary"), ("hald", "y"), ("tecator", "fat"),
           ("fermentation", "glucose")]  # fmt: skip


def fitted(capsys, *words):
    ran = run(capsys, "fit", *words, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def table(name, target):
    """Columns and target of a numeric bundled table, without the library's reader."""
    lines = (DATA / f"{name}.csv").read_text().splitlines()
    names = lines[0].split(",")
    values = np.array([[float(v) for v in line.split(",")] for line in lines[1:]])
    at = names.index(target)
    return np.delete(values, at, axis=1), values[:, at]


@pytest.mark.parametrize(
    "rule", ["gcv", "rgcv", "srgcv", "wgcv", "lcurve", "quasi", "ncp", "evidence", "aicc"]
)
def test_every_rule_names_itself_in_terminal_and_report(rule, capsys, tmp_path):
    ran = run(
        capsys, "fit", DATA / "hald.csv", "-t", "y", "--rule", rule, "--report", tmp_path / "r.html", "-q"
    )
    assert ran.code == 0, ran.err
    assert "the rule" not in ran.out
    assert f"chosen by {rule_name(rule)}" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "target"), CLASSIC)
def test_classic_tables_are_fitted_and_told_in_80_columns(name, target, capsys, tmp_path):
    extra = ["--drop", "water", "--drop", "protein"] if name == "tecator" else []
    ran = run(capsys, "fit", DATA / f"{name}.csv", "--target", target, *extra, "-o", tmp_path / "m.json")
    assert ran.code == 0, ran.err
    for heading in (
        "HOW WELL IT PREDICTS",
        "HOW STRONG THE REGULARIZATION IS",
        "WHAT CHANGED",
        "WHICH COLUMNS MATTER",
    ):
        assert heading in ran.out
    wide = [line for line in (ran.out + ran.err).splitlines() if len(line) > 80 and str(tmp_path) not in line]
    assert wide == []
    assert "scikit-learn" in ran.out
    assert "nan" not in ran.out.lower().split()
    assert (tmp_path / "m.json").stat().st_size > 1000


@pytest.mark.parametrize(("name", "target"), [("longley", "totemp"), ("diabetes", "target"), ("hald", "y")])
@pytest.mark.parametrize("standardize", [True, False])
def test_coefficients_are_scikit_learns_at_the_printed_lambda(name, target, standardize, capsys):
    from sklearn.linear_model import Ridge

    X, y = table(name, target)
    told = fitted(capsys, DATA / f"{name}.csv", "-t", target, *([] if standardize else ["--no-standardize"]))
    out = told["outputs"][0]
    scale = X.std(0) if standardize else np.ones(X.shape[1])
    judge = Ridge(alpha=out["alpha"], solver="svd").fit((X - X.mean(0)) / scale, y)
    coef = np.array([row[1] for row in out["coefficients"]])
    np.testing.assert_allclose(coef * scale, judge.coef_, rtol=1e-7, atol=1e-9 * np.abs(judge.coef_).max())
    assert out["intercept"] == pytest.approx(y.mean() - X.mean(0) @ coef, rel=1e-9)
    np.testing.assert_allclose([row[2] for row in out["coefficients"]], coef * X.std(0), rtol=1e-12)


def test_the_chosen_lambda_has_the_least_leave_one_out_error_by_brute_force(capsys):
    X, y = table("hald", "y")
    Z = (X - X.mean(0)) / X.std(0)
    told = fitted(capsys, DATA / "hald.csv", "-t", "y")["outputs"][0]["alpha"]

    def loo(alpha):
        total = 0.0
        for i in range(len(y)):
            keep = np.arange(len(y)) != i
            A, b = Z[keep], y[keep]
            m = A.mean(0)
            w = np.linalg.solve((A - m).T @ (A - m) + alpha * np.eye(4), (A - m).T @ (b - b.mean()))
            total += (y[i] - b.mean() - (Z[i] - m) @ w) ** 2
        return total

    grid = np.exp(np.linspace(np.log(told) - 8, np.log(told) + 8, 4001))
    best = grid[np.argmin([loo(a) for a in grid[::40]]) * 40]
    near = best * np.exp(np.linspace(-0.2, 0.2, 401))
    assert told == pytest.approx(near[np.argmin([loo(a) for a in near])], rel=2e-3)


@pytest.mark.parametrize("alpha", ["5", "0"])
def test_the_honest_error_is_that_of_refits_on_the_other_folds(alpha, capsys):
    from sklearn.linear_model import LinearRegression, Ridge
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = table("diabetes", "target")
    told = fitted(capsys, DATA / "diabetes.csv", "-t", "target", "--alpha", alpha, "--seed", 3)["scores"]
    folds = KFold(5, shuffle=True, random_state=3)
    ridge = Ridge(float(alpha), solver="svd") if float(alpha) else LinearRegression()
    for key, model in (("rmse", ridge), ("rmse_unregularized", LinearRegression())):
        held = cross_val_predict(make_pipeline(StandardScaler(), model), X, y, cv=folds)
        assert told[key] == pytest.approx(np.sqrt(np.mean((held - y) ** 2)), rel=1e-9)
    parts = [np.mean((held_mean - y[test]) ** 2) * len(test) for train, test in folds.split(X)
             for held_mean in [y[train].mean()]]  # fmt: skip
    assert told["rmse_mean"] == pytest.approx(np.sqrt(sum(parts) / len(y)), rel=1e-9)


def test_a_chosen_lambda_is_chosen_again_without_each_fold(capsys):
    """Nested by hand: leave-one-out by scikit-learn on each training part, over a fine grid."""
    from sklearn.linear_model import Ridge, RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import StandardScaler

    X, y = table("hald", "y")
    told = fitted(capsys, DATA / "hald.csv", "-t", "y", "--folds", 4)["scores"]["rmse"]
    errors = []
    for train, test in KFold(4, shuffle=True, random_state=0).split(X):
        scaler = StandardScaler().fit(X[train])
        Z = scaler.transform(X[train])
        chosen = RidgeCV(np.geomspace(1e-6, 1e4, 3001), gcv_mode="svd").fit(Z, y[train]).alpha_
        errors.append((Ridge(chosen).fit(Z, y[train]).predict(scaler.transform(X[test])) - y[test]) ** 2)
    assert told == pytest.approx(np.sqrt(np.concatenate(errors).mean()), rel=1e-2)


def test_intervals_are_the_posteriors(capsys):
    X, y = table("diabetes", "target")
    out = fitted(capsys, DATA / "diabetes.csv", "-t", "target", "--alpha", "7", "--no-standardize")[
        "outputs"
    ][0]
    Z = X - X.mean(0)
    inverse = np.linalg.inv(Z.T @ Z + 7 * np.eye(X.shape[1]))
    w = inverse @ Z.T @ (y - y.mean())
    df = np.trace(Z @ inverse @ Z.T) + 1
    sigma2 = np.sum((y - y.mean() - Z @ w) ** 2) / (len(y) - df)
    half = stats.t.ppf(0.975, len(y) - df) * np.sqrt(sigma2 * np.diag(inverse))
    assert out["df"] == pytest.approx(df, rel=1e-9)
    assert out["noise_variance"] == pytest.approx(sigma2, rel=1e-9)
    columns = out["columns"]
    low = [row[1 + columns.index("lower")] for row in out["coefficients"]]
    high = [row[1 + columns.index("upper")] for row in out["coefficients"]]
    np.testing.assert_allclose(low, w - half, rtol=1e-8)
    np.testing.assert_allclose(high, w + half, rtol=1e-8)


def test_the_lambda_for_r_is_the_converted_one(capsys):
    from elltwo import convert

    X, y = table("diabetes", "target")
    ran = run(capsys, "fit", DATA / "diabetes.csv", "-t", "target", "--alpha", "7")
    value = convert(7.0, "per_column", "glmnet", X=X, y=y, standardized=True)
    assert f"glmnet(alpha=0, lambda={value:.6g})" in ran.out
    assert "Ridge(alpha=7)" in ran.out


@pytest.mark.parametrize("rule", ["loo", "gcv", "kfold", "evidence", "mallows", "aicc", "rgcv"])
def test_every_rule_can_be_asked_for(rule, capsys):
    told = fitted(capsys, DATA / "diabetes.csv", "-t", "target", "--rule", rule)
    assert told["rule"] == rule
    assert told["choices"][rule] == told["outputs"][0]["alpha"]
    assert set(told["choices"]) >= {"loo", "gcv", "kfold", "evidence"}


def test_classes_are_fitted_and_scored_on_held_out_rows(capsys, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    for classes in (("no", "yes"), ("a", "b", "c")):
        scores = X[:, : len(classes)] + 0.3 * rng.normal(size=(120, len(classes)))
        labels = np.array(classes)[scores.argmax(1)]
        text = "u,v,w,kind\n" + "".join(
            f"{a!r},{b!r},{c!r},{k}\n" for (a, b, c), k in zip(X.tolist(), labels, strict=True)
        )
        (tmp_path / "t.csv").write_text(text)
        told = fitted(
            capsys, tmp_path / "t.csv", "-t", "kind", "--task", "classify", "-o", tmp_path / "m.json"
        )
        assert [o["name"] for o in told["outputs"]] == (["yes"] if len(classes) == 2 else list(classes))
        ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "kind", "--task", "classify")
        right = float(ran.out.split("right on held-out rows")[1].split("%")[0])
        assert right > 75
        ran = run(capsys, "predict", tmp_path / "m.json", tmp_path / "t.csv", "-q")
        found = [line.split(",")[-1] for line in ran.out.splitlines()[1:]]
        assert np.mean(np.array(found) == labels) > 0.8


def test_weights_groups_folds_and_categories_play_their_parts(capsys, tmp_path):
    rng = np.random.default_rng(1)
    n = 60
    rows = ["x,code,w,who,part,y"]
    for i in range(n):
        x, code = rng.normal(), int(rng.integers(3))
        rows.append(f"{x!r},{code},{1 + i % 3},p{i % 10},{i % 4},{2 * x + code**2 + 0.1 * rng.normal()!r}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    common = [tmp_path / "t.csv", "-t", "y", "--weights", "w", "--categorical", "code"]
    told = fitted(capsys, *common, "--fold-column", "part", "--drop", "who")
    assert [row[0] for row in told["features"]] == ["x", "code=0", "code=1", "code=2"]
    grouped = fitted(capsys, *common, "--group", "who", "--drop", "part")
    assert grouped["scores"]["rmse"] != told["scores"]["rmse"]
    ran = run(capsys, "fit", *common, "--group", "who", "--drop", "part")
    assert "categories  code (3 levels)" in ran.err
    assert "group       who" in ran.err


def test_several_targets_have_a_lambda_each(capsys, tmp_path):
    X, y = table("diabetes", "target")
    rng = np.random.default_rng(3)
    values = np.column_stack([X[:, :3], y, rng.normal(size=len(y))])
    rows = ["a,b,c,y,z"] + [",".join(map(repr, row)) for row in values.tolist()]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    told = fitted(capsys, tmp_path / "t.csv", "-t", "y", "-t", "z")
    first, second = (o["alpha"] for o in told["outputs"])
    assert first != second
    ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "y", "-t", "z")
    assert "HOW WELL IT PREDICTS of z" in ran.out


def test_standard_input_is_a_table():
    ran = spawn("fit", "-", "-t", "y", "-q", stdin=(DATA / "hald.csv").read_text())
    assert ran.code == 0, ran.err
    assert "HOW WELL IT PREDICTS" in ran.out
    assert ran.err == ""


def test_results_go_to_stdout_messages_to_stderr_and_nothing_is_coloured_away_from_a_terminal(
    capsys, tmp_path
):
    ran = run(capsys, "fit", DATA / "hald.csv", "-t", "y", "-o", tmp_path / "m.json")
    assert "13 rows, 4 columns" in ran.err
    assert "model written to" in ran.err
    assert "written" not in ran.out
    assert "\033" not in ran.out + ran.err


def test_a_terminal_gets_emphasis_and_no_color_takes_it_away(monkeypatch):
    import io

    from elltwo.cli.console import bold

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert bold("x", Terminal()) == "\033[1mx\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert bold("x", Terminal()) == "x"


def test_a_column_far_from_zero_and_a_wide_table_keep_their_digits(capsys, tmp_path):
    """1e8 + noise beside noise: the same fit as without the offset."""
    rng = np.random.default_rng(0)
    x = rng.integers(-1000, 1000, size=40)
    y = 3.0 * x + rng.integers(-100, 100, size=40)
    for name, offset in (("near", 0), ("far", 10**8)):
        rows = "".join(f"{a + offset},{b}\n" for a, b in zip(x.tolist(), y.tolist(), strict=True))
        (tmp_path / f"{name}.csv").write_text("x,y\n" + rows)
    near, far = (
        fitted(capsys, tmp_path / f"{n}.csv", "-t", "y", "--alpha", "3")["outputs"][0]
        for n in ("near", "far")
    )
    assert far["coefficients"][0][1] == pytest.approx(near["coefficients"][0][1], rel=1e-9)


def test_demo_fits_a_bundled_table_and_lists_the_others(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = run(capsys, "demo", "--list")
    assert "longley" in ran.out
    ran = run(capsys, "demo", "hald", "-o", "hald.json")
    assert ran.code == 0, ran.err
    assert (tmp_path / "elltwo-demo-hald.html").stat().st_size > 10_000
    assert "elltwo fit" in ran.err
    ran = run(capsys, "demo", "nosuch")
    assert ran.code == 2
    assert "longley" in ran.err


def test_main_uses_the_words_it_is_given(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("elltwo ")


def test_moments_give_the_fit_that_rows_give(capsys, tmp_path):
    """The same folds (seed 0), the same rule: every number that both know is the same."""
    data = DATA / "diabetes.csv"
    ran = run(capsys, "stats", data, "-t", "target", "-o", tmp_path / "d.moments", "-q")
    assert ran.code == 0, ran.err
    ran = run(capsys, "merge", tmp_path / "d.moments", "-o", tmp_path / "all.moments")
    assert ran.code == 0, ran.err
    rows = fitted(capsys, data, "-t", "target", "--rule", "kfold")
    moments = fitted(capsys, tmp_path / "all.moments", "-t", "target", "--rule", "kfold")
    assert moments["outputs"][0]["alpha"] == pytest.approx(rows["outputs"][0]["alpha"], rel=1e-6)
    for a, b in zip(moments["outputs"][0]["coefficients"], rows["outputs"][0]["coefficients"], strict=True):
        assert a[0] == b[0]
        np.testing.assert_allclose(a[1:3], b[1:3], rtol=1e-5)
        np.testing.assert_allclose(a[4:], b[4:], rtol=1e-5)
    assert moments["scores"]["rmse_unregularized"] == pytest.approx(
        rows["scores"]["rmse_unregularized"], rel=1e-9
    )
    ran = run(capsys, "fit", tmp_path / "all.moments", "-t", "target")
    assert ran.code == 0, ran.err
    assert "held out of everything" in " ".join(ran.out.split())
    assert max(map(len, ran.out.splitlines())) <= 80
    ran = run(capsys, "fit", tmp_path / "all.moments", "-t", "target", "--group", "sex")
    assert ran.code == 2
    assert "elltwo stats" in ran.err


@pytest.mark.parametrize(
    ("alpha", "rule", "one_se"),
    [(None, "kfold", False), (5.0, "kfold", False), (None, "kfold", True), (None, "gcv", False)],
)
def test_the_honest_error_from_moments_is_that_of_refits(alpha, rule, one_se):
    """Large tables take the way of moments; on a small one both ways give the same number."""
    from elltwo.cli import honest
    from elltwo.facts.problem import Penalty, Problem
    from elltwo.tables.folds import fold_ids

    X, y = table("diabetes", "target")
    weights = np.random.default_rng(0).uniform(0.5, 2.0, size=len(y))
    problem = Problem(X, y[:, None], weights, True, Penalty(standardize=True))
    folds = fold_ids(len(y), 5)
    choice = honest.Choice(rule, alpha, one_se)
    rows = honest.worth(problem, folds, choice, keep_predictions=False)
    moments = honest._from_moments(problem, folds, choice)
    assert rows.predictions is not None
    for name in ("fitted", "plain", "mean"):
        a, b = getattr(rows.errors, name), getattr(moments.errors, name)
        np.testing.assert_allclose(a, b, rtol=1e-9 if alpha or name != "fitted" else 1e-4)
    np.testing.assert_allclose(rows.errors.spread, moments.errors.spread, rtol=1e-9 if alpha else 1e-3)
    np.testing.assert_allclose(rows.alphas, moments.alphas, rtol=0.1)
