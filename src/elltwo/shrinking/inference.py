"""What a fit is worth, read off the spectrum: variances, intervals, risk, evidence, what λ is equivalent to.

Every function takes a Rotated and the λ in force, (t,) one per target, and σ² (t,). Nothing here reads
the rows; what needs them (leverages, leave-one-out) is in `elltwo.selecting`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.errors import UsageError
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import Spectrum
from elltwo.laws.inference import log_evidence, posterior_weights, risk_terms
from elltwo.laws.ridge import filter_factors, gains, prior_variance
from elltwo.shrinking.path import df_of, norms


@dataclass(frozen=True)
class Spread:
    """Standard deviations of coefficients (p, t) and intercepts (t,)."""

    coef: np.ndarray
    intercept: np.ndarray


@dataclass(frozen=True)
class Risk:
    """The estimated bias–variance trade for one target.

    Attributes
    ----------
    alphas : (L,).
    bias2 : (k, L) estimated squared bias of the fit per direction; single terms may be negative.
    variance : (k, L) variance of the fit per direction.
    free : variance of the free block (σ² times its rank), the same at every λ.
    total : (L,) estimated E‖Aβ − fit‖², the sum of all three.
    """

    alphas: np.ndarray
    bias2: np.ndarray
    variance: np.ndarray
    free: float
    total: np.ndarray


@dataclass(frozen=True)
class Equivalents:
    """One λ in the other ways to say it.

    Attributes
    ----------
    alpha : (t,) λ, total.
    radius : (t,) t of the equivalent constraint ‖L(x − x0)‖ ≤ t.
    length_fraction : (t,) that radius over the unpenalised one.
    df : (t,) degrees of freedom, free block included.
    prior_variance : (t,) σ²/λ of the equivalent Gaussian prior.
    shrinkage : (k, t) factor f = s²/(s² + λ) on each direction.
    condition : (t,) (s₁² + λ)/(s_k² + λ); condition_before : the same at λ = 0.
    """

    alpha: np.ndarray
    radius: np.ndarray
    length_fraction: np.ndarray
    df: np.ndarray
    prior_variance: np.ndarray
    shrinkage: np.ndarray
    condition: np.ndarray
    condition_before: float


def sampling_spread(r: Rotated, alpha: np.ndarray, sigma2: np.ndarray) -> Spread:
    """Standard errors over repeated samples: σ²[V g² Vᵀ + T Tᵀ], and for the intercept σ²/Σw + mᵀ(…)m."""
    s = r.spectrum
    V, m = s.map.toarray(), s.free.mean
    weights = gains(s.s, alpha) ** 2
    return _spread(s, sigma2, V**2 @ weights, (m @ V) ** 2 @ weights)


def posterior_spread(r: Rotated, alpha: np.ndarray, sigma2: np.ndarray, simple: bool = True) -> Spread:
    """Posterior standard deviations under x ~ N(x0, σ²/λ (LᵀL)⁻¹), the free block with a flat prior.

    Directions that the data do not see keep their prior variance. ``simple``: L is not a matrix.
    """
    s = r.spectrum
    V, m = s.map.toarray(), s.free.mean
    weights = _posterior(s, alpha)
    coef = V**2 @ weights + unseen(s, None, V, simple)[:, None] * _over(alpha)
    at_mean = (m @ V) ** 2 @ weights + unseen(s, m[None, :], V, simple)[0] * _over(alpha)
    return _spread(s, sigma2, coef, at_mean)


def _spread(s: Spectrum, sigma2: np.ndarray, coef: np.ndarray, at_mean: np.ndarray) -> Spread:
    """Add the free block to variances per unit σ²: of coefficients (p, t), of the fit at the means (t,)."""
    T = s.free.T
    coef = coef + (T**2).sum(axis=1)[:, None]
    intercept = np.zeros(sigma2.size)
    if s.free.intercept:
        intercept = 1.0 / s.weight + at_mean + np.sum((s.free.mean @ T) ** 2)
    return Spread(np.sqrt(coef * sigma2), np.sqrt(intercept * sigma2))


def _posterior(s: Spectrum, alpha: np.ndarray) -> np.ndarray:
    return np.column_stack([posterior_weights(s.s, float(a)) for a in alpha])


def sampling_fit_variance(r: Rotated, X: np.ndarray, alpha: np.ndarray, sigma2: np.ndarray) -> np.ndarray:
    """(m, t) variance over samples of the fitted mean at new rows X (m, p)."""
    s = r.spectrum
    unit = ((X - s.free.mean) @ s.map.toarray()) ** 2 @ gains(s.s, alpha) ** 2
    return sigma2 * (unit + _free_variance(s, X))


def posterior_fit_variance(
    r: Rotated, X: np.ndarray, alpha: np.ndarray, sigma2: np.ndarray, simple: bool = True
) -> np.ndarray:
    """(m, t) posterior variance of the mean at new rows X (m, p)."""
    s = r.spectrum
    V, rows = s.map.toarray(), X - s.free.mean
    unit = (rows @ V) ** 2 @ _posterior(s, alpha) + unseen(s, rows, V, simple)[:, None] * _over(alpha)
    return sigma2 * (unit + _free_variance(s, X))


def _free_variance(s: Spectrum, X: np.ndarray) -> np.ndarray:
    free = (((X - s.free.mean) @ s.free.T) ** 2).sum(axis=1)[:, None]
    return free + (1.0 / s.weight if s.free.intercept else 0.0)


def unseen(s: Spectrum, rows: np.ndarray | None, V: np.ndarray, simple: bool) -> np.ndarray:
    """(m,) rᵀ(L⁻¹L⁻ᵀ − V Vᵀ)r: the part of each row r (m, p) in directions the data do not see.

    ``rows`` None stands for the identity. ``simple`` says that L is the identity or a diagonal.

    Raises
    ------
    UsageError : such directions exist, and L is a matrix or has free columns, so that the free part of
        them cannot be told apart.
    """
    scale = np.ones(s.shape[1]) if s.scale is None else s.scale
    free = s.free.T.shape[1]
    live = int(np.sum(scale > 0)) if simple else s.shape[1] - free
    if s.s.size >= live:
        return np.zeros(s.shape[1] if rows is None else rows.shape[0])
    if free or not simple:
        raise UsageError(
            "posterior intervals need every direction to be seen by the data when columns are free or a "
            "penalty matrix is used: use standard errors, or add rows"
        )
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    whole, seen = (inverse**2, V) if rows is None else (rows**2 @ inverse**2, rows @ V)
    return np.maximum(whole - (seen**2).sum(axis=1), 0.0)


def _over(alpha: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.where(np.isinf(alpha), 0.0, 1.0 / alpha)


def risk(r: Rotated, alphas: np.ndarray, sigma2: float, target: int = 0) -> Risk:
    """Estimated bias², variance and risk of the fit over λ (L,), for one target."""
    a = np.asarray(alphas, dtype=float)
    bias2, variance = risk_terms(r.spectrum.s, r.z[:, target], a, sigma2, r.spectrum.free.rank)
    free = float(sigma2 * r.spectrum.free.rank)
    return Risk(a, bias2, variance, free, bias2.sum(axis=0) + variance.sum(axis=0) + free)


def evidence_of(r: Rotated, alpha: np.ndarray) -> np.ndarray:
    """(t,) log evidence of each target at its λ, constants included; see `laws.inference.log_evidence`."""
    s = r.spectrum
    return np.array(
        [
            log_evidence(s.s, r.z[:, j], float(r.rest[j]), float(alpha[j]), s.shape[0], s.free.rank, r.noise)
            for j in range(r.targets)
        ]
    )


def equivalents(r: Rotated, alpha: np.ndarray, sigma2: np.ndarray) -> Equivalents:
    """λ as a radius, a fraction of length, degrees of freedom, a prior variance, shrinkage per direction."""
    s = r.spectrum
    radius = np.array([norms(r, np.array([a]))[0, j] for j, a in enumerate(alpha)])
    full = norms(r, np.array([0.0]))[0]
    return Equivalents(
        alpha=alpha,
        radius=radius,
        length_fraction=np.divide(radius, full, out=np.zeros_like(radius), where=full > 0),
        df=df_of(r, alpha),
        prior_variance=np.array(
            [prior_variance(float(a), float(v)) for a, v in zip(alpha, sigma2, strict=True)]
        ),
        shrinkage=filter_factors(s.s, alpha),
        condition=np.array([s.condition(float(a)) for a in alpha]),
        condition_before=s.condition(0.0),
    )
