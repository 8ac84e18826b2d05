"""Pure formulas of inference after shrinkage: variances, intervals, evidence, variance inflation."""

from __future__ import annotations

import numpy as np

from elltwo.laws.ridge import filter_factors, gains, leftover


def sampling_covariance(V: np.ndarray, T: np.ndarray, s: np.ndarray, alpha: float) -> np.ndarray:
    """(p, p) covariance of the coefficients over samples, per unit σ²: V g² Vᵀ + T Tᵀ, g = s/(s² + λ).

    V (p, k) maps coordinates to coefficients, T (p, q) spans the free directions, orthonormal in the rows.
    Hoerl & Kennard, Technometrics 12 (1970) 55, eq. 4.4.
    """
    W = V * gains(s, np.array([alpha]))[:, 0]
    return W @ W.T + T @ T.T


def posterior_weights(s: np.ndarray, alpha: float) -> np.ndarray:
    """(k,) variance of each coordinate given the data per unit σ², 1/(s² + λ); 0 at λ = ∞.

    Under the prior y ~ N(0, σ²/λ). Bishop, Pattern Recognition and Machine Learning (2006), eq. 3.54.
    """
    return np.zeros_like(s) if np.isinf(alpha) else 1.0 / (np.asarray(s) ** 2 + alpha)


def risk_terms(
    s: np.ndarray, z: np.ndarray, alphas: np.ndarray, sigma2: float, free: int
) -> tuple[np.ndarray, np.ndarray]:
    """Estimated squared bias (k, L) and variance (k, L) of the fit per direction, for one target z (k,).

    The unknown (sβ)² is replaced by its unbiased estimate z² − σ², so single terms may be negative;
    their sum Σ bias² + Σ variance + σ²·free is an unbiased estimate of E‖Aβ − fit‖².
    Hoerl & Kennard (1970) eq. 4.3; the estimate is that of Mallows, Technometrics 15 (1973) 661.
    """
    bias = leftover(s, alphas) ** 2 * (np.asarray(z) ** 2 - sigma2)[:, None]
    return bias, sigma2 * filter_factors(s, alphas) ** 2


def log_evidence(
    s: np.ndarray, z: np.ndarray, rest: float, alpha: float, rows: int, free: int, noise: float | None = None
) -> float:
    """log density of the targets with the free block integrated out, x ~ N(x0, σ²/λ) in standard form.

    With m = rows − free, Q = rest + Σ(1 − f)z²: −½[m log 2πσ² + Q/σ² − Σ log(1 − f)], at σ² = noise² or at
    its maximum Q/m. The free block is orthonormal in the rows, so no Jacobian enters (restricted
    likelihood: Patterson & Thompson, Biometrika 58 (1971) 545; MacKay, Neural Comput. 4 (1992) 415).
    """
    m, left = rows - free, leftover(s, np.array([alpha]))[:, 0]
    Q = float(rest + left @ np.asarray(z) ** 2)
    sigma2 = Q / m if noise is None else noise**2
    with np.errstate(divide="ignore"):
        determinant = -float(np.sum(np.log(left)))
    if sigma2 <= 0 or not np.isfinite(determinant):
        return -np.inf
    return -0.5 * (m * np.log(2 * np.pi * sigma2) + Q / sigma2 + determinant)


def marquardt_vif(covariance: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """(p,) variance of each coefficient over what it would be were its column orthogonal to all others.

    ``covariance`` per unit σ², ``squares`` (p,) = Σw(x − m)². On standardized columns with k = λ/n this is
    diag((R + kI)⁻¹ R (R + kI)⁻¹), R the correlation matrix. Marquardt, Technometrics 12 (1970) 591, eq. 17.
    """
    return np.diagonal(covariance) * squares


def fox_monette_vif(covariance: np.ndarray) -> np.ndarray:
    """(p,) diagonal of the inverse correlation matrix of the estimates.

    Fox & Monette, JASA 87 (1992) 178, for single columns; Friendly, JCGS 22 (2013) 50, takes it for
    ridge estimates (the R package genridge prints its square root). At λ = 0 both definitions agree.
    nan where the estimates are exactly collinear (fewer directions than columns).
    """
    d = np.sqrt(np.diagonal(covariance))
    live = d > 0
    out = np.full(d.size, np.nan)
    if live.any():
        C = covariance[np.ix_(live, live)] / np.outer(d[live], d[live])
        values, W = np.linalg.eigh(C)
        if values[0] > C.shape[0] * np.finfo(float).eps * values[-1]:
            out[live] = (W**2) @ (1.0 / values)
    return out
