"""Where rows come from, so that every message about a value can say where it stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elltwo.errors import BadValue, DataError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Origin:
    """A run of rows with one place of birth.

    Parameters
    ----------
    file : str
        The file's name, or "the data frame".
    first_row : int
        Global number of its first row, from 0.
    row_group : int or None
        Of a Parquet or Arrow file.
    line_of : callable or None
        For text files: data row within the file (from 0) to line in the file (from 1); slow, for messages only.
    first_in_file : int
        Row number within the file of its first row, from 0.
    """

    file: str
    first_row: int = 0
    row_group: int | None = None
    line_of: Callable[[int], int] | None = None
    first_in_file: int = 0

    def place(self, row: int) -> tuple[str, int | None]:
        """How a message names global row ``row``, and its line if the file has lines."""
        inside = row - self.first_row + self.first_in_file
        if self.line_of is not None:
            line = self.line_of(inside)
            return f"{self.file}, line {line}", line
        group = "" if self.row_group is None else f" (row group {self.row_group})"
        return f"{self.file}, row {inside + 1}{group}", None


@dataclass(frozen=True)
class Raw:
    """Some consecutive rows as pyarrow read them: columns in the order asked for, of a text file in pieces."""

    arrow: pa.RecordBatch | pa.Table
    origin: Origin
    first_row: int

    @property
    def table(self) -> pa.Table:
        """The same rows as a table."""
        import pyarrow as pa

        return self.arrow if isinstance(self.arrow, pa.Table) else pa.Table.from_batches([self.arrow])

    def bad(self, row: int, column: str, value: object, expected: str, remedy: str) -> BadValue:
        """The error for the value in row ``row`` of this batch (from 0)."""
        return bad_value(self.origin, self.first_row + row, column, value, expected, remedy)


def bad_value(origin: Origin, row: int, column: str, value: object, expected: str, remedy: str) -> BadValue:
    """One sentence naming file, line or row, column, value and the flag that settles it."""
    place, line = origin.place(row)
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
    return BadValue(
        f"{place}: column {column!r} has {shown}, and {expected}; {remedy}",
        file=origin.file,
        row=row - origin.first_row + origin.first_in_file + 1,
        line=line,
        column=column,
        value=str(value),
        remedy=remedy,
    )


@dataclass(frozen=True)
class Table:
    """Columns in memory with their names, row count and place of birth.

    Parameters
    ----------
    arrow : pyarrow.Table
        Numbers as float64, text as dictionaries or strings, dates as they came.
    origins : tuple of Origin
        In row order.
    name : str
        What messages call the table.
    known : tuple of str
        Every column of the source, those that were not read included.
    notes : tuple of str
        What happened while reading: sentences.
    na : tuple of str
        Spellings of a missing value that the text was read with.
    """

    arrow: pa.Table
    origins: tuple[Origin, ...]
    name: str
    known: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    na: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.arrow.column_names)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.arrow.num_rows)

    def origin(self, row: int) -> Origin:
        """Where global row ``row`` comes from."""
        at = bisect_right([o.first_row for o in self.origins], row) - 1
        return self.origins[max(at, 0)]

    def raws(self, columns: tuple[str, ...], batch_rows: int = 16384) -> Iterator[Raw]:
        """The columns as batches of at most ``batch_rows`` rows, none across two origins."""
        picked = self.arrow.select(list(columns))
        ends = [o.first_row for o in self.origins[1:]] + [self.rows]
        for origin, end in zip(self.origins, ends, strict=True):
            at = origin.first_row
            for batch in picked.slice(at, end - at).to_batches(max_chunksize=batch_rows):
                yield Raw(batch, origin, at)
                at += batch.num_rows


def closest(name: str, known: tuple[str, ...]) -> str:
    """The end of a sentence about a column that is not there: a near name, or the names there are."""
    from difflib import get_close_matches

    lower = {k.strip().lower(): k for k in reversed(known)}
    if near := get_close_matches(name.strip().lower(), lower, n=1):
        return f"did you mean {lower[near[0]]!r}?"
    shown = ", ".join(repr(n) for n in known[:12])
    return f"its columns are {shown}" + (f" and {len(known) - 12} more" if len(known) > 12 else "")


def require_column(name: str, known: tuple[str, ...], table: str, role: str) -> None:
    """DataError if a column that was asked for is not in the table."""
    if name not in known:
        raise DataError(f"{table} has no column {name!r} ({role}): {closest(name, known)}")


def check_names(names: tuple[str, ...], table: str) -> None:
    """DataError if two columns share a name or there is no column."""
    if not names:
        raise DataError(f"{table} has no columns")
    seen: set[str] = set()
    for position, name in enumerate(names, 1):
        if name in seen:
            first = names.index(name) + 1
            raise DataError(
                f"{table} has two columns named {name!r} (number {first} and {position}): rename one"
            )
        seen.add(name)
