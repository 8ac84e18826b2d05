"""Carry a regularization strength from one program's convention to another's."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elltwo.errors import ChoiceWarning, ConversionError, InputError, UsageError
from elltwo.facts.strength import Strength
from elltwo.laws.conventions import CONVENTIONS, Convention
from elltwo.laws.setting import Array, Setting


@dataclass(frozen=True)
class Conversion:
    """A converted number with the way it took.

    ``value`` is in the target's convention; ``total`` is the canonical lambda in between (a vector
    when it differs from column to column), measured on ``columns``; ``remarks`` are sentences about
    what the number alone does not carry across.
    """

    value: float | Array
    source: Convention
    target: Convention
    total: float | Array
    columns: str
    remarks: tuple[str, ...]


def _plain(name: str) -> str:
    return re.sub(r"[\s'\"]", "", name).lower()


_BY_NAME = {_plain(n): row for row in CONVENTIONS.values() for n in (row.name, *row.aliases)}


def find(name: str) -> Convention:
    """The convention of that name or alias; spaces, quotes and case do not matter.

    Raises
    ------
    UsageError
        No such convention; the names that contain it, or all of them, are listed.
    """
    row = _BY_NAME.get(_plain(name))
    if row is None:
        close = [n for n in CONVENTIONS if _plain(name).split(".")[0] in _plain(n)] or list(CONVENTIONS)
        raise UsageError(f"unknown convention {name!r}: choose one of {', '.join(map(repr, close))}")
    if row.refusal:
        raise ConversionError(row.refusal)
    return row


def _compatible(source: Convention, target: Convention) -> None:
    losses = {source.loss, target.loss} - {"any"}
    if len(losses) > 1:
        raise ConversionError(
            f"{source.name} stands beside the {source.loss} loss, {target.name} beside the {target.loss} loss: "
            "no number makes the two the same fit (to='total' gives the canonical lambda of each)"
        )


def _factor(row: Convention, setting: Setting) -> Array | float:
    """glmnet's penalty.factor, rescaled as glmnet does to mean 1."""
    f = setting.penalty_factor
    if f is None or not row.factors:
        return 1.0
    if np.any(f < 0) or not np.any(f > 0):
        raise InputError("penalty_factor must be >= 0 and not all zero")
    return f * len(f) / f.sum()


def _one(values: Array | float, target: Convention, sentence: str) -> float | Array:
    """A vector that is constant becomes its number; another is refused unless the target takes it."""
    flat = np.asarray(values, dtype=float)
    if flat.ndim == 0:
        return float(flat)
    if np.ptp(flat) <= 1e-13 * np.max(np.abs(flat)):
        return float(flat.mean())
    if target.per_column:
        return flat
    raise ConversionError(
        f"{target.name} has one number for all columns, and the strength {sentence} differs from column "
        "to column; convert to 'per_column', or standardize the columns first and pass standardized=True"
    )


def _kinds(source: Convention, target: Convention) -> tuple[str, str]:
    """In which columns each side measures ||w||; "any" follows the other side."""
    a, b = source.columns, target.columns
    a, b = (b if a == "any" else a), (a if b == "any" else b)
    return ("raw" if a == "any" else a), ("raw" if b == "any" else b)


def _rescale(total: Any, kinds: tuple[str, str], setting: Setting) -> Any:
    """Lambda per source column turned into lambda per target column: lambda_j sd_j^2 on raw columns."""
    a, b = kinds
    if a == b or (setting.fit_intercept and {a, b} == {"sd", "rms"}):
        return total
    return total * setting.column_scale(a) ** 2 / setting.column_scale(b) ** 2


def _remarks(source: Convention, target: Convention, setting: Setting) -> tuple[str, ...]:
    out = []
    if setting.fit_intercept and source.intercept != target.intercept:
        said = {
            "free": "leaves the intercept free",
            "penalised": "penalises the intercept",
            "none": "has no intercept",
        }
        out.append(f"{source.name} {said[source.intercept]}, {target.name} {said[target.intercept]}")
    out += [f"{row.name}: {row.note}" for row in (source, target) if row.note]
    return tuple(out)


def _check_value(value: Any, row: Convention) -> Any:
    number = np.asarray(value, dtype=float)
    if np.isnan(number).any() or (row.name != "himalaya.GroupRidge" and (number < 0).any()):
        raise InputError(f"{row.name}: a strength must be a number >= 0, got {value!r}")
    return number if number.ndim else float(number)


