"""One table, every way in: the same columns, the same plan, the same design."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from elltwo.errors import BadValue, DataError
from elltwo.tables.encode import design
from elltwo.tables.plan import plan_columns
from elltwo.tables.read import open_source, parts, read_table

N = 60


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(N)
    x[::7] = np.nan
    city = pd.Series(rng.choice(["Rome", "Oslo", "Bern, CH"], N))
    city[5] = None
    return pd.DataFrame(
        {
            "x": x,
            "count": rng.integers(0, 9, N),
            "city": city,
            "yes": rng.random(N) > 0.5,
            "y": rng.standard_normal(N),
        }
    )


WRITERS = {
    "a.csv": lambda f, p: f.to_csv(p, index=False),
    "a.csv.gz": lambda f, p: f.to_csv(p, index=False),
    "a.tsv": lambda f, p: f.to_csv(p, index=False, sep="\t"),
    "semicolon.csv": lambda f, p: f.to_csv(p, index=False, sep=";"),
    "comma.csv": lambda f, p: f.to_csv(p, index=False, sep=";", decimal=","),
    "pipe.txt": lambda f, p: f.to_csv(p, index=False, sep="|"),
    "bom.csv": lambda f, p: p.write_bytes(b"\xef\xbb\xbf" + f.to_csv(index=False).encode()),
    "dos.csv": lambda f, p: f.to_csv(p, index=False, lineterminator="\r\n"),
    "na.csv": lambda f, p: f.to_csv(p, index=False, na_rep="NA"),
    "a.parquet": lambda f, p: f.to_parquet(p, row_group_size=7),
    "a.feather": lambda f, p: pa.feather.write_feather(pa.Table.from_pandas(f), str(p), chunksize=11),
    "a.arrow": lambda f, p: _ipc(pa.Table.from_pandas(f), p),
}

FRAMES = {
    "pandas": lambda f: f,
    "pandas with an index": lambda f: f.set_index(pd.Index([f"r{i}" for i in range(N)], name="who")),
    "pandas categories": lambda f: f.astype({"city": "category"}),
    "Polars": pl.from_pandas,
    "pyarrow": pa.Table.from_pandas,
    "record batches": lambda f: pa.Table.from_pandas(f).to_reader(13),
    "columns": lambda f: pa.Table.from_pandas(f).to_pydict(),
}


def _ipc(table, path):
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=9)


def same(left, right):
    assert left.names == right.names
    np.testing.assert_allclose(left.X, right.X, rtol=1e-14, atol=1e-16)  # means are summed in other blocks
    np.testing.assert_array_equal(left.y, right.y)


def fitted(source):
    table = read_table(source)
    return design(table, plan_columns(table, "y"))


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_design_of_the_frame(tmp_path, frame, name):
    WRITERS[name](frame, tmp_path / name)
    same(fitted(tmp_path / name), fitted(frame))


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same_design(frame, kind):
    table = FRAMES[kind](frame)
    expected = fitted(frame)
    if kind == "record batches":  # a stream is read once
        read = read_table(table)
        same(design(read, plan_columns(read, "y")), expected)
    else:
        same(design(table, plan_columns(table, "y")), expected)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.arrow"])
def test_standard_input_carries_every_format(tmp_path, frame, name, monkeypatch):
    WRITERS[name](frame, tmp_path / name)

    class Stdin:
        buffer = io.BytesIO((tmp_path / name).read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin)
    same(fitted("-"), fitted(frame))


def test_parts_of_a_table_are_one_table(tmp_path, frame):
    for i, piece in enumerate(np.array_split(np.arange(N), 4)):
        frame.iloc[piece].to_csv(tmp_path / f"part-{i}.csv", index=False)
        frame.iloc[piece].to_parquet(tmp_path / f"part-{i}.parquet", row_group_size=4)
    expected = fitted(frame)
    same(fitted(str(tmp_path / "part-*.csv")), expected)
    same(fitted(str(tmp_path / "*.parquet")), expected)
    same(fitted([tmp_path / f"part-{i}.parquet" for i in range(4)]), expected)


def test_hive_folders_become_a_column(tmp_path, frame):
    for key, piece in frame.groupby("count"):
        (tmp_path / f"count={key}").mkdir()
        piece.drop(columns="count").to_parquet(tmp_path / f"count={key}" / "p.parquet")
    ordered = frame.sort_values("count", kind="stable")
    table = read_table(tmp_path)
    found = design(table, plan_columns(table, "y"))
    expected = fitted(ordered)
    assert sorted(found.names) == sorted(expected.names)
    for at, name in enumerate(found.names):
        np.testing.assert_allclose(found.X[:, at], expected.X[:, expected.names.index(name)], rtol=1e-14)


def test_an_address_is_read_through_fsspec(tmp_path, frame):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    with memory.open("/elltwo/a.parquet", "wb") as file:
        file.write(_bytes(frame))
    same(fitted("memory://elltwo/a.parquet"), fitted(frame))
    for name in ("a.csv", "a.csv.gz"):
        WRITERS[name](frame, tmp_path / name)
        with memory.open(f"/elltwo/{name}", "wb") as file:
            file.write((tmp_path / name).read_bytes())
        same(fitted(f"memory://elltwo/{name}"), fitted(frame))
    same(fitted(f"file://{_saved(tmp_path, frame)}"), fitted(frame))


def _bytes(frame):
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def _saved(tmp_path, frame):
    frame.to_parquet(tmp_path / "remote.parquet")
    return tmp_path / "remote.parquet"


def test_row_groups_know_their_global_rows(tmp_path, frame):
    for i in range(2):
        frame.to_parquet(tmp_path / f"{i}.parquet", row_group_size=25)
    found = parts(open_source(str(tmp_path / "*.parquet")))
    assert [(p.row_group, p.first_row, p.first_in_file, p.rows) for p in found] == [
        (0, 0, 0, 25), (1, 25, 25, 25), (2, 50, 50, 10), (0, 60, 0, 25), (1, 85, 25, 25), (2, 110, 50, 10),
    ]  # fmt: skip


def test_whole_numbers_in_one_file_and_broken_ones_in_another_go_together(tmp_path):
    pd.DataFrame({"x": [1, 2, 3], "y": [1.0, 2.0, 4.0]}).to_parquet(tmp_path / "0.parquet")
    pd.DataFrame({"x": [1.5, 2.5], "y": [1.0, 2.0]}).to_parquet(tmp_path / "1.parquet")
    assert fitted(str(tmp_path / "*.parquet")).X[:, 0].tolist() == [1, 2, 3, 1.5, 2.5]


def test_text_in_one_file_and_numbers_in_another_are_refused_with_both_names(tmp_path):
    pd.DataFrame({"x": [1, 2], "y": [1.0, 2.0]}).to_parquet(tmp_path / "0.parquet")
    pd.DataFrame({"x": ["a", "b"], "y": [1.0, 2.0]}).to_parquet(tmp_path / "1.parquet")
    with pytest.raises(
        DataError, match=r"column 'x' holds numbers in .*0\.parquet.* and texts in .*1\.parquet"
    ):
        read_table(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_column_that_only_some_files_have_is_refused(tmp_path, ending):
    for i, frame in enumerate([pd.DataFrame({"x": [1.0], "y": [2.0]}), pd.DataFrame({"y": [2.0]})]):
        getattr(frame, f"to_{ending}")(tmp_path / f"{i}.{ending}", index=False)
    with pytest.raises(DataError, match=rf"1\.{ending} has no column 'x', and .*0\.{ending} has"):
        read_table(str(tmp_path / f"*.{ending}"))


def test_a_truncated_parquet_file_is_refused(tmp_path, frame):
    whole = _bytes(frame)
    path = tmp_path / "cut.parquet"
    for size in (0, 3, 100, len(whole) - 5):
        path.write_bytes(whole[:size])
        with pytest.raises(
            DataError, match=r"cut\.parquet is not a complete Parquet file .*write or copy it again"
        ):
            read_table(path)


def test_damage_inside_a_parquet_file_names_the_row_group(tmp_path, frame):
    path = tmp_path / "bad.parquet"
    frame[["x", "y"]].to_parquet(path, row_group_size=30, compression="gzip")
    meta = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    start = meta.dictionary_page_offset or meta.data_page_offset
    data[start + 20 : start + meta.total_compressed_size] = b"\xff" * (meta.total_compressed_size - 20)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"bad\.parquet is damaged in row group 1"):
        read_table(path)


def test_a_truncated_arrow_file_and_a_cut_gzip_are_refused(tmp_path, frame):
    WRITERS["a.arrow"](frame, tmp_path / "a.arrow")
    path = tmp_path / "cut.arrow"
    path.write_bytes((tmp_path / "a.arrow").read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cut\.arrow is not a complete Arrow file"):
        read_table(path)
    rng = np.random.default_rng(0)
    big = pd.DataFrame({"x": rng.random(20000), "y": rng.random(20000)}).to_csv(index=False).encode()
    packed = gzip.compress(big)
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"cut\.csv\.gz is cut off or damaged|is not a complete gzip file"):
        read_table(tmp_path / "cut.csv.gz")


def test_a_frame_that_mixes_text_and_numbers_names_row_and_value():
    with pytest.raises(
        BadValue, match=r"row 3: column 'a' has 'x', and row 1 has 1: make the column all"
    ) as caught:
        read_table(pd.DataFrame({"a": [1, 2, "x"], "y": [1, 2, 3]}))
    assert (caught.value.row, caught.value.column, caught.value.value) == (3, "a", "x")


@pytest.mark.parametrize("make", [pd.DataFrame, lambda a, columns: pa.table(a.T.tolist(), names=columns)])
def test_a_frame_with_a_repeated_name_is_refused(make):
    with pytest.raises(DataError, match=r"two columns named 'a' \(number 1 and 3\): rename one"):
        read_table(make(np.eye(3), columns=["a", "b", "a"]))


def test_a_lazy_frame_is_refused_with_the_remedy(frame):
    with pytest.raises(DataError, match=r"call \.collect\(\) on it first"):
        read_table(pl.from_pandas(frame).lazy())


def test_something_else_is_refused():
    with pytest.raises(
        DataError, match="a source is a path, a list of paths or a data frame, and this is int"
    ):
        read_table(3)


def test_numbers_of_every_type_become_float64():
    table = pa.table(
        {
            "i8": pa.array([1, None, -3], pa.int8()),
            "u64": pa.array([1, 2**53, 3], pa.uint64()),
            "f16": pa.array(np.array([1, 2.5, 3], np.float16)),
            "f32": pa.array([1, 2.5, None], pa.float32()),
            "dec": pa.array([1, 2, 4], pa.int64()).cast(pa.decimal128(21, 2)),
            "dic": pa.array([1.5, 2.5, 1.5]).dictionary_encode(),
            "txt": pa.array(["1", " 2.5 ", "NA"], pa.string_view()),
            "y": [1.0, 2.0, 3.0],
        }
    )
    found = design(table, plan_columns(table, "y"))
    assert found.X.dtype == np.float64
    column = dict(zip(found.names, found.X.T.tolist(), strict=True))
    assert column["i8"] == [1, -1, -3]  # the mean of 1 and -3 stands in
    assert column["i8 missing"] == [0, 1, 0]
    assert column["u64"] == [1, 2**53, 3]
    assert column["dec"] == [1, 2, 4]
    assert column["dic"] == [1.5, 2.5, 1.5]
    assert column["txt"] == [1, 2.5, 1.75]


@pytest.mark.parametrize("index", [[7, 3, 5], list("abc"), [[1, 1, 2], [1, 2, 1]]])
def test_the_index_of_a_pandas_frame_is_never_a_column(tmp_path, index):
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0], "y": [0.5, 1.0, 3.0]}, index=index)
    assert read_table(frame).names == ("a", "y")
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").names == ("a", "y")
    assert [c.name for c in plan_columns(tmp_path / "t.parquet", "y").columns] == ["a"]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (pd.Series([1.0, 2.0], name="y"), "a series is one column, .* give a frame"),
        ({"x": 5, "y": [1.0, 2.0]}, "column 'x' is no list of values"),
        ({"x": np.ones((2, 2)), "y": [1.0, 2.0]}, "column 'x' is no list of values"),
        (
            pd.DataFrame({"x": [pd.NA, 1, "a"], "y": [1.0, 2, 3]}),
            "row 3: column 'x' has 'a', and row 2 has 1",
        ),
    ],
)
def test_what_is_no_table_gets_one_sentence(source, sentence):
    with pytest.raises(DataError, match=sentence):
        read_table(source)
