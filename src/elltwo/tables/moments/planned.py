"""Between plans and moments: what a plan's columns are called in them, and what they settle about the plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elltwo.facts.derived import Derived
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.columns.settle import ColumnFacts, settle
from elltwo.tables.moments.levels import OTHER
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.recipe import Source


def stored_numbers(plan: TablePlan, derived: Sequence[Derived] = ()) -> tuple[str, ...]:
    """Names of the number columns that a pass stores: features, derived ones, then targets."""
    made = (name for d in derived for name in d.names)
    return (*plan.number_names, *made, *(c.name for c in plan.targets))


def stored_categories(plan: TablePlan) -> tuple[str, ...]:
    """Names of the category columns that a pass stores."""
    return tuple(c.name for c in plan.categories)


def plan_sources(
    m: MixedMoments, plan: TablePlan, leave: tuple[str, ...] = (), derived: Sequence[Derived] = ()
) -> tuple[Source, ...]:
    """The plan's feature columns as sources, in its order and with its names, then the derived ones.

    A derived column is missing where its columns are, whose indicators say so already.
    """
    made = (name for d in derived for name in d.names)
    return (
        *(_source(m, column) for column in plan.used if column.name not in leave),
        *(Source(name, (m.numeric.index(name),), indicator=False, mean_only=True) for name in made),
    )


def _source(m: MixedMoments, column: ColumnPlan) -> Source:
    if column.kind != "category":
        at = tuple(m.numeric.index(n) for n in column.numbers)
        return Source(column.name, at, mean_only=column.kind == "date")
    return Source(
        column.name, (), m.categories.index(column.name), column.levels, column.reference, column.other
    )


def settle_plan(m: MixedMoments, plan: TablePlan) -> TablePlan:
    """The plan with means, missing flags, levels and constant columns as all rows of the pass show them."""
    return settle(plan, {c.name: column_facts(m, c) for c in plan.used}, m.count)


def column_facts(m: MixedMoments, column: ColumnPlan) -> ColumnFacts:
    """What the moments say about one column; levels are counted by weight."""
    if column.kind == "category":
        return _category_facts(m, m.categories.index(column.name))
    found = [_number_facts(m, m.numeric.index(n)) for n in column.numbers]
    return ColumnFacts(tuple(f[0] for f in found), any(f[1] for f in found), tuple(f[2] for f in found))


def _number_facts(m: MixedMoments, j: int) -> tuple[float, bool, bool]:
    """Mean of the present values, whether any is missing, whether all are equal."""
    dense = m.dense.sum(axis=0)
    missing = dense[0, 1 + len(m.numeric) + m.flagged.index(j)] if j in m.flagged else 0.0
    present = dense[0, 0] - missing
    if not present > 0:
        return float("nan"), True, True
    step = dense[0, 1 + j] / present
    constant = bool(dense[1 + j, 1 + j] - step * dense[0, 1 + j] <= 0.0)
    return float(m.shift[j] + step), bool(missing > 0), constant


def _category_facts(m: MixedMoments, c: int) -> ColumnFacts:
    weight = m.sums[c][:, :, 0].sum(axis=0)
    levels = {
        label: float(w) for label, w in zip(m.levels[c].labels, weight[1:], strict=True) if label is not None
    }
    missing = None in m.levels[c].labels and weight[1 + m.levels[c].labels.index(None)] > 0
    return ColumnFacts((), bool(missing), (), levels, int(np.ceil(weight[OTHER])))  # type: ignore[arg-type]  # weights count as rows
