"""Rules from the literature on inverse problems: each one's score over λ, lower is better.

Like the criteria beside them they take a Rotated and λ (L,) and return (L, t), and every one chooses
λ(cA, cb) = c² λ(A, b) (total λ multiplies the squared norm).
"""

from __future__ import annotations

import numpy as np

from elltwo.facts.rotated import Rotated
from elltwo.laws.ridge import filter_factors, gains, leftover
from elltwo.selecting.criteria import ROUNDING, gcv
from elltwo.shrinking.path import df_of, residuals

ROBUST = 0.2  # γ of robust GCV, compared on sixteen problems in docs/how-to/inverse-problems.md
WEIGHT = 1.4  # of weighted GCV: how many times a degree of freedom counts


def strong_robust_gcv(r: Rotated, alphas: np.ndarray, gamma: float = ROBUST) -> np.ndarray:
    """(γ + (1 − γ) s₁² Σ(s/(s² + λ))²/n)·GCV: robustness in the norm of the solution.

    Lukas, Inverse Problems 24 (2008) 034006; the factor s₁² makes it independent of units.
    """
    side = r.spectrum.counted
    if side.s.size == 0:
        return gcv(r, alphas)
    with np.errstate(divide="ignore"):
        variance = side.count @ gains(side.s, alphas) ** 2
    size = side.s.max() ** 2 * variance / r.spectrum.shape[0]
    return (gamma + (1 - gamma) * size)[:, None] * gcv(r, alphas)


def weighted_gcv(r: Rotated, alphas: np.ndarray, weight: float = WEIGHT) -> np.ndarray:
    """n·rss/(n − ω·df)², infinite where ω·df ≥ n; ω > 1 guards against too little smoothing.

    Chung, Nagy & O'Leary, ETNA 28 (2008) 149; Cummins, Filloon & Nychka, JASA 96 (2001) 233.
    """
    n = r.spectrum.shape[0]
    left = (n - weight * df_of(r, alphas))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        score = n * residuals(r, alphas) / left**2
    return np.where(left > 0, score, np.inf)


def l_curve(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """Minus the curvature of (log ‖b − Ax‖, log ‖L(x − x0)‖): the corner is its least value.

    With ρ = ‖b − Ax‖², η = ‖Lx‖² and l = log λ: ρ' = −λη' (η' by l), and the curvature follows from
    first and second derivatives. Hansen & O'Leary, SIAM J. Sci. Comput. 14 (1993) 1487, eq. 18.
    """
    a = np.asarray(alphas, dtype=float)[:, None]
    f, rest = filter_factors(r.spectrum.s, alphas), leftover(r.spectrum.s, alphas)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        solution = gains(r.spectrum.s, alphas)
        z2 = r.z**2
        eta, rho = (solution**2).T @ z2, r.rest + (rest**2).T @ z2
        slope = -2 * (rest * solution**2).T @ z2  # dη/dl
        second = 2 * (rest * solution**2 * (2 * rest - f)).T @ z2  # d²η/dl²
        u1, v1 = -a * slope / (2 * rho), slope / (2 * eta)  # d log√ρ/dl, d log√η/dl
        u2 = -a * (slope + second) / (2 * rho) - 2 * u1**2
        v2 = second / (2 * eta) - 2 * v1**2
        curvature = (u1 * v2 - v1 * u2) / (u1**2 + v1**2) ** 1.5
    return np.where(np.isfinite(curvature), -curvature, np.inf)


def quasi_optimality(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """‖λ dx/dλ‖ = (Σ((1 − f) f z/s)²)^½, for s_k² ≤ λ ≤ s₁² only.

    Outside that range it falls to zero whatever the data say, so it is given no score there.
    Tikhonov & Arsenin (1977); the guard is measured in docs/how-to/inverse-problems.md.
    """
    s = r.spectrum.s
    if s.size == 0:
        return np.full((np.size(alphas), r.targets), np.inf)
    f, rest = filter_factors(s, alphas), leftover(s, alphas)
    score = np.sqrt(((f * rest / s[:, None]) ** 2).T @ r.z**2)
    a = np.asarray(alphas, dtype=float)[:, None]
    inside = (a >= s[-1] ** 2) & (a <= s[0] ** 2)
    return np.where(inside, score, np.inf)


def ncp(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """Distance of the residual's normalised cumulative periodogram from a straight line: is it white?

    Needs the rows in their natural order. Hansen, Kilmer & Kjeldsen, BIT 46 (2006) 41; Rust & O'Leary,
    Inverse Problems 24 (2008) 034005.
    """
    assert r.spectrum.rows is not None
    assert r.b is not None
    out = np.empty((np.size(alphas), r.targets))
    rest = leftover(r.spectrum.s, alphas)
    for j in range(r.targets):
        residual = np.empty((r.spectrum.shape[0], np.size(alphas)))
        for rows, U, Q in r.spectrum.rows.blocks():
            outside = r.b[rows, j] - Q @ r.free[:, j] - U @ r.z[:, j]
            residual[rows] = outside[:, None] + U @ (rest * r.z[:, j, None])
        power = np.abs(np.fft.rfft(residual, axis=0)[1:]) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            cumulative = np.cumsum(power, axis=0) / power.sum(axis=0)
        line = np.arange(1, power.shape[0] + 1) / power.shape[0]
        distance = np.linalg.norm(cumulative - line[:, None], axis=0)
        out[:, j] = np.where(np.isfinite(distance), distance, np.inf)
    return out


def residual_sample(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """(L,) (Σ(1 − f))²/Σ(1 − f)²: how many directions the residual is spread over, in effect.

    Of pure noise rss/Σ(1 − f)² has a relative standard deviation of about √(2/ν) for ν such directions
    (Satterthwaite, Biometrics Bull. 2 (1946) 110). As λ → 0 it tends to the directions outside the range,
    or where there are none to (Σ1/s²)²/Σ1/s⁴.
    """
    side = r.spectrum.counted
    outside = max(r.spectrum.shape[0] - r.spectrum.free.rank - r.spectrum.directions, 0.0)
    outside = outside if outside > ROUNDING * r.spectrum.shape[0] else 0.0
    left = leftover(side.s, alphas)
    if side.s.size and outside == 0:
        left[:, alphas == 0] = (side.s.min() / side.s[:, None]) ** 2
    first, second = outside + side.count @ left, outside + side.count @ left**2
    return np.divide(first**2, second, out=np.zeros_like(first), where=second > 0)
