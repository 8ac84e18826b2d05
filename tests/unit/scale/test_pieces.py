"""A large row group is cut into leaves that any worker can do: no bit depends on who reads which piece."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from elltwo.scale.jobs import leaves as cuts
from elltwo.scale.jobs.job import plan_job, shard
from elltwo.scale.jobs.leaves import Leaf, runs
from elltwo.scale.passes.passing import leaf_moments, run_job
from elltwo.tables.files import DataFile
from elltwo.tables.moments.mixed import reshift_mixed
from elltwo.tables.moments.sets import merge_sets
from elltwo.tables.read import iter_batches
from elltwo.tables.reading.parquet import OpenFile, Part, kept_open, read_part
from scale_files import same_bits

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150_000, 3)) + 1e6
    names = np.array(["a", "b", "c"])[rng.integers(0, 3, 150_000)]
    table = pa.table({"x": X[:, 0], "z": X[:, 1], "name": names, "y": X.sum(axis=1)})
    out = tmp_path_factory.mktemp("pieces") / "table.parquet"
    parquet.write_table(table, out, row_group_size=100_000)
    return out


@pytest.fixture
def job(path, monkeypatch):
    monkeypatch.setattr(cuts, "FINE_ROWS", 20_000)
    found = plan_job(path, "y")
    assert [leaf.parts[0].row_group for leaf in found.leaves] == [0, 0, 0, 0, 1, 1]
    return found


def test_pieces_of_row_groups_follow_one_another_and_hold_every_row_once(job):
    ends = [0]
    for leaf in job.leaves:
        (part,) = leaf.parts
        assert part.first_row == part.first_in_file == ends[-1]
        assert part.skip == part.first_row - 100_000 * part.row_group
        ends.append(part.first_row + part.rows)
    assert ends[-1] == 150_000


def test_the_bits_do_not_depend_on_threads_or_on_who_reads_a_piece(job):
    expected = run_job(job).total()
    same_bits(run_job(job, threads=3).total(), expected)
    shares = [run_job(job, shard(job, i, 4)) for i in (4, 2, 1, 3)]
    same_bits(merge_sets(shares).total(), expected)
    alone = leaf_moments(job, job.leaves[2])
    with kept_open():
        leaf_moments(job, job.leaves[0])
        same_bits(leaf_moments(job, job.leaves[2]), alone)


def test_pieces_give_the_moments_of_the_whole_row_groups(job, path, monkeypatch):
    fine = run_job(job).total()
    monkeypatch.setattr(cuts, "FINE_ROWS", 10**9)
    coarse = run_job(plan_job(path, "y")).total()
    assert len(fine.levels[0].labels) == 3
    np.testing.assert_array_equal(fine.rows, coarse.rows)
    scale = np.abs(coarse.dense).max()
    np.testing.assert_allclose(reshift_mixed(fine, coarse.shift).dense, coarse.dense, atol=1e-12 * scale)


def test_neighbouring_pieces_are_decoded_once(job, monkeypatch):
    opened = []
    real = OpenFile.reader
    monkeypatch.setattr(OpenFile, "reader", lambda *a: opened.append(a[1].path) or real(*a))
    run_job(job)
    assert len(opened) == 2  # one stream of batches per row group


@pytest.mark.parametrize("block", [700, 1000, 33_333])
def test_any_cut_of_a_row_group_gives_its_rows_in_order(path, block):
    file, edges = DataFile(str(path), "parquet"), [0, 1, 1500, 40_000, 99_999, 100_000]
    with kept_open():
        found = [
            raw.arrow.column(0).to_numpy()
            for a, b in pairwise(edges)
            for raw in read_part(Part(file, 0, a, a, b - a, skip=a), ["x"], frozenset(), block)
        ]
    whole = parquet.ParquetFile(path).read_row_group(0, columns=["x"]).column(0).to_numpy()
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_a_read_that_stops_halfway_leaves_the_next_one_right(job):
    with kept_open():
        next(iter_batches(job.source, job.plan, 4096, only=job.leaves[0].parts))
        rows = [b.first_row for b in iter_batches(job.source, job.plan, 4096, only=job.leaves[0].parts)]
    assert rows[0] == 0
    assert len(rows) == 8


def _leaf(index, group):
    return Leaf(index, (Part(DataFile("a.parquet", "parquet"), group, 0, 0, 10),))


def test_row_groups_that_do_not_go_evenly_into_the_workers_are_shared():
    leaves = [_leaf(4 * group + i, group) for group in range(5) for i in range(4)]
    two = runs(leaves, 2)
    assert [len(run) for run in two] == [4, 4, 4, 4, 2, 2]
    assert [leaf.index for run in two for leaf in run] == list(range(20))
    assert [len(run) for run in runs(leaves, 1)] == [4] * 5
    assert [len(run) for run in runs(leaves, 5)] == [4] * 5
    assert len(runs(leaves, 16)) == 20
