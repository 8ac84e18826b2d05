"""Tables of any size: the one-pass fit against the read it cannot avoid, against peers, and against itself.

Files are made under a temporary folder (``ELLTWO_BENCH_FOLDER`` keeps them there between runs);
``ELLTWO_BENCH_ROWS`` (default 5000000) sets the rows of the large table. Everything runs on one thread
except the cluster job, which needs two free cores and is measured in wall time.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import Row, at_least, at_most, measure, once

ROWS = int(os.environ.get("ELLTWO_BENCH_ROWS", 5_000_000))
COLUMNS, GROUP = 50, 1_048_576
MIX_ROWS, MIX_LEVELS = max(ROWS // 5, 50_000), (3, 12, 50, 200, 1000)
PEER_ROWS, ONE_HOT_ROWS = 100_000, 40_960
ALPHAS = np.geomspace(1e-2, 1e6, 100)
TURNS = 7  # of the cluster job, whose clock is at the mercy of every neighbour
FLAT = 1.35  # dearest over cheapest: 1.15 / 0.85, both within 15 % of a constant
BLOCK, DECODED = 16_000, 64_000  # the quickest that were measured for the product, and for the reader


@contextmanager
def folder() -> Iterator[Path]:
    """Where the files are made."""
    kept = os.environ.get("ELLTWO_BENCH_FOLDER")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def make_large(path: Path, rows: int, columns: int = COLUMNS) -> Path:
    """Correlated numbers far from zero and a target, in row groups of 1,048,576."""
    import pyarrow as pa
    from pyarrow import parquet

    if path.exists():
        return path
    rng = np.random.default_rng(0)
    mix = np.eye(columns) + 0.3 * rng.standard_normal((columns, columns)) / np.sqrt(columns)
    beta, offset = rng.standard_normal(columns) / np.sqrt(columns), 10.0 * rng.standard_normal(columns)
    names = [*(f"x{j}" for j in range(columns)), "y"]
    schema = pa.schema([(n, pa.float64()) for n in names])
    with parquet.ParquetWriter(path.with_suffix(".part"), schema, use_dictionary=False) as writer:
        for start in range(0, rows, GROUP):
            n = min(GROUP, rows - start)
            X = rng.standard_normal((n, columns)) @ mix
            y = X @ beta + rng.standard_normal(n)
            arrays = [*((X[:, j] + offset[j]).copy() for j in range(columns)), y]
            writer.write_table(pa.table([pa.array(a) for a in arrays], schema=schema), row_group_size=GROUP)
    os.replace(path.with_suffix(".part"), path)
    return path


def make_mix(path: Path, rows: int) -> Path:
    """25 numbers and 5 categories of 3 to 1000 levels, 5 % missing everywhere, and a target, as CSV."""
    import pyarrow as pa
    from pyarrow import csv

    if path.exists():
        return path
    rng = np.random.default_rng(1)
    with open(path.with_suffix(".part"), "wb") as file:
        names = [*(f"x{j}" for j in range(25)), *(f"c{j}" for j in range(5)), "y"]
        file.write((",".join(names) + "\n").encode())
        for start in range(0, rows, 100_000):
            n = min(100_000, rows - start)
            X = rng.standard_normal((n, 25))
            codes = [rng.integers(0, size, n) for size in MIX_LEVELS]
            y = X[:, :5].sum(axis=1) + sum(np.sin(c) for c in codes) + rng.standard_normal(n)
            table = {f"x{j}": pa.array(X[:, j], mask=rng.random(n) < 0.05) for j in range(25)}
            for j, c in enumerate(codes):
                table[f"c{j}"] = pa.array([f"level{v}" for v in c], mask=rng.random(n) < 0.05)
            table["y"] = pa.array(y)
            csv.write_csv(pa.table(table), file, csv.WriteOptions(include_header=False, quoting_style="none"))
    os.replace(path.with_suffix(".part"), path)
    return path


def fit_file(path: Path | list[Path]) -> object:
    """Plan, pass, 5 folds x 100 strengths, solution: everything after the file exists."""
    from elltwo.scale.commands import fit_moments

    source = [os.fspath(p) for p in path] if isinstance(path, list) else os.fspath(path)
    return fit_moments(source, "y", alphas=ALPHAS, threads=1)


def read_parquet_blocks(path: Path) -> int:
    """The bound's first half: every value once into float64 blocks, by the quickest reader measured."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=65_536)
    rows, block = 0, np.empty((len(file.schema_arrow.names), BLOCK))
    for batch in file.iter_batches(DECODED, use_threads=False):
        for start in range(0, batch.num_rows, BLOCK):
            part = batch.slice(start, BLOCK)
            for j, column in enumerate(part.columns):
                block[j, : part.num_rows] = column.to_numpy()
        rows += batch.num_rows
    return rows


