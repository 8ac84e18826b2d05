"""The recipes of docs/how-to/clusters.md, taken from the page and run on Spark and Ray where these are installed.

Answers must have the bits of one process; an engine that is absent is said, not skipped in silence.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import Row, told

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "clusters.md"
# Rows and rows per row group of each file: small groups as they are, and a large one that is cut into pieces.
FILES, COLUMNS = ((200_000, 20_000), (600_000, 600_000)), 20
PLACE = "/data/part-*.parquet"


def recipe(engine: str) -> str:
    """The first block under the engine's heading."""
    found = re.search(rf"## {engine}\n.*?```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert found is not None, f"{PAGE} has no recipe for {engine}"
    return found[1]


def make(folder: Path) -> str:
    """Files of numbers and a target."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    for i, (rows, group) in enumerate(FILES):
        X = rng.standard_normal((rows, COLUMNS))
        table = {f"x{j}": X[:, j] for j in range(COLUMNS)} | {
            "y": X.sum(axis=1) + rng.standard_normal(len(X))
        }
        parquet.write_table(pa.table(table), folder / f"part-{i}.parquet", row_group_size=group)
    return os.fspath(folder / "part-*.parquet")


@contextmanager
def spark() -> Iterator[dict[str, Any]]:
    """Two local Python workers."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    try:
        yield {"spark": session}
    finally:
        session.stop()


@contextmanager
def ray() -> Iterator[dict[str, Any]]:
    """Two local workers."""
    import ray as engine

    engine.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    try:
        yield {}
    finally:
        engine.shutdown()


def run() -> list[Row]:
    """Wall time of each engine's recipe, the engine already up, beside one process on one thread."""
    from elltwo.scale.commands import fit_moments

    rows = []
    with tempfile.TemporaryDirectory() as made:
        files = make(Path(made))
        start = time.perf_counter()
        expected = fit_moments(files, "y", threads=1).coef
        alone = time.perf_counter() - start
        for name, engine in (("Ray", ray), ("Spark", spark)):
            code = recipe(name).replace(PLACE, files)
            try:
                with engine() as names:
                    start = time.perf_counter()
                    exec(compile(code, name, "exec"), names)
                    took = time.perf_counter() - start
            except ImportError as error:
                print(f"{name}: not run, {error}", file=sys.stderr, flush=True)
                continue
            assert np.array_equal(names["fit"].coef, expected), f"{name} gives other bits"
            rows.append(
                told(
                    f"{sum(rows for rows, _ in FILES):,} x {COLUMNS} Parquet",
                    f"{name} recipe, wall time over one process",
                    took,
                    alone,
                )
            )
    return rows


if __name__ == "__main__":
    run()
