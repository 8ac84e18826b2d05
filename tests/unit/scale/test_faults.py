"""Killed, damaged, changed, too large, badly scaled: no half result, and no wrong one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from elltwo.errors import BadValue, DataError, UsageError
from elltwo.scale.commands import fit_moments, parse_shard, stats_command
from elltwo.scale.jobs.job import plan_job, shard
from elltwo.scale.passes.passing import leaf_moments, run_job
from elltwo.tables.moments.file import read_moments
from scale_files import frame, same_bits

# Dies by SIGKILL while leaf 5 is read, or inside the third write of the checkpoint, after half its bytes.
VICTIM = """
import os, signal, sys
from elltwo.scale.passes import passing
from elltwo.scale.jobs.job import plan_job
path, checkpoint, how = sys.argv[1:]
if how == "pass":
    real = passing.leaf_moments
    def leaf_moments(job, leaf, seen):
        if leaf.index == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(job, leaf, seen)
    passing.leaf_moments = leaf_moments
else:
    real, calls = os.fdopen, []
    def fdopen(handle, mode):
        calls.append(handle)
        if len(calls) == 3:
            os.write(handle, b"half a file")
            os.kill(os.getpid(), signal.SIGKILL)
        return real(handle, mode)
    os.fdopen = fdopen