def conversion(value: float | ArrayLike, from_: str, to: str, setting: Setting) -> Conversion:
    """One conversion with its intermediate steps; :func:`convert` is the short form."""
    source, target = find(from_), find(to)
    _compatible(source, target)
    kinds = _kinds(source, target)
    unit = np.ones(1)
    asks, answers = replace(setting, asker=source.name), replace(setting, asker=target.name)
    scale = asks.column_scale(kinds[0]) if "any" in (source.columns, target.columns) else unit
    number = _check_value(value, source)
    total = source.formula.to_total(number, asks, scale) * _factor(source, asks)
    crossed = _rescale(total, kinds, replace(setting, asker=f"{source.name} to {target.name}"))
    crossed = _one(crossed / _factor(target, answers), target, f"from {source.name}")
    result = target.formula.from_total(crossed, answers, scale)
    result = float(result) if np.ndim(result) == 0 else np.asarray(result)
    return Conversion(result, source, target, total, kinds[0], _remarks(source, target, setting))


def convert(
    value: float | ArrayLike | Strength,
    from_: str | None = None,
    to: str = "total",
    *,
    n: float | None = None,
    y: ArrayLike | None = None,
    sd_y: float | None = None,
    X: ArrayLike | None = None,
    sd_x: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    noise_variance: float | None = None,
    fit_intercept: bool = True,
    standardized: bool = False,
    penalty_factor: ArrayLike | None = None,
) -> Any:
    """The number that means the same fit in another program.

    Canonical objective: sum_i s_i (y_i - b - x_i'w)^2 + lambda ||w||^2 with b free; for a likelihood
    sum_i s_i loss_i + lambda/2 ||w||^2. ``value`` is carried to that lambda and from it to ``to``.

    Parameters
    ----------
    value : float, sequence of float, or Strength
        The number in the convention ``from_``. A sequence is a path, converted entry by entry, except
        where the convention has a number per column. A Strength brings its own convention and facts.
    from_, to : str
        Names of conventions, e.g. "sklearn.Ridge", "glmnet", "MASS", "C" (docs/reference/conventions.md).
    n : float, optional
        Rows, where a loss is a mean; taken from y, X or the sum of ``weights`` when they are given.
    y : (n,) array, sd_y : float, optional
        The response, or its standard deviation with 1/n (weighted when there are weights).
    X : (n, p) array, sd_x : (p,) array, optional
        The columns, or their standard deviations with 1/n, where one side standardizes them.
    weights : (n,) array, optional
        Sample weights s_i.
    noise_variance : float, optional
        Variance of the noise, where the convention is a prior.
    fit_intercept : bool, default True
        Whether the model has an intercept.
    standardized : bool, default False
        The columns have standard deviation 1 already.
    penalty_factor : (p,) array, optional
        glmnet's penalty.factor.

    Returns
    -------
    float, ndarray or Strength
        In the convention ``to``; a Strength when ``value`` is one.

    Raises
    ------
    ConversionError
        The conversion is impossible, or a fact is missing: the sentence says which.
    UsageError
        Unknown convention.
    InputError
        A negative or NaN value, or data that cannot be used.

    Warns
    -----
    ChoiceWarning
        The two programs treat the intercept differently, so the number alone does not make the fits equal.

    Examples
    --------
    >>> from elltwo import convert
    >>> convert(0.1, "glmnet(standardize=FALSE)", "sklearn.Ridge", n=100, sd_y=2.0)
    5.0
    """
    if isinstance(value, Strength):
        own: dict[str, Any] = {"n": n or value.n, "sd_y": sd_y or value.sd_y}
        own["noise_variance"] = noise_variance or value.noise_variance
        own["standardized"] = standardized or value.columns == "standardized"
        own |= {"X": X, "y": y, "sd_x": sd_x, "weights": weights}
        own |= {"fit_intercept": fit_intercept, "penalty_factor": penalty_factor}
        number = convert(value.value, value.convention, to, **own)
        new = tuple(np.ravel(number).tolist()) if np.ndim(number) else float(number)
        return replace(value, value=new, convention=find(to).name)
    if from_ is None:
        raise UsageError("convert needs from_=, the convention of the number (or pass an elltwo.Strength)")
    facts: dict[str, Any] = {
        "n": n, "sd_y": sd_y, "sd_x": sd_x, "weights": weights, "noise_variance": noise_variance,
        "fit_intercept": fit_intercept, "standardized": standardized, "penalty_factor": penalty_factor,
    }  # fmt: skip
    setting = Setting.read(X=X, y=y, **facts)
    if np.ndim(value) and not find(from_).per_column:
        return np.array([conversion(v, from_, to, setting).value for v in np.asarray(value, dtype=float)])
    done = conversion(value, from_, to, setting)
    if fit_intercept and done.source.intercept != done.target.intercept:
        warnings.warn(
            done.remarks[0] + ": the number alone does not make the fits equal", ChoiceWarning, stacklevel=2
        )
    return done.value
