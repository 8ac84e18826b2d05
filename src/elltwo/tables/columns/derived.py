"""Columns made from columns before the pass: what is not linear in a row cannot wait until after it.

============================  ====================================================
``square:a``                  a²
``power:a:3``                 a³ (2 to 9)
``product:a:b``               a b
``log:a``                     ln a; what is not positive is missing
``spline:a:5``                cubic B-splines of a, 5 knots at quantiles of a sample, constant beyond them
============================  ====================================================

A missing value makes its derived ones missing. Powers and products are taken of a − m, b − m with m the
mean of the sample, which spans the same fits beside a and b and keeps the columns from being collinear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from elltwo.errors import UsageError, unknown_option
from elltwo.facts.derived import MOST_DEGREE, MOST_KNOTS, Derived

KINDS = ("square", "power", "product", "log", "spline")
FORMS = "square:COL, power:COL:N, product:COL:COL, log:COL, spline:COL:KNOTS"


def derived_values(d: Derived, column: Callable[[str], np.ndarray]) -> np.ndarray:
    """(len(d.names), n) of rows whose numbers ``column(name)`` (n,) gives; infinite where they overflow."""
    found = [column(name) for name in d.columns]
    with np.errstate(over="ignore", invalid="ignore"):
        if d.kind == "power":
            return ((found[0] - d.centre[0]) ** d.degree)[None]
        if d.kind == "product":
            return ((found[0] - d.centre[0]) * (found[1] - d.centre[1]))[None]
    if d.kind == "log":
        out = np.full((1, found[0].size), np.nan)
        return np.log(found[0][None], out=out, where=found[0][None] > 0)
    return _splines(found[0], d.knots)


def derive(
    texts: Sequence[str], sample: Callable[[str], np.ndarray], known: Sequence[str]
) -> tuple[Derived, ...]:
    """Declared features from their texts; ``sample(name)`` gives present values of a number column.

    Raises
    ------
    UsageError
        A text that is none of the forms, or a column that is no number.
    """
    return tuple(_one(text, sample, known) for text in texts)


def check_form(text: str) -> tuple[str, ...]:
    """The parts of a declared feature: its kind, its column or columns, a number.

    Raises
    ------
    UsageError
        It is none of the forms.
    """
    kind, *rest = text.split(":")
    if kind not in KINDS:
        raise unknown_option("feature", kind, KINDS)
    if len(rest) != (1 if kind in ("square", "log") else 2) or not all(rest):
        raise UsageError(f"the feature {text!r} is none of {FORMS}")
    if kind in ("spline", "power"):
        _whole(text, rest[1], 2, MOST_KNOTS if kind == "spline" else MOST_DEGREE)
    return (kind, *rest)


def _one(text: str, sample: Callable[[str], np.ndarray], known: Sequence[str]) -> Derived:
    kind, *rest = check_form(text)
    columns = tuple(rest) if kind == "product" else (rest[0],)
    for name in columns:
        if name not in known:
            raise UsageError(
                f"the feature {text!r} needs the number column {name!r}; there are {', '.join(known[:12])}"
            )
    if kind == "log":
        return Derived("log", columns)
    if kind == "spline":
        return Derived(
            "spline", columns, 3, (), _knots(text, sample(columns[0]), _whole(text, rest[1], 2, MOST_KNOTS))
        )
    centre = tuple(float(np.mean(sample(name))) if sample(name).size else 0.0 for name in columns)
    degree = 2 if kind == "square" else 1 if kind == "product" else _whole(text, rest[1], 2, MOST_DEGREE)
    return Derived("product" if kind == "product" else "power", columns, degree, centre)


def _whole(text: str, number: str, low: int, high: int) -> int:
    if not number.isdecimal() or not low <= int(number) <= high:
        raise UsageError(f"the feature {text!r} needs a whole number from {low} to {high} at its end")
    return int(number)


def _knots(text: str, values: np.ndarray, count: int) -> tuple[float, ...]:
    knots = np.unique(np.quantile(values, np.linspace(0, 1, count))) if values.size else np.empty(0)
    if knots.size < 2:
        raise UsageError(f"the feature {text!r} needs a column with several values")
    return tuple(knots.tolist())


def _splines(x: np.ndarray, knots: tuple[float, ...]) -> np.ndarray:
    """Cubic B-splines without their last column, which the others and the intercept add up to."""
    out = np.full((len(knots) + 1, x.size), np.nan)
    present = np.isfinite(x)
    if present.any():
        out[:, present] = _transformer(knots).transform(x[present, None]).T[:-1]
    return out


@lru_cache(maxsize=64)
def _transformer(knots: tuple[float, ...]) -> Any:
    from sklearn.preprocessing import SplineTransformer

    at = np.asarray(knots)[:, None]
    return SplineTransformer(degree=3, knots=at, extrapolation="constant").fit(at)
