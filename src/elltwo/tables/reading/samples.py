"""A small table that stands for a large source: its head and blocks spread over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from elltwo.errors import DataError
from elltwo.tables.missing import spellings
from elltwo.tables.reading import csv
from elltwo.tables.reading.parquet import AHEAD, OpenFile
from elltwo.tables.reading.readers import Source, family, parts, raws
from elltwo.tables.reading.storage import Storage, judge_cells, sample_cells
from elltwo.tables.source import Origin, Table

if TYPE_CHECKING:
    import pyarrow as pa

ROWS, PLACES = 8192, 12  # rows of each place; row groups that are looked into
PARSED = 1000  # cells of a column of numbers that are parsed: its kind is known already


def sample_table(source: Source, na: Iterable[str], text: Iterable[str], values: bool = True) -> Table:
    """The sample as a table. Its rows have no true row numbers: judge kinds by it, never values.

    Without ``values``, columns that are stored as numbers may be left empty: their kind is known.
    """
    known = spellings(na)
    if source.kind == "csv":
        cells = sample_cells(source.texts)
        storage = judge_cells(cells, source.texts[0].decimal, known).as_text(text)
        arrow = _cells(source, cells, storage)
    else:
        storage = Storage(na=known)
        arrow = _blocks(source, storage, values)
    if not arrow.num_rows:
        raise DataError(f"{source.name} has column names and no rows")
    return Table(arrow, (Origin(source.name),), source.name, source.names, na=storage.na)


def _cells(source: Source, cells: Mapping[str, list[str]], storage: Storage) -> pa.Table:
    import pyarrow as pa

    columns = {}
    for name, column in cells.items():
        blank = set(storage.na)
        if name in storage.numbers:
            few = _floats(column[:PARSED], blank, source.texts[0].decimal)
            columns[name] = pa.concat_arrays([few, pa.nulls(len(column) - len(few), pa.float64())])
        else:
            columns[name] = pa.array(
                [None if v in blank else v for v in column], pa.utf8()
            ).dictionary_encode()
    rows = max((len(c) for c in columns.values()), default=0)
    for key, value in {k: v for file in source.files for k, v in file.partition}.items():
        columns.setdefault(key, pa.array([value] * rows).dictionary_encode())
    return pa.table(columns).select(list(source.names))


def _floats(cells: list[str], blank: set[str], decimal: str) -> pa.Array:
    """Cells of a column of numbers; what is no number is missing."""
    import pyarrow as pa

    if decimal == ".":
        with suppress(pa.ArrowInvalid):
            return pa.array([None if cell in blank else cell for cell in cells], pa.utf8()).cast(pa.float64())
    return pa.array([_float(cell, blank, decimal) for cell in cells], pa.float64())


def _float(cell: str, blank: set[str], decimal: str) -> float | None:
    plain = cell.strip() if decimal == "." else cell.strip().replace(decimal, ".")
    return float(plain) if cell not in blank and csv.NUMBER.fullmatch(plain) else None


def _blocks(source: Source, storage: Storage, values: bool) -> pa.Table:
    import pyarrow as pa

    if not any(part.rows for part in parts(source)):
        raise DataError(f"{source.name} has columns and no rows")
    known = [] if values else _stored_numbers(source)
    wanted = [name for name in source.names if name not in known]
    table = (
        pa.concat_tables(_heads(source, wanted, storage), promote_options="permissive") if wanted else None
    )
    for name in known:
        blank = pa.nulls(1 if table is None else table.num_rows, source.schema.field(name).type)
        table = pa.table({name: blank}) if table is None else table.append_column(name, blank)
    assert table is not None
    return table.select(list(source.names))


def _heads(source: Source, wanted: list[str], storage: Storage) -> list[pa.Table]:
    """The first rows of some row groups spread over the source."""
    every = [p for p in parts(source) if p.rows]
    picked = every[:: max(1, -(-len(every) // PLACES))]
    found, opened = [], OpenFile()
    for part in picked:
        stream = raws(source, wanted, storage, ROWS // AHEAD, [replace(part, first_row=0)], opened)
        head = [raw.table for raw in islice(stream, AHEAD)]
        if not head:
            raise DataError(f"{part.file.short} holds fewer rows than it says: write or copy it again")
        found += head
    return found


def _stored_numbers(source: Source) -> list[str]:
    inside = [name for name in source.names if name in source.schema.names]
    return [name for name in inside if family(source.schema.field(name).type) in ("number", "boolean")]
