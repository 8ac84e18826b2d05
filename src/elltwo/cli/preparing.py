"""What becomes of columns before the fit, as options: imputation, levels, reference levels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from elltwo.errors import UsageError

if TYPE_CHECKING:
    from elltwo.tables.moments.recipe import Recipe

WORDS = ("auto", "none", "first")
PREPARE = (
    click.option("--impute", multiple=True, metavar="FILL|COL=FILL",
                 help="What replaces missing numbers: mean (the default) or a number."),
    click.option("--indicators/--no-indicators", default=True, show_default=True,
                 help="A 0/1 column beside a number with missing values."),
    click.option("--missing-level", type=click.Choice(["column", "zeros", "mode"]), default="column",
                 show_default=True, help="A missing category: a column, no level, or the most frequent one."),
    click.option("--merge", multiple=True, metavar="COL:LEVEL=INTO", help="Count a level as another, or a new one."),
    click.option("--max-levels", type=click.IntRange(min=1), metavar="N",
                 help="Keep the N most frequent levels of a category; the others share (other)."),
    click.option("--min-count", type=click.FloatRange(min=0), default=0.0, metavar="N",
                 help="Levels on fewer training rows (or of less weight) share (other)."),
    click.option("--reference", multiple=True, metavar="WORD|COL=LEVEL",
                 help="The level without a column: auto (the first of two), none, first, or by name."),
)  # fmt: skip
RECIPE = ("impute", "indicators", "missing_level", "merge", "max_levels", "min_count", "reference")


def recipe_of(params: dict[str, Any]) -> Recipe:
    """The recipe that options ask for; those that are not there have their defaults.

    Raises
    ------
    UsageError
        A value that cannot be understood; the message says how it is written.
    """
    from elltwo.tables.moments.recipe import Recipe

    fills = _once("impute", map(_fill, params.get("impute") or ()))
    references = _once("reference", map(_reference, params.get("reference") or ()))
    return Recipe(
        impute=fills.pop("", "mean"),
        imputes=fills,
        indicators=params.get("indicators", True),
        reference=references.pop("", "auto"),
        references=references,
        missing_level=params.get("missing_level") or "column",
        max_levels=params.get("max_levels"),
        min_count=params.get("min_count") or 0.0,
        merge=_merges(params.get("merge") or ()),
    )


def _once(flag: str, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """By column; the one for all columns has no name."""
    out: dict[str, Any] = {}
    for column, value in pairs:
        if out.setdefault(column, value) != value:
            raise UsageError(f"--{flag} was given twice for {column or 'all columns'}: choose one")
    return out


def _fill(text: str) -> tuple[str, str | float]:
    """Column, or nothing for all of them, and what fills its gaps."""
    column, equals, value = text.rpartition("=")
    if equals and not column:
        raise UsageError(f"--impute {text}: say which column, as in --impute age=0")
    if value == "mean":
        return column, value
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        example = f"--impute {column or 'age'}=0"
        raise UsageError(
            f"--impute {text}: {value!r} is neither mean nor a number; write --impute 0 or {example}"
        )
    return column, number


def _reference(text: str) -> tuple[str, str]:
    column, equals, level = text.partition("=")
    if equals and column and level:
        return column, level
    if text not in WORDS:
        raise UsageError(f"--reference {text}: write one of {', '.join(WORDS)}, or COLUMN=LEVEL")
    return "", text


def _merges(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    out: dict[str, dict[str, str]] = {}
    for text in texts:
        column, _, pair = text.partition(":")
        level, _, into = pair.rpartition("=")
        if not (column and level and into):
            raise UsageError(f"--merge {text}: write COLUMN:LEVEL=INTO, as in --merge region:Corsica=south")
        known = out.setdefault(column, {})
        if known.setdefault(level, into) != into:
            raise UsageError(
                f"--merge {text}: level {level!r} already counts as {known[level]!r}; choose one"
            )
    return out
