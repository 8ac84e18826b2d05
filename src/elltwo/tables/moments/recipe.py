"""What a fit after the pass wants of each column: recipe, sources, features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from elltwo.errors import UsageError, unknown_option

STANDARDIZE = ("none", "numbers", "all")
REFERENCE = ("auto", "none", "first")
MISSING = ("column", "zeros", "mode")


@dataclass(frozen=True)
class Recipe:
    """What becomes of each column; each step is redone on every training fold.

    Attributes
    ----------
    impute : ``"mean"`` or a constant for missing numbers; ``imputes`` overrides it by column. Dates and columns made
        from columns take the mean.
    indicators : does a 0/1 column ``name missing`` follow a number that has missing values in training?
    standardize : divide by the standard deviation (1/n): ``"none"``, ``"numbers"`` (StandardScaler on
        the number columns, after imputation, indicators left alone) or ``"all"`` columns.
    reference : ``"none"`` gives every level a column, ``"first"`` drops the first one, ``"auto"`` the first of two
        levels alone; ``references`` names the level to drop by column.
    missing_level : a missing category gets a ``"column"``, all ``"zeros"``, or the most frequent level
        (``"mode"``).
    max_levels : keep at most so many levels of a category, the most frequent; None keeps all.
    min_count : levels lighter than this in training join ``(other)``; a level that a column is relative to never does.
    merge : by column, level -> the level it joins, which may be new, or ``(other)``.
    drop : columns to leave out.

    Raises
    ------
    UsageError
        An option that does not exist, a number that is none, levels that join each other in a circle.
    """

    impute: str | float = "mean"
    imputes: Mapping[str, str | float] = field(default_factory=dict)
    indicators: bool = True
    standardize: str = "none"
    reference: str = "auto"
    references: Mapping[str, str] = field(default_factory=dict)
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
        for fill in (self.impute, *self.imputes.values()):
            if fill != "mean" and (isinstance(fill, str) or not isfinite(fill)):
                raise UsageError(f"impute must be 'mean' or a number, got {fill!r}")
        if self.max_levels is not None and self.max_levels < 1:
            raise UsageError(f"max_levels must be at least 1, got {self.max_levels}")
        if not self.min_count >= 0:
            raise UsageError(f"min_count must be a number >= 0, got {self.min_count}")
        for column in self.merge:
            self.joins(column)

    @property
    def plain(self) -> bool:
        """Whether it asks for nothing that a plan does not do by itself."""
        return self == Recipe()

    def joins(self, column: str) -> dict[str, str]:
        """Level -> the level that it counts as in the end, where one joins another that joins a third.

        Raises
        ------
        UsageError
            A circle.
        """
        steps = self.merge.get(column, {})
        out = {}
        for level in steps:
            end, seen = steps[level], {level}
            while end in steps and end not in seen:
                seen.add(end)
                end = steps[end]
            if end in seen:
                raise UsageError(
                    f"levels of {column!r} join each other in a circle ({' -> '.join([level, *_walk(steps, level)])}): "
                    f"let one of them stay"
                )
            out[level] = end
        return out

    def fill(self, number: str) -> str | float:
        """``"mean"`` or the constant that fills the gaps of a number column."""
        return self.imputes.get(number, self.impute)


def _walk(steps: Mapping[str, str], level: str) -> list[str]:
    """The levels that one joins, one after the other, until one comes again."""
    out: list[str] = []
    while level in steps and steps[level] not in out:
        level = steps[level]
        out.append(level)
    return out


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
    mean_only : are gaps filled with means whatever constant the recipe has for all columns?
    """

    name: str
    numbers: tuple[int, ...] = ()
    category: int | None = None
    levels: tuple[str, ...] | None = None
    reference: str | None = None
    other: bool = False
    indicator: bool = True
    mean_only: bool = False


@dataclass(frozen=True)
class Feature:
    """A column of the design. ``level`` is set for a column of a category; ``role`` says which kind."""

    name: str
    source: str
    role: str  # "number", "level", "other" or "missing"
    level: str | None = None
