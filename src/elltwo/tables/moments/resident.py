"""A table in memory kept as a pass would keep it: what a recipe redoes in training folds costs no reading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.facts.plan import TablePlan
from elltwo.tables.columns.batches import Batcher
from elltwo.tables.moments.choices import asked_of, become
from elltwo.tables.moments.design import DesignMap, design_map
from elltwo.tables.moments.gather import Gatherer
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.planned import plan_sources
from elltwo.tables.moments.recipe import Recipe, Source
from elltwo.tables.moments.transform import assemble
from elltwo.tables.moments.triangles import stored_rows
from elltwo.tables.source import Table


@dataclass(frozen=True)
class Resident:
    """Rows of a table before a recipe is applied to them.

    Attributes
    ----------
    plan : settled, with what the recipe names by column. recipe : how columns are made.
    numbers : (n, d) NaN where missing. codes : (n, c). labels : per category, what codes mean.
    y : (n, t). weights : (n,) or None.
    """

    plan: TablePlan
    recipe: Recipe
    numbers: np.ndarray
    codes: np.ndarray
    labels: tuple[tuple[str, ...], ...]
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
        return cls(asked, recipe, numbers, codes, tuple(c.levels for c in asked.categories), y, weights)

    def moments(self, folds: np.ndarray) -> MixedMoments:
        """Of every fold (n,), numbered from 0; the targets are the last numbers."""
        targets = tuple(f"target {t}" for t in range(self.y.shape[1]))
        names = (*self.plan.number_names, *targets)
        categories = tuple(c.name for c in self.plan.categories)
        cap = max([1, *(len(labels) for labels in self.labels)])
        gatherer = Gatherer(names, categories, int(folds.max()) + 1, cap)
        codes = [self.codes[:, c] for c in range(len(categories))]
        gatherer.add(np.hstack([self.numbers, self.y]), codes, self.labels, folds, self.weights)
        return gatherer.result()

    def sources(self, m: MixedMoments) -> tuple[Source, ...]:
        """The feature columns among those of its moments."""
        return plan_sources(m, self.plan)

    def settled(self) -> TablePlan:
        """The plan as the recipe makes it of all rows."""
        m = self.moments(np.zeros(len(self.y), dtype=np.intp))
        return become(self.plan, design_map(m, assemble(m), self.recipe, self.sources(m)), self.recipe)

    def rows(self, m: MixedMoments, design: DesignMap) -> np.ndarray:
        """(n, p) all rows as a design, whatever rows it was made from; columns that it does not use are left out."""
        live = np.flatnonzero(design.live)
        codes = [self.codes[:, c] for c in range(self.codes.shape[1])]
        u = stored_rows(m, np.hstack([self.numbers, self.y]), codes, self.labels)
        return np.asarray((design.T[:, live].T @ u.T).T) + design.shift[live]
