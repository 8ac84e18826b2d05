"""The page shows rows: residuals without each row and leverages, of a table in memory and of a stream's second pass."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from elltwo import RidgeClassifierCV, RidgeCV
from elltwo.cli.main import main
from elltwo.reporting.figures import leverages, residuals
from elltwo.reporting.parts.rows import DRAWN, NOTABLE, RowSample, row_points, rows_at_hand
from elltwo.scale.commands import fit_moments
from elltwo.scale.fits.telling import report_of
from elltwo.tables.datasets import dataset


def sample(n=5_000, **changes):
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(n) for name in ("fitted", "left_out")}
    facts = {
        "number": np.arange(n) + 1,
        "leverage": rng.uniform(0, 1, n),
        "sampled": np.ones(n, bool),
        "of": 10 * n,
    }
    return RowSample(**{**arrays, **facts, **changes})


def test_a_page_bears_a_thousand_rows_and_those_that_stand_out():
    rows = sample()
    rows.left_out[17] = 40.0
    rows.leverage[[2_001, 4_999]] = 2.0
    points = row_points(rows)
    assert DRAWN <= len(points["number"]) <= DRAWN + 2 * NOTABLE
    assert {18, 2_002, 5_000} <= set(points["number"].tolist())
    assert points["of"] == 50_000
    assert row_points(None) is None


def test_figures_name_the_largest_and_leave_out_what_is_not_finite():
    rows = sample(60)
    rows.left_out[[3, 40]] = np.inf, 30.0
    rows.leverage[3] = 1.0
    report = {"rows": row_points(rows), "target": "y"}
    said = [[t.get_text() for t in draw(report).axes[0].texts] for draw in (residuals, leverages)]
    assert "row 41" in said[0]
    assert not any(text == "row 4" for texts in said for text in texts)


@pytest.mark.parametrize("how", [["--no-stream"], ["--second-pass"], ["--stream", "--rule", "loo"]])
def test_a_report_has_the_rows_wherever_they_were_read(tmp_path, how):
    page, model = tmp_path / "r.html", tmp_path / "m.json"
    words = [
        "fit",
        str(dataset("diabetes").path),
        "-t",
        "target",
        "--report",
        str(page),
        "-o",
        str(model),
        "-q",
    ]
    assert main([*words, *how]) == 0
    html = page.read_text()
    assert "Which rows stand out?" in html
    assert "All rows are shown." in html
    assert not re.search("&lt;p class", html)
    kept = json.loads(model.read_text())["report"]["rows"]
    assert kept["number"] == list(range(1, 443))


def test_a_stream_without_a_second_pass_has_none(tmp_path):
    page = tmp_path / "r.html"
    words = ["fit", str(dataset("diabetes").path), "-t", "target", "--report", str(page), "-q", "--stream"]
    assert main([*words, "--rule", "kfold"]) == 0
    assert "Which rows stand out?" not in page.read_text()


def numbers():
    table = pd.read_csv(dataset("diabetes").path)
    return table.drop(columns="target"), table["target"]


def test_a_face_draws_its_rows_while_they_are_here(tmp_path):
    X, y = numbers()
    face = RidgeCV(standardize=True).fit(X, y)
    face.write_report(tmp_path / "here.html", honest=False)
    assert "Which rows stand out?" in (tmp_path / "here.html").read_text()
    pickle.loads(pickle.dumps(face)).write_report(tmp_path / "gone.html", honest=False)
    assert "Which rows stand out?" not in (tmp_path / "gone.html").read_text()
    RidgeClassifierCV().fit(X, y > 150).write_report(tmp_path / "signs.html", honest=False)
    assert "Which rows stand out?" not in (tmp_path / "signs.html").read_text()


def test_rows_at_hand_are_those_of_refits_without_each_row():
    X, y = (part.to_numpy(dtype=float) for part in numbers())
    face = RidgeCV([3.0]).fit(X, y)
    rows = rows_at_hand(face.rotated_, face.solution_, X)
    for i in (0, 7, 300):
        rest = np.arange(len(y)) != i
        alone = Ridge(3.0).fit(X[rest], y[rest]).predict(X[[i]])[0]
        assert rows.left_out[i] == pytest.approx(y[i] - alone, rel=1e-9)
    np.testing.assert_allclose(rows.fitted, face.predict(X))
    np.testing.assert_allclose(rows.left_out * (1 - rows.leverage), y - rows.fitted, rtol=1e-8)


def test_a_fit_from_a_stream_writes_the_report_and_the_findings_of_the_terminal(tmp_path):
    model, place = tmp_path / "m.json", str(dataset("diabetes").path)
    assert main(["fit", place, "-t", "target", "--second-pass", "-o", str(model), "-q"]) == 0
    told = json.loads(model.read_text())
    fit = fit_moments(place, "target", rule="auto", standardize=True, second_pass=True)
    fit.write_report(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "Which rows stand out?" in page
    assert [f.sentence for f in fit.findings()] == [f["sentence"] for f in told["findings"]]
    mine = report_of(fit, 0, True)
    assert mine["error"]["honest"]["rmse"] == pytest.approx(told["scores"]["rmse"])
    assert mine["rows"] == told["report"]["rows"]
    fit_moments(place, "target", rule="kfold").write_report(tmp_path / "none.html", honest=False)
    assert "Which rows stand out?" not in (tmp_path / "none.html").read_text()


def test_memory_and_stream_show_the_same_rows(tmp_path):
    found = []
    for i, how in enumerate((["--no-stream"], ["--stream"])):
        model = tmp_path / f"{i}.json"
        words = [
            "fit",
            str(dataset("diabetes").path),
            "-t",
            "target",
            "--rule",
            "loo",
            "-o",
            str(model),
            "-q",
        ]
        assert main([*words, *how]) == 0
        found.append(json.loads(model.read_text())["report"]["rows"])
    for name in ("fitted", "left_out", "leverage"):
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=2e-6, atol=1e-9)
