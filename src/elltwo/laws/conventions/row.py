"""What one convention is: the names, the objective, and the formula both ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from elltwo.laws.setting import Array, Setting

Map = Callable[[Any, Setting, Array], Any]
Factor = Callable[[Setting], float]


@dataclass(frozen=True)
class Formula:
    """Value to canonical lambda and back, given the setting and the scale of the columns."""

    to_total: Map
    from_total: Map


@dataclass(frozen=True)
class Convention:
    """One program's meaning of its number.

    ``total`` is the formula of the canonical lambda in terms of the value; ``formula`` computes it.
    ``columns`` is "raw", "sd" (divided by their population standard deviation), "rms" (the same after
    centring; root mean square without an intercept) or "any" (those of the other convention).
    ``intercept`` is "free", "penalised" or "none". ``factors``: accepts glmnet's penalty.factor.
    ``refusal``: why it cannot be converted at all.
    """

    name: str
    objective: str
    total: str
    formula: Formula
    columns: str = "raw"
    loss: str = "squared"
    intercept: str = "free"
    per_column: bool = False
    factors: bool = False
    needs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    note: str = ""
    checked: str = ""
    refusal: str = ""


def times(factor: Factor) -> Formula:
    """Lambda = value * factor."""
    return Formula(lambda v, g, _: v * factor(g), lambda t, g, _: t / factor(g))


def over(factor: Factor) -> Formula:
    """Lambda = factor / value: the C of support vector machines, a prior variance."""

    def inverse(v: Any, g: Setting, _: Array) -> Any:
        with np.errstate(divide="ignore"):
            return np.divide(factor(g), v)

    return Formula(inverse, inverse)


def noise(g: Setting) -> float:
    """The variance of the noise, or the sentence that asks for it."""
    if g.noise_variance is None:
        raise g.missing("noise_variance=", "a prior variance means nothing without the variance of the noise")
    return g.noise_variance


ONE = times(lambda g: 1.0)
MEAN = times(lambda g: g.total_weight)
MEAN_OVER_SD = times(lambda g: g.total_weight / g.response_scale)
UNIT_C = over(lambda g: 1.0)
HALF_C = over(lambda g: 0.5)
LOG_SCALE = Formula(lambda v, g, _: np.exp(-np.asarray(v, dtype=float)), lambda t, g, _: -np.log(t))
NOISE = times(noise)
OVER_NOISE = over(noise)
NEVER = Formula(lambda v, g, _: v, lambda t, g, _: t)

EXACT = "1e-12, against its coefficients"
GRADIENT = "1e-6, its gradient at its own solution"
BY_DOCS = "by its documentation or source; not run here"
RECORDED = (
    "1e-4, against 27 fits recorded from R (their printed digits); and its documented fixed point, 1e-11"
)
FIXED_POINT = "1e-11, the fixed point of its documented algorithm"
BY_FORMULA = "1e-11, the formula of its manual"
DEFINITION = "the definition"
