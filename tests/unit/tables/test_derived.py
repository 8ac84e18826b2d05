"""Declared features equal scikit-learn's transformers, and live in a stream like any column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import SplineTransformer

from elltwo.errors import DataError, InputError, UsageError
from elltwo.scale.commands import fit_moments
from elltwo.scale.jobs.job import plan_job
from elltwo.scale.passes.passing import run_job
from elltwo.tables.columns.derived import derive
from elltwo.tables.moments.file import read_moments, write_moments
from elltwo.tables.moments.sets import merge_sets
from scale_files import frame, same_bits

FEATURES = ["square:x0", "power:x1:3", "product:x0:x2", "spline:x3:4"]


def table(missing=0.0):
    return frame(600, missing=missing).drop(columns=["c", "e"])


def explicit(data, scale=True):
    """The same columns by hand; centres are means of all rows, as for a frame."""
    x = {n: data[n].to_numpy() for n in ("x0", "x1", "x2", "x3")}
    c = {n: v - np.nanmean(v) for n, v in x.items()}
    knots = np.quantile(x["x3"][~np.isnan(x["x3"])], np.linspace(0, 1, 4))[:, None]
    spline = SplineTransformer(degree=3, knots=knots).fit_transform(x["x3"][:, None])[:, :-1]
    return np.column_stack([*x.values(), c["x0"] ** 2, c["x1"] ** 3, c["x0"] * c["x2"], spline])


def test_squares_powers_products_and_splines_equal_the_rows_made_by_hand():
    data = table()
    fit = fit_moments(data, "y", alpha=2.0, features=FEATURES)
    X = explicit(data)
    assert fit.names[4:7] == ("x0^2", "x1^3", "x0*x2")
    assert len(fit.names) == X.shape[1]
    np.testing.assert_allclose(fit.means, X.mean(axis=0), rtol=1e-9, atol=1e-9)
    reference = Ridge(2.0, solver="svd").fit(X, data.y)
    np.testing.assert_allclose(fit.coef[:, 0], reference.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(fit.predict(data)[:, 0], reference.predict(X), rtol=1e-9)


def test_a_missing_value_makes_its_derived_ones_missing_and_prediction_puts_the_mean_in(tmp_path):
    data = table(missing=0.2)
    data.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    fit = fit_moments(tmp_path / "t.parquet", "y", alpha=2.0, features=FEATURES)
    residual = data.y.to_numpy() - fit.predict(data)[:, 0]
    assert fit.solution.rss[0] == pytest.approx(residual @ residual, rel=1e-8)
    assert fit.names.count("x1 missing") == 1


def test_logarithms_are_missing_where_there_is_none():
    data = table()
    data["x1"] = np.exp(data.x1 / 5)
    data.loc[3, "x1"] = -1.0
    fit = fit_moments(data, "y", alpha=1.0, features=["log:x1"])
    assert fit.names[-1] == "log(x1)"
    assert fit.map.impute["log(x1)"] == pytest.approx(np.log(data.x1.drop(3)).mean())


def test_declared_features_travel_in_moments_files_and_must_agree(tmp_path):
    table().to_parquet(tmp_path / "t.parquet", row_group_size=100)
    made = run_job(plan_job(tmp_path / "t.parquet", "y", features=FEATURES))
    write_moments(tmp_path / "a.moments", made)
    back = read_moments(tmp_path / "a.moments")
    assert back.derived == made.derived
    same_bits(back.total(), made.total())
    plain = run_job(plan_job(tmp_path / "t.parquet", "y"))
    with pytest.raises(DataError, match="different derived features"):
        merge_sets([made, plain])
    both = [
        fit_moments(tmp_path / "t.parquet", "y", alpha=1.0, features=FEATURES, solver=s)
        for s in ("gram", "qr")
    ]
    np.testing.assert_allclose(both[0].coef, both[1].coef, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cube:x0", "unknown feature 'cube'"),
        ("square:x0:2", "none of square:COL"),
        ("power:x0:1", "from 2 to 9"),
        ("spline:x0:many", "from 2 to 50"),
        ("product:x0:z", "needs the number column 'z'"),
    ],
)
def test_what_is_no_feature_is_refused_with_the_forms(text, why):
    with pytest.raises(UsageError, match=why):
        derive([text], lambda name: np.arange(5.0), ["x0", "x1"])


def test_a_feature_declared_twice_is_refused():
    with pytest.raises(UsageError, match="two columns would be named"):
        plan_job(table(), "y", features=["square:x0", "power:x0:2"])


@pytest.mark.parametrize("feature", ["square:a", "product:a:b", "log:a", "spline:a:4"])
@pytest.mark.parametrize(("value", "says"), [(np.inf, "'inf', and only finite"), (1e170, "")])
def test_what_a_feature_cannot_take_is_refused_where_it_stands_in_the_file(tmp_path, feature, value, says):
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.standard_normal((40_000, 3)), columns=["a", "b", "y"])
    data.loc[35_000, "a"] = value  # beyond what a sample can number
    data.to_csv(tmp_path / "t.csv", index=False)
    place = r"t\.csv, line 35002: column 'a' has " if says or feature == "square:a" else "square overflows"
    with pytest.raises((DataError, InputError), match=place + says):
        fit_moments(tmp_path / "t.csv", "y", features=[feature])
