"""From a table, or a sample of one, to a plan: what every column becomes, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from elltwo.errors import BadValue, DataError, UsageError, unknown_option
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.facts.plansound import TASKS
from elltwo.tables.columns.judge import judge_column, judge_target
from elltwo.tables.columns.settle import settle_table
from elltwo.tables.missing import spellings
from elltwo.tables.reading.csv import NUMBER
from elltwo.tables.reading.readers import check_options, open_source
from elltwo.tables.reading.samples import sample_table
from elltwo.tables.source import Table, check_names, require_column

DATE_ENCODINGS = {"ordinal": ("days",), "parts": ("year", "month", "day", "weekday", "hour")}


@dataclass(frozen=True)
class Request:
    """What the caller said about the columns."""

    targets: tuple[str, ...]
    weights: str | None
    group: str | None
    fold_column: str | None
    categorical: frozenset[str]
    drop: frozenset[str]
    dates: Mapping[str, tuple[str, ...]]
    na: tuple[str, ...]
    task: str
    max_levels: int

    @property
    def roles(self) -> dict[str, str]:
        """Column name to role, for those that are no features."""
        named = {"weights": self.weights, "group": self.group, "fold column": self.fold_column}
        return {**dict.fromkeys(self.targets, "target"), **{v: k for k, v in named.items() if v is not None}}


def plan_columns(
    source: object,
    target: str | Sequence[str] | None,
    *,
    weights: str | None = None,
    group: str | None = None,
    fold_column: str | None = None,
    categorical: Iterable[str] = (),
    drop: Iterable[str] = (),
    na: Iterable[str] = (),
    dates: Mapping[str, str] | None = None,
    task: str = "regress",
    max_levels: int = 1000,
    encoding: str = "utf-8",
) -> TablePlan:
    """Decide what every column becomes.

    A `Table` or a frame is planned on all its rows, and the plan is settled: levels, training means, missing
    flags and constant columns are known. Files are planned on a sample of the head and strided blocks, and the
    plan says ``sampled``: the pass over the data settles it (`elltwo.tables.columns.settle.settle`).

    Parameters
    ----------
    source : Table, frame, path or list of paths
    target : str, sequence of str or None
        The column or columns to predict.
    weights, group, fold_column : str or None
        Columns that are no features.
    categorical : iterable of str
        Columns that name things although they look like numbers.
    drop : iterable of str
        Columns to leave out.
    na : iterable of str
        Spellings of a missing value besides the built-in ones.
    dates : mapping of str to {"ordinal", "parts"} or None
        How each date column is used: days as one number, or year, month, day, weekday and hour as numbers.
    task : {"regress", "classify"}
        With ``"classify"`` the target's values are class labels.
    max_levels : int
        Levels a category may have; the rarer ones share one column ``(other)``.

    Raises
    ------
    BadValue
        For a value that breaks the plan.
    DataError
        For a target that is absent, not numeric, constant or missing everywhere; for dates that were not
        declared; for a table in which no column is left.
    """
    opened = open_source(source, encoding)
    text, out = _texts(categorical), _texts(drop)
    sampled = opened.frame is None
    table = opened.frame or sample_table(opened, na, text, values=task == "classify")
    request = Request(
        () if target is None else _texts(target),
        weights,
        group,
        fold_column,
        frozenset(text),
        frozenset(out),
        {name: _date_parts(name, how) for name, how in (dates or {}).items()},
        tuple(dict.fromkeys((*spellings(na), *table.na))),
        task,
        max_levels,
    )
    _check_request(request, table)
    plan = _judge_all(request, table, sampled)
    return plan if sampled else settle_table(table, plan)


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _date_parts(name: str, how: str) -> tuple[str, ...]:
    if how not in DATE_ENCODINGS:
        raise unknown_option(f"date encoding of {name!r}", how, DATE_ENCODINGS)
    return DATE_ENCODINGS[how]


def check_roles(
    targets: Sequence[str],
    weights: str | None = None,
    group: str | None = None,
    fold_column: str | None = None,
    drop: Iterable[str] = (),
) -> None:
    """UsageError if a column is given two parts to play, or one and is left out."""
    helpers = {"weights": weights, "group": group, "fold column": fold_column}
    named = [*targets, *(name for name in helpers.values() if name is not None)]
    if len(set(named)) < len(named):
        twice = next(n for n in named if named.count(n) > 1)
        raise UsageError(f"column {twice!r} was given two parts to play: name it once")
    for name in drop:
        if name in named:
            role = next((role for role, column in helpers.items() if column == name), "target")
            raise UsageError(f"column {name!r} is the {role} and --drop leaves it out: choose one")


def _check_request(request: Request, table: Table) -> None:
    if request.task not in TASKS:
        raise unknown_option("task", request.task, TASKS)
    if request.max_levels < 2:
        raise UsageError(f"max_levels is {request.max_levels}, and a category needs two: use 2 or more")
    known = table.known or table.names
    check_names(known, table.name)
    for name, role in request.roles.items():
        require_column(name, known, table.name, role)
    check_roles(request.targets, request.weights, request.group, request.fold_column, request.drop)
    check_options(known, table.name, categorical=request.categorical, drop=request.drop, date=request.dates)
    if table.rows == 0:
        raise DataError(f"{table.name} has column names and no rows")


def _judge_all(request: Request, table: Table, sampled: bool) -> TablePlan:
    columns: list[ColumnPlan] = []
    notes = list(table.notes)
    roles, read = request.roles, set(table.names)
    for name in table.known or table.names:
        if name in roles:
            continue
        if name in request.drop or name not in read:
            columns.append(ColumnPlan(name, "dropped", "left out as asked"))
            continue
        column, remarks = judge_column(
            table, name, request.na, name in request.categorical, request.dates.get(name), sampled
        )
        columns.append(column)
        notes += remarks
    targets = tuple(judge_target(table, n, request.na, request.task, sampled) for n in request.targets)
    plan = TablePlan(
        tuple(columns),
        targets,
        request.task,
        request.weights,
        request.group,
        request.fold_column,
        request.na,
        request.max_levels,
        None if sampled else table.rows,
        sampled,
        tuple(notes),
    )
    return require_columns(plan, table.name)


def require_columns(plan: TablePlan, table: str) -> TablePlan:
    """The plan itself; DataError if every column was dropped."""
    if plan.used:
        return plan
    why = "; ".join(f"{c.name!r}: {c.reason}" for c in plan.columns[:5]) or "there is no other column"
    raise DataError(f"{table} has no column left to learn from ({why}): keep or add a column that varies")


def retype(plan: TablePlan, error: BadValue) -> TablePlan:
    """The plan with the column that met text as a category, for ``--on-error=retype``: start the pass again with it.

    Raises
    ------
    BadValue
        The error itself, if its column is no number among the features.
    """
    number = error.value is not None and NUMBER.fullmatch(str(error.value).strip())  # an infinity, say
    if number or not any(c.name == error.column and c.kind == "number" for c in plan.columns):
        raise error
    changed = ColumnPlan(str(error.column), "category", f"text, because of {error.value!r}")
    note = f"column {error.column!r} is read as text, because of {error.value!r}"
    columns = tuple(changed if c.name == error.column else c for c in plan.columns)
    return replace(plan, columns=columns, notes=(*plan.notes, note))
