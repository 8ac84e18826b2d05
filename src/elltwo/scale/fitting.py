"""From moments to everything a fit has in memory: spectrum, choice of λ, solution. No row is read here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from elltwo.errors import DataError, UsageError
from elltwo.factoring.gram import factor_moments
from elltwo.facts.derived import Derived
from elltwo.facts.moments import DesignMoments
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.facts.problem import Penalty
from elltwo.facts.rotated import Fold, Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.facts.spectrum import Origin
from elltwo.scale.fits.exact import triangle_folds, triangle_rotated
from elltwo.scale.fits.folding import Folding, refuse_empty_folds
from elltwo.scale.fits.leaving import Outer, Seen, Sweep, honest_error, look_together, outer_folds
from elltwo.scale.fits.momentfit import MomentFit
from elltwo.scale.fits.predicting import Effects
from elltwo.scale.passes.looking import RowMap
from elltwo.selecting.nested import few_numbers
from elltwo.selecting.registry import find_rule
from elltwo.selecting.select import select
from elltwo.shrinking.path import shrink
from elltwo.tables.moments.choices import asked_of, become
from elltwo.tables.moments.design import DesignMap, design_map
from elltwo.tables.moments.foldrule import FoldRule
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.planned import plan_sources, settle_plan
from elltwo.tables.moments.recipe import Recipe
from elltwo.tables.moments.sets import MomentSet
from elltwo.tables.moments.transform import assemble, mapped, target_positions
from elltwo.tables.moments.triangles import Triangles


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
    penalty = penalty or Penalty(standardize=standardize)
    made = _designed(moments, target, drop, recipe or Recipe(), penalty, intercept)
    m, folding = made.folding.m, made.folding
    rotated, folds = _factored(made, None if triangles is None else triangles(m))
    few = few_numbers(m.count, len(made.map.features))
    rule = _settled_rule(rule, few and sweep is not None)
    points = None if alphas is None else np.asarray(alphas, dtype=float)
    by_loo = rule == "loo" and alpha is None and sweep is not None
    seen = (
        Seen(RowMap.of(m, made.map, rotated, folding.targets), sweep)
        if sweep is not None and (by_loo or second_pass)
        else None
    )
    outer: list[Outer] = []
    selection: Selection | None = None
    if by_loo and seen is not None:
        outer = outer_folds(folding, seen.sweep) if folds and few and triangles is None else []
        look_together([seen, *(part.seen for part in outer)], points)
        selection = seen.choose(points, one_se, folds)
    elif alpha is None:
        selection = select(
            rotated, rule or ("kfold" if folds else "gcv"), folds=folds, alphas=points, one_se=one_se
        )
    solution = shrink(rotated, np.full(len(folding.targets), alpha) if selection is None else selection.alpha)
    return MomentFit(
        plan=made.plan, names=made.map.names, rotated=rotated, selection=selection, solution=solution, folds=folds,
        design=made.whole, map=made.map, rule=moments.rule, rows=m.count, left_out=m.left_out,
        effects=Effects.of(m, made.plan, made.map, solution.coef, solution.intercept),
        folding=folding if folds and triangles is None else None,
        looked=None if seen is None else seen.facts(solution.alpha),
        honest=honest_error(outer, points, one_se) if outer else None,
        penalty=penalty, one_se=one_se, notes=_notes(made, moments.rule, rotated, solution),
    )  # fmt: skip


@dataclass(frozen=True)
class _Designed:
    """Moments after preprocessing.

    Attributes
    ----------
    plan : settled. folding : what folds are made of. map : from stored columns to the design.
    whole : moments of the design and the targets over all rows.
    """

    plan: TablePlan
    folding: Folding
    map: DesignMap
    whole: DesignMoments


def _designed(
    moments: MomentSet,
    target: str | Sequence[str] | None,
    drop: Sequence[str],
    recipe: Recipe,
    penalty: Penalty,
    intercept: bool,
) -> _Designed:
    """The design that all rows ask for, and what their folds will be made of."""
    m = moments.total()
    plan = asked_of(settle_plan(m, retarget(moments.plan, m, target, drop)), recipe)
    positions = tuple(target_positions(m, [c.name for c in plan.targets]))
    derived = tuple(d for d in moments.derived if set(d.columns) <= set(plan.number_names))
    folding = Folding(m, recipe, plan_sources(m, plan, recipe.drop, derived), positions, penalty, intercept)
    G = assemble(m)
    design = design_map(m, G, recipe, folding.sources)
    plan = become(replace(plan, derived=tuple(_imputed(d, design) for d in derived)), design, recipe)
    whole = mapped(m, G, m.count, design, positions, np.ones(len(design.features), dtype=bool))
    return _Designed(plan, folding, design, whole)


def _imputed(d: Derived, design: DesignMap) -> Derived:
    """A derived column with the means that were put in."""
    return replace(d, impute=tuple(design.impute[name] for name in d.names))


def _factored(made: _Designed, R: Triangles | None) -> tuple[Rotated, list[Fold] | None]:
    """The spectrum of all rows and those of the training folds, from the Gram matrices or from triangles."""
    folding, m, several = made.folding, made.folding.m, made.folding.m.folds > 1
    if several:
        refuse_empty_folds(m)
    if R is not None:
        rotated = triangle_rotated(R, folding, made.map)
        return rotated, triangle_folds(R, folding) if several else None
    origin = Origin("moments", f"one pass over {m.count:,} rows kept their moments", squared=True)
    rotated = factor_moments(made.whole, folding.penalty, folding.intercept, origin)
    return rotated, folding.folds() if several else None


def _settled_rule(rule: str | None, rows: bool) -> str | None:
    """The rule's own name; ``"auto"`` is leave-one-out where that may be, and else None."""
    if rule == "auto":
        return "loo" if rows else None
    return rule if rule is None else find_rule(rule).name


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


def _notes(made: _Designed, rule: FoldRule, rotated: Rotated, solution: Solution) -> tuple[str, ...]:
    """Sentences about rows, folds, levels and digits, then those of the plan."""
    m = made.folding.m
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
    return tuple(dict.fromkeys((*notes, *made.plan.notes, *(d.sentence for d in made.plan.derived))))
