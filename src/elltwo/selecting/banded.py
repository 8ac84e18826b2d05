"""A strength per group of columns (or of kernels), by analytic gradient of the evidence or of exact leave-one-out.

With K_g = X_g X_gᵀ (centred) and λ_g = exp(v_g), the marginal covariance of the targets is
σ²(Σ_g K_g/λ_g + I); σ² is profiled. van de Wiel, van Nee & Rauschenberger, J. Comput. Graph. Stat. 30
(2021) 835 (multiridge); Wood & Fasiolo, Biometrics 73 (2017) 1071.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, optimize, sparse

from elltwo.errors import UsageError, unknown_option
from elltwo.factoring.clean import gram_floor
from elltwo.selecting.joint import Aside, Objective, evidence, inverse, leave_one_out

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
    """λ per group, and how the search went.

    Attributes
    ----------
    alphas : (G,).
    value : of the rule; evaluations : of it and its gradient; converged : did L-BFGS say so?
    trace : (steps,) the rule's value after every step.
    at_end : (G,) did the strength stop where the search does not look beyond?
    """

    alphas: np.ndarray
    value: float
    evaluations: int
    converged: bool
    trace: np.ndarray
    at_end: np.ndarray


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


def bands_of_sparse(X: Any, groups: list[np.ndarray], y: np.ndarray, free: int, rows_needed: bool) -> Bands:
    """As `bands_of_columns` for a sparse X (n, p) that is not centred: X is never densified.

    Wide, or where rows are needed: K_g = C X_g X_gᵀ C with C = I − 11ᵀ/n taken off the n × n matrix.
    Tall: with eigenvectors of the centred Gram matrix G = VS²Vᵀ, the rotated design is SVᵀ and the
    rotated targets S⁻¹VᵀXᵀy. A constant column is left out, as centring would leave rounding of it.
    """
    n, p = X.shape
    X = sparse.csr_array(X)
    if free:
        constant = X.max(axis=0).toarray().ravel() == X.min(axis=0).toarray().ravel()
        X = X @ sparse.diags_array(np.where(constant, 0.0, 1.0))
    if n <= p + 1 or rows_needed:
        columns = sparse.csc_array(X)
        kernels = np.stack([(columns[:, g] @ columns[:, g].T).toarray() for g in groups])
        if free:
            kernels -= kernels.mean(axis=1, keepdims=True)
            kernels -= kernels.mean(axis=2, keepdims=True)
        return bands_of_kernels(kernels, y, Aside(free, 0.0, n))
    mean = np.asarray(X.mean(axis=0)).ravel() if free else np.zeros(p)
    G = (X.T @ X).toarray() - n * np.outer(mean, mean)
    squares, V = linalg.eigh(G, check_finite=False)
    kept = squares > gram_floor(p) ** 2 * max(float(squares[-1]), 0.0)
    s, V = np.sqrt(squares[kept]), V[:, kept]
    inside = (V.T @ (X.T @ y)) / s[:, None]  # y is centred, so X need not be
    rest = np.maximum(np.sum(y**2, axis=0) - np.sum(inside**2, axis=0), 0.0)
    rotated = s[:, None] * V.T
    kernels = np.stack([rotated[:, g] @ rotated[:, g].T for g in groups])
    return bands_of_kernels(kernels, inside, Aside(free, rest, n))


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
    first = np.log(bands.scale * len(bands.scale) if start is None else start)
    y, aside = _of_unit_length(bands)
    if not y.shape[1]:  # targets that do not vary have nothing to say about any strength
        return BandStrengths(np.exp(first), np.nan, 0, True, np.zeros(0), np.zeros(first.size, dtype=bool))

    def fun(v: np.ndarray) -> tuple[float, np.ndarray]:
        result = _objective(objectives[rule], bands.kernels, y, aside, v)
        return result.value, result.gradient

    bounds = [(u - REACH, u + REACH) for u in np.log(bands.scale)]
    first = np.clip(first, [low for low, _ in bounds], [high for _, high in bounds])
    options = {"maxiter": 200, "ftol": 1e-8, "gtol": 1e-5}
    trace = []

    def note(intermediate_result: optimize.OptimizeResult) -> None:
        trace.append(float(intermediate_result.fun))

    found = optimize.minimize(
        fun, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options, callback=note
    )
    at_end = np.any(np.isclose(found.x[:, None], bounds, atol=1e-6), axis=1)
    return BandStrengths(
        np.exp(found.x), float(found.fun), int(found.nfev), bool(found.success), np.array(trace), at_end
    )


def _of_unit_length(bands: Bands) -> tuple[np.ndarray, Aside]:
    """Targets scaled to mean square 1, those that do not vary left out, and what stands aside of them."""
    rest = np.broadcast_to(np.asarray(bands.aside.rest, dtype=float), bands.y.shape[1:])
    square = (np.sum(bands.y**2, axis=0) + rest) / (bands.aside.rows or bands.y.shape[0])
    live = square > 0
    aside = Aside(bands.aside.free, rest[live] / square[live], bands.aside.rows)
    return bands.y[:, live] / np.sqrt(square[live]), aside


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


def band_df(bands: Bands, alphas: np.ndarray) -> np.ndarray:
    """(G,) tr(K_g/λ_g (Σ K_h/λ_h + I)⁻¹): they add up to the degrees of freedom beside the intercept."""
    P, _ = inverse(np.tensordot(1.0 / alphas, bands.kernels, axes=1), 1.0)
    return np.tensordot(bands.kernels, P, axes=2) / alphas
