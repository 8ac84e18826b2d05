"""Pure formulas of quadratic shrinkage, for singular values s and strengths λ (total, beside an unnormalised sum)."""

from __future__ import annotations

import numpy as np


def filter_factors(s: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """(k, L) f = s²/(s² + λ); 1 at λ = 0 and 0 at λ = ∞.

    Hansen, Discrete Inverse Problems (2010), eq. 4.12 (there λ² is our λ).
    """
    return 1.0 - leftover(s, alphas)


def leftover(s: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """(k, L) 1 − f = λ/(s² + λ), without cancellation for small λ."""
    s2, a = np.asarray(s, dtype=float)[:, None] ** 2, np.atleast_1d(np.asarray(alphas, dtype=float))[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = a / (s2 + a)
    ratio[:, np.isinf(a[0])] = 1.0
    ratio[:, a[0] == 0] = 0.0
    return ratio


def gains(s: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """(k, L) s/(s² + λ): coordinates of the solution per unit of z; 0 at λ = ∞."""
    s, a = np.asarray(s, dtype=float)[:, None], np.atleast_1d(np.asarray(alphas, dtype=float))[None, :]
    return np.where(np.isinf(a), 0.0, s / (s**2 + np.where(np.isinf(a), 1.0, a)))


def degrees_of_freedom(
    s: np.ndarray, alphas: np.ndarray, free: int = 0, count: np.ndarray | None = None
) -> np.ndarray:
    """(L,) trace of the hat matrix: free + Σ s²/(s² + λ), each direction counted ``count`` (k,) times.

    Hastie, Tibshirani & Friedman, Elements of Statistical Learning (2009), eq. 3.50.
    """
    f = filter_factors(s, alphas)
    return free + (f.sum(axis=0) if count is None else count @ f)


def bias_squared(s: np.ndarray, alphas: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """(k, L) squared bias of the fit per direction, (1 − f)² (s β)², for true coordinates β (k,).

    Hoerl & Kennard, Technometrics 12 (1970) 55, eq. 4.3, in the coordinates of the spectrum.
    """
    return (leftover(s, alphas) * (np.asarray(s) * coordinates)[:, None]) ** 2


def variance(s: np.ndarray, alphas: np.ndarray, sigma2: float) -> np.ndarray:
    """(k, L) variance of the fit per direction, σ² f²."""
    return sigma2 * filter_factors(s, alphas) ** 2


def prior_variance(alpha: float, sigma2: float) -> float:
    """Variance of the Gaussian prior on each penalised coefficient that λ stands for: σ²/λ."""
    return float("inf") if alpha == 0 else sigma2 / alpha
