"""What a given λ does: coefficients, norms, residuals and degrees of freedom, from a Rotated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.errors import InputError
from elltwo.facts.rotated import Rotated
from elltwo.facts.solution import Solution
from elltwo.laws.ridge import degrees_of_freedom, gains, leftover


@dataclass(frozen=True)
class Path:
    """Solutions over a grid of λ.

    Attributes
    ----------
    alphas : (L,).
    coef : (L, p, t).
    intercept : (L, t).
    df : (L,).
    norm : (L, t) ‖L(x − x0)‖.
    rss : (L, t) weighted residual sum of squares.
    """

    alphas: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    df: np.ndarray
    norm: np.ndarray
    rss: np.ndarray


def check_alphas(alphas: np.ndarray) -> np.ndarray:
    """(L,) strengths as floats, refused unless every one is ≥ 0 (0 and inf included)."""
    a = np.atleast_1d(np.asarray(alphas, dtype=float))
    if a.size == 0 or np.any(np.isnan(a)) or np.any(a < 0):
        raise InputError(f"a strength must be a number >= 0, got {alphas!r}: 0 means no penalty, inf no fit")
    return a


def norms(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """(L, t) ‖L(x_λ − x0)‖ = (Σ (s z/(s² + λ))²)^½."""
    return np.sqrt((gains(r.spectrum.s, alphas) ** 2).T @ r.z**2)


def residuals(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """(L, t) ‖b − A x_λ‖² = rest + Σ ((1 − f) z)²."""
    return r.rest + (leftover(r.spectrum.s, alphas) ** 2).T @ r.z**2


def df_of(r: Rotated, alphas: np.ndarray) -> np.ndarray:
    """(L,) degrees of freedom, free block included."""
    trace = r.spectrum.trace
    if trace is None:
        return degrees_of_freedom(r.spectrum.s, alphas, r.spectrum.free.rank)
    return degrees_of_freedom(trace.s, alphas, r.spectrum.free.rank, trace.count)


def coefficients(r: Rotated, y: np.ndarray) -> np.ndarray:
    """(p, t) coefficients of coordinates y (k, t): x0 + V y + free part."""
    coef = r.spectrum.map @ y
    if r.free.shape[0]:
        coef = coef + r.spectrum.free.T @ r.free
    x0 = r.spectrum.x0
    return coef if x0 is None else coef + x0.reshape(x0.shape[0], -1)


def intercepts(r: Rotated, coef: np.ndarray) -> np.ndarray:
    """(t,) b̄ − m·(x − x0), where b̄ already had A x0 taken out."""
    if not r.spectrum.free.intercept:
        return np.zeros(coef.shape[1])
    x0 = r.spectrum.x0
    moved = coef if x0 is None else coef - x0.reshape(x0.shape[0], -1)
    return r.mean - r.spectrum.free.mean @ moved


def path(r: Rotated, alphas: np.ndarray) -> Path:
    """Every solution over a grid of λ, for the price of one product with V."""
    a = check_alphas(alphas)
    k, t = r.z.shape
    y = (gains(r.spectrum.s, a)[:, :, None] * r.z[:, None, :]).reshape(k, -1)  # (k, L·t)
    moved = np.asarray(r.spectrum.map @ y).reshape(-1, a.size, t)
    fixed = coefficients(r, np.zeros((k, t)))
    coef = np.moveaxis(moved, 1, 0) + fixed
    intercept = np.stack([intercepts(r, c) for c in coef])
    df = df_of(r, a)
    return Path(a, coef, intercept, df, norms(r, a), residuals(r, a))


def shrink(r: Rotated, alpha: float | np.ndarray) -> Solution:
    """The solution at λ, one for all targets or one per target (t,).

    minimise Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖L(x − x0)‖².
    """
    a = check_alphas(np.asarray(alpha))
    a = np.broadcast_to(a, (r.targets,)) if a.size in (1, r.targets) else _refuse(a, r.targets)
    s = r.spectrum.s
    y = gains(s, a) * r.z
    coef = coefficients(r, y) if r.direct is None else r.direct.at(a)
    rss = r.rest + ((leftover(s, a) * r.z) ** 2).sum(axis=0)
    df = df_of(r, a)
    return Solution(
        alpha=a.copy(),
        coef=coef,
        intercept=intercepts(r, coef),
        df=df,
        norm=np.sqrt((y**2).sum(axis=0)),
        rss=rss,
        sigma2=residual_variance(rss, df, r.spectrum.shape[0]),
        digits=min((r.spectrum.digits(float(v)) for v in a), default=16.0),
    )


def residual_variance(rss: np.ndarray, df: np.ndarray, n: int) -> np.ndarray:
    """(t,) rss/(n − df), nan where no degree of freedom is left."""
    left = n - df
    return np.where(left > 1e-9 * n, rss / np.where(left > 0, left, 1.0), np.nan)


def _refuse(a: np.ndarray, targets: int) -> np.ndarray:
    raise InputError(f"one strength, or one per target ({targets}), is needed, got {a.size}")
