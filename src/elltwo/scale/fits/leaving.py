"""Leave-one-out over a stream: λ is chosen by errors that a second pass sums, and rows are told apart afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from elltwo.factoring.gram import factor_moments
from elltwo.facts.rotated import Fold
from elltwo.facts.seen import SeenRows
from elltwo.facts.selection import Selection
from elltwo.scale.fits.folding import Folding, live_penalty
from elltwo.scale.passes.looking import SAMPLE, STRONGEST, KeptRows, Look, Looked, RowMap
from elltwo.selecting.criteria import gcv
from elltwo.selecting.loo import leverages, loo_residuals
from elltwo.selecting.nested import Nested, few_numbers, nested_errors
from elltwo.selecting.registry import RULES, Evidence, Scored
from elltwo.selecting.search import grid, looked_at
from elltwo.selecting.select import select

Sweep = Callable[[tuple[Look, ...]], tuple[Looked, ...]]  # one pass, for several purposes
# Points of the grid between the least leave-one-out error and the least GCV: as a rule, and on few rows.
NEAR, FAR = 1, 5


class Seen:
    """Rows of a stream as they were seen again: their leave-one-out errors, and those that were kept.

    Every λ that was foreseen costs one pass together with all others. ``without`` is a fold that takes no part.
    """

    def __init__(self, map: RowMap, sweep: Sweep, without: int | None = None) -> None:
        self.map, self.sweep, self.without = map, sweep, without
        self.kept: KeptRows | None = None
        self._known: dict[float, tuple[np.ndarray, np.ndarray]] = {}

    def foresee(self, alphas: np.ndarray, near: np.ndarray) -> None:
        """One pass for all of these λ, that also keeps rows by what they are at λ ``near`` (t,)."""
        look = Look(self.map, np.unique(alphas), near, without=self.without)
        self.learn(look, self.sweep((look,))[0])

    def scored(self, e: Evidence, alphas: np.ndarray) -> Scored:
        """Scores (L, t); a λ that was not foreseen costs another pass."""
        wanted = np.asarray(alphas, dtype=float).tolist()
        if unknown := [a for a in wanted if a not in self._known]:
            near = np.zeros(e.rotated.targets)
            look = Look(self.map, np.unique(unknown), near, sample=0, without=self.without)
            self.learn(look, self.sweep((look,))[0])
        found = [self._known[a] for a in wanted]
        return Scored(np.array([f[0] for f in found]), np.array([f[1] for f in found]))

    def facts(self, alpha: np.ndarray) -> SeenRows:
        """What the kept rows say at the chosen λ (t,); if none were kept, they are looked for now."""
        if self.kept is None:
            self.foresee(np.empty(0), alpha)
        assert self.kept is not None
        return row_facts(self.map, self.kept, alpha)

    def wanted(self, alphas: np.ndarray | None) -> Look:
        """What choosing λ will ask for: the grid, and the points of refinement if the least error is near GCV's."""
        rotated = self.map.rotated
        points = grid(rotated.spectrum.s) if alphas is None else alphas
        likely = _least(gcv(rotated, points))
        near, sample = points[likely], SAMPLE if self.without is None else 0
        if alphas is None:
            reach = FAR if few_numbers(*rotated.spectrum.shape) else NEAR
            around = np.clip(likely[:, None] + np.arange(-reach, reach + 1), 0, points.size - 1)
            points = np.concatenate([points, looked_at(points, np.unique(around))])
        return Look(self.map, np.unique(points), near, sample, self.without)

    def lacking(self) -> Look | None:
        """What refinement will ask for after all, once the grid is known; None where it was foreseen."""
        points = grid(self.map.rotated.spectrum.s)
        scores = np.array([self._known[a][0] for a in points.tolist()])
        asked = looked_at(points, np.unique(_least(scores)))
        unknown = np.array([a for a in asked.tolist() if a not in self._known])
        near = np.zeros(scores.shape[1])
        return Look(self.map, unknown, near, sample=0, without=self.without) if unknown.size else None

    def learn(self, look: Look, found: Looked) -> None:
        """Take in what a pass found."""
        spectrum = self.map.rotated.spectrum
        score = found.sums.score(spectrum.weight, spectrum.shape[0])
        self._known |= {a: (score.mean[i], score.error[i]) for i, a in enumerate(look.alphas.tolist())}
        self.kept = found.kept if look.sample else self.kept

    def choose(
        self, alphas: np.ndarray | None, one_se: bool, folds: list[Fold] | None = None, others: bool = True
    ) -> Selection:
        """The choice of `selecting.select` by leave-one-out; the other rules that can speak are heard too."""
        rule = replace(RULES["loo"], needs=frozenset(), score=self.scored)
        heard = tuple(RULES) if folds and others else others
        return select(self.map.rotated, rule, folds=folds, alphas=alphas, one_se=one_se, others=heard)


def _least(scores: np.ndarray) -> np.ndarray:
    """(t,) position of each target's least score (L, t), as `refine` sees it."""
    return np.argmin(np.where(np.isnan(scores), np.inf, scores), axis=0)


def look_together(seen: Sequence[Seen], alphas: np.ndarray | None) -> None:
    """One pass for everything that these are going to ask for, or two where that was not to be foreseen."""
    _learn(seen, [each.wanted(alphas) for each in seen])
    if alphas is None:
        more = [(each, look) for each in seen if (look := each.lacking()) is not None]
        if more:
            _learn([each for each, _ in more], [look for _, look in more])


def _learn(seen: Sequence[Seen], looks: Sequence[Look]) -> None:
    for each, look, found in zip(seen, looks, seen[0].sweep(tuple(looks)), strict=True):
        each.learn(look, found)


@dataclass(frozen=True)
class Outer:
    """One fold held out of everything, and the rows of the others as they are seen again."""

    fold: Fold
    seen: Seen


def outer_folds(folding: Folding, sweep: Sweep) -> list[Outer]:
    """Every fold of an honest error whose λ is chosen by leave-one-out among the rows of the other folds."""
    out = []
    for k in range(folding.m.folds):
        found = folding.design(k)
        penalty = live_penalty(folding.penalty, found.design)
        rotated = factor_moments(found.train, penalty, folding.intercept)
        live = np.flatnonzero(found.design.live)
        design = replace(found.design, T=found.design.T[:, live], shift=found.design.shift[live])
        map = RowMap.of(folding.m, design, rotated, folding.targets, without=k)
        out.append(Outer(folding.fold(found), Seen(map, sweep, without=k)))
    return out


def honest_error(outer: Sequence[Outer], alphas: np.ndarray | None, one_se: bool) -> Nested:
    """What choosing λ by leave-one-out is worth on rows that took no part."""
    chosen = [part.seen.choose(alphas, one_se, others=False).alpha for part in outer]
    return nested_errors([part.fold for part in outer], chosen)


def row_facts(map: RowMap, kept: KeptRows, alpha: np.ndarray) -> SeenRows:
    """What the kept rows say at λ (t,)."""
    seen = kept.root > 0
    root = np.where(seen, kept.root, 1.0)[:, None]
    fit = map.fit_of(kept.UQ, kept.b, kept.root)
    left_out = loo_residuals(fit, alpha)
    h = np.column_stack([leverages(fit, a) for a in alpha.tolist()])
    residual = left_out * (1.0 - h)
    return SeenRows(
        kept.number, kept.sampled, kept.b / root + map.rotated.mean - residual, residual, left_out, h,
        map.rotated.spectrum.shape[0], STRONGEST,
    )  # fmt: skip
