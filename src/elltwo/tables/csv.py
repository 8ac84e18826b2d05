"""Text tables: how a file is laid out, a sample of it, a stream of it, and where in it a value stands."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from elltwo.errors import BadValue, DataError
from elltwo.tables.files import is_remote, open_input, unreadable
from elltwo.tables.source import Origin, Raw, bad_value, check_names

if TYPE_CHECKING:
    import pyarrow as pa

HEAD = 256 * 1024  # bytes of the head that are sampled
WHOLE = 1024 * 1024  # files up to this size are sampled whole
BLOCKS, BLOCK = 24, 32 * 1024  # strided blocks after the head
READ = 4 * 2**20  # bytes that pyarrow parses at once
NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE | re.ASCII
)
COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)

csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Text:
    """A text table: a path or the bytes themselves (standard input), and how it is written."""

    path: str
    data: bytes | None = None
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()
    delimiter: str = ","
    decimal: str = "."
    header_lines: int = 1
    quoted: bool = True

    @property
    def short(self) -> str:
        """The name that messages use."""
        return "standard input" if self.path == "-" else self.path

    @property
    def compressed(self) -> bool:
        """Whether the bytes are gzip."""
        return self.start(2) == b"\x1f\x8b"

    def start(self, size: int) -> bytes:
        """The first bytes as they lie in the file."""
        if self.data is not None:
            return self.data[:size]
        with open_input(self.path) as file:
            return bytes(file.read(size))

    def open(self) -> io.BufferedIOBase:
        """A Python byte stream of the decompressed content, for samples and messages."""
        if self.data is None and not is_remote(self.path):
            try:
                opened = gzip.open(self.path) if self.compressed else open(self.path, "rb")  # noqa: SIM115 - the caller closes it
            except OSError as error:
                raise unreadable(self.path, error) from None
            return opened  # type: ignore[return-value]  # GzipFile reads bytes
        raw = io.BytesIO(self.data if self.data is not None else open_input(self.path).read())
        return gzip.open(raw) if self.compressed else raw  # type: ignore[return-value]  # as above

    def rows(self, stream: io.BufferedIOBase) -> Iterator[list[str]]:
        """Rows of a byte stream as Python's csv module splits them, blank lines left out."""
        wrapped = io.TextIOWrapper(stream, self.encoding, errors="replace", newline="")
        return (row for row in csv.reader(wrapped, delimiter=self.delimiter) if row)

    def line_of(self, row: int) -> int:
        """The line (from 1) on which data row ``row`` (from 0) ends. Scans the file: for messages."""
        with self.open() as stream:
            wrapped = io.TextIOWrapper(stream, self.encoding, errors="replace", newline="")
            reader = csv.reader(wrapped, delimiter=self.delimiter)
            for _ in range(row + 2):
                while not next(reader, [""]):
                    pass
            return reader.line_num


def describe(path: str, data: bytes | None = None, encoding: str = "utf-8") -> Text:
    """Read the head of a text table: separator, header, quotes, decimal comma.

    Raises
    ------
    DataError
        If the file is empty, is not text in this encoding, has no header or repeats a name.
    """
    text = Text(path, data, encoding)
    head = _head(text)
    delimiter = _delimiter(text, head)
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    header = next((row for row in reader if row), [])
    names = _names(text, header, delimiter)
    text = replace(text, names=names, delimiter=delimiter, header_lines=reader.line_num, quoted='"' in head)
    if delimiter == ";" and _decimal_comma(text, head):
        text = replace(text, decimal=",")
    return text


def _head(text: Text) -> str:
    start = _first_bytes(text, HEAD)
    if not start.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{text.short} is empty: a table has a line of column names and then its rows")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") and text.encoding == "utf-8":
        raise DataError(
            f"{text.short} is written in UTF-16, and elltwo reads UTF-8: {_reencode(text, 'UTF-16')}"
        )
    if b"\0" in start[:4096] and text.encoding == "utf-8":
        raise DataError(f"{text.short} is no text (it holds zero bytes): check that it is the file you mean")
    try:
        return start.removeprefix(b"\xef\xbb\xbf").decode(text.encoding)
    except UnicodeDecodeError as error:
        if (
            error.start >= len(start) - 4 and len(start) == HEAD
        ):  # a letter cut in two by the end of the sample
            return start[: error.start].removeprefix(b"\xef\xbb\xbf").decode(text.encoding)
        raise _wrong_encoding(text, start.count(b"\n", 0, error.start) + 1) from None


