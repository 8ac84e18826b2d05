"""Options about columns: what cannot be is said in one sentence that names what is known, before a file is read."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from elltwo.cli.preparing import recipe_of
from elltwo.errors import DataError, UsageError
from elltwo.facts.plan import TablePlan

from .running import run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A table with a number that has gaps, a switch, a category, a date, groups and weights."""
    rng, n = np.random.default_rng(3), 300
    table = pd.DataFrame({"x": rng.standard_normal(n), "on": rng.choice(["true", "false"], n)})
    table["c"] = rng.choice(list("abcd"), n, p=[0.5, 0.3, 0.15, 0.05])
    table["day"] = pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d")
    table["w"], table["g"] = rng.uniform(0.5, 2, n), rng.integers(0, 40, n)
    table["y"] = table.x + (table.c == "a") + rng.standard_normal(n)
    table["class"] = np.where(table.y > 0.5, "yes", "no")
    table["sign"] = np.where(table.y > 0.5, 1, -1)
    table.loc[::7, "x"] = np.nan
    path = tmp_path_factory.mktemp("preparing") / "t.csv"
    table.to_csv(path, index=False)
    return path


BAD_VALUES = {
    ("--impute", "x=nan"): "'nan' is neither",
    ("--impute", "=0"): "say which column",
    ("--reference", "last"): "write one of auto, none, first, or COLUMN=LEVEL",
    ("--merge", "c"): "write COLUMN:LEVEL=INTO",
    ("--merge", "c:a=b", "--merge", "c:a=c"): "already counts as 'b'",
    ("--merge", "c:a=b", "--merge", "c:b=a"): "a -> b -> a",
    ("--impute", "0", "--impute", "1"): "twice for all columns",
    ("--max-levels", "0"): "0 is not in the range",
    ("--min-count", "-1"): "not in the range",
}


@pytest.mark.parametrize("words", BAD_VALUES)
def test_what_cannot_be_understood_is_refused_before_a_file_is_looked_at(capsys, words):
    ran = run(capsys, "fit", "there-is-no-such.csv", "-t", "y", *words)
    assert ran.code == 2
    assert BAD_VALUES[words] in ran.err
    assert len(ran.err.splitlines()) == 1


BAD_NAMES = {
    ("--impute", "age=0"): "its columns are 'x', 'on', 'c'",
    ("--impute", "c=0"): "is a category and no number; --missing-level",
    ("--impute", "y=0"): "is the target",
    ("--impute", "day=0"): "name one of its parts, 'day days'",
    ("--merge", "x:1=2"): "is a number and no category; use --categorical x",
    ("--merge", "on:true=false"): "is true or false and no category",
    ("--reference", "cc=a"): "did you mean 'c'?",
}
BAD_LEVELS = {
    ("--merge", "c:z=a"): "no level 'z'; its levels are 'a', 'b', 'c', 'd'",
    ("--reference", "c=z"): "no level 'z'; its levels are 'a', 'b', 'c', 'd'",
    ("--merge", "c:a=b", "--reference", "c=a"): "level 'a' joins another one",
}


@pytest.mark.parametrize("words", [*BAD_NAMES, *BAD_LEVELS])
@pytest.mark.parametrize("way", ["--no-stream", "--stream", "moments"])
def test_columns_and_levels_that_are_not_there_are_named_with_those_that_are(capsys, place, way, words):
    table, columns = (
        place,
        ["--date", "day", *(w for n in ("w", "g", "class", "sign") for w in ("--drop", n))],
    )
    moments = place.with_suffix(".moments")
    if way == "moments":
        assert run(capsys, "stats", table, "-t", "y", *columns, "-o", moments, "-q").code == 0
        ran = run(capsys, "fit", moments, "-t", "y", *words)
    else:
        ran = run(capsys, "fit", table, "-t", "y", *columns, way, *words)
    assert ran.code == 2
    assert (BAD_NAMES | BAD_LEVELS)[words] in ran.err
    if words in BAD_NAMES:
        assert "parts of" not in ran.err, "no pass was begun"


@pytest.mark.parametrize(
    "more", [["--weights", "w"], ["--group", "g"], ["--ordered"], ["--date", "day=parts"]]
)
def test_weights_groups_order_and_dates_stay_what_they_are(capsys, place, more):
    drop = [w for n in ("w", "g", "day", "class", "sign") if n not in " ".join(more) for w in ("--drop", n)]
    words = [
        "fit",
        place,
        "-t",
        "y",
        *drop,
        *more,
        "--json",
        "--rule",
        "kfold",
        "--min-count",
        "60",
        "--impute",
        "x=2",
    ]
    one, two = (json.loads(run(capsys, *words, way).out) for way in ("--no-stream", "--stream"))
    assert one["scores"] == pytest.approx(two["scores"], rel=1e-9)
    assert one["strength"]["value"] == pytest.approx(two["strength"]["value"], rel=1e-9)
    assert [r[0] for r in one["outputs"][0]["coefficients"]] == [
        r[0] for r in two["outputs"][0]["coefficients"]
    ]


def test_a_classifier_follows_the_recipe_as_a_fit_of_signs_does(capsys, place):
    drop = [w for n in ("w", "g", "day", "y") for w in ("--drop", n)]
    words = ["--json", "--no-indicators", "--max-levels", "2", *drop]
    classes = json.loads(
        run(capsys, "fit", place, "-t", "class", "--task", "classify", "--drop", "sign", *words).out
    )
    signs = json.loads(run(capsys, "fit", place, "-t", "sign", "--drop", "class", *words).out)
    assert classes["outputs"][0]["coefficients"] == signs["outputs"][0]["coefficients"]
    assert classes["scores"]["rmse"] == pytest.approx(signs["scores"]["rmse"], rel=1e-12)


