"""Prediction uses the training table's plan, whatever the new table looks like; exports agree with it."""

from __future__ import annotations

import json
import shutil
import sqlite3

import numpy as np
import pytest

from elltwo.cli.main import main

from .running import DATA, run, spawn

TRAIN = "size,town,old,price\n" + "".join(
    f"{50 + 3 * i},{['Bern', 'Basel', 'Genf'][i % 3]},{['true', 'false'][i % 2]},{100 + 9 * i + 20 * (i % 3) + i % 5}\n"
    for i in range(30)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "train.csv").write_text(TRAIN)
    words = [
        "fit",
        folder / "train.csv",
        "-t",
        "price",
        "-o",
        folder / "m.json",
        "--report",
        folder / "r.html",
        "-q",
    ]
    assert main([str(w) for w in words]) == 0
    return folder


@pytest.fixture
def model(made, tmp_path):
    """A fitted model with its report, in a folder of its own."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "m.json"


def predicted(capsys, model, text, *words):
    path = model.parent / "new.csv"
    path.write_text(text)
    ran = run(capsys, "predict", model, path, *words)
    assert ran.code == 0, ran.err
    return [float(line.split(",")[-1]) for line in ran.out.splitlines()[1:]], ran


def by_hand(model, rows):
    data = json.loads(model.read_text())
    coef = {row[0]: row[1] for row in data["outputs"][0]["coefficients"]}
    total = []
    for row in rows:
        value = data["outputs"][0]["intercept"]
        for name, c in coef.items():
            column, _, level = name.partition("=")
            value += c * (
                float(row[column] == level)
                if level
                else float({"true": 1, "false": 0}.get(row[column], row[column]))
            )
        total.append(value)
    return total


def test_predictions_are_intercept_plus_coefficients_times_features(capsys, model):
    rows = [{"size": "70", "town": "Bern", "old": "false"}, {"size": "90.5", "town": "Genf", "old": "true"}]
    text = "size,town,old\n" + "".join(",".join(r.values()) + "\n" for r in rows)
    found, _ = predicted(capsys, model, text)
    np.testing.assert_allclose(found, by_hand(model, rows), rtol=1e-12)


def test_columns_may_come_in_any_order_with_others_among_them(capsys, model):
    plain, _ = predicted(capsys, model, "size,town,old\n70,Bern,false\n")
    other, _ = predicted(capsys, model, "note,old,town,price,size\nhello,false,Bern,,70\n")
    assert plain == other


def test_an_unseen_level_is_said_and_predicted(capsys, model):
    found, ran = predicted(capsys, model, "size,town,old\n70,Atlantis,false\n")
    assert np.isfinite(found).all()
    assert "Atlantis" in ran.err
    assert ran.err.startswith("note: ")


def test_a_gap_where_training_had_none_is_said_and_predicted(capsys, model):
    found, ran = predicted(capsys, model, "size,town,old\nNA,Bern,false\n")
    assert np.isfinite(found).all()
    assert "training mean" in ran.err


def test_a_missing_column_and_a_wrong_type_are_errors_that_name_it(capsys, model):
    for text, word in (("town,old\nBern,false\n", "'size'"), ("size,town,old\nlarge,Bern,false\n", "large")):
        (model.parent / "new.csv").write_text(text)
        ran = run(capsys, "predict", model, model.parent / "new.csv", "-o", model.parent / "p.csv")
        assert ran.code == 3
        assert word in ran.err
        assert not (model.parent / "p.csv").exists()


def test_columns_are_carried_along_and_parquet_holds_the_same(capsys, model):
    import pyarrow.parquet as pq

    text = "id,size,town,old\nx1,70,Bern,false\nx2,75,Basel,true\n"
    found, ran = predicted(capsys, model, text, "--keep", "id")
    assert ran.out.splitlines()[0] == "id,prediction"
    assert ran.out.splitlines()[1].startswith("x1,")
    ran = run(
        capsys, "predict", model, model.parent / "new.csv", "--keep", "id", "-o", model.parent / "p.parquet"
    )
    assert ran.code == 0
    table = pq.read_table(model.parent / "p.parquet").to_pydict()
    assert table == {"id": ["x1", "x2"], "prediction": found}
    ran = run(capsys, "predict", model, model.parent / "new.csv", "--keep", "nope")
    assert ran.code == 3
    assert "'nope'" in ran.err


def test_json_and_files_and_streams_hold_the_same_numbers(capsys, model):
    found, _ = predicted(capsys, model, "size,town,old\n70,Bern,false\n75,Basel,true\n")
    ran = run(capsys, "predict", model, model.parent / "new.csv", "--json")
    assert json.loads(ran.out) == {"prediction": found}
    run(capsys, "predict", model, model.parent / "new.csv", "-o", model.parent / "p.csv")
    assert [float(v) for v in (model.parent / "p.csv").read_text().splitlines()[1:]] == found
    ran = spawn("predict", model, "-", "-q", stdin=(model.parent / "new.csv").read_text())
    assert [float(v) for v in ran.out.splitlines()[1:]] == found


def test_every_export_predicts_what_predict_predicts(capsys, model):
    """A table that is read back by each form on its own: SQLite, Python, ONNX, scikit-learn."""
    text = "size,town,old\n70,Bern,false\n75,Basel,true\n81.25,Genf,false\n60,Atlantis,true\n"
    found, _ = predicted(capsys, model, text)
    rows = [line.split(",") for line in text.splitlines()[1:]]

    ran = run(capsys, "export", model, "--to", "sql", "--table", "homes")
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE homes (size REAL, town TEXT, old INTEGER)")
    db.executemany("INSERT INTO homes VALUES (?, ?, ?)", [(float(a), b, c == "true") for a, b, c in rows])
    np.testing.assert_allclose([v for (v,) in db.execute(ran.out)], found, rtol=1e-12)
    db.close()

    ran = run(capsys, "export", model, "--to", "python", "-o", model.parent / "m.py")
    space: dict = {}
    exec((model.parent / "m.py").read_text(), space)
    dicts = [dict(zip(("size", "town", "old"), row, strict=True)) for row in rows]
    np.testing.assert_allclose([space["predict"](d) for d in dicts], found, rtol=1e-12)

    runtime = pytest.importorskip("onnxruntime")
    ran = run(capsys, "export", model, "--to", "onnx", "-o", model.parent / "m.onnx")
    assert ran.code == 0, ran.err
    session = runtime.InferenceSession(str(model.parent / "m.onnx"), providers=["CPUExecutionProvider"])
    feeds = {
        "size": np.array([[float(r[0])] for r in rows]),
        "town": np.array([[r[1]] for r in rows], dtype=object),
        "old": np.array([[float(r[2] == "true")] for r in rows]),
    }
    np.testing.assert_allclose(session.run(["prediction"], feeds)[0][:, 0], found, rtol=1e-12)

    pd = pytest.importorskip("pandas")
    import pickle

    run(capsys, "export", model, "--to", "sklearn", "-o", model.parent / "m.pickle")
    pipeline = pickle.loads((model.parent / "m.pickle").read_bytes())
    frame = pd.DataFrame({"size": [float(r[0]) for r in rows], "town": [r[1] for r in rows],
                          "old": [float(r[2] == "true") for r in rows]})  # fmt: skip
    np.testing.assert_allclose(pipeline.predict(frame), found, rtol=1e-12)


def test_a_binary_export_needs_a_place(capsys, model):
    ran = run(capsys, "export", model, "--to", "onnx")
    assert ran.code == 2
    assert "-o" in ran.err


def test_the_report_of_a_saved_model_is_the_one_that_fit_writes(capsys, model):
    ran = run(capsys, "report", model, "-o", model.parent / "again.html")
    assert ran.code == 0, ran.err
    assert (model.parent / "again.html").read_bytes() == (model.parent / "r.html").read_bytes()
    ran = run(capsys, "report", model, "--json")
    assert json.loads(ran.out)


def test_a_model_predicts_in_another_process_what_it_predicted_here(capsys, model):
    found, _ = predicted(capsys, model, TRAIN)
    ran = spawn("predict", model, model.parent / "new.csv", "-q")
    assert [float(v) for v in ran.out.splitlines()[1:]] == found


def test_explain_decides_without_fitting(capsys, tmp_path):
    ran = run(capsys, "explain", DATA / "fermentation.csv", "-t", "glucose", "--json")
    said = json.loads(ran.out)
    assert said["factorization"] in ("svd", "dual")
    assert (said["rows"], said["rule"]) == (21, "loo")
    ran = run(capsys, "explain", DATA / "hitters.csv", "-t", "Salary", "--alpha", "3")
    assert "given" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def _texts(data, change):
    """The same JSON data with every text changed."""
    if isinstance(data, dict):
        return {k: _texts(v, change) for k, v in data.items()}
    if isinstance(data, list):
        return [_texts(v, change) for v in data]
    return change(data) if isinstance(data, str) else data


def test_a_model_from_a_stranger_cannot_put_a_script_into_the_report(capsys, model):
    data = json.loads(model.read_text())
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    data["report"]["target"] = evil
    data["report"] = {k: _texts(v, lambda t: t + evil if " " in t else t) for k, v in data["report"].items()}
    model.write_text(json.dumps(data))
    ran = run(capsys, "report", model, "-o", model.parent / "evil.html")
    if ran.code == 0:
        page = (model.parent / "evil.html").read_text()
        assert "<script>alert(1)" not in page
        assert "<img src=x" not in page
    else:
        assert ran.code == 3


def test_a_damaged_report_is_said_and_leaves_no_page(capsys, model):
    data = json.loads(model.read_text())
    for key in list(data["report"])[::5]:  # a page takes a second
        spoiled = {**data, "report": {k: v for k, v in data["report"].items() if k != key}}
        model.write_text(json.dumps(spoiled))
        ran = run(capsys, "report", model, "-o", model.parent / "again.html")
        assert ran.code in (0, 3), ran.err
        assert "defect" not in ran.err
        assert ran.code == 0 or not (model.parent / "again.html").exists()
        (model.parent / "again.html").unlink(missing_ok=True)
