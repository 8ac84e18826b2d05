"""Every export predicts what the coefficients say, on every kind of value; the file restores every bit."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import DataError, OutputError, UsageError
from elltwo.facts.finding import Finding
from elltwo.facts.model import FittedModel, FittedOutput
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.facts.strength import Strength
from elltwo.reporting.export import load_model, save_model
from elltwo.reporting.export.onnx_graph import to_onnx
from elltwo.reporting.export.python_source import to_python
from elltwo.reporting.export.scikit import to_sklearn
from elltwo.reporting.export.sql import to_sql
from elltwo.tables.missing import SPELLINGS

RNG = np.random.default_rng(5)
COLUMNS = (
    ColumnPlan("age", "number", impute=(41.5,)),
    ColumnPlan('odd "name"', "number", missing=True, impute=(-1e6 / 3,)),
    ColumnPlan("smoker", "boolean", missing=True, impute=(0.25,)),
    ColumnPlan(
        "town", "category", levels=("Bern", "it's", "Zürich"), reference="Bern", other=True, missing=True
    ),
    ColumnPlan("grade", "category", levels=("a", "b")),
)
DATE = ColumnPlan("when", "date", parts=("days", "year", "month", "day", "weekday", "hour"), missing=True,
                  impute=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0))  # fmt: skip
ROWS = [
    {
        "age": 30.0,
        'odd "name"': 2.5,
        "smoker": True,
        "town": "Bern",
        "grade": "a",
        "when": "2024-02-29T06:30:00",
    },
    {"age": None, 'odd "name"': None, "smoker": None, "town": None, "grade": None, "when": None},
    {"age": -1e9, 'odd "name"': 1e-9, "smoker": False, "town": "it's", "grade": "b", "when": "1969-12-31"},
    {"age": 0.1, 'odd "name"': 7.0, "smoker": True, "town": "Atlantis", "grade": "zz", "when": "2000-01-01"},
    {"age": 55.0, 'odd "name"': 0.0, "smoker": False, "town": "Zürich", "grade": "a", "when": "2030-07-04"},
]


def make(columns=COLUMNS, outputs=1, classes=()):
    if classes:
        target = ColumnPlan("y", "category", levels=classes)
    else:
        target = ColumnPlan("y", "number")
    plan = TablePlan(columns, (target,), task="classify" if classes else "regress", na=SPELLINGS)
    p = len(plan.feature_names)
    many = [tuple(RNG.normal(size=p).tolist()) for _ in range(outputs)]
    outs = tuple(
        FittedOutput(
            f"y{i}", float(RNG.normal()), coef, coef, coef, coef, coef, math.inf if i else 0.1, 3.7, 0.2
        )
        for i, coef in enumerate(many)
    )
    return FittedModel(
        plan, outs, tuple(RNG.normal(size=p).tolist()), (1.0,) * p, True, Strength(0.1, columns="standardized"), "loo",
        {"rmse": 1 / 3}, {"gcv": math.inf}, (Finding("edge", "warning", 1.0, None, "s", "r"),), {"method": "svd"},
        17, "0.1.0",
    )  # fmt: skip


def design(model, row):
    """The features of one row, spelled out feature by feature from the plan's own documentation."""
    out = {}
    for c in model.plan.used:
        value = row[c.name]
        if c.kind == "category":
            known = value in c.levels
            for level in c.shown_levels:
                out[f"{c.name}={level}"] = float(value == level)
            if c.other:
                out[f"{c.name}=(other)"] = float(value is not None and not known)
        elif c.kind == "date":
            t = datetime.fromisoformat(value).replace(tzinfo=UTC) if value else None
            parts = (
                (t.timestamp() / 86400, t.year, t.month, t.day, t.weekday(), t.hour + t.minute / 60)
                if t
                else c.impute
            )
            out |= dict(zip(c.numbers, parts, strict=True))
        else:
            out[c.name] = c.impute[0] if value is None else float(value)
        if c.missing:
            out[f"{c.name} missing"] = float(value is None)
    return np.array([out[name] for name in model.features])


def truth(model):
    return np.array(
        [[o.intercept + design(model, row) @ np.array(o.coef) for o in model.outputs] for row in ROWS]
    )


