"""A fit made from moments: the facts that a fit in memory has, and what it can say of itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module

import numpy as np

from elltwo.facts.finding import Finding
from elltwo.facts.moments import DesignMoments
from elltwo.facts.plan import TablePlan
from elltwo.facts.problem import Penalty
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.seen import SeenRows
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import Spectrum
from elltwo.scale.fits.folding import Folding
from elltwo.scale.fits.predicting import Effects
from elltwo.scale.fits.telling import findings_of, report_of
from elltwo.selecting.nested import Nested
from elltwo.tables.columns.batches import Batcher
from elltwo.tables.moments.design import DesignMap
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.read import iter_batches


@dataclass(frozen=True)
class MomentFit:
    """The facts of a fit made from moments; the same objects that a fit in memory keeps.

    Attributes
    ----------
    plan : settled; predicts on new tables.
    names : p names of the design's columns.
    rotated, selection, solution : as in memory; the row side of the spectrum is absent.
    folds : training folds, or None without folds.
    design : moments of the design and the targets over all rows.
    map : how the design came from the stored columns, imputed values included.
    rule : which fold a row was in.
    rows, left_out : rows used, and rows left out because a target was missing.
    effects : what each column of a row adds to its predictions.
    notes : sentences about what was done.
    folding : what the folds were made of; nested ones are made of it too.
    looked : rows that a second pass kept, at the chosen λ; None without one.
    honest : the error of choosing λ by leave-one-out, where rows are so few that it was done again in every fold.
    penalty, one_se : as they were asked for.
    """

    plan: TablePlan
    names: tuple[str, ...]
    rotated: Rotated
    selection: Selection | None
    solution: Solution
    folds: list[Fold] | None
    design: DesignMoments
    map: DesignMap
    rule: FoldRule
    rows: int
    left_out: int
    effects: Effects = field(repr=False)
    notes: tuple[str, ...] = ()
    folding: Folding | None = field(default=None, repr=False)
    looked: SeenRows | None = field(default=None, repr=False)
    honest: Nested | None = field(default=None, repr=False)
    penalty: Penalty = field(default_factory=Penalty, repr=False)
    one_se: bool = False

    @property
    def spectrum(self) -> Spectrum:
        return self.rotated.spectrum

    @property
    def coef(self) -> np.ndarray:
        """(p, t)."""
        return self.solution.coef

    @property
    def intercept(self) -> np.ndarray:
        """(t,)."""
        return self.solution.intercept

    def predict(self, source: object) -> np.ndarray:
        """(n, t) predictions for every row of a table, read in little memory."""
        batcher = Batcher(self.plan, "grow", targets=False, helpers=False)
        found = [self.effects.predict(batch) for batch in iter_batches(source, self.plan, batcher=batcher)]
        return np.concatenate(found) if found else np.empty((0, self.coef.shape[1]))

    def findings(self, which: int = 0) -> tuple[Finding, ...]:
        """What a person should know about target ``which``: codes, numbers, thresholds, sentences, remedies."""
        return findings_of(self, which)

    def write_report(self, path: str | os.PathLike[str], which: int = 0, honest: bool = True) -> None:
        """Write the report of this fit: one HTML file, whole or not at all.

        Parameters
        ----------
        path : where to.
        which : which of several targets.
        honest : also measure the error of the whole procedure by nested folds, from the same moments.

        Raises
        ------
        OutputError : the file cannot be written.
        """
        import_module("elltwo.reporting").write_html(report_of(self, which, honest), path)

    @property
    def means(self) -> np.ndarray:
        """(p,) weighted means of the design's columns."""
        return self.design.mean_x

    @property
    def scales(self) -> np.ndarray:
        """(p,) standard deviations (1/n) of the design's columns."""
        w, first = self.design.weight, self.design.first_x
        return np.sqrt(np.maximum(np.diagonal(self.design.xx) / w - (first / w) ** 2, 0.0))
