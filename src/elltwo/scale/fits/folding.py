"""Training folds from moments, preprocessed by their own training rows; and nested ones, for an honest error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from elltwo.errors import DataError, UsageError
from elltwo.factoring.folds import fold_of
from elltwo.factoring.gram import factor_moments
from elltwo.facts.problem import Penalty
from elltwo.facts.rotated import Fold
from elltwo.selecting.nested import Nested, nested_errors, within
from elltwo.selecting.select import select
from elltwo.tables.moments.design import DesignMap, design_map, is_fixed
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.recipe import Recipe, Source
from elltwo.tables.moments.transform import FoldDesign, assemble, fold_design


@dataclass(frozen=True)
class Folding:
    """Everything that a fold is made of.

    Attributes
    ----------
    m : moments of every fold. recipe, sources : what becomes of the columns.
    targets : positions of the targets among the numbers. penalty, intercept : as in memory.
    """

    m: MixedMoments
    recipe: Recipe
    sources: tuple[Source, ...]
    targets: tuple[int, ...]
    penalty: Penalty
    intercept: bool

    @cached_property
    def _fixed(self) -> DesignMap | None:
        """The map of every fold, where it does not depend on rows."""
        if not is_fixed(self.m, self.recipe):
            return None
        return design_map(self.m, assemble(self.m), self.recipe, self.sources)

    def folds(self, without: int | None = None) -> list[Fold]:
        """Every fold, preprocessed by what its training rows say; fold ``without`` takes no part at all."""
        return [self.fold(self.design(k, without)) for k in range(self.m.folds) if k != without]

    def design(self, k: int, without: int | None = None) -> FoldDesign:
        """Moments of both sides of fold k, preprocessed by its training rows."""
        return fold_design(
            self.m,
            k,
            self.recipe,
            self.sources,
            self.targets,
            relative=self.intercept,  # held-out errors need x − c alone when a free constant takes up the shift
            without=without,
            fixed=self._fixed,
        )

    def fold(self, found: FoldDesign) -> Fold:
        """The fold that such moments make."""
        penalty = live_penalty(self.penalty, found.design)
        return fold_of(found.train, found.held, penalty, self.intercept)

    def nested(
        self,
        rule: str,
        alpha: np.ndarray | None = None,
        alphas: np.ndarray | None = None,
        one_se: bool = False,
    ) -> Nested:
        """The error of preprocessing, choosing λ and fitting, on folds that took part in none of them.

        Parameters
        ----------
        rule, alphas, one_se : as in `selecting.select`, on the moments of the other folds alone.
        alpha : (t,) λ that was given, not chosen.

        Notes
        -----
        Varma & Simon, BMC Bioinformatics 7 (2006) 91. K² small eigenproblems; no row is read.
        """
        outer, chosen = [], []
        if alpha is None:
            rule, one_se = within(rule, self.m.folds - 1, one_se)
        for k in range(self.m.folds):
            found = self.design(k)
            outer.append(self.fold(found))
            best = alpha
            if best is None:
                penalty = live_penalty(self.penalty, found.design)
                rotated = factor_moments(found.train, penalty, self.intercept)
                inner = self.folds(without=k) if self.m.folds > 2 else None
                best = select(rotated, rule, folds=inner, alphas=alphas, one_se=one_se, others=False).alpha
            chosen.append(best)
        return nested_errors(outer, chosen)


def refuse_empty_folds(m: MixedMoments) -> None:
    """DataError if a fold has no rows to hold out."""
    empty = np.flatnonzero(m.weight <= 0)
    if empty.size:
        raise DataError(f"fold {int(empty[0])} has no rows: use fewer folds, or another seed")


def live_penalty(penalty: Penalty, design: DesignMap) -> Penalty:
    """The penalty on the columns that the training rows use; a level they lack has no coefficient."""
    live = design.live
    if live.all() or penalty.plain:
        return penalty
    if penalty.operator is not None:
        raise UsageError(
            "a general L needs every level in every training fold: merge rare levels (min_count)"
        )
    return replace(
        penalty,
        scale=None if penalty.scale is None else np.asarray(penalty.scale)[live],
        x0=None if penalty.x0 is None else np.asarray(penalty.x0)[live],
    )
