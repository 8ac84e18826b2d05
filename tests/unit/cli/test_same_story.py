"""Terminal, model file and report are three ways of printing one set of facts: they may not contradict each other."""

from __future__ import annotations

import json

import numpy as np
import pytest

from elltwo.reporting import html

from .running import DATA, run


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """Name → (terminal text, model as a dict) of a regression, a classifier of two and one of three classes."""
    from sklearn.datasets import load_wine

    from elltwo.cli.main import main

    folder = tmp_path_factory.mktemp("stories")
    X, y = load_wine(return_X_y=True)
    for name, classes in (("two", ["no", "no", "yes"]), ("three", ["red", "white", "rosé"])):
        rows = [
            ",".join(map(str, row)) + f",{classes[c]}" for row, c in zip(X[:, :5].tolist(), y, strict=True)
        ]
        (folder / f"{name}.csv").write_text("a,b,c,d,e,wine\n" + "\n".join(rows), encoding="utf-8")

    def fit(name, *words):
        place = folder / f"{name}.json"
        assert main(["fit", *map(str, words), "-q", "-o", str(place)]) == 0
        return json.loads(place.read_text(encoding="utf-8"))

    return {
        "hitters": fit("hitters", DATA / "hitters.csv", "-t", "Salary"),
        "two": fit("two", folder / "two.csv", "-t", "wine", "--task", "classify"),
        "three": fit("three", folder / "three.csv", "-t", "wine", "--task", "classify"),
        "targets": fit("targets", DATA / "tecator.csv", "-t", "fat", "-t", "water", "--drop", "protein"),
    }


def test_the_report_compares_with_no_regularization_on_the_rows_that_the_terminal_uses(fits):
    model = fits["hitters"]
    honest = model["report"]["error"]["honest"]
    scores = model["scores"]
    assert honest["rmse"] == pytest.approx(scores["rmse"])
    assert honest["none"] == pytest.approx(scores["rmse_unregularized"])
    assert honest["mean_only"] == pytest.approx(scores["rmse_mean"])
    smaller = scores["rmse_unregularized"] < scores["rmse"]
    assert ("smaller" if smaller else "larger") in model["report"]["sentence"]


def test_the_report_has_the_intervals_of_the_model_file(fits):
    model = fits["hitters"]
    out = model["outputs"][0]
    columns = out["columns"]
    low = np.array([row[1 + columns.index("lower")] for row in out["coefficients"]])
    told = {row["index"]: row["low"] for row in model["report"]["coefficients"]["rows"]}
    np.testing.assert_allclose([told[j] for j in range(low.size)], low, rtol=1e-6)


def test_a_row_is_numbered_as_in_the_table_and_not_among_the_rows_that_were_kept(fits):
    far = next(f for f in fits["hitters"]["findings"] if f["code"] == "far-rows")
    lines = (DATA / "hitters.csv").read_text().splitlines()
    number = int(far["sentence"].split("data row ")[1].split(",")[0])
    salary = lines[0].split(",").index("Salary")
    assert float(lines[number].split(",")[salary]) == 2127.333
    kept_before = sum(1 for line in lines[1:number] if line.split(",")[salary])
    assert kept_before < number - 1, "rows without a salary come before it, so that the two numberings differ"


def test_rows_left_out_are_said_in_the_report(fits):
    assert any("59 of 322 rows" in note for note in fits["hitters"]["report"]["notes"])
    assert "59 of 322 rows" in html(fits["hitters"]["report"])


@pytest.mark.parametrize("name", ["two", "three"])
def test_a_classifiers_report_begins_with_how_often_it_is_right(fits, name):
    report = fits[name]["report"]
    classes = report["error"]["classes"]
    assert report["title"] == "Ridge classification of wine"
    assert report["sentence"].startswith(
        f"On new rows, {100 * classes['right']:.0f}% are given the right class"
    )
    assert classes["right_commonest"] < classes["right"] <= 1
    page = html(report)
    assert "Right on new rows" in page
    assert f"the score of {classes['positive']}" in page


def test_every_target_or_class_has_its_line_in_the_report(fits):
    for name in ("three", "targets"):
        model = fits[name]
        rows = model["report"]["targets"]
        assert [row["name"] for row in rows] == [out["name"] for out in model["outputs"]]
        np.testing.assert_allclose([row["alpha"] for row in rows], [out["alpha"] for out in model["outputs"]])
        assert [row["rmse"] for row in rows] == pytest.approx(
            [model["scores"][f"rmse {row['name']}"] for row in rows]
        )
    assert fits["hitters"]["report"]["targets"] == []


def test_an_estimate_and_its_interval_have_the_same_decimals(capsys):
    told = run(capsys, "fit", DATA / "diabetes.csv", "-t", "target", "-q").out
    lines = [line.split() for line in told.splitlines() if "█" in line]
    assert lines
    for _, middle, low, to, high, _ in lines:
        assert to == "to"
        assert len({len(text.partition(".")[2]) for text in (middle, low, high)}) == 1


def test_findings_name_the_target_they_are_about_unless_they_are_about_all(fits):
    said = [f["sentence"] for f in fits["targets"]["findings"]]
    assert any(s.startswith("water: ") for s in said)
    assert any(s.startswith("fat: ") for s in said)
    about_columns = [f for f in fits["targets"]["findings"] if f["code"] == "dependent-columns"]
    assert len(about_columns) == 1
    assert about_columns[0]["sentence"].startswith("Some columns")
    page = [f["sentence"] for f in fits["targets"]["report"]["findings"]]
    assert not any(s.startswith(("water: ", "fat: ")) for s in page)
