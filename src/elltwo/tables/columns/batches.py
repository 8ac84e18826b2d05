"""A plan applied to some rows: numbers, codes, targets and the rest, still without one-hot columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np

from elltwo.errors import BadValue
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.columns import values as col
from elltwo.tables.columns.dates import dates
from elltwo.tables.columns.values import LevelBook
from elltwo.tables.folds import group_keys
from elltwo.tables.missing import numeric_spellings
from elltwo.tables.source import Origin, Raw, bad_value
from elltwo.tables.weights import require_weights


@dataclass(frozen=True)
class Batch:
    """Some consecutive rows of a table under a plan.

    Parameters
    ----------
    columns : pn arrays (n,) float64
        ``plan.number_names``: numbers, booleans as 0/1, date parts; NaN where missing, never infinite. They may be
        the memory of the reader: do not write into them.
    codes : (n, pc) int32, column-major
        ``plan.categories``: the code of each level in ``books``; -1 missing, -2 a level without a code.
    books : tuple of LevelBook
        One per category, shared by all batches of a pass, growing as it goes.
    targets : (n, t) float64
        NaN where missing; class codes when the task is to classify.
    weights : (n,) float64 or None
    group : (n,) uint64 or None
        A hash of the group's label that is the same in every part of every pass.
    fold : (n,) int32 or None
        Codes of the fold column in ``fold_book``.
    fold_book : LevelBook
    first_row : int
        Global number of the first row, from 0.
    origin : Origin
        File, row group and line of the rows, for messages.
    """

    columns: tuple[np.ndarray, ...]
    codes: np.ndarray
    books: tuple[LevelBook, ...]
    targets: np.ndarray
    weights: np.ndarray | None
    group: np.ndarray | None
    fold: np.ndarray | None
    fold_book: LevelBook
    first_row: int
    origin: Origin

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.codes)

    @cached_property
    def numbers(self) -> np.ndarray:
        """(n, pn) float64, column-major: the columns side by side."""
        out = np.empty((len(self.columns), self.rows))
        for at, column in enumerate(self.columns):
            out[at] = column
        return out.T

    @cached_property
    def missing(self) -> np.ndarray | None:
        """(n, pn) where ``numbers`` is NaN; None when nothing is missing in these rows."""
        missing = np.isnan(self.numbers)
        return missing if missing.any() else None


@dataclass(frozen=True)
class Beside:
    """What stands beside the features of a batch: weights (n,), keys of groups (n,), codes of folds (n,)."""

    weights: np.ndarray | None = None
    group: np.ndarray | None = None
    fold: np.ndarray | None = None


class Batcher:
    """Turns raw batches into `Batch`es under one plan; keeps the level books of the pass.

    Parameters
    ----------
    plan : TablePlan
    levels : {"grow", "closed"}
        Whether a level that the plan does not know gets a new code (fitting) or the code -2 (a settled
        plan, prediction).
    targets, helpers : bool
        Whether to read the target columns, and the weight, group and fold columns.
    finite : bool
        Whether to look for infinities; who finds them anyway asks `refuse_infinite` where they stand.
    """

    def __init__(
        self,
        plan: TablePlan,
        levels: str = "grow",
        targets: bool = True,
        helpers: bool = True,
        finite: bool = True,
    ) -> None:
        grow = levels == "grow"
        self.plan = plan
        self.na = frozenset(plan.na)
        self.numeric_na = bool(numeric_spellings(plan.na))
        self.books = tuple(LevelBook(list(c.levels), grow) for c in plan.categories)
        self.targets = plan.targets if targets else ()
        self.classes = tuple(LevelBook(list(c.levels), False) for c in self.targets)
        self.helpers = helpers
        self.finite = finite
        self.fold_book = LevelBook()
        self.group_book = LevelBook()
        self._keys = np.empty(0, dtype=np.uint64)

    @property
    def columns(self) -> tuple[str, ...]:
        """What has to be read."""
        names = [c.name for c in (*self.plan.used, *self.targets)]
        return (*names, *(self.plan.helpers if self.helpers else ()))

    def __call__(self, raw: Raw) -> Batch:
        """One raw batch under the plan.

        Raises
        ------
        BadValue
            For a value that does not fit the plan: text in a column of numbers, an infinity, a negative weight.
        """
        plan, n = self.plan, raw.arrow.num_rows
        columns = self._columns(raw)
        codes = np.empty((len(self.books), n), dtype=np.int32)
        for at, (column, book) in enumerate(zip(plan.categories, self.books, strict=True)):
            codes[at] = col.codes(raw, column.name, book, self.na)
        beside = self._beside(raw) if self.helpers else Beside()
        batch = Batch(
            columns,
            codes.T,
            self.books,
            self._targets(raw).T,
            beside.weights,
            beside.group,
            beside.fold,
            self.fold_book,
            raw.first_row,
            raw.origin,
        )
        if self.finite:
            self.refuse_infinite(batch)
        return batch

    def refuse_infinite(self, batch: Batch) -> None:
        """BadValue for the first infinity among the numbers, or else among the targets."""
        _refuse_infinite(batch, batch.columns, self.plan.number_names)
        _refuse_infinite(batch, batch.targets.T, [column.name for column in self.targets])

    def _columns(self, raw: Raw) -> tuple[np.ndarray, ...]:
        out: list[np.ndarray] = []
        for column in self.plan.numeric:
            if column.numbers:  # a reference-only column may have none
                values = self._number(raw, column)
                out += [values] if values.ndim == 1 else [*values]
        return tuple(out)

    def _number(self, raw: Raw, column: ColumnPlan) -> np.ndarray:
        if column.kind == "date":
            return dates(raw, column.name, column.parts, self.na).T
        if column.kind == "boolean":
            return col.booleans(raw, column.name, self.na)
        values = col.numbers(raw, column.name, self.na)
        return col.declared_missing(values, self.plan.na) if self.numeric_na else values

    def _targets(self, raw: Raw) -> np.ndarray:
        out = np.empty((len(self.targets), raw.arrow.num_rows))
        for at, column in enumerate(self.targets):
            if column.kind == "category":
                found = col.codes(raw, column.name, self.classes[at], self.na)
                self._only_known(raw, column, found)
                out[at] = np.where(found < 0, np.nan, found)
                continue
            out[at] = self._number(raw, column)
        return out

    def _only_known(self, raw: Raw, column: ColumnPlan, found: np.ndarray) -> None:
        if (found == col.UNSEEN).any():
            row = int(np.argmax(found == col.UNSEEN))
            label = str(raw.arrow.column(column.name)[row])
            known = ", ".join(repr(v) for v in column.levels[:10])
            raise raw.bad(row, column.name, label, f"the classes are {known}", "plan the table again with it")

    def _beside(self, raw: Raw) -> Beside:
        plan = self.plan
        weights = group = fold = None
        if (name := plan.weights) is not None:
            weights = col.numbers(raw, name, self.na)
            require_weights(weights, lambda row, value, why, do: raw.bad(row, name, value, why, do))
        if plan.group is not None:
            found = col.codes(raw, plan.group, self.group_book, self.na)
            self._refuse_missing(raw, plan.group, found, "every row needs a group")
            group = self._group_keys()[found]
        if plan.fold_column is not None:
            fold = col.codes(raw, plan.fold_column, self.fold_book, self.na)
            self._refuse_missing(raw, plan.fold_column, fold, "every row needs a fold")
        return Beside(weights, group, fold)

    def _group_keys(self) -> np.ndarray:
        known = len(self._keys)
        if len(self.group_book.levels) > known:
            self._keys = np.concatenate([self._keys, group_keys(self.group_book.levels[known:])])
        return self._keys

    @staticmethod
    def _refuse_missing(raw: Raw, name: str, found: np.ndarray, why: str) -> None:
        if (found < 0).any():
            row = int(np.argmax(found < 0))
            raise raw.bad(row, name, "", why, "fill it in, or leave the row out")


def _refuse_infinite(batch: Batch, columns: Iterable[np.ndarray], names: Iterable[str]) -> None:
    with np.errstate(all="ignore"):
        for name, column in zip(names, columns, strict=True):
            if isfinite(column @ column):  # the quickest look at every value
                continue
            found = np.isinf(column)
            if found.any():
                raise infinite(batch, int(np.argmax(found)), name, column)


def infinite(batch: Batch, row: int, name: str, values: np.ndarray) -> BadValue:
    """The error for an infinity, with how many there are near it."""
    many = int(np.isinf(values).sum())
    count = "" if many == 1 else f" ({many} such values in these {len(values):,} rows)"
    value = str(float(values[row]))
    remedy = f"`--na {value}` makes it a missing value; `--drop {name}` leaves the column out"
    expected = f"only finite numbers can be used{count}"
    return bad_value(batch.origin, batch.first_row + row, name, value, expected, remedy)