passing.run_job(plan_job(path, "y"), checkpoint=checkpoint, save_seconds=0)
"""


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "table.parquet"
    frame().to_parquet(path, row_group_size=100)
    return path


@pytest.mark.parametrize(("how", "done"), [("pass", 5), ("write", 2)])
def test_a_pass_killed_at_any_moment_resumes_to_the_same_bits(parquet, tmp_path, how, done):
    checkpoint = tmp_path / "a.moments"
    dead = subprocess.run([sys.executable, "-c", VICTIM, str(parquet), str(checkpoint), how], check=False)
    assert dead.returncode == -signal.SIGKILL
    job = plan_job(parquet, "y")
    assert len(read_moments(checkpoint).absent()[job.card.id]) == len(job.leaves) - done
    seen = []
    resumed = run_job(job, checkpoint=checkpoint, watch=lambda p: seen.append(p.rows))
    assert seen[-1] == 100 * (len(job.leaves) - done)
    same_bits(resumed.total(), run_job(job).total())


def test_an_unfinished_pass_never_stands_where_a_finished_one_is_expected(parquet, tmp_path, monkeypatch):
    calls = []

    def dying(job, leaf, seen=None):
        calls.append(leaf.index)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return leaf_moments(job, leaf, seen)

    monkeypatch.setattr("elltwo.scale.passes.passing.leaf_moments", dying)
    with pytest.raises(KeyboardInterrupt):
        stats_command(parquet, tmp_path / "a.moments", target="y", save_seconds=0.0)
    assert os.listdir(tmp_path) == ["a.moments.unfinished"]
    monkeypatch.undo()
    resumed = stats_command(parquet, tmp_path / "a.moments", target="y")
    assert os.listdir(tmp_path) == ["a.moments"]
    same_bits(resumed.total(), run_job(plan_job(parquet, "y")).total())


def test_another_jobs_checkpoint_is_not_continued(parquet, tmp_path):
    run_job(plan_job(parquet, "y"), checkpoint=tmp_path / "a.moments")
    with pytest.raises(DataError, match="another job"):
        run_job(plan_job(parquet, "y", seed=1), checkpoint=tmp_path / "a.moments")


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_any_number_of_threads_gives_the_same_bits(parquet, threads):
    job = plan_job(parquet, "y")
    same_bits(run_job(job, threads=threads).total(), run_job(job).total())


def test_damage_names_file_and_row_group(parquet, tmp_path):
    data = bytearray(parquet.read_bytes())
    import pyarrow.parquet as pq

    column = pq.ParquetFile(parquet).metadata.row_group(3).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + 40] = b"\xff" * 40
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(data)
    job = plan_job(parquet, "y")
    with pytest.raises(DataError, match=r"broken\.parquet.*row group 3"):
        run_job(plan_job(broken, "y", plan=job.plan))


def test_a_truncated_file_is_refused_before_the_pass(parquet, tmp_path):
    short = tmp_path / "short.parquet"
    short.write_bytes(parquet.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"short\.parquet"):
        plan_job(short, "y")


def test_a_file_that_changes_between_plan_and_pass_stops_the_pass(tmp_path):
    path = tmp_path / "t.parquet"
    frame().to_parquet(path)
    job = plan_job(path, "y")
    frame(n=900).to_parquet(path)
    with pytest.raises(DataError, match=r"t\.parquet has changed since the pass was planned"):
        run_job(job)


def test_too_little_memory_is_refused_beforehand_with_the_arithmetic(parquet):
    with pytest.raises(
        UsageError, match=r"does not fit into 1 MB: .* stored columns and 5 folds: 5 x .* however many rows"
    ):
        plan_job(parquet, "y", memory_limit=10**6)


def test_a_pass_takes_every_core_that_memory_allows_and_its_bits_do_not_tell(parquet, monkeypatch):
    monkeypatch.setattr("elltwo.scale.jobs.job.cores", lambda: 3)
    job = plan_job(parquet, "y", threads=None)
    assert job.arithmetic.threads == 3
    two = plan_job(parquet, "y", threads=2)
    limit = (two.arithmetic.bytes + job.arithmetic.bytes) // 2
    assert plan_job(parquet, "y", threads=None, memory_limit=limit).arithmetic == two.arithmetic
    with pytest.raises(UsageError, match="does not fit"):
        plan_job(parquet, "y", threads=3, memory_limit=limit)
    with pytest.raises(UsageError, match="does not fit"):
        plan_job(parquet, "y", threads=None, memory_limit=1000)
    fits = [fit_moments(parquet, "y", alphas=[1.0, 10.0], threads=threads) for threads in (None, 1)]
    np.testing.assert_array_equal(fits[0].coef, fits[1].coef)
    monkeypatch.setattr("elltwo.scale.jobs.job.cores", lambda: 1000)
    assert plan_job(parquet, "y", threads=None).arithmetic.threads == len(job.leaves)


def test_the_arithmetic_is_an_upper_bound_on_what_is_kept(parquet):
    job = plan_job(parquet, "y")
    assert run_job(job).total().nbytes <= job.arithmetic.node


def test_shards_share_out_every_part_once(parquet):
    job = plan_job(parquet, "y")
    for of in (1, 3, 8):
        found = [leaf.index for i in range(of) for leaf in shard(job, i + 1, of)]
        assert found == list(range(len(job.leaves)))
    with pytest.raises(UsageError, match="at most 8 shards"):
        shard(job, 1, 9)
    with pytest.raises(UsageError, match="from 1 to 3"):
        shard(job, 4, 3)
    assert parse_shard(" 3/16 ") == (3, 16)
    with pytest.raises(UsageError, match="third of sixteen"):
        parse_shard("3 of 16")


@pytest.mark.parametrize("order", ["shuffled", "sorted", "drifting"])
def test_offsets_of_1e8_and_sorted_or_drifting_rows_keep_the_digits(tmp_path, order):
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((4000, 3)) * 2**16) / 2**16
    if order == "sorted":
        X = X[np.argsort(X[:, 0])]
    if order == "drifting":
        X += np.round(np.linspace(0, 4, 4000) * 2**16)[:, None] / 2**16
    y = X @ [1.0, 2.0, 3.0] + np.round(rng.standard_normal(4000) * 2**16) / 2**16
    plain = pd.DataFrame(np.column_stack([X, y]), columns=["a", "b", "c", "y"])
    (plain + 2.0**27).to_parquet(tmp_path / "far.parquet", row_group_size=250)  # exact: nothing is rounded
    plain.to_parquet(tmp_path / "near.parquet", row_group_size=250)
    far = fit_moments(tmp_path / "far.parquet", "y", alphas=[1e-2, 1.0, 1e2])
    near = fit_moments(tmp_path / "near.parquet", "y", alphas=[1e-2, 1.0, 1e2])
    np.testing.assert_allclose(far.coef, near.coef, rtol=1e-12)
    curves = (fit.selection.curves["kfold"].score for fit in (far, near))
    np.testing.assert_allclose(*curves, rtol=1e-12)


def test_a_hundred_thousand_levels_are_capped_aloud_in_little_memory(tmp_path):
    rng = np.random.default_rng(0)
    n = 150_000
    common = rng.integers(0, 50, n)
    rare = 1000 + rng.permutation(n) % 100_000
    labels = np.where(rng.random(n) < 0.4, common, rare)
    effect = np.where(labels < 50, np.sin(labels), 0.0)
    table = pd.DataFrame({"level": [f"v{i}" for i in labels], "x": rng.standard_normal(n)})
    table["y"] = table.x + effect + rng.standard_normal(n)
    table.to_parquet(tmp_path / "t.parquet", row_group_size=50_000)
    fit = fit_moments(tmp_path / "t.parquet", "y", alphas=[1.0, 10.0], max_levels=60)
    kept = {name.removeprefix("level=v") for name in fit.names if name.startswith("level=v")}
    assert {str(i) for i in range(50)} <= kept
    assert len(kept) == 60
    assert "level=(other)" in fit.names
    assert any("rarer levels share one column (other)" in note for note in fit.notes)
    found = [fit.coef[fit.names.index(f"level=v{i}"), 0] for i in range(50)]
    assert np.corrcoef(found, np.sin(np.arange(50)))[0, 1] > 0.99


def test_a_value_that_breaks_the_plan_stops_with_its_place(tmp_path):
    table = frame(300, missing=0.0).astype({"x1": object})
    job_table = tmp_path / "t.csv"
    table.to_csv(job_table, index=False)
    plan = plan_job(job_table, "y").plan
    table.loc[250, "x1"] = "soon"
    table.to_csv(job_table, index=False)
    with pytest.raises(DataError, match=r"t\.csv, line 252: column 'x1' has 'soon'"):
        run_job(plan_job(job_table, "y", plan=plan))


@pytest.mark.parametrize("late", [5, 4_321])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("column", "row"),
    [("x", "used"), ("x", "without a target"), ("x", "of no weight"), ("y", "used"), ("y", "of no weight")],
)
def test_an_infinity_anywhere_stops_the_pass_with_its_place(tmp_path, kind, column, row, late):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"x": rng.standard_normal(5_000), "y": rng.standard_normal(5_000), "w": np.ones(5_000)}
    )
    table.loc[table.index % 9 == 8, "x"] = np.nan
    table.loc[late, column] = -np.inf
    table.loc[late, "y"] = np.nan if row == "without a target" else table.loc[late, "y"]
    table.loc[late, "w"] = 0.0 if row == "of no weight" else 1.0
    path = tmp_path / f"t.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path, row_group_size=1_000)
    job = plan_job(path, "y", weights="w")
    place = f"line {late + 2}" if kind == "csv" else rf"row {late + 1} \(row group {late // 1000}\)"
    with pytest.raises(BadValue, match=f"{place}: column '{column}' has '-inf'"):
        run_job(job)


def test_progress_counts_every_row_and_estimates_the_rest(parquet):
    seen = []
    run_job(plan_job(parquet, "y"), watch=seen.append)
    assert [p.rows for p in seen] == list(range(100, 801, 100))
    assert {p.total for p in seen} == {800}
    assert seen[-1].left == 0
    assert seen[0].seconds <= seen[-1].seconds <= time.monotonic()
