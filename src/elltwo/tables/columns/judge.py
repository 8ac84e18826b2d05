"""What kind of thing a column holds, judged from its values; no counting of what the plan needs later."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from elltwo.errors import DataError
from elltwo.facts.plan import ColumnPlan
from elltwo.tables.columns.dates import is_date, microseconds
from elltwo.tables.columns.values import TRUTH, dictionary
from elltwo.tables.reading.csv import NUMBER
from elltwo.tables.reading.readers import family
from elltwo.tables.reading.storage import NUMBER_SHARE, number_share
from elltwo.tables.source import Table

if TYPE_CHECKING:
    import pyarrow as pa

ROW_NAMES = {"", "index", "row", "rownames", "row_names", "rowid"}
DECORATED = re.compile(r"[+-]?[$€£¥]?\s*[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?\s*[%$€£¥]?", re.ASCII)


def judge_column(
    table: Table,
    name: str,
    na: tuple[str, ...],
    categorical: bool,
    parts: tuple[str, ...] | None,
    sampled: bool,
) -> tuple[ColumnPlan, tuple[str, ...]]:
    """The kind of a feature column and remarks about it; levels, means and flags are settled later.

    Raises
    ------
    DataError
        For dates that were not declared, numbers with signs around them, and things no model can use.
    """
    column = table.arrow.column(name)
    kind = family(column.type)
    if categorical:
        counts = label_counts(column, frozenset(na)) if sampled and kind == "text" else Counter()
        return ColumnPlan(name, "category", "declared a category", expected=_expected(counts)), ()
    if parts is not None:
        return _declared_date(table, name, column, kind, parts, frozenset(na)), ()
    if kind == "boolean":
        return ColumnPlan(name, "boolean", "true or false"), ()
    if kind == "number":
        return _number(name, column, sampled)
    if kind == "date":
        raise _undeclared(table, name, str(column.drop_null()[0]) if column.null_count < len(column) else "")
    if kind == "other":
        raise DataError(
            f"column {name!r} of {table.name} holds {column.type}, neither numbers nor text: "
            f"turn it into plain columns, or leave it out with `--drop {name}`"
        )
    return _text(table, name, label_counts(column, frozenset(na)), sampled)


def label_counts(column: pa.ChunkedArray, na: frozenset[str]) -> Counter[str]:
    """How often each label occurs, missing ones left out."""
    counts: Counter[str] = Counter()
    for chunk in column.chunks:
        found = dictionary(chunk, na)
        rows = np.bincount(found.positions[found.positions >= 0], minlength=len(found.labels))
        for label, times in zip(found.labels, rows.tolist(), strict=True):
            if label is not None and times:
                counts[label] += times
    return counts


def _number(name: str, column: pa.ChunkedArray, sampled: bool) -> tuple[ColumnPlan, tuple[str, ...]]:
    plain = ColumnPlan(name, "number", "numbers")
    if sampled or len(column) < 10 or not _consecutive(column):
        return plain, ()
    bare = name.lower().replace("unnamed: 0", "").strip(" _")
    if bare in ROW_NAMES or name.startswith("unnamed_"):
        return ColumnPlan(name, "dropped", "it numbers the rows"), ()
    return plain, (
        f"column {name!r} numbers the rows: leave it out with `--drop {name}` unless order matters",
    )


def _consecutive(column: pa.ChunkedArray) -> bool:
    head = column.slice(0, 100)
    for part in (head, column):
        if part.null_count:
            return False
        with np.errstate(over="ignore", invalid="ignore"):  # infinities, which are refused elsewhere
            steps = np.diff(part.to_numpy().astype(float))
        if not np.all(steps == 1):
            return False
    return True


def _text(table: Table, name: str, counts: Counter[str], sampled: bool) -> tuple[ColumnPlan, tuple[str, ...]]:
    if not counts:
        if sampled:
            return ColumnPlan(name, "number", "no value in the sample"), ()
        return ColumnPlan(name, "dropped", "every value is missing"), ()
    if {label.lower() for label in counts} <= set(TRUTH):
        return ColumnPlan(name, "boolean", "true or false"), ()
    if number_share(counts) >= NUMBER_SHARE:
        return ColumnPlan(name, "number", "text that holds numbers"), ()
    few = [label for label, _ in counts.most_common(1000)]
    if sum(map(is_date, few)) >= NUMBER_SHARE * len(few):
        raise _undeclared(table, name, few[0])
    if sum(DECORATED.fullmatch(v) is not None for v in few) >= NUMBER_SHARE * len(few):
        example = next(v for v in few if not NUMBER.fullmatch(v))
        raise DataError(
            f"column {name!r} of {table.name} holds numbers with signs around them ({example!r}): "
            f"write plain numbers, or use `--categorical {name}`"
        )
    if (reason := _identifies(counts)) is not None:
        remark = f"column {name!r} is left out: {reason}; `--categorical {name}` keeps it"
        return ColumnPlan(name, "dropped", reason), (remark,)
    expected = _expected(counts) if sampled else 0
    reason = f"text, {len(counts)} levels{' in the sample' * sampled}"
    return ColumnPlan(name, "category", reason, expected=expected), ()


def _expected(counts: Counter[str]) -> int:
    """Levels of a whole table whose sample has these: as many more as the sample has only once are yet to come."""
    return len(counts) + sum(times == 1 for times in counts.values())


def _identifies(counts: Counter[str]) -> str | None:
    """Why a text column names single rows, or None."""
    rows = counts.total()
    if rows >= 5 and len(counts) == rows:
        return "every value is different"
    if rows >= 30 and len(counts) > 0.9 * rows:
        return "nearly every value is different"
    return None


def _undeclared(table: Table, name: str, example: str) -> DataError:
    return DataError(
        f"column {name!r} of {table.name} holds dates ({example!r}), which a linear model cannot use as they are: "
        f"`--date {name}=ordinal` makes it a number of days, `--date {name}=parts` makes year, month, day, weekday "
        f"and hour of it, `--drop {name}` leaves it out"
    )


def _declared_date(
    table: Table, name: str, column: pa.ChunkedArray, kind: str, parts: tuple[str, ...], na: frozenset[str]
) -> ColumnPlan:
    if kind == "text":
        labels = [label for label, _ in label_counts(column, na).most_common(1000)]
        wrong = [label for label in labels if microseconds(label) is None]
        if wrong and len(wrong) > (1 - NUMBER_SHARE) * len(labels):
            raise DataError(
                f"column {name!r} of {table.name} is declared a date and holds {wrong[0]!r}: write dates as "
                f"YYYY-MM-DD, with or without a time (day and month in the other order cannot be told apart)"
            )
    elif kind not in ("date", "empty"):
        raise DataError(
            f"column {name!r} of {table.name} is declared a date and holds {kind}s: leave `--date` out"
        )
    return ColumnPlan(name, "date", "declared a date", parts=parts)


def judge_target(table: Table, name: str, na: tuple[str, ...], task: str, sampled: bool) -> ColumnPlan:
    """The plan of a target: numbers to regress, class labels to classify.

    Raises
    ------
    DataError
        For a target without values, text where numbers are needed, or a single class.
    """
    column = table.arrow.column(name)
    kind = family(column.type)
    if column.null_count == len(column) and not sampled:
        raise DataError(
            f"every value of the target {name!r} is missing in {table.name}: choose another target"
        )
    if task == "classify":
        return _classes(table, name, label_counts(column, frozenset(na)))
    if kind in ("boolean", "number"):
        return ColumnPlan(name, kind, "target")
    if kind == "text":
        counts = label_counts(column, frozenset(na))
        if not counts and sampled:
            return ColumnPlan(name, "number", "target")
        if not counts:
            raise DataError(
                f"every value of the target {name!r} is missing in {table.name}: choose another target"
            )
        if {label.lower() for label in counts} <= set(TRUTH):
            return ColumnPlan(name, "boolean", "target")
        if number_share(counts) >= NUMBER_SHARE:
            return ColumnPlan(name, "number", "target")
        raise _text_target(name, counts)
    raise DataError(
        f"the target {name!r} holds {kind if kind == 'date' else column.type}: predict a column of numbers"
    )


def _text_target(name: str, counts: Counter[str]) -> DataError:
    example = next(label for label in counts if not NUMBER.fullmatch(label))
    few = f" of {len(counts)} classes" if len(counts) <= 20 else " class"
    return DataError(
        f"the target {name!r} holds text ({example!r}), and regression predicts numbers: choose a numeric target, "
        f"or predict which{few} it is with `--task classify`"
    )


def _classes(table: Table, name: str, counts: Counter[str]) -> ColumnPlan:
    if not counts:
        raise DataError(
            f"every value of the target {name!r} is missing in {table.name}: choose another target"
        )
    if len(counts) == 1:
        raise DataError(
            f"the target {name!r} has the one class {next(iter(counts))!r}: there is nothing to tell apart"
        )
    if len(counts) > max(20, counts.total() // 2):
        raise DataError(
            f"the target {name!r} has {len(counts)} classes in {counts.total()} rows: regress on it if it is a number, "
            f"or merge classes"
        )
    return ColumnPlan(name, "category", f"{len(counts)} classes", levels=in_order(counts))


def in_order(labels) -> tuple[str, ...]:  # type: ignore[no-untyped-def]  # any iterable of str
    """Levels sorted as numbers if they all are numbers, else as text."""
    names = list(labels)
    if all(NUMBER.fullmatch(v) for v in names):
        return tuple(sorted(names, key=lambda v: (float(v), v)))
    return tuple(sorted(names))
