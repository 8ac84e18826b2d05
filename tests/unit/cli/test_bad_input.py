"""Bad input of every kind: one clear sentence, a documented exit code, never a half-written file."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from .running import CLEAN, DATA, run, spawn

GOOD = "a,b,y\n" + "".join(f"{i},{(i * 7) % 5},{i * 2 + (i * 7) % 5 + (i % 3) * 0.1}\n" for i in range(20))


def lines(change):
    rows = GOOD.splitlines()
    change(rows)
    return "\n".join(rows) + "\n"


def put_in(row, text):
    return lines(lambda rows: rows.__setitem__(row, text))


# name: (file content, extra words, exit code, words that the sentence holds)
BAD = {
    "inf": (put_in(3, "inf,1,2"), [], 3, ["'a'", "inf"]),
    "text among numbers": (put_in(3, "abc,1,2"), [], 3, ["'a'", "abc", "--categorical"]),
    "empty file": ("", [], 3, ["empty"]),
    "header alone": ("a,b,y\n", [], 3, ["row"]),
    "one row": ("a,b,y\n1,2,3\n", [], 3, []),
    "constant target": (
        GOOD.replace("y\n", "y\n").split("\n")[0] + "\n" + "1,2,5\n2,3,5\n3,1,5\n4,4,5\n",
        [],
        3,
        ["'y'", "nothing to predict"],
    ),
    "duplicated names": ("a,a,y\n1,2,3\n2,3,4\n4,4,9\n", [], 3, ["two columns named 'a'"]),
    "target absent": (GOOD, ["-t", "z"], 3, ["'z'", "column"]),
    "target not numeric": (
        lines(lambda r: r.__setitem__(slice(1, None), [f"1,{i},w{i % 2}" for i in range(9)])),
        [],
        3,
        ["'y'"],
    ),
    "all targets missing": ("a,b,y\n" + "1,2,\n2,3,NA\n3,4,\n", [], 3, ["'y'"]),
    "all features constant": ("a,b,y\n" + "".join(f"1,2,{i}\n" for i in range(9)), [], 3, ["column"]),
    "negative weights": (GOOD, ["--weights", "w"], 3, ["'w'"]),
    "overflow": (put_in(3, "1e308,1,2").replace("4,3,", "-1e308,3,"), [], 3, ["a"]),
    "target too small to square": (
        GOOD.replace("\n", "e-300\n").replace("ye-300", "y", 1),
        [],
        3,
        ["'y'", "power of ten"],
    ),
    "ragged row": (put_in(3, "1,2,3,4,5"), [], 3, []),
    "no target said": (GOOD, None, 2, ["--target"]),
    "negative strength": (GOOD, ["--alpha", "-1"], 2, ["-1"]),
    "strength not a number": (GOOD, ["--alpha", "nan"], 2, ["nan"]),
    "unknown rule": (GOOD, ["--rule", "guess"], 2, ["guess", "loo"]),
    "one fold": (GOOD, ["--folds", "1"], 2, ["--folds"]),
    "unknown date use": (GOOD, ["--date", "a=when"], 2, ["ordinal"]),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_tables_and_wishes_are_refused_in_words(what, capsys, tmp_path):
    content, words, code, said = BAD[what]
    if what == "negative weights":
        content = "a,b,w,y\n" + "".join(f"{i},{i % 3},{-1 if i == 4 else 1},{i}\n" for i in range(9))
    path, out, page = tmp_path / "bad.csv", tmp_path / "m.json", tmp_path / "r.html"
    path.write_text(content)
    target = [] if words is None or "-t" in (words or []) else ["-t", "y"]
    ran = run(capsys, "fit", path, *target, *(words or []), "-o", out, "--report", page, "-q")
    assert ran.code == code, ran.err + ran.out
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert "defect" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    for word in said:
        assert word in ran.err, ran.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.csv"]


def test_a_wrong_value_is_named_with_file_line_column_value_and_flag(capsys, tmp_path):
    (tmp_path / "bad.csv").write_text(put_in(3, "abc,1,2"))
    ran = run(capsys, "fit", tmp_path / "bad.csv", "-t", "y", "-q")
    for word in ("bad.csv", "4", "'a'", "abc", "--categorical"):
        assert word in ran.err, ran.err


WORKS = {
    "missing values": (put_in(3, "NA,1,2"), []),
    "a constant column": (GOOD.replace("a,b,y", "a,b,y"), []),
    "more columns than rows": (
        ",".join([*(f"x{j}" for j in range(30)), "y"])
        + "\n"
        + "".join(
            ",".join(repr(float(v)) for v in row) + "\n"
            for row in np.random.default_rng(0).normal(size=(8, 31))
        ),
        [],
    ),
    "a huge strength": (GOOD, ["--alpha", "1e300"]),
    "an infinite strength": (GOOD, ["--alpha", "inf"]),
    "no strength": (GOOD, ["--alpha", "0"]),
    "semicolons": (GOOD.replace(",", ";"), []),
    "small scale": (GOOD.replace("\n", "e-100\n").replace("ye-100", "y", 1), []),
    "a byte order mark": ("\ufeff" + GOOD, []),
    "windows lines": (GOOD.replace("\n", "\r\n"), []),
}


@pytest.mark.parametrize("what", WORKS)
def test_odd_tables_work(what, capsys, tmp_path):
    content, words = WORKS[what]
    (tmp_path / "t.csv").write_bytes(content.encode("utf-8"))
    ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "y", *words, "-o", tmp_path / "m.json")
    assert ran.code == 0, ran.err
    assert max(map(len, ran.out.splitlines())) <= 80
    ran = run(capsys, "predict", tmp_path / "m.json", tmp_path / "t.csv", "-q")
    assert ran.code == 0, ran.err
    assert np.isfinite([float(line) for line in ran.out.splitlines()[1:]]).all()


def test_gzip_parquet_and_feather_hold_the_same_table(capsys, tmp_path):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.feather
    import pyarrow.parquet

    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
    (tmp_path / "t.csv").write_text(GOOD)
    table = pa.csv.read_csv(tmp_path / "t.csv")
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    pa.feather.write_feather(table, tmp_path / "t.feather")
    said = [
        run(capsys, "fit", tmp_path / f"t.{kind}", "-t", "y", "-q")
        for kind in ("csv", "csv.gz", "parquet", "feather")
    ]
    assert {r.code for r in said} == {0}
    assert len({r.out for r in said}) == 1


@pytest.mark.parametrize("kind", ["parquet", "csv.gz"])
def test_a_truncated_file_is_said_to_be_damaged(kind, capsys, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        pa.parquet.write_table(pa.table({"x": list(range(1000)), "y": list(range(1000))}), path)
    else:
        path.write_bytes(gzip.compress(GOOD.encode() * 50))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ran = run(capsys, "fit", path, "-t", "y", "-q")
    assert ran.code == 3
    assert "t." + kind in ran.err
    assert len(ran.err.splitlines()) == 1


def test_another_encoding_is_named_and_can_be_declared(capsys, tmp_path):
    content = GOOD.replace("a,b,y", "Größe,b,y").encode("latin-1")
    (tmp_path / "t.csv").write_bytes(content)
    ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "y", "-q")
    assert ran.code == 3
    assert "--encoding" in ran.err
    ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "y", "--encoding", "latin-1")
    assert ran.code == 0, ran.err
    assert "Größe" in ran.err


def test_a_missing_file_gets_a_near_name(capsys, tmp_path):
    (tmp_path / "houses.csv").write_text(GOOD)
    ran = run(capsys, "fit", tmp_path / "house.csv", "-t", "y")
    assert ran.code == 3
    assert "houses.csv" in ran.err


@pytest.mark.parametrize("flag", ["-o", "--report"])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(flag, capsys, tmp_path):
    ran = run(capsys, "fit", DATA / "hald.csv", "-t", "y", flag, tmp_path / "nowhere" / "x.html")
    assert ran.code == 2
    assert "does not exist" in ran.err
    assert ran.out == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("flag", ["-o", "--report"])
def test_a_full_disk_is_a_sentence_and_exit_code_1(flag, capsys):
    ran = run(capsys, "fit", DATA / "hald.csv", "-t", "y", flag, "/dev/full", "-q")
    assert ran.code == 1
    assert "disk is full" in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence_too():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "elltwo.cli", "fit", str(DATA / "hald.csv"), "-t", "y", "-q"],
            stdout=full, stderr=subprocess.PIPE, text=True, env=CLEAN, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert "disk is full" in done.stderr


def test_a_reader_that_leaves_early_is_no_error_worth_a_word():
    done = subprocess.run(
        f"{sys.executable} -m elltwo.cli demo --list | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        env=CLEAN,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("longley")


def test_interrupting_is_exit_code_130_and_leaves_no_file(tmp_path):
    """A pipe that never ends keeps the program reading until it is interrupted."""
    program = subprocess.Popen(
        [sys.executable, "-m", "elltwo.cli", "fit", "-", "-t", "y", "-o", str(tmp_path / "m.json")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN,
    )  # fmt: skip
    assert program.stdin is not None
    program.stdin.write(GOOD)
    program.stdin.flush()
    time.sleep(2.0)  # until it sits in the read; an earlier signal is as good, Python is up by then
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    assert program.returncode == 130, err
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_not_enough_memory_is_a_sentence(capsys, monkeypatch):
    from elltwo.cli.commands import demo

    def greedy(as_json):
        raise MemoryError

    monkeypatch.setattr(demo, "_list", greedy)
    ran = run(capsys, "demo", "--list")
    assert ran.code == 1
    assert "not enough memory" in ran.err


def test_an_unreadable_model_is_exit_code_3(capsys, tmp_path):
    (tmp_path / "m.json").write_text("{}")
    model = tmp_path / "m.json"
    asked = [["predict", model, DATA / "hald.csv"], ["report", model], ["export", model, "--to", "sql"]]
    for words in [*asked, ["predict", tmp_path / "no.json", "x.csv"]]:
        ran = run(capsys, *words)
        assert ran.code == 3
        assert "model file" in ran.err


def test_nothing_on_standard_input_is_said():
    ran = spawn("fit", "-", "-t", "y")
    assert ran.code == 3
    assert "standard input is empty" in ran.err


def test_control_characters_in_names_and_levels_never_reach_the_terminal(capsys, tmp_path):
    evil = "\x1b[2J\x07bad"
    rows = "".join(f"{i},{evil}{i % 3},{i * 2 + i % 3}\n" for i in range(20))
    (tmp_path / "t.csv").write_text(f"{evil}x,town,y\n{rows}")
    ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "y")
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out + ran.err
    assert "\x07" not in ran.out + ran.err
    ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "town", "-q")
    assert ran.code == 3
    assert "\x1b" not in ran.err


def test_columns_that_do_not_help_are_said_to_be_no_help(capsys, tmp_path):
    rng = np.random.default_rng(4)
    rows = "".join(f"{a!r},{b!r},{y!r}\n" for a, b, y in rng.normal(size=(30, 3)).tolist())
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)
    ran = run(capsys, "fit", tmp_path / "t.csv", "-t", "y", "--alpha", "inf")
    assert ran.code == 0, ran.err
    assert "λ = infinite" in ran.out
    assert "the mean alone" in ran.out
    assert "Ridge(alpha=inf)" not in ran.out
