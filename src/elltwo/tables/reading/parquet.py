"""Parquet and Arrow files, one row group at a time, in little memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from elltwo.errors import DataError
from elltwo.tables.files import DataFile, open_input
from elltwo.tables.remote import is_remote
from elltwo.tables.source import Origin, Raw

if TYPE_CHECKING:
    import pyarrow as pa

# Batches that are decoded together, which is a sixth cheaper, and at most so many bytes of them.
AHEAD, AHEAD_BYTES = 4, 2**25
BUFFER = 65536  # a small buffered stream: with pre-buffering a reader ends up holding the whole file


@dataclass(frozen=True)
class Part:
    """A run of rows that can be read on its own: a row group, a record batch, a text file, or a piece of one of these.

    ``first_row`` is the global number of its first row; it is None where only reading can tell (text files).
    ``skip`` is the number of rows of its row group before it. ``about`` is a guess of ``rows`` where those are not
    counted, for whoever waits. ``begin`` and ``end`` are bytes of a text file; without ``end`` it is read to its end.
    """

    file: DataFile
    row_group: int | None = None
    first_row: int | None = None
    first_in_file: int = 0
    rows: int | None = None
    about: int | None = None
    skip: int = 0
    begin: int = 0
    end: int | None = None

    @property
    def expected(self) -> int | None:
        """Rows, or how many there are about; None where nobody knows."""
        return self.about if self.rows is None else self.rows


def parquet_layout(file: DataFile) -> tuple[pa.Schema, DataFile]:
    """Names and types of a Parquet file, and the file with the rows of its row groups: one look at its footer."""
    reader = _open_parquet(file)
    groups = (reader.metadata.row_group(g).num_rows for g in range(reader.metadata.num_row_groups))
    return reader.schema_arrow, replace(file, groups=tuple(groups))


def parquet_parts(file: DataFile, first_row: int = 0) -> tuple[Part, ...]:
    """One part per row group, with exact row numbers from the footer."""
    file = file if file.groups is not None else parquet_layout(file)[1]
    return _numbered(file, file.groups or (), first_row)


def parquet_shape(file: DataFile) -> tuple[int, int]:
    """Rows and columns, from the footer."""
    meta = _open_parquet(file).metadata
    return meta.num_rows, meta.num_columns


def arrow_layout(file: DataFile) -> tuple[pa.Schema, DataFile]:
    """Names and types of an Arrow or Feather file, and the file itself."""
    return _open_arrow(file).schema, file


def arrow_parts(file: DataFile, first_row: int = 0) -> tuple[Part, ...]:
    """One part per record batch."""
    reader = _open_arrow(file)
    sizes = [reader.get_batch(g).num_rows for g in range(reader.num_record_batches)]
    return _numbered(file, sizes, first_row)


def _numbered(file: DataFile, sizes: Sequence[int], first_row: int) -> tuple[Part, ...]:
    parts, inside = [], 0
    for group, rows in enumerate(sizes):
        parts.append(Part(file, group, first_row + inside, inside, rows))
        inside += rows
    return tuple(parts)


def decoded_ahead(rows: int, columns: int) -> int:
    """Rows that are decoded at once, for batches of ``rows``: several batches of few columns, one of many."""
    return rows * max(1, min(AHEAD, AHEAD_BYTES // (8 * rows * max(columns, 1))))


class OpenFile:
    """The file that is being read, open across its row groups: a footer of many columns is dear to parse.

    Files elsewhere are opened again for each row group, which keeps their pre-buffering bounded.
    """

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._reader: Any = None
        self._stream: _Stream | None = None

    def reader(self, file: DataFile, dictionaries: Sequence[str]) -> Any:
        """A pyarrow reader of the file."""
        key = (file.path, *dictionaries)
        if key != self._key or is_remote(file.path):
            self._reader = _open_arrow(file) if file.format == "arrow" else _open_parquet(file, dictionaries)
            self._key = key
        return self._reader

    def batches(
        self, part: Part, columns: list[str], dictionaries: list[str], rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Batches of a Parquet part: decoded from the head of its row group, or from where the last part ended."""
        key = (part.file.path, part.row_group, *columns, *dictionaries, rows)
        stream, self._stream = self._stream, None
        if stream is None or stream.key != key or stream.start > part.skip:
            reader = self.reader(part.file, dictionaries)
            groups = [part.row_group]
            ahead = decoded_ahead(rows, len(columns))
            batches = reader.iter_batches(ahead, row_groups=groups, columns=columns, use_threads=False)
            stream = _Stream(key, batches)
        for batch in stream.take(part.skip, None if part.rows is None else part.skip + part.rows):
            yield from (batch.slice(at, rows) for at in range(0, batch.num_rows, rows))
        self._stream = stream


