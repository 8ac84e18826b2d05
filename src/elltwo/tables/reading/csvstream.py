"""Text tables as a stream of batches, and what pyarrow says about them in words that name the place and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from elltwo.errors import BadValue, DataError
from elltwo.tables.files import DataFile, open_input
from elltwo.tables.missing import NUMBERLIKE
from elltwo.tables.reading.csv import Text, wrong_encoding, wrong_fields
from elltwo.tables.reading.parquet import Part
from elltwo.tables.reading.storage import Storage
from elltwo.tables.source import Origin, Raw, bad_value

if TYPE_CHECKING:
    import pyarrow as pa

PARSED = 2**20  # bytes that pyarrow parses at once: more leave the cache, and
TOGETHER = 8  # such batches go on as one, since what follows costs something per batch
LONGEST = 4 * 2**20  # bytes of a row: parsed at once where one does not fit
SHOWN = 60  # letters of a value that a remedy repeats
INVALID = r"conversion error to double: invalid value '(.*)'"  # as pyarrow says it


def read_text(
    text: Text, columns: Sequence[str], storage: Storage, rows: int, part: Part | None = None
) -> Iterator[Raw]:
    """Stream the columns: numbers as float64, plain ones as strings, the others as dictionaries of text.

    What is parsed at once goes on together as long as it stays within ``rows`` rows. ``part`` is the file or a piece of
    it, with the number of its first row.

    Raises
    ------
    BadValue, DataError
        For a value that is no number, a row with too many or too few fields, wrong bytes, a cut-off file.
    """
    import pyarrow as pa

    na = storage.na
    kinds = {n: pa.float64() if n in storage.numbers else _text_type(n in storage.plain) for n in columns}
    part = part or Part(DataFile(text.path, "csv"), first_row=0)
    at = first_row = part.first_row or 0
    origin = Origin(text.short, first_row, line_of=text.line_of, first_in_file=part.first_in_file)
    how: _How | None = _How(PARSED, tuple(v for v in na if v not in NUMBERLIKE))
    while how is not None:
        known = at - first_row  # rows that went out before something made it begin again
        try:
            for batch in _joined(_open(text, part, kinds, how), TOGETHER if how.block == PARSED else 1, rows):
                fresh, known = batch.slice(min(known, batch.num_rows)), max(known - batch.num_rows, 0)
                if fresh.num_rows:
                    yield Raw(fresh, origin, at)
                    at += fresh.num_rows
            return
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, DataError):
                raise
            how = how.otherwise(str(error), na)
            if how is None:
                raise _explain(text, part, origin, str(error)) from None


@dataclass(frozen=True)
class _How:
    """Bytes that are parsed at once, and the spellings of a missing value that the reader is told."""

    block: int
    na: tuple[str, ...]

    def otherwise(self, message: str, na: Sequence[str]) -> _How | None:
        """What to try where this failed: larger blocks, or every spelling; None where neither would help."""
        if "straddling" in message and self.block < LONGEST:
            return replace(self, block=LONGEST)
        found = re.search(INVALID, message, re.S)
        if found and found.group(1).strip() in NUMBERLIKE and len(self.na) < len(na):
            return replace(self, na=tuple(na))
        return None


def _open(text: Text, part: Part, kinds: Mapping[str, pa.DataType], how: _How) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    from pyarrow import csv as pacsv

    packed = text.compressed  # asked before opening: some stores share one position among all handles
    stream = pa.BufferReader(text.data) if text.data is not None else open_input(text.path)
    if packed:
        stream = pa.CompressedInputStream(stream, "gzip")
    if part.begin or part.end is not None:
        stream = stream.get_stream(part.begin, (stream.size() if part.end is None else part.end) - part.begin)
    return iter(
        pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=how.block,
                encoding=text.encoding.replace("utf-8", "utf8"),
                column_names=list(text.names),
                skip_rows=_skipped(text, part),
            ),
            parse_options=pacsv.ParseOptions(delimiter=text.delimiter, newlines_in_values=text.quoted),
            convert_options=pacsv.ConvertOptions(
                column_types=dict(kinds),
                include_columns=list(kinds),
                null_values=list(how.na),
                strings_can_be_null=True,
                decimal_point=text.decimal,
            ),
        )
    )


def _skipped(text: Text, part: Part) -> int:
    """Lines of the part before its first row."""
    return 0 if part.begin else text.header_lines


def _joined(batches: Iterator[pa.RecordBatch], many: int, rows: int) -> Iterator[pa.Table]:
    """Up to ``many`` batches within ``rows`` rows as one table; its numbers stay in pieces, which saves a copy."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        if group and (len(group) == many or sum(b.num_rows for b in group) + batch.num_rows > rows):
            yield _table(group)
            group = []
        group.append(batch)
    if group:
        yield _table(group)


def _table(batches: list[pa.RecordBatch]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_batches(batches).unify_dictionaries()


def _text_type(plain: bool) -> pa.DataType:
    import pyarrow as pa

    return pa.utf8() if plain else pa.dictionary(pa.int32(), pa.utf8())


def _explain(text: Text, part: Part, origin: Origin, message: str) -> DataError:
    """Turn what pyarrow says into file, line, column, value and remedy."""
    row = int(found.group(1)) if (found := re.search(r"Row #(\d+)", message)) else None
    at = None if row is None else row - _skipped(text, part) - 1  # data row in the part, from 0
    column = text.names[int(c.group(1))] if (c := re.search(r"In CSV column #(\d+)", message)) else "?"
    if at is not None and (value := re.search(INVALID, message, re.S)):
        return not_a_number(origin, origin.first_row + at, column, value.group(1))
    line = 1 if at is None else text.line_of(part.first_in_file + at)
    if "UTF8" in message or "codec" in message:
        return wrong_encoding(text, line)
    if at is not None and (found := re.search(r"Expected \d+ columns, got (\d+)(: .*)?", message, re.S)):
        return wrong_fields(text, line, int(found.group(1)), '"' in (found.group(2) or ""))
    if "straddling" in message:
        return DataError(
            f"{text.short} has a row longer than {LONGEST:,} bytes: look for a quote that is never closed"
        )
    if "runcated" in message or "zlib" in message.lower():
        return DataError(f"{text.short} is cut off or damaged ({message}): copy or compress it again")
    if "Could not skip initial" in message or "Empty CSV" in message:
        return DataError(f"{text.short} has column names and no rows")
    return DataError(f"{text.short} cannot be read: {message}")


def not_a_number(origin: Origin, row: int, column: str, value: str) -> BadValue:
    """The error for text in a column of numbers."""
    names = f"`--categorical {column}` if the column names things"
    if not value.strip():
        remedy = "write nothing between the separators"
    elif value.strip() == column:
        remedy = f"take the line out if it repeats the header, as where files were joined, or use {names}"
    elif len(value) > SHOWN:
        remedy = f"mend the line, or use {names}"
    else:
        remedy = f"use `--na '{value}'` if it means a missing value, or {names}"
    return bad_value(origin, row, column, value, "the column holds numbers", remedy)