def syrk_blocks(rows: int, columns: int = COLUMNS + 1) -> np.ndarray:
    """The bound's second half: one Gram matrix of resident blocks."""
    block = np.random.default_rng(0).standard_normal((columns, BLOCK))
    total = np.zeros((columns, columns))
    for _ in range(rows // BLOCK):
        total += block @ block.T
    return total


def read_csv_blocks(path: Path) -> int:
    """Every cell of the CSV once, numbers as float64 and text as dictionaries."""
    import pyarrow as pa
    from pyarrow import csv

    types = {f"x{j}": pa.float64() for j in range(25)} | {"y": pa.float64()}
    types |= {f"c{j}": pa.dictionary(pa.int32(), pa.utf8()) for j in range(5)}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    reader = csv.open_csv(path, csv.ReadOptions(use_threads=False), convert_options=options)
    rows = 0
    for batch in reader:
        for column in batch.columns:
            if pa.types.is_floating(column.type):
                column.to_numpy(zero_copy_only=False)
        rows += batch.num_rows
    return rows


def one_hot_syrk(rows: int) -> np.ndarray:
    """What a pass would cost that builds one-hot rows: dense blocks of every level, then SYRK."""
    rng = np.random.default_rng(0)
    width = 1 + 2 * 26 + sum(MIX_LEVELS) + 2 * len(MIX_LEVELS)
    total = np.zeros((width, width))
    for start in range(0, rows, 4096):
        n = min(4096, rows - start)
        block = np.zeros((n, width))
        block[:, :53] = rng.standard_normal((n, 53))
        at = 53
        for size in MIX_LEVELS:
            block[np.arange(n), at + rng.integers(0, size, n)] = 1.0
            at += size + 2
        total += block.T @ block
    return total


PEAK = """
import re, sys
import numpy, pyarrow.parquet, pyarrow.csv, scipy.linalg, scipy.sparse, threadpoolctl
from elltwo.scale.commands import fit_moments
def high():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = high()
fit_moments(sys.argv[1].split("|"), "y", alphas=numpy.geomspace(1e-2, 1e6, 100), threads=1)
print((high() - before) / 1024)
"""


def peak_megabytes(paths: list[Path]) -> float:
    """Peak resident memory of a fit in a process of its own, over what its imports take (Linux)."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PEAK, "|".join(map(str, paths))]
    return float(subprocess.run(command, capture_output=True, check=True, env=env, text=True).stdout)


def peers(path: Path, ours: float, rows: int) -> list[Row]:
    """scikit-learn on a slice that takes seconds, scaled linearly to all rows (its cost per row only grows)."""
    from pyarrow import parquet
    from sklearn.linear_model import RidgeCV

    batch = next(parquet.ParquetFile(path).iter_batches(min(PEER_ROWS, rows)))
    X, y = np.column_stack([batch.column(j).to_numpy() for j in range(COLUMNS)]), batch.column("y").to_numpy()
    scale = rows / len(y)
    loo = once(lambda: RidgeCV(ALPHAS).fit(X, y)) * scale
    five = once(lambda: RidgeCV(ALPHAS, cv=5).fit(X, y)) * scale
    job = f"{rows:,} x {COLUMNS} Parquet, 100 strengths"
    return [
        at_least(job, f"5-fold one pass vs RidgeCV (leave-one-out), {len(y):,} rows scaled", ours, loo, 60),
        at_least(job, f"5-fold one pass vs RidgeCV(cv=5), {len(y):,} rows scaled", ours, five, 250),
    ]


def large_jobs(path: Path) -> list[Row]:
    """The large Parquet file: over its bound, over its peers, memory, flatness."""
    job = f"{ROWS:,} x {COLUMNS} Parquet, 5 folds x 100 strengths"
    took = measure(
        {
            "ours": lambda: fit_file(path),
            "read": lambda: read_parquet_blocks(path),
            "syrk": lambda: syrk_blocks(ROWS),
        }
    )
    rows = [at_most(job, "over pure read + one SYRK", took["ours"], took["read"] + took["syrk"], 1.5)]
    rows += peers(path, took["ours"], ROWS)
    once_, four = peak_megabytes([path]), peak_megabytes([path] * 4)
    rows.append(at_most(job, "peak MB over imports (of 450)", once_, 450.0, 1.0))
    rows.append(at_most(job, "peak MB of four times the rows over once", four, once_, 1.15))
    return rows


def flatness(base: Path) -> list[Row]:
    """CPU seconds per row, from 1e5 rows to ten times the large file (read ten times); the best of a few runs."""
    from elltwo.scale.jobs.job import plan_job
    from elltwo.scale.passes.passing import run_job

    small, middle = (
        make_large(base / "small.parquet", 100_000),
        make_large(base / "middle.parquet", 1_000_000),
    )
    large = base / f"large-{ROWS}.parquet"
    sources = {
        100_000: ([small], 9),
        1_000_000: ([middle], 5),
        ROWS: ([large], 3),
        10 * ROWS: ([large] * 10, 1),
    }
    jobs = {rows: plan_job([os.fspath(p) for p in paths], "y") for rows, (paths, _) in sources.items()}
    passes, fits = dict.fromkeys(sources, math.inf), dict.fromkeys(sources, math.inf)
    for turn in range(
        max(runs for _, runs in sources.values())
    ):  # in turn, so that a burst of noise disturbs all
        for rows, (paths, runs) in sources.items():
            if turn < runs:
                passes[rows] = min(passes[rows], once(lambda rows=rows: run_job(jobs[rows])) / rows)
                fits[rows] = min(fits[rows], once(lambda paths=paths: fit_file(paths)) / rows)
    return [_flat("the pass", passes), _flat("plan, pass and fit", fits)]


def _flat(what: str, per_row: dict[int, float]) -> Row:
    most, least = max(per_row, key=per_row.__getitem__), min(per_row, key=per_row.__getitem__)
    claim = f"{what}, s per 1e6 rows: dearest ({most:,} rows) over cheapest ({least:,})"
    dearest, cheapest = per_row[most] * 1e6, per_row[least] * 1e6
    return at_most("time per row, 1e5 to 10 large files", claim, dearest, cheapest, FLAT)


def mixed_jobs(base: Path) -> list[Row]:
    """The CSV with categories and missing values: its pass, and the fit of its 1320 columns."""
    from scipy import linalg

    from elltwo.scale.commands import moments_from
    from elltwo.scale.fitting import fit_set

    path = make_mix(base / f"mix-{MIX_ROWS}.csv", MIX_ROWS)
    moments = moments_from(os.fspath(path), "y")
    columns = len(fit_set(moments, alpha=1.0).names)
    G = np.cov(np.random.default_rng(0).standard_normal((2 * columns, columns)), rowvar=False)
    took = measure(
        {
            "pass": lambda: moments_from(os.fspath(path), "y", threads=1),
            "read": lambda: read_csv_blocks(path),
            "dense": lambda: one_hot_syrk(ONE_HOT_ROWS),
        }
    )
    took |= measure(
        {"fit": lambda: fit_set(moments, alphas=ALPHAS), "eigh": lambda: linalg.eigh(G, driver="evd")}, runs=2
    )
    dense = took["dense"] * MIX_ROWS / ONE_HOT_ROWS
    job = f"{MIX_ROWS:,} x 30 CSV, 5 categories, 5 % missing"
    return [
        at_most(job, "pass over pure CSV read", took["pass"], took["read"], 1.5),
        at_least(job, "pass vs read + one-hot rows + SYRK (scaled)", took["pass"], took["read"] + dense, 15),
        at_most(
            job, f"then 5 folds x 100 strengths over 6 EIGH of {columns}", took["fit"], 6 * took["eigh"], 2
        ),
    ]


def cluster_job(path: Path) -> list[Row]:
    """Two Dask workers against one process, on a cluster that has run such a job before, as one that stands does.

    By the clock, and by the busiest worker's CPU. The clock needs two free cores; CPU seconds say what it would show
    on them, less what waiting costs. The median of seven turns, in each of which both run.
    """
    from elltwo.scale.jobs.job import plan_job
    from elltwo.scale.passes.dask import cluster, run_on_dask
    from elltwo.scale.passes.passing import run_job

    job = plan_job(os.fspath(path), "y")
    turns = []
    with cluster(workers=2) as client:
        for _ in range(TURNS + 1):
            start, cpu = time.perf_counter(), time.process_time()
            run_job(job)
            alone, alone_cpu = time.perf_counter() - start, time.process_time() - cpu
            before, start = client.run(time.process_time), time.perf_counter()
            run_on_dask(job, client=client)
            two, after = time.perf_counter() - start, client.run(time.process_time)
            turns.append((alone, two, alone_cpu, max(after[worker] - before[worker] for worker in after)))
    alone, two, alone_cpu, busiest = (statistics.median(column) for column in zip(*turns[1:], strict=True))
    name = f"{ROWS:,} x {COLUMNS} Parquet"
    return [
        at_least(f"{name}, wall time", "2 Dask workers (a warm cluster) vs one process", two, alone, 1.6),
        at_least(f"{name}, CPU", "busiest of 2 Dask workers vs one process", busiest, alone_cpu, 1.6),
    ]


def run() -> list[Row]:
    """Every job; minutes."""
    with folder() as base, threadpool_limits(1):
        path = make_large(base / f"large-{ROWS}.parquet", ROWS)
        return [*large_jobs(path), *mixed_jobs(base), *flatness(base), *cluster_job(path)]
