"""From moments to everything a fit has in memory: spectrum, choice of λ, solution. No row is read here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module

import numpy as np

from elltwo.errors import DataError, UsageError
from elltwo.factoring.gram import factor_moments
from elltwo.facts.derived import Derived
from elltwo.facts.finding import Finding
from elltwo.facts.moments import DesignMoments
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.facts.problem import Penalty
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.seen import SeenRows
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import Origin, Spectrum
from elltwo.scale.exact import triangle_folds, triangle_rotated
from elltwo.scale.folding import Folding, refuse_empty_folds
from elltwo.scale.leaving import (
    Outer,
    Seen,
    Sweep,
    honest_error,
    look_together,
    outer_folds,
)
from elltwo.scale.looking import RowMap
from elltwo.scale.predicting import Effects
from elltwo.scale.telling import findings_of, report_of
from elltwo.selecting.nested import Nested, few_numbers
from elltwo.selecting.registry import find_rule
from elltwo.selecting.select import select
from elltwo.shrinking.path import shrink
from elltwo.tables.columns.batches import Batcher
from elltwo.tables.moments.choices import asked_of, become
from elltwo.tables.moments.design import DesignMap, design_map
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.planned import plan_sources, settle_plan
from elltwo.tables.moments.recipe import Recipe
from elltwo.tables.moments.sets import MomentSet
from elltwo.tables.moments.transform import assemble, mapped, target_positions
from elltwo.tables.moments.triangles import Triangles
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


def fit_set(
    moments: MomentSet,
    target: str | Sequence[str] | None = None,
    *,
    rule: str | None = None,
    alphas: np.ndarray | Sequence[float] | None = None,
    alpha: float | None = None,
    penalty: Penalty | None = None,
    standardize: bool = False,
    intercept: bool = True,
    one_se: bool = False,
    recipe: Recipe | None = None,
    drop: Sequence[str] = (),
    triangles: Callable[[MixedMoments], Triangles] | None = None,
    sweep: Sweep | None = None,
    second_pass: bool = False,
) -> MomentFit:
    """minimise Σᵢ wᵢ (yᵢ − g − xᵢᵀβ)² + λ‖Lβ‖² over β and g, with λ chosen from the same moments.

    Parameters
    ----------
    moments : a complete set.
    target : number column or columns; default those named before the pass.
    rule : as in `selecting.select`; default K-fold where there are folds, else GCV. ``"auto"`` is leave-one-out for
        tables of few numbers (`selecting.nested.few_numbers`) whose rows can be read again, and else the default.
    alphas : (L,) λ to choose among; None for a grid from the spectrum and refinement.
    alpha : one λ, not chosen.
    penalty, standardize, intercept, one_se : as in memory; standardization is redone in every fold.
    recipe : preprocessing, redone in every fold; default mean imputation with indicators and the plan's levels.
    drop : columns to leave out now.
    triangles : how to make the triangles of the same rows, for ``solver="qr"``.
    sweep : how to read the same rows again, for leave-one-out.
    second_pass : read them again in any case, and keep some of them with their leverages.

    Raises
    ------
    DataError
        Parts missing, an impossible target, folds without rows.
    UsageError
        A rule that needs rows; the message names those that work.
    """
    m = moments.total()
    recipe = recipe or Recipe()
    plan = asked_of(settle_plan(m, retarget(moments.plan, m, target, drop)), recipe)
    positions = tuple(target_positions(m, [c.name for c in plan.targets]))
    derived = tuple(d for d in moments.derived if set(d.columns) <= set(plan.number_names))
    penalty = penalty or Penalty(standardize=standardize)
    folding = Folding(m, recipe, plan_sources(m, plan, recipe.drop, derived), positions, penalty, intercept)
    G = assemble(m)
    design = design_map(m, G, recipe, folding.sources)
    plan = become(replace(plan, derived=tuple(_imputed(d, design) for d in derived)), design, recipe)
    whole = mapped(m, G, m.count, design, positions, np.ones(len(design.features), dtype=bool))
    rotated, folds = _factored(folding, design, whole, None if triangles is None else triangles(m))
    few = few_numbers(m.count, len(design.features))
    rule = _settled_rule(rule, few and sweep is not None)
    by_loo = rule == "loo" and alpha is None and sweep is not None
    seen = (
        Seen(RowMap.of(m, design, rotated, positions), sweep)
        if sweep is not None and (by_loo or second_pass)
        else None
    )
    points = None if alphas is None else np.asarray(alphas, dtype=float)
    outer: list[Outer] = []
    if by_loo and seen is not None:
        outer = outer_folds(folding, seen.sweep) if folds and few and triangles is None else []
        look_together([seen, *(part.seen for part in outer)], points)
        selection: Selection | None = seen.choose(points, one_se, folds)
    else:
        selection = None if alpha is not None else _selected(rotated, folds, rule, points, one_se)
    solution = shrink(rotated, np.full(len(positions), alpha) if selection is None else selection.alpha)
    made = [d.sentence for d in derived]
    return MomentFit(
        plan=plan,
        names=design.names,
        rotated=rotated,
        selection=selection,
        solution=solution,
        folds=folds,
        design=whole,
        map=design,
        rule=moments.rule,
        rows=m.count,
        left_out=m.left_out,
        effects=Effects.of(m, plan, design, solution.coef, solution.intercept),
        folding=folding if folds and triangles is None else None,
        looked=None if seen is None else seen.facts(solution.alpha),
        honest=honest_error(outer, points, one_se) if outer else None,
        penalty=penalty,
        one_se=one_se,
        notes=tuple(dict.fromkeys((*_notes(m, moments.rule, rotated, solution), *plan.notes, *made))),
    )


def _imputed(d: Derived, design: DesignMap) -> Derived:
    """A derived column with the means that were put in."""
    return replace(d, impute=tuple(design.impute[name] for name in d.names))


def _factored(
    folding: Folding, design: DesignMap, whole: DesignMoments, R: Triangles | None
) -> tuple[Rotated, list[Fold] | None]:
    """The spectrum of all rows and those of the training folds, from the Gram matrices or from triangles."""
    m, penalty, intercept = folding.m, folding.penalty, folding.intercept
    if m.folds > 1:
        refuse_empty_folds(m)
    if R is None:
        origin = Origin("moments", f"one pass over {m.count:,} rows kept their moments", squared=True)
        rotated = factor_moments(whole, penalty, intercept, origin)
        return rotated, folding.folds() if m.folds > 1 else None
    rotated = triangle_rotated(R, m, design, folding.targets, penalty, intercept)
    if m.folds == 1:
        return rotated, None
    return rotated, triangle_folds(R, m, folding.recipe, folding.sources, folding.targets, penalty, intercept)


def _settled_rule(rule: str | None, rows: bool) -> str | None:
    """The rule's own name; ``"auto"`` is leave-one-out where that may be, and else None."""
    if rule == "auto":
        return "loo" if rows else None
    return rule if rule is None else find_rule(rule).name