def _first_bytes(text: Text, size: int) -> bytes:
    try:
        with text.open() as stream:
            return stream.read(size)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{text.short} is not a complete gzip file ({error}): copy or compress it again"
        ) from None


def _reencode(text: Text, guess: str) -> str:
    return f"convert it with `iconv -f {guess} -t UTF-8 {text.path} > converted.csv`"


def _wrong_encoding(text: Text, line: int) -> DataError:
    how = _reencode(text, "WINDOWS-1252")
    return DataError(
        f"{text.short}, line {line}, is not written in {text.encoding.upper()}: {how} or its true encoding"
    )


def _delimiter(text: Text, head: str) -> str:
    """The separator that cuts the first lines into the same number of fields, the most fields winning."""
    if text.path.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    lines = head.splitlines(keepends=True)[:51]
    lines = lines[:-1] if len(lines) > 2 and len(head) >= HEAD - 4 else lines
    best, fields = ",", 1
    for mark in (",", "\t", ";", "|"):
        counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        alike = counts.count(counts[0]) / len(counts) if counts else 0.0
        if counts and alike > 0.9 and counts[0] > fields:
            best, fields = mark, counts[0]
    return best


def _names(text: Text, header: Sequence[str], delimiter: str) -> tuple[str, ...]:
    cells = [cell.strip() for cell in header]
    if len(cells) == 1 and re.search(r"\S\s+\S", cells[0]) and delimiter == ",":
        raise DataError(
            f"{text.short} has one column, {cells[0][:40]!r}, which looks separated by blanks: "
            f"separate by commas or tabs"
        )
    if any(cells) and all(NUMBER.fullmatch(c) for c in cells if c):
        raise DataError(
            f"the first line of {text.short} holds numbers ({', '.join(cells[:3])}) where column names belong: "
            f"put a line of names first"
        )
    names = tuple(cell or f"unnamed_{i}" for i, cell in enumerate(cells, 1))
    check_names(names, text.short)
    return names


def _decimal_comma(text: Text, head: str) -> bool:
    rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=";") if row][1:200]
    cells = [cell.strip() for row in rows for cell in row]
    return any(map(COMMA.fullmatch, cells)) and not any("." in c and NUMBER.fullmatch(c) for c in cells)


def sample(text: Text, blocks: int = BLOCKS) -> list[list[str]]:
    """Data rows of the head and of blocks spread evenly over the file (compressed files: the head alone)."""
    size = 0 if text.compressed or is_remote(text.path) else _size(text)
    start = _first_bytes(text, HEAD if size > WHOLE else WHOLE)
    whole = len(start) == size if size else len(start) < WHOLE
    rows = list(text.rows(io.BytesIO(start if whole else start[: start.rfind(b"\n") + 1])))[1:]
    if not whole and size and not text.encoding.lower().startswith(("utf-16", "utf-32")):
        rows += _strided(text, size, blocks)
    return [row for row in rows if len(row) == len(text.names)]


def _size(text: Text) -> int:
    with text.open() as stream:
        return stream.seek(0, io.SEEK_END)


def _strided(text: Text, size: int, blocks: int) -> list[list[str]]:
    """Whole lines inside each block; one that starts inside a quoted line break gives short rows, dropped later."""
    rows: list[list[str]] = []
    with text.open() as stream:
        for at in range(1, blocks + 1):
            stream.seek(min(HEAD + at * (size - HEAD) // blocks, size) - BLOCK)
            lines = stream.read(BLOCK).split(b"\n")[1:-1]
            rows += list(text.rows(io.BytesIO(b"\n".join(lines))))
    return rows


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
        stream = pa.BufferReader(text.data) if text.data is not None else open_input(text.path)
        if text.compressed:
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
        return _wrong_encoding(text, text.line_of(at) if at is not None else 1)
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
