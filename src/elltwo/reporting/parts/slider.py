"""What the page needs to recompute the fit at any λ: the small spectrum, and the error as a polynomial.

Coefficients are x0 + V(s z/(s² + λ)) + the free part, exactly as in Python, from the same float64 numbers.
The cross-validation error is an analytic function of log λ in the strip |Im| < π (all its poles lie at
λ = −s²), so a few hundred Chebyshev points carry it to rounding: Trefethen, Approximation Theory and
Approximation Practice (2013), thm 8.2. How well is measured against direct evaluation, and shown.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from elltwo.diagnosing.view import View
from elltwo.reporting.parts.coefficients import per_sd, unregularized
from elltwo.reporting.parts.error import ErrorRule
from elltwo.reporting.words import rule_name
from elltwo.shrinking.path import coefficients

NUMBERS = 40_000  # of V that a page carries: 320 kB, 427 kB as base64
FEWEST = 12  # columns below which a page carries no spectrum at all
DIRECTIONS = 3000
WANTED = 1e-11
SIZES = (64, 128, 256, 512)


def packed(values: Any) -> str:
    """Float64, little-endian, base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def unpacked(text: str) -> np.ndarray:
    """The way back."""
    return np.frombuffer(base64.b64decode(text), dtype="<f8").copy()


def payload(view: View, alphas: np.ndarray, rule: ErrorRule, order: list[int]) -> dict[str, Any]:
    """The data block behind the slider.

    ``order`` are column indices, most important first. All of them are carried where V is small; else as many as
    fit, whose coefficients are still exact; else none, and only error and degrees of freedom move.
    """
    r, j = view.rotated, view.which
    k = view.s.size
    room = min(view.columns, NUMBERS // max(k, 1))
    carry = room if view.V is not None and k <= DIRECTIONS and room >= min(FEWEST, view.columns) else 0
    kept = np.array(order[:carry], dtype=int)
    V = np.zeros((0, k)) if view.V is None else view.V[kept]
    mean = r.spectrum.free.mean
    x0 = np.zeros(view.columns) if r.spectrum.x0 is None else _prior(r.spectrum.x0, view)
    fixed = coefficients(r, np.zeros_like(r.z))[:, j]
    out: dict[str, Any] = {
        "alpha": view.alpha,
        "range": [float(np.log10(alphas[0])), float(np.log10(alphas[-1]))],
        "columns": kept,
        "all": carry == view.columns,
        "V": packed(V),
        "s": packed(view.s if k <= DIRECTIONS else np.zeros(0)),
        "z": packed(view.z if k <= DIRECTIONS else np.zeros(0)),
        "fixed": packed(fixed[kept]),
        "plain": packed(unregularized(view)[kept]),
        "unit": packed(per_sd(view)[kept]),
        "mean_y": r.mean[j],
        # the intercept is mean_y − m·(x − x0), and m·V is one number per direction
        "mean_V": packed(_mean_of_map(view, mean) if k <= DIRECTIONS else np.zeros(0)),
        "mean_fixed": float(mean @ (fixed - x0)),
        "has_intercept": r.spectrum.free.intercept,
        "free": r.spectrum.free.rank,
        "rest": r.rest[j],
        "rows": view.rows,
        "directions": r.spectrum.directions,
    }
    out["error"] = error_polynomial(rule, alphas)
    return out


def _prior(x0: np.ndarray, view: View) -> np.ndarray:
    x0 = x0.reshape(view.columns, -1)
    return x0[:, min(view.which, x0.shape[1] - 1)]


def _mean_of_map(view: View, mean: np.ndarray) -> np.ndarray:
    if not mean.any():
        return np.zeros(view.s.size)
    if view.V is not None:
        return mean @ view.V
    return np.zeros(view.s.size)


def chebyshev(low: float, high: float, size: int) -> np.ndarray:
    """(size + 1,) Chebyshev points of the second kind between low and high."""
    return 0.5 * (low + high) + 0.5 * (high - low) * np.cos(np.pi * np.arange(size + 1) / size)


def barycentric(nodes: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The interpolating polynomial through Chebyshev points, elsewhere. Trefethen (2013), eq. 5.13."""
    weight = (-1.0) ** np.arange(nodes.size)
    weight[[0, -1]] *= 0.5
    gap = at[:, None] - nodes[None, :]
    hit = gap == 0
    ratio = weight / np.where(hit, 1.0, gap)
    out = (ratio @ values) / ratio.sum(axis=1)
    return np.where(hit.any(axis=1), hit @ values, out)


def error_polynomial(rule: ErrorRule, alphas: np.ndarray) -> dict[str, Any]:
    """Mean squared error at Chebyshev points in ln λ, at 0 and ∞, and how far interpolation is from direct values."""
    low, high = float(np.log(alphas[0])), float(np.log(alphas[-1]))
    between = np.linspace(low, high, 41)[1:-1] + 0.123 * (high - low) / 40
    direct = rule(np.exp(between))
    values, off = np.zeros(0), np.inf
    for size in SIZES:
        nodes = chebyshev(low, high, size)
        values = rule(np.exp(nodes))
        with np.errstate(all="ignore"):
            off = float(np.max(np.abs(barycentric(nodes, values, between) / direct - 1)))
        if off < WANTED:
            break
    ends = rule(np.array([0.0, np.inf]))
    return {
        "rule": rule.name,
        "words": f"typical error ({rule_name(rule.name)})",
        "low": low,
        "high": high,
        "values": packed(values),
        "off": off,
        "zero": ends[0],
        "infinity": ends[1],
    }