def close(found, wanted):
    scale = np.abs(wanted).max(axis=0)
    np.testing.assert_allclose(np.asarray(found, dtype=float) / scale, wanted / scale, rtol=0, atol=1e-12)


def run_python(model):
    space: dict = {}
    exec(compile(to_python(model), "exported", "exec"), space)
    return space


@pytest.mark.parametrize("columns", [COLUMNS, (*COLUMNS, DATE), (DATE,), COLUMNS[3:]])
def test_plain_python_predicts_what_the_coefficients_say(columns):
    model = make(columns)
    predict = run_python(model)["predict"]
    close([[predict(row)] for row in ROWS], truth(model))


def test_plain_python_reads_text_as_it_stands_in_a_csv_file():
    model = make()
    predict = run_python(model)["predict"]
    row = {"age": "30", 'odd "name"': "2.5", "smoker": "True", "town": "Bern", "grade": "NA"}
    assert predict(row) == predict({**ROWS[0], "grade": None})


@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS[3:], COLUMNS[:1]])
def test_sql_predicts_what_the_coefficients_say(columns):
    model = make(columns)
    names = [c.name for c in columns]
    quoted = ", ".join('"' + n.replace('"', '""') + '"' for n in names)
    db = sqlite3.connect(":memory:")
    db.execute(f"CREATE TABLE data ({quoted})")
    db.executemany(
        f"INSERT INTO data VALUES ({','.join('?' * len(names))})", [[row[n] for n in names] for row in ROWS]
    )
    close(db.execute(to_sql(model)).fetchall(), truth(model))
    db.close()


def test_sql_spells_dates_for_postgres_and_duckdb():
    assert 'EXTRACT(ISODOW FROM "when") - 1' in to_sql(make((*COLUMNS, DATE)))


def onnx_inputs(model, rows):
    feeds = {}
    for c in model.plan.used:
        values = [row[c.name] for row in rows]
        if c.kind == "category":
            feeds[c.name] = np.array([[v or ""] for v in values], dtype=object)
        elif c.kind == "date":
            for name in c.numbers:
                at = model.features.index(name)
                column = [
                    np.nan if v is None else design(model, row)[at]
                    for v, row in zip(values, rows, strict=True)
                ]
                feeds[name] = np.array(column)[:, None]
        else:
            feeds[c.name] = np.array([[np.nan if v is None else float(v)] for v in values])
    return feeds


def run_onnx(model, rows=ROWS):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(to_onnx(model), options, providers=["CPUExecutionProvider"])
    return session.run(None, onnx_inputs(model, rows))


@pytest.mark.parametrize("columns", [COLUMNS, (*COLUMNS, DATE), COLUMNS[3:], COLUMNS[:1], (DATE,)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_onnx_predicts_what_the_coefficients_say(columns, outputs):
    model = make(columns, outputs)
    close(run_onnx(model)[0], truth(model))


@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS[3:], COLUMNS[:1]])
@pytest.mark.parametrize("outputs", [1, 2])
def test_scikit_learn_predicts_what_the_coefficients_say(columns, outputs):
    pd = pytest.importorskip("pandas")
    model = make(columns, outputs)
    frame = pd.DataFrame(ROWS)[[c.name for c in columns]]
    for c in columns:
        if c.kind == "boolean":
            frame[c.name] = frame[c.name].astype("float64")
    close(to_sklearn(model).predict(frame).reshape(len(ROWS), -1), truth(model))


