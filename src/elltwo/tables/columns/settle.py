"""What a plan can only know after all rows were seen: means, missing flags, levels, constant columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from elltwo.errors import DataError
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.columns.batches import Batch, Batcher
from elltwo.tables.columns.judge import in_order
from elltwo.tables.columns.values import UNSEEN, LevelBook
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
    flagged = "; missing ones flagged, mean put in"
    reason = column.reason.removesuffix(flagged) + flagged * facts.missing  # a plan may be settled already
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
        column,
        levels=levels,
        reference=reference,
        other=other,
        missing=facts.missing,
        reason=reason,
        expected=0,
    )


class Settler:
    """Gathers `ColumnFacts` from batches in one pass; weights and missing targets are honoured.

    Means are merged as convex combinations, so that numbers near 1e308 do not overflow.
    """

    def __init__(self, plan: TablePlan) -> None:
        p, c, t = len(plan.number_names), len(plan.categories), len(plan.targets)
        self.plan, self.rows, self.kept, self.weight = plan, 0, 0, 0.0
        self.means, self.weights = np.zeros(p), np.zeros(p)
        self.first, self.varies = np.full(p, np.nan), np.zeros(p, dtype=bool)
        self.missing = np.zeros(p, dtype=bool)
        self.counts: list[np.ndarray] = [np.zeros(0, dtype=np.int64) for _ in range(c)]
        self.gaps, self.beyond = np.zeros(c, dtype=bool), np.zeros(c, dtype=np.int64)
        self.target_low, self.target_high = np.full(t, np.inf), np.full(t, -np.inf)
        self.books: tuple[LevelBook, ...] = ()

    def add(self, batch: Batch) -> None:
        """Take in the rows of a batch that have every target."""
        keep = ~np.isnan(batch.targets).any(axis=1)
        self.rows, self.kept = self.rows + batch.rows, self.kept + int(keep.sum())
        if not keep.any():
            return
        whole = bool(keep.all())
        weights = np.ones(batch.rows) if batch.weights is None else batch.weights
        self.weight += float(weights[keep].sum())
        missing = batch.missing if whole or batch.missing is None else batch.missing[keep]
        self._numbers(batch.numbers if whole else batch.numbers[keep], missing, weights[keep])
        self._codes(batch, keep)
        targets = batch.targets[keep]
        self.target_low = np.minimum(self.target_low, targets.min(axis=0, initial=np.inf))
        self.target_high = np.maximum(self.target_high, targets.max(axis=0, initial=-np.inf))

    def _numbers(self, x: np.ndarray, missing: np.ndarray | None, w: np.ndarray) -> None:
        gaps = np.zeros(x.shape[1], dtype=bool) if missing is None else missing.any(axis=0)
        self.missing |= gaps
        full = np.flatnonzero(~gaps)
        if full.size and (total := float(w.sum())) > 0:
            part = x if full.size == x.shape[1] else x[:, full]
            self._merge(full, (w / total) @ part, total)
        for j in np.flatnonzero(gaps):
            present = ~missing[:, j]  # type: ignore[index]  # gaps are all False without flags
            if (total := float(w[present].sum())) > 0:
                self._merge(np.array([j]), (w[present] / total) @ x[present, j : j + 1], total)
        self._vary(x, missing)

    def _merge(self, at: np.ndarray, means: np.ndarray, weight: float) -> None:
        known = self.weights[at]
        share = weight / (known + weight)
        self.means[at] = self.means[at] * (1 - share) + means * share
        self.weights[at] = known + weight

    def _vary(self, x: np.ndarray, missing: np.ndarray | None) -> None:
        """Only columns that have shown a single value so far are looked at."""
        for j in np.flatnonzero(~self.varies):
            present = x[:, j] if missing is None else x[~missing[:, j], j]
            if present.size:
                if np.isnan(self.first[j]):
                    self.first[j] = present[0]
                self.varies[j] = bool((present != self.first[j]).any())

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
        mean = np.where(self.varies, self.means, self.first)  # a constant is its own mean, exactly
        still, at = ~self.varies, 0
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
