"""A strength per group of columns (or of kernels), by analytic gradient of the evidence or of exact leave-one-out.

With K_g = X_g X_gᵀ (centred) and λ_g = exp(v_g), the marginal covariance of the targets is
σ²(Σ_g K_g/λ_g + I); σ² is profiled. van de Wiel, van Nee & Rauschenberger, J. Comput. Graph. Stat. 30
(2021) 835 (multiridge); Wood & Fasiolo, Biometrics 73 (2017) 1071.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from elltwo.errors import UsageError, unknown_option
from elltwo.selecting.joint import Aside, Objective, evidence, leave_one_out

REACH = 16.0  # natural logs that a strength may move from its start


@dataclass(frozen=True)
class Bands:
    """Kernels of the groups and the targets, in coordinates where the noise is white.

    Attributes
    ----------
    kernels : (G, m, m).
    y : (m, t) centred targets in those coordinates.
    aside : rows and target length outside them, and the intercept.
    scale : (G,) mean eigenvalue of each kernel, from which the search starts.
    """

    kernels: np.ndarray
    y: np.ndarray
    aside: Aside
    scale: np.ndarray


@dataclass(frozen=True)
class BandStrengths:
    """λ per group (G,), the rule's value and its evaluations; converged or stopped at the bounds."""

    alphas: np.ndarray
    value: float
    evaluations: int
    converged: bool


def bands_of_columns(
    X: np.ndarray, groups: list[np.ndarray], y: np.ndarray, free: int, rows_needed: bool
) -> Bands:
    """Kernels of column groups of a centred X (n, p); tall designs are first rotated onto their p directions."""
    n, p = X.shape
    rest: np.ndarray | float = 0.0
    if n > p + 1 and not rows_needed:
        Q, X = linalg.qr(X, mode="economic", check_finite=False)
        inside = Q.T @ y
        rest = np.maximum(np.sum(y**2, axis=0) - np.sum(inside**2, axis=0), 0.0)
        y = inside
    kernels = np.stack([X[:, g] @ X[:, g].T for g in groups])
    return bands_of_kernels(kernels, y, Aside(free, rest, n))


def bands_of_kernels(kernels: np.ndarray, y: np.ndarray, aside: Aside) -> Bands:
    """Bands from (G, m, m) kernels, centred already if there is an intercept."""
    scale = np.array([float(np.trace(K)) / (aside.rows or K.shape[0]) for K in kernels])
    live = scale[scale > 0]
    # a group without variation has no say: a strength like the others' keeps its coefficients at 0
    scale[scale <= 0] = live.mean() if live.size else 1.0
    return Bands(kernels, y, aside, scale)


def choose_strengths(bands: Bands, rule: str = "evidence", start: np.ndarray | None = None) -> BandStrengths:
    """Minimise the rule over log λ of all groups together, shared by all targets, by L-BFGS.

    ``start`` (G,) warm-starts the search; by default every group explains an equal share.
    """
    objectives = {"evidence": evidence, "loo": leave_one_out}
    if rule not in objectives:
        raise unknown_option("rule for banded ridge", rule, objectives)
    if rule == "loo" and bands.y.shape[0] != (bands.aside.rows or bands.y.shape[0]):
        raise UsageError("leave-one-out needs the rows: make the bands with rows_needed=True")
    length = np.sqrt((np.sum(bands.y**2, axis=0) + bands.aside.rest) / (bands.aside.rows or 1))
    y = bands.y / np.where(length > 0, length, 1.0)
    aside = Aside(
        bands.aside.free, bands.aside.rest / np.where(length > 0, length, 1.0) ** 2, bands.aside.rows
    )
    first = np.log(bands.scale * len(bands.scale) if start is None else start)

    def fun(v: np.ndarray) -> tuple[float, np.ndarray]:
        result = _objective(objectives[rule], bands.kernels, y, aside, v)
        return result.value, result.gradient

    bounds = [(u - REACH, u + REACH) for u in np.log(bands.scale)]
    first = np.clip(first, [low for low, _ in bounds], [high for _, high in bounds])
    options = {"maxiter": 200, "ftol": 1e-8, "gtol": 1e-5}
    found = optimize.minimize(fun, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return BandStrengths(np.exp(found.x), float(found.fun), int(found.nfev), bool(found.success))


def _objective(
    rule: Callable[..., Objective], kernels: np.ndarray, y: np.ndarray, aside: Aside, v: np.ndarray
) -> Objective:
    """The rule and its gradient in log λ: dM/d log λ_g = −K_g/λ_g, with unit noise."""
    inverse = np.exp(-v)
    K = np.tensordot(inverse, kernels, axes=1)
    result = rule(K, kernels, y, 0.0, aside)
    return Objective(result.value, -inverse * result.gradient[:-1])


def dual_coefficients(bands: Bands, alphas: np.ndarray) -> np.ndarray:
    """(m, t) a = (Σ K_g/λ_g + I)⁻¹ y; group g's fit is K_g a/λ_g."""
    M = np.tensordot(1.0 / alphas, bands.kernels, axes=1) + np.eye(bands.y.shape[0])
    return linalg.cho_solve(linalg.cho_factor(M, lower=True, check_finite=False), bands.y, check_finite=False)
