"""Other ways to shrink, on the same axes: each is a filter factor per direction of the same Spectrum.

x = x0 + V (f/s) z + free part. Tikhonov is f = s²/(s² + λ); the others differ in f alone, so their
residuals, lengths and degrees of freedom are read off alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.errors import InputError
from elltwo.facts.rotated import Rotated
from elltwo.facts.solution import Solution
from elltwo.laws.ridge import filter_factors
from elltwo.shrinking.path import coefficients, intercepts, residual_variance


@dataclass(frozen=True)
class Filter:
    """Filter factors of one target: f (k,), its name, and what it was made with."""

    name: str
    setting: float
    f: np.ndarray


def tikhonov(r: Rotated, alpha: float) -> Filter:
    """f = s²/(s² + λ)."""
    return Filter("tikhonov", alpha, filter_factors(r.spectrum.s, np.array([alpha]))[:, 0])


def truncated(r: Rotated, k: int) -> Filter:
    """The first k directions and nothing else: TSVD, and with a general L truncated GSVD.

    Hansen, BIT 27 (1987) 534; SIAM J. Sci. Stat. Comput. 11 (1990) 503 for TGSVD.
    """
    if not 0 <= k <= r.spectrum.s.size:
        raise InputError(f"truncation keeps between 0 and {r.spectrum.s.size} directions; got {k}")
    return Filter("tsvd", float(k), (np.arange(r.spectrum.s.size) < k).astype(float))


def iterated(r: Rotated, alpha: float, times: int) -> Filter:
    """f = 1 − (λ/(s² + λ))^times: Tikhonov applied to its own residual.

    Engl, Hanke & Neubauer, Regularization of Inverse Problems (1996), §5.1.
    """
    _positive("times", times)
    if not alpha > 0:
        raise InputError(f"iterated Tikhonov needs λ > 0; got {alpha}")
    left = alpha / (r.spectrum.s**2 + alpha)
    return Filter("iterated", float(times), -np.expm1(times * np.log(left)))


def landweber(r: Rotated, steps: int, relaxation: float = 1.0) -> Filter:
    """f = 1 − (1 − ω s²/s₁²)^steps: gradient descent from x0, 0 < ω < 2.

    Landweber, Amer. J. Math. 73 (1951) 615.
    """
    _positive("steps", steps)
    if not 0 < relaxation < 2:
        raise InputError(f"Landweber's relaxation must lie between 0 and 2; got {relaxation}")
    s = r.spectrum.s
    factor = 1 - relaxation * (s / s[0]) ** 2 if s.size else s
    return Filter("landweber", float(steps), 1 - factor**steps)


def conjugate_gradients(r: Rotated, steps: int, target: int = 0) -> Filter:
    """f = 1 − Π (1 − s²/θⱼ) with the Ritz values θⱼ of ``steps`` CGLS iterations, which depend on b.

    Computed by running CGLS on the diagonal problem min ‖S y − z‖, whose iterate is (f/s) z.
    Hansen, Rank-Deficient and Discrete Ill-Posed Problems (1998), §6.3.
    """
    _positive("steps", steps)
    s, z = r.spectrum.s, r.z[:, target]
    y, residual = np.zeros_like(s), z.copy()
    gradient = s * residual
    direction, gamma = gradient.copy(), float(gradient @ gradient)
    for _ in range(min(steps, s.size)):
        image = s * direction
        size = float(image @ image)
        if size == 0 or gamma == 0:
            break
        step = gamma / size
        y += step * direction
        residual -= step * image
        gradient = s * residual
        later = float(gradient @ gradient)
        direction, gamma = gradient + later / gamma * direction, later
    f = np.divide(s * y, z, out=np.zeros_like(z), where=z != 0)
    return Filter("cgls", float(steps), f)


def apply(r: Rotated, given: Filter) -> Solution:
    """The solution that a filter gives, for every target (a CGLS filter belongs to one target).

    ``alpha`` is nan: there is no λ.
    """
    f = given.f[:, None]
    y = np.divide(f * r.z, r.spectrum.s[:, None])
    coef = coefficients(r, y)
    rss = r.rest + (((1 - f) * r.z) ** 2).sum(axis=0)
    side = r.spectrum.counted
    count = side.count if r.spectrum.binned else np.ones(given.f.size)
    df = np.full(r.targets, r.spectrum.free.rank + float(count @ given.f))
    return Solution(
        alpha=np.full(r.targets, np.nan),
        coef=coef,
        intercept=intercepts(r, coef),
        df=df,
        norm=np.sqrt((y**2).sum(axis=0)),
        rss=rss,
        sigma2=residual_variance(rss, df, r.spectrum.shape[0]),
        digits=r.spectrum.digits(0.0),
        notes=(f"{given.name}, {given.setting:g}",),
    )


def truncation_by_gcv(r: Rotated, target: int = 0) -> int:
    """k of least n·rss/(n − df)² over all truncations.

    Raises
    ------
    InputError : the spectrum does not keep single directions.
    """
    if r.spectrum.trace is not None:
        raise InputError(
            "truncation needs single directions, and this spectrum keeps bins, or only some directions"
        )
    n, z2 = r.spectrum.shape[0], r.z[:, target] ** 2
    rss = r.rest[target] + np.concatenate([np.cumsum(z2[::-1])[::-1], [0.0]])
    left = n - r.spectrum.free.rank - np.arange(z2.size + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(left > 0, rss / np.where(left > 0, left, 1.0) ** 2, np.inf)
    return int(np.argmin(score))


def _positive(name: str, value: int) -> None:
    if int(value) != value or value < 1:
        raise InputError(f"{name} must be a positive integer; got {value}")
