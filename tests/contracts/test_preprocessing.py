"""Preprocessing is one story on every route: memory, stream and moments agree with a scikit-learn Pipeline.

Every number that an honest error is made of comes from columns that were made again on training rows alone.
"""

from __future__ import annotations

import json
import pickle
import sqlite3
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from elltwo.cli.main import main
from elltwo.tables.folds import fold_ids

N, ALPHA = 400, 3.0
SAME = {"rel": 1e-10, "abs": 1e-12}


def table(rows=N, seed=0):
    """Two numbers and two categories, gaps in all but one of them, rare levels, and y."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame({"x": rng.standard_normal(rows) + 5, "z": rng.standard_normal(rows)})
    found["c"] = rng.choice(list("abcdef"), rows, p=[0.4, 0.3, 0.15, 0.08, 0.05, 0.02]).astype(object)
    found["s"] = rng.choice(["m", "w"], rows).astype(object)
    found["y"] = 0.5 * found.x + (found.c == "a") + (found.s == "w") + 0.5 * rng.standard_normal(rows)
    found.loc[rng.random(rows) < 0.1, "x"] = np.nan
    found.loc[rng.random(rows) < 0.05, "c"] = np.nan
    folds = fold_ids(rows, 5)  # what one fold alone has, training rows without it never see
    found.loc[np.flatnonzero(folds == 1)[:9], "z"] = np.nan
    found.loc[np.flatnonzero(folds == 0)[:3], "c"] = "g"
    return found


def joined(column):
    return column.replace({"f": "rest", "e": "rest", "d": "rest"})


def numbers(*fills, indicator=True):
    """(imputer, columns) pairs; a fill is None for the mean, or a constant."""
    return [
        (
            SimpleImputer(add_indicator=indicator)
            if fill is None
            else SimpleImputer(strategy="constant", fill_value=fill, add_indicator=indicator),
            [name],
        )
        for name, fill in zip("xz", fills, strict=True)
    ]


def one_hot(drop=None, missing="column", merge=False, **rare):
    """Column c with its gaps treated, and s, whose two levels share a column unless ``drop`` says otherwise."""
    steps = [FunctionTransformer(joined)] * merge
    steps += [SimpleImputer(strategy="most_frequent")] * (missing == "mode")
    if missing == "zeros":  # NaN is no category: it is unknown, and unknown is 0 everywhere
        rare["categories"] = [["a", "b", "c", "g", "rest"] if merge else list("abcdefg")]
    unknown = "infrequent_if_exist" if "max_categories" in rare or "min_frequency" in rare else "ignore"
    of_c = OneHotEncoder(drop=drop, handle_unknown=unknown, sparse_output=False, **rare)
    of_s = OneHotEncoder(drop=drop if drop in ("none", "first") else "if_binary", sparse_output=False)
    of_s.set_params(drop=None) if drop == "none" else None
    of_c.set_params(drop=None) if drop == "none" else None
    return [(make_pipeline(*steps, of_c), ["c"]), (of_s, ["s"])]


MODE = ("--missing-level", "mode")
CASES = {
    "constants": (["--impute", "0", "--impute", "z=1.5"], numbers(0, 1.5), one_hot()),
    "no indicators": (["--no-indicators"], numbers(None, None, indicator=False), one_hot()),
    "every level a column": (["--reference", "none"], numbers(None, None), one_hot("none")),
    "first level without": (["--reference", "first"], numbers(None, None), one_hot("first")),
    "named level without": (["--reference", "c=b"], numbers(None, None), one_hot(["b"])),
    "gaps are no level": (["--missing-level", "zeros"], numbers(None, None), one_hot(missing="zeros")),
    "three levels": (["--max-levels", "3", *MODE], numbers(None, None), one_hot(missing="mode", max_categories=4)),
    "frequent levels": (["--min-count", "25", *MODE], numbers(None, None), one_hot(missing="mode", min_frequency=25)),
    "levels merged": (
        ["--missing-level", "zeros", *(w for v in "def" for w in ("--merge", f"c:{v}=rest")), "--impute", "x=mean"],
        numbers(None, None),
        one_hot(missing="zeros", merge=True),
    ),
}  # fmt: skip


def pipeline(case):
    _, of_numbers, of_categories = CASES[case]
    return make_pipeline(
        make_column_transformer(*of_numbers, *of_categories, sparse_threshold=0),
        StandardScaler(),
        Ridge(ALPHA, solver="svd"),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("preprocessing")
    table().to_csv(place / "t.csv", index=False)
    assert main(["stats", str(place / "t.csv"), "-t", "y", "-o", str(place / "t.moments"), "-q"]) == 0
    return place


def told(capsys, *words):
    capsys.readouterr()
    code = main([str(w) for w in words])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def routes(folder):
    rows = ["fit", folder / "t.csv", "-t", "y", "--json"]
    return {
        "memory": [*rows, "--no-stream"],
        "stream": [*rows, "--stream"],
        "moments": ["fit", folder / "t.moments", "--json"],
    }


def assert_same_fit(one, other):
    assert other["strength"]["value"] == pytest.approx(one["strength"]["value"], **SAME)
    ours, theirs = (d["outputs"][0]["coefficients"] for d in (one, other))
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    assert [row[1] for row in ours] == pytest.approx([row[1] for row in theirs], **SAME)
    assert one["scores"] == pytest.approx(other["scores"], **SAME)


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("case", CASES)
def test_the_honest_error_is_that_of_the_pipeline_refitted_in_every_fold_on_every_route(capsys, folder, case):
    data, folds = table(), fold_ids(N, 5)
    cv = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]
    held = cross_val_predict(pipeline(case), data.drop(columns="y"), data.y, cv=cv)
    expected = np.sqrt(np.mean((data.y - held) ** 2))
    found = {
        name: told(capsys, *words, *CASES[case][0], "--alpha", ALPHA)
        for name, words in routes(folder).items()
    }
    for name, fit in found.items():
        assert fit["scores"]["rmse"] == pytest.approx(expected, rel=1e-10), name
    assert_same_fit(found["memory"], found["stream"])
    assert_same_fit(found["memory"], found["moments"])


@pytest.mark.parametrize("case", CASES)
def test_k_fold_chooses_the_same_strength_with_the_same_error_on_every_route(capsys, folder, case):
    found = [told(capsys, *words, *CASES[case][0], "--rule", "kfold") for words in routes(folder).values()]
    assert_same_fit(found[0], found[1])
    assert_same_fit(found[0], found[2])


@pytest.mark.parametrize("case", ["no indicators", "three levels"])
def test_leave_one_out_in_memory_is_leave_one_out_in_a_stream(capsys, folder, case):
    ways = routes(folder)
    found = [told(capsys, *ways[name], *CASES[case][0]) for name in ("memory", "stream")]
    assert found[0]["rule"] == "loo"
    assert_same_fit(*found)


def test_workers_follow_the_recipe_too(capsys, folder):
    pytest.importorskip("distributed")
    words, options = (
        ["fit", folder / "t.csv", "-t", "y", "--json", "--rule", "kfold"],
        CASES["three levels"][0],
    )
    assert_same_fit(told(capsys, *words, *options), told(capsys, *words, *options, "--workers", "2"))


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "--impute": st.sampled_from(["0", "x=2", "z=mean"]),
        "--missing-level": st.sampled_from(["zeros", "mode", "column"]),
        "--max-levels": st.sampled_from(["1", "2", "4"]),
        "--min-count": st.sampled_from(["2", "7.5", "60"]),
        "--reference": st.sampled_from(["none", "first", "c=b", "s=w"]),
        "--merge": st.sampled_from(["c:a=rest", "c:g=(other)", "c:f=a", "s:m=w"]),
    },
)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(chosen=OPTIONS, flags=st.sets(st.sampled_from(["--no-indicators", "--no-standardize", "--ordered"])))
def test_whatever_is_chosen_together_memory_and_stream_agree(capsys, folder, chosen, flags):
    words = [w for pair in chosen.items() for w in pair] + sorted(flags)
    ways = routes(folder)
    one, two = (told(capsys, *ways[name], *words, "--alpha", "2") for name in ("memory", "stream"))
    assert_same_fit(one, two)


def newcomers():
    """Rows with every gap and every level, one of them unheard of."""
    new = pd.DataFrame({"c": [*"abcdefg", None, "rest", "new"] * 2, "s": ["m", "w"] * 10})
    return new.assign(
        x=np.where(np.arange(20) % 4 == 1, np.nan, 5.5), z=np.where(np.arange(20) > 14, np.nan, 0.25)
    )


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("route", ["memory", "moments"])
def test_a_saved_model_predicts_what_the_pipeline_predicts_and_so_does_every_export(
    capsys, folder, case, route
):
    model, new = folder / "m.json", newcomers()
    words = [
        *map(str, routes(folder)[route][:-1]),
        *CASES[case][0],
        "--alpha",
        str(ALPHA),
        "-o",
        str(model),
        "-q",
    ]
    assert main(words) == 0
    new.to_csv(folder / "new.csv", index=False)
    found = np.array(told(capsys, "predict", model, folder / "new.csv", "--json")["prediction"])
    data, rows = table(), new.assign(c=new.c.astype(object).where(new.c.notna(), np.nan))
    theirs = pipeline(case).fit(data.drop(columns="y"), data.y).predict(rows)
    np.testing.assert_allclose(found, theirs, rtol=1e-10)
    for name, values in exported(capsys, model, new).items():
        np.testing.assert_allclose(values, found, rtol=1e-10, err_msg=name)


def exported(capsys, model, new):
    """Predictions by SQLite, Python, scikit-learn and ONNX for rows (x, z, c, s)."""
    for form in ("sql", "python", "sklearn", *(["onnx"] if find_spec("onnxruntime") else [])):
        assert main(["export", str(model), "--to", form, "--table", "t", "-o", str(model.parent / form)]) == 0
    capsys.readouterr()
    out = {}
    with sqlite3.connect(":memory:") as db:
        new.to_sql("t", db, index=False)
        out["sql"] = [value for (value,) in db.execute((model.parent / "sql").read_text())]
    space: dict = {}
    exec((model.parent / "python").read_text(), space)
    plain = new.astype(object).where(new.notna(), None).to_dict("records")
    out["python"] = [space["predict"](row) for row in plain]
    out["sklearn"] = pickle.loads((model.parent / "sklearn").read_bytes()).predict(new)
    if not find_spec("onnxruntime"):
        return out
    session = import_module("onnxruntime").InferenceSession(
        str(model.parent / "onnx"), providers=["CPUExecutionProvider"]
    )
    feeds = {n: new[[n]].to_numpy() for n in "xz"}
    feeds |= {n: new[[n]].fillna("").to_numpy(dtype=object) for n in "cs"}
    out["onnx"] = session.run(["prediction"], feeds)[0][:, 0]
    return out
