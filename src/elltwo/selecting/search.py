"""The only loop over λ: a grid from the spectrum, its extension, and refinement of the minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

Score = Callable[[np.ndarray], np.ndarray]  # (L,) λ -> (L, t) score, lower is better

GRID = 100
LOW, HIGH = 1e-4, 1e4  # how far the grid reaches beyond the smallest and largest squared singular value
FLOOR = 1e-14  # and never below this fraction of the largest
NODES = 11
DEGREE = 8  # less than interpolation: the least-squares fit averages rounding out
SMOOTH, NOISE = 1e-6, 1e-13  # misfit of an analytic score: of its spread, and of its size
_CHEBYSHEV = -np.cos(np.pi * np.arange(NODES) / (NODES - 1))
_FIT = np.linalg.pinv(chebyshev.chebvander(_CHEBYSHEV, DEGREE))  # values at the nodes to coefficients


@dataclass(frozen=True)
class Minimum:
    """Where a score is least. alpha (t,), score (t,), edge: '', 'low', 'high', 'zero' or 'infinity'."""

    alpha: np.ndarray
    score: np.ndarray
    edge: str


def grid(s: np.ndarray, size: int = GRID) -> np.ndarray:
    """(L,) λ from below the smallest squared singular value to above the largest, even in log λ.

    Multiplying the design by c multiplies the grid by c², so the choice does not depend on units.
    """
    if s.size == 0:
        return np.geomspace(1e-4, 1e4, size)
    top = float(s[0]) ** 2
    low = max(float(s[-1]) ** 2 * LOW, top * FLOOR)
    return np.geomspace(low, top * HIGH, size)


def refine(score: Score, alphas: np.ndarray, values: np.ndarray) -> Minimum:
    """Every target's minimum between the neighbours of its best λ, from one more evaluation per bracket.

    Scores are functions of s²/(s² + λ), analytic in log λ wherever |Im log λ| < π, so between two
    neighbours a polynomial through NODES Chebyshev points equals them to nearly all digits, and the zero
    of its derivative is the minimum: flat minima lose no more digits than the score's own rounding costs.
    A score that is no such function (counts of errors) keeps its best evaluated point.
    The ends of the grid are compared with λ = 0 and λ = ∞ themselves.
    """
    values = np.where(np.isnan(values), np.inf, values)
    best = np.argmin(values, axis=0)
    log = np.log(alphas)
    last = alphas.size - 1
    lowest = _Lowest(log[best], values[best, np.arange(best.size)])
    for at in np.unique(best):
        _descend(score, _bracket(log, int(at)), lowest, np.flatnonzero(best == at))
    return _with_ends(score, np.exp(lowest.u), lowest.score, best, last)


@dataclass(frozen=True)
class _Lowest:
    """The best that is known per target, written in place. u (t,) log λ, score (t,)."""

    u: np.ndarray
    score: np.ndarray

    def offer(self, target: int, u: float, score: float) -> None:
        if score <= self.score[target]:
            self.u[target], self.score[target] = u, score


def _bracket(log: np.ndarray, at: int) -> tuple[float, float]:
    """Between the neighbours of a point, in log λ."""
    return log[max(at - 1, 0)], log[min(at + 1, log.size - 1)]


def _nodes(bracket: tuple[float, float]) -> np.ndarray:
    middle, reach = (bracket[1] + bracket[0]) / 2, (bracket[1] - bracket[0]) / 2
    return middle + reach * _CHEBYSHEV


def looked_at(alphas: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Every λ that `refine` asks for where the least score is at one of the points ``best``: the ends and the nodes.

    For scores that cost a pass over a file, and had better be asked for together.
    """
    log = np.log(alphas)
    return np.unique(np.concatenate([[0.0, np.inf], *(np.exp(_nodes(_bracket(log, int(b)))) for b in best)]))


def _descend(score: Score, bracket: tuple[float, float], lowest: _Lowest, mine: np.ndarray) -> None:
    """Lower what is known of the targets ``mine``, whose minima share a bracket."""
    middle, reach = (bracket[1] + bracket[0]) / 2, (bracket[1] - bracket[0]) / 2
    if reach <= 0:
        return
    u = _nodes(bracket)
    values = score(np.exp(u))[:, mine]
    values = np.where(np.isnan(values), np.inf, values)
    for target, column in zip(mine, values.T, strict=True):
        best = int(np.argmin(column))
        lowest.offer(target, u[best], column[best])
        if np.isfinite(column).all():
            x, height = _stationary(column)
            lowest.offer(target, middle + reach * x, min(height, column[best]))  # rounding is no veto


def _stationary(values: np.ndarray) -> tuple[float, float]:
    """Where in (-1, 1) the polynomial through values at Chebyshev points is least, and its value there.

    NaN where the values are no polynomial's to nearly all digits, or where an end is lower.
    """
    bottom, spread = values.min(), np.ptp(values)
    series = _FIT @ (values - bottom)
    misfit = np.abs(chebyshev.chebval(_CHEBYSHEV, series) - (values - bottom)).max()
    slope = np.trim_zeros(chebyshev.chebder(series), "b")
    if misfit > SMOOTH * spread + NOISE * abs(bottom) or slope.size < 2:
        return np.nan, np.nan
    zeros = chebyshev.chebroots(slope)
    inside = zeros.real[(np.abs(zeros.imag) < 1e-8) & (np.abs(zeros.real) < 1)]
    heights = chebyshev.chebval(inside, series)
    if not inside.size or heights.min() > min(values[0], values[-1]) - bottom:
        return np.nan, np.nan
    return float(inside[np.argmin(heights)]), float(bottom + heights.min())


def _with_ends(score: Score, alpha: np.ndarray, least: np.ndarray, best: np.ndarray, last: int) -> Minimum:
    """Compare with λ = 0 where the minimum sits at the low end, with λ = ∞ where at the high end."""
    edge = ""
    for position, end, said, otherwise in ((0, 0.0, "zero", "low"), (last, np.inf, "infinity", "high")):
        at = best == position
        if not at.any():
            continue
        value = score(np.array([end]))[0]
        taken = at & ~np.isnan(value) & (value <= least * (1 + 1e-12))
        alpha, least = np.where(taken, end, alpha), np.where(taken, value, least)
        edge = said if taken.any() else otherwise
    return Minimum(alpha, least, edge)
