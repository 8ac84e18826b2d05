"""A small table that stands for a large source: its head and blocks spread over it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from elltwo.errors import DataError
from elltwo.tables import csv
from elltwo.tables.parquet import OpenFile
from elltwo.tables.readers import Source, parts, raws
from elltwo.tables.source import Origin, Table
from elltwo.tables.storage import Storage, sample_cells, storage_of

if TYPE_CHECKING:
    import pyarrow as pa

ROWS, PLACES = 8192, 12  # rows of each place; row groups that are looked into


def sample_table(source: Source, na: Iterable[str], text: Iterable[str]) -> Table:
    """The sample as a table. Its rows have no true row numbers: judge kinds by it, never values."""
    storage = storage_of(source.texts, na, text)
    arrow = _cells(source, storage) if source.kind == "csv" else _blocks(source, storage)
    if not arrow.num_rows:
        raise DataError(f"{source.name} has column names and no rows")
    return Table(arrow, (Origin(source.name),), source.name, source.names, na=storage.na)


def _cells(source: Source, storage: Storage) -> pa.Table:
    import pyarrow as pa

    cells, columns = sample_cells(source.texts), {}
    for name, column in cells.items():
        blank = set(storage.na)
        if name in storage.numbers:
            columns[name] = pa.array(
                [_float(v, blank, source.texts[0].decimal) for v in column], pa.float64()
            )
        else:
            columns[name] = pa.array(
                [None if v in blank else v for v in column], pa.utf8()
            ).dictionary_encode()
    rows = max((len(c) for c in columns.values()), default=0)
    for key, value in {k: v for file in source.files for k, v in file.partition}.items():
        columns.setdefault(key, pa.array([value] * rows).dictionary_encode())
    return pa.table(columns).select(list(source.names))


def _float(cell: str, blank: set[str], decimal: str) -> float | None:
    plain = cell.strip() if decimal == "." else cell.strip().replace(decimal, ".")
    return float(plain) if cell not in blank and csv.NUMBER.fullmatch(plain) else None


def _blocks(source: Source, storage: Storage) -> pa.Table:
    import pyarrow as pa

    every = [p for p in parts(source) if p.rows]
    picked = every[:: max(1, -(-len(every) // PLACES))]
    found, opened = [], OpenFile()
    for part in picked:
        raw = next(raws(source, source.names, storage, ROWS, [replace(part, first_row=0)], opened))
        found.append(pa.Table.from_batches([raw.arrow]))
    if not found:
        raise DataError(f"{source.name} has columns and no rows")
    return pa.concat_tables(found, promote_options="permissive")
