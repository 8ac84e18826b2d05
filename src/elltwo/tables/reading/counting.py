"""How many rows a text file has, several times faster than reading them: lines, with an eye on quotes.

Folds depend on the number of a row in the whole source, so files are counted before a stream begins (which of them and
how far, `elltwo.tables.numbering` says), and a large one is marked where it can be cut. A row is a line that is not
blank; a line break inside a quoted field ends none (RFC 4180).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.errors import DataError
from elltwo.tables.files import open_input
from elltwo.tables.reading.csv import Text

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 2**19
QUOTE, NEWLINE, RETURN = b'"\n\r'
PIECE, LARGE = 2**28, 2**30  # bytes that can be read on their own, of files of so many bytes or more
LONGEST = 16 * 2**20  # bytes of one quoted field: beyond it the quote is taken for a stray one


@dataclass(frozen=True)
class Mark:
    """A row of a text file begins at this byte, and so many data rows stand before it."""

    byte: int
    rows: int


@dataclass(frozen=True)
class RowCount:
    """Data rows, and whether they are all; ``share`` of the bytes that were read, if known; any quotes seen.

    ``marks`` are about `PIECE` bytes apart.
    """

    rows: int
    whole: bool
    share: float | None
    quoted: bool
    marks: tuple[Mark, ...] = ()

    @property
    def about(self) -> int | None:
        """Rows of the whole file, if the rest is like what was read."""
        return self.rows if self.whole else round(self.rows / self.share) if self.share else None


def countable(text: Text) -> bool:
    """Is a line break one byte in this encoding?"""
    return not text.encoding.lower().replace("-", "").replace("_", "").startswith(("utf16", "utf32", "ucs"))


def count_rows(text: Text, stop: int | None = None) -> RowCount:
    """Data rows of a text file, as reading it will find them; no further than ``stop`` rows.

    Raises
    ------
    DataError
        A compressed file that is cut off.
    """
    import pyarrow as pa

    lines, seen = _Lines(text), 0
    marks: list[Mark] = []
    step = PIECE if in_pieces(text) else None
    stream, size = _open(text)
    try:
        for chunk in _chunks(stream):
            seen += len(chunk)
            lines.feed(chunk)
            if step and seen >= step * (len(marks) + 1) and lines.waiting is not None:
                marks.append(Mark(seen - lines.waiting, lines.rows - 1))
            if stop is not None and lines.rows > stop:
                return RowCount(lines.rows - 1, False, None if size is None else seen / size, lines.quoted)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{text.short} is cut off or damaged ({error}): copy or compress it again") from None
    lines.end()
    rows = max(lines.rows - 1, 0)
    return RowCount(rows, True, 1.0, lines.quoted, _apart(marks, rows))


def _apart(marks: list[Mark], rows: int) -> tuple[Mark, ...]:
    """Marks between which there are rows."""
    kept = [Mark(0, 0)]
    for mark in marks:
        if kept[-1].rows < mark.rows < rows:
            kept.append(mark)
    return tuple(kept[1:])


def in_pieces(text: Text) -> bool:
    """Is the file so large that it is read in pieces: on several cores, and taken up again where it was left?"""
    return text.data is None and text_size(text) >= LARGE and not text.compressed and countable(text)


def text_size(text: Text) -> int:
    """Bytes as they lie in the file."""
    if text.data is not None:
        return len(text.data)
    with open_input(text.path) as stream:
        return int(stream.size())


def _open(text: Text) -> tuple[Any, int | None]:
    """A stream of decompressed bytes, and how many there are."""
    import pyarrow as pa

    packed = text.compressed
    stream: pa.NativeFile = pa.BufferReader(text.data) if text.data is not None else open_input(text.path)
    return (pa.CompressedInputStream(stream, "gzip"), None) if packed else (stream, stream.size())


def _chunks(stream: Any) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(CHUNK):
            yield chunk


class _Lines:
    """Counts rows of bytes that come in pieces; the header is one of them."""

    def __init__(self, text: Text) -> None:
        self.rows, self.quoted = 0, False
        self._rest = b""  # a row that has begun
        self._as_read = True  # not so once quoted fields of it were shortened
        mark = text.delimiter.encode()
        self._edges = np.frombuffer(mark + b'\n\r"', dtype=np.uint8)
        # a field that begins with a quote: to its end, or (open) to the end of what is known
        edge = re.escape(mark) + rb"\n\r"
        self._field = re.compile(rb"(?:\A|(?<=[" + edge + rb']))"(?:[^"]*+(?:""[^"]*+)*+"|(?P<open>[\s\S]*))')

    @property
    def waiting(self) -> int | None:
        """Bytes of the row that has begun, where they are known."""
        return len(self._rest) if self._as_read else None

    def feed(self, chunk: bytes) -> None:
        """Count the rows that are complete."""
        known = self._rest + chunk
        cut = known.rfind(b"\n") + 1 or known.rfind(b"\r", 0, -1) + 1
        known, self._rest = known[:cut], known[cut:]
        if b'"' not in known:
            self._as_read = self._as_read or cut > 0
            self._count(known)
            return
        self.quoted = True
        begun = self._paired(known)
        self._as_read = begun is not None and (self._as_read or len(begun) < len(known))
        self._rest = (self._parsed(known) if begun is None else begun) + self._rest

    def end(self) -> None:
        """The last row may have no line break."""
        if b'"' in self._rest:
            self.quoted = True
            begun = self._parsed(self._rest)
            self.rows += bool(begun)  # to its end, should a quote never close
        else:
            self._count(self._rest + b"\n")

    def _count(self, known: bytes) -> None:
        """Lines without quotes."""
        if b"\r" in known:
            known = known.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        ends = np.flatnonzero(np.frombuffer(known, dtype=np.uint8) == NEWLINE)
        self.rows += int(np.count_nonzero(np.diff(ends, prepend=-1) > 1))  # 1 apart: a blank line

    def _paired(self, known: bytes) -> bytes | None:
        """Count where every other quote opens a field, as is usual; what is left over, or None where it does not."""
        at = np.frombuffer(known, dtype=np.uint8)
        quotes = np.flatnonzero(at == QUOTE)
        opening = quotes[::2]
        before = at[opening[opening > 0] - 1]
        if (b"\r" in known and known.count(b"\r") != known.count(b"\r\n")) or not np.isin(
            before, self._edges
        ).all():
            return None
        ends = np.flatnonzero(at == NEWLINE)
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        if not ends.size:
            return known
        lengths = np.diff(ends, prepend=-1) - 1
        lengths -= (lengths > 0) & (at[ends - 1] == RETURN)
        self.rows += int(np.count_nonzero(lengths))
        return known[ends[-1] + 1 :]

    def _parsed(self, known: bytes) -> bytes:
        """Count field by field; what is left over."""
        opened: list[int] = []

        def short(field: re.Match[bytes]) -> bytes:
            if field["open"] is None:
                return b"q"
            opened.append(field.start())
            return b""

        bare, tail = self._field.sub(short, known), known[opened[0] :] if opened else b""
        begun = max(bare.rfind(b"\n"), bare.rfind(b"\r")) + 1
        if len(tail) > LONGEST:
            begun, bare, tail = len(bare) + len(tail), bare + tail, b""
        self._count(bare[:begun])
        return bare[begun:] + tail
