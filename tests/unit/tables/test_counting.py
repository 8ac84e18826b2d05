"""Rows of a text file are counted as reading finds them, whatever quotes, blank lines and line ends there are."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elltwo.errors import DataError
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.numbering import numbered
from elltwo.tables.plan import plan_columns
from elltwo.tables.read import iter_batches, open_source, parts
from elltwo.tables.reading import counting
from elltwo.tables.reading.counting import count_rows
from elltwo.tables.reading.csv import Text, describe
from elltwo.tables.reading.csvstream import read_text
from elltwo.tables.reading.storage import Storage

CELLS = st.sampled_from(["a", "d e", 'ab"c', "x" * 50, "1"])
QUOTED = st.sampled_from(['"a"', '"b\nc"', '"x""y"', '""""', '"\n\n"', '"a,b"', '"p,""q"""', '"\r\n"', '""'])


@st.composite
def texts(draw):
    end, columns = draw(st.sampled_from(["\n", "\r\n", "\r"])), draw(st.integers(1, 3))
    cell = draw(st.sampled_from([CELLS, CELLS | QUOTED]))
    rows = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=1, max_size=25))
    lines = [",".join(row) + end * draw(st.integers(1, 2)) for row in rows]
    whole = ",".join(f"h{i}" for i in range(columns)) + end + "".join(lines)
    return whole.rstrip("\r\n") if draw(st.booleans()) else whole


def read(text):
    batches = read_text(text, text.names, as_text(text), 2**14)
    return sum(raw.arrow.num_rows for raw in batches)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts(), st.sampled_from([7, 64, 2**19]))
def test_counting_finds_what_reading_finds(monkeypatch, content, chunk):
    monkeypatch.setattr(counting, "CHUNK", chunk)
    text = describe("t.csv", content.encode())
    found = count_rows(text)
    assert found.whole
    assert found.quoted or '"' not in content
    assert found.rows == read(replace(text, quoted=text.quoted or found.quoted))


def test_counting_stops_where_enough_is_known_and_guesses_the_rest(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1.25,x\n" * 300_000)
    found = count_rows(describe(str(tmp_path / "t.csv")), 1_000)
    assert not found.whole
    assert 1_000 <= found.rows < 150_000
    assert found.about == pytest.approx(300_000, rel=0.01)
    assert count_rows(describe(str(tmp_path / "t.csv")), 400_000).rows == 300_000


def test_packed_and_piped_text_is_counted_too(tmp_path):
    content = b"a,b\n" + b'1,"x\ny"\n' * 5_000
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content))
    assert count_rows(describe(str(tmp_path / "t.csv.gz"))).rows == 5_000
    assert count_rows(describe("-", content)).rows == 5_000
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content * 40)[:-300])
    with pytest.raises(DataError, match="cut off"):
        count_rows(Text(str(tmp_path / "t.csv.gz"), names=("a", "b")))


def test_a_quote_that_never_closes_is_no_endless_field():
    content = b"a,b\n" + b"1,2\n" * 10 + b'3,"4\n' + b"5,6\n" * 10
    assert count_rows(describe("-", content)).rows == 11


def test_a_file_with_other_rows_than_were_counted_stops(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n2,4\n" * 50)
    source = open_source(tmp_path / "t.csv")
    [part] = parts(source)
    plan = plan_columns(source, "b")
    assert sum(b.rows for b in iter_batches(source, plan, only=[replace(part, first_row=0, rows=100)])) == 100
    with pytest.raises(DataError, match="has 100 rows, and 90 were counted before"):
        list(iter_batches(source, plan, only=[replace(part, first_row=0, rows=90)]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts(), st.sampled_from([5, 16, 64]), st.sampled_from([1, 20, 100]))
def test_pieces_of_a_large_file_hold_its_rows_each_once(monkeypatch, tmp_path, content, chunk, piece):
    monkeypatch.setattr(counting, "CHUNK", chunk)
    monkeypatch.setattr(counting, "PIECE", piece)
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode())
    source = open_source(str(path))
    plan = TablePlan(tuple(ColumnPlan(name, "category") for name in source.names))
    monkeypatch.setattr(counting, "LARGE", 2**30)
    whole, [one] = numbered(source, plan, whole=True)
    monkeypatch.setattr(counting, "LARGE", 1)
    same, pieces = numbered(source, plan)
    assert same == whole
    assert [p.first_row for p in pieces] == [p.first_in_file for p in pieces]
    found = [list(rows_of(whole.texts[0], part)) for part in pieces]
    assert [len(rows) for rows in found] == [part.rows for part in pieces]
    assert [row for rows in found for row in rows] == list(rows_of(whole.texts[0], one))


def as_text(text):
    """Every cell as it stands."""
    return Storage(frozenset(), frozenset(text.names), ())


def rows_of(text, part):
    for raw in read_text(text, text.names, as_text(text), 2**14, part):
        yield from zip(*(column.to_pylist() for column in raw.arrow.columns), strict=True)


def test_a_large_file_is_cut_about_evenly_and_a_packed_or_piped_one_is_not(tmp_path, monkeypatch):
    content = "a,b\n" + "".join(f'{i},"x\n{i}"\n' for i in range(20_000))
    monkeypatch.setattr(counting, "CHUNK", 1_000)
    monkeypatch.setattr(counting, "PIECE", 50_000)
    monkeypatch.setattr(counting, "LARGE", 100_000)
    (tmp_path / "t.csv").write_text(content)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content.encode()))
    marks = count_rows(describe(str(tmp_path / "t.csv"))).marks
    assert len(marks) == len(content) // 50_000
    assert all(abs(mark.byte - 50_000 * i) <= 2_000 for i, mark in enumerate(marks, 1))
    assert content[marks[3].byte :].startswith(f"{marks[3].rows},")
    assert count_rows(describe(str(tmp_path / "t.csv.gz"))).marks == ()
    assert count_rows(describe("-", content.encode())).marks == ()
