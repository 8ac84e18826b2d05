"""Whatever a file holds, it is read or refused in one sentence; memory stays small; nothing heavy loads early."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elltwo.errors import ElltwoError
from elltwo.tables.encode import design
from elltwo.tables.plan import plan_columns
from elltwo.tables.read import iter_batches, read_table

CELLS = [
    "1",
    "-2.5",
    "3e5",
    "NA",
    "x",
    "yes",
    "true",
    "2020-01-01",
    "inf",
    "nan",
    '"',
    '""',
    '"a,b"',
    "é",
    "$5",
    "1,5",
    "1e400",
    "0x1",
    "\\",
]
CELL = st.sampled_from([*CELLS, "", " ", '"a\nb"', "\ufeff", "\x00", "a" * 50])
TEXT = st.lists(st.lists(CELL, max_size=5).map(",".join), max_size=8).map("\n".join).map(str.encode)
HEADED = st.lists(st.tuples(CELL, CELL, st.sampled_from(["1", "2", "", "7.5"])), min_size=1, max_size=30).map(
    lambda rows: ("a,b,y\n" + "\n".join(",".join(r) for r in rows)).encode()
)


def survives(path, target):
    """Read, plan (whole and sampled) and encode: anything but a refusal of ours is a failure."""
    sentences: list[str] = []
    for attempt in (
        lambda: plan_columns(path, target),
        lambda: list(iter_batches(path, plan_columns(path, target))),
        lambda: read_table(path, on_error="retype"),
        lambda: _whole(path, target),
    ):
        try:
            attempt()
        except ElltwoError as error:
            sentences.append(str(error))
    assert all("\n" not in s and len(s) > 20 for s in sentences)


def _whole(path, target):
    table = read_table(path)
    found = design(table, plan_columns(table, target))
    assert np.isfinite(found.X).all()
    assert np.isfinite(found.y).all()


FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(text=st.one_of(TEXT, HEADED, st.binary(max_size=60)))
def test_any_bytes_in_a_csv_file_are_read_or_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "fuzz.csv"
    path.write_bytes(text)
    survives(path, "y")


@FUZZ
@given(at=st.floats(0, 1), value=st.integers(0, 255), cut=st.one_of(st.none(), st.floats(0, 1)))
def test_a_parquet_file_with_a_wrong_byte_or_a_missing_end_is_read_or_refused(tmp_path, at, value, cut):
    rng = np.random.default_rng(0)
    pq.write_table(
        pa.table({"a": rng.standard_normal(30), "b": ["u", "v", None] * 10, "y": rng.standard_normal(30)}),
        tmp_path / "whole.parquet",
        row_group_size=10,
        write_page_checksum=True,
    )
    data = bytearray((tmp_path / "whole.parquet").read_bytes())
    data[int(at * (len(data) - 1))] = value
    path = tmp_path / "fuzz.parquet"
    path.write_bytes(data if cut is None else data[: int(cut * len(data))])
    survives(path, "y")


@pytest.mark.parametrize("value", [1, 128, 255])
def test_every_seventh_byte_of_a_parquet_file_may_be_wrong(tmp_path, value):
    """Without checksums: text that is no text, labels that are not listed, counts of rows that lie."""
    rng = np.random.default_rng(0)
    columns = {"a": rng.standard_normal(30), "b": ["u", "v", None] * 10, "y": rng.standard_normal(30)}
    pq.write_table(pa.table(columns), tmp_path / "whole.parquet", row_group_size=10)
    whole = (tmp_path / "whole.parquet").read_bytes()
    path = tmp_path / "fuzz.parquet"
    for at in range(0, len(whole), 7):
        data = bytearray(whole)
        data[at] = value
        path.write_bytes(data)
        survives(path, "y")


def test_more_columns_than_rows_are_planned_and_encoded():
    rng = np.random.default_rng(0)
    table = pa.table({**{f"x{j}": rng.standard_normal(5) for j in range(300)}, "y": rng.standard_normal(5)})
    assert design(table, plan_columns(table, "y")).X.shape == (5, 300)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_pass_holds_a_small_part_of_the_file(tmp_path, kind):
    rng = np.random.default_rng(0)
    rows, path = 150_000, tmp_path / f"t.{kind}"
    table = pa.table({f"x{j}": rng.standard_normal(rows).round(6) for j in range(8)})
    if kind == "csv":
        pa.csv.write_csv(table, path)
    else:
        pq.write_table(table, path, row_group_size=rows // 30)
    plan = plan_columns(path, None)
    before, most = pa.total_allocated_bytes(), 0
    for batch in iter_batches(path, plan, batch_rows=4096):
        assert batch.rows <= 4096
        most = max(most, pa.total_allocated_bytes() - before)
    limit = {"parquet": 2 * table.nbytes // 30 + 8 * 2 * 65536, "csv": 4 * 4 * 2**20}[kind]
    assert most < limit


def test_nothing_heavy_loads_before_it_is_needed():
    code = (
        "import sys, elltwo, elltwo.facts.plan, elltwo.tables.plan, elltwo.tables.encode, elltwo.tables.datasets\n"
        "print([m for m in ('pyarrow', 'pandas', 'polars', 'torch', 'dask', 'matplotlib', 'sklearn', 'scipy')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