def _selected(
    rotated: Rotated, folds: list[Fold] | None, rule: str | None, points: np.ndarray | None, one_se: bool
) -> Selection:
    return select(rotated, rule or ("kfold" if folds else "gcv"), folds=folds, alphas=points, one_se=one_se)


def retarget(
    plan: TablePlan, m: MixedMoments, target: str | Sequence[str] | None, drop: Sequence[str] = ()
) -> TablePlan:
    """The plan with other targets: y is just a column. Planned targets that are not wanted stay out."""
    wanted = [target] if isinstance(target, str) else list(target or [c.name for c in plan.targets])
    if not wanted:
        raise UsageError("these moments were made without a target: name one with --target")
    target_positions(m, wanted)
    by_name = {c.name: c for c in (*plan.columns, *plan.targets)}
    parts_of_dates = [n for n in wanted if n not in by_name]
    if parts_of_dates:
        raise DataError(f"{parts_of_dates[0]!r} is a part of a date and cannot be the target")
    for name in drop:
        if name not in by_name:
            raise DataError(f"--drop {name}: there is no such column in these moments")
    columns = tuple(
        ColumnPlan(c.name, "dropped", "left out as asked") if c.name in drop else c
        for c in plan.columns
        if c.name not in wanted
    )
    targets = tuple(replace(by_name[n], kind="number", impute=(), missing=False) for n in wanted)
    return replace(plan, columns=columns, targets=targets)


def _notes(m: MixedMoments, rule: FoldRule, rotated: Rotated, solution: Solution) -> tuple[str, ...]:
    redone = "; preprocessing was redone in every training fold" if m.folds > 1 else ""
    notes = [f"{m.count:,} rows; {rule.sentence}{redone}"]
    if m.left_out:
        notes.append(f"{m.left_out:,} rows were left out because a target is missing")
    for name, level in zip(m.categories, m.levels, strict=True):
        if level.folded:
            notes.append(
                f"category {name!r}: {len(level.folded):,} rarer levels share one column (other), as the cap of "
                f"{m.cap:,} levels was passed"
            )
    lost = 10.0**-solution.digits
    if rotated.spectrum.origin.squared and lost > 1e-8:
        worth = "a larger lambda or --solver qr" if lost > 1e-4 else "--solver qr if you need more"
        notes.append(
            f"about {solution.digits:.0f} digits of the coefficients are right at this lambda: use {worth}"
        )
    return tuple(notes)
