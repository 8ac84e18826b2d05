"""What a plan can only know after all rows were seen: means, missing flags, levels, constant columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from elltwo.errors import DataError
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.batches import Batch, Batcher
from elltwo.tables.columns import UNSEEN
from elltwo.tables.judge import in_order
from elltwo.tables.source import Table
from elltwo.tables.weights import require_some_weight


@dataclass(frozen=True)
class ColumnFacts:
    """What the training rows say about one column.

    Parameters
    ----------
    means : tuple of float
        Weighted mean of each number the column makes (NaN if there is none).
    missing : bool
        Whether any value is missing.
    constant : tuple of bool
        Whether each number has a single value.
    levels : mapping of str to int
        Rows per level, for a category.
    beyond : int
        Rows whose level had no room under the cap.
    """

    means: tuple[float, ...] = ()
    missing: bool = False
    constant: tuple[bool, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    beyond: int = 0


def settle(plan: TablePlan, facts: Mapping[str, ColumnFacts], rows: int) -> TablePlan:
    """The plan with everything that only the whole data can tell; ``facts`` has an entry per used column.

    Raises
    ------
    DataError
        If no column is left.
    """
    notes = list(plan.notes)
    columns = []
    for column in plan.columns:
        if column.kind == "dropped":
            columns.append(column)
        elif column.kind == "category":
            columns.append(_settle_category(column, facts[column.name], plan.max_levels, notes))
        else:
            columns.append(_settle_number(column, facts[column.name]))
    settled = replace(plan, columns=tuple(columns), rows=rows, sampled=False, notes=tuple(notes))
    if not settled.used:
        why = "; ".join(f"{c.name!r}: {c.reason}" for c in settled.columns[:5])
        raise DataError(f"no column is left to learn from ({why}): keep or add a column that varies")
    return settled


def _settle_number(column: ColumnPlan, facts: ColumnFacts) -> ColumnPlan:
    if all(np.isnan(facts.means)):
        return ColumnPlan(column.name, "dropped", "every value is missing")
    if column.kind == "date":
        kept = [i for i, still in enumerate(facts.constant) if not still]
        column = replace(column, parts=tuple(column.parts[i] for i in kept) or column.parts[:1])
        means = tuple(facts.means[i] for i in kept or [0])
    else:
        means = facts.means
    if all(facts.constant) and not facts.missing:
        return ColumnPlan(column.name, "dropped", f"constant: every value is {_shown(facts.means[0])}")
    reason = f"{column.reason}; missing ones flagged, mean put in" if facts.missing else column.reason
    return replace(column, impute=means, missing=facts.missing, reason=reason)


def _shown(value: float) -> str:
    return f"{value:g}"


def _settle_category(column: ColumnPlan, facts: ColumnFacts, cap: int, notes: list[str]) -> ColumnPlan:
    counts = {level: n for level, n in facts.levels.items() if n}
    name = column.name
    if not counts:
        return ColumnPlan(name, "dropped", "every value is missing")
    if len(counts) == 1 and not facts.missing:
        return ColumnPlan(name, "dropped", f"constant: every value is {next(iter(counts))!r}")
    kept, other = counts, facts.beyond > 0
    if len(counts) > cap:
        kept = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:cap])
        other = True
    levels = in_order(kept)
    plural = "level" if len(levels) == 1 else "levels"
    reason = "declared a category" if column.reason.startswith("declared") else "text"
    reason += f", {len(levels)} {plural}" + ", missing ones flagged" * facts.missing
    if other:
        rest = len(counts) - len(kept)
        more = f"{rest} rarer ones" if rest else "the further ones"
        reason += ", others together"
        notes.append(
            f"column {name!r}: {len(levels)} levels have their own column and {more} share one (other)"
        )
    reference = levels[0] if len(levels) <= 2 and not other else None
    return replace(
        column, levels=levels, reference=reference, other=other, missing=facts.missing, reason=reason
    )


class Settler:
    """Gathers `ColumnFacts` from batches in one pass; weights and missing targets are honoured.

    Means are kept as multiples of the largest value met, so that numbers near 1e308 do not overflow.
    """

    def __init__(self, plan: TablePlan) -> None:
        p, c = len(plan.number_names), len(plan.categories)
        self.plan, self.rows, self.kept, self.weight = plan, 0, 0, 0.0
        self.scale, self.sums, self.weights = np.zeros(p), np.zeros(p), np.zeros(p)
        self.low, self.high = np.full(p, np.inf), np.full(p, -np.inf)
        self.missing = np.zeros(p, dtype=bool)
        self.counts: list[np.ndarray] = [np.zeros(0, dtype=np.int64) for _ in range(c)]
        self.gaps, self.beyond = np.zeros(c, dtype=bool), np.zeros(c, dtype=np.int64)
        self.target_low = np.full(len(plan.targets), np.inf)
        self.target_high = -self.target_low
        self.books = ()  # type: tuple[object, ...]

    def add(self, batch: Batch) -> None:
        """Take in the rows of a batch that have every target."""
        keep = ~np.isnan(batch.targets).any(axis=1)
        self.rows, self.kept = self.rows + batch.rows, self.kept + int(keep.sum())
        weights = np.ones(batch.rows) if batch.weights is None else batch.weights
        self.weight += float(weights[keep].sum())
        if not keep.any():
            return
        self._numbers(batch.numbers[keep] if not keep.all() else batch.numbers, weights[keep])
        self._codes(batch, keep)
        self.target_low = np.minimum(self.target_low, batch.targets[keep].min(axis=0, initial=np.inf))
        self.target_high = np.maximum(self.target_high, batch.targets[keep].max(axis=0, initial=-np.inf))

    def _numbers(self, x: np.ndarray, w: np.ndarray) -> None:
        absent = np.isnan(x)
        self.missing |= absent.any(axis=0)
        self.low = np.minimum(self.low, np.where(absent, np.inf, x).min(axis=0, initial=np.inf))
        self.high = np.maximum(self.high, np.where(absent, -np.inf, x).max(axis=0, initial=-np.inf))
        scale = np.maximum(self.scale, np.where(absent, 0.0, np.abs(x)).max(axis=0, initial=0.0))
        safe = np.where(scale > 0, scale, 1.0)
        self.sums = self.sums * (self.scale / safe) + w @ np.where(absent, 0.0, x / safe)
        self.weights += w @ ~absent
        self.scale = scale

    def _codes(self, batch: Batch, keep: np.ndarray) -> None:
        self.books = batch.books
        for at, book in enumerate(batch.books):
            codes = batch.codes[keep, at]
            counts = np.bincount(codes[codes >= 0], minlength=len(book.levels))
            counts[: len(self.counts[at])] += self.counts[at]
            self.counts[at] = counts
            self.gaps[at] |= bool((codes == -1).any())
            self.beyond[at] += int((codes == UNSEEN).sum())

    def facts(self) -> dict[str, ColumnFacts]:
        """What was found, by column."""
        found: dict[str, ColumnFacts] = {}
        with np.errstate(invalid="ignore"):
            mean = self.scale * (self.sums / self.weights)
        mean = np.where(self.high >= self.low, np.where(self.scale > 0, mean, 0.0), np.nan)
        still, at = self.low >= self.high, 0
        for column in self.plan.numeric:
            span = slice(at, at + len(column.numbers))
            missing = bool(self.missing[span].any())
            found[column.name] = ColumnFacts(tuple(mean[span].tolist()), missing, tuple(still[span].tolist()))
            at = span.stop
        for i, column in enumerate(self.plan.categories):
            levels = (
                dict(zip(self.books[i].levels, self.counts[i].tolist(), strict=False)) if self.books else {}
            )
            found[column.name] = ColumnFacts((), bool(self.gaps[i]), (), levels, int(self.beyond[i]))
        return found

    def require_rows(self, table: str) -> None:
        """DataError unless there are rows, weights and a target that varies."""
        names = ", ".join(repr(c.name) for c in self.plan.targets)
        if self.plan.targets and self.kept == 0:
            raise DataError(f"every value of the target {names} is missing in {table}: choose another target")
        if self.kept < 2:
            what = f" with a value of {names}" if self.plan.targets and self.rows > 1 else ""
            raise DataError(f"{table} has {self.kept} row{what}: a fit needs at least two")
        require_some_weight(np.array([self.weight]), str(self.plan.weights))
        for column, low, high in zip(self.plan.targets, self.target_low, self.target_high, strict=True):
            if low == high:
                value = column.levels[int(low)] if column.levels else f"{low:g}"
                raise DataError(
                    f"the target {column.name!r} is {value} in every row of {table}: there is nothing to predict"
                )


def settle_table(table: Table, plan: TablePlan) -> TablePlan:
    """Settle a plan on every row of a table in memory; levels are capped by how often they occur.

    Raises
    ------
    BadValue
        For the first value that does not fit the plan.
    DataError
        If there are too few rows, weights or columns, or the target does not vary.
    """
    batcher = Batcher(plan, "grow")
    settler = Settler(plan)
    for raw in table.raws(batcher.columns):
        settler.add(batcher(raw))
    settler.require_rows(table.name)
    return settle(plan, settler.facts(), settler.kept)
