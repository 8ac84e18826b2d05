"""How every column of a table enters the design matrix: plain data, no algorithm, JSON both ways.

A plan is made once, on the training table, and used again on every table that the model predicts.
It is stored in model files, which come from anywhere: loading checks every field and refuses the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from elltwo.errors import DataError
from elltwo.facts.derived import Derived, derived_record
from elltwo.facts.plansound import column_is_sound, plan_is_sound, refuse
from elltwo.facts.strict import READERS, Malformed, record, several, text

VERSION = 1
LONGEST = 512 * 2**20  # bytes of JSON
# Fields that JSON leaves out where they say nothing: what was written before there were any can be read.
LATER: dict[str, Any] = {
    "indicator": True,
    "merged": (),
    "missing_as": None,
    "constant": False,
    "expected": 0,
}


@dataclass(frozen=True)
class ColumnPlan:
    """What one column of the table becomes.

    Parameters
    ----------
    name : str
        The column's name in the table.
    kind : {"number", "boolean", "category", "date", "dropped"}
        ``boolean`` is one 0/1 column; ``category`` one 0/1 column per level.
    reason : str
        Why, in a few words.
    levels : tuple of str
        Levels of a category, in the order of their columns; those that join another are among them.
    reference : str or None
        The level that gets no column; None is full one-hot.
    other : bool
        Whether rare and unseen levels share a column ``name=(other)``.
    missing : bool
        Whether the training column had missing values.
    impute : tuple of float
        What replaces missing values, a training mean or a constant: one per number, boolean or date part.
    parts : tuple of str
        What a date becomes: ``("days",)`` or some of year, month, day, weekday, hour.
    indicator : bool
        Whether a 0/1 column ``name missing`` follows where the training column had missing values.
    merged : tuple of (str, str)
        Levels that count as another one, each with that one.
    missing_as : str or None
        The level that a missing value counts as.
    constant : bool
        Whether ``impute`` was given, and is no training mean.
    expected : int
        While the plan is made from a sample, the levels to expect in the whole table; 0 afterwards.
    """

    name: str
    kind: str
    reason: str = ""
    levels: tuple[str, ...] = ()
    reference: str | None = None
    other: bool = False
    missing: bool = False
    impute: tuple[float, ...] = ()
    parts: tuple[str, ...] = ()
    indicator: bool = True
    merged: tuple[tuple[str, str], ...] = ()
    missing_as: str | None = None
    constant: bool = False
    expected: int = 0

    def __post_init__(self) -> None:
        column_is_sound(self)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the numbers that this column puts into a batch (none for a category)."""
        if self.kind in ("number", "boolean"):
            return (self.name,)
        if self.kind == "date":
            return tuple(f"{self.name} {part}" for part in self.parts)
        return ()

    @property
    def shown_levels(self) -> tuple[str, ...]:
        """Levels that get a column of their own."""
        return tuple(level for level in self.levels if level != self.reference and level not in self.joins)

    def counts_as(self, level: str) -> str:
        """The level itself, or the one that it joins."""
        return self.joins.get(level, level)

    @cached_property
    def joins(self) -> dict[str, str]:
        """``merged`` to look up in."""
        return dict(self.merged)

    @property
    def flagged(self) -> bool:
        """Whether a 0/1 column ``name missing`` belongs to it."""
        return self.kind != "dropped" and self.missing and self.indicator

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the design columns that this column becomes, in order."""
        names = [*self.numbers]
        if self.kind == "category":
            names += [f"{self.name}={level}" for level in self.shown_levels]
            names += [f"{self.name}=(other)"] * self.other
        if self.flagged:
            names.append(f"{self.name} missing")
        return tuple(names)


@dataclass(frozen=True)
class TablePlan:
    """How a whole table becomes X, y, weights, groups and folds.

    Parameters
    ----------
    columns : tuple of ColumnPlan
        Every column that is a feature or was left out, in table order.
    targets : tuple of ColumnPlan
        The target or targets; empty when none is chosen yet.
    task : {"regress", "classify"}
        With ``"classify"`` the target's plan is a category and its levels are the classes.
    weights, group, fold_column : str or None
        Names of the columns that play those parts and are no features.
    na : tuple of str
        Every spelling of a missing value, the built-in ones and those declared.
    max_levels : int
        Cap on the levels of one category.
    rows : int or None
        Rows the plan was made from.
    sampled : bool
        True when it was made from a sample: levels, means and missing flags are not settled yet.
    notes : tuple of str
        What a reader should know: sentences.
    derived : tuple of Derived
        Columns made from number columns; they follow all others in the design.
    """

    columns: tuple[ColumnPlan, ...]
    targets: tuple[ColumnPlan, ...] = ()
    task: str = "regress"
    weights: str | None = None
    group: str | None = None
    fold_column: str | None = None
    na: tuple[str, ...] = ()
    max_levels: int = 1000
    rows: int | None = None
    sampled: bool = False
    notes: tuple[str, ...] = ()
    derived: tuple[Derived, ...] = ()

    def __post_init__(self) -> None:
        plan_is_sound(self)

    @property
    def target(self) -> ColumnPlan | None:
        """The first target."""
        return self.targets[0] if self.targets else None

    @cached_property
    def used(self) -> tuple[ColumnPlan, ...]:
        """Feature columns, without the dropped ones."""
        return tuple(c for c in self.columns if c.kind != "dropped")

    @property
    def dropped(self) -> tuple[ColumnPlan, ...]:
        """Columns left out, each with its reason."""
        return tuple(c for c in self.columns if c.kind == "dropped")

    @cached_property
    def numeric(self) -> tuple[ColumnPlan, ...]:
        """Feature columns that put numbers into a batch."""
        return tuple(c for c in self.used if c.kind != "category")

    @cached_property
    def categories(self) -> tuple[ColumnPlan, ...]:
        """Feature columns that put level codes into a batch."""
        return tuple(c for c in self.used if c.kind == "category")

    @cached_property
    def number_names(self) -> tuple[str, ...]:
        """Names of the columns of ``Batch.numbers``."""
        return tuple(name for c in self.numeric for name in c.numbers)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the design matrix X, in order."""
        made = (name for d in self.derived for name in d.names)
        return (*(name for c in self.used for name in c.features), *made)

    @cached_property
    def feature_sources(self) -> tuple[str, ...]:
        """The table column behind each column of X; the first of them for a product."""
        made = (d.columns[0] for d in self.derived for _ in d.names)
        return (*(c.name for c in self.used for _ in c.features), *made)

    @property
    def helpers(self) -> tuple[str, ...]:
        """Names of the weight, group and fold columns that were declared."""
        return tuple(n for n in (self.weights, self.group, self.fold_column) if n is not None)

    def column(self, name: str) -> ColumnPlan:
        """The plan of one column, target or feature; KeyError if there is none."""
        for column in (*self.columns, *self.targets):
            if column.name == name:
                return column
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, text and numbers, ready for JSON."""
        plain = {"version": VERSION, **asdict(self)}
        if not self.derived:
            del plain["derived"]
        for column in (*plain["columns"], *plain["targets"]):
            for name, usual in LATER.items():
                if column[name] == usual:
                    del column[name]
        return plain

    def to_json(self) -> str:
        """JSON text that restores the plan exactly, every float included."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, data: object) -> TablePlan:
        """Check a dict from an untrusted file and build the plan.

        Raises
        ------
        DataError
            If a field is unknown, missing, of the wrong type, too long, not finite, or contradicts another.
        """
        return _load_plan(data)

    @classmethod
    def from_json(cls, text: str | bytes) -> TablePlan:
        """Build the plan from JSON text; same errors as `from_dict`."""
        if len(text) > LONGEST:
            raise DataError(f"this column plan has {len(text):,} bytes; a plan has at most {LONGEST:,}")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"this column plan is not valid JSON: {error}") from None
        return _load_plan(data)


def _pair(value: object, where: str) -> tuple[str, str]:
    found = several(text)(value, where)
    if len(found) != 2:
        raise Malformed(f"{where} should be two texts")
    return found[0], found[1]


def _column(value: object, where: str) -> ColumnPlan:
    known = {**LATER, **value} if isinstance(value, Mapping) else value
    return record(ColumnPlan, known, where, {**READERS, "tuple[tuple[str, str], ...]": several(_pair)})


_READERS = {
    **READERS,
    "tuple[ColumnPlan, ...]": several(_column),
    "tuple[Derived, ...]": several(derived_record),
}


def _load_plan(data: object) -> TablePlan:
    if not isinstance(data, Mapping) or "version" not in data:
        raise refuse("it has no version")
    if type(data["version"]) is not int or data["version"] != VERSION:
        raise refuse(f"it has version {data['version']!r} and this elltwo reads version {VERSION}")
    rest = {"derived": [], **{k: v for k, v in data.items() if k != "version"}}
    try:
        return record(TablePlan, rest, "plan", _READERS)
    except Malformed as error:
        raise refuse(str(error)) from None
