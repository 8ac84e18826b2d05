"""One Arrow column into one NumPy array: float64 with NaN where missing, or codes of levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from elltwo.tables.missing import numeric_spellings
from elltwo.tables.reading.csv import NUMBER
from elltwo.tables.reading.csvstream import not_a_number
from elltwo.tables.reading.readers import family
from elltwo.tables.source import Raw

if TYPE_CHECKING:
    import pyarrow as pa

MISSING, UNSEEN = -1, -2  # codes that are no level
TRUTH = {"true": 1.0, "false": 0.0}


@dataclass
class LevelBook:
    """Levels of one category and their codes; grows while reading unless it is closed.

    Parameters
    ----------
    levels : list of str
        Code ``i`` is ``levels[i]``.
    grows : bool
        Whether a new level gets a new code; otherwise its code is ``UNSEEN``.
    unseen : dict
        How many rows had a level without a code, by label (the first hundred labels).
    """

    levels: list[str] = field(default_factory=list)
    grows: bool = True
    unseen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index = {level: code for code, level in enumerate(self.levels)}
        self.cells: dict[
            object, int
        ] = {}  # text as it stands in the table -> code, so that it is judged once

    def code(self, label: str | None) -> int:
        """The code of a label; None is missing."""
        if label is None:
            return MISSING
        code = self.index.get(label)
        if code is None:
            if not self.grows:
                return UNSEEN
            code = self.index[label] = len(self.levels)
            self.levels.append(label)
        return code

    def count_unseen(self, label: str, rows: int) -> None:
        """Remember a label that has no code."""
        if label in self.unseen or len(self.unseen) < 100:
            self.unseen[label] = self.unseen.get(label, 0) + rows


@dataclass(frozen=True)
class Dictionary:
    """A column as distinct labels (None is missing) and the position of each row's label (-1 is missing)."""

    labels: list[str | None]
    positions: np.ndarray


def dictionary(array: pa.Array, na: frozenset[str]) -> Dictionary:
    """Distinct labels of a column of any type; numbers become text without a useless ``.0``."""
    positions, values = _encoded(array)
    return Dictionary([_label(v, na) for v in values], positions)


def _encoded(array: pa.Array) -> tuple[np.ndarray, list[object]]:
    """Each row's position (-1 is missing) among the distinct values, and these."""
    array = _whole(array)
    positions = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return positions, array.dictionary.to_pylist()


def _whole(array: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    """A column of any type as one dictionary array."""
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _label(value: object, na: frozenset[str]) -> str | None:
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    text = str(value).strip()
    return None if text in na else text


def codes(raw: Raw, name: str, book: LevelBook, na: frozenset[str]) -> np.ndarray:
    """Level codes (n,) int32 of one column; -1 where missing, -2 where the level has no code."""
    positions, values = _encoded(raw.arrow.column(name))
    coded = list(map(book.cells.get, values))
    for at, value in enumerate(values):
        if coded[at] is None:
            coded[at] = code = book.code(_label(value, na))
            if type(value) is str:
                book.cells[value] = code
    table = np.array([*coded, MISSING], dtype=np.int32)
    out = table.take(positions, mode="wrap")  # −1 is the last one, which is the missing value's
    if (table == UNSEEN).any():
        rows = np.bincount(positions[positions >= 0], minlength=len(values))
        for at in np.flatnonzero(table[:-1] == UNSEEN).tolist():
            book.count_unseen(str(_label(values[at], na)), int(rows[at]))
    return out


def numbers(raw: Raw, name: str, na: frozenset[str]) -> np.ndarray:
    """A column of numbers (n,) float64, NaN where missing.

    Raises
    ------
    BadValue
        If a value is no number.
    """
    import pyarrow as pa

    array = raw.arrow.column(name)
    if pa.types.is_float64(array.type):
        return array.to_numpy(zero_copy_only=False)
    kind = family(array.type)
    if kind in ("text", "empty"):
        return parsed(raw, name, na, lambda text: float(text) if NUMBER.fullmatch(text) else None)
    if kind in ("date", "other"):
        rows = array.is_valid().to_numpy(zero_copy_only=False).nonzero()[0]
        row = int(rows[0]) if rows.size else 0
        raise not_a_number(raw.origin, raw.first_row + row, name, str(array[row]))
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if array.type != pa.float64():
        array = array.cast(pa.float64(), safe=False)
    return array.to_numpy(zero_copy_only=False)


def declared_missing(values: np.ndarray, na: Sequence[str]) -> np.ndarray:
    """The values with NaN where they equal a number that was declared to mean missing."""
    codes = numeric_spellings(na)
    return np.where(np.isin(values, codes), np.nan, values) if codes else values


def booleans(raw: Raw, name: str, na: frozenset[str]) -> np.ndarray:
    """A column of true/false as 1.0/0.0, NaN where missing."""
    kind = family(raw.arrow.column(name).type)
    if kind in ("boolean", "number"):
        return numbers(raw, name, na)
    return parsed(raw, name, na, lambda text: TRUTH.get(text.lower()), "the column holds true and false")


def parsed(
    raw: Raw, name: str, na: frozenset[str], read: Callable[[str], float | None], expected: str = ""
) -> np.ndarray:
    """Parse each distinct label once (n,) float64; ``read`` says None for a label that does not fit.

    Raises
    ------
    BadValue
        For the first label that does not fit.
    """
    found = dictionary(raw.arrow.column(name), na)
    values = np.full(len(found.labels) + 1, np.nan)
    for at, label in enumerate(found.labels):
        if label is None:
            continue
        value = read(label)
        rows = np.flatnonzero(found.positions == at)[:1] if value is None else np.zeros(0, int)
        if rows.size:  # a dictionary may hold labels that no row of this batch uses
            raise _misfit(raw, int(rows[0]), name, label, expected)
        values[at] = np.nan if value is None else value
    return values[found.positions]


def _misfit(raw: Raw, row: int, name: str, label: str, expected: str) -> Exception:
    if not expected:
        return not_a_number(raw.origin, raw.first_row + row, name, label)
    remedy = f"use `--na '{label}'` if it means a missing value, or `--categorical {name}`"
    return raw.bad(row, name, label, expected, remedy)
