"""What a recipe makes of a plan: before the fit, what it asks of columns by name; after it, what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from elltwo.errors import UsageError
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.columns.judge import in_order
from elltwo.tables.moments.coding import SHARED
from elltwo.tables.moments.design import DesignMap
from elltwo.tables.moments.recipe import Recipe
from elltwo.tables.source import closest


def asked_of(plan: TablePlan, recipe: Recipe) -> TablePlan:
    """A settled plan with the levels merged, the reference levels and the columns dropped that a recipe names.

    What depends on counts is left to each training part: rare levels, the most frequent one, means.

    Raises
    ------
    UsageError
        A column or a level that is not there, or not of the right kind; the message names what there is.
    """
    if recipe.plain:
        return plan
    check_columns(plan, recipe)
    _refuse_lost_levels(plan, recipe)
    return replace(plan, columns=tuple(_asked_of_column(c, recipe) for c in plan.columns))


def _refuse_lost_levels(plan: TablePlan, recipe: Recipe) -> None:
    """UsageError if more levels are to be told apart than the pass did."""
    lost = [column.name for column in plan.categories if column.other]
    if lost and recipe.max_levels is not None and recipe.max_levels > plan.max_levels:
        raise UsageError(
            f"--max-levels {recipe.max_levels}: the pass told {plan.max_levels:,} levels of a category apart, and "
            f"{lost[0]!r} has more; make the moments again with elltwo stats --max-levels {recipe.max_levels}"
        )


def check_columns(plan: TablePlan, recipe: Recipe) -> None:
    """UsageError for a column that a recipe names and that is not there, or of another kind.

    A plan made from a sample will do.
    """
    for name in recipe.imputes:
        _require(
            plan, name, "impute", plan.number_names, "number", "--missing-level says what its gaps become"
        )
    names = tuple(c.name for c in plan.categories)
    for what, asked in (("merge", recipe.merge), ("reference", recipe.references)):
        for name in asked:
            _require(
                plan, name, what, names, "category", f"use --categorical {name} if its numbers are names"
            )


def _require(plan: TablePlan, name: str, what: str, fit: tuple[str, ...], kind: str, hint: str) -> None:
    """UsageError unless ``name`` is among the columns of the kind that is wanted."""
    if name in fit:
        return
    found = next((c for c in (*plan.columns, *plan.targets) if c.name == name), None)
    if found is None:
        known = tuple(c.name for c in plan.used)
        raise UsageError(f"--{what} {name}: there is no such column; {closest(name, known)}")
    if found in plan.targets:
        raise UsageError(f"--{what} {name}: this column is the target")
    if found.kind == "dropped":
        raise UsageError(f"--{what} {name}: this column is left out ({found.reason})")
    if found.kind == "date" and kind == "number":
        parts = ", ".join(map(repr, found.numbers))
        raise UsageError(f"--{what} {name}: this column is a date; name one of its parts, {parts}")
    is_a = {"boolean": "true or false"}.get(found.kind, f"a {found.kind}")
    raise UsageError(f"--{what} {name}: this column is {is_a} and no {kind}; {hint}")


def _asked_of_column(column: ColumnPlan, recipe: Recipe) -> ColumnPlan:
    if column.name in recipe.drop and column.kind != "dropped":
        return ColumnPlan(column.name, "dropped", "left out as asked")
    if column.kind != "category":
        return column
    joins = recipe.joins(column.name)
    for level in joins:
        _require_level(column, level, column.levels, "merge")
    shared = {level for level, into in joins.items() if into == SHARED}
    joins = {level: into for level, into in joins.items() if level not in shared}
    levels = in_order({*column.levels, *joins.values()} - shared) if joins or shared else column.levels
    told = tuple(v for v in levels if v not in joins)
    reference = recipe.references.get(column.name)
    if reference is not None:
        _require_level(column, reference, told, "reference")
    elif recipe.reference == "auto" and 0 < len(told) <= 2 and not (column.other or shared):
        reference = told[0]
    return replace(column, levels=levels, merged=tuple(joins.items()), reference=reference)


def _require_level(column: ColumnPlan, level: str, known: tuple[str, ...], what: str) -> None:
    if level in known:
        return
    if level in column.levels:
        raise UsageError(
            f"--{what} {column.name}: level {level!r} joins another one and has no column of its own"
        )
    shown = ", ".join(repr(v) for v in known[:12])
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    raise UsageError(f"--{what} {column.name}: there is no level {level!r}; its levels are {shown}{more}")


def become(plan: TablePlan, design: DesignMap, recipe: Recipe) -> TablePlan:
    """The plan `asked_of` gave, with what became of it on all rows: it encodes tables as the design has them.

    Raises
    ------
    UsageError
        No column is left.
    """
    if recipe.plain:
        return plan
    columns, notes = [], list(plan.notes)
    for column in plan.columns:
        if column.kind == "category":
            columns.append(_category(column, design, recipe))
            rare = sum(v not in column.joins for v in column.levels) - len(design.codings[column.name].kept)
            if rare:
                which = "1 rarer level counts" if rare == 1 else f"{rare} rarer levels count"
                notes.append(f"column {column.name!r}: {which} as (other)")
        else:
            columns.append(column if column.kind == "dropped" else _number(column, design.impute, recipe))
    made = replace(plan, columns=tuple(columns), notes=tuple(notes))
    if not made.feature_names:
        raise UsageError(
            "these choices leave no column to learn from: every level counts as the same one; merge fewer"
        )
    return made


def _number(column: ColumnPlan, impute: Mapping[str, float], recipe: Recipe) -> ColumnPlan:
    constant = column.kind != "date" and recipe.fill(column.name) != "mean"
    fill = tuple(impute[name] for name in column.numbers)
    reason = column.reason.partition("; missing ones")[0]
    if column.missing:
        flagged = "flagged, " if recipe.indicators else ""
        reason += f"; missing ones {flagged}{f'{fill[0]:g}' if constant else 'mean'} put in"
    return replace(column, impute=fill, constant=constant, indicator=recipe.indicators, reason=reason)


def _category(column: ColumnPlan, design: DesignMap, recipe: Recipe) -> ColumnPlan:
    coded = design.codings[column.name]
    told = [level for level in column.levels if column.counts_as(level) in coded.kept]
    merged = tuple((a, b) for a, b in column.merged if b in coded.kept)
    other = any(f.source == column.name and f.role == "other" for f in design.features)
    reason = column.reason.partition(",")[0] + f", {len(coded.kept)} level{'s' * (len(coded.kept) != 1)}"
    reason += f", {len(merged)} merged" * bool(merged) + ", others together" * other
    if column.missing and recipe.missing_level != "zeros":
        reason += f", missing ones {'flagged' if coded.missing_as is None else f'as {coded.missing_as!r}'}"
    return replace(
        column, levels=tuple(told), reference=coded.reference, other=other, merged=merged, reason=reason,
        indicator=recipe.missing_level == "column", missing_as=coded.missing_as,
    )  # fmt: skip
