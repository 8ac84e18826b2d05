"""Columns made from columns at the terminal: moments, fit, report and prediction tell the same story."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import SplineTransformer

from elltwo.errors import DataError
from elltwo.facts.plan import TablePlan

from .running import run as run_words

FEATURES = ["--feature", "square:a", "--feature", "product:a:b", "--feature", "spline:c:4"]
NAMES = ["a", "b", "c", "a^2", "a*b", *(f"spline(c) {i}" for i in range(1, 6))]


def run(capsys, *words):
    ran = run_words(capsys, *words)
    assert ran.code == 0, ran.err
    return ran.out


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    at = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((900, 3)) + np.array([3, 0, -1]), columns=["a", "b", "c"])
    table["y"] = (table.a - 3) ** 2 + table.a * table.b + np.sin(2 * table.c) + 0.3 * rng.standard_normal(900)
    table.to_parquet(at / "t.parquet", row_group_size=200)
    return at


def by_hand(place, plan):
    """The design that the model's file describes, made with scikit-learn."""
    t = pd.read_parquet(place / "t.parquet")
    square, product, spline = plan["derived"]
    knots = np.array(spline["knots"])[:, None]
    splines = SplineTransformer(degree=3, knots=knots, extrapolation="constant").fit_transform(
        t[["c"]].to_numpy()
    )
    made = [(t.a - square["centre"][0]) ** 2, (t.a - product["centre"][0]) * (t.b - product["centre"][1])]
    return np.column_stack([t[["a", "b", "c"]], *made, splines[:, :-1]]), t.y


def test_moments_with_features_are_fitted_reported_and_predicted(capsys, place):
    moments, model, page = (str(place / n) for n in ("all.moments", "m.json", "r.html"))
    run(capsys, "stats", str(place / "t.parquet"), "-t", "y", *FEATURES, "-o", moments)
    words = ["fit", moments, "-t", "y", "--alpha", "2", "--no-standardize", "-o", model, "--report", page]
    told = json.loads(run(capsys, *words, "--json"))
    plan = json.loads((place / "m.json").read_text())["plan"]
    assert [c[0] for c in told["outputs"][0]["coefficients"]] == NAMES
    X, y = by_hand(place, plan)
    reference = Ridge(2.0, solver="svd").fit(X, y)
    np.testing.assert_allclose([c[1] for c in told["outputs"][0]["coefficients"]], reference.coef_, rtol=1e-7)
    lines = run(capsys, "predict", model, str(place / "t.parquet"))
    found = [float(row["prediction"]) for row in csv.DictReader(io.StringIO(lines))]
    np.testing.assert_allclose(found, reference.predict(X), rtol=1e-9, atol=1e-9)
    html = (place / "r.html").read_text()
    assert "Column a^2 stands for (a - " in html
    assert "spline(c) 1" in html
    assert any("cubic B-splines on 4 knots" in note for note in told["notes"])


def test_a_file_is_fitted_with_features_as_its_moments_are(capsys, place):
    run(capsys, "stats", str(place / "t.parquet"), "-t", "y", *FEATURES, "-o", str(place / "b.moments"))
    one = json.loads(run(capsys, "fit", str(place / "b.moments"), "-t", "y", "--json"))
    other = json.loads(
        run(capsys, "fit", str(place / "t.parquet"), "-t", "y", *FEATURES, "--rule", "kfold", "--json")
    )
    assert other["outputs"] == one["outputs"]
    assert "--feature square:a --feature product:a:b" in other["how"]["command"]
    ran = run_words(capsys, "fit", str(place / "t.parquet"), "-t", "y", *FEATURES)
    assert "a^2, a*b, spline(c) 1 to 5" in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "t.parquet", "--no-stream", *FEATURES], "--feature is for streams"),
        (["fit", "b.moments", *FEATURES], "--feature is settled when moments are made"),
        (["fit", "t.parquet", "--feature", "cube:a"], "cube"),
    ],
)
def test_features_where_they_cannot_be_are_refused(capsys, place, words, said):
    run(capsys, "stats", str(place / "t.parquet"), "-t", "y", "-o", str(place / "b.moments"))
    ran = run_words(capsys, words[0], str(place / words[1]), "-t", "y", *words[2:])
    assert ran.code == 2
    assert said in " ".join(ran.err.split())


@pytest.mark.parametrize("format", ["sql", "python", "onnx", "sklearn"])
def test_formats_that_cannot_say_them_are_refused(capsys, place, format):
    if format == "onnx":
        pytest.importorskip("onnx")
    run(capsys, "fit", str(place / "t.parquet"), "-t", "y", *FEATURES, "-o", str(place / "f.json"))
    ran = run_words(capsys, "export", str(place / "f.json"), "--to", format, "-o", str(place / "x"))
    assert ran.code == 2
    assert "columns made from columns (a^2)" in " ".join(ran.err.split())


@pytest.mark.parametrize(
    "damage",
    [
        {"kind": "eval"},
        {"columns": ["zz"]},
        {"degree": 400},
        {"centre": []},
        {"impute": [1.0, 2.0]},
        {"knots": [2.0, 1.0]},
    ],
)
def test_a_damaged_feature_in_a_file_from_anywhere_is_refused(capsys, place, damage):
    run(capsys, "fit", str(place / "t.parquet"), "-t", "y", *FEATURES, "-o", str(place / "g.json"))
    plan = json.loads((place / "g.json").read_text())["plan"]
    assert TablePlan.from_dict(plan).to_dict()["derived"][0]["kind"] == "power"
    plan["derived"][0] |= damage
    with pytest.raises(DataError, match="column plan"):
        TablePlan.from_dict(plan)
