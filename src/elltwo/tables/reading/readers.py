"""One face for every kind of source: its columns, a sample of it, and its rows as batches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from elltwo.errors import BadValue, DataError
from elltwo.tables.files import DataFile, format_of_bytes, list_files, read_stdin
from elltwo.tables.reading import arrow, csv, parquet
from elltwo.tables.reading.csvstream import read_text
from elltwo.tables.reading.parquet import Part
from elltwo.tables.reading.storage import Storage
from elltwo.tables.source import Origin, Raw, Table, closest

if TYPE_CHECKING:
    import pyarrow as pa


NAMELESS_INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name in a file


@dataclass(frozen=True)
class Source:
    """Something with rows: text files, Parquet or Arrow files, or a table in memory."""

    name: str
    names: tuple[str, ...]
    files: tuple[DataFile, ...] = ()
    texts: tuple[csv.Text, ...] = ()
    frame: Table | None = None
    schema: Any = None

    @property
    def kind(self) -> str:
        """csv, parquet, arrow or frame."""
        return "frame" if self.frame is not None else self.files[0].format


def open_source(source: object, encoding: str = "utf-8") -> Source:
    """Look at a source without reading its rows: files, format, names.

    Raises
    ------
    DataError
        If it does not exist, is empty or damaged, repeats names, or its files do not fit each other.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, Table):
        return _in_memory(source)
    if arrow.is_frame(source):
        table = arrow.frame_table(source)
        return _in_memory(_table(table, arrow.FRAME))
    files = list_files(source)
    if files[0].format == "unknown":
        return _piped(files[0], encoding)
    if len(formats := sorted({f.format for f in files})) > 1:
        raise DataError(f"the source mixes {' and '.join(formats)} files: give one format at a time")
    if files[0].format == "csv":
        return _texts(tuple(csv.describe(f.path, None, encoding) for f in files), files)
    return _typed(files)


def _table(table: pa.Table, name: str) -> Table:
    return Table(table, (Origin(name),), name, tuple(table.column_names))


def _in_memory(table: Table) -> Source:
    return Source(table.name, table.names, frame=table, schema=table.arrow.schema)


