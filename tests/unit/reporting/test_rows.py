"""The page shows rows: residuals without each row and leverages, of a table in memory and of a stream's second pass."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from elltwo.cli.main import main
from elltwo.reporting.figures import leverages, residuals
from elltwo.reporting.parts.rows import DRAWN, NOTABLE, RowSample, row_points
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
