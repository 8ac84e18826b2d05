"""Between plans and moments: what a plan's columns are called in them, and what they settle about the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    at = {name: j for j, name in enumerate(m.numeric)}
    made = (name for d in derived for name in d.names)
    return (
        *(_source(m, at, column) for column in plan.used if column.name not in leave),
        *(Source(name, (at[name],), indicator=False, mean_only=True) for name in made),
    )


def _source(m: MixedMoments, at: Mapping[str, int], column: ColumnPlan) -> Source:
    if column.kind != "category":
        numbers = tuple(at[n] for n in column.numbers)
        return Source(column.name, numbers, mean_only=column.kind == "date")
    return Source(
        column.name, (), m.categories.index(column.name), column.levels, column.reference, column.other
    )


def settle_plan(m: MixedMoments, plan: TablePlan) -> TablePlan:
    """The plan with means, missing flags, levels and constant columns as all rows of the pass show them."""
    numbers = _Numbers(m)
    facts = {
        c.name: _category_facts(m, c.name) if c.kind == "category" else numbers.facts(c) for c in plan.used
    }
    return settle(plan, facts, m.count)


class _Numbers:
    """What the moments say about every number: weight, sum and sum of squares of its present values."""

    def __init__(self, m: MixedMoments) -> None:
        d, sums = len(m.numeric), m.dense[:, 0].sum(axis=0)
        missing = np.zeros(d)
        missing[list(m.flagged)] = sums[1 + d :]
        present = sums[0] - missing
        step = np.divide(sums[1 : 1 + d], present, out=np.full(d, np.nan), where=present > 0)
        squares = np.einsum("kii->i", m.dense)[1 : 1 + d]
        constant = ~(squares - step * sums[1 : 1 + d] > 0)
        found = zip((m.shift + step).tolist(), (missing > 0).tolist(), constant.tolist(), strict=True)
        self._found = dict(zip(m.numeric, found, strict=True))

    def facts(self, column: ColumnPlan) -> ColumnFacts:
        """Means of its present values, whether any is missing, whether all are equal."""
        means, missing, constant = zip(*(self._found[name] for name in column.numbers), strict=True)
        return ColumnFacts(means, any(missing), constant)


def _category_facts(m: MixedMoments, name: str) -> ColumnFacts:
    """Levels counted by weight."""
    c = m.categories.index(name)
    weight = m.sums[c][:, :, 0].sum(axis=0)
    levels = {
        label: float(w) for label, w in zip(m.levels[c].labels, weight[1:], strict=True) if label is not None
    }
    missing = None in m.levels[c].labels and weight[1 + m.levels[c].labels.index(None)] > 0
    return ColumnFacts((), bool(missing), (), levels, int(np.ceil(weight[OTHER])))  # type: ignore[arg-type]  # weights count as rows
