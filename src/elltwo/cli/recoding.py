"""A table in memory whose columns are made again, by a recipe, from the training rows of every fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Fold
from elltwo.scale.fits.folding import Folding, refuse_empty_folds
from elltwo.selecting.nested import Nested
from elltwo.tables.moments.resident import Resident


@dataclass(frozen=True)
class Recoding:
    """The rows before the recipe, and folds of them.

    Attributes
    ----------
    resident : the rows. problem : of the design that all of them make. folds_of : (n,) numbers from 0, all in use.
    """

    resident: Resident
    problem: Problem
    folds_of: np.ndarray

    @cached_property
    def folding(self) -> Folding:
        """What a stream has of the same rows: their moments."""
        m, t = self.resident.moments(self.folds_of), self.resident.y.shape[1]
        refuse_empty_folds(m)
        targets = tuple(range(len(m.numeric) - t, len(m.numeric)))
        sources = self.resident.sources(m)
        problem = self.problem
        return Folding(m, self.resident.recipe, sources, targets, problem.penalty, problem.intercept)

    def folds(self, without: int | None = None) -> list[Fold]:
        """Training folds, fold ``without`` taking no part: from moments, or from rows where these are fewer."""
        n, p = self.problem.A.shape
        if n >= p:
            return self.folding.folds(without)
        there = self.folds_of != without
        return [self._by_rows(there, self.folds_of == k) for k in np.unique(self.folds_of[there])]

    def _by_rows(self, there: np.ndarray, held: np.ndarray) -> Fold:
        """The fold that holds rows ``held`` (n,) out and is trained on the others that are ``there``."""
        from elltwo.factoring.folds import factor_folds

        part = part_of(self.made_by(there & ~held), there)
        return factor_folds(part, held[there].astype(np.intp))[1]

    def made_by(self, train: np.ndarray) -> Problem:
        """The problem with all rows as rows ``train`` (n,) say."""
        return replace(self.problem, A=self.resident.rows(train))

    def nested(self, rule: str, alpha: np.ndarray | None, one_se: bool) -> Nested:
        """The error of the whole procedure, from moments."""
        return self.folding.nested(rule, alpha, one_se=one_se)


def part_of(problem: Problem, keep: np.ndarray) -> Problem:
    """Some rows (n,) of a problem."""
    weights = None if problem.weights is None else problem.weights[keep]
    return replace(problem, A=problem.A[keep], b=problem.b[keep], weights=weights)
