"""λ from what people ask for instead: degrees of freedom, a radius, a fraction of length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from elltwo.errors import InputError
from elltwo.facts.rotated import Rotated
from elltwo.laws.ridge import degrees_of_freedom
from elltwo.shrinking.path import norms

STEPS = 200


def alpha_for_df(r: Rotated, df: float) -> float:
    """λ with free + Σ s²/(s² + λ) = df.

    Raises
    ------
    InputError : df is not between the free rank (λ = ∞) and free rank + k (λ = 0).
    """
    s, free = r.spectrum.s, r.spectrum.free.rank
    if not free <= df <= free + s.size:
        raise InputError(f"degrees of freedom must lie between {free} and {free + s.size}, got {df}")
    if df == free:
        return float("inf")
    return _root(lambda a: float(degrees_of_freedom(s, np.array([a]), free)[0]) - df, s)


def alpha_for_radius(r: Rotated, radius: float | np.ndarray) -> np.ndarray:
    """(t,) λ with ‖L(x − x0)‖ = radius, one for all targets or (t,), 0 where the unpenalised solution is shorter.

    The secular equation, Golub & von Matt, Numer. Math. 59 (1991) 561.

    Raises
    ------
    InputError : a radius is negative or not a number, or there are neither one nor t of them.
    """
    wanted = per_target(radius, r.targets, "radius")
    if not np.all(wanted >= 0):
        raise InputError(f"a radius must be >= 0, got {radius}")
    full = norms(r, np.array([0.0]))[0]
    return np.array([_radius_root(r, j, w) if full[j] > w else 0.0 for j, w in enumerate(wanted)])


def alpha_for_fraction(r: Rotated, fraction: float | np.ndarray) -> np.ndarray:
    """(t,) λ with ‖L(x − x0)‖ = fraction × its length at λ = 0; one fraction for all targets or (t,).

    Rokem & Kay, GigaScience 9 (2020) giaa133, solved here as an equation rather than interpolated.

    Raises
    ------
    InputError : a fraction lies outside [0, 1], or there are neither one nor t of them.
    """
    wanted = per_target(fraction, r.targets, "length_fraction")
    if not np.all((wanted >= 0) & (wanted <= 1)):
        raise InputError(f"a length fraction must lie between 0 and 1, got {fraction}")
    full = norms(r, np.array([0.0]))[0]
    return np.array([_radius_root(r, j, w * full[j]) if w < 1 else 0.0 for j, w in enumerate(wanted)])


def alpha_for_residual(r: Rotated, target: float | np.ndarray) -> np.ndarray:
    """(t,) λ with ‖b − A x_λ‖ = target: ∞ where even x0 and the free part come as close, 0 where none does.

    Morozov's equation. ‖b − A x_λ‖² = rest + Σ((1 − f)z)² rises with λ from rest to total.

    Raises
    ------
    InputError : the target is negative or not a number.
    """
    wanted = per_target(target, r.targets, "residual")
    if not np.all(wanted >= 0):
        raise InputError(f"the residual asked for must be a length >= 0, got {target}")
    return np.array([_residual_root(r, j, float(w)) for j, w in enumerate(wanted)])


def per_target(value: float | np.ndarray, targets: int, name: str) -> np.ndarray:
    """(t,) what was asked for: one number for all targets, or one for each.

    Raises
    ------
    InputError : there are neither one nor t numbers.
    """
    try:
        wanted = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be one number, or one per target ({targets}); got {value!r}") from None
    if wanted.ndim > 1 or wanted.size not in (1, targets):
        raise InputError(
            f"{name} must be one number, or one per target ({targets}); got shape {wanted.shape}"
        )
    return np.broadcast_to(wanted.ravel(), (targets,))


def noise_norm(r: Rotated) -> float:
    """‖e‖ expected of n values with the known standard deviation, √n σ."""
    if r.noise is None:
        raise InputError("the discrepancy principle needs the noise level: pass noise=...")
    return float(np.sqrt(r.spectrum.shape[0])) * r.noise


def _residual_root(r: Rotated, target: int, wanted: float) -> float:
    s2, z2 = r.spectrum.s**2, r.z[:, target] ** 2
    rest = float(r.rest[target])
    if wanted**2 >= rest + float(z2.sum()):
        return float("inf")
    if wanted**2 <= rest:
        return 0.0
    return _root(lambda a: wanted**2 - rest - float(np.sum((a / (s2 + a)) ** 2 * z2)), r.spectrum.s)


def _radius_root(r: Rotated, target: int, radius: float) -> float:
    if radius == 0:
        return float("inf")
    s, z = r.spectrum.s, r.z[:, target]
    return _root(lambda a: float(np.sqrt(np.sum((s * z / (s**2 + a)) ** 2))) / radius - 1.0, s)


def _root(decreasing: Callable[[float], float], s: np.ndarray) -> float:
    """Root of a decreasing function of λ > 0 by bisection in log λ: 200 halvings reach the last digit.

    Each evaluation costs k operations, so a faster iteration would save nothing anyone could notice.
    """
    low, high = float(s[-1]) ** 2 * 1e-20, float(s[0]) ** 2 * 1e3
    while decreasing(high) > 0:
        high *= 1e3
    if decreasing(low) <= 0:
        return 0.0 if decreasing(0.0) <= 1e-12 else low
    u, v = np.log(low), np.log(high)
    for _ in range(STEPS):
        middle = (u + v) / 2
        if middle in (u, v):
            break
        u, v = (middle, v) if decreasing(float(np.exp(middle))) > 0 else (u, middle)
    return float(np.exp((u + v) / 2))
