"""The same bits from a cluster, whoever does what and whoever dies."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest

from scale_files import frame, same_bits

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

from sklearn.linear_model import Ridge

from elltwo.errors import DataError, InputError
from elltwo.factoring.folds import folds_from_moments
from elltwo.factoring.gram import factor_moments
from elltwo.facts.problem import Penalty
from elltwo.scale.commands import fit_moments, stats_command
from elltwo.scale.dask_tables import is_dask, moments_of
from elltwo.scale.jobs import leaves as cuts
from elltwo.scale.jobs.job import plan_job, shard
from elltwo.scale.passes import dask as dask_passes
from elltwo.scale.passes.dask import cluster, run_on_dask
from elltwo.scale.passes.passing import run_job
from elltwo.selecting.kfold import kfold
from elltwo.shrinking.path import shrink
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.sets import merge_sets

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed")


@pytest.fixture(scope="module")
def client():
    with cluster(workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("dask") / "table.parquet"
    table = frame(3000)
    pd.concat([table] * 20).to_parquet(path, row_group_size=2000)
    return path


@pytest.mark.parametrize("fetched", [dask_passes.FETCHED, 0])  # summed here, or where the parts lie
def test_two_processes_give_the_bits_of_one(client, parquet, monkeypatch, fetched):
    monkeypatch.setattr(dask_passes, "FETCHED", fetched)
    job = plan_job(parquet, "y")
    seen = []
    found = run_on_dask(job, client=client, watch=lambda p: seen.append(p.rows))
    same_bits(found.total(), run_job(job).total())
    assert seen[-1] == 60_000
    assert len(seen) == 30


@pytest.mark.parametrize("fetched", [dask_passes.FETCHED, 0])  # summed here, or where the parts lie
def test_two_processes_that_share_one_row_group_give_the_bits_of_one(client, tmp_path, monkeypatch, fetched):
    monkeypatch.setattr(dask_passes, "FETCHED", fetched)
    monkeypatch.setattr(cuts, "FINE_ROWS", 20_000)
    path = tmp_path / "one.parquet"
    pd.concat([frame(3000)] * 30).to_parquet(path, row_group_size=90_000)
    job = plan_job(path, "y")
    assert len(job.leaves) == 3
    seen = []
    found = run_on_dask(job, client=client, watch=lambda p: seen.append(p.rows))
    same_bits(found.total(), run_job(job).total())
    assert len(seen) == 2


def test_a_share_done_on_a_cluster_merges_with_a_share_done_at_home(client, parquet):
    job = plan_job(parquet, "y")
    here, there = run_job(job, shard(job, 1, 2)), run_on_dask(job, shard(job, 2, 2), client=client)
    same_bits(merge_sets([there, here]).total(), run_job(job).total())


@pytest.mark.parametrize("fetched", [dask_passes.FETCHED, 0])  # summed here, or where the parts lie
def test_a_worker_killed_in_mid_job_changes_no_bit(parquet, monkeypatch, fetched):
    monkeypatch.setattr(dask_passes, "FETCHED", fetched)
    job = plan_job(parquet, "y")
    expected = run_job(job).total()
    with cluster(workers=2) as on:
        killed = []

        def kill_one(progress):
            if not killed:
                pid = next(iter(on.run(os.getpid).values()))
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

        found = run_on_dask(job, client=on, watch=kill_one)
        assert killed
        same_bits(found.total(), expected)
        assert killed[0] not in on.run(os.getpid).values()


@pytest.mark.parametrize("fetched", [dask_passes.FETCHED, 0])  # summed here, or where the parts lie
def test_a_poisoned_shard_is_named_with_file_and_row_group(client, parquet, tmp_path, monkeypatch, fetched):
    import pyarrow.parquet as pq

    monkeypatch.setattr(dask_passes, "FETCHED", fetched)
    data = bytearray(parquet.read_bytes())
    column = pq.ParquetFile(parquet).metadata.row_group(17).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + 40] = b"\xff" * 40
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(data)
    with pytest.raises(DataError, match=r"broken\.parquet.*row group 17"):
        run_on_dask(plan_job(broken, "y", plan=plan_job(parquet, "y").plan), client=client)


def test_a_value_that_breaks_the_plan_travels_home_as_its_own_error(client, tmp_path):
    table = frame(300, missing=0.0).astype({"x1": object})
    table.to_csv(tmp_path / "t.csv", index=False)
    plan = plan_job(tmp_path / "t.csv", "y").plan
    table.loc[250, "x1"] = "soon"
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"t\.csv, line 252: column 'x1' has 'soon'"):
        run_on_dask(plan_job(tmp_path / "t.csv", "y", plan=plan), client=client)


def test_nobody_at_the_address_is_one_sentence(parquet, monkeypatch):
    monkeypatch.setattr("elltwo.scale.passes.dask.CONNECT_SECONDS", 1)
    before = threading.active_count()
    with pytest.raises(DataError, match="no Dask scheduler answers at"):
        run_on_dask(plan_job(parquet, "y"), address="tcp://127.0.0.1:1")
    assert threading.active_count() <= before + 4


def test_the_commands_take_workers_and_addresses(client, parquet, tmp_path):
    address = client.scheduler.address
    found = stats_command(parquet, tmp_path / "a.moments", target="y", dask=address)
    same_bits(found.total(), run_job(plan_job(parquet, "y")).total())
    fit = fit_moments(parquet, "y", dask=address, alphas=[1.0, 10.0])
    again = fit_moments(tmp_path / "a.moments", "y", alphas=[1.0, 10.0])
    np.testing.assert_array_equal(fit.coef, again.coef)


@pytest.mark.parametrize("kind", ["array", "frame", "column"])
def test_dask_objects_give_the_row_wise_fit_and_fold_errors(client, kind):
    import dask.array as da

    dd = pytest.importorskip("dask.dataframe")
    table = frame(1000, missing=0.0).drop(columns=["c", "e"])
    X, y = table.drop(columns=["y"]), table["y"]
    w = np.random.default_rng(0).uniform(0.5, 2, 1000)
    if kind == "array":
        design = moments_of(
            da.from_array(X.to_numpy(), chunks=(170, 3)),
            da.from_array(y.to_numpy(), chunks=170),
            sample_weight=da.from_array(w, chunks=170),
            client=client,
        )
    else:
        w = None
        ddf = dd.from_pandas(table, npartitions=6)
        whole = kind == "column"
        design = moments_of(ddf if whole else ddf[list(X.columns)], "y" if whole else ddf["y"], client=client)
    assert design.names == (None if kind == "array" else tuple(X.columns))
    rotated = factor_moments(total(design.folds), Penalty())
    reference = Ridge(3.0, solver="svd").fit(X.to_numpy(), y, sample_weight=w)
    np.testing.assert_allclose(shrink(rotated, 3.0).coef[:, 0], reference.coef_, rtol=1e-11)
    scores = kfold(folds_from_moments(design.folds, Penalty()), np.array([3.0]))
    assert scores.mean[0, 0] == pytest.approx(refitted(X.to_numpy(), y.to_numpy(), w), rel=1e-11)


def total(parts):
    from elltwo.tables.moments.dense import add_designs

    return add_designs(parts)


def refitted(X, y, w):
    folds = FoldRule("balanced", 5, 0, 1000).by_row(0, 1000)
    w = np.ones(1000) if w is None else w
    error = 0.0
    for k in range(5):
        train, held = folds != k, folds == k
        model = Ridge(3.0, solver="svd").fit(X[train], y[train], sample_weight=w[train])
        error += w[held] @ (y[held] - model.predict(X[held])) ** 2
    return error / w.sum()


def test_dask_objects_that_cannot_be_used_are_refused(client):
    import dask.array as da

    X = da.from_array(np.arange(20.0).reshape(10, 2), chunks=(5, 2))
    with pytest.raises(InputError, match="rechunk them alike"):
        moments_of(X, da.from_array(np.zeros(10), chunks=10), client=client)
    with pytest.raises(InputError, match="Dask objects alike, got ndarray"):
        moments_of(X, np.zeros(10), client=client)
    holes = da.from_array(np.array([[1.0], [np.nan]]), chunks=(2, 1))
    with pytest.raises(InputError, match="'x0' has missing values"):
        moments_of(holes, da.from_array(np.zeros(2), chunks=2), folds=1, client=client)
    assert is_dask(X)
    assert not is_dask(np.zeros(3))
