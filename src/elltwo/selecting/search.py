"""The only loop over λ: a grid from the spectrum, its extension, and refinement of the minimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Score = Callable[[np.ndarray], np.ndarray]  # (L,) λ -> (L, t) score, lower is better

GRID = 100
LOW, HIGH = 1e-4, 1e4  # how far the grid reaches beyond the smallest and largest squared singular value
FLOOR = 1e-14  # and never below this fraction of the largest
FINE = 9


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


def refine(score: Score, alphas: np.ndarray, values: np.ndarray, rounds: int) -> Minimum:
    """Zoom in on every target's minimum: nine λ between its neighbours, ``rounds`` times.

    The ends of the grid are compared with λ = 0 and λ = ∞ themselves.
    """
    values = np.where(np.isnan(values), np.inf, values)
    best = np.argmin(values, axis=0)
    log = np.log(alphas)
    last = alphas.size - 1
    low, high = log[np.maximum(best - 1, 0)], log[np.minimum(best + 1, last)]
    centre, least = log[best], values[best, np.arange(values.shape[1])]
    for _ in range(rounds):
        centre, least, low, high = _zoom(score, centre, least, low, high)
    return _with_ends(score, np.exp(centre), least, best, last)


def _zoom(score: Score, centre: np.ndarray, least: np.ndarray, low: np.ndarray, high: np.ndarray):  # type: ignore[no-untyped-def]
    """One round: each target's bracket is cut into FINE points; targets that share a bracket share work."""
    brackets, owner = np.unique(np.stack([low, high]), axis=1, return_inverse=True)
    owner = owner.ravel()
    centre, least, low, high = centre.copy(), least.copy(), low.copy(), high.copy()
    for j in range(brackets.shape[1]):
        mine = np.flatnonzero(owner == j)
        u = np.linspace(brackets[0, j], brackets[1, j], FINE + 2)
        values = score(np.exp(u))[:, mine] if least.size > 1 else score(np.exp(u))
        values = np.where(np.isnan(values), np.inf, values)
        best = np.argmin(values, axis=0)
        found = values[best, np.arange(mine.size)]
        low[mine], high[mine] = u[np.maximum(best - 1, 0)], u[np.minimum(best + 1, FINE + 1)]
        better = found <= least[mine]
        centre[mine] = np.where(better, _vertex(u, values, best), centre[mine])
        least[mine] = np.minimum(found, least[mine])
    return centre, least, low, high


def _vertex(u: np.ndarray, values: np.ndarray, best: np.ndarray) -> np.ndarray:
    """The vertex of the parabola through the best point and its neighbours."""
    inner = np.clip(best, 1, u.size - 2)
    columns = np.arange(best.size)
    a, b, c = (values[inner + d, columns] for d in (-1, 0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        bend = a - 2 * b + c
        shift = 0.5 * (a - c) / bend
    usable = (best == inner) & (bend > 0) & (np.abs(shift) <= 1)
    return u[best] + np.where(usable, np.nan_to_num(shift), 0.0) * (u[1] - u[0])


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
