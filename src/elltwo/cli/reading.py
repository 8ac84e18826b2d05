"""A table from the command line: read, planned, encoded, and the plan in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from elltwo.cli.console import WIDTH
from elltwo.cli.words import clean, short
from elltwo.errors import BadValue, DataError, UsageError
from elltwo.facts.plan import TablePlan

if TYPE_CHECKING:
    from elltwo.tables.moments.recipe import Recipe
    from elltwo.tables.moments.resident import Resident


@dataclass(frozen=True)
class Loaded:
    """A table that is ready to be fitted.

    Attributes
    ----------
    plan : how its columns were read.
    X : (n, p); y : (n, t) targets, ±1 for classes; both finite.
    labels : (n,) class labels, or None.
    weights : (n,) or None.
    design : the tables room's own record, which knows groups, folds and row numbers.
    name : what the table is called.
    notes : sentences.
    resident : the rows before the recipe, where one was asked for.
    """

    plan: TablePlan
    X: np.ndarray
    y: np.ndarray | None
    labels: np.ndarray | None
    weights: np.ndarray | None
    design: Any
    name: str
    notes: tuple[str, ...]
    resident: Resident | None = None


def date_uses(pairs: Iterable[str]) -> dict[str, str]:
    """``("when=parts",)`` → ``{"when": "parts"}``; ordinal where nothing is said."""
    out = {}
    for pair in pairs:
        column, _, use = pair.partition("=")
        if not column:
            raise UsageError(f"--date {pair}: say which column, as in --date born=parts")
        out[column] = use or "ordinal"
        if out[column] not in ("ordinal", "parts"):
            raise UsageError(f"--date {pair}: a date is used as ordinal (days) or parts (year, month, ...)")
    return out


def load(
    source: str,
    target: str | tuple[str, ...] | None,
    *,
    categorical: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    na: tuple[str, ...] = (),
    date: tuple[str, ...] = (),
    weights: str | None = None,
    group: str | None = None,
    fold_column: str | None = None,
    task: str = "regress",
    on_error: str = "stop",
    encoding: str = "utf-8",
    recipe: Recipe | None = None,
) -> Loaded:
    """Read a table into memory, plan its columns and encode them.

    Raises
    ------
    DataError
        Whatever is wrong with the file or a column, in a sentence that names the flag that settles it.
    """
    from elltwo.tables.encode import design
    from elltwo.tables.plan import plan_columns

    table = _read(source, na=na, categorical=categorical, drop=drop, on_error=on_error, encoding=encoding)
    while True:
        try:
            plan = plan_columns(
                table, target, weights=weights, group=group, fold_column=fold_column, categorical=categorical,
                drop=drop, na=na, dates=date_uses(date) or None, task=task, encoding=encoding,
                max_levels=cap_of(recipe),
            )  # fmt: skip
            break
        except BadValue as error:
            if on_error == "stop" or error.column is None or error.column in categorical:
                raise
            categorical = (*categorical, error.column)
    made = design(table, plan)
    y, labels = _targets(made.y, plan)
    _check_size(y, plan, table.name)
    resident = None
    if recipe is not None and not recipe.plain:
        from elltwo.tables.moments.resident import Resident

        columns = np.empty((len(made.X), 0)) if y is None else y
        resident = Resident.of(table, plan, recipe, made.rows, columns, made.weights)
        plan = resident.settled()
        made = design(table, plan)
    unique = tuple(dict.fromkeys((*table.notes, *plan.notes, *made.notes)))
    return Loaded(plan, made.X, y, labels, made.weights, made, table.name, unique, resident)


def cap_of(recipe: Recipe | None) -> int:
    """How many levels a category may have when it is read: a recipe may keep more than are usual."""
    from elltwo.tables.moments.levels import MAX_LEVELS

    return max(MAX_LEVELS, (recipe and recipe.max_levels) or 0)


def _read(source: str, **options: Any) -> Any:
    """The table; what is wrong with its encoding is said with the flag that settles it."""
    from elltwo.tables.read import read_table

    try:
        return read_table(source, **options)
    except DataError as error:
        if "not written in UTF-8" in str(error):
            raise DataError(f"{error}; or say how it is written, as in --encoding latin-1") from None
        raise


def _check_size(y: np.ndarray | None, plan: TablePlan, name: str) -> None:
    """Enough rows to judge a fit, and targets whose squares a float can hold."""
    if y is None:
        return
    if len(y) < 3:
        raise DataError(f"{name} has {len(y)} usable row(s): a fit that can be judged needs at least 3")
    with np.errstate(over="ignore", under="ignore"):
        squares = np.square(y - y.mean(axis=0)).sum(axis=0)
    for column, square in zip(plan.targets, squares, strict=False):
        if not np.finfo(float).tiny / np.finfo(float).eps < square < np.inf:
            raise DataError(
                f"the squares of target {column.name!r} leave the range of floating-point numbers: "
                "multiply it by a power of ten first"
            )


def _targets(y: np.ndarray | None, plan: TablePlan) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Targets as columns; classes as ±1, one column for two classes, else one per class."""
    if y is None:
        return None, None
    if plan.task != "classify":
        return (y[:, None] if y.ndim == 1 else y), None
    classes = plan.targets[0].levels
    if len(classes) < 2:
        raise DataError(
            f"the target {plan.targets[0].name!r} has a single class: there is nothing to tell apart"
        )
    signs = np.where(np.asarray(y)[:, None] == np.asarray(classes)[None, :], 1.0, -1.0)
    return (signs[:, 1:] if len(classes) == 2 else signs), y


