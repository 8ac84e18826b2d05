"""Predictions of a fit from moments, whatever its recipe: stored columns of new rows meet T times the coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.facts.plan import TablePlan
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
        which = [m.categories.index(column.name) for column in plan.categories]
        slots = tuple(_slots(m, c, design, coef, B) for c in which)
        levels = tuple(m.levels[c] for c in which)
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


def _slots(m: MixedMoments, c: int, design: DesignMap, coef: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Effects of a category's slots; slot "other" takes the shared column even if training left it empty."""
    start, stop = m.starts[c], m.starts[c + 1]
    table = B[start:stop].copy()
    shared = [j for j, f in enumerate(design.features) if f.source == m.categories[c] and f.role == "other"]
    if shared and design.T[[start + OTHER]].nnz == 0:
        column = design.T[:, [shared[0]]]
        table[OTHER] = (column.data[0] if column.nnz else 0.0) * coef[shared[0]]
    return table
