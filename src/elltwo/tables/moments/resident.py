"""A table in memory before a recipe is applied: its rows become a design again for any training part of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from elltwo.facts.plan import TablePlan
from elltwo.tables.columns.batches import Batcher
from elltwo.tables.moments.choices import asked_of, become
from elltwo.tables.moments.design import DesignMap, design_map
from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.levels import Levels
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.planned import plan_sources
from elltwo.tables.moments.recipe import Recipe, Source
from elltwo.tables.moments.triangles import places, stored_rows
from elltwo.tables.source import Table


@dataclass(frozen=True)
class Resident:
    """Rows of a table as a pass stores them, u = [1 | x − c | missing flags | 0/1 of every level].

    Attributes
    ----------
    plan : settled, with what the recipe names by column. recipe : how columns are made.
    numbers : (n, d) NaN where missing. codes : (n, c) into the plan's levels.
    y : (n, t). weights : (n,) or None.
    """

    plan: TablePlan
    recipe: Recipe
    numbers: np.ndarray
    codes: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None

    @classmethod
    def of(
        cls,
        table: Table,
        plan: TablePlan,
        recipe: Recipe,
        rows: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray | None,
    ) -> Resident:
        """Rows ``rows`` (n,) of a table under a settled plan.

        Raises
        ------
        UsageError
            The recipe names a column or a level that is not there.
        """
        asked = asked_of(plan, recipe)
        used = Batcher(asked, "closed", targets=False, helpers=False)
        batches = [used(raw) for raw in table.raws(used.columns)]
        numbers = np.concatenate([batch.numbers for batch in batches])[rows]
        codes = np.concatenate([batch.codes for batch in batches])[rows]
        return cls(asked, recipe, numbers, codes, y, weights)

    @cached_property
    def layout(self) -> MixedMoments:
        """The places of columns in u, as moments without a fold; numbers about their means."""
        missing = np.isnan(self.numbers)
        present = np.maximum(len(missing) - missing.sum(axis=0), 1)
        shift = np.where(missing, 0.0, self.numbers).sum(axis=0) / present
        levels = tuple(
            Levels((*column.levels, None) if (self.codes[:, c] == -1).any() else column.levels)
            for c, column in enumerate(self.plan.categories)
        )
        flagged = tuple(np.flatnonzero(missing.any(axis=0)).tolist())
        names = tuple(column.name for column in self.plan.categories)
        nothing = np.zeros((0, 0, 0))
        return MixedMoments(
            self.plan.number_names,
            names,
            1,
            flagged,
            levels,
            shift,
            np.zeros(0, dtype=np.int64),
            nothing,
            (),
            {},
        )

    def design(self, train: np.ndarray) -> DesignMap:
        """The design that rows ``train`` (n,) of them ask for; their sums Σ w u say it all."""
        m, w = self.layout, np.where(train, 1.0 if self.weights is None else self.weights, 0.0)
        missing = np.isnan(self.numbers)
        sums = [
            [w.sum()],
            w @ np.where(missing, 0.0, self.numbers - m.shift),
            w @ missing[:, list(m.flagged)],
        ]
        for c, level in enumerate(m.levels):
            slots = places(level, self.plan.categories[c].levels)[self.codes[:, c]]
            sums.append(np.bincount(slots, weights=w, minlength=level.size))
        return design_map(m, np.concatenate(sums), self.recipe, plan_sources(m, self.plan))

    def rows(self, train: np.ndarray) -> np.ndarray:
        """(n, p) all rows, as rows ``train`` (n,) say; columns that these do not use are left out."""
        design = self.design(train)
        live = np.flatnonzero(design.live)
        u = stored_rows(
            self.layout, self.numbers, list(self.codes.T), [c.levels for c in self.plan.categories]
        )
        return np.asarray((design.T[:, live].T @ u.T).T) + design.shift[live]

    def settled(self) -> TablePlan:
        """The plan as the recipe makes it of all rows."""
        return become(self.plan, self.design(np.ones(len(self.y), dtype=bool)), self.recipe)

    def moments(self, folds: np.ndarray) -> MixedMoments:
        """Of every fold (n,), numbered from 0; the targets are the last numbers."""
        names = (*self.plan.number_names, *(f"target {t}" for t in range(self.y.shape[1])))
        categories = [column.name for column in self.plan.categories]
        labels = [column.levels for column in self.plan.categories]
        gatherer = Gatherer(names, categories, int(folds.max()) + 1, max([1, *map(len, labels)]))
        gatherer.add(np.hstack([self.numbers, self.y]), list(self.codes.T), labels, folds, self.weights)
        return gatherer.result()

    def sources(self, m: MixedMoments) -> tuple[Source, ...]:
        """The feature columns among those of its moments."""
        return plan_sources(m, self.plan)
