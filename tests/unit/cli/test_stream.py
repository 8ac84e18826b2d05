"""``elltwo fit`` in one pass gives the fit in memory: the same λ, folds, errors, coefficients; from any source."""

from __future__ import annotations

import gzip
import io
import json
import sys

import numpy as np
import pandas as pd
import pytest

from .running import run as run_words

SAME = 1e-9


def run(capsys, *words):
    """(exit code, stdout, stderr)."""
    ran = run_words(capsys, *words)
    return ran.code, ran.out, ran.err


def table(n=1200):
    rng = np.random.default_rng(0)
    out = pd.DataFrame(rng.standard_normal((n, 3)) + np.array([0, 5, -100]), columns=["a", "b", "c"])
    out["town"] = rng.choice(["Aachen", "Bonn", "Celle"], n)
    out["site"] = [f"s{v}" for v in rng.integers(0, 30, n)]
    out["w"] = rng.uniform(0.5, 2, n)
    out["y"] = 0.3 * out.a - 0.2 * out.b + (out.town == "Bonn") + rng.standard_normal(n)
    out["z"] = out.c + rng.standard_normal(n)
    out.loc[::17, "y"] = np.nan
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    at = tmp_path_factory.mktemp("stream")
    whole = table()
    whole.to_parquet(at / "t.parquet", row_group_size=250, index=False)
    whole.to_csv(at / "t.csv", index=False)
    (at / "t.csv.gz").write_bytes(gzip.compress((at / "t.csv").read_bytes()))
    for i in range(3):
        whole[400 * i : 400 * (i + 1)].to_csv(at / f"part{i}.csv", index=False)
    for town, rows in whole.groupby("town"):
        (at / "hive" / f"town={town}").mkdir(parents=True)
        rows.drop(columns="town").to_parquet(at / "hive" / f"town={town}" / "x.parquet", index=False)
    return at


def fitted(capsys, data, *options):
    code, out, err = run(capsys, "fit", str(data), "--rule", "kfold", "--json", *options)
    assert code == 0, err
    return json.loads(out)


def same(found, expected):
    """Equal in everything that both can know; λ to where the minimum of a curve of doubles lies."""
    assert [o["name"] for o in found["outputs"]] == [o["name"] for o in expected["outputs"]]
    for one, other in zip(found["outputs"], expected["outputs"], strict=True):
        assert one["alpha"] == pytest.approx(other["alpha"], rel=1e-7)
        for a, b in zip(one["coefficients"], other["coefficients"], strict=True):
            assert a[0] == b[0]
            np.testing.assert_allclose(a[1:], b[1:], rtol=1e-7, atol=1e-9)
    for name, score in expected["scores"].items():
        assert found["scores"][name] == pytest.approx(score, rel=SAME), name
    assert found["rows"] == expected["rows"]


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("t.parquet", ["--drop", "site"]),
        ("t.csv", ["--drop", "site", "--weights", "w"]),
        ("t.csv.gz", ["--drop", "site", "--ordered"]),
        ("part*.csv", ["--group", "site"]),
        ("hive", ["--drop", "site", "--seed", "3", "--folds", "4"]),
        ("t.csv", ["--fold-column", "site", "--folds", "30"]),
        ("t.parquet", ["--drop", "site", "-t", "z"]),
        ("t.parquet", ["--drop", "site", "--one-se", "--no-standardize"]),
        ("t.parquet", ["--drop", "site", "--folds", "2", "--one-se"]),
    ],
)
def test_the_stream_gives_the_fit_in_memory(capsys, folder, data, options):
    options = ["-t", "y", *options]
    stream = fitted(capsys, folder / data, "--stream", *options)
    same(stream, fitted(capsys, folder / data, "--no-stream", *options))
    assert stream["how"]["factorization"] == "moments"


