"""Criteria that read the spectrum alone: each one's score over λ, lower is better.

n counts rows, df = free + Σf, rss = rest + Σ((1 − f)z)². Every function takes a Rotated and λ (L,)
and returns (L, t).
"""

from __future__ import annotations

import numpy as np

from elltwo.errors import UsageError
from elltwo.facts.rotated import Rotated
from elltwo.laws.ridge import filter_factors, leftover
from elltwo.shrinking.path import df_of, residuals

ROUNDING = 1e-9  # share of the rows that is none


def _unused(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """(L, 1) n − df, as a sum of positive terms so that it does not cancel for n ≤ p."""
    outside = r.spectrum.shape[0] - r.spectrum.free.rank - r.spectrum.directions
    outside = outside if outside > ROUNDING * r.spectrum.shape[0] else 0.0  # sampled counts are no integers
    side = r.spectrum.counted
    return (outside + side.count @ leftover(side.s, alphas))[:, None]


def _mean_square(r: Rotated, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """rss·n/(n − df)² and n − df; at λ = 0 with n ≤ p both vanish, and their limit is taken.

    As λ → 0 there, 1 − f → λ/s², so rss/(n − df)² → Σ(z/s²)²/(Σ1/s²)².
    """
    n = r.spectrum.shape[0]
    left, rss = _unused(r, alphas), residuals(r, alphas)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = n * rss / left**2
    if r.spectrum.full_row_rank and np.any(alphas == 0) and r.spectrum.s.size:
        s2, side = r.spectrum.s**2, r.spectrum.counted
        limit = n * ((r.z / s2[:, None]) ** 2).sum(axis=0) / np.sum(side.count / side.s**2) ** 2
        score = np.where((alphas == 0)[:, None], limit, score)
    return score, left


def gcv(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """n·rss/(n − df)². Golub, Heath & Wahba, Technometrics 21 (1979) 215, eq. 1.4."""
    return _mean_square(r, alphas)[0]


def robust_gcv(r: Rotated, alphas: np.ndarray, gamma: float = 0.2) -> np.ndarray:
    """(γ + (1 − γ) tr(H²)/n)·GCV. Lukas, Inverse Problems 22 (2006) 1883, eq. 1.6."""
    side = r.spectrum.counted
    f = filter_factors(side.s, alphas)
    square = (r.spectrum.free.rank + side.count @ f**2) / r.spectrum.shape[0]
    return (gamma + (1 - gamma) * square)[:, None] * gcv(r, alphas)


def mallows(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """rss/n + 2σ²df/n, an unbiased estimate of the prediction risk plus σ² (Cp, UPRE, SURE).

    σ is the known noise, or else the unbiased estimate rest/(n − rank) of the unpenalised fit.
    Mallows, Technometrics 15 (1973) 661.
    """
    n, df = r.spectrum.shape[0], df_of(r, alphas)
    return (residuals(r, alphas) + 2 * noise_variance(r) * df[:, None]) / n


def noise_variance(r: Rotated) -> np.ndarray:
    """(t,) σ² given, or rest/(n − rank) of the unpenalised fit."""
    if r.noise is not None:
        return np.full(r.targets, float(r.noise) ** 2)
    left = r.spectrum.shape[0] - r.spectrum.free.rank - r.spectrum.directions
    if left < 0.5:
        raise UsageError(
            "this rule needs the noise level, and with as many directions as rows none is left to estimate it: "
            "pass noise=..., or choose loo, gcv, rgcv or evidence"
        )
    return r.rest / left


def aicc(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """log(rss/n) + 1 + 2(df + 1)/(n − df − 2). Hurvich, Simonoff & Tsai, JRSS B 60 (1998) 271, eq. 2.3."""
    n = r.spectrum.shape[0]
    df = df_of(r, alphas)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.log(residuals(r, alphas) / n) + 1 + 2 * (df + 1) / (n - df - 2)
    return np.where(n - df - 2 > 0, score, np.inf)


def evidence(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """−2/m log marginal likelihood of y, up to a constant; x ~ N(x0, σ²/λ), σ² profiled or known.

    With m = n − free rank, Q(λ) = rest + Σ(1 − f)z² and log det = −Σ log(1 − f):
    profiled, log(Q/m) + log det/m (restricted maximum likelihood); known σ, Q/(mσ²) + log det/m.
    MacKay, Neural Comput. 4 (1992) 415; Bishop (2006) §3.5; free block as in Wahba (1990) eq. 4.8.2.
    """
    m = max(r.spectrum.shape[0] - r.spectrum.free.rank, 1)
    left, side = leftover(r.spectrum.s, alphas), r.spectrum.counted
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = -(side.count @ np.log(leftover(side.s, alphas)))[:, None] / m
        Q = r.rest + left.T @ r.z**2
        fit = np.log(Q / m) if r.noise is None else Q / (m * r.noise**2)
        score = fit + determinant
    return np.where((alphas == 0)[:, None], np.inf, score)


def discrepancy(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """|log(rss/((n − free)σ²))|: zero where the residual equals the noise. Morozov, Dokl. 7 (1966) 414."""
    if r.noise is None:
        raise UsageError("the discrepancy principle needs the noise level: pass noise=...")
    n = r.spectrum.shape[0]
    with np.errstate(divide="ignore"):
        return np.abs(np.log(residuals(r, alphas) / (n * r.noise**2)))
