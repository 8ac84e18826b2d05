"""Text tables as a stream of batches, and what pyarrow says about them in words that name the place and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from elltwo.errors import BadValue, DataError
from elltwo.tables.files import open_input
from elltwo.tables.reading.csv import Text, wrong_encoding
from elltwo.tables.source import Origin, Raw, bad_value

if TYPE_CHECKING:
    import pyarrow as pa

READ = 4 * 2**20  # bytes that pyarrow parses at once


def read_text(
    text: Text,
    columns: Sequence[str],
    numbers: frozenset[str],
    plain: frozenset[str],
    na: Sequence[str],
    first_row: int = 0,
    block: int = READ,
) -> Iterator[Raw]:
    """Stream the columns: ``numbers`` as float64, ``plain`` as strings, the others as dictionaries of text.

    Raises
    ------
    BadValue, DataError
        For a value that is no number, a row with too many or too few fields, wrong bytes, a cut-off file.
    """
    import pyarrow as pa
    from pyarrow import csv as pacsv

    kinds = {n: pa.float64() if n in numbers else _text_type(n in plain) for n in columns}
    at, origin = first_row, Origin(text.short, first_row, line_of=text.line_of)
    try:
        packed = text.compressed  # asked before opening: some stores share one position among all handles
        stream = pa.BufferReader(text.data) if text.data is not None else open_input(text.path)
        if packed:
            stream = pa.CompressedInputStream(stream, "gzip")
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                use_threads=False,
                block_size=block,
                encoding=text.encoding.replace("utf-8", "utf8"),
                column_names=list(text.names),
                skip_rows=text.header_lines,
            ),
            parse_options=pacsv.ParseOptions(delimiter=text.delimiter, newlines_in_values=text.quoted),
            convert_options=pacsv.ConvertOptions(
                column_types=kinds,
                include_columns=list(columns),
                null_values=list(na),
                strings_can_be_null=True,
                decimal_point=text.decimal,
            ),
        )
        for batch in reader:
            if batch.num_rows:
                yield Raw(batch, origin, at)
                at += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, DataError):
            raise
        raise _explain(text, origin, str(error)) from None


def _text_type(plain: bool) -> pa.DataType:
    import pyarrow as pa

    return pa.utf8() if plain else pa.dictionary(pa.int32(), pa.utf8())


def _explain(text: Text, origin: Origin, message: str) -> DataError:
    """Turn what pyarrow says into file, line, column, value and remedy."""
    row = int(found.group(1)) if (found := re.search(r"Row #(\d+)", message)) else None
    at = None if row is None else row - text.header_lines - 1  # data row in the file, from 0
    column = text.names[int(c.group(1))] if (c := re.search(r"In CSV column #(\d+)", message)) else "?"
    if at is not None and (
        value := re.search(r"conversion error to double: invalid value '(.*)'", message, re.S)
    ):
        return not_a_number(origin, origin.first_row + at, column, value.group(1))
    if "UTF8" in message or "codec" in message:
        return wrong_encoding(text, text.line_of(at) if at is not None else 1)
    if at is not None and (fields := re.search(r"Expected (\d+) columns, got (\d+)", message)):
        line = text.line_of(at)
        return DataError(
            f"{text.short}, line {line}: {fields.group(2)} fields where the header has {fields.group(1)}; "
            f"mend the line, or quote a field that holds the separator {text.delimiter!r}"
        )
    if "straddling" in message:
        return DataError(
            f"{text.short} has a row longer than {READ:,} bytes: look for a quote that is never closed"
        )
    if "runcated" in message or "zlib" in message.lower():
        return DataError(f"{text.short} is cut off or damaged ({message}): copy or compress it again")
    if "Could not skip initial" in message or "Empty CSV" in message:
        return DataError(f"{text.short} has column names and no rows")
    return DataError(f"{text.short} cannot be read: {message}")


def not_a_number(origin: Origin, row: int, column: str, value: str) -> BadValue:
    """The error for text in a column of numbers."""
    blank = not value.strip()
    missing = (
        "write nothing between the separators" if blank else f"`--na '{value}'` if it means a missing value"
    )
    remedy = (
        f"use {missing}, or `--categorical {column}` if the column names things" if not blank else missing
    )
    return bad_value(origin, row, column, value, "the column holds numbers", remedy)