def test_a_given_strength_gives_the_coefficients_in_memory_to_1e_10(capsys, folder):
    options = ["-t", "y", "--drop", "site", "--alpha", "3"]
    found, expected = (fitted(capsys, folder / "t.csv", how, *options) for how in ("--stream", "--no-stream"))
    for a, b in zip(found["outputs"][0]["coefficients"], expected["outputs"][0]["coefficients"], strict=True):
        np.testing.assert_allclose(a[1], b[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "how", [["--solver", "qr"], ["--threads", "3"], ["--solver", "qr", "--threads", "2"]]
)
def test_solvers_and_threads_give_the_same_fit(capsys, folder, how):
    options = ["-t", "y", "--drop", "site"]
    expected = fitted(capsys, folder / "t.parquet", "--stream", *options)
    found = fitted(capsys, folder / "t.parquet", *how, *options)
    if "qr" not in how:
        same(found, expected)
        return
    assert found["how"]["factorization"] == "triangles"
    assert found["strength"]["value"] == pytest.approx(expected["strength"]["value"], rel=1e-6)


def test_processes_give_the_same_fit_with_both_solvers(capsys, folder):
    pytest.importorskip("distributed")
    options = ["-t", "y", "--drop", "site", "--alpha", "0.5", "--workers", "2"]
    gram = fitted(capsys, folder / "t.parquet", *options)
    assert gram["outputs"] == fitted(capsys, folder / "t.parquet", "--stream", *options[:-2])["outputs"]
    qr = fitted(capsys, folder / "t.parquet", "--solver", "qr", *options)
    alone = fitted(capsys, folder / "t.parquet", "--solver", "qr", *options[:-2])
    assert qr["outputs"] == alone["outputs"]


@pytest.mark.parametrize("recipe", [(), ("--impute", "a=0")])
def test_standard_input_streams(capsys, folder, monkeypatch, recipe):
    for name in ("t.csv", "t.parquet"):
        piped = io.TextIOWrapper(io.BytesIO((folder / name).read_bytes()))
        monkeypatch.setattr(sys, "stdin", piped)
        found = fitted(capsys, "-", "--stream", "-t", "y", "--drop", "site", *recipe)
        same(found, fitted(capsys, folder / name, "--stream", "-t", "y", "--drop", "site", *recipe))


def test_model_and_report_of_a_stream_predict_as_any_other(capsys, folder, tmp_path):
    model, page, out = (tmp_path / name for name in ("m.json", "r.html", "p.csv"))
    code, said, err = run(capsys, "fit", str(folder / "t.parquet"), "--stream", "-t", "y", "--drop", "site",
                       "-o", str(model), "--report", str(page))  # fmt: skip
    assert code == 0
    assert "chosen by leave-one-out" in " ".join(said.split())
    assert "a second pass over 1,129 rows" in " ".join(err.split())
    assert "1,200 rows in 5 parts" in err
    assert "however many rows there are" in err.replace("\n  ", " ")
    assert max(len(line) for line in err.splitlines() if "/" not in line) <= 80
    assert "<html" in page.read_text(encoding="utf-8")
    assert run(capsys, "predict", str(model), str(folder / "t.csv"), "-o", str(out), "-q")[0] == 0
    from elltwo.scale.commands import fit_moments

    fit = fit_moments(folder / "t.parquet", "y", rule="auto", standardize=True, drop=["site"])
    np.testing.assert_allclose(pd.read_csv(out).prediction, fit.predict(folder / "t.csv")[:, 0], rtol=1e-9)


def test_moments_of_shards_give_the_fit_of_the_stream(capsys, folder, tmp_path):
    for i in (1, 2):
        code, _, err = run(capsys, "stats", str(folder / "t.parquet"), "-t", "y", "--drop", "site",
                           "--shard", f"{i}/2", "-o", str(tmp_path / f"{i}.moments"))  # fmt: skip
        assert code == 0, err
    merged = str(tmp_path / "all.moments")
    shards = [str(tmp_path / f"{i}.moments") for i in (2, 1)]
    assert run(capsys, "merge", *shards, "-o", merged)[0] == 0
    found = fitted(capsys, merged, "-t", "y")
    same(found, fitted(capsys, folder / "t.parquet", "--stream", "-t", "y", "--drop", "site"))
    code, _, err = run(capsys, "merge", shards[0], shards[0], "-o", merged)
    assert (code, "count its rows twice" in err) == (3, True)


def test_text_in_a_column_of_numbers_stops_or_begins_again_as_asked(capsys, tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{i % 7},{i * 37 % 101}" for i in range(60_000)]
    rows[40_001] = "oops,3"
    path.write_text("a,y\n" + "\n".join(rows) + "\n")
    code, _, err = run(capsys, "fit", str(path), "--stream", "-t", "y")
    assert code == 3
    said = " ".join(err.split())
    assert "line 40003: column 'a' has 'oops'" in said
    assert "--categorical a" in said
    for mode in ("--stream", "--no-stream"):
        found = fitted(capsys, path, mode, "-t", "y", "--on-error", "retype")
        assert "a=oops" in [c[0] for c in found["outputs"][0]["coefficients"]]
        assert any("'oops'" in note for note in found["notes"])
    out = tmp_path / "s.moments"
    assert run(capsys, "stats", str(path), "-t", "y", "--on-error", "retype", "-o", str(out))[0] == 0
    assert [p.name for p in tmp_path.glob("s.moments*")] == ["s.moments"]


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["--memory-limit", "1MB"], 2, "does not fit into 1 MB"),
        (["--memory-limit", "much"], 2, "write a size such as 4GB"),
        (["--no-stream", "--workers", "2"], 2, "leave out --no-stream"),
        (["--stream", "--task", "classify"], 2, "encode two classes as 0 and 1"),
        (["--threads", "0", "--stream"], 2, "give 1 or more"),
        (["--stream", "--rule", "loo2"], 2, "unknown rule"),
        (["--stream", "--rule", "lcurve", "--drop", "nothing"], 3, "nothing"),
    ],
)
def test_what_a_stream_cannot_do_is_said_in_a_sentence(capsys, folder, options, code, why):
    found, _, err = run(capsys, "fit", str(folder / "t.parquet"), "-t", "y", *options)
    assert why in " ".join(err.split())
    assert found == code
    assert "Traceback" not in err


