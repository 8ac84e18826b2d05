"""A large text file is cut between rows: many workers share it, and a pass that was killed goes on in its middle."""

from __future__ import annotations

import numpy as np
import pytest

from elltwo.errors import BadValue, DataError
from elltwo.scale.commands import fit_moments, stats_command
from elltwo.scale.jobs.job import plan_job, shard
from elltwo.scale.passes.passing import leaf_moments, run_job
from elltwo.tables.moments.mixed import reshift_mixed
from elltwo.tables.moments.sets import merge_sets
from elltwo.tables.moments.transform import assemble
from elltwo.tables.reading import counting
from scale_files import frame, same_bits


@pytest.fixture
def path(tmp_path):
    out = tmp_path / "t.csv"
    table = frame(4_000)
    table["c"] = table["c"].str.replace("p", "p\np", regex=False)  # a line break inside a quoted field
    table.to_csv(out, index=False)
    return out


@pytest.fixture
def cut(monkeypatch):
    monkeypatch.setattr(counting, "CHUNK", 2_000)
    monkeypatch.setattr(counting, "PIECE", 50_000)
    monkeypatch.setattr(counting, "LARGE", 100_000)


def test_pieces_give_the_moments_of_the_whole_file(path, monkeypatch, cut):
    job = plan_job(path, "y")
    assert len(job.leaves) > 5
    found = run_job(job).total()
    monkeypatch.setattr(counting, "LARGE", 2**30)
    whole = run_job(plan_job(path, "y")).total()
    np.testing.assert_array_equal(found.rows, whole.rows)
    assert [set(level.labels) for level in found.levels] == [set(level.labels) for level in whole.levels]
    found, D = reshift_mixed(found, whole.shift), whole.dense_width
    np.testing.assert_allclose(assemble(found)[:D, :D], assemble(whole)[:D, :D], rtol=1e-10, atol=1e-8)
    fits = [fit_moments(path, "y", alphas=[0.1, 10.0, 1000.0])]
    monkeypatch.setattr(counting, "LARGE", 100_000)
    for how in ({}, {"second_pass": True}, {"rule": "loo"}):
        fits.append(fit_moments(path, "y", alphas=[0.1, 10.0, 1000.0], **how))
    for fit in fits[1:]:
        np.testing.assert_allclose(fit.coef, fits[0].coef, rtol=1e-9)
        for rule, curve in fits[0].selection.curves.items():
            np.testing.assert_allclose(
                fit.selection.curves[rule].score, curve.score, rtol=1e-10, err_msg=rule
            )


def test_the_bits_do_not_depend_on_threads_or_on_who_reads_a_piece(path, cut):
    job = plan_job(path, "y")
    expected = run_job(job).total()
    same_bits(run_job(job, threads=3).total(), expected)
    shares = [run_job(job, shard(job, i, 4)) for i in (4, 2, 1, 3)]
    same_bits(merge_sets(shares).total(), expected)


def test_a_pass_that_stopped_in_the_middle_of_a_file_goes_on_there(path, tmp_path, monkeypatch, cut):
    expected = run_job(plan_job(path, "y")).total()
    read = []

    def dies(job, leaf, seen):
        read.append(leaf.index)
        if len(read) == 4:
            raise KeyboardInterrupt
        return leaf_moments(job, leaf, seen)

    monkeypatch.setattr("elltwo.scale.passes.passing.leaf_moments", dies)
    with pytest.raises(KeyboardInterrupt):
        stats_command(path, tmp_path / "a.moments", target="y", threads=1, save_seconds=0)
    found = stats_command(path, tmp_path / "a.moments", target="y", threads=1, save_seconds=0)
    assert read == [0, 1, 2, 3, *range(3, len(plan_job(path, "y").leaves))]
    same_bits(found.total(), expected)


def test_a_value_in_a_later_piece_is_named_with_its_line(path, cut):
    plan = plan_job(path, "y").plan
    lines = path.read_bytes().split(b"\n")
    at = next(i for i in range(len(lines) - 5, 0, -1) if b'"' not in lines[i] + lines[i - 1] + lines[i + 1])
    good = lines[at]
    lines[at] = b"soon" + good[good.index(b",") :]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(BadValue, match=rf"t\.csv, line {at + 1}: column 'x0' has 'soon'"):
        run_job(plan_job(path, "y", plan=plan))
    lines[at] = b"inf" + good[good.index(b",") :]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(BadValue, match=rf"t\.csv, line {at + 1}: column 'x0' has 'inf'"):
        run_job(plan_job(path, "y", plan=plan))
    lines[at] = good + b",1"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DataError, match=rf"t\.csv, line {at + 1}: 8 fields where the header has 7"):
        run_job(plan_job(path, "y", plan=plan))


def test_two_processes_share_one_file(path, cut):
    pytest.importorskip("distributed")
    from elltwo.scale.passes.dask import run_on_dask

    job = plan_job(path, "y")
    same_bits(run_on_dask(job, workers=2).total(), run_job(job).total())


def test_counting_a_large_file_is_announced(path, cut, monkeypatch):
    said = []
    monkeypatch.setattr("elltwo.scale.passes.running.LARGE", 100_000)
    fit_moments(path, "y", alpha=1.0, say=said.append)
    assert said[0] == "counting the rows of 0.0 GB of text first: folds depend on the number of a row"
    assert "4,000 rows in" in said[1]
