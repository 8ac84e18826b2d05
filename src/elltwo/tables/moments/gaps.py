"""Imputed entries of a design, filled again with the means of other rows: what each training fold does for itself.

A missing number is the training mean beside a flag that is 1 there. So another mean is a linear map of the
design's own columns, x + δ·flag, and moments follow it as rows do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elltwo.facts.moments import DesignMoments
from elltwo.facts.plan import TablePlan

NOBODY = 1e-12  # a share of the weight below which no value is present


@dataclass(frozen=True)
class Gaps:
    """Where a design was filled in.

    Attributes
    ----------
    columns, flags : (m,) column ``columns[i]`` was missing where column ``flags[i]`` is 1.
    fill : (m,) what stands there now.
    """

    columns: np.ndarray
    flags: np.ndarray
    fill: np.ndarray

    @classmethod
    def of_plan(cls, plan: TablePlan) -> Gaps | None:
        """The gaps of a settled plan's design; None where no number was missing."""
        found: list[tuple[int, int, float]] = []
        at = 0
        for column in plan.used:
            if column.missing:
                flag = at + len(column.numbers)
                found += [(at + i, flag, mean) for i, mean in enumerate(column.impute)]
            at += len(column.features)
        if not found:
            return None
        columns, flags, fill = zip(*found, strict=True)
        return cls(np.array(columns), np.array(flags), np.array(fill))

    def steps(self, train: DesignMoments) -> np.ndarray:
        """(m,) from ``fill`` to the means of the values present in training rows; 0 where none is."""
        missing = train.first_x[self.flags] + train.shift_x[self.flags] * train.weight
        away = self.fill - train.shift_x[self.columns]
        return self._steps(train.first_x[self.columns] - away * missing, train.weight, missing, away)

    def steps_of_rows(self, A: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """The same from training rows A (n, p) themselves."""
        w = np.ones(len(A)) if weights is None else weights
        flags, away = A[:, self.flags], A[:, self.columns] - self.fill
        return self._steps(w @ (away * (1 - flags)), float(w.sum()), w @ flags, np.zeros(self.fill.size))

    @staticmethod
    def _steps(sums: np.ndarray, weight: float, missing: np.ndarray, away: np.ndarray) -> np.ndarray:
        present = weight - missing
        some = present > NOBODY * weight
        return np.where(some, np.divide(sums, present, out=np.zeros_like(sums), where=some) - away, 0.0)

    def refilled(self, A: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """A copy of rows (n, p) whose gaps hold ``fill`` + ``steps``."""
        out = np.array(A, dtype=float)
        out[:, self.columns] += A[:, self.flags] * steps
        return out

    def moved(self, m: DesignMoments, steps: np.ndarray) -> DesignMoments:
        """Moments of such rows: TᵀGT with T = I + Σ δ e_flag e_columnᵀ, about a shift that moves along."""
        first, shift, xx, xy = m.first_x.copy(), m.shift_x.copy(), m.xx.copy(), m.xy.copy()
        first[self.columns] += steps * m.first_x[self.flags]
        shift[self.columns] += steps * m.shift_x[self.flags]
        xx[:, self.columns] += xx[:, self.flags] * steps
        xx[self.columns] += steps[:, None] * xx[self.flags]
        xy[self.columns] += steps[:, None] * m.xy[self.flags]
        return replace(m, first_x=first, shift_x=shift, xx=xx, xy=xy)

    def after(self, steps: np.ndarray) -> Gaps:
        """The gaps of a refilled design."""
        return replace(self, fill=self.fill + steps)