def test_a_table_larger_than_half_the_free_memory_is_streamed_unasked(capsys, folder, monkeypatch):
    from elltwo.scale.jobs import arithmetic

    size = arithmetic.in_memory(_files(folder / "t.parquet"))
    assert size == 3 * 8 * 1200 * 8
    free = 100 * 10**6
    monkeypatch.setattr(arithmetic, "TABLE_COPIES", free / (1.9 * size / 3))
    monkeypatch.setattr(arithmetic, "free_memory", lambda: free)
    assert (
        fitted(capsys, folder / "t.parquet", "-t", "y", "--drop", "site")["how"]["factorization"] == "moments"
    )


def _files(path):
    from elltwo.tables.files import list_files

    return list_files(str(path))


def test_the_progress_line_fits_a_terminal_and_says_what_is_left():
    from elltwo.cli.watching import line
    from elltwo.scale.passes.passing import Progress

    known = line(Progress(1_250_000_000, 5_000_000_000, 1000.0))
    assert known == "[####------------]  25%  1,250,000,000 rows, 1,250,000 a second, 3000 s left"
    assert len(known) <= 80
    assert line(Progress(10, None, 2.0)) == "10 rows, 5 a second"


def test_leave_one_out_in_a_stream_is_that_of_memory_and_is_announced(capsys, folder):
    words = ["fit", str(folder / "t.csv"), "-t", "y", "--drop", "site", "--weights", "w", "--rule", "loo"]
    told, there = (json.loads(run(capsys, *words, how, "--json")[1]) for how in ("--stream", "--no-stream"))
    assert told["rule"] == there["rule"] == "loo"
    assert told["strength"]["value"] == pytest.approx(there["strength"]["value"], rel=SAME)
    for a, b in zip(told["outputs"][0]["coefficients"], there["outputs"][0]["coefficients"], strict=True):
        assert a[1] == pytest.approx(b[1], rel=SAME)
    assert told["scores"] == pytest.approx(there["scores"], rel=SAME)
    del there["choices"]["ncp"]  # a periodogram of all rows at once
    assert told["choices"] == pytest.approx(there["choices"], rel=1e-6)
    code, _, err = run(capsys, *words, "--stream")
    assert code == 0
    assert "a second pass over 1,129 rows for leave-one-out: about 1 s" in " ".join(err.split())
    assert "second pass" not in run(capsys, *words[:-1], "kfold", "--stream")[2]


@pytest.mark.parametrize(("most", "rule"), [(2_000_000, "loo"), (3_000, "kfold")])
def test_what_decides_by_default_depends_on_the_size_of_the_table_and_not_on_where_it_is(
    capsys, monkeypatch, folder, most, rule
):
    monkeypatch.setattr("elltwo.selecting.nested.FEW", most)
    words = ["fit", str(folder / "t.parquet"), "-t", "y", "--drop", "site", "--json"]
    told, there = (json.loads(run(capsys, *words, how)[1]) for how in ("--stream", "--no-stream"))
    assert told["rule"] == there["rule"] == rule
    assert told["strength"]["value"] == pytest.approx(there["strength"]["value"], rel=SAME)
    assert told["scores"] == pytest.approx(there["scores"], rel=SAME)


def test_a_second_pass_finds_the_rows_that_memory_finds(capsys, tmp_path):
    rows = table(800).drop(columns=["site", "z", "w"]).assign(d=lambda t: np.r_[0.0, 900.0, np.zeros(798)])
    rows.loc[42, "y"] = 60.0
    rows.to_csv(tmp_path / "t.csv", index=False)
    words = ["fit", str(tmp_path / "t.csv"), "-t", "y", "--rule", "kfold", "--alpha", "0.01", "--json"]
    looked = json.loads(run(capsys, *words, "--second-pass")[1])
    there = json.loads(run(capsys, *words, "--no-stream")[1])

    def about_rows(told):
        return [f["sentence"] for f in told["findings"] if f["code"] in ("high-leverage", "far-rows")]

    assert about_rows(looked) == about_rows(there)
    assert len(about_rows(looked)) == 2
    assert looked["rows_looked_at"]["largest_leverages"][0]["row"] == 2
    assert looked["rows_looked_at"]["largest_errors"][0]["row"] == 43


@pytest.mark.parametrize("option", [["--rule", "loo"], ["--second-pass"], ["--solver", "qr"]])
def test_moments_refuse_what_needs_rows(capsys, folder, tmp_path, option):
    assert run(capsys, "stats", str(folder / "t.csv"), "-t", "y", "-o", str(tmp_path / "a.moments"))[0] == 0
    code, _, err = run(capsys, "fit", str(tmp_path / "a.moments"), "-t", "y", *option)
    assert code == 2
    assert "moments keep none" in " ".join(err.split())
