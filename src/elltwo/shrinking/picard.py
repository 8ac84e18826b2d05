"""What a choice of λ can be judged by, as numbers: the Picard plot and the L-curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.facts.rotated import Rotated
from elltwo.laws.ridge import filter_factors
from elltwo.shrinking.path import norms, residuals


@dataclass(frozen=True)
class Picard:
    """The discrete Picard condition: s, |uᵀb| and |uᵀb|/s per direction, and the filter in force.

    Attributes
    ----------
    s, data, solution, filter : (k,); per direction, or root mean square over a bin's directions.
    noise : level that |uᵀb| of pure noise would have.
    """

    s: np.ndarray
    data: np.ndarray
    solution: np.ndarray
    filter: np.ndarray
    noise: float


@dataclass(frozen=True)
class LCurve:
    """‖A x − b‖ against ‖L(x − x0)‖ over λ = √alpha, and where the choice sits.

    Attributes
    ----------
    lam, residual, size : (points,).
    chosen : index of the chosen λ, or of the nearest end where it is 0 or ∞.
    """

    lam: np.ndarray
    residual: np.ndarray
    size: np.ndarray
    chosen: int


def picard(r: Rotated, alpha: float, noise: float, target: int = 0) -> Picard:
    """Data of the Picard plot. Hansen, BIT 30 (1990) 658."""
    each = np.sqrt(r.spectrum.counted.count) if r.spectrum.binned else 1.0
    data = np.abs(r.z[:, target]) / each
    f = filter_factors(r.spectrum.s, np.array([alpha]))[:, 0]
    return Picard(r.spectrum.s, data, data / r.spectrum.s, f, noise)


def l_curve(r: Rotated, alpha: float, points: int = 120, target: int = 0) -> LCurve:
    """Data of the L-curve over the strengths that the spectrum spans, the choice among them."""
    s = r.spectrum.s
    low, high = max(s[-1] ** 2, s[0] ** 2 * 1e-14) * 1e-2, s[0] ** 2 * 1e2
    at = float(np.clip(alpha, low, high))
    alphas = np.unique(np.append(np.geomspace(low, high, points - 1), at))
    chosen = int(np.searchsorted(alphas, at))
    return LCurve(
        np.sqrt(alphas), np.sqrt(residuals(r, alphas)[:, target]), norms(r, alphas)[:, target], chosen
    )