def _piped(file: DataFile, encoding: str) -> Source:
    """Standard input or a pipe: read once, kept in memory."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    if file.path == "-":
        data = read_stdin()
    else:
        with open(file.path, "rb") as stream:
            data = stream.read()
    kind = format_of_bytes(data[:8])
    if kind == "csv":
        return _texts((csv.describe(file.path, data, encoding),), (replace(file, format="csv"),))
    try:
        buffer = pa.BufferReader(data)
        table = pq.read_table(buffer) if kind == "parquet" else pa.ipc.open_file(buffer).read_all()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file.short} is not a complete {kind} file: {error}") from None
    return _in_memory(_table(table, file.short))


def _title(files: Sequence[DataFile]) -> str:
    return files[0].short if len(files) == 1 else f"{files[0].short} and {len(files) - 1} more files"


def _texts(texts: tuple[csv.Text, ...], files: tuple[DataFile, ...]) -> Source:
    first = texts[0]
    for text in texts[1:]:
        _same_columns(set(first.names), set(text.names), first.short, text.short)
    names = first.names + _partition_names(files, first.names)
    return Source(_title(files), names, files, texts)


def _same_columns(ours: set[str], theirs: set[str], first: str, other: str) -> None:
    if absent := sorted(ours - theirs):
        raise DataError(
            f"{other} has no column {absent[0]!r}, and {first} has: give files with the same columns"
        )


def _typed(files: tuple[DataFile, ...]) -> Source:
    look = parquet.parquet_layout if files[0].format == "parquet" else parquet.arrow_layout
    schema, first = look(files[0])
    known = [first]
    for file in files[1:]:
        other, file = look(file)
        known.append(file)
        _same_columns(set(schema.names), set(other.names), first.short, file.short)
        _same_types(schema, other, first.short, file.short)
    from elltwo.tables.source import check_names

    check_names(tuple(schema.names), first.short)
    stored = tuple(n for n in schema.names if not NAMELESS_INDEX.fullmatch(n))
    names = stored + _partition_names(files, stored)
    return Source(_title(files), names, tuple(known), schema=schema)


def _same_types(ours: pa.Schema, theirs: pa.Schema, first: str, other: str) -> None:
    """Whole and broken numbers go together; numbers and text do not."""
    for name in ours.names:
        a, b = family(ours.field(name).type), family(theirs.field(name).type)
        if a != b and "empty" not in (a, b):
            raise DataError(
                f"column {name!r} holds {a}s in {first} ({ours.field(name).type}) and {b}s in {other} "
                f"({theirs.field(name).type}): write it alike, or leave it out with `--drop {name}`"
            )


def family(kind: pa.DataType) -> str:
    """number, boolean, text, date, empty or other: what a type of Arrow means to a plan."""
    from pyarrow import types as t

    if t.is_dictionary(kind):
        return family(kind.value_type)
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return "number"
    if t.is_boolean(kind):
        return "boolean"
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return "text"
    if t.is_date(kind) or t.is_timestamp(kind):
        return "date"
    return "empty" if t.is_null(kind) else "other"


def _partition_names(files: Sequence[DataFile], names: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(key for file in files for key, _ in file.partition))
    return tuple(key for key in found if key not in names)


def parts(source: Source) -> tuple[Part, ...]:
    """What can be read on its own: row groups with exact row numbers; text files whole, their rows unknown."""
    if source.kind == "csv":
        return tuple(Part(file, None, 0 if i == 0 else None) for i, file in enumerate(source.files))
    if source.frame is not None:
        return (Part(DataFile(source.name, "frame"), None, 0, 0, source.frame.rows),)
    found: list[Part] = []
    one = parquet.parquet_parts if source.kind == "parquet" else parquet.arrow_parts
    for file in source.files:
        start = 0 if not found else (found[-1].first_row or 0) + (found[-1].rows or 0)
        found += one(file, start)
    return tuple(found)


def raws(
    source: Source,
    columns: Sequence[str],
    storage: Storage,
    batch_rows: int = 16384,
    only: Sequence[Part] | None = None,
    opened: parquet.OpenFile | None = None,
) -> Iterator[Raw]:
    """Stream columns of a source, or of some of its parts, as Arrow batches that know where they stand."""
    if source.frame is not None:
        yield from source.frame.raws(tuple(columns), batch_rows)
        return
    at, opened = 0, opened or parquet.opened_here()
    for part in parts(source) if only is None else only:
        first = at if part.first_row is None else part.first_row
        outside = dict(part.file.partition)
        inside = [c for c in columns if c not in outside]
        for raw in _part_raws(source, replace(part, first_row=first), inside, storage, batch_rows, opened):
            at = raw.first_row + raw.arrow.num_rows
            yield _with_partition(raw, part.file, columns)


def _part_raws(
    source: Source,
    part: Part,
    columns: Sequence[str],
    storage: Storage,
    rows: int,
    opened: parquet.OpenFile,
) -> Iterator[Raw]:
    if source.kind != "csv":
        text = frozenset(c for c in columns if family(source.schema.field(c).type) == "text")
        yield from parquet.read_part(part, columns, text - storage.plain, rows, opened)
        return
    layout, seen = next(t for t in source.texts if t.path == part.file.path), 0
    for raw in read_text(layout, columns, storage, rows, part):
        n = raw.arrow.num_rows
        seen += n
        step = -(-n // -(-n // rows))  # pieces of one size, none of them a crumb
        for start in range(0, n, step):
            yield Raw(raw.arrow.slice(start, step), raw.origin, raw.first_row + start)
    if part.rows is not None and seen != part.rows:
        raise DataError(
            f"{layout.short} has {seen:,} rows, and {part.rows:,} were counted before: if it has not changed, look for "
            f"a quote inside a field, and write it twice within quotes"
        )


def _with_partition(raw: Raw, file: DataFile, columns: Sequence[str]) -> Raw:
    if not file.partition:
        return raw
    import pyarrow as pa

    values, n = dict(file.partition), raw.arrow.num_rows
    arrays = [
        pa.array([values[c]] * n).dictionary_encode() if c in values else raw.arrow.column(c) for c in columns
    ]
    return replace(raw, arrow=type(raw.arrow).from_arrays(arrays, names=list(columns)))


def collect(source: Source, columns: Sequence[str], storage: Storage, on_error: str) -> Table:
    """Read the columns of a source into memory; with ``on_error='retype'`` a mixed column becomes text."""
    import pyarrow as pa

    if source.frame is not None:
        return replace(source.frame, arrow=source.frame.arrow.select(list(columns)), known=source.names)
    notes: list[str] = []
    while True:
        try:
            found = list(raws(source, columns, storage, batch_rows=2**17))
            break
        except BadValue as error:
            if on_error != "retype" or error.column not in storage.numbers:
                raise
            storage = storage.as_text([str(error.column)])
            notes.append(f"column {error.column!r} is read as text, because of {error.value!r}")
    if not found:
        raise DataError(f"{source.name} has column names and no rows")
    # permissive: whole numbers in one file, broken ones in another
    table = pa.concat_tables([r.table for r in found], promote_options="permissive")
    origins = [r.origin for i, r in enumerate(found) if i == 0 or r.origin is not found[i - 1].origin]
    return Table(table, tuple(origins), source.name, source.names, tuple(notes), storage.na)


def check_options(known: tuple[str, ...], name: str, **asked: Iterable[str]) -> None:
    """DataError if an option names a column that is not there."""
    for flag, columns in asked.items():
        for column in (columns,) if isinstance(columns, str) else columns:
            if column not in known:
                raise DataError(f"--{flag} {column}: {name} has no such column; {closest(column, known)}")
