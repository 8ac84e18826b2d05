"""A table in memory whose columns are made again, by a recipe, from the training rows of every fold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Fold
from elltwo.scale.folding import Folding, refuse_empty_folds
from elltwo.selecting.nested import Nested
from elltwo.tables.moments.resident import Resident


@dataclass(frozen=True)
class Recoding:
    """The rows before the recipe, and their moments fold by fold.

    Attributes
    ----------
    resident : the rows. folding : the same folding that a stream has.
    """

    resident: Resident
    folding: Folding

    @classmethod
    def of(cls, resident: Resident, problem: Problem, folds: np.ndarray) -> Recoding:
        """Of a problem's rows with fold numbers (n,), which may leave numbers out."""
        m = resident.moments(np.unique(folds, return_inverse=True)[1])
        refuse_empty_folds(m)
        d = len(resident.plan.number_names)
        targets = tuple(range(d, d + resident.y.shape[1]))
        sources = resident.sources(m)
        return cls(
            resident, Folding(m, resident.recipe, sources, targets, problem.penalty, problem.intercept)
        )

    def folds(self, without: int | None = None) -> list[Fold]:
        """Training folds; the one at position ``without`` takes no part."""
        return self.folding.folds(without)

    def rows(self, problem: Problem, without: int) -> Problem:
        """The problem with all rows made by what the other folds' rows say."""
        design = self.folding.design(without).design
        return replace(problem, A=self.resident.rows(self.folding.m, design))

    def nested(self, rule: str, alpha: np.ndarray | None, one_se: bool) -> Nested:
        """The error of the whole procedure, from moments."""
        return self.folding.nested(rule, alpha, one_se=one_se)
