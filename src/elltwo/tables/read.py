"""The door of this room: a table into memory, or its rows as batches under a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from elltwo.errors import BadValue, DataError, UsageError, unknown_option
from elltwo.facts.plan import TablePlan
from elltwo.tables.columns.batches import Batch, Batcher
from elltwo.tables.missing import spellings
from elltwo.tables.reading.parquet import Part
from elltwo.tables.reading.readers import Source, check_options, collect, open_source, parts, raws
from elltwo.tables.reading.storage import Storage, storage_of
from elltwo.tables.source import Table, closest, require_column

__all__ = [
    "Batch",
    "Part",
    "Source",
    "Table",
    "iter_batches",
    "open_source",
    "parts",
    "read_planned",
    "read_table",
]


def read_table(
    source: object,
    *,
    columns: Sequence[str] | None = None,
    na: Iterable[str] = (),
    categorical: Iterable[str] = (),
    drop: Iterable[str] = (),
    on_error: str = "stop",
    encoding: str = "utf-8",
) -> Table:
    """Read a table into memory, numbers always as float64.

    Parameters
    ----------
    source : path, list of paths, or frame
        CSV or TSV (plain or gzip; ``,`` ``;`` tab or ``|`` between fields), Parquet, Arrow or Feather; ``"-"``
        for standard input; a glob, a folder (``key=value`` sub-folders become columns), an address that
        pyarrow or fsspec can open; or an object with the Arrow C stream (pandas, Polars, DuckDB, pyarrow),
        or a mapping of names to sequences.
    columns : sequence of str or None
        Read only these.
    na : str or iterable of str
        Spellings of a missing value besides those of `elltwo.tables.missing.SPELLINGS`.
    categorical : iterable of str
        Columns that stay text although they look like numbers.
    drop : iterable of str
        Columns that are not read.
    on_error : {"stop", "retype"}
        What to do when a column of numbers meets text: stop, or start again with that column as text.
    encoding : str
        Of text files.

    Raises
    ------
    BadValue
        For a value that does not fit its column: names file, line, column, value and remedy.
    DataError
        For a source that is absent, empty, damaged or contradictory.
    """
    if on_error not in ("stop", "retype"):
        raise unknown_option("--on-error", on_error, ("stop", "retype"))
    found = open_source(source, encoding)
    text, out = _texts(categorical), _texts(drop)
    check_options(found.names, found.name, categorical=text, drop=out, columns=columns or ())
    picked = [n for n in (columns if columns is not None else found.names) if n not in out]
    if not picked:
        raise UsageError(f"no column of {found.name} is left to read: drop fewer columns")
    return collect(found, picked, storage_of(found.texts, na, text), on_error)


def read_planned(
    source: object, plan: TablePlan, *, extra: Iterable[str] = (), fit: bool = False, encoding: str = "utf-8"
) -> Table:
    """Read what a settled plan uses, as the plan uses it, into memory: a table to predict.

    Parameters
    ----------
    source : as for `read_table`
    plan : TablePlan
    extra : iterable of str
        Further columns to keep beside them.
    fit : bool
        Whether targets, weights, groups and folds are read too.
    encoding : str
        Of text files.

    Raises
    ------
    DataError
        For a column that is not there.
    BadValue
        For text where the plan has numbers.
    """
    found = open_source(source, encoding)
    batcher = Batcher(plan, "closed", targets=fit, helpers=fit)
    check_needed(found.names, found.name, batcher.columns)
    more = _texts(extra)
    for name in more:
        require_column(name, found.names, found.name, "--keep")
    storage = storage_from(plan)
    if found.kind == "csv":  # blanks around a missing value are this file's own
        sampled = storage_of(found.texts, plan.na)
        beside = frozenset(more) - set(batcher.columns)
        storage = Storage(storage.numbers | (sampled.numbers & beside), storage.plain, sampled.na)
    with settled_remedies(fit):
        return collect(found, tuple(dict.fromkeys((*batcher.columns, *more))), storage, "stop")


@contextmanager
def settled_remedies(fit: bool) -> Iterator[None]:
    """A settled plan cannot be changed by the flags that a bad value names while fitting: name what can be done."""
    try:
        yield
    except BadValue as error:
        if fit or not error.remedy:
            raise
        remedy = "the model was fitted to other values: mend this one, or leave it empty if it is missing"
        message = str(error).removesuffix(error.remedy) + remedy
        raise BadValue(message, **{**vars(error), "remedy": remedy}) from None


def iter_batches(
    source: object,
    plan: TablePlan,
    batch_rows: int = 16384,
    *,
    only: Sequence[Part] | None = None,
    levels: str = "grow",
    batcher: Batcher | None = None,
    encoding: str = "utf-8",
) -> Iterator[Batch]:
    """Stream a source under a plan, in little memory and one pass.

    Parameters
    ----------
    source : as for `read_table`
    plan : TablePlan
        From `elltwo.tables.plan.plan_columns`; only the columns it uses are read.
    batch_rows : int
        Rows of a batch at most; 4,000 to 16,000 fit the cache.
    only : sequence of Part or None
        Some of ``parts(source)``: for shards and workers.
    levels : {"grow", "closed"}
        Whether levels that the plan does not know get new codes.
    batcher : Batcher or None
        One from an earlier call, to go on with its level books.

    Raises
    ------
    BadValue
        For the first value that breaks the plan: file, line, column, value, and the flag that settles it.
    DataError
        For a damaged file, naming file and row group, or a column that is not there.
    """
    found = open_source(source, encoding)
    batcher = batcher or Batcher(plan, levels)
    check_needed(found.names, found.name, batcher.columns)
    for raw in raws(found, batcher.columns, storage_from(plan), batch_rows, only):
        yield batcher(raw)


def storage_from(plan: TablePlan) -> Storage:
    """How a plan asks for the columns of a text file."""
    targets = {c.name for c in plan.targets if c.kind == "number"}
    weights = {plan.weights} if plan.weights is not None else set()
    numbers = {c.name for c in plan.used if c.kind == "number"} | targets | weights
    plain = {c.name for c in plan.used if c.kind == "date"}
    return Storage(frozenset(numbers), frozenset(plain), plan.na or spellings())


def check_needed(names: tuple[str, ...], table: str, needed: Iterable[str]) -> None:
    """DataError if a column that the plan reads is not there."""
    known = set(names)
    for name in needed:
        if name not in known:
            near = closest(name, names)
            raise DataError(f"{table} has no column {name!r}, which the plan uses: {near}")


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
