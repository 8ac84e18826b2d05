"""What a fit after the pass wants of each column: recipe, sources, features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from elltwo.errors import UsageError, unknown_option
from elltwo.tables.moments.mixed import MixedMoments

STANDARDIZE, REFERENCE, MISSING = ("none", "numbers", "all"), ("none", "first"), ("column", "zeros", "mode")


@dataclass(frozen=True)
class Recipe:
    """What becomes of each column; each step is redone on every training fold.

    Attributes
    ----------
    impute : ``"mean"`` or a constant for missing numbers; ``imputes`` overrides it by column.
    indicators : does a 0/1 column ``name missing`` follow a number that has missing values in training?
    standardize : divide by the standard deviation (1/n): ``"none"``, ``"numbers"`` (StandardScaler on
        the number columns, after imputation, indicators left alone) or ``"all"`` columns.
    reference : ``"none"`` gives every level a column, ``"first"`` drops the first one by name.
    missing_level : a missing category gets a ``"column"``, all ``"zeros"``, or the most frequent level
        (``"mode"``).
    max_levels : keep at most so many levels of a category, the most frequent; None keeps all.
    min_count : levels lighter than this in training join ``(other)``.
    merge : by column, level -> the level it joins.
    drop : columns to leave out.
    """

    impute: str | float = "mean"
    imputes: Mapping[str, float] = field(default_factory=dict)
    indicators: bool = True
    standardize: str = "none"
    reference: str = "none"
    missing_level: str = "column"
    max_levels: int | None = None
    min_count: float = 0.0
    merge: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, got, known in (
            ("standardize", self.standardize, STANDARDIZE),
            ("reference", self.reference, REFERENCE),
            ("missing_level", self.missing_level, MISSING),
        ):
            if got not in known:
                raise unknown_option(what, got, known)
        if isinstance(self.impute, str) and self.impute != "mean":
            raise UsageError(f"impute must be 'mean' or a number, got {self.impute!r}")


@dataclass(frozen=True)
class Source:
    """A column of the table: the numbers it puts into a row (a date may put several), or its category.

    Attributes
    ----------
    name : of the column.
    numbers : positions among the stored numbers.
    category : position among the stored categories.
    levels : the levels that get a column, in order, others joining ``(other)``; None for all, sorted.
    reference : a level that gets no column.
    other : does ``(other)`` get a column although no cap was reached?
    indicator : may a ``name missing`` column follow?
    """

    name: str
    numbers: tuple[int, ...] = ()
    category: int | None = None
    levels: tuple[str, ...] | None = None
    reference: str | None = None
    other: bool = False
    indicator: bool = True


@dataclass(frozen=True)
class Feature:
    """A column of the design. ``level`` is set for a column of a category; ``role`` says which kind."""

    name: str
    source: str
    role: str  # "number", "level", "other" or "missing"
    level: str | None = None


def sources_of(m: MixedMoments, leave: Sequence[str] = ()) -> tuple[Source, ...]:
    """One source per stored column, numbers first, except those to ``leave`` out (targets, helpers)."""
    numbers = [Source(n, (j,)) for j, n in enumerate(m.numeric) if n not in leave]
    return (*numbers, *(Source(n, (), c) for c, n in enumerate(m.categories) if n not in leave))