def test_scikit_learn_refuses_dates_in_words():
    with pytest.raises(UsageError, match="date columns"):
        to_sklearn(make((DATE,)))


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c's")])
def test_classes_come_out_by_name_everywhere(classes):
    pd = pytest.importorskip("pandas")
    model = make(COLUMNS, 1 if len(classes) == 2 else 3, classes)
    scores = truth(model)
    index = (scores[:, 0] > 0).astype(int) if len(classes) == 2 else scores.argmax(axis=1)
    wanted = [classes[i] for i in index]
    space = run_python(model)
    assert [space["predict"](row) for row in ROWS] == wanted
    assert run_onnx(model)[1].tolist() == wanted
    frame = pd.DataFrame(ROWS)
    frame["smoker"] = frame["smoker"].astype("float64")
    assert to_sklearn(model).predict(frame).tolist() == wanted
    names = [c.name for c in COLUMNS]
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE data (" + ", ".join('"' + n.replace('"', '""') + '"' for n in names) + ")")
    db.executemany("INSERT INTO data VALUES (?,?,?,?,?)", [[row[n] for n in names] for row in ROWS])
    assert [row[-1] for row in db.execute(to_sql(model))] == wanted
    db.close()


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=1))
@settings(max_examples=50, deadline=None)
def test_the_file_restores_every_float(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("model") / "m.json"
    model = make(COLUMNS[:1])
    out = replace(model.outputs[0], coef=(numbers[0],), intercept=numbers[0])
    model = replace(model, outputs=(out,), means=(numbers[0],))
    save_model(model, path)
    assert load_model(path) == model
    assert math.copysign(1, load_model(path).outputs[0].intercept) == math.copysign(1, numbers[0])


def test_a_model_with_everything_in_it_returns_as_it_was(tmp_path):
    model = replace(make((*COLUMNS, DATE), 2), report={"curves": [1.5, None, "x"], "nested": {"a": True}})
    save_model(model, tmp_path / "m.json")
    assert load_model(tmp_path / "m.json") == model
    text = (tmp_path / "m.json").read_text()
    assert max(map(len, text.splitlines())) < 400, "a person should be able to read it"


def _spoil(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


SPOILED = {
    "unknown field": lambda d: d.update(evil=1),
    "lacks the field": lambda d: d.pop("rule"),
    "format": lambda d: d.update(format="pickle"),
    "schema": lambda d: d.update(schema=99),
    "whole number": lambda d: d.update(rows=-1),
    "should be a number": lambda d: d["outputs"][0].update(intercept="1; DROP TABLE"),
    "is not finite": lambda d: d["outputs"][0].update(intercept="nan"),
    "rows for": lambda d: d["features"].pop(),
    "should have the row": lambda d: d["features"][0].__setitem__(0, "someone else"),
    "true or false": lambda d: d.update(standardize=1),
    "severity": lambda d: d["findings"][0].update(severity="fatal"),
    "column plan": lambda d: d["plan"].update(task="rule the world"),
    "too large": lambda d: d["outputs"][0].update(intercept=10**400),
    "at most 20,000": lambda d: d.update(rule="x" * 30_000),
}


@pytest.mark.parametrize("words", SPOILED)
def test_a_spoiled_file_is_refused_in_words(tmp_path, words):
    path = tmp_path / "m.json"
    save_model(make(), path)
    _spoil(path, SPOILED[words])
    with pytest.raises(DataError, match=words):
        load_model(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x80\x04\x95cposix\nsystem", "not UTF-8"),
        (b"{", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"[" * 100_000, "nested too deeply|not valid JSON"),
        (b"[]", "object with named fields"),
        (b'{"format": NaN}', "no number for"),
        (b'{"rows": 1, "rows": 2}', "twice"),
        (b'{"rows": ' + b"1" * 10_000 + b"}", "not valid JSON"),
    ],
)
def test_what_is_no_model_is_refused_in_words(tmp_path, content, words):
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(DataError, match=words):
        load_model(tmp_path / "m.json")


def test_a_file_past_the_size_cap_is_not_parsed(tmp_path, monkeypatch):
    from elltwo.reporting.export import json_file

    monkeypatch.setattr(json_file, "MAX_BYTES", 1000)
    save_model(make(), tmp_path / "m.json")
    with pytest.raises(DataError, match="larger than"):
        load_model(tmp_path / "m.json")


def test_an_unwritable_place_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"):
        save_model(make(), tmp_path / "nowhere" / "m.json")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_contradicts_itself_cannot_be_made():
    model = make()
    with pytest.raises(DataError, match="coef"):
        replace(model, outputs=(replace(model.outputs[0], coef=(1.0,)),))
    with pytest.raises(DataError, match="no outputs"):
        replace(model, outputs=())
    with pytest.raises(DataError, match="classes"):
        make(COLUMNS, 2, ("a", "b"))