def _wrapped(label: str, words: Iterable[str]) -> list[str]:
    """``label  word, word, ...`` over lines of at most 80 columns."""
    from textwrap import wrap

    text = clean(", ".join(words))
    lines = wrap(text, WIDTH - 14, break_long_words=False) or [""]
    return [f"  {label:<11} {lines[0]}", *(f"  {'':<11} {line}" for line in lines[1:])]


def plan_text(plan: TablePlan, rows: int, most: int = 24) -> str:
    """What becomes of each column, at most 80 columns wide."""
    target = short(", ".join(t.name for t in plan.targets) or "nothing yet", 30)
    head = f"{rows:,} rows, {len(plan.used)} columns, {len(plan.feature_names)} features, to predict {target}"
    lines = [head]
    for kind, label in (
        ("number", "numbers"),
        ("boolean", "true/false"),
        ("category", "categories"),
        ("date", "dates"),
    ):
        columns = [c for c in plan.used if c.kind == kind]
        words = [_word(c) for c in columns[:most]]
        if len(columns) > most:
            words.append(f"and {len(columns) - most} more")
        if words:
            lines += _wrapped(label, words)
    if plan.derived:
        lines += _wrapped("made", [_made(d.names) for d in plan.derived])
    for reason, names in _left_out(plan).items():
        shown = [*names[:most], f"and {len(names) - most} more"] if len(names) > most else names
        lines += _wrapped("left out", [*shown[:-1], f"{shown[-1]} ({reason})" if reason else shown[-1]])
    helpers = {"weights": plan.weights, "group": plan.group, "folds": plan.fold_column}
    lines += [f"  {label:<11} {short(name, 60)}" for label, name in helpers.items() if name]
    return "\n".join(lines)


def _made(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {len(names)}"


def _left_out(plan: TablePlan) -> dict[str, list[str]]:
    """Names of columns that are not used, by reason."""
    out: dict[str, list[str]] = {}
    for c in plan.dropped:
        out.setdefault(c.reason, []).append(c.name)
    return out


def _word(column: Any) -> str:
    told = len(column.levels) - len(column.merged)
    extra = [f"{told} levels"] if column.kind == "category" else []
    extra += ["/".join(column.parts)] if column.kind == "date" else []
    extra += ["with gaps"] if column.missing else []
    return column.name + (f" ({', '.join(extra)})" if extra else "")
