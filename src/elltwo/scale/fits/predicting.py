"""Predictions of a fit from moments, whatever its recipe: stored columns of new rows meet T times the coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.columns.batches import Batch
from elltwo.tables.columns.derived import derived_values
from elltwo.tables.moments.design import DesignMap
from elltwo.tables.moments.levels import OTHER, Levels
from elltwo.tables.moments.mixed import MixedMoments


@dataclass(frozen=True)
class Effects:
    """What each stored column of a row adds to its predictions.

    Attributes
    ----------
    names : d number columns in the order of a batch, derived ones last. plan : of the rows to come.
    centre : (d,) subtracted first. slopes : (d, t); missing : (d, t) instead, where a value is missing.
    levels : per category, what its slots mean. slots : per category (slots, t); a level that training did not know
        counts as the one that others share, or adds nothing.
    constant : (t,).
    """

    names: tuple[str, ...]
    plan: TablePlan
    centre: np.ndarray
    slopes: np.ndarray
    missing: np.ndarray
    levels: tuple[Levels, ...]
    slots: tuple[np.ndarray, ...]
    constant: np.ndarray

    @classmethod
    def of(
        cls, m: MixedMoments, plan: TablePlan, design: DesignMap, coef: np.ndarray, intercept: np.ndarray
    ) -> Effects:
        """From the layout of the moments and coefficients (p, t) of the design's columns."""
        B, d = np.asarray(design.T @ coef), len(m.numeric)
        names = (*plan.number_names, *(name for made in plan.derived for name in made.names))
        at = [m.numeric.index(name) for name in names]
        slopes, missing = B[[1 + j for j in at]], np.zeros((len(at), coef.shape[1]))
        for i, j in enumerate(at):
            if j in m.flagged:
                missing[i] = B[1 + d + m.flagged.index(j)]
            elif names[i] in design.impute:
                missing[i] = (design.impute[names[i]] - m.shift[j]) * slopes[i]
        found = [_category(m, column, design, coef, B) for column in plan.categories]
        levels, slots = tuple(f[0] for f in found), tuple(f[1] for f in found)
        constant = design.shift @ coef + intercept
        return cls(names, plan, m.shift[at], slopes, missing, levels, slots, constant)

    def predict(self, batch: Batch) -> np.ndarray:
        """(n, t) predictions for a batch whose level books grow."""
        names = self.plan.number_names
        made = [
            derived_values(d, lambda name: batch.numbers[:, names.index(name)]) for d in self.plan.derived
        ]
        x = np.concatenate([batch.numbers.T, *made]).T - self.centre
        absent = np.isnan(x)
        out = np.where(absent, 0.0, x) @ self.slopes + absent @ self.missing + self.constant
        for c, (level, table) in enumerate(zip(self.levels, self.slots, strict=True)):
            slot = {label: i + 1 for i, label in enumerate(level.labels)}
            nothing = len(table)
            known = [slot.get(label, OTHER) for label in batch.books[c].levels]
            place = np.array([*known, OTHER, slot.get(None, nothing)])  # codes −2 and −1 index from the end
            out += np.vstack([table, np.zeros(table.shape[1])])[place[batch.codes[:, c]]]
        return out


def _category(
    m: MixedMoments, column: ColumnPlan, design: DesignMap, coef: np.ndarray, B: np.ndarray
) -> tuple[Levels, np.ndarray]:
    """Levels of a category and effects (slots, t) of its slots.

    Slot "other" takes the shared column even if training left it empty; levels that others joined, and a missing
    value that counts as a level, have a slot even if the pass met none.
    """
    c = m.categories.index(column.name)
    level, start, stop = m.levels[c], m.starts[c], m.starts[c + 1]
    table = B[start:stop].copy()
    at = {(f.role, f.level): j for j, f in enumerate(design.features) if f.source == column.name}

    def effect(role: str, name: str | None = None) -> np.ndarray:
        """(t,) of one of the category's columns; 0 of a level that has none."""
        j = at.get((role, name))
        entries = design.T[:, [] if j is None else [j]].data
        return entries[0] * coef[j] if entries.size else np.zeros(coef.shape[1])

    if design.T[[start + OTHER]].nnz == 0:
        table[OTHER] = effect("other")
    more: dict[str | None, str] = {v: column.counts_as(v) for v in column.levels if v not in level.labels}
    if column.missing_as is not None and None not in level.labels:
        more[None] = column.missing_as
    rows = [effect("level", name) for name in more.values()]
    return replace(level, labels=(*level.labels, *more)), np.vstack([table, *rows])
