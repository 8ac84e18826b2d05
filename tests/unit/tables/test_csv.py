"""Text tables: layout, sample, and the exact place of a value that does not fit."""

from __future__ import annotations

import csv as stdlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import BadValue, DataError
from elltwo.tables.missing import NUMBERLIKE, SPELLINGS
from elltwo.tables.plan import plan_columns
from elltwo.tables.read import iter_batches, read_table
from elltwo.tables.reading import csv, csvstream
from elltwo.tables.reading.storage import Storage


def written(tmp_path, text, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def long_table(rows, late=None, at=0):
    """Numbers in every row, and one late surprise in column b."""
    lines = [f"{i},{i * 0.5},{i % 7}" for i in range(rows)]
    if late is not None:
        lines[at] = f"{at},{late},{at % 7}"
    return "a,b,y\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize("value", ["abc", "0x1A", "1_000", "1,5", "12 kg", "2020-01-01", "--"])
def test_a_late_surprise_names_line_column_value_and_both_flags(tmp_path, value):
    path = written(tmp_path, long_table(12_000, f'"{value}"', 10_000))
    with pytest.raises(BadValue) as caught:
        read_table(path)
    error = caught.value
    assert (error.line, error.row, error.column, error.value) == (10_002, 10_001, "b", value)
    assert f"t.csv, line 10002: column 'b' has {value!r}, and the column holds numbers" in str(error)
    assert f"`--na '{value}'`" in str(error)
    assert "`--categorical b`" in str(error)


def test_the_line_counts_blank_lines_and_line_breaks_inside_quotes(tmp_path):
    path = written(
        tmp_path,
        'a,"b\nc",y\n1,"two\nlines",3\n\n\n4,"x",5\n6,"z",?\n' + "".join(f"7,w,{i}\n" for i in range(9)),
    )
    with pytest.raises(BadValue) as caught:
        read_table(path)
    assert caught.value.line == 8
    assert caught.value.value == "?"


@pytest.mark.parametrize("options", [{}, {"columns": ["y", "b"]}, {"drop": ["a"]}])
def test_the_right_column_is_named_when_files_order_theirs_differently(tmp_path, options):
    written(tmp_path, "a,b,c,y\n" + "".join(f"{i},{i * 2},u,{i}\n" for i in range(50)), "0.csv")
    lines = [f"{i},u,{i * 2 if i != 30 else 'oops'},{i}\n" for i in range(50)]
    written(tmp_path, "y,c,b,a\n" + "".join(lines), "1.csv")
    with pytest.raises(BadValue, match=r"1\.csv, line 32: column 'b' has 'oops'"):
        read_table(tmp_path, **options)


def test_the_flags_that_an_error_names_settle_it(tmp_path):
    path = written(tmp_path, long_table(3000, "?", 2000))
    assert read_table(path, na="?").arrow.column("b").null_count == 1
    assert str(read_table(path, categorical="b").arrow.schema.field("b").type).startswith("dictionary")
    table = read_table(path, on_error="retype")
    assert str(table.arrow.schema.field("b").type).startswith("dictionary")
    assert table.notes == ("column 'b' is read as text, because of '?'",)


def test_whole_numbers_then_broken_ones_are_never_rounded(tmp_path):
    path = written(tmp_path, "x,y\n" + "3,1\n" * 20_000 + "3.5,2\n")
    assert read_table(path).arrow.column("x")[20_000].as_py() == 3.5


def test_a_column_that_is_empty_for_a_long_time_is_still_numbers(tmp_path):
    path = written(tmp_path, "x,y,z\n" + ",1,2\n" * 20_000 + "1.5,2,2\n2.5,2,3\n")
    plan = plan_columns(read_table(path), "y")
    assert plan.column("x").kind == "number"
    assert plan.column("x").impute == (2.0,)


def test_every_documented_spelling_of_missing_is_missing_in_numbers_and_text(tmp_path):
    rows = "".join(f"{'' if s == '' else s},{s},1\n" for s in SPELLINGS)
    path = written(tmp_path, "x,c,y\n" + "1.5,a,2\n" * 30 + "2.5,b,3\n" * 30 + rows)
    table = read_table(path)
    plan = plan_columns(table, "y")
    batch = next(iter_batches(table, plan))
    assert batch.missing[:, 0].sum() == len(SPELLINGS)
    assert (batch.codes[:, 0] == -1).sum() == len(SPELLINGS)
    assert plan.column("c").levels == ("a", "b")


def test_blanks_around_values_and_missing_values_do_no_harm(tmp_path):
    path = written(tmp_path, "x , c, y\n" + " 1.5 , a , 2\n 2.5, b,3\n  , NA , 4\n" * 5)
    table = read_table(path)
    assert table.names == ("x", "c", "y")
    plan = plan_columns(table, "y")
    assert plan.column("x").missing
    assert plan.column("c").levels == ("a", "b")


def test_a_number_declared_missing_is_missing_in_text_and_in_typed_files(tmp_path):
    import pandas as pd

    path = written(tmp_path, "x,y\n-200,1\n-200.0,2\n3,4\n5,6\n")
    typed = pd.DataFrame({"x": [-200, -200, 3, 5], "y": [1.0, 2, 4, 6]})
    for source in (read_table(path, na="-200"), typed):
        assert plan_columns(source, "y", na="-200").column("x").impute == (4.0,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "t.csv is empty: a table has a line of column names"),
        ("\n\n  \n", "t.csv is empty"),
        ("a,b\n", "t.csv has column names and no rows"),
        ("a,b", "t.csv has column names and no rows"),
        ("1,2,3\n4,5,6\n", r"the first line of .*t.csv holds numbers \(1, 2, 3\) where column names belong"),
        ("a,b,a\n1,2,3\n", r"two columns named 'a' \(number 1 and 3\): rename one"),
        ("a b c\n1 2 3\n", "which looks separated by blanks: separate by commas or tabs"),
        ("a,b\n1,2\n3,4,5\n", r"line 3: 3 fields where the header has 2; mend the line, or quote"),
        ("a,b\n1,2\n3\n", r"line 3: 1 field where the header has 2"),
        (
            'a,b\n1,2\n"3,4\n5,6\n',
            r"line 4: 1 field where the header has 2; look for a quote that is never closed",
        ),
        (
            "x,y\na,1,2\nb,2,3\n",
            r"line 2: 3 fields where the header has 2; .*name the column that the header leaves out",
        ),
        (
            "a,b\n" + "".join(f"{i},2\n" for i in range(9)) + "x" * 90 + ",4\n",
            r"line 11: .* holds numbers; mend the line, or use `--categorical a`",
        ),
        (
            b"a,b\n1,caf\xe9\n",
            r"line 2, is not written in UTF-8: .* use `--encoding cp1252`, or convert it with `iconv",
        ),
        (b"caf\xe9,b\n1,2\n", r"line 1, is not written in UTF-8"),
        (
            "a,b\n1,2\n".encode("utf-16"),
            "is written in UTF-16, and elltwo reads UTF-8: use `--encoding utf-16`, or convert it",
        ),
        (b"a,b\n\0\0\0\0\n", "is no text .it holds zero bytes."),
        (b"\x1f\x8b\x08\x00abc", "is not a complete gzip file"),
    ],
)
def test_a_bad_text_table_gets_one_sentence(tmp_path, text, sentence):
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=sentence) as caught:
        read_table(path)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_a_wrong_byte_far_down_is_found_and_its_line_named(tmp_path):
    rows = b"".join(b"%d,x,1\n" % i for i in range(20_000))
    path = written(tmp_path, b"a,c,y\n" + rows + b"1,caf\xe9,2\n")
    with pytest.raises(DataError, match=r"t\.csv, line 20002, is not written in UTF-8"):
        read_table(path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_a_declared_encoding_is_read(tmp_path, encoding):
    path = written(tmp_path, "name,y\ncafé,1\nthé,2\ncafé,3\n".encode(encoding))
    plan = plan_columns(read_table(path, encoding=encoding), "y")
    assert plan.column("name").levels == ("café", "thé")


def test_an_unnamed_first_column_of_row_numbers_is_left_out(tmp_path):
    path = written(tmp_path, ",x,y\n" + "".join(f"{i},{i * i % 11},{i % 5}\n" for i in range(20)))
    plan = plan_columns(read_table(path), "y")
    assert [(c.name, c.reason) for c in plan.dropped] == [("unnamed_1", "it numbers the rows")]


def test_a_sorted_file_is_sampled_to_its_end(tmp_path):
    """The head alone shows numbers; only the blocks further down show names."""
    lines = [f"{i},{i if i < 100_000 else 'n' + str(i % 20_000)},{i % 3}" for i in range(300_000)]
    path = written(tmp_path, "i,code,y\n" + "\n".join(lines) + "\n")
    cells = csv.sample(csv.describe(str(path)))
    assert len(cells) < 100_000
    assert any(row[1].startswith("n") for row in cells)
    assert all(len(row) == 3 for row in cells)
    assert plan_columns(path, "y").column("code").kind == "category"


FIELD = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=64).map(repr),
    st.sampled_from(["NA", "", "null"]),
)
LABEL = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6).map(
    lambda s: "t" + s
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(FIELD, LABEL), min_size=2, max_size=30),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([stdlib.QUOTE_MINIMAL, stdlib.QUOTE_ALL, stdlib.QUOTE_NONNUMERIC]),
)
def test_what_python_writes_is_read_bit_for_bit(tmp_path_factory, rows, delimiter, ending, quoting):
    buffer = io.StringIO(newline="")
    writer = stdlib.writer(buffer, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerows([("x", "name", "one"), *((x, name, "1.5") for x, name in rows)])
    path = tmp_path_factory.mktemp("h") / "t.csv"
    path.write_bytes(buffer.getvalue().encode())
    arrow = read_table(path, categorical="name").arrow
    expected = [None if x in ("NA", "", "null") else float(x) for x, _ in rows]
    if any(v is not None for v in expected):
        assert arrow.column("x").to_pylist() == expected
    assert arrow.column("name").to_pylist() == [name for _, name in rows]
    assert arrow.column("one").to_pylist() == [1.5] * len(rows)


def test_blocks_of_any_size_hold_the_same_rows(tmp_path, monkeypatch):
    path = written(tmp_path, long_table(5000))
    plan = plan_columns(path, "y")
    whole = np.concatenate([b.numbers for b in iter_batches(path, plan)])
    monkeypatch.setattr(csvstream, "PARSED", 4096)
    found = list(iter_batches(path, plan, batch_rows=77))
    assert max(b.rows for b in found) <= 77
    assert [b.first_row for b in found] == np.cumsum([0] + [b.rows for b in found])[:-1].tolist()
    np.testing.assert_array_equal(np.concatenate([b.numbers for b in found]), whole)


def test_blocks_of_a_text_table_fill_up_and_leave_no_crumbs(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("a,b\n" + "".join(f"{i},{i % 7}.25\n" for i in range(400_000)))
    text = csv.describe(str(path))
    found = list(csvstream.read_text(text, ("a", "b"), Storage(frozenset("ab")), 200_000))
    sizes = [r.arrow.num_rows for r in found]
    assert sum(sizes) == 400_000
    assert max(sizes) <= 200_000
    assert min(sizes[:-1]) > 100_000
    blocks = [
        len(b.targets) for b in iter_batches(str(path), plan_columns(str(path), "b"), batch_rows=16_000)
    ]
    assert sum(blocks) == 400_000
    assert max(blocks) <= 16_000
    assert min(blocks) > 4_000


def test_a_row_too_long_for_a_small_block_is_read_with_a_larger_one_and_none_twice(tmp_path):
    path = tmp_path / "long.csv"
    rows = [f"{i},{'x' * (2_000_000 if i == 40_000 else 60)}" for i in range(40_010)]
    path.write_text("a,t\n" + "\n".join(rows) + "\n")
    text, storage = csv.describe(str(path)), Storage(frozenset("a"), frozenset("t"))
    found = list(csvstream.read_text(text, ("a", "t"), storage, 2**14))
    assert [r.first_row for r in found] == list(np.cumsum([0, *(r.arrow.num_rows for r in found)])[:-1])
    numbers = np.concatenate([r.arrow.column("a").to_numpy() for r in found])
    np.testing.assert_array_equal(numbers, np.arange(40_010.0))
    rows[40_000] = "0," + "x" * 9_000_000
    path.write_text("a,t\n" + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match="a row longer than 4,194,304 bytes"):
        list(csvstream.read_text(csv.describe(str(path)), ("a", "t"), storage, 2**14))


@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("spelling", sorted(NUMBERLIKE))
def test_a_missing_value_that_begins_as_a_number_is_missing_wherever_it_stands(tmp_path, spelling, comma):
    rows = 60_000
    numbers = [spelling if i in (45_000, 59_999) else f"{i}.5" for i in range(rows)]
    labels = [spelling if i in (45_001, 59_998) else "ab"[i % 2] for i in range(rows)]
    lines = "".join(f"{a};{b};{i % 7}\n" for i, (a, b) in enumerate(zip(numbers, labels, strict=True)))
    path = written(tmp_path, "x;c;y\n" + (lines.replace(".5", ",5") if comma else lines))
    plan = plan_columns(path, "y")
    batches = list(iter_batches(path, plan))
    x = np.concatenate([b.columns[0] for b in batches])
    assert np.flatnonzero(np.isnan(x)).tolist() == [45_000, 59_999]
    assert np.nansum(x) == sum(i + 0.5 for i in range(rows) if i not in (45_000, 59_999))
    codes = np.concatenate([b.codes[:, 0] for b in batches])
    assert np.flatnonzero(codes == -1).tolist() == [45_001, 59_998]
    assert [b.first_row for b in batches] == np.cumsum([0, *(b.rows for b in batches)])[:-1].tolist()


@pytest.mark.parametrize("mark", ["\t", ";", "|"])
def test_the_separator_is_told_by_rows_though_a_quoted_field_has_many_lines(tmp_path, mark):
    note = '"' + "a line, and\n" * 40 + '"'
    rows = [["x", "note", "y"], *([str(i), note, str(i % 3)] for i in range(6))]
    text = "\n".join(mark.join(row) for row in rows)
    assert read_table(written(tmp_path, text)).names == ("x", "note", "y")
