"""Data frames in, through the Arrow C stream: pandas, Polars, DuckDB, pyarrow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.errors import BadValue, DataError
from elltwo.tables.source import check_names

if TYPE_CHECKING:
    import pyarrow as pa

FRAME = "the data frame"


def is_frame(value: object) -> bool:
    """Whether a value offers the Arrow C stream, or is a mapping of names to sequences."""
    return (
        hasattr(value, "__arrow_c_stream__") or isinstance(value, Mapping) or hasattr(value, "collect_schema")
    )


def frame_table(frame: Any) -> pa.Table:
    """Every row of a frame as an Arrow table, without copying what Arrow can share.

    Raises
    ------
    BadValue
        If a column mixes text and numbers.
    DataError
        If names repeat, or the frame is lazy.
    """
    import pyarrow as pa

    if not hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "collect_schema"):
        raise DataError("a lazy frame holds no rows yet: call .collect() on it first")
    names = getattr(frame, "columns", None)
    if names is None and hasattr(frame, "name") and hasattr(frame, "dtype"):
        raise DataError(
            "a series is one column, and a table needs a target and a column to learn from: give a frame"
        )
    if names is not None and not isinstance(frame, Mapping):
        check_names(tuple(map(_name, names)), FRAME)
    try:
        if isinstance(frame, Mapping):
            table = pa.table({str(k): pa.array(v) for k, v in frame.items()})
        else:
            table = pa.RecordBatchReader.from_stream(frame).read_all()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _mixed(frame, error) from None
    table = _without_index(table)  # before renaming, which drops the metadata that name it
    table = table.rename_columns([n.strip() for n in table.column_names])
    check_names(tuple(table.column_names), FRAME)
    return table


def numbers_in(table: pa.Table | pa.RecordBatch, names: Sequence[str]) -> np.ndarray:
    """Some columns as numbers (n, d), missing ones NaN.

    Raises
    ------
    DataError
        A column that is not there, or holds no numbers.
    """
    import pyarrow as pa
    from pyarrow import types as t

    out = np.empty((table.num_rows, len(names)))
    for j, name in enumerate(names):
        if name not in table.schema.names:
            raise DataError(f"there is no column {name!r}: there are {', '.join(table.schema.names[:12])}")
        column = table.column(name)
        kind = column.type
        if not (t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_boolean(kind)):
            raise DataError(
                f"column {name!r} holds {kind} where numbers belong: encode it first, or leave it out"
            )
        out[:, j] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return out


def _name(column: object) -> str:
    return str(column if isinstance(column, (str, int, float, tuple)) else getattr(column, "_name", column))


def _without_index(table: pa.Table) -> pa.Table:
    """A pandas index travels as a column; it names rows and is no feature."""
    meta = (table.schema.metadata or {}).get(b"pandas")
    if not meta:
        return table
    index = [c for c in json.loads(meta).get("index_columns", []) if isinstance(c, str)]
    return table.drop_columns([c for c in index if c in table.column_names])


def _mixed(frame: Any, error: Exception) -> DataError:
    """Name the first value that Arrow could not put beside the others."""
    columns = frame.items() if hasattr(frame, "items") else ()
    for name, values in columns:
        if not hasattr(values, "__iter__") or getattr(values, "ndim", 1) != 1:
            return DataError(
                f"{FRAME}: column {str(name)!r} is no list of values, one for each row: make it one"
            )
        kinds: dict[str, tuple[int, object]] = {}
        for row, value in enumerate(values):
            kind = _kind(value)
            if kind is None:
                continue
            kinds.setdefault(kind, (row, value))
            if len(kinds) > 1:
                (row, value), (first, other) = kinds[kind], next(iter(kinds.values()))
                return BadValue(
                    f"{FRAME}, row {row + 1}: column {str(name)!r} has {value!r}, and row {first + 1} has {other!r}: "
                    f"make the column all numbers or all text",
                    file=FRAME, row=row + 1, column=str(name), value=str(value),
                )  # fmt: skip
    return DataError(f"{FRAME} cannot be read: {error}")


def _kind(value: object) -> str | None:
    if (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float) and value != value)
    ):
        return None
    if isinstance(value, str):
        return "text"
    return "number" if isinstance(value, (int, float, bool)) else type(value).__name__
