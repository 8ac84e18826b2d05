"""Kernel parameters chosen together with λ, by gradient of the evidence, of exact leave-one-out or of GCV.

With M = K(θ) + λI, a = M⁻¹y and n rows,
  evidence  E = n log(λ yᵀa/n) + log det(M/λ),      (σ² profiled, prior f ~ GP(0, σ²K/λ))
  leave-one-out  L = Σ (aᵢ/Pᵢᵢ)²/n with P = M⁻¹,   (Rasmussen & Williams 2006, eqs. 5.8 and 5.12)
  GCV  n Σ aᵢ²/(tr P)².
Their derivatives along dM follow from dP = −P dM P; targets are summed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from scipy.linalg import lapack

from elltwo.errors import unknown_option
from elltwo.factoring.kernel import factor_kernel, factor_kernel_values
from elltwo.selecting.select import select

SMALL = 1500  # rows up to which leave-one-out itself judges where a search begins

# parameters (m,) on a log scale -> K (n, n) and its derivatives dK/dparameter (m, n, n)
Kernels = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Objective:
    """Value and gradient with respect to (parameters, log λ)."""

    value: float
    gradient: np.ndarray


@dataclass(frozen=True)
class Joint:
    """The minimum: kernel parameters (m,) on their log scale, λ, value, and function evaluations."""

    parameters: np.ndarray
    alpha: float
    value: float
    evaluations: int


@dataclass(frozen=True)
class Aside:
    """What stands outside the kernel.

    free : directions fitted free of penalty (1 for an intercept, targets and kernel centred).
    rest : (t,) or 0, squared length of the targets outside the coordinates that K acts on.
    rows : all rows, where the coordinates are fewer; None for as many as K has.
    """

    free: int = 0
    rest: np.ndarray | float = 0.0
    rows: int | None = None


NOTHING = Aside()


def evidence(
    K: np.ndarray, dK: np.ndarray, y: np.ndarray, log_alpha: float, aside: Aside = NOTHING
) -> Objective:
    """−2 log evidence summed over targets y (n, t), σ² profiled per target."""
    n, t, alpha = y.shape[0], y.shape[1], float(np.exp(log_alpha))
    m = (aside.rows or n) - aside.free
    P, half_log_det = inverse(K, alpha)
    a = P @ y
    quadratic = np.einsum("ij,ij->j", y, a) + aside.rest / alpha
    outside = m - n + aside.free  # rows that K does not reach contribute log λ each
    log_det = 2 * half_log_det + (outside - aside.free) * log_alpha
    value = m * float(np.sum(np.log(quadratic / m))) + t * log_det
    G = t * P - (m * a / quadratic) @ a.T
    fit = m * float(np.sum(aside.rest / quadratic)) / alpha**2
    own = alpha * (float(np.trace(G)) - fit) + t * (outside - aside.free)
    return Objective(value, np.append(np.tensordot(dK, G, axes=2), own))


def leave_one_out(
    K: np.ndarray, dK: np.ndarray, y: np.ndarray, log_alpha: float, aside: Aside = NOTHING
) -> Objective:
    """Log of the mean squared leave-one-out error over rows and targets.

    With an intercept (y and K centred) row i's own share of the constant, 1/(nλ), leaves Pᵢᵢ.
    """
    n, alpha = y.shape[0], float(np.exp(log_alpha))
    P, _ = inverse(K, alpha)
    a = P @ y
    diagonal = (np.diagonal(P) - aside.free / (n * alpha))[:, None]
    e = a / diagonal
    value = float(np.sum(e**2))
    # dL = Σ 2e (da/p − a dp/p²), da = −P dM a, dp = −diag(P dM P) + free dλ/(nλ²)
    left = P @ (e / diagonal)  # (n, t)
    right = (e * a / diagonal**2).sum(axis=1)
    G = -2 * left @ a.T + 2 * (P * right) @ P
    own = alpha * float(np.trace(G)) - 2 * float(np.sum(right)) * aside.free / (n * alpha)
    along = np.append(np.tensordot(dK, G, axes=2), own)
    return Objective(float(np.log(value / y.size)), along / value)


def cross_validation(
    K: np.ndarray, dK: np.ndarray, y: np.ndarray, log_alpha: float, aside: Aside = NOTHING
) -> Objective:
    """Log of the generalized cross-validation score n·rss/(n − df)², averaged over targets.

    rss = λ²Σa² and n − df = λ tr P, less the intercept's share.
    """
    n, alpha = y.shape[0], float(np.exp(log_alpha))
    P, _ = inverse(K, alpha)
    a = P @ y
    squares = float(np.sum(a**2))
    trace = float(np.trace(P)) - aside.free / alpha
    G = -2 * (P @ a) @ a.T / squares + 2 * P @ P / trace
    own = alpha * float(np.trace(G)) - 2 * aside.free / (alpha * trace)
    value = float(np.log(n * squares / (y.shape[1] * trace**2)))
    return Objective(value, np.append(np.tensordot(dK, G, axes=2), own))


def weighted(kernels: Kernels, root: np.ndarray) -> Kernels:
    """√W K √W and its derivatives, for targets √w y: what weights that multiply squared residuals ask for."""

    def scaled(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        K, dK = kernels(v)
        outer = np.outer(root, root)
        return K * outer, dK * outer

    return scaled


def inverse(K: np.ndarray, alpha: float) -> tuple[np.ndarray, float]:
    """(K + αI)⁻¹ by Cholesky, and half the log determinant of K + αI."""
    M = K.copy(order="F")
    M[np.diag_indices_from(M)] += alpha
    lower = linalg.cholesky(M, lower=True, overwrite_a=True, check_finite=False)
    half_log_det = float(np.sum(np.log(np.diagonal(lower))))
    P, info = lapack.dpotri(lower, lower=1, overwrite_c=1)
    if info:
        raise np.linalg.LinAlgError("the shifted kernel is singular")
    P = np.tril(P) + np.tril(P, -1).T
    return P, half_log_det


@dataclass(frozen=True)
class Start:
    """Kernel parameters (m,) on their log scale, and log λ, from which a search begins."""

    parameters: np.ndarray
    log_alpha: float


def best_starts(
    kernels: Kernels,
    y: np.ndarray,
    logs: np.ndarray,
    rule: str,
    root: np.ndarray | None = None,
    most: int = 3,
) -> list[Start]:
    """The best of the lowest points along a line of one parameter (L,), each with its own best λ.

    Leave-one-out and evidence have several minima in the width: one explains the data as a smooth function with
    noise, one as a function of narrow features. Beyond SMALL rows leave-one-out is represented by robust GCV,
    which needs eigenvalues alone.
    """
    judge = "rgcv" if rule == "loo" and len(y) > SMALL else rule
    factored = factor_kernel if judge == "loo" else factor_kernel_values
    scores, alphas = [], []
    for u in logs:
        rotated = factored(kernels(np.array([u]))[0], y, root)
        found = select(rotated, judge, per_target=False, others=False)
        top = float(rotated.spectrum.s[0]) ** 2
        scores.append(float(found.score[0]))
        alphas.append(float(np.log(np.clip(found.alpha[0], 1e-8 * top, top))))
    padded = np.concatenate([[np.inf], scores, [np.inf]])
    low = np.flatnonzero((padded[1:-1] <= padded[:-2]) & (padded[1:-1] <= padded[2:]))
    order = low[np.argsort(padded[1:-1][low], kind="stable")][:most]
    return [Start(logs[i : i + 1], alphas[i]) for i in order]


OBJECTIVES = {"evidence": evidence, "loo": leave_one_out, "gcv": cross_validation}


def optimize_kernel(
    kernels: Kernels,
    y: np.ndarray,
    start: np.ndarray,
    log_alpha: float,
    rule: str = "loo",
    bound: float = 12.0,
) -> Joint:
    """Minimise the rule over kernel parameters and log λ together, by L-BFGS from a start.

    Every variable stays within ``bound`` natural logs of its start.
    """
    if rule not in OBJECTIVES:
        raise unknown_option("rule for kernel parameters", rule, OBJECTIVES)
    objective = OBJECTIVES[rule]
    scale = float(np.mean(y**2)) or 1.0
    y = y / np.sqrt(scale)

    def fun(v: np.ndarray) -> tuple[float, np.ndarray]:
        K, dK = kernels(v[:-1])
        try:
            result = objective(K, dK, y, float(v[-1]))
        except np.linalg.LinAlgError:  # λ below the rounding of K: a wall, not a minimum
            return 1e10, np.zeros_like(v)
        return result.value, result.gradient

    first = np.append(start, log_alpha)
    bounds = [(u - bound, u + bound) for u in first]
    found = optimize.minimize(
        fun, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 100}
    )
    return Joint(found.x[:-1], float(np.exp(found.x[-1])), float(found.fun), int(found.nfev))
