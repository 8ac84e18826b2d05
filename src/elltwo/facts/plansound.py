"""What a column plan may not say, wherever it comes from: fields that contradict each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from elltwo.errors import DataError

if TYPE_CHECKING:
    from elltwo.facts.plan import ColumnPlan, TablePlan

KINDS = ("number", "boolean", "category", "date", "dropped")
DATE_PARTS = ("days", "year", "month", "day", "weekday", "hour")
TASKS = ("regress", "classify")


def refuse(what: str) -> DataError:
    """The error for a plan that contradicts itself or cannot be read."""
    return DataError(f"this column plan cannot be used: {what}; make it again with `elltwo fit`")


def column_is_sound(c: ColumnPlan) -> None:
    """DataError unless the fields of one column agree."""
    where = f"column {c.name!r}"
    if c.kind not in KINDS:
        raise refuse(f"{where} has kind {c.kind!r}, which is none of {', '.join(KINDS)}")
    if len(set(c.levels)) != len(c.levels):
        raise refuse(f"{where} repeats a level")
    if c.reference is not None and c.reference not in c.levels:
        raise refuse(f"the reference level {c.reference!r} of {where} is not among its levels")
    if (c.levels or c.other) and c.kind not in ("category", "dropped"):
        raise refuse(f"{where} has levels but is a {c.kind}")
    if bool(c.parts) != (c.kind == "date") or any(p not in DATE_PARTS for p in c.parts):
        raise refuse(f"{where} is a {c.kind} with date parts {c.parts}")
    if len(set(c.parts)) != len(c.parts):
        raise refuse(f"{where} repeats a date part")
    if c.impute and len(c.impute) != len(c.numbers):
        raise refuse(f"{where} has {len(c.impute)} values for the gaps of {len(c.numbers)} numbers")
    if not all(math.isfinite(v) for v in c.impute):
        raise refuse(f"a value for the gaps of {where} is not finite")
    _joins_are_sound(c, where)


def _joins_are_sound(c: ColumnPlan, where: str) -> None:
    """Every level that others count as is a level, and counts as itself."""
    if not c.merged and c.missing_as is None:
        return
    joined = c.joins
    for level in (*joined, *joined.values(), *filter(None, (c.missing_as,))):
        if level not in c.levels:
            raise refuse(f"level {level!r} that {where} joins is not among its levels")
    if len(joined) < len(c.merged) or any(c.counts_as(level) in joined for level in c.levels):
        raise refuse(f"a level of {where} joins one that joins another")
    if c.reference in joined or c.missing_as in joined:
        raise refuse(f"a level of {where} that stands for others joins another")


def plan_is_sound(plan: TablePlan) -> None:
    """DataError unless names are unique and made columns are made of columns that are used."""
    if plan.task not in TASKS:
        raise refuse(f"its task is {plan.task!r}, which is none of {', '.join(TASKS)}")
    names = [c.name for c in (*plan.columns, *plan.targets)]
    features = plan.feature_names
    for kind, listed in (("column", names), ("feature", features)):
        seen: set[str] = set()
        for name in listed:
            if name in seen:
                raise DataError(f"two {kind}s are named {name!r}: rename one of them")
            seen.add(name)
    for d in plan.derived:
        if not set(d.columns) <= set(plan.number_names):
            raise refuse(f"{d.names[0]!r} is made of columns that it does not use")
    if plan.max_levels < 2:
        raise refuse(f"max_levels is {plan.max_levels}, and a category needs two")
