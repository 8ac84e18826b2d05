"""A job in shares has the bits of one process, whoever does which, in any order; a row group is decoded once."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from pyarrow.parquet import ParquetFile

from elltwo.errors import DataError
from elltwo.scale.fitting import fit_set
from elltwo.scale.jobs import leaves
from elltwo.scale.jobs.job import plan_job
from elltwo.scale.passes.passing import run_job
from elltwo.scale.passes.sharing import share_moments, shares, sum_shares
from elltwo.tables.reading import parquet
from scale_files import frame, same_bits


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file whose three row groups are cut into pieces, though they are small."""
    monkeypatch.setattr(leaves, "FINE_ROWS", 16_384)
    frame(105_000, 3, 0.01).drop(columns="e").to_parquet(tmp_path / "t.parquet", row_group_size=40_000)
    return tmp_path / "t.parquet"


@pytest.mark.parametrize("workers", [1, 2, 5, 100])
def test_shares_sum_to_the_bits_of_one_process_in_any_order(path, workers):
    job = plan_job(path, "y")
    assert len(job.leaves) > 3
    parcels = [pickle.dumps(share) for share in shares(job, workers)]
    found = [share_moments(pickle.loads(parcel)) for parcel in parcels]
    rng = np.random.default_rng(workers)
    whole = sum_shares(job, [found[i] for i in rng.permutation(len(found))])
    same_bits(whole.total(), run_job(job).total())
    np.testing.assert_array_equal(fit_set(whole).coef, fit_set(run_job(job)).coef)


def test_one_worker_decodes_each_row_group_once(path, monkeypatch):
    decoded, stream = [], parquet._Stream

    def counted(key, batches):
        decoded.append(key[1])
        return stream(key, batches)

    monkeypatch.setattr(parquet, "_Stream", counted)
    job = plan_job(path, "y")
    decoded.clear()
    for share in shares(job, 1):
        share_moments(share)
    assert decoded == [0, 1, 2]
    assert len(job.leaves) > 3, "each was cut into pieces"


def test_a_share_that_comes_twice_is_refused(path):
    job = plan_job(path, "y")
    found = [share_moments(share) for share in shares(job, 2)]
    with pytest.raises(DataError, match="is there already"):
        sum_shares(job, [*found, found[0]])


def test_a_damaged_share_names_its_file_and_row_group(path):
    job, when = plan_job(path, "y"), os.stat(path)
    content = bytearray(path.read_bytes())
    column = ParquetFile(path).metadata.row_group(1).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + 40] = b"\xff" * 40  # the head of a page; size and time stay as planned
    path.write_bytes(content)
    os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))
    share = shares(job, 1)[1]  # one for each row group
    with pytest.raises(DataError, match=r"t\.parquet is damaged in row group 1"):
        share_moments(share)


def test_a_file_that_changed_since_it_was_planned_is_refused(path):
    job = plan_job(path, "y")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"t\.parquet has changed"):
        share_moments(shares(job, 2)[0])
