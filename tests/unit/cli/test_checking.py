"""Options that cannot be are refused before a table is looked at: the file of these tests does not even exist."""

from __future__ import annotations

import pytest

from .running import DATA, run

NOWHERE = "there-is-no-such-file.csv"
BOTH = {
    ("--rule", "foo"): "unknown rule 'foo'",
    ("--rule", "discrepancy"): "needs the noise level",
    ("--rule", "gcv", "--one-se"): "'gcv' has none: use loo or kfold",
    ("--date", "born=century"): "ordinal (days) or parts",
    ("--date", "=parts"): "say which column",
    ("--group", "y"): "two parts to play",
    ("--weights", "w", "--fold-column", "w"): "two parts to play",
    ("--drop", "y"): "is the target and --drop leaves it out",
    ("--drop", "w", "--weights", "w"): "is the weights and --drop leaves it out",
    ("--encoding", "latin-77"): "no encoding has that name",
    ("--threads", "0"): "--threads 0",
    ("--group", "g", "--fold-column", "f"): "give one of them",
    ("--impute", "median"): "'median' is neither mean nor a number",
    ("--report", "."): "it is a folder",
    ("-o", "no-such-folder/m.json"): "its folder does not exist",
}
PASS = {
    ("--folds", "0"): "between 1 and 10000",
    ("--workers", "-1"): "--workers -1",
    ("--memory-limit", "much"): "write a size such as 4GB",
    ("--feature", "cube:a"): "unknown feature 'cube'",
    ("--feature", "product:a"): "is none of square:COL",
    ("--feature", "power:a:99"): "a whole number from 2 to",
}


@pytest.mark.parametrize("way", ["--no-stream", "--stream"])
@pytest.mark.parametrize("words", BOTH)
def test_wherever_the_rows_are(capsys, words, way):
    ran = run(capsys, "fit", NOWHERE, "-t", "y", way, *words)
    assert ran.code == 2
    assert BOTH[words] in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("words", [*PASS, ("--rule", "ncp")])
def test_of_a_stream(capsys, words):
    ran = run(capsys, "fit", NOWHERE, "-t", "y", "--stream", *words)
    assert ran.code == 2
    assert PASS.get(words, "needs the rows in memory: use kfold") in ran.err


OF_STATISTICS = [("--threads", "0"), ("--shard", "5"), ("--shard", "4/3"), ("--max-levels", "1"), ("--drop", "y"),
                 ("--encoding", "latin-77")]  # fmt: skip


@pytest.mark.parametrize("words", [*PASS, *OF_STATISTICS])
def test_of_statistics(capsys, words):
    ran = run(capsys, "stats", NOWHERE, "-t", "y", "-o", "all.moments", *words)
    assert ran.code == 2
    assert "there is no file" not in ran.err


def test_of_a_table_in_memory_and_of_explain_and_predict(capsys, tmp_path):
    assert "at least 2, got 1" in run(capsys, "fit", NOWHERE, "-t", "y", "--no-stream", "--folds", "1").err
    assert "say which column" in run(capsys, "fit", NOWHERE, "--stream").err
    assert "unknown rule" in run(capsys, "explain", NOWHERE, "--rule", "foo").err
    ran = run(capsys, "predict", tmp_path / "no-model.json", NOWHERE, "--encoding", "latin-77")
    assert (ran.code, "no encoding" in ran.err) == (2, True)


def test_a_strength_that_is_given_needs_no_rule_but_the_rule_must_exist(capsys):
    words = ["fit", DATA / "hald.csv", "-t", "y", "-q", "--alpha", "1", "--one-se"]
    assert run(capsys, *words, "--rule", "gcv").code == 0
    assert run(capsys, *words, "--rule", "foo").code == 2