def test_more_levels_than_the_moments_hold_are_refused(capsys, place, tmp_path):
    moments = tmp_path / "few.moments"
    assert (
        run(capsys, "stats", place, "-t", "y", "--drop", "day", "--max-levels", "2", "-o", moments, "-q").code
        == 0
    )
    ran = run(capsys, "fit", moments, "--max-levels", "3")
    assert ran.code == 2
    assert "--max-levels 3" in ran.err


def test_rare_levels_are_said_and_the_command_that_makes_the_model_again_is_whole(capsys, place):
    words = [
        "--max-levels",
        "2",
        "--impute",
        "x=0",
        "--no-indicators",
        "--merge",
        "c:d=c",
        "--reference",
        "none",
    ]
    found = json.loads(run(capsys, "fit", place, "-t", "y", "--drop", "day", *words, "--json").out)
    assert "column 'c': 1 rarer level counts as (other)" in found["notes"]
    told = found["how"]["command"].split()
    assert {"--no-indicators", "c:d=c", "x=0", "none", "--max-levels"} <= set(told)
    assert "--missing-level" not in told
    assert "--min-count" not in told


def test_a_plan_written_before_there_were_recipes_can_be_read_and_a_crooked_one_cannot():
    column = {"name": "c", "kind": "category", "reason": "", "levels": ["a", "b", "d"], "reference": None,
              "other": False, "missing": True, "impute": [], "parts": []}  # fmt: skip
    plan = TablePlan.from_dict({**TablePlan((), ()).to_dict(), "columns": [column]})
    assert plan.columns[0].features == ("c=a", "c=b", "c=d", "c missing")
    assert TablePlan.from_json(plan.to_json()) == plan
    assert "merged" not in plan.to_json()
    for bad in ({"merged": [["a", "z"]]}, {"merged": [["a", "b"], ["b", "d"]]}, {"merged": [["a"]]},
                {"missing_as": "z"}, {"merged": [["a", "b"]], "reference": "a"}):  # fmt: skip
        with pytest.raises(DataError, match="cannot be used"):
            TablePlan.from_dict({**TablePlan((), ()).to_dict(), "columns": [{**column, **bad}]})


def test_no_option_is_no_recipe():
    assert recipe_of({}).plain
    assert not recipe_of({"impute": ("0",)}).plain
    with pytest.raises(UsageError, match="neither"):
        recipe_of({"impute": ("a=b",)})


def test_the_page_says_how_columns_were_read_and_not_that_gaps_are_flagged_where_they_are_not(
    capsys, place, tmp_path
):
    words = ["--drop", "day", "--no-indicators", "--merge", "c:d=c", "--report", tmp_path / "r.html"]
    assert run(capsys, "fit", place, "-t", "y", *words, "-q").code == 0
    page = (tmp_path / "r.html").read_text()
    assert "numbers; missing ones mean put in" in page
    assert "missing values flagged" not in page
    assert "category, 3 levels" in page
    assert "text, 3 levels, 1 merged" in page


@pytest.mark.parametrize(
    "words", [["--no-indicators"], ["--impute", "1"], ["--no-indicators", "--no-standardize"]]
)
def test_a_table_of_more_columns_than_rows_goes_by_rows_to_the_answer_of_moments(capsys, tmp_path, words):
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.standard_normal((60, 80)) + 3, columns=[f"v{j}" for j in range(80)])
    table["y"] = table.v0 - table.v1 + 0.3 * rng.standard_normal(60)
    table = table.mask(rng.random(table.shape) < 0.03).assign(y=table.y)
    table.to_csv(tmp_path / "wide.csv", index=False)
    ways = ["--no-stream", "--stream"]
    asked = ["fit", tmp_path / "wide.csv", "-t", "y", "--json", "--rule", "kfold", *words]
    one, two = (json.loads(run(capsys, *asked, way).out) for way in ways)
    assert one["strength"]["value"] == pytest.approx(two["strength"]["value"], rel=1e-6)
    for name in ("rmse", "rmse_mean"):
        assert one["scores"][name] == pytest.approx(two["scores"][name], rel=1e-7)


def test_levels_may_be_sent_to_those_that_share_a_column_and_may_not_leave_none(capsys, place, tmp_path):
    drop = [w for n in ("w", "g", "day", "class", "sign") for w in ("--drop", n)]
    words = ["fit", place, "-t", "y", "--json", "--rule", "kfold", *drop]
    sent = ["--merge", "c:d=(other)", "--merge", "c:c=(other)"]
    one, two = (json.loads(run(capsys, *words, *sent, way).out) for way in ("--no-stream", "--stream"))
    assert [r[0] for r in one["outputs"][0]["coefficients"]][-3:] == ["c=a", "c=b", "c=(other)"]
    assert one["scores"] == pytest.approx(two["scores"], rel=1e-9)
    assert run(capsys, *words, *sent, "-o", tmp_path / "m.json").code == 0
    (tmp_path / "new.csv").write_text("x,on,c\n1,true,c\n1,true,d\n1,true,unheard\n1,true,a\n")
    found = json.loads(run(capsys, "predict", tmp_path / "m.json", tmp_path / "new.csv", "--json").out)
    assert len(set(found["prediction"][:3])) == 1
    assert found["prediction"][3] != found["prediction"][0]
    alone = [*words, "--drop", "x", "--drop", "on", *(w for v in "bcd" for w in ("--merge", f"c:{v}=a"))]
    for way in ("--no-stream", "--stream"):
        ran = run(capsys, *alone, way)
        assert ran.code == 2
        assert "leave no column to learn from" in ran.err