class _Stream:
    """Batches of one row group, and the row at which the next one starts."""

    def __init__(self, key: tuple[object, ...], batches: Iterator[pa.RecordBatch]) -> None:
        self.key, self.start = key, 0
        self._batches, self._batch = batches, None

    def take(self, first: int, end: int | None) -> Iterator[pa.RecordBatch]:
        """Rows first, …, end − 1 of the row group; those before are decoded and left."""
        while end is None or self.start < end:
            self._batch = next(self._batches, None) if self._batch is None else self._batch
            if self._batch is None:
                return
            stop = self.start + self._batch.num_rows
            a, b = max(first, self.start), stop if end is None else min(end, stop)
            if b > a:
                yield self._batch.slice(a - self.start, b - a)
            if b < stop:
                return
            self.start, self._batch = stop, None


_here = threading.local()


@contextmanager
def kept_open() -> Iterator[None]:
    """While inside, this thread reads on in a row group where it last ended: its pieces in turn are decoded once."""
    before = getattr(_here, "opened", None)
    _here.opened = before or OpenFile()
    try:
        yield
    finally:
        _here.opened = before


def opened_here() -> OpenFile:
    """The file that this thread keeps open, or a new one."""
    return getattr(_here, "opened", None) or OpenFile()


def read_part(
    part: Part, columns: Sequence[str], text: frozenset[str], batch_rows: int, opened: OpenFile | None = None
) -> Iterator[Raw]:
    """Stream one row group; the columns of ``text`` come as dictionaries.

    Raises
    ------
    DataError
        If the bytes are damaged: the message names file and row group.
    """
    import pyarrow as pa

    origin = Origin(part.file.short, part.first_row or 0, part.row_group, None, part.first_in_file)
    at, unsure = origin.first_row, None
    try:
        for batch in _batches(part, list(columns), text, batch_rows, opened or OpenFile()):
            if batch.num_rows:
                unsure = _unsure(batch.schema) if unsure is None else unsure
                for i in unsure:  # found here, before anyone trusts them
                    batch.column(i).validate(full=True)
                yield Raw(batch, origin, at)
                at += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{part.file.short} is damaged in row group {part.row_group} ({_first_line(error)}): "
            f"write or copy the file again"
        ) from None


def _unsure(schema: pa.Schema) -> list[int]:
    """Columns that may hold text that is no text, or labels that are not listed."""
    import pyarrow as pa

    plain = (pa.types.is_floating, pa.types.is_integer)
    return [i for i, kind in enumerate(schema.types) if not any(sure(kind) for sure in plain)]


def _batches(
    part: Part, columns: list[str], text: frozenset[str], rows: int, opened: OpenFile
) -> Iterator[pa.RecordBatch]:
    dictionaries = [c for c in columns if c in text]
    if part.file.format != "arrow":
        return opened.batches(part, columns, dictionaries, rows)
    batch = opened.reader(part.file, dictionaries).get_batch(part.row_group).select(columns)
    return (batch.slice(at, rows) for at in range(0, batch.num_rows, rows))


def _open_parquet(file: DataFile, dictionaries: Sequence[str] = ()) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(
            open_input(file.path),
            pre_buffer=is_remote(file.path),  # latency: there a fresh reader per row group keeps it bounded
            buffer_size=BUFFER,
            read_dictionary=list(dictionaries) or None,
        )
    except DataError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _incomplete(file, "Parquet", error) from None


def _open_arrow(file: DataFile) -> Any:
    import pyarrow as pa

    try:
        local = not is_remote(file.path)
        return pa.ipc.open_file(pa.memory_map(file.path) if local else open_input(file.path))
    except DataError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _incomplete(file, "Arrow", error) from None


def _incomplete(file: DataFile, kind: str, error: Exception) -> DataError:
    return DataError(
        f"{file.short} is not a complete {kind} file ({_first_line(error)}): write or copy it again"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
