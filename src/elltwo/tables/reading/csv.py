"""Text tables: how a file is laid out, a sample of it, and the line on which a row stands."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, cast

from elltwo.errors import DataError
from elltwo.tables.files import open_input, unreadable
from elltwo.tables.remote import is_remote
from elltwo.tables.source import check_names

HEAD = 256 * 1024  # bytes of the head that are sampled
WHOLE = 1024 * 1024  # files up to this size are sampled whole
JUDGED_ROWS = 51  # that tell the separator
BLOCKS, BLOCK = 24, 32 * 1024  # strided blocks after the head
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

    def open(self) -> BinaryIO:
        """A Python byte stream of the decompressed content, for samples and messages."""
        packed = self.compressed
        if self.data is None and not is_remote(self.path):
            try:
                return cast(BinaryIO, gzip.open(self.path) if packed else open(self.path, "rb"))
            except OSError as error:
                raise unreadable(self.path, error) from None
        raw = io.BytesIO(self.data) if self.data is not None else open_input(self.path)
        return cast(BinaryIO, gzip.open(raw) if packed else raw)

    def rows(self, stream: BinaryIO) -> Iterator[list[str]]:
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
    if delimiter == ";" and _decimal_comma(head):
        text = replace(text, decimal=",")
    return text


def _head(text: Text) -> str:
    start = _first_bytes(text, HEAD)
    if not start.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{text.short} is empty: a table has a line of column names and then its rows")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") and text.encoding == "utf-8":
        raise DataError(
            f"{text.short} is written in UTF-16, and elltwo reads UTF-8: {_reencode(text, 'utf-16')}"
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
        raise wrong_encoding(text, start.count(b"\n", 0, error.start) + 1) from None


def _first_bytes(text: Text, size: int) -> bytes:
    try:
        with text.open() as stream:
            return stream.read(size)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{text.short} is not a complete gzip file ({error}): copy or compress it again"
        ) from None


def _reencode(text: Text, guess: str) -> str:
    return f"use `--encoding {guess}`, or convert it with `iconv -f {guess} -t utf-8 {text.path} > converted.csv`"


def wrong_encoding(text: Text, line: int) -> DataError:
    """The error for bytes that are no text in the encoding."""
    how = _reencode(text, "cp1252")
    return DataError(
        f"{text.short}, line {line}, is not written in {text.encoding.upper()}: if it is a Western European "
        f"text, {how}"
    )


def wrong_fields(text: Text, line: int, fields: int, quoted: bool = False) -> DataError:
    """The error for a row with more or fewer fields than the header; ``quoted`` if there is a quote in it."""
    names = len(text.names)
    remedy = f"mend the line, or quote a field that holds the separator {text.delimiter!r}"
    if fields == names + 1 and line == text.header_lines + 1:
        remedy += ", or name the column that the header leaves out"
    if fields < names and quoted:
        remedy = "look for a quote that is never closed, there or before"
    return DataError(
        f"{text.short}, line {line}: {fields} field{'s' * (fields != 1)} where the header has {names}; {remedy}"
    )


def _delimiter(text: Text, head: str) -> str:
    """The separator that cuts the first rows into the same number of fields, the most fields winning."""
    if text.path.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    best, fields = ",", 1
    for mark in (",", "\t", ";", "|"):
        rows = list(islice(csv.reader(io.StringIO(head, newline=""), delimiter=mark), JUDGED_ROWS))
        if 2 < len(rows) < JUDGED_ROWS and len(head) >= HEAD // 4:
            rows.pop()  # the end of the head may have cut it off
        counts = [len(row) for row in rows if row]
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


def _decimal_comma(head: str) -> bool:
    """Are there numbers with a comma, and none with a point?"""
    rows = [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=";") if row][1:200]
    cells = [cell.strip() for row in rows for cell in row]
    return any(map(COMMA.fullmatch, cells)) and not any("." in c and NUMBER.fullmatch(c) for c in cells)


def sample(text: Text, blocks: int = BLOCKS) -> list[list[str]]:
    """Data rows of the head and of blocks spread evenly over the file (compressed files: the head alone).

    Raises
    ------
    DataError
        If no row has as many fields as the header.
    """
    size = 0 if text.compressed or is_remote(text.path) else _size(text)
    start = _first_bytes(text, HEAD if size > WHOLE else WHOLE)
    whole = len(start) == size if size else len(start) < WHOLE
    rows = list(text.rows(io.BytesIO(start if whole else start[: start.rfind(b"\n") + 1])))[1:]
    if not whole and size and not text.encoding.lower().startswith(("utf-16", "utf-32")):
        rows += _strided(text, size, blocks)
    fitting = [row for row in rows if len(row) == len(text.names)]
    if rows and not fitting:
        raise wrong_fields(text, text.line_of(0), len(rows[0]))
    return fitting


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
