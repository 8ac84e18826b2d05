"""Moments files restore every bit, load safely from anywhere, and refuse to merge what does not fit."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from elltwo.errors import DataError, OutputError
from elltwo.scale.commands import merge_command, stats_command
from elltwo.scale.jobs.job import plan_job
from elltwo.scale.passes.passing import run_job
from elltwo.tables.moments.file import read_moments, write_moments
from elltwo.tables.moments.sets import merge_sets
from scale_files import frame, same_bits


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("moments") / "table.parquet"
    frame().to_parquet(path, row_group_size=100)
    return path


@pytest.fixture(scope="module")
def moments(parquet):
    return run_job(plan_job(parquet, "y"))


def test_a_file_restores_every_bit_and_every_paper(moments, tmp_path):
    write_moments(tmp_path / "a.moments", moments)
    back = read_moments(tmp_path / "a.moments")
    assert (back.plan, back.rule, back.jobs) == (moments.plan, moments.rule, moments.jobs)
    same_bits(back.total(), moments.total())


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shards_merged_in_any_order_equal_one_pass_to_the_bit(parquet, moments, shards, tmp_path):
    paths = []
    for i in np.random.default_rng(shards).permutation(shards):
        paths.append(tmp_path / f"{i}.moments")
        stats_command(parquet, paths[-1], target="y", shard_of=f"{i + 1}/{shards}")
    merge_command(paths, tmp_path / "all.moments")
    same_bits(read_moments(tmp_path / "all.moments").total(), moments.total())


def test_new_data_are_one_more_merge(tmp_path):
    table = frame(n=900)
    table[:600].to_parquet(tmp_path / "old.parquet")
    table[600:].to_parquet(tmp_path / "new.parquet")
    old = run_job(plan_job(tmp_path / "old.parquet", "y"))
    new = run_job(plan_job(tmp_path / "new.parquet", "y"))
    both = merge_sets([old, new])
    assert both.total().count == 900
    np.testing.assert_array_equal(merge_sets([new, old]).total().dense, both.total().dense)
    with pytest.raises(DataError, match=r"both hold part 1 of 1 of new\.parquet"):
        merge_sets([both, new])
    [card] = new.jobs
    replanned = replace(new, jobs=(replace(card, id="other"),), nodes={"other": new.nodes[card.id]})
    with pytest.raises(DataError, match=r"both hold the rows of new\.parquet"):
        merge_sets([both, replanned])


def test_a_shard_merged_twice_is_refused_by_name(parquet, tmp_path):
    for name in ("a", "b"):
        stats_command(parquet, tmp_path / f"{name}.moments", target="y", shard_of="1/2")
    with pytest.raises(
        DataError, match=r"a\.moments and .*b\.moments both hold part 1 of 8 of table\.parquet"
    ):
        merge_command([tmp_path / "a.moments", tmp_path / "b.moments"], tmp_path / "c.moments")
    assert not (tmp_path / "c.moments").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"seed": 1}, "same folds and seed"),
        ({"folds": 3}, "same folds and seed"),
        ({"categorical": ["x0"]}, "column 'x0' is a number in first and a category in second"),
        ({"weights": "x0"}, "column 'x0'"),
        ({"max_levels": 7}, "max_levels"),
    ],
)
def test_moments_that_mean_something_else_are_refused_with_the_reason(
    parquet, moments, tmp_path, options, why
):
    other = frame(seed=1)
    other.x0 = other.x0.abs()
    other.to_parquet(tmp_path / "other.parquet")
    second = run_job(plan_job(tmp_path / "other.parquet", "y", **options))
    with pytest.raises(DataError, match=why):
        merge_sets([moments, second], ["first", "second"])


def test_missing_shards_are_said_before_a_fit(parquet, tmp_path):
    found = stats_command(parquet, tmp_path / "a.moments", target="y", shard_of="2/4")
    with pytest.raises(DataError, match=r"6 of 8 parts of table\.parquet are missing"):
        found.total()


def rewritten(path, change):
    """The file with its entries changed by a function of the dict name -> bytes."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def array_bytes(array, allow_pickle=False):
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def edited_header(entries, **fields):
    header = json.loads(entries["header.npy"][entries["header.npy"].index(b"\n") + 1 :]) | fields
    entries["header.npy"] = array_bytes(np.frombuffer(json.dumps(header).encode(), dtype=np.uint8))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda e: edited_header(e, version=99), "version 99"),
        (lambda e: edited_header(e, kind="other"), "not a moments file"),
        (lambda e: e.pop("0.dense.npy"), "damaged"),
        (lambda e: e.update({"0.dense.npy": array_bytes(np.zeros(3))}), "shape"),
        (lambda e: e.update({"0.dense.npy": array_bytes(np.array([{}], dtype=object), True)}), "damaged"),
        (lambda e: e.update({"header.npy": b"nonsense"}), "damaged"),
        (lambda e: e.pop("header.npy"), "damaged"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_in_one_sentence(moments, tmp_path, change, why):
    path = tmp_path / "a.moments"
    write_moments(path, moments)
    rewritten(path, change)
    with pytest.raises(DataError, match=why):
        read_moments(path)


def test_truncated_compressed_huge_and_absent_files_are_refused(moments, tmp_path):
    path = tmp_path / "a.moments"
    with pytest.raises(DataError, match="no moments file"):
        read_moments(path)
    write_moments(path, moments)
    with pytest.raises(DataError, match="more than the 1,000 allowed"):
        read_moments(path, max_bytes=1000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="damaged"):
        read_moments(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", b"0" * 10**6)
    with pytest.raises(DataError, match="compressed"):
        read_moments(path)


def test_a_full_disk_leaves_the_old_file_as_it_was(moments, tmp_path, monkeypatch):
    path = tmp_path / "a.moments"
    path.write_text("old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_moments(path, moments)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.moments"]
