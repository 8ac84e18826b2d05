"""A table under a settled plan becomes X, y, weights, groups and folds: the same call for training and prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from elltwo.errors import DataError, UsageError
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.columns.batches import Batch, Batcher
from elltwo.tables.columns.expanding import expand
from elltwo.tables.columns.values import MISSING
from elltwo.tables.folds import fold_ids
from elltwo.tables.read import iter_batches, read_planned, settled_remedies
from elltwo.tables.source import Table
from elltwo.tables.weights import require_some_weight


@dataclass(frozen=True)
class Design:
    """Everything a fit or a prediction needs from a table.

    Parameters
    ----------
    X : (n, p) float64
    names : tuple of str
        The columns of X.
    sources : tuple of str
        The table column behind each column of X.
    y : (n,) or (n, t) float64, or (n,) str, or None
        Class labels when the plan's task is to classify; None when the table has no target.
    weights : (n,) float64 or None
    groups : (n,) uint64 or None
        A key per group, the same in every table.
    folds : (n,) int or None
        From the fold column, counted from 0.
    rows : (n,) int
        The table's row behind each row of X, from 0.
    table_rows : int
        Rows of the table.
    notes : tuple of str
        What was left out, put in or not known: sentences.
    """

    X: np.ndarray
    names: tuple[str, ...]
    sources: tuple[str, ...]
    y: np.ndarray | None
    weights: np.ndarray | None
    groups: np.ndarray | None
    folds: np.ndarray | None
    rows: np.ndarray
    table_rows: int
    notes: tuple[str, ...] = ()

    @property
    def rows_dropped(self) -> int:
        """Rows of the table that were left out because a target is missing."""
        return self.table_rows - len(self.rows)

    def fold_ids(self, k: int, *, seed: int = 0, contiguous: bool = False) -> np.ndarray:
        """The fold (n,) of every row of X: fold column, else groups, else the table's row numbers.

        Rows are numbered in the table, so that a stream of the same table finds the same folds.
        """
        if self.folds is not None:
            return fold_ids(len(self.rows), k, column=self.folds)
        if self.groups is not None:
            return fold_ids(len(self.rows), k, seed=seed, groups=self.groups)
        return fold_ids(self.table_rows, k, seed=seed, contiguous=contiguous)[self.rows]


def design(source: object, plan: TablePlan, *, fit: bool = True, encoding: str = "utf-8") -> Design:
    """Encode a table under a settled plan.

    Missing numbers become what the plan says, with a 0/1 column beside them if it says so. A level that the plan
    does not know is 0 in every column of its category (or 1 in ``(other)``), and a note says so. Columns may come in
    any order; columns that the plan does not use are ignored.

    Parameters
    ----------
    source : Table, frame, path or list of paths
    plan : TablePlan
        Settled: from `plan_columns` of a table in memory, or after a pass.
    fit : bool
        True to read targets, weights, groups and folds, and to leave out rows without a target; False to
        predict: every row is kept, and nothing but the features is read.
    encoding : str
        Of text files.

    Raises
    ------
    BadValue
        For a value of the wrong type: names file, line, column, value.
    DataError
        For a column that is not there.
    UsageError
        For a plan that was made from a sample and not settled.
    """
    if plan.sampled:
        raise UsageError("this plan was made from a sample: settle it with a pass over the data first")
    if not plan.used:
        raise DataError("this plan uses no column: plan the table again")
    table = read_planned(source, plan, fit=fit, encoding=encoding)
    batcher = Batcher(plan, "closed", targets=fit, helpers=fit)
    parts = _Parts(plan, table.rows, fit)
    with settled_remedies(fit):
        for raw in table.raws(batcher.columns):
            parts.add(batcher(raw))
    return parts.finish(batcher, table)


def predict_batches(source: object, plan: TablePlan, batch_rows: int = 16384) -> Iterator[np.ndarray]:
    """X for prediction, a block (n, p) of rows at a time, in little memory; every row is kept."""
    batcher = Batcher(plan, "closed", targets=False, helpers=False)
    with settled_remedies(False):
        yield from _blocks(iter_batches(source, plan, batch_rows, batcher=batcher), plan)


def _blocks(batches: Iterator[Batch], plan: TablePlan) -> Iterator[np.ndarray]:
    for batch in batches:
        out = np.empty((batch.rows, len(plan.feature_names)))
        expand(batch, plan, out)
        yield out


class _Parts:
    """The arrays of a design while they are being filled."""

    def __init__(self, plan: TablePlan, rows: int, fit: bool) -> None:
        self.plan, self.fit, self.rows = plan, fit, rows
        self.X = np.empty((rows, len(plan.feature_names)))
        self.filled = 0
        self.kept: list[np.ndarray] = []
        self.batches: dict[str, list[np.ndarray]] = {"y": [], "weights": [], "group": [], "fold": []}
        self.imputed = np.zeros(len(plan.number_names), dtype=np.int64)
        self.gaps = np.zeros(len(plan.categories), dtype=np.int64)

    def add(self, batch: Batch) -> None:
        keep = ~np.isnan(batch.targets).any(axis=1)
        kept = np.flatnonzero(keep)
        block = self.X[self.filled : self.filled + len(kept)]
        if len(kept) == batch.rows:
            expand(batch, self.plan, block)
        else:
            whole = np.empty((batch.rows, self.X.shape[1]))
            expand(batch, self.plan, whole)
            block[:] = whole[kept]
        self.filled += len(kept)
        self.kept.append(kept + batch.first_row)
        self.batches["y"].append(batch.targets[kept])
        for name in ("weights", "group", "fold"):
            if (values := getattr(batch, name)) is not None:
                self.batches[name].append(values[kept])
        if batch.missing is not None:
            self.imputed += batch.missing[kept].sum(axis=0)
        self.gaps += (batch.codes[kept] == MISSING).sum(axis=0)

    def finish(self, batcher: Batcher, table: Table) -> Design:
        plan = self.plan
        rows = np.concatenate(self.kept) if self.kept else np.empty(0, dtype=np.int64)
        if self.fit and not len(rows):
            raise DataError(f"{table.name} has no row with a target: there is nothing to fit")
        joined = {k: np.concatenate(v) if v else None for k, v in self.batches.items()}
        require_some_weight(joined["weights"], str(plan.weights))
        folds = joined["fold"]
        if folds is not None:
            folds = fold_ids(len(folds), 2, column=np.asarray(batcher.fold_book.levels)[folds])
        return Design(
            self.X[: self.filled],
            plan.feature_names,
            plan.feature_sources,
            self._targets(joined["y"]),
            joined["weights"],
            joined["group"],
            folds,
            rows,
            self.rows,
            self._notes(batcher, len(rows)),
        )

    def _targets(self, y: np.ndarray | None) -> np.ndarray | None:
        if not self.fit or y is None or not self.plan.targets:
            return None
        if self.plan.task == "classify":
            return np.asarray(self.plan.targets[0].levels)[y[:, 0].astype(int)]
        return y[:, 0] if y.shape[1] == 1 else y

    def _notes(self, batcher: Batcher, kept: int) -> tuple[str, ...]:
        notes = []
        if left := self.rows - kept:
            names = " or ".join(repr(c.name) for c in self.plan.targets)
            verbs = "has no value of {} and is" if left == 1 else "have no value of {} and are"
            notes.append(f"{left:,} of {self.rows:,} rows {verbs.format(names)} left out")
        for column, book in zip(self.plan.categories, batcher.books, strict=True):
            if book.unseen and not (self.fit and column.other):
                notes.append(_unseen_note(column, book.unseen))
        at = 0
        for column in self.plan.numeric:
            many = int(self.imputed[at : at + len(column.numbers)].max(initial=0))
            at += len(column.numbers)
            if many and not column.missing:
                notes.append(
                    f"column {column.name!r} misses {_counted(many, 'value')} and missed none in training: "
                    f"{_filled(column)}"
                )
        for column, many in zip(self.plan.categories, self.gaps.tolist(), strict=True):
            if many and not column.missing and column.missing_as is None:
                notes.append(
                    f"column {column.name!r} misses {_counted(many, 'value')} and missed none in training: "
                    f"{_unset(column)}"
                )
        return tuple(notes)


def _filled(column: ColumnPlan) -> str:
    return f"{column.impute[0]:g} stands in" if column.constant else "the training mean stands in"


def _unset(column: ColumnPlan) -> str:
    return "no level is set there" if column.reference is None else f"they count as {column.reference!r}"


def _counted(many: int, thing: str) -> str:
    return f"{many:,} {thing}" + "s" * (many != 1)


def _unseen_note(column: ColumnPlan, unseen: dict[str, int]) -> str:
    rows = sum(unseen.values())
    shown = ", ".join(repr(v) for v in list(unseen)[:5]) + (", …" if len(unseen) > 5 else "")
    where = "they count as (other)" if column.other else _unset(column)
    return f"column {column.name!r} has levels that training did not have ({shown}; {_counted(rows, 'row')}): {where}"
