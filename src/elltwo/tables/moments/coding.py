"""Which column of the design each level of a category goes to, as training rows say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elltwo.tables.moments.recipe import Feature, Recipe, Source

SHARED = "(other)"  # the level that rare ones join; others may be sent there by name


class Shared:
    """A column of a category that is not one of its levels."""


OTHER, MISSING, NOWHERE = Shared(), Shared(), Shared()
Goal = str | Shared


@dataclass(frozen=True)
class Coding:
    """Where the slots of a category go.

    Attributes
    ----------
    goals : per slot, a level, OTHER, MISSING or NOWHERE. columns : those that are columns, in order.
    kept : levels that are told apart, the reference included. reference : the level without a column, or None.
    missing_as : the level that a missing value counts as, or None.
    """

    goals: tuple[Goal, ...]
    columns: tuple[Goal, ...]
    kept: frozenset[str]
    reference: str | None
    missing_as: str | None

    def features(self, source: str) -> list[Feature]:
        """The columns by name."""
        return [_feature(source, column) for column in self.columns]


def coding(
    source: Source, labels: Sequence[str | None], folded: bool, weight: np.ndarray, recipe: Recipe
) -> Coding:
    """The coding of a category whose slots, "other" first and then ``labels``, weigh ``weight`` in training.

    ``folded`` says whether levels were folded into slot "other" during the pass.
    """
    joins = recipe.joins(source.name)
    joined = [None if label is None else joins.get(label, label) for label in labels]
    heavy = _weights(joined, weight[1:])
    given = sorted(heavy) if source.levels is None else source.levels
    gone = {*joins, SHARED} if SHARED in joins.values() else {*joins}
    levels = [v for v in given if v not in gone]
    fixed = recipe.references.get(source.name, source.reference)
    kept = _kept(levels, heavy, fixed, recipe)
    missing, mode = _of_missing(recipe.missing_level, kept, heavy)
    rare = weight[0] > 0 or any(heavy.get(v, 0.0) > 0 for v in (*levels, SHARED) if v not in kept)
    shared: list[Goal] = [OTHER] if rare or source.other or (folded and source.levels is None) else []
    shared += [MISSING] if None in labels and missing is MISSING else []
    if recipe.reference == "first" and source.name not in recipe.references:
        fixed = next((v for v in levels if v in kept and heavy.get(v, 0.0) > 0), None)
    columns: tuple[Goal, ...] = (*(v for v in levels if v in kept and v != fixed), *shared)
    goals: list[Goal] = [OTHER, *(missing if v is None else v if v in kept else OTHER for v in joined)]
    there = {*columns, fixed}
    placed = tuple(goal if goal in there else NOWHERE for goal in goals)
    return Coding(placed, columns, frozenset(kept), fixed, mode)


def _weights(levels: Sequence[str | None], weight: np.ndarray) -> dict[str, float]:
    """By level; several slots may be of one."""
    heavy: dict[str, float] = {}
    for level, w in zip(levels, weight.tolist(), strict=True):
        if level is not None:
            heavy[level] = heavy.get(level, 0.0) + w
    return heavy


def _of_missing(how: str, kept: set[str], heavy: dict[str, float]) -> tuple[Goal, str | None]:
    """Where missing values go, and the level that they count as, if they do."""
    if how == "column":
        return MISSING, None
    mode = min(kept, key=lambda v: (-heavy.get(v, 0.0), v), default=None) if how == "mode" else None
    return (NOWHERE if mode is None else mode), mode


def _kept(levels: Sequence[str], heavy: dict[str, float], fixed: str | None, recipe: Recipe) -> set[str]:
    """Levels that are told apart: the reference in any case, the others if they are many enough."""
    alive = [v for v in levels if v == fixed or heavy.get(v, 0.0) >= recipe.min_count]
    if recipe.max_levels is not None and len(alive) > recipe.max_levels:
        alive = sorted(alive, key=lambda v: (v != fixed, -heavy.get(v, 0.0), v))[: recipe.max_levels]
    return set(alive)


def _feature(source: str, column: Goal) -> Feature:
    if column is OTHER:
        return Feature(f"{source}=(other)", source, "other")
    if column is MISSING:
        return Feature(f"{source} missing", source, "missing")
    return Feature(f"{source}={column}", source, "level", str(column))
