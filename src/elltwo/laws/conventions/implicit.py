"""Strengths that only the data define: a length of w, degrees of freedom, a profiled noise scale.

Lambda is found by bisection in log lambda until two neighbouring floats are left: no derivative, no
failure mode. With X = U diag(s) V' (centred, weighted, columns
divided by ``scale``) and z = U'y:

    df(lambda)   = free + sum_j s_j^2 / (s_j^2 + lambda)
    ||w||^2      = sum_j (s_j z_j / (s_j^2 + lambda))^2
    RSS(lambda)  = rest + sum_j (lambda z_j / (s_j^2 + lambda))^2
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from elltwo.errors import ConversionError, InputError
from elltwo.laws.setting import Array, Rotation, Setting


def _scalar(total: object, g: Setting) -> float:
    value = np.asarray(total, dtype=float)
    if value.size != 1:
        raise g.missing("one lambda for all columns", "it is defined for a single lambda only")
    return float(value.reshape(()))


def _df(r: Rotation, lam: float, free: float) -> float:
    return free + float(np.sum(1.0 / (1.0 + lam / r.s**2)))


def _length(r: Rotation, lam: float) -> float:
    return float(np.linalg.norm(r.z / (r.s + lam / r.s)))


def _decreasing_root(function: Callable[[float], float], goal: float, r: Rotation) -> float:
    """The lambda at which a decreasing function reaches ``goal``, to the last bit but one.

    The bracket starts at the ends of the spectrum and is widened until it holds the goal.
    """
    low, high = math.log(r.s[-1] ** 2), math.log(r.s[0] ** 2)
    while function(math.exp(low)) < goal and low > -690:
        low -= 20.0
    while function(math.exp(high)) > goal and high < 690:
        high += 20.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if function(math.exp(middle)) > goal else (low, middle)
    return math.exp(0.5 * (low + high))


def from_df(value: float, g: Setting, scale: Array) -> float:
    """The lambda with so many effective degrees of freedom."""
    r, free = g.rotate(scale, with_y=False), float(g.fit_intercept)
    if not free <= value <= free + len(r.s):
        raise InputError(f"df must lie in [{free:g}, {free + len(r.s):g}] for these data, got {value!r}")
    if value == free + len(r.s):
        return 0.0
    return math.inf if value == free else _decreasing_root(lambda lam: _df(r, lam, free), value, r)


def to_df(total: object, g: Setting, scale: Array) -> float:
    """Trace of the hat matrix at lambda, a free intercept counted as 1."""
    return _df(g.rotate(scale, with_y=False), _scalar(total, g), float(g.fit_intercept))


def from_radius(value: float, g: Setting, scale: Array) -> float:
    """The lambda whose solution has norm ``value``; 0 when least squares already fits inside."""
    r = g.rotate(scale, with_y=True)
    if value >= _length(r, 0.0):
        return 0.0
    return math.inf if value == 0 else _decreasing_root(lambda lam: _length(r, lam), value, r)


def to_radius(total: object, g: Setting, scale: Array) -> float:
    """Norm of the coefficients at lambda."""
    return _length(g.rotate(scale, with_y=True), _scalar(total, g))


def from_fraction(value: float, g: Setting, scale: Array) -> float:
    """The lambda whose solution is ``value`` times as long as least squares."""
    if not 0 <= value <= 1:
        raise InputError(f"a length fraction must lie in [0, 1], got {value!r}")
    r = g.rotate(scale, with_y=True)
    return from_radius(value * _length(r, 0.0), g, scale)


def to_fraction(total: object, g: Setting, scale: Array) -> float:
    """Length at lambda over the length at 0."""
    r = g.rotate(scale, with_y=True)
    full = _length(r, 0.0)
    if full == 0:
        raise InputError("y does not depend on X at all: the solution has length 0 at every lambda")
    return _length(r, _scalar(total, g)) / full


def _profiled(r: Rotation, lam: float, g: Setting) -> float:
    """lambda / (n RSS/(n-p-1)): the alpha of a Gaussian GLM whose scale is profiled out."""
    n, p = g.rows, g.need_X().shape[1]
    freedom = n - p - float(g.fit_intercept)
    if freedom <= 0:
        raise InputError(f"the profiled scale needs more rows than coefficients, got {n:g} rows, {p} columns")
    rss = r.rest + float(np.sum((r.z * lam / (r.s**2 + lam)) ** 2))
    return lam * freedom / (n * rss)


def to_profiled(total: object, g: Setting, scale: Array) -> float:
    """The alpha of statsmodels' Gaussian GLM that stops at this lambda."""
    return _profiled(g.rotate(scale, with_y=True), _scalar(total, g), g)


def from_profiled(value: float, g: Setting, scale: Array) -> float:
    """The lambda at which statsmodels' Gaussian GLM with this alpha stops.

    lambda/RSS(lambda) is not monotone in general (d log RSS / d log lambda <= 2 f < 2), so the whole
    range is scanned first, and an alpha that several lambdas share is refused.
    """
    if value == 0:
        return 0.0
    r = g.rotate(scale, with_y=True)
    logs = np.linspace(math.log(r.s[-1] ** 2) - 20.0, math.log(r.s[0] ** 2) + 20.0, 800)
    above = np.array([_profiled(r, math.exp(t), g) > value for t in logs])
    crossings = np.flatnonzero(above[1:] != above[:-1])
    if len(crossings) != 1:
        raise ConversionError(
            f"{g.asker}: {len(crossings)} values of lambda between exp({logs[0]:.0f}) and exp({logs[-1]:.0f}) "
            f"belong to alpha = {value!r}, because its scale is profiled; convert in the other direction"
        )
    inside = Rotation(np.exp(logs[crossings[0] : crossings[0] + 2][::-1] / 2), r.z, r.rest)
    return _decreasing_root(lambda lam: -_profiled(r, lam, g), -value, inside)
