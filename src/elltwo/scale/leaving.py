"""Leave-one-out over a stream: λ is chosen by errors that a second pass sums, and rows are told apart afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from elltwo.facts.rotated import Fold
from elltwo.facts.selection import Selection
from elltwo.scale.looking import KeptRows, Look, Looked, RowMap
from elltwo.selecting.criteria import gcv
from elltwo.selecting.loo import leverages, loo_residuals
from elltwo.selecting.registry import RULES, Evidence, Scored
from elltwo.selecting.search import grid, looked_at
from elltwo.selecting.select import select

Sweep = Callable[[Look], Looked]
AROUND = (-1, 0, 1)  # leave-one-out is least next to where GCV is, as a rule


@dataclass(frozen=True)
class RowFacts:
    """Some rows of a stream at the chosen λ.

    Attributes
    ----------
    number : (m,) rows of the whole table, from 0, ascending.
    sampled : (m,) does the row belong to the uniform sample? The others are of large leverage or error.
    fitted, residual, left_out, leverage : (m, t) ŷ, y − ŷ, y − ŷ without the row, diagonal of the hat matrix.
    rows : of the table that were used.
    """

    number: np.ndarray
    sampled: np.ndarray
    fitted: np.ndarray
    residual: np.ndarray
    left_out: np.ndarray
    leverage: np.ndarray
    rows: int


class Seen:
    """Rows of a stream as they were seen again: their leave-one-out errors, and those that were kept.

    Every λ that was foreseen costs one pass together with all others.
    """

    def __init__(self, map: RowMap, sweep: Sweep) -> None:
        self.map, self.sweep = map, sweep
        self.kept: KeptRows | None = None
        self._known: dict[float, tuple[np.ndarray, np.ndarray]] = {}

    def foresee(self, alphas: np.ndarray, near: np.ndarray) -> None:
        """One pass for all of these λ, that also keeps rows by what they are at λ ``near`` (t,)."""
        self._pass(Look(self.map, np.unique(alphas), near))

    def scored(self, e: Evidence, alphas: np.ndarray) -> Scored:
        """Scores (L, t); a λ that was not foreseen costs another pass."""
        wanted = np.asarray(alphas, dtype=float).tolist()
        if unknown := [a for a in wanted if a not in self._known]:
            self._pass(Look(self.map, np.unique(unknown), np.zeros(e.rotated.targets), sample=0))
        found = [self._known[a] for a in wanted]
        return Scored(np.array([f[0] for f in found]), np.array([f[1] for f in found]))

    def facts(self, alpha: np.ndarray) -> RowFacts:
        """What the kept rows say at the chosen λ (t,); if none were kept, they are looked for now."""
        if self.kept is None:
            self.foresee(np.empty(0), alpha)
        assert self.kept is not None
        return row_facts(self.map, self.kept, alpha)

    def _pass(self, look: Look) -> None:
        found = self.sweep(look)
        spectrum = self.map.rotated.spectrum
        score = found.sums.score(spectrum.weight, spectrum.shape[0])
        self._known |= {a: (score.mean[i], score.error[i]) for i, a in enumerate(look.alphas.tolist())}
        self.kept = found.kept if look.sample else self.kept


def choose_by_leaving_out(
    seen: Seen, folds: list[Fold] | None, alphas: np.ndarray | None, one_se: bool
) -> Selection:
    """The choice of `selecting.select` by leave-one-out, from one pass over the rows.

    The pass sums the errors of the whole grid, and of the points that refinement will ask for if the least
    error lies where GCV is least or right beside it. Where it lies elsewhere one more pass is made.
    """
    rotated = seen.map.rotated
    points = grid(rotated.spectrum.s) if alphas is None else np.asarray(alphas, dtype=float)
    likely = np.nanargmin(gcv(rotated, points), axis=0)
    if alphas is None:
        around = np.clip(likely[:, None] + AROUND, 0, points.size - 1)
        seen.foresee(np.concatenate([points, looked_at(points, np.unique(around))]), points[likely])
    else:
        seen.foresee(points, points[likely])
    rule = replace(RULES["loo"], needs=frozenset(), score=seen.scored)
    return select(
        rotated, rule, folds=folds, alphas=alphas, one_se=one_se, others=tuple(RULES) if folds else True
    )


def row_facts(map: RowMap, kept: KeptRows, alpha: np.ndarray) -> RowFacts:
    """What the kept rows say at λ (t,)."""
    seen = kept.root > 0
    root = np.where(seen, kept.root, 1.0)[:, None]
    fit = map.fit_of(kept.UQ, kept.b, kept.root)
    left_out = loo_residuals(fit, alpha)
    h = np.column_stack([leverages(fit, a) for a in alpha.tolist()])
    residual = left_out * (1.0 - h)
    return RowFacts(
        kept.number, kept.sampled, kept.b / root + map.rotated.mean - residual, residual, left_out, h,
        map.rotated.spectrum.shape[0],
    )  # fmt: skip
